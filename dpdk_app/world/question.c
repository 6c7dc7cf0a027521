// SPDX-License-Identifier: BSD-3-Clause
// world/question.c: see question.h.

#include "world/question.h"

static uint32_t newest_of_all(const struct world_parts *parts)
{
	uint32_t newest = world_published(parts->part[0]);

	for (uint32_t i = 1; i < parts->count; i++) {
		const uint32_t published = world_published(parts->part[i]);

		newest = (int32_t)(published - newest) < 0 ? published : newest;
	}
	return newest;
}

static void begin(struct world_asking *asking, const struct world_parts *parts)
{
	const struct world_question *question = &asking->question;

	asking->newest = newest_of_all(parts);
	asking->clamped = !question->now && world_is_ahead(question->when, asking->newest);
	asking->search = (struct world_search){.when = question->when};
	if (question->now || asking->clamped)
		asking->search.when = (struct world_moment){asking->newest, 0};
	asking->order = world_parts_order(parts);
	asking->total = asking->kept = 0;
	asking->begun++;
}

void world_ask(struct world_asking *asking, const struct world_parts *parts, const struct world_question *question)
{
	asking->question = *question;
	asking->begun = 0;
	begin(asking, parts);
}

static bool is_meant(const struct world_question *question, const struct world_parts *parts, world_reference who)
{
	const struct world_part *part = parts->part[world_part_of(who)];
	const uint32_t rank = world_rank_of(who);

	return question->sorts >> part->sort[rank] & 1 &&
	       (question->except == 0 || part->sort[rank] != WORLD_PLAYER || part->identity[rank] != question->except);
}

/// Of those from an index on.
static void keep_meant(struct world_asking *asking, const struct world_parts *parts, uint32_t from)
{
	uint32_t kept = from;

	for (uint32_t i = from; i < asking->kept; i++)
		if (is_meant(&asking->question, parts, asking->inside[i].who))
			asking->inside[kept++] = asking->inside[i];
	asking->total += kept - from;
	asking->kept = kept;
}

static void keep_nearest(struct world_asking *asking)
{
	const uint32_t most = asking->question.most;

	if (asking->kept <= most)
		return;
	world_crowd_nearest(asking->inside, asking->kept, most);
	asking->kept = most;
}

/// @return that was all
static bool look_on(struct world_asking *asking, const struct world_parts *parts)
{
	const struct world_question *question = &asking->question;
	const uint32_t before = asking->kept;
	struct world_crowd crowd = {
		.count = before,
		.room = sizeof(asking->inside) / sizeof(asking->inside[0]),
		.inside = asking->inside,
	};
	const bool all =
		question->is_ray ?
			world_search_way(parts, &asking->search, &question->of.ray, WORLD_QUESTION_RANKS, &crowd) :
			world_search_sphere(parts, &asking->search, &question->of.sphere, WORLD_QUESTION_RANKS, &crowd);

	asking->kept = crowd.count;
	keep_meant(asking, parts, before);
	keep_nearest(asking);
	return all;
}

bool world_ask_step(struct world_asking *asking, const struct world_parts *parts, enum pg_world_search *became)
{
	const bool all = look_on(asking, parts);

	if (world_parts_order(parts) != asking->order) { // ranks mean something else by now
		*became = PG_WORLD_SEARCH_BUSY;
		if (asking->begun == WORLD_QUESTION_BEGUN_MAX)
			return true;
		begin(asking, parts);
		return false;
	}
	if (asking->search.forgotten != 0)
		*became = PG_WORLD_SEARCH_TOO_OLD;
	else
		*became = asking->clamped ? PG_WORLD_SEARCH_CLAMPED : PG_WORLD_SEARCH_ANSWERED;
	return all || asking->search.forgotten != 0;
}

/// By insertion: there are few.
static void sort(struct world_inside *inside, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		const struct world_inside one = inside[i];
		uint32_t at = i;

		for (; at > 0 && inside[at - 1].distance > one.distance; at--)
			inside[at] = inside[at - 1];
		inside[at] = one;
	}
}

uint32_t world_ask_answers(struct world_asking *asking, const struct world_parts *parts, struct world_answer *answer)
{
	uint32_t count = 0;

	sort(asking->inside, asking->kept);
	for (uint32_t i = 0; i < asking->kept; i++) {
		const world_reference who = asking->inside[i].who;
		const struct world_part *part = parts->part[world_part_of(who)];
		const uint32_t rank = world_rank_of(who);
		struct world_place place;

		if (world_history_where(part, rank, asking->search.when, &place) != WORLD_KNOWN) {
			asking->total--;
			continue;
		}
		answer[count++] = (struct world_answer){
			.identity = part->identity[rank],
			.sort = part->sort[rank],
			.position = {place.x, place.y, place.z},
			.distance = asking->inside[i].distance,
		};
	}
	return count;
}

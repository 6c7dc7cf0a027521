// SPDX-License-Identifier: BSD-3-Clause
// world/judge.c: see judge.h.

#include "world/judge.h"

#include <math.h>

/// What the newest frame that an attacker has, when that frame is so old, shows.
static struct world_moment shown(const struct world_rules *rules, struct world_moment now, uint32_t round_trip,
				 uint32_t frame_age)
{
	const uint64_t age = (uint64_t)round_trip + frame_age + rules->interpolation;

	return world_moment_before(now, age < rules->rewind ? (uint32_t)age : rules->rewind);
}

struct world_moment world_oldest_view(const struct world_rules *rules, struct world_moment now, uint32_t round_trip)
{
	return shown(rules, now, round_trip, WORLD_VIEW_TICKS * WORLD_MOMENT_PARTS);
}

struct world_moment world_supposed_view(const struct world_rules *rules, struct world_moment now, uint32_t round_trip)
{
	return shown(rules, now, round_trip, WORLD_VIEW_TICKS * WORLD_MOMENT_PARTS / 2);
}

/// The part of somebody who is there now.
static const struct world_part *part_of(const struct world_parts *parts, world_reference who)
{
	const uint32_t part = world_part_of(who), rank = world_rank_of(who);

	if (who == WORLD_NOBODY || part >= parts->count || rank >= parts->part[part]->count ||
	    parts->part[part]->number[rank] == WORLD_NOBODY)
		return NULL;
	return parts->part[part];
}

/// @param newest  tick of the newest frame that the attacker can have been sent
static struct world_moment clamp(const struct world_attack *attack, const struct world_rules *rules, uint32_t newest,
				 uint8_t *clamped)
{
	const struct world_moment oldest = world_oldest_view(rules, attack->now, attack->round_trip);
	const struct world_moment view = world_moment_since(attack->view, oldest) < 0 ? oldest : attack->view;

	*clamped = world_moment_since(attack->view, oldest) < 0 ? WORLD_VIEW_TOO_OLD : WORLD_VIEW_KEPT;
	if (!world_is_ahead(view, newest))
		return view;
	if (*clamped == WORLD_VIEW_KEPT)
		*clamped = WORLD_VIEW_TOO_NEW;
	return (struct world_moment){newest, 0};
}

/// @return false: it points nowhere
static bool point(struct world_ray *ray, const float direction[3])
{
	const double x = (double)direction[0], y = (double)direction[1], z = (double)direction[2];
	const double length = sqrt(x * x + y * y + z * z);

	if (!(length > 0 && length < (double)INFINITY))
		return false;
	ray->direction[0] = x / length;
	ray->direction[1] = y / length;
	ray->direction[2] = z / length;
	return true;
}

static void end(struct world_judging *judging, enum pg_world_judged judged)
{
	judging->judgement.judged = (uint8_t)judged;
	judging->done = true;
}

static void say_when(struct world_judgement *judgement, struct world_moment when)
{
	judgement->tick = when.tick;
	judgement->parts = (uint16_t)when.parts;
}

static void say_aim(struct world_judgement *judgement, world_reference who, const struct world_aim *aim)
{
	judgement->who = who;
	judgement->distance = aim->hits ? (int32_t)aim->distance : 0;
	judgement->error = (int32_t)aim->error;
}

static void judge_target(struct world_judging *judging, const struct world_parts *parts, world_reference target)
{
	const struct world_part *part = part_of(parts, target);
	struct world_place place;

	if (part == NULL) {
		end(judging, PG_WORLD_JUDGED_NO_TARGET);
		return;
	}

	const struct world_moment when = world_moment_reached(judging->search.when, world_published(part));

	say_when(&judging->judgement, when);
	if (world_history_where(part, world_rank_of(target), when, &place) != WORLD_KNOWN) {
		end(judging, PG_WORLD_JUDGED_NO_TARGET);
		return;
	}

	const struct world_aim aim = world_aim(&judging->ray, (const int32_t[]){place.x, place.y, place.z});

	say_aim(&judging->judgement, target, &aim);
	if (!aim.hits)
		end(judging, PG_WORLD_JUDGED_MISS);
	else
		end(judging, aim.distance <= judging->ray.length ? PG_WORLD_JUDGED_HIT : PG_WORLD_JUDGED_TOO_FAR);
}

void world_judge_begin(struct world_judging *judging, const struct world_parts *parts, const struct world_rules *rules,
		       const struct world_attack *attack)
{
	const struct world_part *part = part_of(parts, attack->attacker);

	*judging = (struct world_judging){
		.ray = {.from = {attack->from[0], attack->from[1], attack->from[2] + rules->eye},
			.length = rules->reach,
			.body = rules->body},
		.attacker = attack->attacker,
		.first = {.who = WORLD_NOBODY},
		.judgement = {.who = WORLD_NOBODY},
	};
	if (part == NULL) {
		say_when(&judging->judgement, attack->view);
		end(judging, PG_WORLD_JUDGED_NO_ATTACKER);
		return;
	}
	judging->search.when = clamp(attack, rules, world_published(part), &judging->judgement.clamped);
	say_when(&judging->judgement, judging->search.when);
	if (!point(&judging->ray, attack->direction))
		end(judging, PG_WORLD_JUDGED_NO_DIRECTION);
	else if (attack->target != WORLD_NOBODY)
		judge_target(judging, parts, attack->target);
}

bool world_judge_step(struct world_judging *judging, const struct world_parts *parts, uint32_t ranks)
{
	if (judging->done ||
	    !world_search_ray(parts, &judging->search, &judging->ray, judging->attacker, ranks, &judging->first))
		return judging->done;
	if (judging->first.who == WORLD_NOBODY) {
		end(judging, PG_WORLD_JUDGED_MISS);
		return true;
	}
	say_when(&judging->judgement, judging->first.when);
	say_aim(&judging->judgement, judging->first.who, &judging->first.aim);
	end(judging, PG_WORLD_JUDGED_HIT);
	return true;
}

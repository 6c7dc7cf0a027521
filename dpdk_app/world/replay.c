// SPDX-License-Identifier: BSD-3-Clause
// world/replay.c: see replay.h.

#include "world/replay.h"

#include <stdlib.h>
#include <string.h>

#include "world/journal.h"
#include "world/own.h"

#define RANKS 64 // a capacity is a multiple of it
#define FRAMES_MAX 1024

/// Of doing an entry again.
enum outcome {
	DONE,
	PUBLISHED, // a frame, and all that it is made of is known
	IMPOSSIBLE,
	TOO_LARGE,
};

void replay_begin(struct world_replay *replay, const void *bytes, size_t length, size_t memory_max)
{
	*replay = (struct world_replay){.bytes = bytes, .length = length, .memory_left = memory_max};
}

static void forget(struct world_replay *replay, struct replay_part *of)
{
	free(of->memory);
	free(of->states.of);
	replay->memory_left += of->bytes;
	*of = (struct replay_part){0};
}

void replay_end(struct world_replay *replay)
{
	for (unsigned world = 0; world < PG_WORLDS_MAX; world++)
		forget(replay, &replay->parts[world]);
}

// ---------------------------------------------------------------- what can have been done

static bool is_part(const struct world_part_plan *plan)
{
	bool sized = true;

	for (unsigned axis = 0; axis < 3; axis++)
		sized &= plan->size[axis] > 0 && plan->size[axis] <= 1 << WORLD_POSITION_BITS;
	return sized && plan->capacity != 0 && plan->capacity <= WORLD_RANKS_MAX && plan->capacity % RANKS == 0 &&
	       plan->frames >= WORLD_AGES && plan->frames <= FRAMES_MAX && (plan->frames & (plan->frames - 1)) == 0 &&
	       plan->late_max <= WORLD_LATE_MAX && plan->velocity_shift <= WORLD_VELOCITY_SHIFT_MAX;
}

static bool is_place(const struct world_own *own, const struct journal_place *place)
{
	const int32_t x = place->x >> WORLD_UNIT_BITS, y = place->y >> WORLD_UNIT_BITS, z = place->z >> WORLD_UNIT_BITS;

	return x >= 0 && x < own->size[0] && y >= 0 && y < own->size[1] && z >= 0 && z < own->size[2];
}

static struct world_place place_of(const struct journal_place *place)
{
	return (struct world_place){place->x >> WORLD_UNIT_BITS,
				    place->y >> WORLD_UNIT_BITS,
				    place->z >> WORLD_UNIT_BITS,
				    place->vx,
				    place->vy,
				    place->vz,
				    {world_beyond(place->x), world_beyond(place->y), world_beyond(place->z)}};
}

// ---------------------------------------------------------------- parts

/// Another part takes the place of what was there.
static enum outcome make_part(struct world_replay *replay, struct replay_part *of, const struct world_part_plan *plan)
{
	size_t bytes;

	forget(replay, of);
	if (!is_part(plan))
		return IMPOSSIBLE;
	bytes = (world_part_bytes(plan) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	if (bytes > replay->memory_left)
		return TOO_LARGE;
	of->memory = aligned_alloc(CACHE_LINE, bytes);
	if (!of->memory)
		return TOO_LARGE;
	memset(of->memory, 0, bytes);
	of->bytes = bytes;
	replay->memory_left -= bytes;
	of->part = world_part_init(of->memory, plan);
	return DONE;
}

static enum outcome do_part(struct world_replay *replay, struct replay_part *of, const struct journal_part *entry)
{
	const struct world_part_plan plan = {
		.capacity = entry->capacity,
		.frames = entry->frames,
		.size = {entry->size[0], entry->size[1], entry->size[2]},
		.late_max = entry->late_max,
		.velocity_shift = entry->word.more,
		.first = entry->first,
	};
	const enum outcome outcome = make_part(replay, of, &plan);

	of->whole = outcome == DONE;
	return outcome;
}

/// Of a part that has been for a while, all entities come one after the other; until they are here they are holes.
static enum outcome do_slices(struct world_replay *replay, struct replay_part *of, const struct journal_slices *entry)
{
	const struct world_part_plan plan = {
		.capacity = entry->capacity,
		.frames = entry->frames,
		.size = {entry->size[0], entry->size[1], entry->size[2]},
		.late_max = entry->late_max,
		.velocity_shift = entry->word.more,
		.first = entry->published,
	};
	enum outcome outcome;

	if (of->whole) // it is known already
		return of->part->published == entry->published ? DONE : IMPOSSIBLE;
	outcome = make_part(replay, of, &plan);
	if (outcome != DONE)
		return outcome;
	if (entry->count > entry->capacity || entry->in_frame > entry->count)
		return IMPOSSIBLE;
	memset(of->part->number, 0xff, entry->count * sizeof(*of->part->number));
	of->slices = of->part->own->count = entry->count;
	of->part->count = entry->in_frame;
	of->part->reranked = entry->reranked;
	of->part->first = entry->first;
	return DONE;
}

static enum outcome do_entity(struct replay_part *of, const struct journal_entity *entry)
{
	const struct journal_place *place = &entry->place;
	const struct world_place there = place_of(place);
	struct world_own *own = of->part->own;
	const bool hole = entry->number == WORLD_NOBODY;

	if (of->whole)
		return DONE;
	if (entry->rank != of->slice_at || entry->rank >= of->slices || (!hole && !is_place(own, place)))
		return IMPOSSIBLE;
	of->slice_at++;
	own->now.number[entry->rank] = entry->number;
	own->now.identity[entry->rank] = entry->identity;
	own->now.sort[entry->rank] = (uint8_t)entry->word.more;
	if (!hole)
		own->now.present[entry->rank] = world_present_of(&there, place->told);
	return DONE;
}

// ---------------------------------------------------------------- who comes, goes and moves

static enum outcome do_add(struct replay_part *of, const struct journal_add *entry)
{
	if (of->adds || entry->number == WORLD_NOBODY)
		return IMPOSSIBLE;
	of->adds = true;
	of->number = entry->number;
	of->identity = entry->identity;
	of->sort = (enum world_sort)entry->word.more;
	return DONE;
}

static enum outcome do_remove(const struct replay_part *of, const struct journal_remove *entry)
{
	if (entry->rank >= of->part->own->count)
		return IMPOSSIBLE;
	world_part_remove(of->part, entry->rank);
	return DONE;
}

static enum outcome do_move(struct replay_part *of, const struct journal_move *entry)
{
	const struct world_own *own = of->part->own;
	const struct world_place place = place_of(&entry->place);

	if (entry->rank >= own->count + of->adds || !is_place(own, &entry->place))
		return IMPOSSIBLE;
	if (!of->adds) {
		world_part_move(of->part, entry->rank, &place, entry->place.told);
		return DONE;
	}
	of->adds = false;
	return world_part_add(of->part, of->number, of->identity, of->sort, &place, entry->place.told) == entry->rank ?
		       DONE :
		       IMPOSSIBLE;
}

/// Room for all numbers that there can be, most of which is never touched.
static bool make_states(struct world_replay *replay, struct replay_part *of)
{
	const size_t bytes = (size_t)WORLD_RANKS_MAX * sizeof(*of->states.of);

	if (bytes > replay->memory_left)
		return false;
	of->states.of = calloc(1, bytes);
	if (!of->states.of)
		return false;
	of->states.count = WORLD_RANKS_MAX;
	of->part->states = &of->states;
	of->bytes += bytes;
	replay->memory_left -= bytes;
	return true;
}

static enum outcome do_state(struct world_replay *replay, struct replay_part *of, const struct journal_state *entry)
{
	if (entry->word.more > WORLD_STATE_BYTES_MAX || entry->number >= WORLD_RANKS_MAX)
		return IMPOSSIBLE;
	if (!of->states.of && !make_states(replay, of))
		return TOO_LARGE;
	world_game_state_set(of->part, entry->number, entry->identity, entry->state, (uint8_t)entry->word.more);
	return DONE;
}

// ---------------------------------------------------------------- frames

static enum outcome do_begin(struct replay_part *of, const struct journal_begin *entry)
{
	if (of->part->own->writing != WRITING_NOTHING)
		return IMPOSSIBLE;
	of->compared = of->whole;
	of->at_us = entry->at_us[0] | (uint64_t)entry->at_us[1] << 32;
	of->differs = false;
	world_part_begin(of->part, entry->tick, entry->word.more != 0);
	return DONE;
}

static enum outcome do_step(struct replay_part *of, const struct journal_step *entry)
{
	const struct world_own *own = of->part->own;
	const uint32_t from = own->at;
	bool published;

	if (own->writing == WRITING_NOTHING)
		return IMPOSSIBLE;
	published = world_part_step(of->part, entry->ranks);
	if (!of->differs && (from != entry->from || own->at != entry->to || published != entry->word.more ||
			     frame_sum(of->part, from, own->at) != entry->sum)) {
		of->differs = true;
		of->differs_from = from;
	}
	return published && of->compared ? PUBLISHED : DONE;
}

static enum outcome do_rerank(struct world_replay *replay, struct replay_part *of)
{
	if (!of->whole) { // it had not all been written down by then: wait for the next slices
		forget(replay, of);
		return DONE;
	}
	return world_rerank_begin(of->part) ? DONE : IMPOSSIBLE;
}

// ---------------------------------------------------------------- entry by entry

static enum outcome do_again(struct world_replay *replay, struct replay_part *of, const union journal_entry *entry)
{
	const uint8_t kind = entry->word.kind;

	if (kind == JOURNAL_PART)
		return do_part(replay, of, &entry->part);
	if (kind == JOURNAL_SLICES)
		return do_slices(replay, of, &entry->slices);
	if (!of->part)
		return DONE;
	if (of->adds && kind != JOURNAL_MOVE)
		return IMPOSSIBLE;
	switch (kind) {
	case JOURNAL_ADD:
		return do_add(of, &entry->add);
	case JOURNAL_REMOVE:
		return do_remove(of, &entry->remove);
	case JOURNAL_MOVE:
		return do_move(of, &entry->move);
	case JOURNAL_BEGIN:
		return do_begin(of, &entry->begin);
	case JOURNAL_STEP:
		return do_step(of, &entry->step);
	case JOURNAL_RERANK_BEGIN:
		return do_rerank(replay, of);
	case JOURNAL_RERANK_STEP:
		return world_rerank_step(of->part, entry->rerank_step.elements) == (entry->word.more != 0) ? DONE :
													     IMPOSSIBLE;
	case JOURNAL_ENTITY:
		return do_entity(of, &entry->entity);
	case JOURNAL_STATE:
		return do_state(replay, of, &entry->state);
	default: // JOURNAL_WHOLE
		of->whole |= of->slice_at == of->slices;
		return DONE;
	}
}

enum replay_step replay_next(struct world_replay *replay, struct replay_frame *frame)
{
	union journal_entry entry;
	size_t bytes;

	while ((bytes = journal_entry_at(replay->bytes, replay->length, replay->at, &entry)) != 0) {
		const uint8_t world = entry.word.world;
		struct replay_part *of = &replay->parts[world % PG_WORLDS_MAX];
		enum outcome outcome = DONE;

		if (world >= PG_WORLDS_MAX)
			return REPLAY_BROKEN;
		if (entry.word.kind != JOURNAL_PAD)
			outcome = do_again(replay, of, &entry);
		if (outcome == IMPOSSIBLE)
			return REPLAY_BROKEN;
		if (outcome == TOO_LARGE)
			return REPLAY_MEMORY;
		replay->at += bytes;
		if (outcome == PUBLISHED) {
			*frame = (struct replay_frame){.world = world,
						       .tick = of->part->published,
						       .at_us = of->at_us,
						       .differs = of->differs,
						       .differs_from = of->differs_from};
			return REPLAY_FRAME;
		}
	}
	return replay->at == replay->length ? REPLAY_END : REPLAY_BROKEN;
}

// SPDX-License-Identifier: BSD-3-Clause
// world/part.c: who is in a part, and the frames that it publishes.

#include "world/part.h"

#include <string.h>

#include "world/journal.h"
#include "world/lay_out.h"
#include "world/own.h"

/// From velocities, for parts of a tick, to quanta, where both are finest.
#define WAY_SHIFT 11
static_assert(WORLD_VELOCITY_PARTS * WORLD_TOLD_PER_TICK == 1 << WAY_SHIFT, "eighths and parts of a tick");
static_assert(WAY_SHIFT - WORLD_VELOCITY_SHIFT_MAX >= WORLD_UNIT_BITS, "units are no finer");

static struct world_tables take_tables(struct lay_out *room, uint32_t capacity)
{
	struct world_tables tables = {
		.present = take(room, capacity * sizeof(struct world_present)),
		.number = take(room, capacity * sizeof(uint32_t)),
		.identity = take(room, capacity * sizeof(uint32_t)),
		.came = take(room, capacity * sizeof(uint32_t)),
		.sort = take(room, capacity),
	};

	return tables;
}

static struct world_frame take_frame(struct lay_out *room, uint32_t capacity)
{
	struct world_frame frame = {
		.x = take(room, capacity * sizeof(int32_t)),
		.y = take(room, capacity * sizeof(int32_t)),
		.z = take(room, capacity * sizeof(int32_t)),
		.vx = take(room, capacity * sizeof(int16_t)),
		.vy = take(room, capacity * sizeof(int16_t)),
		.vz = take(room, capacity * sizeof(int16_t)),
	};

	return frame;
}

static void take_own(struct lay_out *room, struct world_own *own, uint32_t capacity)
{
	own->now = take_tables(room, capacity);
	own->next = take_tables(room, capacity);
	own->was = take(room, capacity * sizeof(uint32_t));
	own->becomes = take(room, capacity * sizeof(uint32_t));
	own->element[0] = take(room, capacity * sizeof(uint64_t));
	own->element[1] = take(room, capacity * sizeof(uint64_t));
	own->buckets = take(room, (WORLD_CURVE_BUCKETS + 1) * sizeof(uint32_t));
}

static void take_records(struct lay_out *room, struct world_records *records, const struct world_part_plan *plan)
{
	*records = (struct world_records){.tick = plan->first};
	if (plan->fulls)
		records->of[0] = take(room, plan->capacity * WORLD_FULL_BYTES);
	for (uint32_t age = 1; age <= plan->ages; age++)
		records->of[age] = take(room, plan->capacity * sizeof(uint64_t));
}

/// Lay the tables out behind what they are named in.
static void lay_out_tables(struct lay_out *room, struct world_part *part, struct world_own *own,
			   const struct world_part_plan *plan, struct world_frame *ring)
{
	for (uint32_t i = 0; i < plan->frames; i++)
		ring[i] = take_frame(room, plan->capacity);
	take_records(room, &part->records[0], plan);
	take_records(room, &part->records[1], plan);
	part->was = take(room, plan->capacity * sizeof(uint32_t));
	part->becomes = take(room, plan->capacity * sizeof(uint32_t));
	take_own(room, own, plan->capacity);
}

size_t world_part_bytes(const struct world_part_plan *plan)
{
	struct world_records records;
	struct world_own own;
	struct lay_out room = {0};

	take(&room, sizeof(struct world_part));
	take(&room, sizeof(struct world_own));
	take(&room, plan->frames * sizeof(struct world_frame));
	take(&room, 2 * sizeof(struct world_records));
	take(&room, plan->readers * sizeof(struct world_reader));
	for (uint32_t i = 0; i < plan->frames; i++)
		take_frame(&room, plan->capacity);
	take_records(&room, &records, plan);
	take_records(&room, &records, plan);
	take(&room, plan->capacity * sizeof(uint32_t));
	take(&room, plan->capacity * sizeof(uint32_t));
	take_own(&room, &own, plan->capacity);
	return room.at;
}

/// What the owner sees of the tables, and readers from the next frame on.
static void show(struct world_part *part, const struct world_tables *tables)
{
	const uint32_t next = 1 - part->ordered;

	part->number = tables->number;
	part->identity = tables->identity;
	part->sort = tables->sort;
	part->came = tables->came;
	part->order[next] = (struct world_order){
		.reranked = part->reranked,
		.reranked_before = part->reranked_before,
		.number = part->number,
		.identity = part->identity,
		.came = part->came,
		.was = part->was,
		.becomes = part->becomes,
		.sort = part->sort,
	};
	__atomic_store_n(&part->ordered, next, __ATOMIC_RELEASE);
}

/// So many ranks there are now.
static void show_count(struct world_part *part, uint32_t count)
{
	part->count = count;
	__atomic_store_n(&part->order[part->ordered].count, count, __ATOMIC_RELEASE);
}

/// Of a world's ground, so that WORLD_CURVE_BITS are left of each position.
static uint8_t key_shift(const struct world_part_plan *plan)
{
	const int32_t longest = plan->size[0] > plan->size[1] ? plan->size[0] : plan->size[1];
	uint8_t shift = 0;

	while (longest >> shift >= 1 << WORLD_CURVE_BITS)
		shift++;
	return shift;
}

struct world_part *world_part_init(void *memory, const struct world_part_plan *plan)
{
	struct lay_out room = {(uintptr_t)memory};
	struct world_part *part = take(&room, sizeof(*part));
	struct world_own *own = take(&room, sizeof(*own));

	part->capacity = plan->capacity;
	part->frames = plan->frames;
	part->ring = take(&room, plan->frames * sizeof(*part->ring));
	part->records = take(&room, 2 * sizeof(*part->records));
	part->reader = take(&room, plan->readers * sizeof(*part->reader));
	part->readers = plan->readers;
	part->behind = plan->behind;
	part->window = plan->frames - 1;
	part->own = own;
	lay_out_tables(&room, part, own, plan, part->ring);
	memcpy(own->size, plan->size, sizeof(own->size));
	part->velocity_shift = plan->velocity_shift;
	own->late_max = (int32_t)plan->late_max;
	own->way_shift = WAY_SHIFT - plan->velocity_shift;
	own->key_shift = key_shift(plan);
	part->first = part->reranked = part->reranked_before = plan->first;
	show(part, &own->now);
	for (uint32_t i = 0; i < part->frames; i++)
		part->ring[i].tick = plan->first; // of no other tick
	__atomic_store_n(&part->published, plan->first, __ATOMIC_SEQ_CST);
	return part;
}

bool world_readers_passed(const struct world_part *part, uint32_t tick)
{
	for (uint32_t i = 0; i < part->readers; i++) {
		const struct world_reader *reader = &part->reader[i];

		if (__atomic_load_n(&reader->reads, __ATOMIC_SEQ_CST) &&
		    (int32_t)(__atomic_load_n(&reader->seen, __ATOMIC_ACQUIRE) - tick) < 0)
			return false;
	}
	return true;
}

bool world_part_can_begin(const struct world_part *part, uint32_t tick)
{
	for (uint32_t i = 0; i < part->readers; i++) {
		const struct world_reader *reader = &part->reader[i];

		if (__atomic_load_n(&reader->reads, __ATOMIC_SEQ_CST) &&
		    (int32_t)(tick - __atomic_load_n(&reader->tick, __ATOMIC_ACQUIRE)) > (int32_t)part->behind)
			return false;
	}
	return true;
}

uint32_t world_part_add(struct world_part *part, uint32_t number, uint32_t identity, enum world_sort sort,
			const struct world_place *place, uint32_t told)
{
	struct world_own *own = part->own;
	const uint32_t rank = own->count;

	if (rank == part->capacity)
		return WORLD_NOBODY;
	if (unlikely(own->journal))
		journal_add(part, number, identity, sort);
	own->now.number[rank] = number;
	own->now.identity[rank] = identity;
	own->now.sort[rank] = (uint8_t)sort;
	own->now.came[rank] = own->tick; // who comes before a re-rank carries everybody is in that frame
	own->count = rank + 1;
	world_part_move(part, rank, place, told);
	return rank;
}

/// Readers may look at the number while it goes.
static void empty(uint32_t *number)
{
	__atomic_store_n(number, WORLD_NOBODY, __ATOMIC_RELAXED);
}

void world_part_remove(struct world_part *part, uint32_t rank)
{
	if (unlikely(part->own->journal))
		journal_remove(part, rank);
	empty(&part->own->now.number[rank]);
	world_carry_again(part, rank);
}

void world_part_move(struct world_part *part, uint32_t rank, const struct world_place *place, uint32_t told)
{
	if (unlikely(part->own->journal))
		journal_move(part, rank, place, told);
	part->own->now.present[rank] = world_present_of(place, told);
	world_carry_again(part, rank);
}

const void *world_part_line(const struct world_part *part, uint32_t rank)
{
	return &part->own->now.present[rank];
}

struct world_place world_part_present(const struct world_part *part, uint32_t rank, uint32_t *told)
{
	const struct world_present *present = &part->own->now.present[rank];

	*told = present->told;
	return (struct world_place){present->x,
				    present->y,
				    present->z,
				    present->vx,
				    present->vy,
				    present->vz,
				    {present->beyond[0], present->beyond[1], present->beyond[2]}};
}

void world_part_begin(struct world_part *part, uint32_t tick, bool rerank)
{
	struct world_own *own = part->own;

	if (unlikely(own->journal))
		journal_begin(part, tick, rerank);
	own->tick = tick;
	own->rerank = rerank && own->reranking == RERANK_READY;
	own->writing = own->rerank ? WRITING_CARRY : WRITING_FRAME;
	own->carried = own->moved = 0;
	own->at = 0;
	own->ranks = own->count;
	for (uint32_t rank = part->count; rank < own->count; rank++)
		own->now.came[rank] = tick;
	world_records_begin(part, tick);
	part->ring[tick & (part->frames - 1)].tick = tick;
}

/// From so many units beyond a quantum, at a velocity for so many parts of a tick: whole quanta, rounded once.
ALWAYS_INLINE int32_t way(int8_t beyond, int16_t velocity, int32_t late, uint32_t shift)
{
	return (velocity * late + beyond * (1 << (shift - WORLD_UNIT_BITS)) + (1 << shift) / 2) >> shift;
}

ALWAYS_INLINE int32_t inside(int32_t position, int32_t size)
{
	return position < 0 ? 0 : position < size ? position : size - 1;
}

/// Nobody is moved on for ever: who was not told of for too long stands where that ended. Its time says nothing from then on, so
/// that it may wrap.
COLD static void stop(struct world_present *present, const struct world_own *own)
{
	present->x =
		inside(present->x + way(present->beyond[0], present->vx, own->late_max, own->way_shift), own->size[0]);
	present->y =
		inside(present->y + way(present->beyond[1], present->vy, own->late_max, own->way_shift), own->size[1]);
	present->z =
		inside(present->z + way(present->beyond[2], present->vz, own->late_max, own->way_shift), own->size[2]);
	present->vx = present->vy = present->vz = 0;
	memset(present->beyond, 0, sizeof(present->beyond));
}

ALWAYS_INLINE bool moving(const struct world_present *present)
{
	return (present->vx | present->vy | present->vz) != 0;
}

ALWAYS_INLINE void write_rank(const struct world_frame *frame, uint32_t rank, struct world_present *present,
			      const struct world_own *own)
{
	int32_t late = (int32_t)(own->tick * WORLD_TOLD_PER_TICK - present->told);

	if (late > own->late_max && moving(present))
		stop(present, own);
	late = late > 0 ? late : 0;
	frame->x[rank] = inside(present->x + way(present->beyond[0], present->vx, late, own->way_shift), own->size[0]);
	frame->y[rank] = inside(present->y + way(present->beyond[1], present->vy, late, own->way_shift), own->size[1]);
	frame->z[rank] = inside(present->z + way(present->beyond[2], present->vz, late, own->way_shift), own->size[2]);
	frame->vx[rank] = present->vx;
	frame->vy[rank] = present->vy;
	frame->vz[rank] = present->vz;
}

ALWAYS_INLINE void write_hole(const struct world_frame *frame, uint32_t rank)
{
	frame->x[rank] = WORLD_FAR;
	frame->y[rank] = frame->z[rank] = 0;
	frame->vx[rank] = frame->vy[rank] = frame->vz[rank] = 0;
}

static void write_frame(struct world_part *part, uint32_t to)
{
	struct world_own *own = part->own;
	const struct world_tables *tables = own->rerank ? &own->next : &own->now;
	const struct world_frame *frame = world_frame_at(part, own->tick);

	for (uint32_t rank = own->at; rank < to; rank++) {
		if (likely(tables->number[rank] != WORLD_NOBODY))
			write_rank(frame, rank, &tables->present[rank], own);
		else
			write_hole(frame, rank);
	}
	own->at = to;
}

static void publish(struct world_part *part)
{
	struct world_own *own = part->own;

	if (own->rerank) {
		world_rerank_apply(part);
		show(part, &own->now);
	}
	show_count(part, own->ranks);
	own->writing = WRITING_NOTHING;
	own->rerank = false;
	__atomic_store_n(&part->published, own->tick, __ATOMIC_SEQ_CST);
}

static bool step(struct world_part *part, uint32_t ranks)
{
	struct world_own *own = part->own;

	if (own->writing == WRITING_CARRY) {
		if (!world_carry(part, &ranks))
			return false;
		own->ranks = own->moved;
		own->writing = WRITING_FRAME;
	}
	if (own->writing == WRITING_FRAME) {
		const uint32_t left = own->ranks - own->at;

		write_frame(part, own->at + (left < ranks ? left : ranks));
		if (own->at != own->ranks)
			return false;
		publish(part);
	}
	return true;
}

bool world_part_step(struct world_part *part, uint32_t ranks)
{
	const uint32_t from = part->own->at;
	const bool published = step(part, ranks);

	if (unlikely(part->own->journal))
		journal_step(part, ranks, from, published);
	return published;
}

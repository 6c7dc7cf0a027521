// SPDX-License-Identifier: BSD-3-Clause
// world/glimpses.c: the strips of a cell in a tick: who around it has their turn, sorted by the cells that they are in.

#include "world/glimpses.h"

#include <string.h>

#include "wire/world.h"
#include "world/bits.h"
#include "world/lay_out.h"

#define GATHERED_MAX \
	256 // of a tick: those that there is room for, and some more, which say how much longer a sweep has to be
#define PLACE_BITS 8

/// Somebody who has their turn.
struct glimpse {
	uint32_t cell;
	uint64_t bits;
};

struct gathered {
	uint32_t count;
	struct glimpse glimpse[GATHERED_MAX + 1];
};

/// From where it is looked, and what is shown in this tick.
struct outlook {
	int32_t low_x, low_y, high_x, high_y; // the cell
	uint32_t column, row;
	uint32_t from, to; // keys
	uint32_t tick;
};

static void take_tables(struct lay_out *room, struct world_glimpses *glimpses, const struct world_sweep *sweep)
{
	const size_t cells = (size_t)sweep->columns * sweep->rows;

	glimpses->swept = take(room, cells * sizeof(*glimpses->swept));
	glimpses->strips = take(room, cells * sizeof(*glimpses->strips));
}

size_t world_glimpses_bytes(const struct world_glimpses_plan *plan)
{
	struct lay_out room = {0};
	struct world_glimpses glimpses;

	take(&room, sizeof(glimpses));
	take_tables(&room, &glimpses, plan->sweep[0]);
	return room.at;
}

struct world_glimpses *world_glimpses_init(void *memory, const struct world_glimpses_plan *plan)
{
	struct lay_out room = {(uintptr_t)memory};
	struct world_glimpses *glimpses = take(&room, sizeof(*glimpses));
	const struct world_sweep *sweep = plan->sweep[0];

	take_tables(&room, glimpses, sweep);
	glimpses->parts = plan->parts;
	for (uint32_t part = 0; part < plan->parts->count; part++)
		glimpses->sweep[part] = plan->sweep[part];
	glimpses->columns = sweep->columns;
	glimpses->rows = sweep->rows;
	glimpses->shift = sweep->shift;
	glimpses->rings = (plan->radius >> sweep->shift) + 1;
	glimpses->rings = glimpses->rings > WORLD_RINGS_MAX ? WORLD_RINGS_MAX : glimpses->rings;
	glimpses->radius = plan->radius;
	glimpses->glimpses = plan->glimpses;
	return glimpses;
}

// ---------------------------------------------------------------- who is around

struct window {
	uint32_t left, right, top, bottom; // cells, both ends in it
};

static struct window window_of(const struct world_glimpses *glimpses, uint32_t column, uint32_t row)
{
	const uint32_t rings = glimpses->rings;

	return (struct window){
		.left = column < rings ? 0 : column - rings,
		.right = column + rings < glimpses->columns ? column + rings : glimpses->columns - 1,
		.top = row < rings ? 0 : row - rings,
		.bottom = row + rings < glimpses->rows ? row + rings : glimpses->rows - 1,
	};
}

/// Of all parts, in all cells around: more than are in range.
static uint32_t count_around(const struct world_glimpses *glimpses, uint32_t column, uint32_t row)
{
	const struct window window = window_of(glimpses, column, row);
	uint32_t around = 0;

	for (uint32_t part = 0; part < glimpses->parts->count; part++) {
		const uint32_t *start = glimpses->lists[part]->start;

		for (uint32_t r = window.top; r <= window.bottom; r++)
			around += start[r * glimpses->columns + window.right + 1] -
				  start[r * glimpses->columns + window.left];
	}
	return around;
}

/// The first member from there on with this key or a greater one: by halves while there are many, then by counting, which is no
/// branch that is foreseen wrongly.
static uint32_t first_from(const uint32_t *key, uint32_t from, uint32_t to, uint32_t least)
{
	uint32_t count = to - from, smaller = 0;

	while (count > 32) {
		const uint32_t half = count / 2;
		const bool beyond = key[from + half] < least;

		from = beyond ? from + half : from;
		count = beyond ? count - half : half;
	}
	for (uint32_t i = 0; i < count; i++)
		smaller += (int32_t)key[from + i] < (int32_t)least;
	return from + smaller;
}

ALWAYS_INLINE int64_t beyond(int32_t position, int32_t low, int32_t high)
{
	return position < low ? low - position : position > high ? position - high : 0;
}

/// Can anybody in the cell have them in range?
ALWAYS_INLINE bool in_range(const struct world_glimpses *glimpses, const struct outlook *from, int32_t x, int32_t y)
{
	const int64_t dx = beyond(x, from->low_x, from->high_x), dy = beyond(y, from->low_y, from->high_y);

	return dx * dx + dy * dy <= (int64_t)glimpses->radius * glimpses->radius;
}

static void gather(const struct world_glimpses *glimpses, const struct outlook *from, int32_t x, int32_t y,
		   uint32_t number, struct gathered *gathered)
{
	const uint8_t shift = glimpses->shift;
	const uint64_t fine_x = (uint32_t)x >> (shift - PLACE_BITS) & 0xff,
		       fine_y = (uint32_t)y >> (shift - PLACE_BITS) & 0xff;

	gathered->glimpse[gathered->count] = (struct glimpse){
		.cell = ((uint32_t)y >> shift) * glimpses->columns + ((uint32_t)x >> shift),
		.bits = number | fine_x << WORLD_NUMBER_BITS | fine_y << (WORLD_NUMBER_BITS + PLACE_BITS),
	};
	gathered->count += (number != WORLD_NOBODY) & in_range(glimpses, from, x, y);
	gathered->count -= gathered->count > GATHERED_MAX;
}

/// Lists may be a re-rank behind. Those that are one ahead of what was read of the part are of no use in this tick.
ALWAYS_INLINE uint32_t rank_now(const struct world_part *part, const struct world_lists *lists, uint32_t member)
{
	const uint32_t rank = lists->rank[member];

	if (likely(lists->reranked == part->reranked))
		return rank;
	return (int32_t)(lists->reranked - part->reranked) < 0 ? part->becomes[rank] : WORLD_NOBODY;
}

static void gather_cell(const struct world_glimpses *glimpses, const struct outlook *from, uint32_t number,
			uint32_t cell, struct gathered *gathered)
{
	const struct world_part *part = glimpses->parts->part[number];
	const struct world_lists *lists = glimpses->lists[number];
	const struct world_frame *frame = world_frame_at(part, world_published(part));
	const uint32_t end = lists->start[cell + 1];

	for (uint32_t i = first_from(lists->key, lists->start[cell], end, from->from);
	     i < end && lists->key[i] < from->to; i++) {
		const uint32_t rank = rank_now(part, lists, i);

		if (likely(rank != WORLD_NOBODY))
			gather(glimpses, from, frame->x[rank], frame->y[rank], world_number(part, rank), gathered);
	}
}

static void gather_around(const struct world_glimpses *glimpses, const struct outlook *from, struct gathered *gathered)
{
	const struct window window = window_of(glimpses, from->column, from->row);

	for (uint32_t part = 0; part < glimpses->parts->count; part++)
		for (uint32_t row = window.top; row <= window.bottom; row++)
			for (uint32_t column = window.left; column <= window.right; column++)
				gather_cell(glimpses, from, part, row * glimpses->columns + column, gathered);
}

// ---------------------------------------------------------------- strips

/// As many as are of one cell, and follow each other. Those who have walked over since they were listed are between others: that
/// costs a few bytes.
/// @return where the next strip goes
static uint8_t *write_strip(const struct world_glimpses *glimpses, const struct glimpse *glimpse, uint32_t count,
			    uint8_t *at)
{
	const struct world_strip strip = {
		.cell_x = (uint16_t)(glimpse->cell % glimpses->columns),
		.cell_y = (uint16_t)(glimpse->cell / glimpses->columns),
		.glimpses = (uint8_t)count,
	};
	struct bit_writer writer = bits_write(at + sizeof(strip));

	memcpy(at, &strip, sizeof(strip));
	for (uint32_t i = 0; i < count; i++)
		bits_put(&writer, glimpse[i].bits, WORLD_GLIMPSE_BITS);
	return bits_end(&writer);
}

static void write_strips(const struct world_glimpses *glimpses, const struct gathered *gathered,
			 struct world_strips *strips)
{
	uint8_t *at = strips->at;
	uint32_t next;

	strips->strips = 0;
	for (uint32_t first = 0; first < gathered->count; first = next) {
		for (next = first + 1; next < gathered->count; next++)
			if (gathered->glimpse[next].cell != gathered->glimpse[first].cell)
				break;
		at = write_strip(glimpses, &gathered->glimpse[first], next - first, at);
		strips->strips++;
	}
	strips->glimpses = (uint8_t)gathered->count;
	strips->bytes = (uint16_t)(at - strips->at);
}

// ---------------------------------------------------------------- how long a sweep is

/// Up to one of few lengths, so that most cells that are as crowded have the same: 1, 2, 3, and 4, 5, 6, 7 times powers of two.
static uint32_t round_up(uint32_t ticks)
{
	if (ticks < 4)
		return ticks == 0 ? 1 : ticks;

	const unsigned shift = 29 - (unsigned)__builtin_clz(ticks);

	return (ticks + (1U << shift) - 1) >> shift << shift;
}

static uint32_t period_for(const struct world_glimpses *glimpses, uint64_t around)
{
	return round_up((uint32_t)((around + glimpses->glimpses - 1) / glimpses->glimpses));
}

static void begin_sweep(struct world_swept *swept, uint32_t period, uint32_t longest, uint32_t tick)
{
	*swept = (struct world_swept){.period = period, .longest = longest, .sweep = tick / period};
}

/// After a sweep it is known how many are in range. A little fewer than there is time for change nothing: a change costs up to one
/// sweep more.
static void end_sweep(const struct world_glimpses *glimpses, struct world_swept *swept, uint32_t tick)
{
	const uint64_t shown = (uint64_t)swept->shown * swept->period / swept->ticks;
	const uint32_t wanted = period_for(glimpses, shown);
	const bool changes = wanted > swept->period || wanted * 4 <= swept->period * 3;

	if (changes)
		begin_sweep(swept, wanted, swept->period + wanted, tick);
	else
		begin_sweep(swept, swept->period, swept->period, tick);
}

static void keep_time(const struct world_glimpses *glimpses, struct world_swept *swept, uint32_t column, uint32_t row,
		      uint32_t tick)
{
	const uint32_t sweep = swept->period == 0 ? 0 : tick / swept->period;

	if (swept->period == 0 || sweep - swept->sweep > 1 || (sweep != swept->sweep && swept->ticks == 0)) {
		const uint32_t period = period_for(glimpses, count_around(glimpses, column, row));

		begin_sweep(swept, period, period, tick);
	} else if (sweep != swept->sweep) {
		end_sweep(glimpses, swept, tick);
	}
}

/// A crowd comes together faster than a sweep ends. For some ticks some of it are cut.
COLD static void lengthen(const struct world_glimpses *glimpses, struct world_swept *swept, uint32_t shown,
			  uint32_t tick)
{
	const uint32_t longer = period_for(glimpses, (uint64_t)shown * swept->period);

	begin_sweep(swept, longer, swept->period + longer, tick);
}

// ---------------------------------------------------------------- what is asked for

static struct outlook outlook(const struct world_glimpses *glimpses, const struct world_swept *swept, uint32_t column,
			      uint32_t row, uint32_t tick)
{
	const uint64_t turn = tick % swept->period;
	const int32_t low_x = (int32_t)(column << glimpses->shift), low_y = (int32_t)(row << glimpses->shift);
	const int32_t side = (1 << glimpses->shift) - 1;

	return (struct outlook){
		.low_x = low_x,
		.low_y = low_y,
		.high_x = low_x + side,
		.high_y = low_y + side,
		.column = column,
		.row = row,
		.from = (uint32_t)((turn * WORLD_KEYS + swept->period - 1) / swept->period),
		.to = (uint32_t)(((turn + 1) * WORLD_KEYS + swept->period - 1) / swept->period),
		.tick = tick,
	};
}

static void write_cell(struct world_glimpses *glimpses, uint32_t cell, uint32_t tick)
{
	const uint32_t column = cell % glimpses->columns, row = cell / glimpses->columns;
	struct world_swept *swept = &glimpses->swept[cell];
	struct world_strips *strips = &glimpses->strips[cell];
	struct gathered gathered;

	keep_time(glimpses, swept, column, row, tick);

	const struct outlook from = outlook(glimpses, swept, column, row, tick);

	gathered.count = 0;
	gather_around(glimpses, &from, &gathered);
	swept->shown += gathered.count;
	swept->ticks++;
	strips->period = swept->period;
	strips->longest = swept->longest;
	if (unlikely(gathered.count > WORLD_GLIMPSES_MAX || gathered.count > 3 * glimpses->glimpses))
		lengthen(glimpses, swept, gathered.count, tick);
	if (unlikely(gathered.count > WORLD_GLIMPSES_MAX)) {
		glimpses->cut += gathered.count - WORLD_GLIMPSES_MAX;
		gathered.count = WORLD_GLIMPSES_MAX;
	}
	write_strips(glimpses, &gathered, strips);
	strips->tick = tick;
	glimpses->written++;
}

/// Eight to an octave.
static unsigned bucket_of(uint32_t ticks)
{
	const unsigned octave = ticks < 16 ? 0 : 28 - (unsigned)__builtin_clz(ticks);
	const unsigned bucket = octave * 8 + (ticks >> octave);

	return bucket < WORLD_STALENESS_BUCKETS ? bucket : WORLD_STALENESS_BUCKETS - 1;
}

static uint32_t bucket_end(unsigned bucket)
{
	const unsigned octave = bucket < 16 ? 0 : bucket / 8 - 1;

	return ((bucket - octave * 8 + 1) << octave) - 1;
}

/// The same lists for all cells of a tick, so that the part's worker knows when nobody reads them any more.
static void read_lists(struct world_glimpses *glimpses, uint32_t tick)
{
	if (likely(glimpses->read == tick && glimpses->lists[0]))
		return;
	glimpses->read = tick;
	for (uint32_t part = 0; part < glimpses->parts->count; part++)
		glimpses->lists[part] = world_lists(glimpses->sweep[part]);
}

ALWAYS_INLINE uint32_t cell_along(int32_t position, uint8_t shift, uint32_t cells)
{
	const uint32_t cell = position < 0 ? 0 : (uint32_t)position >> shift;

	return cell < cells ? cell : cells - 1;
}

const struct world_strips *world_glimpses_at(struct world_glimpses *glimpses, int32_t x, int32_t y, uint32_t tick)
{
	const uint32_t cell = cell_along(y, glimpses->shift, glimpses->rows) * glimpses->columns +
			      cell_along(x, glimpses->shift, glimpses->columns);
	const struct world_strips *strips = &glimpses->strips[cell];

	read_lists(glimpses, tick);
	if (strips->tick != tick || strips->period == 0)
		write_cell(glimpses, cell, tick);
	glimpses->stale[bucket_of(strips->longest)] += (uint64_t)strips->glimpses * strips->period;
	return strips;
}

uint32_t world_staleness(const struct world_glimpses *glimpses, uint32_t per_mille)
{
	uint64_t all = 0, sum = 0;
	unsigned bucket = 0;

	for (unsigned i = 0; i < WORLD_STALENESS_BUCKETS; i++)
		all += glimpses->stale[i];
	if (all == 0)
		return 0;
	for (sum = glimpses->stale[0]; sum * 1000 < all * per_mille; sum += glimpses->stale[bucket])
		bucket++;
	return bucket_end(bucket);
}

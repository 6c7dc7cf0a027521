// SPDX-License-Identifier: BSD-3-Clause
// world/choose.c: a turn of an observer: look for who is near, weigh them, keep the nearest. Compiled with -DISA=v2, v3 and v4.
//
// Looks as far as it had to last time and a little farther, so that a crowd costs no more than a village; who has moved since
// can make that too short, and then it looks again.

#include <string.h>

#include "isa.h"
#include "world/found.h"
#include "world/interest.h"
#include "world/kernels.h"
#include "world/mark.h"

struct choosing {
	const struct world_interest *interest;
	const struct world_turn *turn;
	struct look look;
	uint32_t looked_at;
	bool all_seen; // whoever is seen already is listed, wherever they are
	bool full;     // no look at anybody else changes anything, or enough was looked at
	bool cut, more;
	uint32_t most; // what those on the list weigh
	struct found found;
	struct listed listed;
};

// ---------------------------------------------------------------- roots

/// Never too small, and by 2 too great at most.
ALWAYS_INLINE uint32_t root_up(uint32_t square)
{
	return (uint32_t)__builtin_sqrtf((float)square) + 1;
}

/// Distance^2 up to which somebody who is seen can weigh no more than so much.
ALWAYS_INLINE uint32_t unweigh(const struct world_interest *interest, uint32_t weighed)
{
	const uint64_t distance2 = (((uint64_t)weighed + 1) * interest->unweight >> 16) + 1;

	return distance2 > UINT32_MAX ? UINT32_MAX : (uint32_t)distance2;
}

// ---------------------------------------------------------------- marks

ALWAYS_INLINE uint8_t *mark_of(const struct world_interest *interest, world_reference who)
{
	return &interest->mark[world_part_of(who)][world_rank_of(who)];
}

static void set_marks(const struct world_interest *interest, const struct world_turn *turn)
{
	for (uint32_t left = turn->has; left != 0; left &= left - 1) {
		const unsigned slot = (unsigned)__builtin_ctz(left);

		*mark_of(interest, turn->who[slot]) = (uint8_t)(slot + 1);
	}
	*mark_of(interest, turn->self) = MARK_TAKEN;
}

static void clear_marks(const struct world_interest *interest, const struct world_turn *turn)
{
	for (uint32_t left = turn->has; left != 0; left &= left - 1)
		*mark_of(interest, turn->who[__builtin_ctz(left)]) = MARK_NEW;
	*mark_of(interest, turn->self) = MARK_NEW;
}

// ---------------------------------------------------------------- weighing

ALWAYS_INLINE void list(const struct world_interest *interest, struct listed *listed, uint32_t distance2,
			world_reference who, uint32_t mark)
{
	const uint32_t n = listed->count;

	listed->weighed[n] = (uint32_t)((uint64_t)distance2 * interest->weight[mark] >> 16);
	listed->distance2[n] = distance2;
	listed->who[n] = who;
	listed->mark[n] = mark;
	listed->count = n + (distance2 < interest->within[mark]);
}

/// Whom was found since is listed.
static void weigh(struct choosing *c)
{
	struct listed *listed = &c->listed;

	for (uint32_t i = 0; i < c->found.count; i++)
		list(c->interest, listed, c->found.distance2[i], c->found.who[i],
		     *mark_of(c->interest, c->found.who[i]));
	c->found.count = 0;
}

ALWAYS_INLINE uint32_t greatest(const uint32_t *weighed, uint32_t count)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < count; i++)
		most = most < weighed[i] ? weighed[i] : most;
	return most;
}

/// What the nearest `wanted` weigh at most, and how many who weigh just that are among them: the first in the list.
struct threshold {
	uint32_t most, ties;
};

/// By counting, at where a line between what is known says that it is; and by halves where that does not lead there soon.
static struct threshold find_threshold(const struct listed *listed, uint32_t wanted)
{
	int64_t low = -1, high = greatest(listed->weighed, listed->count);
	uint32_t below = 0, above = listed->count;

	for (unsigned round = 0; high - low > 1; round++) {
		const float share = (float)(2 * (wanted - below) + 1) / (float)(2 * (above - below) + 1);
		const int64_t line = low + (int64_t)((float)(high - low) * share);
		const int64_t half = (low + high) / 2;
		const int64_t middle = round < 4 && line > low && line < high ? line : half;
		const uint32_t n = count_up_to(listed, (uint32_t)middle);

		if (n == wanted)
			return (struct threshold){(uint32_t)middle, n};
		if (n < wanted)
			low = middle, below = n;
		else
			high = middle, above = n;
	}
	return (struct threshold){(uint32_t)high, wanted - below};
}

/// Who weighs just the most stays if they were among the first to be found.
COLD static void cut_ties(struct listed *listed, struct threshold threshold)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < listed->count; i++) {
		const bool tie = listed->weighed[i] == threshold.most;

		listed->weighed[kept] = listed->weighed[i];
		listed->distance2[kept] = listed->distance2[i];
		listed->who[kept] = listed->who[i];
		listed->mark[kept] = listed->mark[i];
		kept += !tie || threshold.ties > 0;
		threshold.ties -= tie && threshold.ties > 0;
	}
	listed->count = kept;
}

/// No more than can be seen stay on the list.
static void keep_nearest(struct choosing *c)
{
	struct listed *listed = &c->listed;
	const uint32_t wanted = c->interest->neighbours;

	if (listed->count <= wanted) {
		c->most = greatest(listed->weighed, listed->count);
		return;
	}

	memset(listed->weighed + listed->count, 0xff, FOUND_PAST * sizeof(*listed->weighed));

	const struct threshold threshold = find_threshold(listed, wanted);

	c->more = true;
	c->most = threshold.most;
	keep_up_to(listed, threshold.most);
	if (unlikely(listed->count > wanted))
		cut_ties(listed, threshold);
}

// ---------------------------------------------------------------- too many

static uint32_t listed_slots(const struct listed *listed)
{
	uint32_t slots = 0;

	for (uint32_t i = 0; i < listed->count; i++)
		if (listed->mark[i] != MARK_NEW)
			slots |= 1U << (listed->mark[i] - 1);
	return slots;
}

static void list_occupant(struct choosing *c, unsigned slot)
{
	const world_reference who = c->turn->who[slot];
	const uint32_t number = world_part_of(who);
	const struct world_part *part = c->interest->parts->part[number];
	const struct world_view *view = c->interest->view[number];
	const bool before = view->reranked != c->interest->as_of[number];
	const uint32_t rank = before ? part->was[world_rank_of(who)] : world_rank_of(who);

	if (rank == WORLD_NOBODY)
		return;

	const struct world_place place = world_place_at(world_frame_at(part, view->tick), rank);
	const int64_t dx = place.x - c->turn->x, dy = place.y - c->turn->y, dz = place.z - c->turn->z;
	const int64_t distance2 = dx * dx + dy * dy + dz * dz;

	if (distance2 < c->interest->within[slot + 1])
		list(c->interest, &c->listed, (uint32_t)distance2, who, slot + 1);
}

/// Whoever is seen already, and was not found yet, so that from here on only others matter.
static void list_all_seen(struct choosing *c)
{
	const uint32_t missing = c->turn->has & ~listed_slots(&c->listed);

	for (uint32_t left = missing; left != 0; left &= left - 1)
		list_occupant(c, (unsigned)__builtin_ctz(left));
	for (uint32_t left = c->turn->has; left != 0; left &= left - 1)
		*mark_of(c->interest, c->turn->who[__builtin_ctz(left)]) = MARK_TAKEN;
	c->all_seen = true;
}

/// Make room. A crowd is looked through only as far as it can still bring somebody nearer than those who are kept.
COLD static void prune(struct choosing *c)
{
	weigh(c);
	if (c->listed.count <= FOUND_MAX / 2)
		return;
	if (!c->all_seen)
		list_all_seen(c);
	keep_nearest(c);
	c->full |= c->most == 0;
	c->look.distance2 = c->most - 1;
}

// ---------------------------------------------------------------- looking

struct looked_part {
	const struct world_grid *grid;
	const struct world_view *view;
	world_reference part;
	const uint32_t *becomes; // of ranks of its view; NULL: they are those of now
};

/// Who left is nobody to be seen.
COLD static void translate(const struct choosing *c, const struct looked_part *in, struct found *found, uint32_t from)
{
	for (uint32_t i = from; i < found->count; i++) {
		const uint32_t rank = in->becomes[world_rank_of(found->who[i])];

		found->who[i] = rank == WORLD_NOBODY ? c->turn->self : in->part | rank;
	}
}

static void look_at(struct choosing *c, const struct looked_part *in, uint32_t from, uint32_t to)
{
	while (from < to && !c->full) {
		const uint32_t room = FOUND_MAX - c->listed.count - c->found.count, before = c->found.count;
		const uint32_t next = to - from < room ? to : from + room;

		find(&c->look, in->view, in->part, from, next, &c->found);
		if (unlikely(in->becomes != NULL))
			translate(c, in, &c->found, before);
		c->looked_at += next - from;
		from = next;
		if (unlikely(c->looked_at > WORLD_LOOKED_AT_MAX))
			c->full = c->cut = true;
		if (unlikely(from < to))
			prune(c);
	}
}

ALWAYS_INLINE uint32_t cell_below(int32_t position, int32_t reach, uint8_t shift)
{
	return position < reach ? 0 : (uint32_t)(position - reach) >> shift;
}

ALWAYS_INLINE uint32_t cell_above(int32_t position, int32_t reach, uint8_t shift, uint32_t cells)
{
	const uint32_t cell = (uint32_t)(position + reach) >> shift;

	return cell < cells ? cell : cells - 1;
}

/// How far a row of cells is from somebody, less what those in it may have drifted.
ALWAYS_INLINE int32_t row_distance(int32_t y, uint32_t row, uint8_t shift, int32_t drift)
{
	const int32_t low = (int32_t)(row << shift), high = low + (1 << shift) - 1;
	const int32_t distance = (y < low ? low - y : y > high ? y - high : 0) - drift;

	return distance > 0 ? distance : 0;
}

static void look_in_part(struct choosing *c, const struct looked_part *in)
{
	const struct world_grid *grid = in->grid;
	const struct world_view *view = in->view;
	const int32_t radius = (int32_t)c->look.radius, reach = radius + view->drift;
	const int32_t x = c->turn->x, y = c->turn->y;
	const uint32_t last = cell_above(y, reach, grid->shift, grid->rows);

	for (uint32_t row = cell_below(y, reach, grid->shift); row <= last; row++) {
		const int32_t away = row_distance(y, row, grid->shift, view->drift);
		const int32_t half = (int32_t)root_up((uint32_t)(radius * radius - away * away)) + view->drift;
		const uint32_t *start = view->start + (size_t)row * grid->columns;

		look_at(c, in, start[cell_below(x, half, grid->shift)],
			start[cell_above(x, half, grid->shift, grid->columns) + 1]);
	}
	look_at(c, in, view->sorted, view->sorted + view->loose);
}

static struct looked_part looked_part(const struct world_interest *interest, uint32_t number)
{
	const struct world_view *view = interest->view[number];
	const bool before = view->reranked != interest->as_of[number];

	return (struct looked_part){
		.grid = interest->grid[number],
		.view = view,
		.part = world_refer(number, 0),
		.becomes = before ? interest->parts->part[number]->becomes : NULL,
	};
}

static void look_around(struct choosing *c, uint32_t radius)
{
	const struct world_interest *interest = c->interest;

	c->look = (struct look){c->turn->x, c->turn->y, c->turn->z, radius, radius * radius};
	c->found.count = c->listed.count = 0;
	c->looked_at = 0;
	c->full = c->cut = c->more = false;
	for (uint32_t number = 0; number < interest->parts->count; number++) {
		const struct looked_part in = looked_part(interest, number);

		look_in_part(c, &in);
	}
	weigh(c);
	keep_nearest(c);
}

// ---------------------------------------------------------------- how far

/// How many are in the cells that a circle touches, of all parts.
static uint32_t crowd_within(const struct world_interest *interest, const struct world_turn *turn, uint32_t radius)
{
	uint32_t crowd = 0;

	for (uint32_t number = 0; number < interest->parts->count; number++) {
		const struct world_grid *grid = interest->grid[number];
		const struct world_view *view = interest->view[number];
		const int32_t reach = (int32_t)radius;
		const uint32_t last = cell_above(turn->y, reach, grid->shift, grid->rows);
		const uint32_t left = cell_below(turn->x, reach, grid->shift);
		const uint32_t right = cell_above(turn->x, reach, grid->shift, grid->columns);

		for (uint32_t row = cell_below(turn->y, reach, grid->shift); row <= last; row++)
			crowd += world_view_count(grid, view, row, left, right);
	}
	return crowd;
}

/// Of somebody who has looked at nobody yet: halves of the radius, while there are many.
COLD static uint32_t first_radius(const struct world_interest *interest, const struct world_turn *turn)
{
	uint32_t radius = interest->leave_radius;

	while (radius > 64 && crowd_within(interest, turn, radius) > 8 * interest->neighbours)
		radius /= 2;
	return radius;
}

static uint32_t radius_to_begin(const struct world_interest *interest, const struct world_turn *turn)
{
	const uint32_t radius = turn->reach == 0 ? first_radius(interest, turn) : turn->reach + turn->reach / 16 + 16;

	return radius < interest->leave_radius ? radius : interest->leave_radius;
}

/// Within what distance everybody must have been looked at for the list to be right.
ALWAYS_INLINE uint32_t reach_needed(const struct choosing *c)
{
	const uint32_t reach = root_up(unweigh(c->interest, c->most));

	if (c->listed.count < c->interest->neighbours || reach > c->interest->leave_radius)
		return c->interest->leave_radius;
	return reach;
}

/// Of somebody who found too few: farther; of who found enough, as far as those are.
ALWAYS_INLINE uint32_t farther(const struct choosing *c, uint32_t radius, uint32_t needed)
{
	const uint32_t grown = radius + radius / 2 + 64;

	return c->listed.count < c->interest->neighbours && grown < needed ? grown : needed;
}

static uint32_t look(struct choosing *c)
{
	uint32_t radius = radius_to_begin(c->interest, c->turn), needed;

	for (;;) {
		look_around(c, radius);
		needed = reach_needed(c);
		if (likely(needed <= radius) || c->full ||
		    c->all_seen) // where many are pruned, enough are within the radius
			break;
		radius = farther(c, radius, needed);
	}
	c->more |= radius < c->interest->leave_radius;
	return needed;
}

// ---------------------------------------------------------------- the choice

static void enter(struct world_choice *choice, world_reference who, uint32_t distance2)
{
	uint32_t at = choice->enters++;

	for (; at > 0 && choice->enter_distance2[at - 1] > distance2; at--) {
		choice->enter[at] = choice->enter[at - 1];
		choice->enter_distance2[at] = choice->enter_distance2[at - 1];
	}
	choice->enter[at] = who;
	choice->enter_distance2[at] = distance2;
}

static void tell(const struct choosing *c, struct world_choice *choice)
{
	const struct listed *listed = &c->listed;
	uint32_t stays = 0;

	choice->enters = 0;
	for (uint32_t i = 0; i < listed->count; i++) {
		if (listed->mark[i] == MARK_NEW) {
			enter(choice, listed->who[i], listed->distance2[i]);
		} else {
			stays |= 1U << (listed->mark[i] - 1);
			choice->distance2[listed->mark[i] - 1] = listed->distance2[i];
		}
	}
	choice->leaves = c->turn->has & ~stays;
	choice->looked_at = c->looked_at;
	choice->more = c->more;
	choice->cut = c->cut;
}

/// Is every view of the ranks of now, or of those just before? A part's worker may have gone on since it was read.
static bool ranks_are_known(const struct world_interest *interest)
{
	for (uint32_t number = 0; number < interest->parts->count; number++) {
		const uint32_t as_of = interest->as_of[number];

		if (interest->parts->part[number]->reranked != as_of ||
		    (int32_t)(interest->view[number]->reranked - as_of) > 0)
			return false;
	}
	return true;
}

bool JOIN(world_choose, ISA)(const struct world_interest *interest, const struct world_turn *turn,
			     struct world_choice *choice);

bool JOIN(world_choose, ISA)(const struct world_interest *interest, const struct world_turn *turn,
			     struct world_choice *choice)
{
	struct choosing c;

	if (unlikely(!ranks_are_known(interest)))
		return false;
	c.interest = interest;
	c.turn = turn;
	c.all_seen = false;
	set_marks(interest, turn);
	choice->reach = look(&c);
	tell(&c, choice);
	clear_marks(interest, turn);
	return true;
}

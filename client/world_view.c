// SPDX-License-Identifier: BSD-3-Clause
// world_view.c: see world_view.h.

#include "world_view.h"

#include <string.h>

#define NS 1e9
#define MOMENT_PARTS 256 // of a tick
#define ROUNDED_FROM (1LL << 40)
#define HALF_A_PART 0.5
#define CLOCK_RISE (1.0 / 256) // of the way to a later arrival: so fast may a path become slower
#define INTERVAL_GAIN (1.0 / 16)
#define INTERVAL_MAX 32.0 // ticks
#define OWN_GAIN (1.0 / 8)
#define FRAMES_BEHIND 3.0 // of the distance of frames: what is lost or late is mostly there by then
#define OWN_BEHIND 1.5    // of the distance of those that tell of somebody

static double gap(uint32_t tick, uint32_t before)
{
	const double ticks = (double)(tick - before);

	return ticks < INTERVAL_MAX ? ticks : INTERVAL_MAX;
}

static bool is_before(uint32_t tick, uint32_t other)
{
	return (int32_t)(tick - other) < 0;
}

// ---------------------------------------------------------------- making

static uint32_t sets_for(uint32_t glimpses)
{
	return (glimpses + GLIMPSE_WAYS - 1) / GLIMPSE_WAYS;
}

size_t world_view_size(const struct world_view_rules *rules)
{
	return sizeof(struct world_view) +
	       (size_t)sets_for(rules->glimpses) * GLIMPSE_WAYS * sizeof(struct world_glimpsed);
}

static void forget_all(struct world_view *view)
{
	for (unsigned i = 0; i < WORLD_SLOTS_MAX; i++) {
		view->slot[i].told_any = view->slot[i].occupied = view->slot[i].game_any = false;
		view->slot[i].history.there = 0;
	}
	for (size_t i = 0; i < (size_t)view->glimpse_sets * GLIMPSE_WAYS; i++)
		view->glimpse[i].number = WORLD_UNKNOWN;
}

void world_view_make(struct world_view *view, const struct world_view_rules *rules)
{
	memset(view, 0, sizeof(*view));
	world_code_make(&view->code);
	view->rules = *rules;
	view->glimpse_sets = sets_for(rules->glimpses);
	forget_all(view);
}

void world_view_end(struct world_view *view)
{
	forget_all(view);
	view->world.any = false;
	view->news = (struct world_news){0};
}

// ---------------------------------------------------------------- who comes and goes

static void leaves(struct world_view *view, unsigned slot)
{
	struct world_news *news = &view->news;

	if (!view->slot[slot].occupied)
		return;
	news->left |= 1U << slot;
	news->who[slot] = view->slot[slot].who;
}

void world_view_begin(struct world_view *view, const struct world_known *world, uint32_t datagram)
{
	if (view->world.any && (world->epoch == view->world.epoch || !is_before(view->newest_datagram, datagram)))
		return;
	for (unsigned slot = 0; slot < WORLD_SLOTS_MAX; slot++)
		leaves(view, slot);
	forget_all(view);
	view->world = *world;
	view->world.any = true;
	view->newest = world->tick - 1;
	view->newest_datagram = datagram;
	view->clock = (struct world_clock){.interval = 1, .begin = world->tick};
	view->news.world = true;
}

static void told_of(struct world_slot *slot, uint32_t tick)
{
	if (!slot->told_any || is_before(slot->told, tick))
		slot->told = tick;
	slot->told_any = true;
}

/// Who was in a slot is not, as far as is known.
static void void_slot(struct world_view *view, unsigned index)
{
	struct world_slot *slot = &view->slot[index];

	leaves(view, index);
	slot->occupied = slot->game_any = false;
	slot->history.there = 0;
}

/// Somebody else, or nobody, is in a slot: unless something newer is known of it.
static bool empty_slot(struct world_view *view, unsigned index, uint32_t tick)
{
	struct world_slot *slot = &view->slot[index];

	if (slot->told_any && is_before(tick, slot->told)) {
		view->counts.late++;
		return false;
	}
	void_slot(view, index);
	told_of(slot, tick);
	return true;
}

// ---------------------------------------------------------------- places by frame

static const struct world_spot *spot_at(const struct world_history *history, uint32_t tick)
{
	const uint32_t at = tick % WORLD_KEPT_TICKS;

	return history->there >> at & 1 && history->tick[at] == tick ? &history->spot[at] : NULL;
}

static bool is_same_state(const struct world_slot_game *game, const struct world_slot_game *other)
{
	return game->version == other->version && game->bytes == other->bytes &&
	       memcmp(game->data, other->data, game->bytes) == 0;
}

/// Unless there is a newer one where it would stand.
static void keep_spot(struct world_history *history, uint32_t tick, const struct world_spot *spot)
{
	const uint32_t at = tick % WORLD_KEPT_TICKS;

	if (history->there == 0) {
		history->interval = 1;
		history->newest = tick;
	} else if (is_before(history->newest, tick)) {
		history->interval += (gap(tick, history->newest) - history->interval) * OWN_GAIN;
		history->newest = tick;
	}
	if (history->there >> at & 1 && is_before(tick, history->tick[at]))
		return;
	history->there |= 1ULL << at;
	history->tick[at] = tick;
	history->spot[at] = *spot;
}

static void take_record(struct world_view *view, struct world_slot *slot, const struct world_slot_told *told,
			uint32_t tick)
{
	const struct world_spot *base = spot_at(&slot->history, tick - told->age);
	struct world_spot spot;

	if (!base) {
		view->counts.undecodable++;
	} else if (!world_spot_apply(base, &told->difference, told->age, view->world.tick_hz, &spot)) {
		view->counts.impossible++;
	} else {
		view->counts.decoded++;
		keep_spot(&slot->history, tick, &spot);
		told_of(slot, tick);
	}
}

/// Another slot that a player is in, by what a FULL says.
/// @return WORLD_SLOTS_MAX: there is none
static unsigned other_slot(const struct world_view *view, unsigned index, const struct world_slot_told *told)
{
	unsigned other = 0;

	if (told->sort != WORLD_PLAYER)
		return WORLD_SLOTS_MAX;
	while (other < WORLD_SLOTS_MAX &&
	       (other == index || !view->slot[other].occupied || view->slot[other].who.sort != WORLD_PLAYER ||
		view->slot[other].who.identity != told->identity))
		other++;
	return other;
}

/// Somebody comes into a slot, and out of any other: a player is in one at a time.
static bool enter_slot(struct world_view *view, unsigned index, const struct world_slot_told *told, uint32_t tick)
{
	const unsigned other = other_slot(view, index, told);
	struct world_slot *slot = &view->slot[index];

	if (other != WORLD_SLOTS_MAX && is_before(tick, view->slot[other].came)) {
		view->counts.late++;
		return false;
	}
	if (!empty_slot(view, index, tick))
		return false;
	if (other != WORLD_SLOTS_MAX) // whose it is by now may come later, of an older frame
		void_slot(view, other);
	slot->occupied = true;
	slot->came = tick;
	view->news.entered |= 1U << index;
	return true;
}

static void take_full(struct world_view *view, unsigned index, const struct world_slot_told *told, uint32_t tick)
{
	struct world_slot *slot = &view->slot[index];

	if ((!slot->occupied || slot->who.number != told->number) && !enter_slot(view, index, told, tick))
		return;
	slot->who = (struct world_entity){told->number, told->identity, told->sort};
	told_of(slot, tick);
	keep_spot(&slot->history, tick, &told->spot);
}

static void take_told(struct world_view *view, unsigned index, uint32_t tick)
{
	const struct world_slot_told *told = &view->body.slot[index];

	if (told->what == WORLD_TOLD_RECORD)
		take_record(view, &view->slot[index], told, tick);
	else if (told->what == WORLD_TOLD_FULL)
		take_full(view, index, told, tick);
	else if (told->what == WORLD_TOLD_EMPTY)
		(void)empty_slot(view, index, tick);
}

static void take_game(struct world_view *view, unsigned index, uint32_t tick)
{
	const struct world_slot_game *game = &view->body.game[index];
	struct world_slot *slot = &view->slot[index];

	if (!game->told)
		return;
	if (!slot->occupied || is_before(tick, slot->came)) {
		view->counts.stateless++;
		return;
	}
	if (slot->game_any && is_before(tick, slot->game_tick))
		return;
	if (!slot->game_any || !is_same_state(&slot->game, game)) { // versions come round
		slot->game = *game;
		view->news.game |= 1U << index;
	}
	slot->game_any = true;
	slot->game_tick = tick;
}

// ---------------------------------------------------------------- glimpses

/// Where a number's glimpse is, or else the oldest of those where it can be.
static struct world_glimpsed *glimpse_of(struct world_view *view, uint32_t number, uint32_t tick)
{
	const uint32_t set = (uint32_t)(((uint64_t)(number * 0x9E3779B1U) * view->glimpse_sets) >> 32);
	struct world_glimpsed *ways = &view->glimpse[(size_t)set * GLIMPSE_WAYS], *oldest = ways;

	for (unsigned i = 0; i < GLIMPSE_WAYS; i++) {
		if (ways[i].number == number)
			return &ways[i];
		if (oldest->number != WORLD_UNKNOWN &&
		    (ways[i].number == WORLD_UNKNOWN || tick - ways[i].tick > tick - oldest->tick))
			oldest = &ways[i];
	}
	return oldest;
}

static void take_glimpse(struct world_view *view, const struct world_strip *strip, struct world_glimpse glimpse,
			 uint32_t tick)
{
	const unsigned shift = view->world.cell_shift;
	const uint64_t half = 1ULL << (shift - CELL_SHIFT_MIN);
	const uint64_t x = ((uint64_t)strip->cell_x << shift) + ((uint64_t)glimpse.x << (shift - 8)) + half;
	const uint64_t y = ((uint64_t)strip->cell_y << shift) + ((uint64_t)glimpse.y << (shift - 8)) + half;
	struct world_glimpsed *at;

	if ((x | y) >> WORLD_POSITION_BITS != 0)
		return;
	at = glimpse_of(view, glimpse.number, tick);
	if (at->number == glimpse.number && is_before(tick, at->tick))
		return;
	*at = (struct world_glimpsed){glimpse.number, tick, (int32_t)x, (int32_t)y};
}

static void take_strips(struct world_view *view, uint32_t tick)
{
	const uint8_t *at = view->body.strips_at;

	if (view->world.cell_shift == 0 || view->glimpse_sets == 0)
		return;
	for (unsigned i = 0; i < view->body.strips; i++) {
		struct world_strip strip;
		const uint8_t *next = world_strip_at(at, &strip);

		for (unsigned k = 0; k < strip.glimpses; k++)
			take_glimpse(view, &strip, world_glimpse_at(at, k), tick);
		at = next;
	}
}

// ---------------------------------------------------------------- time

/// When a tick is since `begin` at the frames' own pace.
static double ns_of(const struct world_view *view, uint32_t tick)
{
	return (double)(int32_t)(tick - view->clock.begin) * NS / view->world.tick_hz;
}

/// A frame came, the first or one that is newer than all before.
static void frame_came(struct world_view *view, uint32_t tick, uint64_t now_ns)
{
	struct world_clock *clock = &view->clock;
	const double origin = (double)now_ns - ns_of(view, tick);

	if (!clock->any || origin < clock->origin_ns)
		clock->origin_ns = origin;
	else
		clock->origin_ns += (origin - clock->origin_ns) * CLOCK_RISE;
	if (clock->any)
		clock->interval += (gap(tick, clock->newest) - clock->interval) * INTERVAL_GAIN;
	clock->any = true;
	clock->newest = tick;
}

void world_view_apply(struct world_view *view, const uint8_t *body, size_t length, uint32_t datagram, uint64_t now_ns)
{
	if (!world_body_read(&view->code, body, length, &view->body)) {
		view->counts.malformed++;
		return;
	}
	if (!view->world.any || view->body.epoch != view->world.epoch || view->world.tick_hz == 0) {
		view->counts.other_epoch++;
		return;
	}

	const uint32_t tick = view->newest + (uint32_t)(int16_t)(uint16_t)(view->body.tick - view->newest);

	view->counts.states++;
	if (is_before(view->newest_datagram, datagram))
		view->newest_datagram = datagram;
	if (!view->clock.any || is_before(view->newest, tick))
		frame_came(view, tick, now_ns);
	if (is_before(view->newest, tick))
		view->newest = tick;
	for (unsigned slot = 0; slot < WORLD_SLOTS_MAX; slot++) {
		take_told(view, slot, tick);
		take_game(view, slot, tick);
	}
	take_strips(view, tick);
}

bool world_view_has_news(const struct world_view *view)
{
	return view->news.left | view->news.entered | view->news.game | view->news.world;
}

// ---------------------------------------------------------------- looking

/// Ticks since `begin` of the frame that comes at a time.
static double ticks_at(const struct world_view *view, uint64_t at_ns)
{
	return ((double)at_ns - view->clock.origin_ns) * view->world.tick_hz / NS;
}

static double ticks_of_tick(const struct world_view *view, uint32_t tick)
{
	return (double)(int32_t)(tick - view->clock.begin);
}

double world_view_age(const struct world_view *view, uint32_t tick, uint64_t at_ns)
{
	const double age = ticks_at(view, at_ns) - ticks_of_tick(view, tick);

	return age > 0 ? age : 0;
}

bool world_view_has_slot(const struct world_view *view, uint32_t number)
{
	for (unsigned slot = 0; slot < WORLD_SLOTS_MAX; slot++)
		if (view->slot[slot].occupied && view->slot[slot].who.number == number)
			return true;
	return false;
}

/// The frame to show: some behind the newest, so that mostly two are known around it.
static double shown_ticks(const struct world_view *view, const struct world_history *history, uint64_t at_ns)
{
	const double frames = FRAMES_BEHIND * view->clock.interval, own = OWN_BEHIND * history->interval;
	const double behind = view->rules.delay_ns != 0 ? (double)view->rules.delay_ns * view->world.tick_hz / NS :
			      frames > own              ? frames :
							  own;

	return ticks_at(view, at_ns) - behind;
}

/// @param shown  ticks since `begin`
/// @return the newest place before it, and the oldest behind it; WORLD_KEPT_TICKS: there is none
static void around(const struct world_view *view, const struct world_history *history, double shown, unsigned *before,
		   unsigned *after)
{
	*before = *after = WORLD_KEPT_TICKS;
	for (unsigned i = 0; i < WORLD_KEPT_TICKS; i++) {
		unsigned *side = ticks_of_tick(view, history->tick[i]) <= shown ? before : after;

		if (!(history->there >> i & 1))
			continue;
		if (*side == WORLD_KEPT_TICKS || is_before(history->tick[*side], history->tick[i]) == (side == before))
			*side = i;
	}
}

/// @param ticks  that he has gone on since
static struct world_seen seen_at(const struct world_view *view, const struct world_spot *spot, double ticks,
				 double beyond)
{
	const double way = ticks / (WORLD_VELOCITY_PARTS >> world_velocity_shift(view->world.tick_hz));
	struct world_seen seen = {.beyond = beyond};

	for (unsigned axis = 0; axis < 3; axis++) {
		seen.position[axis] = spot->position[axis] + spot->velocity[axis] * way;
		seen.velocity[axis] = spot->velocity[axis];
	}
	return seen;
}

/// @param share  of the way to `after`
static struct world_seen seen_between(const struct world_view *view, const struct world_spot *before,
				      const struct world_spot *after, double share)
{
	struct world_seen seen = seen_at(view, before, 0, 0);

	for (unsigned axis = 0; axis < 3; axis++)
		seen.position[axis] += (after->position[axis] - before->position[axis]) * share;
	return seen;
}

struct world_seen world_view_seen(const struct world_view *view, unsigned slot, uint64_t at_ns)
{
	const struct world_history *history = &view->slot[slot].history;
	const double shown = shown_ticks(view, history, at_ns);
	const double most = (double)view->rules.extrapolate_ns * view->world.tick_hz / NS;
	unsigned before, after;

	around(view, history, shown, &before, &after);
	if (before == WORLD_KEPT_TICKS)
		return seen_at(view, &history->spot[after], 0, ticks_of_tick(view, history->tick[after]) - shown);

	const double since = shown - ticks_of_tick(view, history->tick[before]);

	if (after == WORLD_KEPT_TICKS)
		return seen_at(view, &history->spot[before], since < most ? since : most, since);
	return seen_between(view, &history->spot[before], &history->spot[after],
			    since / (double)(history->tick[after] - history->tick[before]));
}

bool world_view_shown(const struct world_view *view, uint32_t player, uint64_t at_ns, struct world_moment_shown *out)
{
	static const struct world_history everybody = {.interval = 1};
	const struct world_history *history = &everybody;
	double moment;
	int64_t parts;

	if (!view->clock.any)
		return false;
	for (unsigned slot = 0; player != 0 && slot < WORLD_SLOTS_MAX; slot++)
		if (view->slot[slot].occupied && view->slot[slot].who.identity == player)
			history = &view->slot[slot].history;
	// Rounded; before `begin` it is negative.
	moment = shown_ticks(view, history, at_ns) * MOMENT_PARTS + HALF_A_PART;
	parts = (int64_t)(moment + ROUNDED_FROM) - ROUNDED_FROM;
	out->tick = view->clock.begin + (uint32_t)(parts >> 8);
	out->parts = (uint8_t)parts;
	return true;
}

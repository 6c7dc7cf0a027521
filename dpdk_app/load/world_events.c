// SPDX-License-Identifier: BSD-3-Clause
// load/world_events.c: see world_events.h.

#include "load/world_events.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_BYTES (64U << 20)
#define EVENTS_MIN 256
#define EVENTS_MAX 16384

#define HEARD_WITHIN_MS 5000  // by everybody, of what was taken
#define TAKEN_WITHIN_MS 10000 // else nobody knows whether it was
#define CRASH_MS 5000         // at most, from one process of the gateway to the next
#define EXPECTED_AFTER_MS 500 // it was taken
#define DYING_MS 2000         // so long before the process said something last
#define MS_PER_S 1000

struct event {
	uint32_t number; // 0: none
	uint32_t player;
	uint32_t target; // a player_id; 0: everyone near
	uint8_t order;
	bool doubtful;
	uint64_t said;
	uint64_t taken; // 0: nobody knows whether it was
	uint64_t until; // it is judged
};

/// Of everybody who might hear one, a bit each: who heard it, who must, who may.
enum { HEARD, MUST, MAY, SETS };

struct world_events {
	struct pg_load_world_counts *counts;
	struct world_model *model;
	uint32_t words; // of a set
	uint32_t room;  // events, a power of two
	uint32_t next;  // number
	uint32_t oldest;
	struct event *event; // by number
	uint32_t *waiting;   // a ring of numbers: taken, and not known yet who is meant
	uint32_t first_waiting, waits;
	uint64_t *sets;
	uint32_t (*recent)[EVENT_ORDERS][EVENT_RECENT]; // numbers, of each player
	uint32_t (*told)[EVENT_ORDERS];                 // how many, likewise
	double *apart;                                  // scratch space, of each player
};

static uint64_t *set_of(const struct world_events *events, uint32_t number, unsigned which)
{
	return events->sets + ((size_t)(number % events->room) * SETS + which) * events->words;
}

static bool has(const uint64_t *set, uint32_t player)
{
	return set[player / 64] >> player % 64 & 1;
}

static void put(uint64_t *set, uint32_t player)
{
	set[player / 64] |= 1ULL << player % 64;
}

static uint64_t cycles(const struct world_events *events, uint64_t ms)
{
	return events->model->tsc_hz * ms / MS_PER_S;
}

struct world_events *world_events_open(const struct pg_load_plan *plan, struct pg_load_page *page,
				       struct world_model *model)
{
	struct world_events *events = calloc(1, sizeof(*events));

	if (!events)
		return NULL;
	events->counts = &page->counts.world;
	events->model = model;
	events->words = (plan->players + 63) / 64;
	events->room = EVENTS_MAX;
	while (events->room > EVENTS_MIN &&
	       (size_t)events->room * SETS * events->words * sizeof(uint64_t) > MEMORY_BYTES)
		events->room /= 2;
	events->next = events->oldest = 1;
	events->event = calloc(events->room, sizeof(*events->event));
	events->waiting = calloc(events->room, sizeof(*events->waiting));
	events->sets = calloc((size_t)events->room * SETS * events->words, sizeof(*events->sets));
	events->recent = calloc(plan->players, sizeof(*events->recent));
	events->told = calloc(plan->players, sizeof(*events->told));
	events->apart = calloc(plan->players, sizeof(*events->apart));
	if (events->event && events->waiting && events->sets && events->recent && events->told && events->apart)
		return events;
	world_events_close(events);
	return NULL;
}

void world_events_close(struct world_events *events)
{
	if (!events)
		return;
	free(events->event);
	free(events->waiting);
	free(events->sets);
	free(events->recent);
	free(events->told);
	free(events->apart);
	free(events);
}

// ---------------------------------------------------------------- judgement

/// Was it said when the gateway's process died, or before the next one told anybody of its world? What was on its way from one
/// worker to another is lost.
static bool is_cut_off(const struct world_events *events, const struct event *event)
{
	const struct world_model *model = events->model;

	return model->ended != 0 && event->said + cycles(events, DYING_MS) > model->ended &&
	       event->said < model->began + cycles(events, TRUTH_LAG_MS);
}

static void judge(struct world_events *events, uint32_t number)
{
	const struct event *event = &events->event[number % events->room];
	const uint64_t *heard = set_of(events, number, HEARD), *must = set_of(events, number, MUST);
	uint64_t due = 0, lost = 0;

	if (event->number != number)
		return;
	if (!event->taken) {
		counter_add(&events->counts->events_doubtful, 1);
		return;
	}
	for (uint32_t i = 0; i < events->words; i++) {
		const uint64_t stray = heard[i] & ~set_of(events, number, MAY)[i];

		due += (uint64_t)__builtin_popcountll(must[i]);
		lost += (uint64_t)__builtin_popcountll(must[i] & ~heard[i]);
		counter_add(&events->counts->events_stray, (uint64_t)__builtin_popcountll(stray));
	}
	if (lost != 0 && is_cut_off(events, event)) {
		counter_add(&events->counts->events_doubtful, 1);
		return;
	}
	counter_add(&events->counts->events_due, due);
	counter_add(&events->counts->events_lost, lost);
}

// ---------------------------------------------------------------- said

uint32_t world_events_number(struct world_events *events)
{
	if (events->next - events->oldest == events->room) { // sooner than it should be
		judge(events, events->oldest);
		events->event[events->oldest % events->room].number = 0;
		events->oldest++;
	}
	return events->next++;
}

void world_events_said(struct world_events *events, uint32_t number, uint32_t player, uint32_t target, unsigned order,
		       uint64_t now)
{
	uint32_t *recent = events->recent[player][order];

	events->event[number % events->room] = (struct event){.number = number,
							      .player = player,
							      .target = target,
							      .order = (uint8_t)order,
							      .said = now,
							      .until = now + cycles(events, TAKEN_WITHIN_MS)};
	memset(set_of(events, number, 0), 0, SETS * events->words * sizeof(*events->sets));
	recent[events->told[player][order]++ % EVENT_RECENT] = number;
	counter_add(&events->counts->events_said, 1);
}

static struct event *find(const struct world_events *events, uint32_t number)
{
	struct event *event = &events->event[number % events->room];

	return number != 0 && event->number == number ? event : NULL;
}

void world_events_doubted(struct world_events *events, uint32_t number)
{
	struct event *event = find(events, number);

	if (event)
		event->doubtful = true;
}

// ---------------------------------------------------------------- who should hear it

struct hearing {
	struct world_events *events;
	const struct event *event;
	uint64_t now;
	double unsure_s;      // how old a place may be by which it was decided who is near
	double sender_s;      // and the sender's
	double must_m, may_m; // of who stands
	uint32_t near;
};

static double seconds(const struct world_model *model, uint64_t from, uint64_t to)
{
	return to > from ? (double)(to - from) / (double)model->tsc_hz : 0;
}

/// Since when nothing newer of a player was known to the gateway when the event was said: for TRUTH_LAG_MS, or for longer where
/// much is lost. Of whom nothing is, that is known without a look at what was said.
static uint64_t known_since(const struct world_events *events, const struct event *event, uint32_t player)
{
	const struct truth *truth = &events->model->truth[player];
	const uint64_t usual = event->said - cycles(events, TRUTH_LAG_MS);
	uint64_t known;

	if (truth->lagged <= event->said && truth->known >= usual)
		return usual;
	known = truth_known_by(truth, event->said);
	return known < usual ? known : usual;
}

static double unknown_s(const struct world_events *events, const struct event *event, uint32_t player, uint64_t now)
{
	return seconds(events->model, known_since(events, event, player), now);
}

static void note(void *context, uint32_t player, double apart)
{
	struct hearing *hearing = context;

	if (player != hearing->event->player)
		hearing->events->apart[hearing->near++] = apart;
}

/// Was it in the world for some time when it was said? Also in one that is over, whose places the next one goes on from.
static bool is_there(const struct hearing *hearing, uint32_t player)
{
	const struct world_model *model = hearing->events->model;
	const struct truth *truth = &model->truth[player];

	return truth->connected && truth->placed != 0 &&
	       seconds(model, truth->placed, hearing->event->said) * MS_PER_S > TRUTH_LAG_MS;
}

static void expect(void *context, uint32_t player, double apart)
{
	struct hearing *hearing = context;
	const struct truth *truth = hearing->events->model->truth;
	const uint32_t sender = hearing->event->player, number = hearing->event->number;
	const double own_s = fmax(hearing->unsure_s, unknown_s(hearing->events, hearing->event, player, hearing->now));
	const double error = (double)truth[player].speed * own_s + (double)truth[sender].speed * hearing->sender_s;

	if (player == sender)
		return;
	if (apart <= hearing->may_m + error)
		put(set_of(hearing->events, number, MAY), player);
	if (apart < hearing->must_m - error && is_there(hearing, player) && is_there(hearing, sender))
		put(set_of(hearing->events, number, MUST), player);
}

static int by_distance(const void *one, const void *other)
{
	const double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

/// A process that follows one that died knows places from when that was.
static double unsure_s(const struct world_events *events, const struct event *event, uint64_t now)
{
	const struct world_model *model = events->model;
	const bool crashed = model->world > 1 && model->began + cycles(events, CRASH_MS) > event->said;
	const double since_s = seconds(model, event->said, now) + (double)TRUTH_LAG_MS / MS_PER_S;

	return crashed ? since_s + (double)CRASH_MS / MS_PER_S : since_s;
}

static void expect_near(struct world_events *events, const struct event *event, uint64_t now)
{
	struct world_model *model = events->model;
	const float *from = truth_position(&model->truth[event->player]);
	const double radius = (double)model->rules.radius_m, edge = 2 * model->numbers.quantum_m;
	const uint32_t most = model->rules.hearers;
	struct hearing hearing = {
		.events = events,
		.event = event,
		.now = now,
		.unsure_s = unsure_s(events, event, now),
		.sender_s = fmax(unsure_s(events, event, now), unknown_s(events, event, event->player, now)),
	};
	const double error = model->fastest * (hearing.unsure_s + hearing.sender_s); // of two who walk

	hearing.must_m = radius - edge;
	hearing.may_m = radius + edge;
	world_around(model, from, radius + error + edge, now, note, &hearing);
	if (hearing.near > most) {
		qsort(events->apart, hearing.near, sizeof(*events->apart), by_distance);
		hearing.must_m = fmin(hearing.must_m, events->apart[most - 1] - error);
		hearing.may_m = fmin(hearing.may_m, events->apart[most - 1] + error);
	}
	world_around(model, from, radius + error + edge, now, expect, &hearing);
}

static void expect_one(const struct world_events *events, const struct event *event)
{
	const struct world_model *model = events->model;
	const uint32_t player = event->target - model->first_player_id;

	if (player >= model->players)
		return;
	put(set_of(events, event->number, MAY), player);
	if (model->truth[player].connected)
		put(set_of(events, event->number, MUST), player);
}

void world_events_taken(struct world_events *events, uint32_t number, uint64_t now)
{
	struct event *event = find(events, number);

	if (!event || event->taken || event->doubtful)
		return;
	event->taken = now;
	event->until = now + cycles(events, HEARD_WITHIN_MS);
	events->waiting[(events->first_waiting + events->waits++) % events->room] = number;
}

/// By then it is known whether the gateway died meanwhile.
static void expect_taken(struct world_events *events, uint64_t now, bool all)
{
	for (; events->waits > 0; events->waits--) {
		struct event *event = find(events, events->waiting[events->first_waiting]);

		if (event && !all && event->taken + cycles(events, EXPECTED_AFTER_MS) > now)
			return;
		if (event && event->target != 0)
			expect_one(events, event);
		else if (event)
			expect_near(events, event, now);
		events->first_waiting = (events->first_waiting + 1) % events->room;
	}
}

void world_events_turn(struct world_events *events, uint64_t now, bool all)
{
	expect_taken(events, now, all);
	while (events->oldest != events->next) {
		struct event *event = &events->event[events->oldest % events->room];

		if (event->number == events->oldest && !all && event->until > now)
			return;
		judge(events, events->oldest);
		event->number = 0;
		events->oldest++;
	}
}

// ---------------------------------------------------------------- heard

/// Has the player heard a later one of the same player in the same order?
static bool is_disordered(const struct world_events *events, const struct event *event, uint32_t player)
{
	for (unsigned i = 0; i < EVENT_RECENT; i++) {
		const uint32_t other = events->recent[event->player][event->order][i];

		if ((int32_t)(other - event->number) > 0 && find(events, other) &&
		    has(set_of(events, other, HEARD), player))
			return true;
	}
	return false;
}

void world_events_may(struct world_events *events, uint32_t number, uint32_t player)
{
	if (find(events, number))
		put(set_of(events, number, MAY), player);
}

/// Who was so far away that nobody looked there may have been near for the gateway, of whom nothing had come for long.
static void allow_if_unknown(struct world_events *events, const struct event *event, uint32_t player, uint64_t now)
{
	const struct world_model *model = events->model;
	const struct truth *own = &model->truth[player], *sender = &model->truth[event->player];
	const bool is_usual = known_since(events, event, player) + cycles(events, TRUTH_LAG_MS) == event->said;
	const double reach_m = (double)model->rules.radius_m + 2 * model->numbers.quantum_m +
			       (double)own->speed * unknown_s(events, event, player, now) +
			       (double)sender->speed * unknown_s(events, event, event->player, now);

	if (!is_usual && world_distance_m(truth_position(own), truth_position(sender)) <= reach_m)
		put(set_of(events, event->number, MAY), player);
}

void world_events_heard(struct world_events *events, uint32_t number, uint32_t player, uint32_t sender_id,
			uint32_t target, uint64_t now)
{
	struct pg_load_world_counts *counts = events->counts;
	const struct event *event = find(events, number);
	uint64_t *heard;

	counter_add(&counts->events_heard, 1);
	if (!event || event->target != target || event->player + events->model->first_player_id != sender_id) {
		counter_add(&counts->events_stray, 1);
		return;
	}
	if (target == 0)
		allow_if_unknown(events, event, player, now);
	heard = set_of(events, number, HEARD);
	if (has(heard, player))
		counter_add(&counts->events_duplicated, 1);
	else if (is_disordered(events, event, player))
		counter_add(&counts->events_disordered, 1);
	put(heard, player);
}

void world_events_given_up(struct world_events *events, uint64_t count)
{
	counter_add(&events->counts->events_given_up, count);
}

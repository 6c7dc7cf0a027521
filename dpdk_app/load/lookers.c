// SPDX-License-Identifier: BSD-3-Clause
// load/lookers.c: see lookers.h.

#include "load/lookers.h"

#include <stdlib.h>
#include <string.h>

#include "load/pace.h"
#include "load/stage.h"

#define QUESTION_BYTES MESSAGE_MAX // no longer than what carriers carry anyway
#define MOVES_KEPT 64              // of a player; of those before, nobody knows whether they arrived
#define ROUND_NS 2000000ULL        // all players are looked through so often: whose question is due?
#define UNANSWERED_NS SECOND_NS    // then a question is lost
#define AGAIN 4                    // in this part of a tick, who could be told nothing asks again

static_assert(QUESTION_BYTES >= PLAIN_LOOK_MIN && QUESTION_BYTES <= PLAIN_LOOK_MAX, "a gateway answers it");
static_assert(QUESTION_BYTES <= PGC_DATAGRAM_MAX, "it can be staged");

/// A player. All times are TSC.
struct looker {
	uint64_t due;               // of its next question
	uint64_t asked;             // when the last was, which waits for its answer; 0: none does
	uint8_t epoch;              // of that
	uint64_t said;              // number of its last movement
	uint64_t stamp[MOVES_KEPT]; // of movements, by number
};

struct lookers {
	struct transport transport;
	struct transport *carrier;
	struct world_play *world;
	struct looker *looker;
	uint32_t first_player_id;
	uint64_t tsc_hz;

	// of the trial
	uint32_t playing;
	uint64_t interval;  // cycles from one movement of a player to the next: a tick
	uint64_t round;     // when they were last looked through from the first on
	uint32_t looked_at; // in this round

	// of the turn
	struct stage stage;
};

static uint64_t cycles(const struct lookers *l, uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * l->tsc_hz / SECOND_NS);
}

// ---------------------------------------------------------------- questions

static void send_staged(struct lookers *l)
{
	const int refusal = stage_send(&l->stage, l->carrier);

	if (refusal)
		l->transport.refusal = refusal;
}

/// What the carrier says of it is the trial's, and told once.
static void pass_refusal(struct lookers *l)
{
	if (l->carrier->refusal == 0)
		return;
	l->transport.refusal = l->carrier->refusal;
	l->carrier->refusal = 0;
}

static void ask(struct lookers *l, uint32_t player, uint64_t now)
{
	struct looker *looker = &l->looker[player];
	struct staged *staged = &l->stage.staged[l->stage.count];
	const struct plain_look question = {
		.header = {.packet_type = PLAIN_LOOK, .packet_size = QUESTION_BYTES},
		.player_id = l->first_player_id + player,
		.epoch = ++looker->epoch,
	};

	staged->player = player;
	staged->message = NO_MESSAGE;
	staged->length = QUESTION_BYTES;
	memset(staged->bytes, 0, QUESTION_BYTES);
	memcpy(staged->bytes, &question, sizeof(question));
	looker->asked = now;
	looker->due = now + cycles(l, UNANSWERED_NS);
	if (++l->stage.count == l->carrier->burst)
		send_staged(l);
}

/// Of as many players as have their turn.
static void ask_what_is_due(struct lookers *l, uint64_t now)
{
	const uint64_t passed = now - l->round, round = cycles(l, ROUND_NS);
	const uint64_t until = passed < round ? passed * l->playing / round : l->playing;

	for (; l->looked_at < until; l->looked_at++)
		if (l->looker[l->looked_at].due <= now)
			ask(l, l->looked_at, now);
	if (l->looked_at < l->playing)
		return;
	l->looked_at = 0;
	l->round = now;
}

// ---------------------------------------------------------------- answers

/// Not the answer to the question that waits: to one that was given up, if there was any.
static bool is_awaited(const struct looker *looker, const struct answer *answer)
{
	const struct plain_sight *sight = (const struct plain_sight *)answer->payload;

	return looker->asked != 0 && answer->length >= sizeof(*sight) && sight->epoch == looker->epoch;
}

static void take_sight(struct lookers *l, const struct answer *answer)
{
	struct looker *looker = &l->looker[answer->player];
	const struct plain_sight *sight = (const struct plain_sight *)answer->payload;
	struct pg_load_counts *counts = &l->transport.page->counts;
	enum world_play_told told;

	if (!is_awaited(looker, answer)) {
		counter_add(&counts->stray, 1);
		return;
	}
	told = sight->player_id != l->first_player_id + answer->player ?
		       WORLD_PLAY_NO_ANSWER :
		       world_play_looked(l->world, answer->player, answer->payload, answer->length, QUESTION_BYTES,
					 looker->asked, answer->when);
	counter_add(&counts->invalid, told == WORLD_PLAY_NO_ANSWER);
	looker->asked = 0;
	looker->due = answer->when + (told == WORLD_PLAY_TOLD ? l->interval : l->interval / AGAIN);
}

/// The gateway has a movement.
static void take_acknowledgement(struct lookers *l, const struct answer *answer)
{
	const struct looker *looker = &l->looker[answer->player];
	const struct plain_header *header = (const struct plain_header *)answer->payload;

	for (uint64_t n = looker->said; n > 0 && n + MOVES_KEPT > looker->said; n--)
		if (looker->stamp[n % MOVES_KEPT] == header->timestamp) {
			world_play_arrived(l->world, answer->player, n, answer->when);
			return;
		}
}

/// @return false: the trial knows nothing of it
static bool is_for_the_trial(struct lookers *l, const struct answer *answer)
{
	const struct plain_header *header = (const struct plain_header *)answer->payload;

	if (answer->length < sizeof(struct plain_heartbeat) || answer->player >= l->playing)
		return true;
	if (header->packet_type == PLAIN_LOOK + PLAIN_ACK) {
		take_sight(l, answer);
		return false;
	}
	if (header->packet_type == PLAIN_MOVE + PLAIN_ACK)
		take_acknowledgement(l, answer);
	return true;
}

static unsigned lookers_receive(struct transport *t, struct answer *out)
{
	struct lookers *l = (struct lookers *)t;
	struct answer came[LOAD_BURST];
	const unsigned n = l->carrier->ops->receive(l->carrier, came);
	const uint64_t now = pg_tsc();
	unsigned up = 0;

	for (unsigned i = 0; i < n; i++)
		if (is_for_the_trial(l, &came[i]))
			out[up++] = came[i];
	pass_refusal(l);
	ask_what_is_due(l, now);
	if (l->stage.count > 0)
		send_staged(l);
	world_play_turn(l->world, now, false);
	return up;
}

// ---------------------------------------------------------------- what they say

static unsigned lookers_room(struct transport *t, struct outgoing_message *outgoing, unsigned n)
{
	const struct lookers *l = (const struct lookers *)t;

	return l->carrier->ops->room(l->carrier, outgoing, n);
}

/// It is said before it leaves, so that nothing comes of it before.
static uint64_t lookers_send(struct transport *t, struct outgoing_message *outgoing, unsigned n)
{
	struct lookers *l = (struct lookers *)t;
	const uint64_t now = pg_tsc();
	uint64_t taken;

	for (unsigned i = 0; i < n; i++) {
		const struct message *message = &outgoing[i].message;
		struct looker *looker = &l->looker[message->player];

		if (message->type != PLAIN_MOVE)
			continue;
		looker->said++;
		looker->stamp[looker->said % MOVES_KEPT] =
			((const struct plain_header *)outgoing[i].payload)->timestamp;
		(void)world_play_said(l->world, message, outgoing[i].payload, looker->said, now);
	}
	taken = l->carrier->ops->send(l->carrier, outgoing, n);
	pass_refusal(l);
	return taken;
}

static void lookers_wait(struct transport *t, uint64_t until)
{
	struct lookers *l = (struct lookers *)t;
	const uint64_t look = pg_tsc() + cycles(l, ROUND_NS) / 2;

	l->carrier->ops->wait(l->carrier, until < look ? until : look);
}

// ---------------------------------------------------------------- a trial

static int lookers_begin(struct transport *t, const struct pg_load_trial *trial, struct pg_error *error)
{
	struct lookers *l = (struct lookers *)t;
	const int rc = l->carrier->ops->begin(l->carrier, trial, error);
	const uint64_t now = pg_tsc();

	if (rc != PG_OK)
		return rc;
	t->burst = l->carrier->burst;
	l->playing = trial->players;
	l->interval =
		trial->window ? cycles(l, SECOND_NS) : (uint64_t)((double)l->tsc_hz * trial->players / trial->end_pps);
	l->round = now;
	l->looked_at = 0;
	for (uint32_t i = 0; i < l->playing; i++) {
		l->looker[i] = (struct looker){.due = now + l->interval * i / l->playing};
		world_play_joined(l->world, i, now);
	}
	return PG_OK;
}

static int lookers_explain(const struct transport *t, int refusal, struct pg_error *error)
{
	const struct lookers *l = (const struct lookers *)t;

	return l->carrier->ops->explain(l->carrier, refusal, error);
}

static void lookers_close(struct transport *t)
{
	struct lookers *l = (struct lookers *)t;

	l->carrier->ops->close(l->carrier);
	free(l->looker);
	free(l);
}

static const struct transport_ops lookers_ops = {
	.begin = lookers_begin,
	.room = lookers_room,
	.send = lookers_send,
	.receive = lookers_receive,
	.wait = lookers_wait,
	.explain = lookers_explain,
	.close = lookers_close,
};

struct transport *transport_of_lookers(const struct pg_load_plan *plan, struct pg_load_page *page,
				       struct transport *carrier, struct world_play *world, struct pg_error *error)
{
	struct lookers *l = calloc(1, sizeof(*l));

	if (!l || !(l->looker = calloc(plan->players, sizeof(*l->looker)))) {
		free(l);
		carrier->ops->close(carrier);
		error_set(error, PG_ERROR_MEMORY, "no memory for the questions of %u players", plan->players);
		return NULL;
	}
	l->transport = (struct transport){.ops = &lookers_ops, .page = page, .burst = carrier->burst};
	l->carrier = carrier;
	l->world = world;
	l->first_player_id = plan->first_player_id;
	l->tsc_hz = pg_tsc_hz();
	return &l->transport;
}

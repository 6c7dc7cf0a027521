// SPDX-License-Identifier: BSD-3-Clause
// load/sessions.c: see sessions.h.

#include "load/sessions.h"

#include <stdlib.h>
#include <string.h>

#include "load/answers.h"
#include "load/pace.h"
#include "load/rebinding.h"
#include "load/stage.h"
#include "load/travel.h"
#include "pollgate_client.h"

/// Clients look at their clocks so often: repetitions, acknowledgements that are owed, heartbeats.
#define ROUND_NS 2000000ULL

/// All that is said by all, and not yet acknowledged.
#define MEMORY_BYTES (64U << 20)

/// What carries plain messages carries no longer datagrams: the shortest that a client may ask for.
#define DATAGRAM_BYTES 508
static_assert(DATAGRAM_BYTES <= MESSAGE_MAX, "a carrier's buffers hold a datagram");

#define CONNECT_NS (30 * SECOND_NS)

struct session_player {
	struct sessions *all;
	pgc_client *client;
	uint32_t number;
	uint32_t receipts; // the last that was given
	struct unanswered_messages unanswered;
};

struct sessions {
	struct transport transport;
	struct transport *carrier;
	struct world_play *world; // NULL: none
	struct session_player *player;
	uint64_t *due; // of each player: when the client's clock is to be looked at, in its time
	uint32_t players;
	uint32_t first_player_id, rebind_ms;
	uint8_t game_type;
	uint64_t tsc_hz;
	uint64_t ns_of_tsc; // fixed point, 32 bits of fraction

	// of the trial
	uint32_t playing;   // players
	int failure;        // enum pgc_closed of the last attempt that failed; 0
	uint64_t round;     // TSC: when the clients' clocks were last looked at from the first on
	uint32_t looked_at; // in this round
	struct rebinding rebinding;

	// of the turn
	uint64_t now; // TSC
	struct stage stage;
	uint8_t said[LOAD_BURST][MESSAGE_MAX];
	int saying; // message of the turn that goes into the next datagram, and is lost with it; NO_MESSAGE

	struct answers answers;
};

static uint64_t clock_ns(void *context)
{
	const struct sessions *s = context;

	return (uint64_t)((unsigned __int128)pg_tsc() * s->ns_of_tsc >> 32);
}

// ---------------------------------------------------------------- answers

static void answer(struct session_player *p, struct unanswered *message)
{
	if (message)
		answers_add(&p->all->answers, message, p->number, p->all->first_player_id + p->number, p->all->now);
}

/// pgc_options.arrived
static void datagrams_arrived(void *context, uint64_t newest, uint64_t others)
{
	struct session_player *p = context;

	for (uint64_t rest = others; rest; rest &= rest - 1) {
		const uint64_t datagram = newest - (uint64_t)__builtin_ctzll(rest);

		answer(p, unanswered_by_datagram(&p->unanswered, datagram));
		if (p->all->world)
			world_play_arrived(p->all->world, p->number, datagram, p->all->now);
	}
}

// ---------------------------------------------------------------- datagrams

static void send_staged(struct sessions *s)
{
	const int refusal = stage_send(&s->stage, s->carrier);

	if (refusal)
		s->transport.refusal = refusal;
}

/// Stage all that a client has to send now.
/// @return number of the first datagram that has messages in it; 0: there was none
static uint64_t flush(struct session_player *p)
{
	struct sessions *s = p->all;
	uint64_t said = 0;

	for (;;) {
		struct staged *staged = &s->stage.staged[s->stage.count];

		staged->length = (uint16_t)pgc_transmit(p->client, staged->bytes);
		if (staged->length == 0) {
			s->due[p->number] = pgc_due_ns(p->client);
			return said;
		}
		staged->player = p->number;
		staged->message = NO_MESSAGE;
		if (said == 0 && pgc_state(p->client) == PGC_CONNECTED) {
			said = pgc_last_datagram(p->client);
			staged->message = s->saying;
		}
		if (++s->stage.count == s->carrier->burst)
			send_staged(s);
	}
}

static void handle_closed(struct session_player *p, int reason)
{
	struct sessions *s = p->all;

	memset(&p->unanswered, 0, sizeof(p->unanswered));
	if (reason == PGC_CLOSED_LEFT)
		return;
	s->failure = reason;
	counter_add(&s->transport.page->counts.closed, 1);
	if (reason < PGC_DENIED_VERSION || reason > PGC_DENIED_FULL)
		(void)pgc_connect(p->client);
}

static void hear_game(struct session_player *p, const struct pgc_event *event)
{
	struct sessions *s = p->all;

	counter_add(&s->transport.page->counts.heard, 1);
	if (event->as.game.bytes >= PG_LOAD_GAME_MARK)
		answers_add_reply(&s->answers, event->as.game.data, p->number, s->now);
}

/// A reliable message has arrived, or nobody knows whether it did.
static void settle(struct session_player *p, uint32_t receipt, bool arrived)
{
	struct unanswered *message = unanswered_by_receipt(&p->unanswered, receipt);

	if (message && p->all->world)
		world_play_taken(p->all->world, message->event, arrived, p->all->now);
	if (arrived)
		answer(p, message);
}

static void handle_events(struct session_player *p)
{
	struct sessions *s = p->all;
	struct pgc_event event;

	while (pgc_next_event(p->client, &event)) {
		if (s->world)
			world_play_event(s->world, p->number, &event, s->now);
		switch (event.type) {
		case PGC_EVENT_CONNECTED:
			counter_add(&s->transport.page->counts.handshakes, 1);
			break;
		case PGC_EVENT_CLOSED:
			handle_closed(p, event.as.closed.reason);
			break;
		case PGC_EVENT_DELIVERED:
		case PGC_EVENT_LOST: // counted when the trial ends
			settle(p, event.as.delivery.receipt, event.type == PGC_EVENT_DELIVERED);
			break;
		case PGC_EVENT_GAME:
			hear_game(p, &event);
			break;
		default: // what others say
			break;
		}
	}
}

/// Whatever happened to a client: tell what it has to tell, send what it has to send.
static void attend(struct session_player *p)
{
	handle_events(p);
	(void)flush(p);
	handle_events(p); // that it gave up, for example
}

/// Look at the clocks of as many clients as are due.
static void look_at_clocks(struct sessions *s)
{
	const uint64_t round = s->tsc_hz / SECOND_NS * ROUND_NS, passed = s->now - s->round;
	const uint64_t due = passed < round ? passed * s->players / round : s->players, now_ns = clock_ns(s);

	for (; s->looked_at < due; s->looked_at++)
		if (s->due[s->looked_at] <= now_ns)
			attend(&s->player[s->looked_at]);
	if (s->looked_at < s->players)
		return;
	s->looked_at = 0;
	s->round = s->now;
}

static void rebind_some(struct sessions *s)
{
	uint32_t player;

	while (rebinding_turn(&s->rebinding, s->now, &player) && s->carrier->ops->rebind(s->carrier, player)) {
		counter_add(&s->transport.page->counts.world.moved, 1);
		pgc_moved(s->player[player].client);
		attend(&s->player[player]);
	}
}

static unsigned take_datagrams(struct sessions *s)
{
	struct answer datagram[LOAD_BURST];
	const unsigned n = s->carrier->ops->receive(s->carrier, datagram);

	for (unsigned i = 0; i < n; i++) {
		struct session_player *p = &s->player[datagram[i].player];

		s->now = datagram[i].when;
		(void)pgc_receive(p->client, datagram[i].payload, datagram[i].length);
		attend(p);
		if (s->world)
			world_play_received(s->world, p->number, p->client, datagram[i].length, s->now);
	}
	return n;
}

static unsigned sessions_receive(struct transport *t, struct answer *out)
{
	struct sessions *s = (struct sessions *)t;

	if (s->answers.count < ANSWERS_KEPT / 2)
		(void)take_datagrams(s);
	s->now = pg_tsc();
	look_at_clocks(s);
	rebind_some(s);
	if (s->world)
		world_play_turn(s->world, s->now, false);
	if (s->stage.count > 0)
		send_staged(s);
	return answers_hand_up(&s->answers, out);
}

// ---------------------------------------------------------------- messages

static unsigned sessions_room(struct transport *t, struct outgoing_message *outgoing, unsigned n)
{
	struct sessions *s = (struct sessions *)t;

	for (unsigned i = 0; i < n; i++)
		outgoing[i].payload = s->said[i];
	return n;
}

/// @return false: it was not sent, for the reason in `outgoing`
static bool say(struct session_player *p, struct outgoing_message *outgoing)
{
	const struct plain_header *header = (const struct plain_header *)outgoing->payload;
	const uint32_t receipt = p->receipts + 1 ? p->receipts + 1 : 1;
	const struct pgc_delivery delivery = travel_delivery(outgoing->message.type, receipt);
	struct unanswered message = {
		.key = receipt,
		.stamp = header->timestamp,
		.length = outgoing->message.length,
		.type = outgoing->message.type,
	};
	const int said = pgc_say(p->client, travel_type(message.type, p->all->game_type),
				 outgoing->payload + PLAIN_PREFIX, message.length - PLAIN_PREFIX, &delivery);
	uint64_t number;

	outgoing->unsent = said == PGC_ERROR_STATE ? PG_LOAD_NOT_CONNECTED : PG_LOAD_HELD_BACK;
	if (said != PGC_OK)
		return false;
	if (p->all->world && delivery.reliable)
		message.event = world_play_said(p->all->world, &outgoing->message, outgoing->payload, 0, p->all->now);
	if (delivery.reliable) {
		p->receipts = receipt;
		p->unanswered.by_receipt[receipt % RECEIPTS_KEPT] = message;
		(void)flush(p);
		return true;
	}
	number = flush(p);
	if (number == 0)
		return false;
	if (p->all->world)
		(void)world_play_said(p->all->world, &outgoing->message, outgoing->payload, number, p->all->now);
	p->unanswered.by_datagram[number % DATAGRAMS_KEPT] = message;
	p->unanswered.by_datagram[number % DATAGRAMS_KEPT].key = number;
	return true;
}

static uint64_t sessions_send(struct transport *t, struct outgoing_message *outgoing, unsigned n)
{
	struct sessions *s = (struct sessions *)t;
	uint64_t taken = 0;

	s->now = pg_tsc();
	s->stage.lost = 0;
	for (unsigned i = 0; i < n; i++) {
		s->saying = travels_reliably(outgoing[i].message.type) ? NO_MESSAGE : (int)i;
		taken |= (uint64_t)say(&s->player[outgoing[i].message.player], &outgoing[i]) << i;
	}
	s->saying = NO_MESSAGE;
	if (s->stage.count > 0)
		send_staged(s);
	for (uint64_t rest = s->stage.lost & taken; rest; rest &= rest - 1)
		outgoing[__builtin_ctzll(rest)].unsent = s->stage.why[__builtin_ctzll(rest)];
	return taken & ~s->stage.lost;
}

static void sessions_wait(struct transport *t, uint64_t until)
{
	struct sessions *s = (struct sessions *)t;
	const uint64_t look = pg_tsc() + s->tsc_hz / 1000;

	s->carrier->ops->wait(s->carrier, until < look ? until : look);
}

// ---------------------------------------------------------------- a trial

static uint32_t count_connected(const struct sessions *s)
{
	uint32_t connected = 0;

	for (uint32_t i = 0; i < s->playing; i++)
		connected += pgc_state(s->player[i].client) == PGC_CONNECTED;
	return connected;
}

static int say_who_is_missing(const struct sessions *s, uint32_t connected, struct pg_error *error)
{
	if (s->transport.refusal != 0)
		return s->carrier->ops->explain(s->carrier, s->transport.refusal, error);
	return error_set(error, PG_ERROR_TIMEOUT,
			 "%u of %u players are connected after %llu s%s%s; are their tickets of this "
			 "gateway, and does it have a listener of profile session there?",
			 connected, s->playing, CONNECT_NS / SECOND_NS, s->failure ? ": " : "",
			 s->failure ? pgc_closed_text(s->failure) : "");
}

/// So many attempts are under way at a time; in a storm, all.
static void begin_attempts(struct sessions *s, const struct pg_load_trial *trial)
{
	for (uint32_t i = 0; i < s->playing; i++) {
		struct session_player *p = &s->player[i];

		if (trial->storm)
			(void)pgc_reconnect(p->client);
		else
			(void)pgc_connect(p->client);
		attend(p);
		if (!trial->storm && i % LOAD_BURST == 0) {
			struct answer out[LOAD_BURST];

			(void)sessions_receive(&s->transport, out);
		}
	}
}

/// Before the trial: everybody has a connection.
static int sessions_begin(struct transport *t, const struct pg_load_trial *trial, struct pg_error *error)
{
	struct sessions *s = (struct sessions *)t;
	const uint64_t began = pg_tsc(), until = began + s->tsc_hz * (CONNECT_NS / SECOND_NS);
	struct pg_load_counts *counts = &t->page->counts;
	struct answer out[LOAD_BURST];
	uint32_t connected = 0;
	int rc = s->carrier->ops->begin(s->carrier, trial, error);

	if (rc != PG_OK)
		return rc;
	t->burst = s->carrier->burst;
	s->playing = trial->players;
	s->failure = 0;
	begin_attempts(s, trial);
	for (;;) {
		connected = count_connected(s);
		if (connected == s->playing || load_stopped(t->page) || pg_tsc() > until)
			break;
		for (unsigned turn = 0; turn < LOAD_BURST; turn++) {
			sessions_wait(t, until);
			(void)sessions_receive(t, out);
		}
	}
	counter_set(&counts->connect_ns, (uint64_t)((unsigned __int128)(pg_tsc() - began) * SECOND_NS / s->tsc_hz));
	counter_set(&counts->connected, connected);
	s->answers.count = 0; // of the trial before
	rebinding_begin(&s->rebinding, s->playing, s->tsc_hz / 1000 * s->rebind_ms, pg_tsc());
	if (connected < s->playing && !load_stopped(t->page))
		return say_who_is_missing(s, connected, error);
	t->refusal = 0; // it was overcome
	return PG_OK;
}

static int sessions_explain(const struct transport *t, int refusal, struct pg_error *error)
{
	const struct sessions *s = (const struct sessions *)t;

	return s->carrier->ops->explain(s->carrier, refusal, error);
}

// ---------------------------------------------------------------- opening

static void sessions_close(struct transport *t)
{
	struct sessions *s = (struct sessions *)t;

	for (uint32_t i = s->player ? s->players : 0; i-- > 0;) { // the first, whose memory is shared, last
		if (s->player[i].client && pgc_close(s->player[i].client) == PGC_OK)
			(void)flush(&s->player[i]);
		if (s->stage.count > 0)
			send_staged(s);
		pgc_free(s->player[i].client);
	}
	s->carrier->ops->close(s->carrier);
	free(s->due);
	free(s->player);
	free(s);
}

static const struct transport_ops sessions_ops = {
	.begin = sessions_begin,
	.room = sessions_room,
	.send = sessions_send,
	.receive = sessions_receive,
	.wait = sessions_wait,
	.explain = sessions_explain,
	.close = sessions_close,
};

static bool open_player(struct sessions *s, const struct pg_load_plan *plan, uint32_t number)
{
	struct session_player *p = &s->player[number];
	struct pgc_options options;

	pgc_options_init(&options);
	options.session = plan->tickets[number].session;
	memcpy(options.key, plan->tickets[number].key, sizeof(options.key));
	options.max_datagram = DATAGRAM_BYTES;
	options.memory_bytes = MEMORY_BYTES;
	options.connect_timeout_ms = (uint32_t)(CONNECT_NS / 1000000);
	options.receipts = RECEIPTS_KEPT;
	options.answer_at_once = true;
	options.arrived = datagrams_arrived;
	options.arrived_context = p;
	options.clock_ns = clock_ns;
	options.clock_context = s;
	if (s->world)
		world_play_ask(&options);
	*p = (struct session_player){.all = s, .number = number};
	p->client = number == 0 ? pgc_new(&options) : pgc_new_beside(&options, s->player[0].client);
	return p->client != NULL;
}

struct transport *transport_of_sessions(const struct pg_load_plan *plan, struct pg_load_page *page,
					struct transport *carrier, struct world_play *world, struct pg_error *error)
{
	struct sessions *s = calloc(1, sizeof(*s));
	bool opened = s && (s->player = calloc(plan->players, sizeof(*s->player))) &&
		      (s->due = calloc(plan->players, sizeof(*s->due)));

	if (!s) {
		carrier->ops->close(carrier);
		error_set(error, PG_ERROR_MEMORY, "no memory for the clients of %u players", plan->players);
		return NULL;
	}
	s->transport = (struct transport){.ops = &sessions_ops, .page = page, .burst = carrier->burst};
	s->carrier = carrier;
	s->world = world;
	s->saying = NO_MESSAGE;
	s->players = plan->players;
	s->first_player_id = plan->first_player_id;
	s->game_type = plan->game_type;
	s->rebind_ms = plan->impairment.move_ms;
	s->tsc_hz = pg_tsc_hz();
	s->ns_of_tsc = (uint64_t)(((unsigned __int128)SECOND_NS << 32) / s->tsc_hz);
	for (uint32_t i = 0; i < plan->players && opened; i++)
		opened = open_player(s, plan, i);
	if (opened)
		return &s->transport;
	error_set(error, PG_ERROR_MEMORY, "no memory for the clients of %u players, or a ticket is none",
		  plan->players);
	sessions_close(&s->transport);
	return NULL;
}

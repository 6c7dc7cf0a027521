// SPDX-License-Identifier: BSD-3-Clause
// load/impair.c: see impair.h.

#include "load/impair.h"

#include <stdlib.h>
#include <string.h>

#include "load/pace.h"
#include "load/random.h"

#define HELD_MAX 16384 // what is held back beyond that is not

enum fate { FATE_NONE, FATE_LOST, FATE_DOUBLED, FATE_HELD };
enum { LOST, DOUBLED, HELD }; // in the page

/// A datagram that is held back.
struct held {
	uint64_t until; // TSC
	uint32_t player;
	uint16_t length;
	uint8_t bytes[MESSAGE_MAX];
};

/// Those of one direction: a heap, the first to go on top.
struct holding {
	uint32_t count;
	uint16_t order[HELD_MAX];
	uint16_t free[HELD_MAX];
	struct held *held;
};

struct impaired {
	struct transport transport;
	struct transport *carrier;
	struct pg_load_impairment rules;
	struct random random;
	uint64_t reorder; // cycles
	struct holding out, in;

	// of the turn
	uint8_t bytes[LOAD_BURST][MESSAGE_MAX];
	uint8_t came[LOAD_BURST][MESSAGE_MAX]; // that had been held back
};

// ---------------------------------------------------------------- what is held back

static bool holding_open(struct holding *holding)
{
	holding->held = malloc(HELD_MAX * sizeof(*holding->held));
	for (uint32_t i = 0; i < HELD_MAX; i++)
		holding->free[i] = (uint16_t)i;
	return holding->held != NULL;
}

static uint64_t until(const struct holding *holding, uint32_t at)
{
	return holding->held[holding->order[at]].until;
}

static void swap(struct holding *holding, uint32_t one, uint32_t other)
{
	const uint16_t kept = holding->order[one];

	holding->order[one] = holding->order[other];
	holding->order[other] = kept;
}

/// @return false: there is no room
static bool hold(struct holding *holding, uint32_t player, const uint8_t *bytes, uint16_t length, uint64_t then)
{
	uint32_t at = holding->count;
	struct held *held;

	if (at == HELD_MAX || length > MESSAGE_MAX)
		return false;
	holding->order[at] = holding->free[at];
	held = &holding->held[holding->order[at]];
	held->until = then;
	held->player = player;
	held->length = length;
	memcpy(held->bytes, bytes, length);
	holding->count++;
	for (; at > 0 && until(holding, (at - 1) / 2) > then; at = (at - 1) / 2)
		swap(holding, at, (at - 1) / 2);
	return true;
}

/// The first whose time has come; it is kept until the next is held.
static const struct held *release(struct holding *holding, uint64_t now)
{
	const uint16_t first = holding->order[0];
	uint32_t at = 0;

	if (holding->count == 0 || until(holding, 0) > now)
		return NULL;
	holding->count--;
	holding->order[0] = holding->order[holding->count];
	holding->free[holding->count] = first;
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < holding->count && until(holding, child + 1) < until(holding, child))
			child++;
		if (child >= holding->count || until(holding, child) >= until(holding, at))
			return &holding->held[first];
		swap(holding, at, child);
		at = child;
	}
}

// ---------------------------------------------------------------- lots

static enum fate draw(struct impaired *t)
{
	float lot = random_fraction(&t->random);
	uint64_t *counts = t->transport.page->counts.world.impaired;

	if (lot < t->rules.loss) {
		counter_add(&counts[LOST], 1);
		return FATE_LOST;
	}
	lot -= t->rules.loss;
	if (lot < t->rules.duplicate) {
		counter_add(&counts[DOUBLED], 1);
		return FATE_DOUBLED;
	}
	lot -= t->rules.duplicate;
	if (lot < t->rules.reorder) {
		counter_add(&counts[HELD], 1);
		return FATE_HELD;
	}
	return FATE_NONE;
}

static uint64_t later(struct impaired *t)
{
	return pg_tsc() + (uint64_t)(random_fraction(&t->random) * (float)t->reorder);
}

// ---------------------------------------------------------------- out

static unsigned impaired_room(struct transport *transport, struct outgoing_message *outgoing, unsigned n)
{
	struct impaired *t = (struct impaired *)transport;

	for (unsigned i = 0; i < n; i++)
		outgoing[i].payload = t->bytes[i];
	return n;
}

/// @param source  where it is; @param unsent  out: why not
static bool send_one(struct impaired *t, const uint8_t *source, const struct message *message,
		     enum pg_load_unsent *unsent)
{
	struct outgoing_message outgoing = {.unsent = PG_LOAD_QUEUE_FULL};

	*unsent = PG_LOAD_QUEUE_FULL;
	if (t->carrier->ops->room(t->carrier, &outgoing, 1) == 0)
		return false;
	memcpy(outgoing.payload, source, message->length);
	outgoing.message = *message;
	if (t->carrier->ops->send(t->carrier, &outgoing, 1) == 1)
		return true;
	*unsent = outgoing.unsent;
	return false;
}

static bool send_impaired(struct impaired *t, struct outgoing_message *outgoing)
{
	const struct message *message = &outgoing->message;

	switch (draw(t)) {
	case FATE_LOST:
		return true;
	case FATE_HELD:
		if (hold(&t->out, message->player, outgoing->payload, message->length, later(t)))
			return true;
		break;
	case FATE_DOUBLED:
		(void)send_one(t, outgoing->payload, message, &outgoing->unsent);
		break;
	case FATE_NONE:
		break;
	}
	return send_one(t, outgoing->payload, message, &outgoing->unsent);
}

static void heed_refusal(struct impaired *t)
{
	if (t->carrier->refusal)
		t->transport.refusal = t->carrier->refusal;
	t->carrier->refusal = 0;
}

static uint64_t impaired_send(struct transport *transport, struct outgoing_message *outgoing, unsigned n)
{
	struct impaired *t = (struct impaired *)transport;
	uint64_t taken = 0;

	for (unsigned i = 0; i < n; i++)
		taken |= (uint64_t)send_impaired(t, &outgoing[i]) << i;
	heed_refusal(t);
	return taken;
}

static void send_held(struct impaired *t, uint64_t now)
{
	const struct held *held;

	while ((held = release(&t->out, now))) {
		const struct message message = {.player = held->player, .length = held->length};
		enum pg_load_unsent unsent;

		(void)send_one(t, held->bytes, &message, &unsent);
	}
}

// ---------------------------------------------------------------- in

/// One that came: it stays, or not.
/// @return how many of it are handed up
static unsigned receive_impaired(struct impaired *t, const struct answer *came, struct answer *out, unsigned room)
{
	switch (draw(t)) {
	case FATE_LOST:
		return 0;
	case FATE_HELD:
		if (hold(&t->in, came->player, came->payload, came->length, later(t)))
			return 0;
		break;
	case FATE_DOUBLED:
		if (room > 1) {
			out[0] = out[1] = *came;
			return 2;
		}
		break;
	case FATE_NONE:
		break;
	}
	out[0] = *came;
	return 1;
}

static unsigned hand_up_held(struct impaired *t, struct answer *out, unsigned room, uint64_t now)
{
	const struct held *held;
	unsigned n = 0;

	while (n < room && (held = release(&t->in, now))) {
		memcpy(t->came[n], held->bytes, held->length);
		out[n] = (struct answer){
			.payload = t->came[n], .when = now, .player = held->player, .length = held->length};
		n++;
	}
	return n;
}

static unsigned impaired_receive(struct transport *transport, struct answer *answer)
{
	struct impaired *t = (struct impaired *)transport;
	struct answer came[LOAD_BURST];
	const uint64_t now = pg_tsc();
	const unsigned received = t->carrier->ops->receive(t->carrier, came);
	unsigned n = 0;

	send_held(t, now);
	// As many as came have room, so that of those that are left none is lost.
	for (unsigned i = 0; i < received; i++)
		n += receive_impaired(t, &came[i], &answer[n], LOAD_BURST - n - (received - i - 1));
	n += hand_up_held(t, &answer[n], LOAD_BURST - n, now);
	heed_refusal(t);
	return n;
}

static void impaired_wait(struct transport *transport, uint64_t then)
{
	struct impaired *t = (struct impaired *)transport;

	if (t->out.count > 0 && until(&t->out, 0) < then)
		then = until(&t->out, 0);
	if (t->in.count > 0 && until(&t->in, 0) < then)
		then = until(&t->in, 0);
	t->carrier->ops->wait(t->carrier, then);
}

// ---------------------------------------------------------------- what goes through

static int impaired_begin(struct transport *transport, const struct pg_load_trial *trial, struct pg_error *error)
{
	struct impaired *t = (struct impaired *)transport;
	const int rc = t->carrier->ops->begin(t->carrier, trial, error);

	transport->burst = t->carrier->burst;
	return rc;
}

static bool impaired_rebind(struct transport *transport, uint32_t player)
{
	struct impaired *t = (struct impaired *)transport;

	return t->carrier->ops->rebind(t->carrier, player);
}

static int impaired_explain(const struct transport *transport, int refusal, struct pg_error *error)
{
	const struct impaired *t = (const struct impaired *)transport;

	return t->carrier->ops->explain(t->carrier, refusal, error);
}

static void impaired_close(struct transport *transport)
{
	struct impaired *t = (struct impaired *)transport;

	t->carrier->ops->close(t->carrier);
	free(t->out.held);
	free(t->in.held);
	free(t);
}

static const struct transport_ops impaired_ops = {
	.begin = impaired_begin,
	.room = impaired_room,
	.send = impaired_send,
	.receive = impaired_receive,
	.wait = impaired_wait,
	.rebind = impaired_rebind,
	.explain = impaired_explain,
	.close = impaired_close,
};

struct transport *transport_impaired(const struct pg_load_plan *plan, struct pg_load_page *page,
				     struct transport *carrier, struct pg_error *error)
{
	struct impaired *t = calloc(1, sizeof(*t));

	if (!t) {
		carrier->ops->close(carrier);
		error_set(error, PG_ERROR_MEMORY, "out of memory");
		return NULL;
	}
	t->transport = (struct transport){.ops = &impaired_ops, .page = page, .burst = carrier->burst};
	t->carrier = carrier;
	t->rules = plan->impairment;
	t->reorder = pg_tsc_hz() / 1000 * plan->impairment.reorder_ms;
	random_seed(&t->random, ~plan->seed);
	if (holding_open(&t->out) && holding_open(&t->in))
		return &t->transport;
	error_set(error, PG_ERROR_MEMORY, "out of memory");
	impaired_close(&t->transport);
	return NULL;
}

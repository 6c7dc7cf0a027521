// SPDX-License-Identifier: BSD-3-Clause
// delivery/fillers.c: see fillers.h.

#include "delivery/fillers.h"

#include <string.h>

#include "delivery/delivery.h"
#include "delivery/lists.h"
#include "delivery/stored.h"

// ---------------------------------------------------------------- acknowledgement

/// Its room is in front of the messages, and is written when the datagram is sealed. Whatever leaves has it.
static void fill_acknowledgement(struct delivery_context *ctx, struct delivery *c, struct leaving *leaving)
{
	(void)ctx, (void)leaving;
	c->owed = 0;
}

// ---------------------------------------------------------------- messages

/// @return false when it does not fit
static bool put(struct message_pool *pool, struct leaving *leaving, const struct stored *message)
{
	const struct session_message head = {
		.type = message->type, .flags = message->flags, .body_len = message->length};

	uint8_t *at = leaving_room(leaving, stored_wire_length(message));

	if (!at)
		return false;
	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	if (message->flags & SESSION_MESSAGE_RELIABLE) {
		memcpy(at, &message->id, sizeof(message->id));
		at += sizeof(message->id);
	}
	stored_copy(pool, message, at);
	return true;
}

static void fly(struct delivery_context *ctx, struct outbound *out, const struct leaving *leaving, uint32_t index)
{
	struct stored *message = stored_at(ctx->pool, index);

	message->carrier[message->sends++] = leaving->counter;
	message->time = leaving->now;
	flying_append(ctx, out, index);
	if (out->timed == 0) {
		out->timed = leaving->counter;
		out->timed_at = leaving->now;
	}
}

/// Repetitions that are due, those that were sent most often first. Gives up when one was sent as often as allowed.
static void fill_repetitions(struct delivery_context *ctx, struct delivery *c, struct leaving *leaving)
{
	struct outbound *out = &c->out;

	for (unsigned list = 1 + DELIVERY_RESENDS_MAX; list-- > 0;) {
		while (out->flying_mask >> list & 1 && repetition_due(ctx, out, list) <= leaving->now) {
			const uint32_t index = out->flying[list].first;

			if (list >= ctx->rules->resends || list == DELIVERY_RESENDS_MAX) {
				out->gave_up = true;
				return;
			}
			if (!put(ctx->pool, leaving, stored_at(ctx->pool, index)))
				break;
			flying_remove(ctx, out, index);
			fly(ctx, out, leaving, index);
			counter_add(&ctx->stats->resent, 1);
		}
	}
}

/// The queue among `queues` whose first was queued first and may be sent, or 0 when there is none.
static unsigned eldest(const struct delivery_context *ctx, const struct outbound *out, unsigned queues)
{
	unsigned best = 0;
	uint32_t best_order = 0;

	for (unsigned mask = out->waiting_mask & queues; mask != 0; mask &= mask - 1) {
		const unsigned queue = (unsigned)__builtin_ctz(mask);
		const struct stored *first = stored_at(ctx->pool, out->waiting_in[queue].first);

		if (!in_window(out, first) || (best != 0 && (int32_t)(first->order - best_order) > 0))
			continue;
		best = 1U << queue;
		best_order = first->order;
	}
	return best;
}

/// Of one priority. A queue whose first does not fit waits for the next datagram.
static void fill_waiting(struct delivery_context *ctx, struct delivery *c, struct leaving *leaving,
			 enum priority priority)
{
	const unsigned all = ((1U << OUTBOUND_QUEUES) - 1) << priority * OUTBOUND_QUEUES;
	struct outbound *out = &c->out;
	unsigned queues = all, best;

	while ((best = eldest(ctx, out, queues)) != 0) {
		const unsigned queue = (unsigned)__builtin_ctz(best);
		const uint32_t index = out->waiting_in[queue].first;

		if (!put(ctx->pool, leaving, stored_at(ctx->pool, index))) {
			queues &= ~best; // a shorter one of another queue may fit
			continue;
		}
		waiting_remove(ctx, out, queue, index);
		if (stored_at(ctx->pool, index)->flags & SESSION_MESSAGE_RELIABLE) {
			fly(ctx, out, leaving, index);
		} else {
			forget(ctx, out, index);
			out->messages--;
		}
	}
	if (eldest(ctx, out, all) != 0)
		out->overdue = leaving->now;
}

static void fill_urgent(struct delivery_context *ctx, struct delivery *c, struct leaving *leaving)
{
	fill_waiting(ctx, c, leaving, PRIORITY_URGENT);
}

static void fill_normal(struct delivery_context *ctx, struct delivery *c, struct leaving *leaving)
{
	fill_waiting(ctx, c, leaving, PRIORITY_NORMAL);
}

static void fill_bulk(struct delivery_context *ctx, struct delivery *c, struct leaving *leaving)
{
	fill_waiting(ctx, c, leaving, PRIORITY_BULK);
}

// ---------------------------------------------------------------- all of them, in order

/// What it has more, it keeps: fillers_due() says when that should leave.
typedef void own_filler(struct delivery_context *ctx, struct delivery *c, struct leaving *leaving);

static own_filler *const own_fillers[] = {
	fill_acknowledgement, fill_repetitions, fill_urgent, fill_normal, fill_bulk,
};

/// One goes first at the latest in the datagram after 2 * FILLERS_MAX that it found no room in, and is not passed over then:
/// among the others, each that goes before it is behind it afterwards.
static_assert(2 * FILLERS_MAX + 1 <= UINT8_MAX, "passed_over does not run over");

/// @param first  it was asked before the delivery's own: what found no room in this datagram finds none in any
static void fill_by(const struct delivery_context *ctx, struct delivery *c, struct leaving *leaving, unsigned i,
		    bool first)
{
	const uint8_t *before = leaving->at;
	const bool more = ctx->filler[i].fill(ctx->filler[i].context, c->who, leaving);

	if (more)
		c->unfinished = leaving->now;
	if (!more || first || leaving->at != before)
		c->passed_over[i] = 0;
	else
		c->passed_over[i]++;
}

/// The filler that was passed over most often, unless the last datagram began with one.
/// @return ctx->fillers: none
static unsigned goes_first(const struct delivery_context *ctx, const struct delivery *c)
{
	unsigned first = ctx->fillers;

	for (unsigned i = 0; i < ctx->fillers && !c->out_of_order; i++)
		if (c->passed_over[i] != 0 && (first == ctx->fillers || c->passed_over[i] > c->passed_over[first]))
			first = i;
	return first;
}

bool fillers_fill(struct delivery_context *ctx, struct delivery *c, struct leaving *leaving)
{
	const unsigned first = goes_first(ctx, c);

	c->out.overdue = 0;
	c->unfinished = 0;
	c->out_of_order = first != ctx->fillers;
	if (c->out_of_order)
		fill_by(ctx, c, leaving, first, true);
	for (size_t i = 0; i < sizeof(own_fillers) / sizeof(own_fillers[0]); i++) {
		own_fillers[i](ctx, c, leaving);
		if (c->out.gave_up)
			return false;
	}
	for (unsigned i = 0; i < ctx->fillers; i++)
		if (i != first)
			fill_by(ctx, c, leaving, i, false);
	return true;
}

uint64_t fillers_due(const struct delivery_context *ctx, const struct delivery *c)
{
	uint64_t due = c->unfinished;

	for (unsigned i = 0; i < ctx->fillers; i++) {
		const uint64_t at = ctx->filler[i].due(ctx->filler[i].context, c->who);

		if (at != UINT64_MAX && (due == 0 || at < due))
			due = at != 0 ? at : 1;
	}
	return due;
}

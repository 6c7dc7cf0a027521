// SPDX-License-Identifier: BSD-3-Clause
// delivery/fillers.c: see fillers.h.

#include "delivery/fillers.h"

#include <string.h>

#include "delivery/delivery.h"
#include "delivery/lists.h"
#include "delivery/prepared.h"
#include "delivery/restart.h"
#include "delivery/stored.h"
#include "message/session_check.h"

// ---------------------------------------------------------------- acknowledgement

/// Its room is in front of the messages, and is written when the datagram is sealed. Whatever leaves has it.
static void fill_acknowledgement(struct delivery_context *ctx, struct delivery *c, struct leaving *leaving)
{
	(void)ctx, (void)leaving;
	c->owed = 0;
}

/// Why a datagram of the peer's was not taken.
static void fill_busy(struct delivery_context *ctx, struct delivery *c, struct leaving *leaving)
{
	const struct session_message head = {.type = SESSION_BUSY, .body_len = sizeof(c->busy)};
	uint8_t *at;

	(void)ctx;
	if (c->busy.reason == PG_REFUSED_NONE)
		return;
	at = leaving_room(leaving, sizeof(head) + sizeof(c->busy));
	if (!at)
		return;
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), &c->busy, sizeof(c->busy));
	c->busy.reason = PG_REFUSED_NONE;
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

/// The datagram has a message that counts as on its way: it leaves within the window.
/// @param due  TSC from which it might have left
static void within_window(const struct delivery_context *ctx, struct outbound *out, uint64_t due, uint64_t now)
{
	if (out->filling)
		return;
	out->filling = true;
	congestion_left(&out->congestion, out->round_trip.smoothed, due, now, ctx->rules->millisecond);
}

static void fly(struct delivery_context *ctx, struct outbound *out, const struct leaving *leaving, uint32_t index)
{
	struct stored *message = stored_at(ctx->pool, index);

	memmove(message->carrier + 1, message->carrier, sizeof(message->carrier) - sizeof(message->carrier[0]));
	message->carrier[0] = leaving->counter;
	if (message->carriers < STORED_CARRIERS)
		message->carriers++;
	message->time = leaving->now;
	flying_append(ctx, out, index);
	out->left++;
}

/// What is on its way for longer than the timeout is lost. Twice in a row, and the window begins again.
static void expire_flying(struct delivery_context *ctx, struct outbound *out, uint64_t now)
{
	const message_list *flying = &outbound_lists(ctx, out)->flying;
	uint32_t lost = 0;
	uint64_t sent = 0;

	while (*flying != POOL_NONE && outbound_timeout_at(ctx, out) <= now) {
		lost = stored_at(ctx->pool, *flying)->carrier[0];
		sent = stored_at(ctx->pool, *flying)->time;
		congestion_lost(&out->congestion, lost, out->sent);
		bulk_lost(&out->bulk);
		flying_lost(ctx, out, *flying);
	}
	if (lost == 0)
		return;
	if (out->timed == 0) {
		out->timed = lost;
		out->timed_at = sent;
	}
	if ((int32_t)(lost - out->timed_out) <= 0) // of the same time
		return;
	out->timed_out = out->sent;
	if (out->timeouts != 0)
		congestion_persists(&out->congestion);
	if (out->timeouts < UINT8_MAX)
		out->timeouts++;
}

static void retry_refused(struct delivery_context *ctx, struct outbound *out, uint64_t now)
{
	struct out_lists *lists = outbound_lists(ctx, out);

	if (lists->later == POOL_NONE || lists->later_at > now)
		return;
	while (lists->later != POOL_NONE) {
		const uint32_t index = lists->later;

		list_remove(ctx->pool, &lists->later, index);
		list_insert_in_order(ctx->pool, &lists->again, index);
	}
	out->paused = 0;
	lists->later_at = 0;
}

/// What was lost or refused, in its order; what does not fit waits for the next datagram.
static void fill_repetitions(struct delivery_context *ctx, struct delivery *c, struct leaving *leaving)
{
	struct outbound *out = &c->out;
	message_list *again = &outbound_lists(ctx, out)->again;

	if (out->lists == POOL_NONE || outbound_window_open_from(out) > leaving->now)
		return;
	for (uint32_t index = *again, next; index != POOL_NONE; index = next) {
		next = stored_at(ctx->pool, index)->next;
		if (!put(ctx->pool, leaving, stored_at(ctx->pool, index)))
			continue;
		within_window(ctx, out, leaving->now, leaving->now);
		list_remove(ctx->pool, again, index);
		fly(ctx, out, leaving, index);
		out->left_again++;
		counter_add(&ctx->stats->resent, 1);
	}
}

/// The queue among `queues` whose first was queued first and may be sent, or 0 when there is none.
static unsigned eldest(const struct delivery_context *ctx, const struct outbound *out, unsigned queues, uint64_t now)
{
	unsigned best = 0;
	uint32_t best_order = 0;

	for (unsigned mask = out->waiting_mask & queues; mask != 0; mask &= mask - 1) {
		const unsigned queue = (unsigned)__builtin_ctz(mask);
		const struct stored *first = stored_at(ctx->pool, outbound_lists(ctx, out)->waiting_in[queue]);

		if ((best != 0 && (int32_t)(first->order - best_order) > 0) ||
		    outbound_leaves_from(ctx, out, queue, now) > now)
			continue;
		best = 1U << queue;
		best_order = first->order;
	}
	return best;
}

/// When the first of a queue, which leaves now, might have left.
static uint64_t might_leave_from(const struct delivery_context *ctx, const struct outbound *out, unsigned queue,
				 uint64_t now)
{
	const struct stored *message = stored_at(ctx->pool, outbound_lists(ctx, out)->waiting_in[queue]);
	const uint64_t from = outbound_leaves_from(ctx, out, queue, now);

	return from > message->time ? from : message->time;
}

static void leave(struct delivery_context *ctx, struct outbound *out, const struct leaving *leaving, unsigned queue,
		  uint32_t index)
{
	const struct stored *message = stored_at(ctx->pool, index);
	const uint64_t due = might_leave_from(ctx, out, queue, leaving->now);

	waiting_remove(ctx, out, queue, index);
	if (queue / OUTBOUND_QUEUES == PRIORITY_BULK && !out->bulk.filling) {
		bulk_leaves(&out->bulk, &out->round_trip, due, leaving->now, ctx->rules->millisecond);
		out->bulk.filling = true;
	}
	if (stored_is_reliable(message) || queue / OUTBOUND_QUEUES != PRIORITY_URGENT)
		within_window(ctx, out, due, leaving->now);
	if (message->cost != 0) {
		const enum pg_request request = session_request(message->type);

		rate_charge(&ctx->pace->conforms_at[request], ctx->pace->rate[request], cost_now(ctx->pace, message),
			    leaving->now);
	}
	if (stored_is_reliable(message)) {
		fly(ctx, out, leaving, index);
	} else {
		forget(ctx, out, index);
		out->messages--;
	}
}

/// Of one priority. A queue whose first does not fit waits for the next datagram.
static void fill_waiting(struct delivery_context *ctx, struct delivery *c, struct leaving *leaving,
			 enum priority priority)
{
	const unsigned all = ((1U << OUTBOUND_QUEUES) - 1) << priority * OUTBOUND_QUEUES;
	struct outbound *out = &c->out;
	unsigned queues = all, best;

	while ((best = eldest(ctx, out, queues, leaving->now)) != 0) {
		const unsigned queue = (unsigned)__builtin_ctz(best);
		const uint32_t index = outbound_lists(ctx, out)->waiting_in[queue];

		if (put(ctx->pool, leaving, stored_at(ctx->pool, index)))
			leave(ctx, out, leaving, queue, index);
		else
			queues &= ~best; // a shorter one of another queue may fit
	}
	if (eldest(ctx, out, all, leaving->now) != 0)
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
	fill_acknowledgement, fill_busy, fill_repetitions, fill_urgent, fill_normal, fill_bulk,
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

/// What is lost, or no longer refused, is to be repeated; and where the path swallows long datagrams, in short ones.
static void look_back(struct delivery_context *ctx, struct delivery *c, uint64_t now)
{
	if (c->out.lists == POOL_NONE)
		return;
	retry_refused(ctx, &c->out, now);
	expire_flying(ctx, &c->out, now);
	path_mtu_timed_out(ctx, c, now);
}

static void limit_to_path(const struct outbound *out, struct leaving *leaving)
{
	if (leaving->end - leaving->at > (ptrdiff_t)prepared_room_of(out))
		leaving->end = leaving->at + prepared_room_of(out);
}

void fillers_fill(struct delivery_context *ctx, struct delivery *c, struct leaving *leaving)
{
	const uint8_t *const begin = leaving->at;
	const unsigned first = goes_first(ctx, c);

	c->out.overdue = 0;
	c->out.sent = (uint32_t)leaving->counter - 1;
	look_back(ctx, c, leaving->now);
	limit_to_path(&c->out, leaving);
	c->unfinished = 0;
	c->out_of_order = first != ctx->fillers;
	if (c->out_of_order)
		fill_by(ctx, c, leaving, first, true);
	for (size_t i = 0; i < sizeof(own_fillers) / sizeof(own_fillers[0]); i++)
		own_fillers[i](ctx, c, leaving);
	for (unsigned i = 0; i < ctx->fillers; i++)
		if (i != first)
			fill_by(ctx, c, leaving, i, false);
	outbound_settle(ctx, &c->out);
	c->out.bulk.asks = c->out.bulk.filling;
	c->out.filling = c->out.bulk.filling = false;
	c->out.sent++;
	path_mtu_left(c, leaving->counter, (uint32_t)(leaving->at - begin));
}

void fillers_fill_restarted(struct delivery_context *ctx, struct delivery *c, struct leaving *leaving)
{
	restart_fill(c, leaving);
	fill_acknowledgement(ctx, c, leaving);
	fill_busy(ctx, c, leaving);
	c->out.sent = leaving->counter;
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

// SPDX-License-Identifier: BSD-3-Clause
// delivery/settled.c: how a message ends: the peer has it, or the connection is over; delivery_context.settled is told.

#include "delivery/lists.h"
#include "delivery/outbound.h"
#include "delivery/stored.h"

#define ACK_REACH 32  // packets before the newest that ack_bits name
#define LOST_BEHIND 3 // one that so many later ones overtook is lost

// ---------------------------------------------------------------- acknowledgement

/// Is the packet acknowledged?
static bool covers(struct arrived arrived, uint32_t counter)
{
	const uint32_t back = arrived.newest - counter;

	return back <= ACK_REACH && arrived.packets >> back & 1;
}

static bool carried(const struct stored *message, struct arrived arrived)
{
	for (unsigned i = 0; i < message->carriers; i++) {
		if (covers(arrived, message->carrier[i]))
			return true;
	}
	return false;
}

static void settle(const struct delivery_context *ctx, const struct stored *message, enum pg_loss loss)
{
	if (message->receipt != 0 && ctx->settled)
		ctx->settled(ctx->settled_context, message->receipt, loss);
}

static uint16_t first_id(const struct stored *message)
{
	return (uint16_t)(message->id - message->fragment.index);
}

static uint16_t last_id(const struct stored *message)
{
	const unsigned pieces = message->fragment.count != 0 ? message->fragment.count : 1;

	return (uint16_t)(first_id(message) + pieces - 1);
}

/// The last piece of a message that the peer has read, or all of it.
static void delivered(struct delivery_context *ctx, struct outbound *out, uint32_t index)
{
	const struct stored *message = stored_at(ctx->pool, index);

	if (message->id == last_id(message)) {
		out->messages--;
		settle(ctx, message, PG_LOSS_NONE);
	}
	forget(ctx, out, index);
}

/// Before this id of a channel all are acknowledged.
static uint16_t first_missing(const struct id_window *window)
{
	uint16_t id = window->oldest;

	while (window_ahead(window, id) < SESSION_CHANNEL_WINDOW && window_done(window, id))
		id++;
	return id;
}

/// On an ordered channel the peer reads a message after those before it, and when all of its pieces are there. Until then all of
/// it is kept: the peer may have to give up what it has.
static void release_held(struct delivery_context *ctx, struct outbound *out, uint8_t channel)
{
	struct id_window *window = &out->window[channel];
	const uint16_t missing = window_ahead(window, first_missing(window));
	uint16_t oldest = missing;

	if (missing == 0)
		return;
	for (uint32_t index = out->held[channel].first, next; index != POOL_NONE; index = next) {
		const struct stored *message = stored_at(ctx->pool, index);
		const uint16_t first = window_ahead(window, first_id(message));

		next = message->next;
		if (window_ahead(window, last_id(message)) < missing) {
			list_remove(ctx->pool, &out->held[channel], index);
			delivered(ctx, out, index);
		} else if (first < oldest) {
			oldest = first;
		}
	}
	for (; oldest > 0; oldest--)
		window_clear(window, window->oldest++);
}

/// @param index  of a message that is in no list
static void arrived_at_peer(struct delivery_context *ctx, struct outbound *out, uint32_t index)
{
	const struct stored *message = stored_at(ctx->pool, index);
	const uint8_t channel = stored_channel(message);
	struct id_window *window = &out->window[channel];

	window_mark(window, message->id);
	if (channel != SESSION_CHANNEL_UNORDERED) {
		list_insert_in_order(ctx->pool, &out->held[channel], index);
		return;
	}
	while (window_done(window, window->oldest))
		window_clear(window, window->oldest++);
	delivered(ctx, out, index);
}

/// Messages on their way that arrived with these packets. The search begins at the newest and ends at the first that is older
/// than an acknowledgement reaches.
/// @return when the newest of these packets was sent, if it was the last to carry one of the messages; else 0
static uint64_t acknowledge_flying(struct delivery_context *ctx, struct outbound *out, struct arrived arrived)
{
	uint64_t sent = 0;

	for (uint32_t index = out->flying.last, previous; index != POOL_NONE; index = previous) {
		const struct stored *message = stored_at(ctx->pool, index);

		previous = message->previous;
		if ((int32_t)(message->carrier[0] - arrived.newest) < -ACK_REACH)
			break;
		if (!carried(message, arrived))
			continue;
		if (message->carrier[0] == arrived.newest)
			sent = message->time;
		flying_remove(ctx, out, index);
		arrived_at_peer(ctx, out, index);
	}
	return sent;
}

/// Messages that were taken for lost and were not.
static void acknowledge_list(struct delivery_context *ctx, struct outbound *out, struct message_list *list,
			     struct arrived arrived)
{
	for (uint32_t index = list->first, next; index != POOL_NONE; index = next) {
		const struct stored *message = stored_at(ctx->pool, index);

		next = message->next;
		if (!carried(message, arrived))
			continue;
		list_remove(ctx->pool, list, index);
		arrived_at_peer(ctx, out, index);
	}
}

/// A repeated message stores when it was sent last, but its first packet may be the one that arrived. If only messages
/// were measured, no round trip longer than the timeout would ever be, and every message would be sent twice.
/// @return when the timed packet was sent, if it is to be measured; else 0
static uint64_t timed_packet(struct outbound *out, struct arrived arrived)
{
	const uint32_t timed = out->timed;

	if (timed == 0 || arrived.newest < timed)
		return 0;
	out->timed = 0;
	return arrived.newest == timed && covers(arrived, timed) ? out->timed_at : 0;
}

/// Three later than these were acknowledged (RFC 9002 6.1.1).
static void overtaken(struct delivery_context *ctx, struct outbound *out, struct arrived arrived)
{
	while (out->flying.first != POOL_NONE) {
		const uint32_t index = out->flying.first, carrier = stored_at(ctx->pool, index)->carrier[0];

		if ((int32_t)(arrived.newest - carrier) < LOST_BEHIND)
			return;
		congestion_lost(&out->congestion, carrier, out->sent);
		flying_lost(ctx, out, index);
	}
}

void outbound_acknowledged(struct delivery_context *ctx, struct outbound *out, struct arrived arrived, uint64_t now)
{
	const unsigned flights = out->flights;
	uint64_t sent = timed_packet(out, arrived);
	const uint64_t flew = acknowledge_flying(ctx, out, arrived);

	sent = flew != 0 ? flew : sent;
	acknowledge_list(ctx, out, &out->again, arrived);
	acknowledge_list(ctx, out, &out->later, arrived);
	for (uint8_t channel = 0; channel < SESSION_CHANNEL_UNORDERED; channel++)
		release_held(ctx, out, channel);
	if (out->flights < flights)
		congestion_acknowledged(&out->congestion, flights - out->flights, flights);
	overtaken(ctx, out, arrived);
	out->timeouts = 0;
	if (sent != 0 && now > sent && arrived.delay != UINT64_MAX)
		round_trip_sample(&out->round_trip, now - sent, arrived.delay, ctx->rules->millisecond, now);
}

// ---------------------------------------------------------------- end

/// The last piece of a message decides: it is kept until the peer has read all of it.
static void list_end(struct delivery_context *ctx, const struct message_list *list, enum pg_loss why)
{
	for (uint32_t index = list->first, next; index != POOL_NONE; index = next) {
		const struct stored *message = stored_at(ctx->pool, index);

		next = message->next;
		if (message->id == last_id(message))
			settle(ctx, message, why);
		stored_free(ctx->pool, index);
	}
}

void outbound_end(struct delivery_context *ctx, struct outbound *out, enum pg_loss why)
{
	if (out->messages != 0)
		counter_add(&ctx->stats->lost[why], out->messages);
	for (unsigned queue = 0; queue < PRIORITIES * OUTBOUND_QUEUES; queue++)
		list_end(ctx, &out->waiting_in[queue], why);
	list_end(ctx, &out->flying, why);
	list_end(ctx, &out->again, why);
	list_end(ctx, &out->later, why);
	for (unsigned channel = 0; channel < SESSION_CHANNEL_UNORDERED; channel++)
		list_end(ctx, &out->held[channel], why);
}

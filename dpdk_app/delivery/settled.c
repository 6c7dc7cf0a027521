// SPDX-License-Identifier: BSD-3-Clause
// delivery/settled.c: how a message ends: the peer has it, or the connection is over; delivery_context.settled is told.

#include "delivery/lists.h"
#include "delivery/outbound.h"
#include "delivery/stored.h"

#define ACK_REACH 32 // packets before the newest that ack_bits name

// ---------------------------------------------------------------- acknowledgement

/// Is the packet acknowledged?
static bool covers(struct arrived arrived, uint32_t counter)
{
	const uint32_t back = arrived.newest - counter;

	return back <= ACK_REACH && arrived.packets >> back & 1;
}

static bool carried(const struct stored *message, struct arrived arrived)
{
	for (unsigned i = message->sends; i-- > 0;) {
		if (covers(arrived, message->carrier[i]))
			return true;
	}
	return false;
}

static bool id_done(const struct id_window *window, uint16_t id)
{
	const uint16_t ahead = window_ahead(window, id);

	return ahead >= 0x8000 || (ahead < SESSION_CHANNEL_WINDOW && window_done(window, id));
}

static void id_acknowledged(struct id_window *window, uint16_t id)
{
	window_mark(window, id);
	while (window_done(window, window->oldest))
		window_clear(window, window->oldest++);
}

/// Of the message that this piece belongs to, are so many pieces acknowledged, counted from the first?
static bool pieces_done(const struct id_window *window, const struct stored *message, uint16_t count)
{
	const uint16_t first = (uint16_t)(message->id - message->fragment.index);

	for (uint16_t piece = 0; piece < count; piece++) {
		if (!id_done(window, (uint16_t)(first + piece)))
			return false;
	}
	return true;
}

static void settle(const struct delivery_context *ctx, const struct stored *message, enum pg_loss loss)
{
	if (message->receipt != 0 && ctx->settled)
		ctx->settled(ctx->settled_context, message->receipt, loss);
}

static uint16_t last_id(const struct stored *message)
{
	const unsigned pieces = message->fragment.count != 0 ? message->fragment.count : 1;

	return (uint16_t)(message->id - message->fragment.index + pieces - 1);
}

static void delivered(struct delivery_context *ctx, struct outbound *out, uint32_t index)
{
	out->messages--;
	settle(ctx, stored_at(ctx->pool, index), PG_LOSS_NONE);
	forget(ctx, out, index);
}

/// On an ordered channel the peer reads a message after those before it. If the connection ends first, the message is
/// lost.
static void release_held(struct delivery_context *ctx, struct outbound *out, uint8_t channel)
{
	for (uint32_t index = out->held[channel].first, next; index != POOL_NONE; index = next) {
		next = stored_at(ctx->pool, index)->next;
		if (!window_behind(&out->window[channel], last_id(stored_at(ctx->pool, index))))
			continue;
		list_remove(ctx->pool, &out->held[channel], index);
		delivered(ctx, out, index);
	}
}

static void arrived_at_peer(struct delivery_context *ctx, struct outbound *out, uint32_t index)
{
	const struct stored *message = stored_at(ctx->pool, index);
	const uint8_t channel = stored_channel(message);
	struct id_window *window = &out->window[channel];

	id_acknowledged(window, message->id);
	flying_remove(ctx, out, index);
	if (!pieces_done(window, message, message->fragment.count))
		forget(ctx, out, index); // the last piece settles the message
	else if (channel == SESSION_CHANNEL_UNORDERED)
		delivered(ctx, out, index);
	else
		list_append(ctx->pool, &out->held[channel], index);
	if (channel != SESSION_CHANNEL_UNORDERED)
		release_held(ctx, out, channel);
}

/// Settle the list's messages that arrived with these packets. The search begins at the newest message and ends at the
/// first that is older than an acknowledgement reaches.
/// @return when the newest of these packets was sent, if it was the last to carry one of the messages; else 0
static uint64_t acknowledge_list(struct delivery_context *ctx, struct outbound *out, unsigned list,
				 struct arrived arrived, bool *any)
{
	uint64_t sent = 0;

	for (uint32_t index = out->flying[list].last, previous; index != POOL_NONE; index = previous) {
		const struct stored *message = stored_at(ctx->pool, index);
		const uint32_t last = message->carrier[message->sends - 1];

		previous = message->previous;
		if ((int32_t)(last - arrived.newest) < -ACK_REACH)
			break;
		if (!carried(message, arrived))
			continue;
		if (last == arrived.newest)
			sent = message->time;
		arrived_at_peer(ctx, out, index);
		*any = true;
	}
	return sent;
}

/// A repeated message stores when it was sent last, but its first packet may be the one that arrived. If only messages
/// were measured, no round trip longer than the least timeout would ever be, and every message would be sent twice.
/// @return when the timed packet was sent, if it is to be measured; else 0
static uint64_t timed_packet(struct outbound *out, struct arrived arrived)
{
	const uint32_t timed = out->timed;

	if (timed == 0 || arrived.newest < timed)
		return 0;
	out->timed = 0;
	return arrived.newest == timed && covers(arrived, timed) ? out->timed_at : 0;
}

bool outbound_acknowledged(struct delivery_context *ctx, struct outbound *out, struct arrived arrived, uint64_t now)
{
	uint64_t sent = timed_packet(out, arrived);
	bool any = false;

	for (unsigned mask = out->flying_mask; mask != 0; mask &= mask - 1) {
		const uint64_t at = acknowledge_list(ctx, out, (unsigned)__builtin_ctz(mask), arrived, &any);

		sent = at != 0 ? at : sent;
	}
	if (sent != 0 && now > sent && arrived.delay != UINT64_MAX)
		round_trip_sample(&out->round_trip, now - sent, arrived.delay);
	return any;
}

// ---------------------------------------------------------------- end

/// Of a message in fragments, the first fragment that was not acknowledged decides.
static void list_end(struct delivery_context *ctx, const struct outbound *out, const struct message_list *list,
		     enum pg_loss why)
{
	for (uint32_t index = list->first, next; index != POOL_NONE; index = next) {
		const struct stored *message = stored_at(ctx->pool, index);

		next = message->next;
		if (pieces_done(&out->window[stored_channel(message)], message, message->fragment.index))
			settle(ctx, message, why);
		stored_free(ctx->pool, index);
	}
}

void outbound_end(struct delivery_context *ctx, struct outbound *out, enum pg_loss why)
{
	if (out->messages != 0)
		counter_add(&ctx->stats->lost[why], out->messages);
	for (unsigned queue = 0; queue < PRIORITIES * OUTBOUND_QUEUES; queue++)
		list_end(ctx, out, &out->waiting_in[queue], why);
	for (unsigned list = 0; list <= DELIVERY_RESENDS_MAX; list++)
		list_end(ctx, out, &out->flying[list], why);
	for (unsigned channel = 0; channel < SESSION_CHANNEL_UNORDERED; channel++)
		list_end(ctx, out, &out->held[channel], why);
}

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

/// So many ids of an ordered channel, from the oldest on, are acknowledged.
static uint16_t acknowledged_in_a_row(const struct delivery_context *ctx, message_list held, uint16_t oldest)
{
	uint16_t row = 0;

	for (uint32_t index = held; index != POOL_NONE; index = stored_at(ctx->pool, index)->next, row++)
		if (id_ahead(oldest, stored_at(ctx->pool, index)->id) != row)
			break;
	return row;
}

/// On an ordered channel the peer reads a message after those before it, and when all of its pieces are there. Until then all of
/// it is kept: the peer may have to give up what it has.
static void release_held(struct delivery_context *ctx, struct outbound *out, uint8_t channel)
{
	message_list *held = &outbound_lists(ctx, out)->held[channel];
	const uint16_t oldest = out->oldest[channel], missing = acknowledged_in_a_row(ctx, *held, oldest);

	for (uint16_t row = 0; row < missing; row++) {
		const uint32_t index = *held;

		if (id_ahead(oldest, last_id(stored_at(ctx->pool, index))) >= missing)
			return;
		out->oldest[channel]++;
		list_remove(ctx->pool, held, index);
		delivered(ctx, out, index);
	}
}

/// @param index  of a message that is in no list
static void arrived_at_peer(struct delivery_context *ctx, struct outbound *out, uint32_t index)
{
	const struct stored *message = stored_at(ctx->pool, index);
	const uint8_t channel = stored_channel(message);
	struct out_lists *lists = outbound_lists(ctx, out);
	uint16_t *oldest = &out->oldest[channel];

	if (channel != SESSION_CHANNEL_UNORDERED) {
		list_insert_in_order(ctx->pool, &lists->held[channel], index);
		return;
	}
	id_mark(&lists->acknowledged, message->id);
	while (id_is_done(&lists->acknowledged, *oldest))
		id_clear(&lists->acknowledged, (*oldest)++);
	delivered(ctx, out, index);
}

/// Messages on their way that arrived with these packets. The search begins at the newest and ends at the first that is older
/// than an acknowledgement reaches.
/// @return when the newest of these packets was sent, if it was the last to carry one of the messages; else 0
static uint64_t acknowledge_flying(struct delivery_context *ctx, struct outbound *out, struct arrived arrived)
{
	const message_list *flying = &outbound_lists(ctx, out)->flying;
	uint64_t sent = 0;

	for (uint32_t index = list_last(ctx->pool, *flying), previous; index != POOL_NONE; index = previous) {
		const struct stored *message = stored_at(ctx->pool, index);

		previous = list_previous(ctx->pool, *flying, index);
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
static void acknowledge_list(struct delivery_context *ctx, struct outbound *out, message_list *list,
			     struct arrived arrived)
{
	for (uint32_t index = *list, next; index != POOL_NONE; index = next) {
		const struct stored *message = stored_at(ctx->pool, index);

		next = message->next;
		if (!carried(message, arrived))
			continue;
		list_remove(ctx->pool, list, index);
		arrived_at_peer(ctx, out, index);
	}
}

/// A repeated message stores when it was sent last, but an earlier packet may be the one that arrived. If only messages
/// were measured, no round trip longer than the timeout would ever be, and every message would be sent twice. So of those that
/// time out together, the last is remembered: the peer names it, if they come to it together.
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
	const message_list *flying = &outbound_lists(ctx, out)->flying;

	while (*flying != POOL_NONE) {
		const uint32_t index = *flying, carrier = stored_at(ctx->pool, index)->carrier[0];

		if ((int32_t)(arrived.newest - carrier) < LOST_BEHIND)
			return;
		congestion_lost(&out->congestion, carrier, out->sent);
		bulk_lost(&out->bulk);
		flying_lost(ctx, out, index);
	}
}

/// @param came  the acknowledgement did
/// @return as acknowledge_flying()
static uint64_t acknowledge_messages(struct delivery_context *ctx, struct outbound *out, struct arrived arrived,
				     uint64_t came)
{
	const unsigned flights = out->flights;
	const uint64_t flew = acknowledge_flying(ctx, out, arrived);
	struct out_lists *lists = outbound_lists(ctx, out);

	acknowledge_list(ctx, out, &lists->again, arrived);
	acknowledge_list(ctx, out, &lists->later, arrived);
	if (lists->later == POOL_NONE) // what was refused had come before
		out->paused = 0;
	for (uint8_t channel = 0; channel < SESSION_CHANNEL_UNORDERED; channel++)
		release_held(ctx, out, channel);
	if (out->flights < flights)
		congestion_acknowledged(&out->congestion, flights - out->flights, flights, came);
	overtaken(ctx, out, arrived);
	outbound_settle(ctx, out);
	return flew;
}

void outbound_acknowledged(struct delivery_context *ctx, struct outbound *out, struct arrived arrived, uint64_t now)
{
	const uint64_t came = now - ctx->waited;
	uint64_t sent = timed_packet(out, arrived);

	if (out->lists != POOL_NONE) {
		const uint64_t flew = acknowledge_messages(ctx, out, arrived, came);

		sent = flew != 0 ? flew : sent;
	}
	out->timeouts = 0;
	if (sent != 0 && came > sent && arrived.delay != UINT64_MAX) {
		round_trip_sample(&out->round_trip, came - sent, arrived.delay, ctx->rules->millisecond, now);
		bulk_sample(&out->bulk, &out->round_trip, sent, now, ctx->rules->millisecond);
	}
}

// ---------------------------------------------------------------- a process of the peer died

static bool next_process_has(const struct session_restarted *restarted, const struct stored *message)
{
	const uint8_t channel = stored_channel(message);
	const uint16_t ahead = (uint16_t)(message->id - restarted->next_in[channel]);

	if (channel == SESSION_CHANNEL_UNORDERED && ahead < SESSION_CHANNEL_WINDOW)
		return restarted->seen[ahead / 8] >> ahead % 8 & 1;
	return ahead >= 0x8000;
}

static void deliver_known(struct delivery_context *ctx, struct outbound *out, message_list *list,
			  const struct session_restarted *restarted)
{
	for (uint32_t index = *list, next; index != POOL_NONE; index = next) {
		const struct stored *message = stored_at(ctx->pool, index);

		next = message->next;
		if (!next_process_has(restarted, message))
			continue;
		list_remove(ctx->pool, list, index);
		arrived_at_peer(ctx, out, index);
	}
}

void outbound_restarted(struct delivery_context *ctx, struct outbound *out, const struct session_restarted *restarted)
{
	struct out_lists *lists = outbound_lists(ctx, out);

	out->timeouts = 0;
	out->timed = 0;
	if (out->lists == POOL_NONE)
		return;
	outbound_unacknowledged(ctx, out, OUTBOUND_IN_ORDER | 1U << SESSION_CHANNEL_UNORDERED);
	deliver_known(ctx, out, &lists->again, restarted);
	deliver_known(ctx, out, &lists->later, restarted);
	if (lists->later == POOL_NONE)
		out->paused = 0;
	for (uint8_t channel = 0; channel < SESSION_CHANNEL_UNORDERED; channel++)
		release_held(ctx, out, channel);
	outbound_settle(ctx, out);
}

// ---------------------------------------------------------------- end

/// The last piece of a message decides: it is kept until the peer has read all of it.
static void list_end(struct delivery_context *ctx, message_list list, enum pg_loss why)
{
	for (uint32_t index = list, next; index != POOL_NONE; index = next) {
		const struct stored *message = stored_at(ctx->pool, index);

		next = message->next;
		if (message->id == last_id(message))
			settle(ctx, message, why);
		stored_free(ctx->pool, index);
	}
}

void outbound_end(struct delivery_context *ctx, struct outbound *out, enum pg_loss why)
{
	const struct out_lists *lists = outbound_lists(ctx, out);

	if (out->lists == POOL_NONE)
		return;
	counter_add(&ctx->stats->lost[why], out->messages);
	for (unsigned queue = 0; queue < PRIORITIES * OUTBOUND_QUEUES; queue++)
		list_end(ctx, lists->waiting_in[queue], why);
	list_end(ctx, lists->flying, why);
	list_end(ctx, lists->again, why);
	list_end(ctx, lists->later, why);
	for (unsigned channel = 0; channel < SESSION_CHANNEL_UNORDERED; channel++)
		list_end(ctx, lists->held[channel], why);
	out->messages = 0;
	outbound_settle(ctx, out);
}

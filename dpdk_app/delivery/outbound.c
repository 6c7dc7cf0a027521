// SPDX-License-Identifier: BSD-3-Clause
// delivery/outbound.c: a message waits in the queue of its priority and channel until a packet has room for it (fillers.c).
//
// Ids are given when a message is queued, so a channel is in that order whatever the priorities; a queue stands still
// while its first id is not in the window, or while its channel has something that the peer refused.

#include "delivery/outbound.h"

#include "delivery/lists.h"
#include "delivery/prepared.h"
#include "delivery/stored.h"

// ---------------------------------------------------------------- lost, refused, moved

static void all_lost(struct delivery_context *ctx, struct out_lists *lists, message_list *list)
{
	while (*list != POOL_NONE) {
		const uint32_t index = *list;

		list_remove(ctx->pool, list, index);
		list_insert_in_order(ctx->pool, &lists->again, index);
	}
}

void outbound_moved(struct delivery_context *ctx, struct outbound *out)
{
	if (out->lists != POOL_NONE)
		all_lost(ctx, outbound_lists(ctx, out), &outbound_lists(ctx, out)->flying);
	out->flights = 0;
	out->timeouts = 0;
	out->timed = 0;
	out->congestion = (struct congestion){0};
	out->bulk = (struct bulk_pace){0};
	out->round_trip = (struct round_trip){0};
}

void outbound_refused(struct delivery_context *ctx, struct outbound *out, uint32_t counter, uint64_t retry)
{
	struct out_lists *lists = outbound_lists(ctx, out);

	if (out->lists == POOL_NONE)
		return;
	for (uint32_t index = list_last(ctx->pool, lists->flying), previous; index != POOL_NONE; index = previous) {
		const struct stored *message = stored_at(ctx->pool, index);

		previous = list_previous(ctx->pool, lists->flying, index);
		if ((int32_t)(message->carrier[0] - counter) < 0)
			break;
		if (message->carrier[0] != counter)
			continue;
		flying_remove(ctx, out, index);
		list_insert_in_order(ctx->pool, &lists->later, index);
		out->paused |= (uint8_t)(1U << stored_channel(message));
	}
	if (lists->later != POOL_NONE && retry > lists->later_at)
		lists->later_at = retry;
}

/// No packet that carried them so far counts: what is acknowledged of those is of before.
static void forget_carriers(struct delivery_context *ctx, message_list list, unsigned channels)
{
	for (uint32_t index = list; index != POOL_NONE; index = stored_at(ctx->pool, index)->next)
		if (channels >> stored_channel(stored_at(ctx->pool, index)) & 1)
			stored_at(ctx->pool, index)->carriers = 0;
}

void outbound_unacknowledged(struct delivery_context *ctx, struct outbound *out, unsigned channels)
{
	struct out_lists *lists = outbound_lists(ctx, out);

	if (out->lists == POOL_NONE)
		return;
	for (uint32_t index = lists->flying, next; index != POOL_NONE; index = next) {
		next = stored_at(ctx->pool, index)->next;
		if (channels >> stored_channel(stored_at(ctx->pool, index)) & 1)
			flying_lost(ctx, out, index);
	}
	for (unsigned channel = 0; channel < SESSION_CHANNEL_UNORDERED; channel++)
		all_lost(ctx, lists, &lists->held[channel]);
	forget_carriers(ctx, lists->again, channels);
	forget_carriers(ctx, lists->later, channels);
}

// ---------------------------------------------------------------- when

uint64_t outbound_timeout_at(const struct delivery_context *ctx, const struct outbound *out)
{
	const struct delivery_rules *rules = ctx->rules;
	const uint64_t sent = stored_at(ctx->pool, outbound_lists(ctx, out)->flying)->time;
	const bool silent = sent > out->heard + ROUND_TRIP_SILENT_MS * rules->millisecond;
	const uint64_t at = sent + round_trip_timeout(&out->round_trip, rules->resend_after_min, out->timeouts, silent,
						      rules->millisecond);

	return ctx->unread_from != 0 && at > ctx->unread_from ? UINT64_MAX : at;
}

uint64_t outbound_window_open_from(const struct outbound *out)
{
	if (out->filling)
		return 0;
	if (out->flights >= congestion_window(&out->congestion))
		return UINT64_MAX;
	return congestion_paced_from(&out->congestion, out->round_trip.smoothed);
}

uint64_t outbound_leaves_from(const struct delivery_context *ctx, const struct outbound *out, unsigned queue,
			      uint64_t now)
{
	const struct stored *first = stored_at(ctx->pool, outbound_lists(ctx, out)->waiting_in[queue]);
	const unsigned priority = queue / OUTBOUND_QUEUES;
	const uint64_t open = outbound_window_open_from(out);
	uint64_t from = open;

	if (priority == PRIORITY_BULK && !out->bulk.filling) {
		from = bulk_leaves_from(&out->bulk, &out->round_trip, ctx->rules->millisecond);
		from = open > from ? open : from;
	}
	if (!stored_is_reliable(first))
		from = priority == PRIORITY_URGENT ? 0 : from;
	else if (!in_window(out, first) || out->paused >> stored_channel(first) & 1)
		return UINT64_MAX;
	if (ctx->pace && first->cost != 0) {
		const enum pg_request request = session_request(first->type);

		const uint64_t conforms = rate_conforms(ctx->pace->conforms_at[request], ctx->pace->rate[request],
							cost_now(ctx->pace, first), now);

		from = conforms > from ? conforms : from;
	}
	return from;
}

static uint64_t waiting_wake(const struct delivery_context *ctx, const struct outbound *out, uint64_t now)
{
	uint64_t wake = UINT64_MAX;

	for (unsigned mask = out->waiting_mask; mask != 0; mask &= mask - 1) {
		const unsigned queue = (unsigned)__builtin_ctz(mask);
		const struct stored *first = stored_at(ctx->pool, outbound_lists(ctx, out)->waiting_in[queue]);
		const uint64_t due = out->overdue != 0 && out->overdue < first->time ? out->overdue : first->time;
		const uint64_t from = outbound_leaves_from(ctx, out, queue, now);
		const uint64_t at = due > from ? due : from;

		wake = at < wake ? at : wake;
	}
	return wake;
}

uint64_t outbound_wake(const struct delivery_context *ctx, const struct outbound *out, uint64_t now)
{
	const struct out_lists *lists = outbound_lists(ctx, out);
	uint64_t wake;

	if (out->lists == POOL_NONE)
		return 0;
	wake = waiting_wake(ctx, out, now);
	if (lists->flying != POOL_NONE) {
		const uint64_t at = outbound_timeout_at(ctx, out);

		wake = at < wake ? at : wake;
	}
	if (lists->again != POOL_NONE) {
		const uint64_t open = outbound_window_open_from(out);

		wake = open < wake ? open : wake;
	}
	if (lists->later != POOL_NONE && lists->later_at < wake)
		wake = lists->later_at;
	if (wake == UINT64_MAX)
		return UINT64_MAX - 1;
	return wake != 0 ? wake : 1;
}

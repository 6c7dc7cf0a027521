// SPDX-License-Identifier: BSD-3-Clause
// delivery/outbound.c: a message waits in the queue of its priority and channel until a packet has room for it (fillers.c).
//
// Ids are given when a message is queued, so a channel is in that order whatever the priorities; a queue stands still
// while its first id is not in the window.

#include "delivery/outbound.h"

#include "delivery/lists.h"
#include "delivery/prepared.h"
#include "delivery/stored.h"
#include "message/session_check.h"

/// One piece, or all of it, into its queue.
static void queue_piece(struct delivery_context *ctx, struct outbound *out, const struct prepared *prepared,
			const struct outgoing *message, uint16_t piece, uint64_t due)
{
	const struct session_fragment fragment = {.index = piece, .count = prepared->pieces};
	const uint32_t from = (uint32_t)piece * prepared->slice;
	const uint32_t rest = prepared->length - from;
	const uint32_t length = rest < prepared->slice ? rest : prepared->slice;
	const uint32_t head = prepared->pieces > 1 ? (uint32_t)sizeof(fragment) : 0;
	const uint32_t index = stored_make(ctx->pool, &fragment, head, prepared->body + from, length);
	struct stored *stored = stored_at(ctx->pool, index);
	const unsigned lane = message->reliable ? message->channel : SESSION_CHANNELS;

	stored->type = message->type;
	stored->flags = prepared->flags;
	stored->order = out->order++;
	stored->time = due;
	if (prepared->pieces > 1)
		stored->fragment = fragment;
	if (message->reliable) {
		stored->id = out->window[message->channel].next++;
		stored->receipt = message->receipt;
	}
	waiting_append(ctx, out, message->priority * OUTBOUND_QUEUES + lane, index);
}

/// Would waiting for more fill the packet no better?
static bool packet_full(const struct delivery_context *ctx, const struct outbound *out)
{
	if (out->waiting_bytes < prepared_room_of(out) && out->waiting < SESSION_MESSAGES_MAX)
		return false;
	for (unsigned mask = out->waiting_mask; mask != 0; mask &= mask - 1) {
		if (!in_window(out, stored_at(ctx->pool, out->waiting_in[__builtin_ctz(mask)].first)))
			return false;
	}
	return true;
}

static void count_sent(const struct delivery_context *ctx, uint8_t type)
{
	const enum pg_event event = session_event(type);

	if (event != PG_EVENTS)
		counter_add(&ctx->stats->sent[event], 1);
}

enum pg_loss outbound_queue(struct delivery_context *ctx, struct outbound *out, const struct outgoing *message,
			    uint64_t now)
{
	const uint64_t due = message->priority == PRIORITY_URGENT ? now : now + ctx->rules->flush_after;
	struct prepared prepared;
	const enum pg_loss loss = prepared_pack(ctx, out, &prepared, message);

	if (loss != PG_LOSS_NONE) {
		counter_add(&ctx->stats->lost[loss], 1);
		return loss;
	}
	for (uint16_t piece = 0; piece < prepared.pieces; piece++)
		queue_piece(ctx, out, &prepared, message, piece, due);
	out->blocks += prepared.blocks;
	out->messages++;
	if (out->overdue == 0 && packet_full(ctx, out))
		out->overdue = now;
	count_sent(ctx, message->type);
	return PG_LOSS_NONE;
}

/// A message's time of 0 is long ago, and not measured when it is acknowledged.
void outbound_moved(const struct delivery_context *ctx, struct outbound *out)
{
	for (unsigned list = 0; list < ctx->rules->resends && list < DELIVERY_RESENDS_MAX; list++) {
		for (uint32_t index = out->flying[list].first; index != POOL_NONE;) {
			struct stored *message = stored_at(ctx->pool, index);

			message->time = 0;
			index = message->next;
		}
	}
}

uint64_t outbound_wake(const struct delivery_context *ctx, const struct outbound *out)
{
	uint64_t wake = UINT64_MAX;

	for (unsigned mask = out->flying_mask; mask != 0; mask &= mask - 1) {
		const uint64_t due = repetition_due(ctx, out, (unsigned)__builtin_ctz(mask));

		wake = due < wake ? due : wake;
	}
	for (unsigned mask = out->waiting_mask; mask != 0; mask &= mask - 1) {
		const struct stored *first = stored_at(ctx->pool, out->waiting_in[__builtin_ctz(mask)].first);
		const uint64_t due = out->overdue != 0 && out->overdue < first->time ? out->overdue : first->time;

		if (in_window(out, first) && due < wake)
			wake = due;
	}
	if (wake == UINT64_MAX)
		return 0;
	return wake != 0 ? wake : 1;
}

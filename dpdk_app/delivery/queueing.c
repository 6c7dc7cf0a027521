// SPDX-License-Identifier: BSD-3-Clause
// delivery/queueing.c: messages into the queues of their receivers: see outbound.h and broadcast.h.

#include "delivery/broadcast.h"
#include "delivery/lists.h"
#include "delivery/piece.h"
#include "delivery/prepared.h"
#include "delivery/stored.h"
#include "message/session_check.h"

// ---------------------------------------------------------------- into the queues

/// What a message costs of the peer's limits; 0 where nobody paces.
static uint8_t cost_of(const struct delivery_context *ctx, const struct stored *stored, const struct prepared *prepared,
		       uint32_t whole)
{
	const enum pg_request request = session_request(stored->type);
	const struct rate *rate = ctx->pace && request != PG_REQUESTS ? &ctx->pace->rate[request] : NULL;
	const uint32_t from = (uint32_t)stored->fragment.index * SESSION_PIECE;
	uint32_t burst, cost;

	if (!rate || rate->interval == 0)
		return 0;
	burst = rate_burst(*rate);
	if (prepared->flags & SESSION_MESSAGE_COMPRESSED)
		cost = from == 0 ? costs_before(whole, burst) : 0;
	else
		cost = costs_before(from + stored->length - (prepared->pieces > 1 ? 4 : 0), burst) -
		       costs_before(from, burst);
	return (uint8_t)(cost == 0 && from == 0 ? 1 : cost);
}

/// One piece, or all of it. There are blocks for it.
static uint32_t make_piece(struct delivery_context *ctx, const struct prepared *prepared,
			   const struct outgoing *message, uint16_t piece)
{
	const struct session_fragment fragment = {.index = piece, .count = prepared->pieces};
	const uint32_t from = (uint32_t)piece * SESSION_PIECE;
	const uint32_t rest = prepared->length - from;
	const uint32_t length = prepared->pieces > 1 && rest > SESSION_PIECE ? SESSION_PIECE : rest;
	const uint32_t head = prepared->pieces > 1 ? (uint32_t)sizeof(fragment) : 0;
	const uint32_t index = stored_make(ctx->pool, &fragment, head, prepared->body + from, length);
	struct stored *stored = stored_at(ctx->pool, index);

	stored->type = message->type;
	stored->flags = prepared->flags;
	if (prepared->pieces > 1)
		stored->fragment = fragment;
	stored->cost = cost_of(ctx, stored, prepared, message->length);
	return index;
}

/// Into its queue.
static void queue_piece(struct delivery_context *ctx, struct outbound *out, uint32_t index,
			const struct outgoing *message, uint64_t due)
{
	struct stored *stored = stored_at(ctx->pool, index);
	const unsigned lane = message->reliable ? message->channel : SESSION_CHANNELS;

	stored->order = out->order++;
	stored->time = due;
	if (message->reliable) {
		stored->id = out->next[message->channel]++;
		stored->receipt = message->receipt;
	}
	waiting_append(ctx, out, message->priority * OUTBOUND_QUEUES + lane, index);
}

/// Would waiting for more fill the packet no better?
static bool packet_full(const struct delivery_context *ctx, const struct outbound *out)
{
	const message_list *waiting_in = outbound_lists(ctx, out)->waiting_in;

	if (out->waiting_bytes < prepared_room_of(out) && out->waiting < SESSION_MESSAGES_MAX)
		return false;
	for (unsigned mask = out->waiting_mask; mask != 0; mask &= mask - 1) {
		if (!in_window(out, stored_at(ctx->pool, waiting_in[__builtin_ctz(mask)])))
			return false;
	}
	return true;
}

/// For the first message. There is a block for them.
static void make_lists(struct delivery_context *ctx, struct outbound *out)
{
	out->lists = pool_take(ctx->pool);
	*outbound_lists(ctx, out) = (struct out_lists){0};
}

static void count_sent(const struct delivery_context *ctx, uint8_t type)
{
	const enum pg_event event = session_event(type);

	if (event != PG_EVENTS)
		counter_add(&ctx->stats->sent[event], 1);
}

static uint64_t due_at(const struct delivery_context *ctx, const struct outgoing *message, uint64_t now)
{
	return message->priority == PRIORITY_URGENT ? now : now + ctx->rules->flush_after;
}

static enum pg_loss lose(const struct delivery_context *ctx, enum pg_loss loss)
{
	counter_add(&ctx->stats->lost[loss], 1);
	return loss;
}

/// All its pieces are in their queue.
static enum pg_loss queued(struct delivery_context *ctx, struct outbound *out, uint32_t blocks, uint8_t type,
			   uint64_t now)
{
	if (out->messages++ == 0)
		out->heard = now;
	out->blocks += blocks;
	if (out->overdue == 0 && packet_full(ctx, out))
		out->overdue = now;
	count_sent(ctx, type);
	return PG_LOSS_NONE;
}

enum pg_loss outbound_queue(struct delivery_context *ctx, struct outbound *out, const struct outgoing *message,
			    uint64_t now)
{
	struct prepared prepared;
	enum pg_loss loss = prepared_pack(ctx, &prepared, message);

	if (loss == PG_LOSS_NONE)
		loss = prepared_fits(ctx, out, &prepared, message, prepared.blocks);
	if (loss != PG_LOSS_NONE)
		return lose(ctx, loss);
	if (out->lists == POOL_NONE)
		make_lists(ctx, out);
	for (uint16_t piece = 0; piece < prepared.pieces; piece++)
		queue_piece(ctx, out, make_piece(ctx, &prepared, message, piece), message, due_at(ctx, message, now));
	return queued(ctx, out, prepared.blocks, message->type, now);
}

// ---------------------------------------------------------------- to many

void broadcast_begin(struct delivery_context *ctx, struct broadcast *broadcast, const struct outgoing *message)
{
	struct prepared *prepared = &broadcast->prepared;
	uint32_t *link = &broadcast->first;

	*broadcast = (struct broadcast){.head = *message, .first = POOL_NONE};
	broadcast->loss = prepared_pack(ctx, prepared, message);
	if (broadcast->loss != PG_LOSS_NONE)
		return;
	if (!pool_has(ctx->pool, prepared->blocks + prepared->pieces)) {
		broadcast->loss = PG_LOSS_NO_MEMORY;
		return;
	}
	for (uint16_t piece = 0; piece < prepared->pieces; piece++) {
		*link = make_piece(ctx, prepared, message, piece);
		(void)stored_share(ctx->pool, *link); // there are blocks for it
		link = &stored_at(ctx->pool, *link)->next;
	}
}

enum pg_loss broadcast_queue(struct delivery_context *ctx, struct outbound *out, const struct broadcast *broadcast,
			     uint64_t now)
{
	const struct outgoing *head = &broadcast->head;
	const struct prepared *prepared = &broadcast->prepared;
	const enum pg_loss loss = broadcast->loss != PG_LOSS_NONE ?
					  broadcast->loss :
					  prepared_fits(ctx, out, prepared, head, prepared->pieces);

	if (loss != PG_LOSS_NONE)
		return lose(ctx, loss);
	if (out->lists == POOL_NONE)
		make_lists(ctx, out);
	for (uint32_t at = broadcast->first; at != POOL_NONE; at = stored_at(ctx->pool, at)->next)
		queue_piece(ctx, out, stored_another(ctx->pool, at), head, due_at(ctx, head, now));
	return queued(ctx, out, prepared->blocks, head->type, now);
}

void broadcast_end(struct delivery_context *ctx, struct broadcast *broadcast)
{
	while (broadcast->first != POOL_NONE) {
		const uint32_t index = broadcast->first;

		broadcast->first = stored_at(ctx->pool, index)->next;
		stored_free(ctx->pool, index);
	}
}

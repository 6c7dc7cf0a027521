// SPDX-License-Identifier: BSD-3-Clause
// delivery/lists.h: the lists that a message to be sent is in, one after the other: what waits, what is on its way, what was lost
// or refused, and what is acknowledged but not read.
//
// Messages in flight are in the order of the packets that carried them last: the first is the first to be lost, and an
// acknowledgement looks no further back than it reaches.

#ifndef POLLGATE_DELIVERY_LISTS_H
#define POLLGATE_DELIVERY_LISTS_H

#include "delivery/outbound.h"
#include "delivery/stored.h"

/// Behind `after`, which POOL_NONE is before the first.
static inline void list_insert(struct message_pool *pool, struct message_list *list, uint32_t after, uint32_t index)
{
	struct stored *message = stored_at(pool, index);
	const uint32_t before = after != POOL_NONE ? stored_at(pool, after)->next : list->first;

	message->previous = after;
	message->next = before;
	if (after != POOL_NONE)
		stored_at(pool, after)->next = index;
	else
		list->first = index;
	if (before != POOL_NONE)
		stored_at(pool, before)->previous = index;
	else
		list->last = index;
}

static inline void list_append(struct message_pool *pool, struct message_list *list, uint32_t index)
{
	list_insert(pool, list, list->last, index);
}

/// Into a list that is in the order of being queued.
static inline void list_insert_in_order(struct message_pool *pool, struct message_list *list, uint32_t index)
{
	const uint32_t order = stored_at(pool, index)->order;
	uint32_t after = list->last;

	while (after != POOL_NONE && (int32_t)(stored_at(pool, after)->order - order) > 0)
		after = stored_at(pool, after)->previous;
	list_insert(pool, list, after, index);
}

static inline void list_remove(struct message_pool *pool, struct message_list *list, uint32_t index)
{
	const struct stored *message = stored_at(pool, index);

	if (message->previous != POOL_NONE)
		stored_at(pool, message->previous)->next = message->next;
	else
		list->first = message->next;
	if (message->next != POOL_NONE)
		stored_at(pool, message->next)->previous = message->previous;
	else
		list->last = message->previous;
}

static inline void waiting_append(struct delivery_context *ctx, struct outbound *out, unsigned queue, uint32_t index)
{
	list_append(ctx->pool, &out->waiting_in[queue], index);
	out->waiting_mask |= (uint16_t)(1U << queue);
	out->waiting++;
	out->waiting_bytes += stored_wire_length(stored_at(ctx->pool, index));
}

static inline void waiting_remove(struct delivery_context *ctx, struct outbound *out, unsigned queue, uint32_t index)
{
	list_remove(ctx->pool, &out->waiting_in[queue], index);
	if (out->waiting_in[queue].first == POOL_NONE)
		out->waiting_mask &= (uint16_t) ~(1U << queue);
	out->waiting--;
	out->waiting_bytes -= stored_wire_length(stored_at(ctx->pool, index));
}

/// Did the same packet carry both last?
static inline bool flew_together(struct message_pool *pool, uint32_t index, const struct stored *message)
{
	return index != POOL_NONE && stored_at(pool, index)->carrier[0] == message->carrier[0];
}

static inline void flying_append(struct delivery_context *ctx, struct outbound *out, uint32_t index)
{
	if (!flew_together(ctx->pool, out->flying.last, stored_at(ctx->pool, index)))
		out->flights++;
	list_append(ctx->pool, &out->flying, index);
}

static inline void flying_remove(struct delivery_context *ctx, struct outbound *out, uint32_t index)
{
	const struct stored *message = stored_at(ctx->pool, index);

	if (!flew_together(ctx->pool, message->previous, message) && !flew_together(ctx->pool, message->next, message))
		out->flights--;
	list_remove(ctx->pool, &out->flying, index);
}

/// A message that was on its way is lost.
static inline void flying_lost(struct delivery_context *ctx, struct outbound *out, uint32_t index)
{
	flying_remove(ctx, out, index);
	list_insert_in_order(ctx->pool, &out->again, index);
}

/// May the message be sent, or does its channel wait for acknowledgements?
static inline bool in_window(const struct outbound *out, const struct stored *message)
{
	return !stored_is_reliable(message) ||
	       window_ahead(&out->window[stored_channel(message)], message->id) < SESSION_CHANNEL_WINDOW;
}

static inline void forget(struct delivery_context *ctx, struct outbound *out, uint32_t index)
{
	out->blocks -= stored_free(ctx->pool, index);
}

#endif

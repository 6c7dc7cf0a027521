// SPDX-License-Identifier: BSD-3-Clause
// delivery/lists.h: the lists that a message to be sent is in, one after the other: what waits, what is on its way, what was lost
// or refused, and what is acknowledged but not read.
//
// Messages in flight are in the order of the packets that carried them last: the first is the first to be lost, and an
// acknowledgement looks no further back than it reaches. The first names the last as the one before it, so a list is one index.

#ifndef POLLGATE_DELIVERY_LISTS_H
#define POLLGATE_DELIVERY_LISTS_H

#include "delivery/outbound.h"
#include "delivery/stored.h"
#include "message/session_check.h"

/// @return POOL_NONE when it is empty
static inline uint32_t list_last(struct message_pool *pool, message_list list)
{
	return list != POOL_NONE ? stored_at(pool, list)->previous : POOL_NONE;
}

/// @return POOL_NONE for the first
static inline uint32_t list_previous(struct message_pool *pool, message_list list, uint32_t index)
{
	return index != list ? stored_at(pool, index)->previous : POOL_NONE;
}

/// Behind `after`, which POOL_NONE is before the first.
static inline void list_insert(struct message_pool *pool, message_list *list, uint32_t after, uint32_t index)
{
	struct stored *message = stored_at(pool, index);
	const uint32_t last = list_last(pool, *list),
		       before = after != POOL_NONE ? stored_at(pool, after)->next : *list;

	message->previous = after != POOL_NONE ? after : last;
	message->next = before;
	if (after != POOL_NONE)
		stored_at(pool, after)->next = index;
	else
		*list = index;
	if (before != POOL_NONE)
		stored_at(pool, before)->previous = index;
	else
		stored_at(pool, *list)->previous = index;
}

static inline void list_append(struct message_pool *pool, message_list *list, uint32_t index)
{
	list_insert(pool, list, list_last(pool, *list), index);
}

/// Into a list that is in the order of being queued.
static inline void list_insert_in_order(struct message_pool *pool, message_list *list, uint32_t index)
{
	const uint32_t order = stored_at(pool, index)->order;
	uint32_t after = list_last(pool, *list);

	while (after != POOL_NONE && (int32_t)(stored_at(pool, after)->order - order) > 0)
		after = list_previous(pool, *list, after);
	list_insert(pool, list, after, index);
}

static inline void list_remove(struct message_pool *pool, message_list *list, uint32_t index)
{
	const struct stored *message = stored_at(pool, index);

	if (index == *list)
		*list = message->next;
	else
		stored_at(pool, message->previous)->next = message->next;
	if (message->next != POOL_NONE)
		stored_at(pool, message->next)->previous = message->previous;
	else if (*list != POOL_NONE)
		stored_at(pool, *list)->previous = message->previous;
}

static inline void waiting_append(struct delivery_context *ctx, struct outbound *out, unsigned queue, uint32_t index)
{
	list_append(ctx->pool, &outbound_lists(ctx, out)->waiting_in[queue], index);
	out->waiting_mask |= (uint16_t)(1U << queue);
	out->waiting++;
	out->waiting_bytes += stored_wire_length(stored_at(ctx->pool, index));
}

static inline void waiting_remove(struct delivery_context *ctx, struct outbound *out, unsigned queue, uint32_t index)
{
	message_list *list = &outbound_lists(ctx, out)->waiting_in[queue];

	list_remove(ctx->pool, list, index);
	if (*list == POOL_NONE)
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
	message_list *flying = &outbound_lists(ctx, out)->flying;

	if (!flew_together(ctx->pool, list_last(ctx->pool, *flying), stored_at(ctx->pool, index)))
		out->flights++;
	list_append(ctx->pool, flying, index);
}

static inline void flying_remove(struct delivery_context *ctx, struct outbound *out, uint32_t index)
{
	const struct stored *message = stored_at(ctx->pool, index);
	message_list *flying = &outbound_lists(ctx, out)->flying;

	if (!flew_together(ctx->pool, list_previous(ctx->pool, *flying, index), message) &&
	    !flew_together(ctx->pool, message->next, message))
		out->flights--;
	list_remove(ctx->pool, flying, index);
}

/// A message that was on its way is lost.
static inline void flying_lost(struct delivery_context *ctx, struct outbound *out, uint32_t index)
{
	flying_remove(ctx, out, index);
	list_insert_in_order(ctx->pool, &outbound_lists(ctx, out)->again, index);
}

/// May the message be sent, or does its channel wait for acknowledgements?
static inline bool in_window(const struct outbound *out, const struct stored *message)
{
	return !stored_is_reliable(message) ||
	       id_ahead(out->oldest[stored_channel(message)], message->id) < SESSION_CHANNEL_WINDOW;
}

/// What a message costs of its limit of now, which may be less than when it was queued: at most the burst.
static inline uint32_t cost_now(const struct pace *pace, const struct stored *message)
{
	const struct rate rate = pace->rate[session_request(message->type)];

	return rate.interval == 0 || message->cost < rate_burst(rate) ? message->cost : rate_burst(rate);
}

static inline void forget(struct delivery_context *ctx, struct outbound *out, uint32_t index)
{
	out->blocks -= stored_free(ctx->pool, index);
}

#endif

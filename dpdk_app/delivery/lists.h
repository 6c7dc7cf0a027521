// SPDX-License-Identifier: BSD-3-Clause
// delivery/lists.h: the lists that a message to be sent is in, one after the other: what waits, and what is on its way.
//
// Messages in flight are in one list per number of sends. All messages of a list have the same timeout, so the first is
// due first. The last is of the newest packet, so an acknowledgement looks no further back than it reaches.

#ifndef POLLGATE_DELIVERY_LISTS_H
#define POLLGATE_DELIVERY_LISTS_H

#include "delivery/outbound.h"
#include "delivery/stored.h"

static inline void list_append(struct message_pool *pool, struct message_list *list, uint32_t index)
{
	struct stored *message = stored_at(pool, index);

	message->next = POOL_NONE;
	message->previous = list->last;
	if (list->last != POOL_NONE)
		stored_at(pool, list->last)->next = index;
	else
		list->first = index;
	list->last = index;
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

static inline void flying_append(struct delivery_context *ctx, struct outbound *out, uint32_t index)
{
	const unsigned list = stored_at(ctx->pool, index)->sends - 1U;

	list_append(ctx->pool, &out->flying[list], index);
	out->flying_mask |= (uint8_t)(1U << list);
}

static inline void flying_remove(struct delivery_context *ctx, struct outbound *out, uint32_t index)
{
	const unsigned list = stored_at(ctx->pool, index)->sends - 1U;

	list_remove(ctx->pool, &out->flying[list], index);
	if (out->flying[list].first == POOL_NONE)
		out->flying_mask &= (uint8_t) ~(1U << list);
}

/// May the message be sent, or does its channel wait for acknowledgements?
static inline bool in_window(const struct outbound *out, const struct stored *message)
{
	return !(message->flags & SESSION_MESSAGE_RELIABLE) ||
	       window_ahead(&out->window[stored_channel(message)], message->id) < SESSION_CHANNEL_WINDOW;
}

/// When the first of a list is to be repeated.
static inline uint64_t repetition_due(const struct delivery_context *ctx, const struct outbound *out, unsigned list)
{
	const struct stored *first = stored_at(ctx->pool, out->flying[list].first);

	return first->time + (round_trip_timeout(&out->round_trip, ctx->rules->resend_after_min) << list);
}

static inline void forget(struct delivery_context *ctx, struct outbound *out, uint32_t index)
{
	out->blocks -= stored_free(ctx->pool, index);
}

#endif

// SPDX-License-Identifier: BSD-3-Clause
// delivery/delivery.c: the parts of a delivery together: what it sends, what it receives, and when it is due.

#include "delivery/delivery.h"

#include <string.h>

size_t delivery_size(void)
{
	return sizeof(struct delivery);
}

static void tell_begun(const struct delivery_context *ctx, uint32_t who)
{
	for (uint32_t i = 0; i < ctx->listeners; i++)
		if (ctx->listener[i].begun)
			ctx->listener[i].begun(ctx->listener[i].context, who);
	for (uint32_t i = 0; i < ctx->fillers; i++)
		if (ctx->filler[i].begun)
			ctx->filler[i].begun(ctx->filler[i].context, who);
}

static void tell_ended(const struct delivery_context *ctx, uint32_t who)
{
	for (uint32_t i = 0; i < ctx->listeners; i++)
		if (ctx->listener[i].ended)
			ctx->listener[i].ended(ctx->listener[i].context, who);
	for (uint32_t i = 0; i < ctx->fillers; i++)
		if (ctx->filler[i].ended)
			ctx->filler[i].ended(ctx->filler[i].context, who);
}

void delivery_begin(const struct delivery_context *ctx, struct delivery *c, uint32_t who, uint16_t room)
{
	assert(ctx->fillers <= FILLERS_MAX);
	memset(c, 0, sizeof(*c));
	c->who = who;
	c->out.room = room;
	tell_begun(ctx, who);
}

void delivery_shorten(struct delivery *c, uint16_t room)
{
	c->out.room = room;
}

enum pg_drop delivery_admit_any(struct delivery_context *ctx, struct delivery *c, const uint8_t *body, uint16_t length,
				uint64_t now)
{
	return inbound_admit(ctx, &c->in, c->conforms_at, body, length, now);
}

bool intake_next_any(struct delivery_context *ctx, struct delivery *c, struct intake *intake, struct delivered *out)
{
	const bool more = inbound_next(ctx, &c->in, intake, out);

	c->hears = inbound_holds(&c->in);
	delivery_gauge(ctx);
	return more;
}

void delivery_tell(struct delivery_context *ctx, struct delivery *c, struct arrived arrived, uint64_t now)
{
	if (!delivery_quiet(c) && outbound_acknowledged(ctx, &c->out, arrived, now)) {
		c->wake = outbound_wake(ctx, &c->out);
		delivery_gauge(ctx);
	}
	for (uint32_t i = 0; i < ctx->listeners; i++)
		ctx->listener[i].told(ctx->listener[i].context, c->who, arrived, now);
}

enum pg_loss delivery_queue(struct delivery_context *ctx, struct delivery *c, const struct outgoing *message,
			    uint64_t now)
{
	const enum pg_loss loss = outbound_queue(ctx, &c->out, message, now);

	if (loss != PG_LOSS_NONE)
		return loss;
	c->wake = outbound_wake(ctx, &c->out);
	delivery_gauge(ctx);
	return PG_LOSS_NONE;
}

void delivery_moved(const struct delivery_context *ctx, struct delivery *c)
{
	outbound_moved(ctx, &c->out);
	c->wake = outbound_wake(ctx, &c->out);
}

void delivery_refill(const struct delivery_context *ctx, struct delivery *c)
{
	c->next_fill = fillers_due(ctx, c);
}

uint16_t delivery_fill_any(struct delivery_context *ctx, struct delivery *c, uint32_t counter, uint64_t now,
			   uint8_t *body, uint16_t room)
{
	struct leaving leaving = {.at = body, .end = body + room, .counter = counter, .now = now};
	const bool leaves = fillers_fill(ctx, c, &leaving);

	c->wake = outbound_wake(ctx, &c->out);
	c->next_fill = fillers_due(ctx, c);
	delivery_gauge(ctx);
	return leaves ? (uint16_t)(leaving.at - body) : 0;
}

void delivery_ids(const struct delivery *c, uint16_t tx[SESSION_CHANNELS], uint16_t rx[SESSION_CHANNELS])
{
	for (unsigned channel = 0; channel < SESSION_CHANNELS; channel++) {
		tx[channel] = c->out.window[channel].next;
		rx[channel] = c->in.window[channel].oldest;
	}
}

void delivery_resume(struct delivery *c, const uint16_t tx[SESSION_CHANNELS], const uint16_t rx[SESSION_CHANNELS])
{
	for (unsigned channel = 0; channel < SESSION_CHANNELS; channel++) {
		c->out.window[channel].oldest = c->out.window[channel].next = tx[channel];
		c->in.window[channel].oldest = rx[channel];
	}
}

void delivery_end(struct delivery_context *ctx, struct delivery *c, enum pg_loss why)
{
	tell_ended(ctx, c->who);
	outbound_end(ctx, &c->out, why);
	inbound_end(ctx, &c->in);
	memset(c, 0, sizeof(*c));
	delivery_gauge(ctx);
}

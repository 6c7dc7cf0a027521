// SPDX-License-Identifier: BSD-3-Clause
// delivery/delivery.c: the parts of a delivery together: what it sends, what it receives, and when it is due.

#include "delivery/delivery.h"

#include <string.h>

#include "delivery/holding.h"
#include "delivery/piece.h"
#include "delivery/restart.h"
#include "message/session_check.h"

#define BUSY_EVERY_MS 100
#define BUSY_AT_ONCE 10 // that the path may have held back

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
	path_mtu_begin(ctx, c, room);
	tell_begun(ctx, who);
}

void delivery_shorten(const struct delivery_context *ctx, struct delivery *c, uint16_t room)
{
	path_mtu_begin(ctx, c, room);
}

/// The gateway's: the peer is to hear first that a process died.
static bool tells_restart(const struct delivery_context *ctx, const struct delivery *c)
{
	return unlikely(c->restarted) && ctx->gateway;
}

void delivery_reckon(const struct delivery_context *ctx, struct delivery *c, uint64_t now)
{
	if (tells_restart(ctx, c)) {
		c->wake = restart_wake(ctx, c, now);
		return;
	}
	c->wake = c->busy.reason != PG_REFUSED_NONE ? now : outbound_wake(ctx, &c->out, now);
	if (unlikely(c->path.search == PATH_SEARCHING)) {
		const uint64_t probe = path_mtu_wake(ctx, c, now);

		c->wake = c->wake == 0 || probe < c->wake ? probe : c->wake;
	}
}

// ---------------------------------------------------------------- in

/// The peer did not take a datagram, or gave up what it had of messages that it did not read.
static void take_busy(struct delivery_context *ctx, struct delivery *c, const uint8_t *body, uint64_t now)
{
	struct session_busy busy;

	memcpy(&busy, body, sizeof(busy));
	if (busy.reason == SESSION_REFUSED_FORGOTTEN)
		outbound_unacknowledged(ctx, &c->out, OUTBOUND_IN_ORDER);
	outbound_refused(ctx, &c->out, busy.counter, now + busy.retry_ms * ctx->rules->millisecond);
	delivery_reckon(ctx, c, now);
}

/// No more are heeded than a peer may say: each looks at all that is kept for it, and has it sent again at once.
static bool busy_conforms(const struct delivery_context *ctx, struct delivery *c, uint64_t now)
{
	const uint64_t interval = BUSY_EVERY_MS * ctx->rules->millisecond;
	const struct rate rate = {.interval = interval, .tolerance = (BUSY_AT_ONCE - 1) * interval};

	return rate_admit_short(&c->busy_conforms_at, rate, now);
}

void delivery_heed_busy(struct delivery_context *ctx, struct delivery *c, const uint8_t *body, uint16_t length,
			uint64_t now)
{
	const uint8_t *at = body;
	struct piece piece;

	while (at != body + length && piece_read(&at, body + length, &piece))
		if (piece.type == SESSION_BUSY && !is_reliable(&piece) && piece.length == sizeof(struct session_busy) &&
		    busy_conforms(ctx, c, now))
			take_busy(ctx, c, piece.body, now);
}

static void take_ping(struct delivery_context *ctx, struct delivery *c, const struct delivered *message, uint64_t now)
{
	const struct outgoing pong = {
		.type = SESSION_PONG, .priority = PRIORITY_URGENT, .body = message->body, .length = message->length};

	(void)delivery_queue(ctx, c, &pong, now); // if there is no room it is lost, and counted
}

/// What the ends say to each other for themselves.
/// @return false: it is for whoever takes messages
static bool take_control(struct delivery_context *ctx, struct delivery *c, const struct delivered *message,
			 uint64_t now)
{
	switch (message->type) {
	case SESSION_BUSY: // heeded before, unless it is reliable
		return true;
	case SESSION_PING:
		take_ping(ctx, c, message, now);
		return true;
	default:
		return ctx->gateway && session_is_control(message->type);
	}
}

bool intake_next_any(struct delivery_context *ctx, struct delivery *c, struct intake *intake, struct delivered *out)
{
	bool more;

	if (intake->state == INTAKE_MOVE)
		intake->state = INTAKE_DATAGRAM;
	do
		more = inbound_next(ctx, c, intake, out);
	while (more && take_control(ctx, c, out, intake->now));
	c->hears = inbound_holds(&c->in);
	delivery_gauge(ctx);
	return more;
}

void delivery_say_busy(struct delivery_context *ctx, struct delivery *c, uint32_t counter, enum pg_refusal why,
		       uint8_t type, uint64_t retry, uint64_t now)
{
	const uint64_t ms = retry > now ? (retry - now) / ctx->rules->millisecond + 1 : 0;

	if (now < c->busy_from)
		return;
	c->busy_from = now + BUSY_EVERY_MS * ctx->rules->millisecond;
	c->busy = (struct session_busy){
		.counter = counter,
		.reason = (uint8_t)why,
		.type = type,
		.retry_ms = ms < UINT16_MAX ? (uint16_t)ms : UINT16_MAX,
	};
	delivery_reckon(ctx, c, now);
}

void delivery_refuse(struct delivery_context *ctx, struct delivery *c, const struct intake *intake)
{
	delivery_say_busy(ctx, c, intake->counter, (enum pg_refusal)intake->refused, intake->refused_type,
			  intake->retry, intake->now);
}

void delivery_tell(struct delivery_context *ctx, struct delivery *c, struct arrived arrived, uint64_t now)
{
	if (tells_restart(ctx, c)) {
		restart_acknowledged(c, arrived);
		c->next_fill = c->restarted ? 0 : fillers_due(ctx, c);
	}
	path_mtu_told(ctx, c, arrived, now);
	c->tries_path = path_mtu_tries(&c->path);
	if (!delivery_quiet(c)) {
		outbound_acknowledged(ctx, &c->out, arrived, now);
		delivery_reckon(ctx, c, now);
		delivery_gauge(ctx);
	}
	delivery_tell_listeners(ctx, c, arrived, now);
}

// ---------------------------------------------------------------- out

static enum pg_loss queued(struct delivery_context *ctx, struct delivery *c, enum pg_loss loss, uint64_t now)
{
	if (loss != PG_LOSS_NONE)
		return loss;
	delivery_reckon(ctx, c, now);
	delivery_gauge(ctx);
	return PG_LOSS_NONE;
}

enum pg_loss delivery_queue(struct delivery_context *ctx, struct delivery *c, const struct outgoing *message,
			    uint64_t now)
{
	return queued(ctx, c, outbound_queue(ctx, &c->out, message, now), now);
}

enum pg_loss delivery_broadcast(struct delivery_context *ctx, struct delivery *c, const struct broadcast *broadcast,
				uint64_t now)
{
	return queued(ctx, c, broadcast_queue(ctx, &c->out, broadcast, now), now);
}

void delivery_limits_changed(const struct delivery_context *ctx, struct delivery *c, uint64_t now)
{
	delivery_reckon(ctx, c, now);
}

void delivery_moved(struct delivery_context *ctx, struct delivery *c, uint64_t now)
{
	outbound_moved(ctx, &c->out);
	path_mtu_shrink(ctx, c, now);
	delivery_reckon(ctx, c, now);
}

void delivery_too_long(struct delivery_context *ctx, struct delivery *c, uint32_t counter, uint64_t now)
{
	if (counter == c->path.probe) // it asked just that
		return;
	path_mtu_shrink(ctx, c, now);
	delivery_reckon(ctx, c, now);
}

void delivery_search(const struct delivery_context *ctx, struct delivery *c, uint64_t now)
{
	if (c->path.search == PATH_TO_SEARCH)
		path_mtu_put_off(ctx, c, now);
	else if (unlikely(path_mtu_search(ctx, c, now)))
		delivery_reckon(ctx, c, now);
}

uint64_t delivery_search_at(const struct delivery_context *ctx, const struct delivery *c, uint64_t now)
{
	return path_mtu_search_at(ctx, c, now);
}

uint16_t delivery_probe(const struct delivery_context *ctx, struct delivery *c, uint64_t now)
{
	uint16_t bytes;

	if (likely(c->path.search != PATH_SEARCHING) || tells_restart(ctx, c))
		return 0;
	bytes = path_mtu_probe(ctx, c, now);
	if (bytes == 0)
		delivery_reckon(ctx, c, now);
	return bytes;
}

void delivery_probed(const struct delivery_context *ctx, struct delivery *c, uint32_t counter, uint64_t now)
{
	path_mtu_probed(ctx, c, counter, now);
	delivery_reckon(ctx, c, now);
}

void delivery_refill(const struct delivery_context *ctx, struct delivery *c)
{
	c->next_fill = tells_restart(ctx, c) ? 0 : fillers_due(ctx, c);
}

uint16_t delivery_fill_any(struct delivery_context *ctx, struct delivery *c, uint32_t counter, uint64_t now,
			   uint8_t *body, uint16_t room)
{
	struct leaving leaving = {.at = body, .end = body + room, .counter = counter, .now = now};

	if (tells_restart(ctx, c))
		fillers_fill_restarted(ctx, c, &leaving);
	else
		fillers_fill(ctx, c, &leaving);
	delivery_reckon(ctx, c, now);
	delivery_refill(ctx, c);
	delivery_gauge(ctx);
	return (uint16_t)(leaving.at - body);
}

void delivery_end(struct delivery_context *ctx, struct delivery *c, enum pg_loss why)
{
	tell_ended(ctx, c->who);
	outbound_end(ctx, &c->out, why);
	inbound_end(ctx, &c->in);
	memset(c, 0, sizeof(*c));
	delivery_gauge(ctx);
}

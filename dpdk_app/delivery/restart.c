// SPDX-License-Identifier: BSD-3-Clause
// delivery/restart.c: see restart.h.

#include "delivery/restart.h"

#include <string.h>

#include "delivery/piece.h"

#define AGAIN_MS 200 // without an acknowledgement, while messages wait behind it
#define LOST_BEHIND 3

// ---------------------------------------------------------------- the process that follows

struct delivery_ids delivery_ids(const struct delivery *c)
{
	struct delivery_ids ids;

	for (unsigned channel = 0; channel < SESSION_CHANNELS; channel++) {
		ids.tx[channel] = c->out.next[channel];
		ids.rx[channel] = inbound_next_id(&c->in, channel);
	}
	return ids;
}

/// A crash may have come between a bit and the id before which all are delivered.
static void resume_unordered(struct inbound *in, const struct id_bits *seen)
{
	uint16_t *oldest = &in->oldest[SESSION_CHANNEL_UNORDERED];

	in->unordered = *seen;
	while (id_is_done(&in->unordered, *oldest))
		id_clear(&in->unordered, (*oldest)++);
	for (unsigned i = 0; i < SESSION_CHANNEL_WINDOW / 32; i++)
		in->ahead += (uint16_t)__builtin_popcount(in->unordered.done[i]);
}

void delivery_resume(struct delivery *c, const struct delivery_ids *ids, const struct id_bits *seen)
{
	for (unsigned channel = 0; channel < SESSION_CHANNELS; channel++) {
		c->out.oldest[channel] = c->out.next[channel] = ids->tx[channel];
		c->in.oldest[channel] = ids->rx[channel];
	}
	if (seen)
		resume_unordered(&c->in, seen);
	c->hears = inbound_holds(&c->in);
}

void restart_begin(struct delivery *c, uint16_t epoch)
{
	c->restarted = true;
	c->epoch = epoch;
	c->wake = UINT64_MAX - 1;
}

/// What we say of what we send: the first ids that this process uses, which are the oldest that are not acknowledged as long as
/// the peer has not heard of the restart.
static struct session_restarted restarted_of(const struct delivery *c)
{
	const uint16_t oldest = c->in.oldest[SESSION_CHANNEL_UNORDERED];
	struct session_restarted restarted = {.epoch = c->epoch};

	for (unsigned channel = 0; channel < SESSION_CHANNELS; channel++) {
		restarted.next_in[channel] = inbound_next_id(&c->in, channel);
		restarted.next_out[channel] = c->out.oldest[channel];
	}
	for (unsigned ahead = 0; ahead < SESSION_CHANNEL_WINDOW; ahead++)
		if (id_is_done(&c->in.unordered, (uint16_t)(oldest + ahead)))
			restarted.seen[ahead / 8] |= (uint8_t)(1U << ahead % 8);
	return restarted;
}

void restart_fill(struct delivery *c, struct leaving *leaving)
{
	const struct session_message head = {.type = SESSION_RESTARTED, .body_len = sizeof(struct session_restarted)};
	const struct session_restarted restarted = restarted_of(c);
	uint8_t *at = leaving_room(leaving, sizeof(head) + sizeof(restarted));

	if (!at)
		return;
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), &restarted, sizeof(restarted));
	if (c->restarted_in == 0)
		c->restarted_in = leaving->counter;
}

void restart_acknowledged(struct delivery *c, struct arrived arrived)
{
	const uint32_t behind = arrived.newest - c->restarted_in;

	if (c->restarted_in == 0 || arrived.newest < c->restarted_in)
		return;
	if (behind < 64 && arrived.packets >> behind & 1)
		c->restarted = false;
	else if (behind >= LOST_BEHIND)
		c->restarted_in = 0; // the next that leaves is looked for
}

uint64_t restart_wake(const struct delivery_context *ctx, const struct delivery *c, uint64_t now)
{
	const uint64_t again = now + AGAIN_MS * ctx->rules->millisecond;

	if (c->busy.reason != PG_REFUSED_NONE)
		return now;
	if (c->out.messages == 0)
		return UINT64_MAX - 1;
	if (c->restarted_in == 0)
		return now;
	return c->wake > now && c->wake < again ? c->wake : again;
}

// ---------------------------------------------------------------- the peer

static bool is_new(const struct delivery *c, uint16_t epoch)
{
	const uint16_t since = (uint16_t)(epoch - c->epoch);

	return !c->restarted || (since >= 1 && since < 0x8000);
}

/// @return false: there is none
static bool find(const uint8_t *body, uint16_t length, struct session_restarted *out)
{
	const uint8_t *at = body;
	struct piece piece;

	while (at != body + length && piece_read(&at, body + length, &piece))
		if (piece.type == SESSION_RESTARTED && !is_reliable(&piece) && piece.length == sizeof(*out)) {
			memcpy(out, piece.body, sizeof(*out));
			return true;
		}
	return false;
}

bool delivery_heed_restarted(struct delivery_context *ctx, struct delivery *c, const uint8_t *body, uint16_t length,
			     uint32_t lost[SESSION_CHANNELS], uint64_t now)
{
	struct session_restarted restarted;

	if (!find(body, length, &restarted) || !is_new(c, restarted.epoch))
		return false;
	c->restarted = true;
	c->epoch = restarted.epoch;
	outbound_restarted(ctx, &c->out, &restarted);
	inbound_restarted(ctx, &c->in, &restarted, lost);
	c->hears = inbound_holds(&c->in);
	delivery_reckon(ctx, c, now);
	return true;
}

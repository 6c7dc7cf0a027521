// SPDX-License-Identifier: BSD-3-Clause
// delivery/conversation.c: the parts of a conversation together: what it says, what it hears, and when it is due.

#include "delivery/conversation.h"

#include <string.h>

size_t conversation_size(void)
{
	return sizeof(struct conversation);
}

void conversation_begin(struct conversation *c, uint32_t who, uint16_t room)
{
	memset(c, 0, sizeof(*c));
	c->who = who;
	c->out.room = room;
}

enum pg_drop conversation_admit_any(struct conversation_hall *hall, struct conversation *c, const uint8_t *body,
				    uint16_t length, uint64_t now)
{
	return inbound_admit(hall, &c->in, c->conforms_at, body, length, now);
}

bool intake_next_any(struct conversation_hall *hall, struct conversation *c, struct intake *intake,
		     struct delivered *out)
{
	const bool more = inbound_next(hall, &c->in, intake, out);

	c->hears = inbound_holds(&c->in);
	hall_gauge(hall);
	return more;
}

void conversation_tell(struct conversation_hall *hall, struct conversation *c, struct arrived arrived, uint64_t now)
{
	if (!conversation_quiet(c) && outbound_acknowledged(hall, &c->out, arrived, now)) {
		c->wake = fillers_due(hall, c);
		hall_gauge(hall);
	}
	for (uint32_t i = 0; i < hall->listeners; i++)
		hall->listener[i].told(hall->listener[i].context, c->who, arrived, now);
}

enum pg_loss conversation_queue(struct conversation_hall *hall, struct conversation *c, const struct outgoing *message,
				uint64_t now)
{
	const enum pg_loss loss = outbound_queue(hall, &c->out, message, now);

	if (loss != PG_LOSS_NONE)
		return loss;
	c->wake = fillers_due(hall, c);
	hall_gauge(hall);
	return PG_LOSS_NONE;
}

void conversation_moved(const struct conversation_hall *hall, struct conversation *c)
{
	outbound_moved(hall, &c->out);
	c->wake = fillers_due(hall, c);
}

void conversation_refill(struct conversation_hall *hall, struct conversation *c)
{
	c->wake = fillers_due(hall, c);
}

uint16_t conversation_fill_any(struct conversation_hall *hall, struct conversation *c, uint64_t counter, uint64_t now,
			       uint8_t *body, uint16_t room)
{
	struct leaving leaving = {.at = body, .end = body + room, .counter = counter, .now = now};
	const bool leaves = fillers_fill(hall, c, &leaving);

	c->wake = fillers_due(hall, c);
	hall_gauge(hall);
	return leaves ? (uint16_t)(leaving.at - body) : 0;
}

void conversation_ids(const struct conversation *c, uint16_t tx[SESSION_CHANNELS], uint16_t rx[SESSION_CHANNELS])
{
	for (unsigned channel = 0; channel < SESSION_CHANNELS; channel++) {
		tx[channel] = c->out.window[channel].next;
		rx[channel] = c->in.window[channel].oldest;
	}
}

void conversation_resume(struct conversation *c, const uint16_t tx[SESSION_CHANNELS],
			 const uint16_t rx[SESSION_CHANNELS])
{
	for (unsigned channel = 0; channel < SESSION_CHANNELS; channel++) {
		c->out.window[channel].oldest = c->out.window[channel].next = tx[channel];
		c->in.window[channel].oldest = rx[channel];
	}
}

void conversation_end(struct conversation_hall *hall, struct conversation *c, enum pg_loss why)
{
	outbound_end(hall, &c->out, why);
	inbound_end(hall, &c->in);
	memset(c, 0, sizeof(*c));
	hall_gauge(hall);
}

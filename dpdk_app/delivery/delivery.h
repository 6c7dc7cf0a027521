// SPDX-License-Identifier: BSD-3-Clause
// delivery/delivery.h: the messages of one session, both ways: batches, acknowledgements, repetition, order.
//
// Between a datagram's opened bytes and whole messages; knows neither keys nor addresses nor who is at the other end,
// so the gateway and the C client run the same. Memory for messages comes from a pool that is made once; a
// delivery takes a bounded part of it. wire/PROTOCOL.md, "Messages".

#ifndef POLLGATE_DELIVERY_DELIVERY_H
#define POLLGATE_DELIVERY_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"
#include "delivery/broadcast.h"
#include "delivery/context.h"
#include "delivery/inbound.h"
#include "delivery/outbound.h"
#include "delivery/path_mtu.h"
#include "message/finite.h"
#include "pollgate.h"
#include "wire/session.h"

/// Bytes of messages in a datagram that every path carries.
#define DELIVERY_ROOM_LEAST (SESSION_DATAGRAM_MIN - SESSION_DATA_MIN)

/// All zero is a delivery in which nothing was said. Its fields are for the functions here.
/// A datagram of one movement, with nothing to send, touches the first line and no other.
struct delivery {
	uint64_t wake;      // TSC at which a message is to be sent or repeated; 0: none waits, none is on its way
	uint64_t owed;      // TSC until which an acknowledgement must have left; 0: none is owed
	uint64_t next_fill; // TSC at which one of the context's fillers has something to write; 0: none said so
	bool hears;         // something waits for what is still to come
	uint8_t owing;      // datagrams that wait for the acknowledgement that is owed
	bool tries_path;    // what becomes of a PROBE or of long datagrams tells how much the path carries
	bool carries_all;   // the path is believed to carry the longest datagrams
	uint32_t who;       // as in delivery_begin()
	struct acknowledged acknowledged;
	uint64_t conforms_at[PG_REQUESTS];
	struct inbound in;
	uint32_t busy_conforms_at; // of BUSYs that are heeded, see rate_admit_short(); beside `in` it takes no room
	struct outbound out;
	uint64_t unfinished;              // TSC of the last datagram, if a filler of the context had more; 0: none had
	uint8_t passed_over[FILLERS_MAX]; // datagrams in a row in which one of the context's fillers found no room
	bool out_of_order;                // the last datagram began with one of those
	struct session_busy busy;         // to be said: why a datagram was not taken; no reason: nothing
	bool restarted;                   // of the gateway: the peer is to hear it; of the client: it has heard of one
	uint64_t busy_from;               // TSC before which no other is
	uint16_t limits_first;            // the gateway's: version of the limits that the client was first told
	uint16_t limits_told;             // and last
	uint16_t epoch;                   // processes of the gateway that died, see restart.h; if `restarted`
	uint32_t restarted_in;            // counter of a datagram that told it; 0: none is looked for
	struct path_mtu path;
} CACHE_ALIGNED;
static_assert(offsetof(struct delivery, conforms_at) + sizeof(uint64_t) * (PG_REQUEST_MOVE + 1) <= CACHE_LINE,
	      "a movement's line");

/// Before the first message of a connection. Of a delivery that is all zero, or over. The context's fillers and listeners are
/// told, here and in delivery_end() and nowhere else.
/// @param who   what they know it by; a gateway's: the session's slot
/// @param room  bytes of messages in the longest datagram that its path carries: that one - SESSION_DATA_MIN
void delivery_begin(const struct delivery_context *ctx, struct delivery *c, uint32_t who, uint16_t room);

/// The path carries datagrams of no more than so many bytes of messages, as the peer says before anything is queued.
void delivery_shorten(const struct delivery_context *ctx, struct delivery *c, uint16_t room);

// ---------------------------------------------------------------- in

/// A datagram of exactly one unreliable movement begins so; its type, flags and length as one number.
#define DELIVERY_MOVE (SESSION_MOVE | (uint32_t)sizeof(struct motion) << 16)
#define DELIVERY_MOVE_LEN (sizeof(struct session_message) + sizeof(struct motion))

ALWAYS_INLINE bool delivery_is_move(const uint8_t *body, uint16_t length)
{
	uint32_t head;

	if (length != DELIVERY_MOVE_LEN)
		return false;
	memcpy(&head, body, sizeof(head));
	return head == DELIVERY_MOVE;
}

/// @param counter  low half, of the datagram
ALWAYS_INLINE void intake_begin(struct intake *intake, const uint8_t *body, uint16_t length, uint32_t counter,
				uint64_t now)
{
	*intake = (struct intake){
		.at = body,
		.end = body + length,
		.now = now,
		.counter = counter,
		.state = delivery_is_move(body, length) ? INTAKE_MOVE : INTAKE_DATAGRAM,
	};
}

bool intake_next_any(struct delivery_context *ctx, struct delivery *c, struct intake *intake, struct delivered *out);

/// A movement that came alone.
ALWAYS_INLINE bool intake_move(struct delivery_context *ctx, struct delivery *c, struct intake *intake,
			       struct delivered *out)
{
	const uint8_t *body = intake->at + sizeof(struct session_message);

	intake->state = INTAKE_OVER;
	if (unlikely(!floats6_finite(body))) {
		counter_add(&ctx->stats->skipped, 1);
		return false;
	}
	if (unlikely(!rate_admit(&c->conforms_at[PG_REQUEST_MOVE], ctx->rules->message_rate[PG_REQUEST_MOVE],
				 intake->now))) {
		intake->drop = PG_DROP_MESSAGE_RATE_LIMITED;
		return false;
	}
	*out = (struct delivered){.type = SESSION_MOVE, .body = body, .length = sizeof(struct motion)};
	counter_add(&ctx->stats->received[PG_REQUEST_MOVE], 1);
	return true;
}

/// The messages of an opened DATA, one after the other. Where it was refused, `intake->refused` says why: the datagram is not
/// taken, and delivery_refuse() is called when there are no more.
/// @return false when there are no more, or when there was a violation
ALWAYS_INLINE bool intake_next(struct delivery_context *ctx, struct delivery *c, struct intake *intake,
			       struct delivered *out)
{
	if (unlikely(intake->state > INTAKE_OVER) || unlikely(!ctx->gateway))
		return intake_next_any(ctx, c, intake, out);
	if (intake->state == INTAKE_OVER)
		return false;
	return intake_move(ctx, c, intake, out);
}

/// Tell the peer why a datagram was not taken, as often as that is told.
void delivery_refuse(struct delivery_context *ctx, struct delivery *c, const struct intake *intake);

/// @param counter  low half, of the datagram
/// @param retry    TSC: what was refused is refused again before
void delivery_say_busy(struct delivery_context *ctx, struct delivery *c, uint32_t counter, enum pg_refusal why,
		       uint8_t type, uint64_t retry, uint64_t now);

/// No message is queued or on its way: acknowledgements would do nothing here, and nothing is lost with this process. The
/// context's fillers do not count. What they write lies nowhere until it leaves.
ALWAYS_INLINE bool delivery_quiet(const struct delivery *c)
{
	return c->wake == 0;
}

/// The datagram that was filled last asks for an answer at once.
ALWAYS_INLINE bool delivery_asks(const struct delivery *c)
{
	return c->out.bulk.asks;
}

/// Has one of the context's fillers something to write?
ALWAYS_INLINE bool delivery_fill_due(const struct delivery *c, uint64_t now)
{
	return c->next_fill - 1 < now; // 0 is none: one less is later than everything
}

ALWAYS_INLINE void delivery_tell_listeners(const struct delivery_context *ctx, const struct delivery *c,
					   struct arrived arrived, uint64_t now)
{
	for (uint32_t i = 0; i < ctx->listeners; i++)
		ctx->listener[i].told(ctx->listener[i].context, c->who, arrived, now);
}

void delivery_tell(struct delivery_context *ctx, struct delivery *c, struct arrived arrived, uint64_t now);

/// An authentic DATA came, while messages are on their way: does it say that the peer refused a datagram? That is heeded before
/// what its header acknowledges.
void delivery_heed_busy(struct delivery_context *ctx, struct delivery *c, const uint8_t *body, uint16_t length,
			uint64_t now);

/// A DATA came: which of our datagrams does it say that the peer has? Whoever is to be told is told of each once, the
/// repetition of messages first.
/// @param sent  counter of the last that may have left
ALWAYS_INLINE void delivery_acknowledged(struct delivery_context *ctx, struct delivery *c, uint32_t sent,
					 const struct session_prefix *prefix, uint64_t now)
{
	struct arrived arrived;

	// When nobody waits to be told, what was said is not even remembered: the line of the delivery is only read.
	if (likely(delivery_quiet(c) && ctx->listeners == 0))
		return;
	if (!acknowledged_says(sent, prefix->ack))
		return;
	if (unlikely(!delivery_quiet(c)))
		c->out.heard = now;
	arrived = acknowledged_take(&c->acknowledged, prefix->ack, prefix->ack_bits);
	if (arrived.packets == 0)
		return;
	arrived.delay = prefix->ack_delay != SESSION_ACK_DELAY_UNKNOWN ?
				prefix->ack_delay * ctx->rules->ack_delay_unit :
				UINT64_MAX;
	if (likely(delivery_quiet(c)) && likely(!c->tries_path))
		delivery_tell_listeners(ctx, c, arrived, now);
	else
		delivery_tell(ctx, c, arrived, now);
}

/// Is an opened DATA one movement alone, and is there nothing else to do in its delivery? Then delivery_take_move()
/// does to it what acknowledging, admitting and taking do.
ALWAYS_INLINE bool delivery_takes_move(const struct delivery *c, const uint8_t *body, uint16_t length, uint64_t now)
{
	return likely(delivery_is_move(body, length)) && likely(delivery_quiet(c)) &&
	       likely(!delivery_fill_due(c, now)) && likely(floats6_finite(body + sizeof(struct session_message)));
}

/// @param prefix  its own; what it acknowledges is told whatever becomes of the movement
/// @return PG_DROP_NONE, or that it is over its rate
ALWAYS_INLINE enum pg_drop delivery_take_move(struct delivery_context *ctx, struct delivery *c, uint32_t sent,
					      const struct session_prefix *prefix, uint64_t now)
{
	const struct rate rate = ctx->rules->message_rate[PG_REQUEST_MOVE];

	delivery_acknowledged(ctx, c, sent, prefix, now);
	return likely(rate_admit(&c->conforms_at[PG_REQUEST_MOVE], rate, now)) ? PG_DROP_NONE :
										 PG_DROP_MESSAGE_RATE_LIMITED;
}

/// The most datagrams that wait for one acknowledgement: one names 33, and a datagram that none names is sent again.
#define DELIVERY_OWING_MAX 16

/// A datagram with messages was taken: it wants an acknowledgement.
ALWAYS_INLINE void delivery_owe(struct delivery_context *ctx, struct delivery *c, uint64_t now)
{
	if (c->owed == 0) {
		c->owing = 1;
		c->owed = now + ctx->rules->acknowledge_after;
		return;
	}
	if (unlikely(++c->owing >= DELIVERY_OWING_MAX))
		c->owed = now;
}

// ---------------------------------------------------------------- out

/// Counts what becomes of the message, sent or lost.
/// @return PG_LOSS_NONE, or why it is not sent
enum pg_loss delivery_queue(struct delivery_context *ctx, struct delivery *c, const struct outgoing *message,
			    uint64_t now);

/// Likewise, of a message that others get, too.
enum pg_loss delivery_broadcast(struct delivery_context *ctx, struct delivery *c, const struct broadcast *broadcast,
				uint64_t now);

/// TSC at which delivery_fill() should next be called, though the packet may have no message: to flush, to repeat, to
/// acknowledge, for a filler of the context. UINT64_MAX: nothing is waiting.
ALWAYS_INLINE uint64_t delivery_due(const struct delivery *c)
{
	// 0 is none: one less is later than everything
	const uint64_t wake = c->wake - 1, owed = c->owed - 1, fill = c->next_fill - 1;
	const uint64_t sooner = wake < owed ? wake : owed, due = sooner < fill ? sooner : fill;

	return due == UINT64_MAX ? due : due + 1;
}

/// The context's `pace` is another one.
void delivery_limits_changed(const struct delivery_context *ctx, struct delivery *c, uint64_t now);

/// The peer has a new address, or we have: what it was sent and has not acknowledged is sent again, and the path is another.
void delivery_moved(struct delivery_context *ctx, struct delivery *c, uint64_t now);

/// Our own host says that a datagram was longer than the path to the peer carries, or than its first link does.
/// @param counter  the datagram's
void delivery_too_long(struct delivery_context *ctx, struct delivery *c, uint32_t counter, uint64_t now);

/// Bytes of the longest datagram that its path is believed to carry.
ALWAYS_INLINE uint16_t delivery_carries(const struct delivery *c)
{
	return (uint16_t)(c->out.room + SESSION_DATA_MIN);
}

/// To be asked now and then: is it time to find out whether the path carries more? Then PROBEs are due, as delivery_due() says.
void delivery_search(const struct delivery_context *ctx, struct delivery *c, uint64_t now);

/// When delivery_search() next does something; UINT64_MAX: when the path is another.
uint64_t delivery_search_at(const struct delivery_context *ctx, const struct delivery *c, uint64_t now);

/// Is a PROBE to leave now instead of a DATA? To be asked before each DATA that leaves because it is due.
/// @return bytes of it, or 0
uint16_t delivery_probe(const struct delivery_context *ctx, struct delivery *c, uint64_t now);

/// It leaves as the datagram `counter`.
void delivery_probed(const struct delivery_context *ctx, struct delivery *c, uint32_t counter, uint64_t now);

uint16_t delivery_fill_any(struct delivery_context *ctx, struct delivery *c, uint32_t counter, uint64_t now,
			   uint8_t *body, uint16_t room);

/// Nothing waits, neither for itself nor in one of the context's fillers that said so, and no restart is to be told of.
ALWAYS_INLINE bool delivery_is_idle(const struct delivery *c)
{
	return delivery_quiet(c) && c->next_fill == 0;
}

/// As delivery_fill_any(), of an idle delivery whose path carries all: of who writes into a datagram only this filler has something.
/// Nothing but the first line of the delivery is touched, unless the datagram is long.
/// @param body  with room for the longest
ALWAYS_INLINE uint16_t delivery_fill_idle(struct delivery *c, const struct filler *filler, uint32_t counter,
					  uint64_t now, uint8_t *body)
{
	struct leaving leaving = {
		.at = body, .end = body + SESSION_DATAGRAM_MAX - SESSION_DATA_MIN, .counter = counter, .now = now};
	uint16_t length;

	if (unlikely(filler->fill(filler->context, c->who, &leaving)))
		c->unfinished = c->next_fill = now;
	c->owed = 0;
	length = (uint16_t)(leaving.at - body);
	if (unlikely(length > DELIVERY_ROOM_LEAST))
		path_mtu_left(c, counter, length);
	return length;
}

/// Find out anew when the next datagram is due.
void delivery_reckon(const struct delivery_context *ctx, struct delivery *c, uint64_t now);

/// One of the context's fillers has something to write, or no longer has: when, it is asked.
void delivery_refill(const struct delivery_context *ctx, struct delivery *c);

/// Messages for the packet `counter`, which leaves now and acknowledges what was owed, in the order of fillers.h.
/// @param room  that `body` has; what is more than the path carries is not used
/// @return bytes written, 0 to room
ALWAYS_INLINE uint16_t delivery_fill(struct delivery_context *ctx, struct delivery *c, uint32_t counter, uint64_t now,
				     uint8_t *body, uint16_t room)
{
	if (unlikely(!delivery_quiet(c)) || unlikely(delivery_fill_due(c, now)))
		return delivery_fill_any(ctx, c, counter, now, body, room);
	c->owed = 0;
	return 0;
}

/// Are messages here that nobody else has: queued, unacknowledged, or waiting for one before them?
ALWAYS_INLINE bool delivery_holds_messages(const struct delivery *c)
{
	return (!delivery_quiet(c) && c->out.messages != 0) || c->hears;
}

/// Whole messages that are queued or unacknowledged.
ALWAYS_INLINE uint32_t delivery_undelivered(const struct delivery *c)
{
	return c->out.messages;
}

/// A delivery that was begun is over: forget everything and give the memory back. What was not delivered is counted as `why`.
void delivery_end(struct delivery_context *ctx, struct delivery *c, enum pg_loss why);

size_t delivery_size(void); // a multiple of CACHE_LINE

#endif

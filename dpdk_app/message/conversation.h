// SPDX-License-Identifier: BSD-3-Clause
// message/conversation.h: the messages of one session, both ways: batches, acknowledgements, repetition, order.
//
// Between a datagram's opened bytes and whole messages; knows neither keys nor addresses nor who is at the other end,
// so the gateway and the C client run the same. Memory for messages comes from a pool that is made once; a
// conversation takes a bounded part of it. wire/PROTOCOL.md, "Messages".

#ifndef POLLGATE_MESSAGE_CONVERSATION_H
#define POLLGATE_MESSAGE_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "pollgate.h"
#include "session/rate.h"
#include "wire/session.h"

enum priority { PRIORITY_URGENT, PRIORITY_NORMAL, PRIORITY_BULK, PRIORITIES };

/// The reloadable part, in the units of the fast path. Immutable once published.
struct delivery_rules {
	uint64_t flush_after;       // TSC: what is not urgent waits so long for company
	uint64_t acknowledge_after; // TSC
	uint64_t resend_after_min;  // TSC
	uint64_t tsc_hz;
	uint32_t queue_bytes;                   // of messages waiting or unacknowledged, per session
	uint32_t resends;                       // of a message, before the connection is given up
	uint32_t compress_min[PG_COMPRESSIBLE]; // bytes of body from which a type is compressed; UINT32_MAX: never
	struct rate message_rate[PG_REQUESTS];  // per session and type of what comes in
};

struct message_pool;
struct compressor;

/// What conversations of one worker, or one client, share. One writer.
struct conversation_hall {
	const struct delivery_rules *rules;
	struct message_pool *pool;
	struct compressor *compressor;
	struct pg_message_stats *stats;
	bool gateway; // which types may come in

	/// Told once of every message that was queued with a receipt: its last part was acknowledged (PG_LOSS_NONE), or why it is
	/// lost. NULL where nobody asks, as in the gateway. It must not call back into the conversation.
	void (*settled)(void *context, uint32_t receipt, enum pg_loss loss);
	void *settled_context;
};

/// Opaque but for its size, which arrays of them need; message/conversation.c says what is in it.
/// All zero is a conversation in which nothing was said.
struct conversation;

/// A message to send. The body is copied.
struct outgoing {
	uint8_t type;    // enum session_message_type
	uint8_t channel; // of a reliable one
	bool reliable;
	enum priority priority;
	uint32_t receipt; // of a reliable one: what `settled` is told; 0: nothing
	uint32_t
		sender; // of an event: player_id that precedes the body; looked at for types above SESSION_EVENT but INVENTORY
	const uint8_t *body;
	uint32_t length;
};

/// A whole message that arrived. Valid until the next call.
struct delivered {
	uint8_t type;
	uint8_t channel;
	bool reliable;
	const uint8_t *body;
	uint32_t length;
};

// ---------------------------------------------------------------- in

/// May all of an opened DATA's messages be taken: well-formed, within the rates, and is there room for those that must wait?
/// Charges the rates when it says yes; else changes nothing.
/// @return PG_DROP_NONE, or why the whole datagram is refused
enum pg_drop conversation_admit(struct conversation_hall *hall, struct conversation *c, const uint8_t *body,
				uint16_t length, uint64_t now);

/// The messages of a datagram that was admitted: in its order, and behind one that closes a gap those that waited for it.
struct intake {
	const uint8_t *at, *end;
	uint32_t state;
	bool offence; // the peer broke the protocol: the connection is to be closed
};
void intake_begin(struct intake *intake, const uint8_t *body, uint16_t length);

/// @return false when there are no more
bool intake_next(struct conversation_hall *hall, struct conversation *c, struct intake *intake, struct delivered *out);

/// The peer has taken packets `newest` and, by bits, those before it (the header's ack and ack_bits, made 64 bits).
void conversation_acknowledged(struct conversation_hall *hall, struct conversation *c, uint64_t newest, uint32_t bits,
			       uint64_t now);

/// A datagram with messages was taken: it wants an acknowledgement.
void conversation_owe(struct conversation_hall *hall, struct conversation *c, uint64_t now);

// ---------------------------------------------------------------- out

/// @return PG_LOSS_NONE, or why it is not sent
enum pg_loss conversation_queue(struct conversation_hall *hall, struct conversation *c, const struct outgoing *message,
				uint64_t now);

/// TSC at which conversation_fill() should next be called, though the packet may have no message: to flush, to repeat, to
/// acknowledge. UINT64_MAX: nothing is waiting.
uint64_t conversation_due(const struct conversation *c);

/// Messages for the packet `counter`, which leaves now and acknowledges what was owed. Urgent ones first, repetitions before them.
/// @return bytes written, 0 to room
uint16_t conversation_fill(struct conversation_hall *hall, struct conversation *c, uint64_t counter, uint64_t now,
			   uint8_t *body, uint16_t room);

/// A reliable message was sent as often as allowed: the connection is to be closed as undeliverable.
bool conversation_gave_up(const struct conversation *c);

/// Are messages here that nobody else has: queued, unacknowledged, or waiting for one before them?
bool conversation_holds_messages(const struct conversation *c);

/// Message ids, to be kept with the session.
void conversation_ids(const struct conversation *c, uint16_t tx[SESSION_CHANNELS], uint16_t rx[SESSION_CHANNELS]);
void conversation_resume(struct conversation *c, const uint16_t tx[SESSION_CHANNELS],
			 const uint16_t rx[SESSION_CHANNELS]);

/// Forget everything and give the memory back; what was not delivered is counted as `why`.
void conversation_end(struct conversation_hall *hall, struct conversation *c, enum pg_loss why);

// ---------------------------------------------------------------- memory

size_t conversation_size(void); // a multiple of CACHE_LINE

/// @param memory  message_pool_size(bytes), zeroed, cache-aligned, the caller's
size_t message_pool_size(size_t bytes);
struct message_pool *message_pool_init(void *memory, size_t bytes);
size_t message_pool_free_bytes(const struct message_pool *pool);

struct compressor *compressor_new(int level); // NULL: out of memory
void compressor_free(struct compressor *compressor);

#endif

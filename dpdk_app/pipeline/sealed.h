// SPDX-License-Identifier: BSD-3-Clause
// pipeline/sealed.h: the next DATA of a session, made where it is to leave from.

#ifndef POLLGATE_PIPELINE_SEALED_H
#define POLLGATE_PIPELINE_SEALED_H

#include "crypto/short.h"
#include "session/connection.h"
#include "session/phases.h"
#include "session/renames.h"
#include "wire/session.h"

/// Sealed bytes of a movement.
#define SEALED_MOVE (sizeof(struct session_prefix) + DELIVERY_MOVE_LEN)

/// Any sealed kind but WELCOME; nearly all are movements, or acknowledge and say nothing. What says nothing is also the shortest
/// that somebody without the key can have opened.
ALWAYS_INLINE bool open_packet(const struct cipher_code *code, const struct cipher_key *key, uint32_t counter,
			       uint8_t *payload, uint16_t length)
{
	const size_t clear = sizeof(struct session_header);

	if (likely(length == SESSION_AROUND + SEALED_MOVE))
		return short_open(code, key, counter, payload, clear, SEALED_MOVE);
	if (length == SESSION_DATA_MIN)
		return short_open(code, key, counter, payload, clear, sizeof(struct session_prefix));
	return cipher_open(code, key, counter, payload, clear, length);
}

/// Open a datagram of a session. Nearly all are of its present phase.
ALWAYS_INLINE bool open_of_session(struct session_shard *shard, uint32_t slot, const struct cipher_key *key,
				   uint32_t counter, uint8_t *payload, uint16_t length, uint64_t now)
{
	const uint8_t flags = ((const struct session_header *)payload)->flags;

	if (unlikely(flags != record_open_flags(&shard->store->records[slot])))
		return phases_open(shard, slot, counter, payload, length, now);
	return open_packet(&shard->code, key, counter, payload, length);
}

/// An acknowledgement that says nothing else. It is stored at once, with a part of the tag's place behind it: what seals loads
/// it at once, and a load of what was stored in pieces waits until all stores before it are done.
/// @param as       renames_as_now()
/// @param counter  connection_count()
/// @param delay    taken_delay()
/// @param payload  SESSION_DATA_MIN writable bytes
ALWAYS_INLINE void seal_acknowledgement(const struct cipher_code *code, const struct session_record *record,
					const struct cipher_key *key, struct visible_as as, uint32_t counter,
					uint16_t delay, uint8_t *payload)
{
	typedef uint32_t words __attribute__((vector_size(32)));
	const words whole = {
		SESSION_DATA | (uint32_t)record->seal_flags << 8 | SESSION_DATA_MIN << 16,
		as.session,
		counter + as.offset,
		record->taken.newest,
		record->taken.bits,
		delay,
	};

	static_assert(sizeof(whole) <= SESSION_DATA_MIN, "header, acknowledgement and tag");
	memcpy(payload, &whole, sizeof(whole));
	short_seal(code, key, counter, payload, sizeof(struct session_header), sizeof(struct session_prefix));
}

/// Header and tag around an acknowledgement and messages that lie in their place already.
/// @param body  bytes of messages
/// @return bytes of the datagram
ALWAYS_INLINE uint16_t seal_data(const struct cipher_code *code, const struct session_record *record,
				 const struct cipher_key *key, struct visible_as as, uint32_t counter, uint8_t *payload,
				 uint16_t body)
{
	struct session_header *header = (struct session_header *)payload;
	const uint16_t length = (uint16_t)(SESSION_DATA_MIN + body);

	*header = (struct session_header){
		.kind = SESSION_DATA,
		.flags = record->seal_flags,
		.length = length,
		.session = as.session,
		.counter = counter + as.offset,
	};
	cipher_seal(code, key, counter, payload, sizeof(*header), length);
	return length;
}

/// Around messages that lie in their place: header, acknowledgements, tag.
/// @param session  the slot's: its `number`, which lies in a line that packets do not touch
/// @param counter  connection_count()
/// @param body     bytes of messages
/// @param asks     delivery_asks(), of a delivery that was not idle
/// @return bytes
ALWAYS_INLINE uint16_t sealed_around(struct session_shard *shard, uint32_t slot, uint32_t session, uint32_t counter,
				     uint8_t *payload, uint16_t body, bool asks, uint64_t now)
{
	const struct session_store *store = shard->store;
	const struct session_record *record = &store->records[slot];
	const struct visible_as as = renames_as_now(store, slot, session, now);
	const struct cipher_key *key = store_keys(store, slot).seal;
	const uint16_t delay = taken_delay(now - record->taken_at, &shard->delays);

	if (likely(body == 0)) {
		seal_acknowledgement(&shard->code, record, key, as, counter, delay, payload);
		return SESSION_DATA_MIN;
	}
	taken_write(&record->taken, delay, payload + sizeof(struct session_header));
	if (unlikely(asks))
		((struct session_prefix *)(payload + sizeof(struct session_header)))->wants = SESSION_WANTS_ANSWER;
	return seal_data(&shard->code, record, key, as, counter, payload, body);
}

/// Whatever the session has to say now, and the acknowledgements.
/// @param session  as in sealed_around()
/// @param payload  SESSION_DATAGRAM_MAX writable bytes
/// @return bytes
ALWAYS_INLINE uint16_t sealed_data(struct session_shard *shard, uint32_t slot, uint32_t session, uint8_t *payload,
				   uint64_t now)
{
	const struct session_store *store = shard->store;
	const uint32_t counter = connection_count(&store->records[slot]);
	struct delivery *c = store_delivery(store, slot);
	const uint16_t body = delivery_fill(&shard->ctx, c, counter, now, payload + SESSION_BEFORE_MESSAGES,
					    SESSION_DATAGRAM_MAX - SESSION_DATA_MIN);

	return sealed_around(shard, slot, session, counter, payload, body, body != 0 && delivery_asks(c), now);
}

#endif

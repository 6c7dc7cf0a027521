// SPDX-License-Identifier: BSD-3-Clause
// pipeline/sealed.h: the next DATA of a session, made where it is to leave from.

#ifndef POLLGATE_PIPELINE_SEALED_H
#define POLLGATE_PIPELINE_SEALED_H

#include "session/connection.h"
#include "wire/session.h"

/// The bytes of a sealed datagram that are not messages.
#define SEALED_AROUND ((uint16_t)SESSION_SEALED_MIN)

/// Header and tag around messages that lie in their place already.
/// @param key      the session's, to seal with
/// @param session  the slot's: its `number`, which lies in a line that packets do not touch
/// @param counter  connection_count()
/// @param body     bytes of messages
/// @return bytes of the datagram
ALWAYS_INLINE uint16_t seal_data(const struct cipher_code *code, const struct session_record *record,
				 const struct cipher_key *key, uint32_t session, uint64_t counter, uint8_t *payload,
				 uint16_t body)
{
	struct session_header *header = (struct session_header *)payload;
	const uint16_t length = (uint16_t)(SEALED_AROUND + body);

	*header = (struct session_header){
		.kind = SESSION_DATA,
		.length = length,
		.session = session,
		.sequence = (uint32_t)counter,
		.ack = (uint32_t)record->taken,
		.ack_bits = record->taken_bits,
	};
	cipher_seal(code, key, counter, payload, sizeof(*header), length);
	return length;
}

/// Whatever the session has to say now, and the acknowledgements: header, messages, tag.
/// @param session  as in seal_data()
/// @param payload  the session's max_datagram writable bytes
/// @return bytes
ALWAYS_INLINE uint16_t sealed_data(struct session_shard *shard, uint32_t slot, uint32_t session, uint8_t *payload,
				   uint64_t now)
{
	const struct session_store *store = shard->store;
	struct session_record *record = &store->records[slot];
	const uint64_t counter = connection_count(record);
	const uint16_t body =
		delivery_fill(&shard->ctx, store_delivery(store, slot), counter, now,
			      payload + sizeof(struct session_header), record->max_datagram - SEALED_AROUND);

	return seal_data(&shard->code, record, store_keys(store, slot).seal, session, counter, payload, body);
}

#endif

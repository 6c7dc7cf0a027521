// SPDX-License-Identifier: BSD-3-Clause
// session/lost.c: see lost.h.

#include "session/lost.h"

#include <string.h>

#include "session/budget.h"
#include "session/renames.h"

/// The shortest sealed datagram that is answered with a RESET, which is shorter: no chain of answers goes on for ever
/// (RFC 9000 10.3.3).
#define RESET_ASKED_MIN 40
static_assert(RESET_ASKED_MIN > sizeof(struct session_reset), "nothing is amplified");

/// Had it a connection, and has it none? Its count is read first: who makes another connection becomes the owner before.
static bool has_lost_connection(const struct session_store *store, uint32_t slot, uint32_t session, uint64_t now,
				uint32_t *connections)
{
	const struct session_record *record = &store->records[slot];
	uint32_t offset;

	*connections = __atomic_load_n(&record->connections, __ATOMIC_ACQUIRE);
	return *connections != 0 && session != 0 && record_owner(record) == RECORD_NO_OWNER &&
	       renames_has(store, slot, session, now, &offset);
}

/// @param session  under which it was asked: another one of its numbers is nothing that whoever reads it should learn
static uint16_t write_reset(struct session_shard *shard, const struct session_record *record, uint32_t session,
			    uint32_t connections, uint8_t *payload)
{
	struct session_reset answer = {
		.header = {.kind = SESSION_RESET, .length = sizeof(answer), .session = session},
	};
	struct connection_marks marks;

	connection_marks(&marks, &shard->store->secret, record->key, record->number, connections);
	memcpy(answer.token, marks.reset_token, sizeof(answer.token));
	memcpy(payload, &answer, sizeof(answer));
	return sizeof(answer);
}

uint16_t lost_answer(struct session_shard *shard, uint32_t slot, const struct peer *peer, uint8_t *payload,
		     uint16_t length, uint64_t now)
{
	const struct session_record *record = &shard->store->records[slot];
	const uint32_t session = ((const struct session_header *)payload)->session;
	const uint64_t began = pg_tsc();
	uint32_t connections;
	const uint8_t *close;

	if (!has_lost_connection(shard->store, slot, session, now, &connections))
		return 0;
	close = farewells_again(&shard->farewells, slot, record->number, peer, now, shard->tsc_hz);
	if (close && length >= FAREWELL_LEN) {
		memcpy(payload, close, FAREWELL_LEN);
		return FAREWELL_LEN;
	}
	if (length < RESET_ASKED_MIN || !budget_left(shard, RANK_LAST, now))
		return 0;
	length = write_reset(shard, record, session, connections, payload);
	budget_charge(shard, pg_tsc() - began, now);
	return length;
}

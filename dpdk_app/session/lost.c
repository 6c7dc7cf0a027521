// SPDX-License-Identifier: BSD-3-Clause
// session/lost.c: see lost.h.

#include "session/lost.h"

#include <string.h>

#include "session/budget.h"

/// The shortest sealed datagram that is answered with a RESET, which is shorter: no chain of answers goes on for ever
/// (RFC 9000 10.3.3).
#define RESET_ASKED_MIN 40
static_assert(RESET_ASKED_MIN > sizeof(struct session_reset), "nothing is amplified");

/// Had it a connection, and has it none? Its count is read first: who makes another connection becomes the owner before.
static bool has_lost_connection(const struct session_record *record, uint32_t session, uint32_t *connections)
{
	*connections = __atomic_load_n(&record->connections, __ATOMIC_ACQUIRE);
	return *connections != 0 && session != 0 && record_owner(record) == RECORD_NO_OWNER &&
	       __atomic_load_n(&record->number, __ATOMIC_ACQUIRE) == session;
}

static uint16_t write_reset(struct session_shard *shard, const struct session_record *record, uint32_t connections,
			    uint8_t *payload)
{
	struct session_reset answer = {
		.header = {.kind = SESSION_RESET, .length = sizeof(answer), .session = record->number},
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

	if (!has_lost_connection(record, session, &connections))
		return 0;
	close = farewells_again(&shard->farewells, slot, session, peer, now, shard->tsc_hz);
	if (close && length >= FAREWELL_LEN) {
		memcpy(payload, close, FAREWELL_LEN);
		return FAREWELL_LEN;
	}
	if (length < RESET_ASKED_MIN || !budget_left(shard, RANK_LAST, now))
		return 0;
	length = write_reset(shard, record, connections, payload);
	budget_charge(shard, pg_tsc() - began, now);
	return length;
}

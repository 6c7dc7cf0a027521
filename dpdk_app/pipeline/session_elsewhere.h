// SPDX-License-Identifier: BSD-3-Clause
// pipeline/session_elsewhere.h: whose a datagram of the session profile is, where no record serves its number: another
// number of a connection, another worker's session, or nobody's.
//
// Included like stages.h.

#ifndef POLLGATE_PIPELINE_SESSION_ELSEWHERE_H
#define POLLGATE_PIPELINE_SESSION_ELSEWHERE_H

#include "pipeline/stages.h"
#include "session/renames.h"
#include "wire/session.h"

/// Not enum pg_drop nor PACKET_…: still on its way through the stages.
#define PACKET_UNDECIDED UINT8_MAX
static_assert(PACKET_FORWARDED < PACKET_UNDECIDED, "results fit a byte");

/// A datagram of the session profile between the stages, and what became of it.
struct sealed {
	uint8_t *payload;
	const struct peer *peer;
	uint32_t counter;
	uint32_t slot;
	uint16_t length; // as received; then of the answer
	uint8_t at;      // index into the burst
	uint8_t result;  // enum pg_drop, PACKET_…
	uint8_t owner;   // of PACKET_ELSEWHERE
	bool learn;      // answers to this session go where the datagram came from: keep its return headers
};

struct sealed_lane {
	struct sealed datagram[BURST_MAX];
	uint8_t sealed[BURST_MAX]; // indexes of those that are sealed
	uint8_t handshake_datagram[BURST_MAX];
	uint64_t sessions; // of the sealed ones: see session_bit()
	unsigned count;
	unsigned sealed_count;
	unsigned handshake_count;
};

/// No session here has this number. Only such numbers are asked whether they are another gateway's.
static COLD enum pg_drop nobodys(const struct session_store *store, uint32_t session)
{
	return session_is_foreign(&store->numbers, session) ? PG_DROP_SESSION_FOREIGN : PG_DROP_SESSION_UNKNOWN;
}

/// No slot is as the number says: is it a spare that was given? The table may be what a worker that died scribbled over.
/// @return a slot that was issued, or VISIBLE_NOBODY
static COLD uint32_t given_to(const struct session_store *store, uint32_t session)
{
	const uint32_t slot = visible_find(&store->visible, session);

	return slot < store_used(store) ? slot : VISIBLE_NOBODY;
}

/// The session is another worker's, or no worker's.
/// @return PACKET_ELSEWHERE when the owner is to have it, or enum pg_drop
static COLD unsigned sealed_elsewhere(const struct ingress *ingress, uint8_t owner)
{
	const struct plain_registry *registry = ingress->sessions->registry;

	if (owner == RECORD_NO_OWNER || owner >= registry->tables || ingress->settles_here)
		return PG_DROP_SESSION_STATE;
	if (!(registry->ports[owner] & ingress->port_bit)) // cannot take it
		return PG_DROP_OWNER_BUSY;
	return PACKET_ELSEWHERE;
}

/// The slot has another session, or none.
static COLD enum pg_drop no_such_session(const struct session_store *store, const struct session_record *record,
					 uint32_t session)
{
	return session != 0 && record->number == session ? PG_DROP_SESSION_OVER : nobodys(store, session);
}

/// Find whose datagram it is that no record serves under the number issued, where that number says: another number of a
/// connection, another worker's, or nobody's.
/// @param s       in: its payload; out: slot, owner
/// @param offset  out: what is added to the counters under this number
/// @return PG_DROP_NONE: it is ours; enum pg_drop or PACKET_ELSEWHERE
static COLD unsigned look_closer(const struct ingress *ingress, struct sealed *s, uint64_t now, uint32_t *offset)
{
	const struct session_store *store = ingress->shard->store;
	const uint32_t session = ((const struct session_header *)s->payload)->session;
	const uint32_t as_issued = session_slot(&store->numbers, session);
	const bool has_record = as_issued < store_used(store);
	const struct session_record *record = &store->records[has_record ? as_issued : 0];
	const bool stands = has_record && record_stands(record, session);
	const uint32_t given = stands ? VISIBLE_NOBODY : given_to(store, session);

	if (given != VISIBLE_NOBODY) {
		s->slot = given;
		record = &store->records[given];
	} else if (!stands) {
		return has_record ? no_such_session(store, record, session) : nobodys(store, session);
	}
	s->owner = record_owner(record);
	if (s->owner != ingress->shard->worker && s->owner != RECORD_NO_OWNER)
		return sealed_elsewhere(ingress, s->owner);
	if (!renames_has(store, s->slot, session, now, offset))
		return stands && record->phase != RECORD_RENAMED ? PG_DROP_SESSION_STATE : nobodys(store, session);
	if (!record_stands(record, record->number))
		return PG_DROP_SESSION_OVER;
	return s->owner == ingress->shard->worker && record_is_connected(record) ? PG_DROP_NONE : PG_DROP_SESSION_STATE;
}

#endif

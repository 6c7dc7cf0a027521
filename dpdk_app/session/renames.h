// SPDX-License-Identifier: BSD-3-Clause
// session/renames.h: how a connection goes from one visible number to another.
//
// PROTOCOL.md, "The visible number". A connection that never did is RECORD_CONNECTED, and nothing here is asked: datagrams name
// the number issued, which says where the record is. From the first change on it is RECORD_RENAMED, and everything under any of
// its numbers comes here. What is here belongs to the slot's owner, where nothing else is said.

#ifndef POLLGATE_SESSION_RENAMES_H
#define POLLGATE_SESSION_RENAMES_H

#include "session/shard.h"

/// A connection begins: it is seen under the number issued, and has a spare.
COLD void renames_begin(struct session_shard *shard, uint32_t slot);

/// It goes on after a crash, under the numbers that it had. If they are lost, it is.
COLD void renames_resume(struct session_shard *shard, uint32_t slot, uint64_t now);

/// Its spare, for WELCOME. Number 0: none.
COLD struct visible_number renames_spare(const struct session_store *store, uint32_t slot);

/// Is it a number of the slot's latest connection, which may be over? Any worker may ask while nobody is connected.
/// @param offset  out: what is added to the client's counters under it
COLD bool renames_has(const struct session_store *store, uint32_t slot, uint32_t number, uint64_t now,
		      uint32_t *offset);

/// Under which number something leaves that is sealed for its client.
/// @param home  it goes to where the connection is
COLD struct visible_as renames_as(const struct session_store *store, uint32_t slot, bool home, uint64_t now);

/// The same, of a datagram for where the connection is, without a look at others than those that have changed it.
/// @param session  as issued
ALWAYS_INLINE struct visible_as renames_as_now(const struct session_store *store, uint32_t slot, uint32_t session,
					       uint64_t now)
{
	if (likely(store->records[slot].phase != RECORD_RENAMED))
		return (struct visible_as){session, 0};
	return renames_as(store, slot, true, now);
}

/// A datagram is authentic under another number than the one issued: if it is the spare, it is the number from now on.
/// @param home  it came from where the connection is
COLD void renames_take(struct session_shard *shard, uint32_t slot, uint32_t number, bool home, uint64_t now);

/// The connection is where its client is.
COLD void renames_moved(const struct session_store *store, uint32_t slot);

/// In the sweep, of a connection that has changed its number: give a spare where there is none, and tell of it.
COLD void renames_tell(struct session_shard *shard, uint32_t slot, uint64_t now);

#endif

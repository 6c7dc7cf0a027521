// SPDX-License-Identifier: BSD-3-Clause
// session/older.c: see older.h.

#include "session/older.h"

#include "session/connection.h"
#include "session/relay.h"

/// The next slot of the player's, other than this one, that has a connection.
/// @return PLAYER_NONE: there is none any more
static uint32_t next_connected(const struct session_store *store, uint32_t slot, struct player_walk *walk)
{
	const uint32_t player_id = store->records[slot].player_id;
	uint32_t other;

	do
		other = player_index_next(store->players, store->records, player_id, walk);
	while (other != PLAYER_NONE && (other == slot || record_owner(&store->records[other]) == RECORD_NO_OWNER));
	return other;
}

void older_end(struct session_shard *shard, uint32_t slot, uint64_t now)
{
	const struct session_store *store = shard->store;
	struct player_walk walk = {0};

	for (;;) {
		const uint32_t other = next_connected(store, slot, &walk);

		if (other == PLAYER_NONE)
			return;

		const struct session_record *record = &store->records[other];
		const uint8_t owner = record_owner(record);

		if (owner == shard->worker)
			connection_close_if_over(shard, other, now);
		else if (owner != RECORD_NO_OWNER && shard->relay && record_session(record) == 0)
			(void)shard->relay->end(shard->relay, owner, record->number);
	}
}

void older_ended(struct session_shard *shard, uint32_t session, uint64_t now)
{
	const struct session_store *store = shard->store;
	const uint32_t slot = session_slot(&store->numbers, session);

	if (slot < store->capacity && store->records[slot].number == session)
		connection_close_if_over(shard, slot, now);
}

bool older_are_gone(const struct session_shard *shard, uint32_t slot)
{
	struct player_walk walk = {0};

	return record_session(&shard->store->records[slot]) != 0 &&
	       next_connected(shard->store, slot, &walk) == PLAYER_NONE;
}

// SPDX-License-Identifier: BSD-3-Clause
// session/candidate.c: see candidate.h.

#include "session/candidate.h"

#include <string.h>

/// One or the other, in the same time.
static void select_key(uint8_t key[SESSION_KEY_LEN], bool first, const uint8_t *a, const uint8_t *b)
{
	const uint8_t mask = (uint8_t)(0U - first); // all bits or none, without a branch

	for (size_t i = 0; i < SESSION_KEY_LEN; i++)
		key[i] = (a[i] & mask) | (b[i] & (uint8_t)~mask);
}

struct candidate candidate_find(const struct session_shard *shard, uint32_t session)
{
	const struct session_store *store = shard->store;
	const uint32_t used = store_used(store), slot = session_slot(&store->numbers, session);
	struct candidate found = {.record = NULL};
	uint8_t decoy[SESSION_KEY_LEN];

	decoy_key(decoy, &store->secret, session);
	if (used == 0) {
		memcpy(found.key, decoy, sizeof(found.key));
		return found;
	}

	struct session_record *record = &store->records[slot < used ? slot : 0];
	const bool known = session != 0 && slot < used && __atomic_load_n(&record->number, __ATOMIC_ACQUIRE) == session;

	select_key(found.key, known, record->key, decoy);
	found.record = known ? record : NULL;
	return found;
}

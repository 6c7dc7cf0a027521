// SPDX-License-Identifier: BSD-3-Clause
// session/source_limit.h: a datagram rate per source address, in a table that never grows.
//
// Keyed without the port, so changing ports evades nothing. When many addresses compete, the one that has been
// quiet for longest gives way: it starts over with a full bucket, which is all that it could have gained by
// waiting. One table per worker; only its lcore touches it.

#ifndef POLLGATE_SESSION_SOURCE_LIMIT_H
#define POLLGATE_SESSION_SOURCE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "session/hash.h"
#include "session/rate.h"

#define SOURCE_WAYS 4
#define SOURCE_SETS 4096

struct source_entry {
	uint64_t fingerprint; // keyed hash of the address: two addresses meet once in 2^64
	uint64_t conforms_at;
};

struct source_set {
	struct source_entry way[SOURCE_WAYS];
} CACHE_ALIGNED;
static_assert(sizeof(struct source_set) == CACHE_LINE, "one line per look-up");

struct source_limits {
	struct source_set set[SOURCE_SETS];
};

/// May this source send another datagram at `now`?
static inline bool source_admit(struct source_limits *limits, uint64_t fingerprint, struct rate rate, uint64_t now)
{
	struct source_set *set = &limits->set[hash_to_range(fingerprint, SOURCE_SETS)];
	struct source_entry *quietest = &set->way[0];

	for (unsigned i = 0; i < SOURCE_WAYS; i++) {
		struct source_entry *entry = &set->way[i];

		if (entry->fingerprint == fingerprint)
			return rate_admit(&entry->conforms_at, rate, now);
		if (entry->conforms_at < quietest->conforms_at)
			quietest = entry;
	}
	*quietest = (struct source_entry){.fingerprint = fingerprint, .conforms_at = now};
	return rate_admit(&quietest->conforms_at, rate, now);
}

#endif

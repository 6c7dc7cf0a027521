// SPDX-License-Identifier: BSD-3-Clause
// limit/source_limit.h: a datagram rate per source address, in a table that never grows.
//
// Keyed without the port, so changing ports evades nothing. When many addresses compete, the one that has been
// quiet for longest gives way: it starts over with a full bucket, which is all that it could have gained by
// waiting. One table per worker; only its lcore touches it.

#ifndef POLLGATE_LIMIT_SOURCE_LIMIT_H
#define POLLGATE_LIMIT_SOURCE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "limit/hash.h"
#include "limit/rate.h"

#define SOURCE_WAYS 4
#define SOURCE_SETS 8192

/// Fields of one kind lie together, not those of one entry, so that all fingerprints are compared at once.
struct source_set {
	uint64_t fingerprint[SOURCE_WAYS]; // keyed hash of the address: as good as the address itself
	uint64_t conforms_at[SOURCE_WAYS];
} CACHE_ALIGNED;
static_assert(sizeof(struct source_set) == CACHE_LINE, "one line per look-up");

struct source_limits {
	struct source_set set[SOURCE_SETS];
};

ALWAYS_INLINE struct source_set *source_home(struct source_limits *limits, uint64_t fingerprint)
{
	return &limits->set[hash_to_range(fingerprint, SOURCE_SETS)];
}

/// The ways of a set that have this fingerprint, one bit each. There is no branch, because the way of a source cannot be
/// predicted.
ALWAYS_INLINE unsigned source_ways(const struct source_set *set, uint64_t fingerprint)
{
#ifdef __AVX512F__
	return _mm256_cmpeq_epi64_mask(_mm256_load_si256((const __m256i *)set->fingerprint),
				       _mm256_set1_epi64x((long long)fingerprint));
#elif defined(__AVX2__)
	typedef uint64_t ways __attribute__((vector_size(32)));
	typedef double lanes __attribute__((vector_size(32)));
	ways have;

	memcpy(&have, set->fingerprint, sizeof(have));
	return (unsigned)__builtin_ia32_movmskpd256((lanes)(have == fingerprint));
#else
	unsigned found = 0;

	for (unsigned way = 0; way < SOURCE_WAYS; way++)
		found |= (unsigned)(set->fingerprint[way] == fingerprint) << way;
	return found;
#endif
}

/// Give a source the way of the source that was quiet for longest, with a full bucket.
/// @return the way
ALWAYS_INLINE unsigned source_settle(struct source_set *set, uint64_t fingerprint, uint64_t now)
{
	unsigned quietest = 0;

	for (unsigned way = 1; way < SOURCE_WAYS; way++)
		quietest = set->conforms_at[way] < set->conforms_at[quietest] ? way : quietest;
	set->fingerprint[quietest] = fingerprint;
	set->conforms_at[quietest] = now;
	return quietest;
}

/// A source and the set that may hold it, so that the set's cache line can be prefetched.
struct source {
	struct source_set *set;
	uint64_t fingerprint;
};

ALWAYS_INLINE struct source source_find(struct source_limits *limits, uint64_t fingerprint)
{
	return (struct source){source_home(limits, fingerprint), fingerprint};
}

/// May this source send another datagram at `now`?
/// @param rate  not unlimited
ALWAYS_INLINE bool source_conforms(struct source source, struct rate rate, uint64_t now)
{
	const unsigned ways = source_ways(source.set, source.fingerprint);
	const size_t way =
		likely(ways != 0) ? (size_t)__builtin_ctz(ways) : source_settle(source.set, source.fingerprint, now);

	return rate_admit_limited(&source.set->conforms_at[way], rate, now);
}

/// As source_conforms(), for an address whose set was not prefetched.
ALWAYS_INLINE bool source_admit(struct source_limits *limits, uint64_t fingerprint, struct rate rate, uint64_t now)
{
	return source_conforms(source_find(limits, fingerprint), rate, now);
}

#endif

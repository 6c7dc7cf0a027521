// SPDX-License-Identifier: BSD-3-Clause
// table/table.h: who a datagram belongs to.
//
// One table per worker; only its lcore writes. Records lie in the state file that the supervisor owns, so a new
// worker finds its players: no pointers inside, slots by index, each record versioned so that a half-written one
// is recognised. The index over them is private memory and is rebuilt from the records at start.

#ifndef POLLGATE_TABLE_TABLE_H
#define POLLGATE_TABLE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "compiler.h"
#include "limit/hash.h"
#include "net/peer.h"
#include "pollgate.h"
#include "wire/plain.h"

#define PLAIN_NONE UINT32_MAX
#define PLAIN_ELSEWHERE (UINT32_MAX - 1)

struct plain_session {
	// identity: written once at admission
	struct peer peer; // address and port the answers go to
	uint32_t player_id;

	// life of the slot
	uint16_t generation; // odd while identity or life is being written
	uint8_t active;
	uint8_t motion_version; // odd while motion is being written

	// per packet
	uint32_t received;  // datagrams accepted, modulo 2^32
	uint64_t last_seen; // TSC
	struct motion motion;
} CACHE_ALIGNED;
static_assert(sizeof(struct plain_session) == CACHE_LINE, "one line per session");

/// One worker's part of the state file.
struct plain_region {
	uint32_t high_water; // slots from here on were never used: a new worker need not look at them
	struct plain_session records[] CACHE_ALIGNED;
};
static_assert(offsetof(struct plain_region, records) == CACHE_LINE, "records start on a line");

#define PLAIN_WAYS 8

/// Eight sessions by a part of their hash: one line tells where a peer's record is, or that there is none.
/// Full buckets run over into the next; `passed` counts the sessions that had to go on.
struct plain_bucket {
	uint16_t tag[PLAIN_WAYS]; // 0: free
	uint32_t slot[PLAIN_WAYS];
	uint32_t passed;
} CACHE_ALIGNED;
static_assert(sizeof(struct plain_bucket) == CACHE_LINE, "one line per bucket");

struct plain_table;

/// The tables of all workers. Looked at when a session is to be admitted, never per packet.
struct plain_registry {
	// set before the workers start
	uint32_t capacity; // of all tables together: however RSS spreads the players, all of it can be used
	uint32_t tables;
	const uint64_t *active[PG_WORKERS_MAX]; // each worker's published gauge
	uint32_t ports[PG_WORKERS_MAX];         // bit n: the worker serves port n

	// each written by its worker, when the sessions it found are indexed
	const struct plain_table *table[PG_WORKERS_MAX];
};

struct plain_table {
	// read-mostly: set at start
	struct plain_region *region;   // in the state file
	struct plain_session *records; // region->records, `capacity` of them
	struct plain_bucket *buckets;  // `bucket_count` of them, private
	uint32_t *free_slots;          // stack of `capacity`, private
	uint32_t capacity;
	uint32_t bucket_count;
	const struct plain_registry *registry;
	struct hash_secret secret;

	// written by the owner
	uint64_t *active CACHE_ALIGNED; // published gauge
	uint32_t free_count;
	uint32_t cursor; // next slot that expiry looks at

	// whoever keeps something of sessions by slot, and is told when one is no more; set after the table is made
	void (*removed)(void *context, uint32_t slot);
	void *context;
};

/// Buckets for `capacity` sessions: five of eight ways in use when full.
uint32_t plain_bucket_count(uint32_t capacity);

/// Memory that a table needs beside its records, in bytes.
size_t plain_index_size(uint32_t capacity);

/// Bytes of a region.
size_t plain_region_size(uint32_t capacity);

/// Make a table over a region, which may hold the sessions of a dead worker: whole ones are adopted, others freed.
/// @param  region  zeroed, or as a table of the same capacity left it
/// @param  index   plain_index_size(capacity) bytes, zeroed, cache-aligned, kept by the caller
/// @param  active  gauge to publish to
/// @param  now     TSC; no session was seen later than that
/// @return sessions adopted
uint32_t plain_table_init(struct plain_table *table, struct plain_region *region, uint32_t capacity, void *index,
			  const struct plain_registry *registry, uint64_t *active, const struct hash_secret *secret,
			  uint64_t now);

/// The slot of a peer, wherever it is. Slow and exact: for what the burst look-up did not settle.
/// Another worker may look while the owner writes. It may miss a session that is just being made or see one that is
/// just going, so it must not use the record; it gives the packet to the owner, who looks again.
COLD uint32_t plain_find(const struct plain_table *table, const struct peer *peer);

/// Which worker, other than `self`, has a session of this peer and serves the port it came from?
/// @param  port_bit  as in plain_registry.ports
/// @return its index, or PLAIN_NONE
COLD uint32_t plain_owner(const struct plain_registry *registry, uint32_t self, uint32_t port_bit,
			  const struct peer *peer);

/// Make a session. The caller has looked for the peer and not found it.
/// @return its slot, or PLAIN_NONE when the appliance is full
COLD uint32_t plain_admit(struct plain_table *table, const struct peer *peer, uint32_t player_id, uint64_t now);

/// Free a slot in use.
COLD void plain_remove(struct plain_table *table, uint32_t slot);

/// Look at the next `budget` slots and free those silent for longer than idle_timeout.
/// @return how many were freed
uint32_t plain_expire(struct plain_table *table, uint64_t now, uint64_t idle_timeout, uint32_t budget);

ALWAYS_INLINE uint32_t plain_home(const struct plain_table *table, uint64_t hash)
{
	return hash_to_range(hash, table->bucket_count);
}

/// The lower bits of the upper half, as hash_to_range goes by the higher ones; never the mark of a free way.
ALWAYS_INLINE uint16_t plain_tag(uint64_t hash)
{
	return (uint16_t)(hash >> 32) | 1;
}

/// First slot of a bucket whose tag matches, or PLAIN_NONE. A match is a hint: compare the peer.
ALWAYS_INLINE uint32_t plain_probe(const struct plain_bucket *bucket, uint16_t tag)
{
#ifdef __AVX512F__
	const unsigned match =
		_mm_cmpeq_epi16_mask(_mm_load_si128((const __m128i *)bucket->tag), _mm_set1_epi16((short)tag));

	return likely(match != 0) ? bucket->slot[__builtin_ctz(match)] : PLAIN_NONE;
#else
	typedef uint16_t tags __attribute__((vector_size(16)));
	typedef uint64_t halves __attribute__((vector_size(16)));
	tags have;

	memcpy(&have, bucket->tag, sizeof(have));

	const halves match = (halves)(have == tag);

	if (likely(match[0]))
		return bucket->slot[__builtin_ctzll(match[0]) / 16];
	return match[1] ? bucket->slot[4 + __builtin_ctzll(match[1]) / 16] : PLAIN_NONE;
#endif
}

/// A datagram of the session was accepted at `now`.
ALWAYS_INLINE void plain_seen(struct plain_session *session, uint64_t now)
{
	session->last_seen = now;
	session->received++;
}

ALWAYS_INLINE void plain_move_session(struct plain_session *session, const struct motion *motion)
{
	session->motion_version++;
	__atomic_signal_fence(__ATOMIC_SEQ_CST); // a crash sees stores in program order
	memcpy(&session->motion, motion, sizeof(*motion));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	session->motion_version++;
}

#endif

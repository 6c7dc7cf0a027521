// SPDX-License-Identifier: BSD-3-Clause
// pipeline/move_lanes.h: what the lanes of PLAYER_MOVEs do with several at once, and with a session's whole record, where the
// CPU has AVX-512. What they do is what look_up, look_up_source, plain_seen and plain_move_session do one by one.

#ifndef POLLGATE_PIPELINE_MOVE_LANES_H
#define POLLGATE_PIPELINE_MOVE_LANES_H

#include "net/move_group.h"
#include "pipeline/stages.h"

#ifdef __AVX512F__
/// As hash_to_range(), for eight hashes.
ALWAYS_INLINE longs64 hashes_to_range(longs64 hashes, uint32_t n)
{
	return (longs64)_mm512_mul_epu32((__m512i)(hashes >> 32), _mm512_set1_epi64(n)) >> 32;
}

/// Where the elements of an array lie that the hashes lead to.
ALWAYS_INLINE longs64 places(const void *array, uint32_t n, longs64 hashes)
{
	static_assert(sizeof(struct plain_bucket) == CACHE_LINE && sizeof(struct source_set) == CACHE_LINE,
		      "elements are lines");
	return (uintptr_t)array + hashes_to_range(hashes, n) * CACHE_LINE;
}

/// An array of eight structures of two words, from first and second words.
ALWAYS_INLINE void interleave(void *to, longs64 first, longs64 second)
{
	const longs64 low = __builtin_shufflevector(first, second, 0, 8, 1, 9, 2, 10, 3, 11);
	const longs64 high = __builtin_shufflevector(first, second, 4, 12, 5, 13, 6, 14, 7, 15);

	memcpy(to, &low, sizeof(low));
	memcpy((uint8_t *)to + sizeof(low), &high, sizeof(high));
}

/// @param ends    of the group
/// @param i       index of the first into the burst
/// @param source  out, if they are limited
ALWAYS_INLINE void look_up_group(const struct ingress *ingress, __m512i ends, unsigned i, struct lookup *lookup,
				 struct source *source, const bool limited)
{
	static const longs64 numbers = {0,          1ULL << 48, 2ULL << 48, 3ULL << 48,
					4ULL << 48, 5ULL << 48, 6ULL << 48, 7ULL << 48};
	const struct plain_table *sessions = ingress->sessions;
	const struct hash_secret *secret = &sessions->secret;
	const longs64 addresses = odd(secret->address[0]) * ((longs64)ends & UINT32_MAX) + secret->addend;
	// Their channels are their ports: the listener is the first.
	const longs64 hashes = addresses + secret->channel * ((longs64)ends >> 32 & UINT16_MAX) + mapped_hash(secret);
	const longs64 tags = (hashes | 1ULL << 32) & 0xffff00000000;

	static_assert(offsetof(struct lookup, slot) == 8 && offsetof(struct lookup, tag) == 12 &&
			      offsetof(struct lookup, at) == 14 && offsetof(struct lookup, lane) == 15,
		      "a look-up is its bucket, and a word");
	static_assert(offsetof(struct source, fingerprint) == 8, "a source is its set, and a word");
	interleave(lookup, places(sessions->buckets, sessions->bucket_count, hashes),
		   tags + (numbers + ((uint64_t)i << 48 | (uint64_t)LANE_MOVE << 56)));
	if (limited)
		interleave(source, places(ingress->sources->set, SOURCE_SETS, addresses), addresses);
#pragma GCC unroll 8
	for (unsigned k = 0; k < MOVE_GROUP; k++) {
		prefetch(lookup[k].bucket);
		if (limited)
			prefetch_for_write(source[k].set);
	}
}

/// A session's record is one line, so it is compared, changed and written as one register: no half of it is ever there for a
/// crash to leave.
struct record_lanes {
	__m512i words; // of a move's frame, by halfwords of a record that it goes with
	__m512i mapped;
	__m512i step; // of what counts
	__m512i now;
};

ALWAYS_INLINE struct record_lanes record_lanes(uint64_t now)
{
	struct record_lanes lanes = {.now = _mm512_set1_epi64((long long)now)};
	uint16_t words[CACHE_LINE / 2] = {[6] = 2 * WORD_SOURCE,
					  [7] = 2 * WORD_SOURCE + 1,
					  [8] = 2 * WORD_PORTS,
					  [10] = 2 * WORD_PLAYER,
					  [11] = 2 * WORD_PLAYER + 1};
	const struct plain_session mapped = {.peer.low = IPV4_MAPPED}, step = {.motion_version = 2, .received = 1};

	static_assert(offsetof(struct plain_session, peer.low) == 8 &&
			      offsetof(struct plain_session, peer.channel) == 16 &&
			      offsetof(struct plain_session, player_id) == 20,
		      "what words are compared with");
	lanes.words = _mm512_loadu_si512(words);
	lanes.mapped = _mm512_loadu_si512(&mapped);
	lanes.step = _mm512_loadu_si512(&step);
	return lanes;
}

/// Apply a move to a session's record, if the move is of this session and its player.
/// @return false: it is not
ALWAYS_INLINE bool record_take_move(struct plain_session *session, const uint8_t *frame,
				    const struct record_lanes *lanes)
{
	const __m512i words = _mm512_loadu_si512(frame + FRAME_WORDS), record = _mm512_load_si512(session);
	const __m512i expected = _mm512_mask_permutexvar_epi16(lanes->mapped, 0xdc0, lanes->words, words);
	__m512i next = _mm512_add_epi32(record, lanes->step);

	static_assert(
		offsetof(struct plain_session, motion) == 4 * WORD_MOTION &&
			offsetof(struct plain_session, last_seen) == 32 &&
			offsetof(struct plain_session, motion_version) == 27 &&
			offsetof(struct plain_session, received) == 28,
		"motion lies where it lies in a frame's words; what counts does not run over into its neighbours");
	if (unlikely(_mm512_mask_cmpneq_epi32_mask(0x3f, expected, record) != 0))
		return false;
	next = _mm512_mask_mov_epi32(next, 0xfc00, words);
	next = _mm512_mask_mov_epi64(next, 1U << 4, lanes->now);
	_mm512_store_si512(session, next);
	return true;
}
#else
struct record_lanes {
	uint64_t now;
};

ALWAYS_INLINE struct record_lanes record_lanes(uint64_t now)
{
	return (struct record_lanes){now};
}

ALWAYS_INLINE bool record_take_move(struct plain_session *session, const uint8_t *frame,
				    const struct record_lanes *lanes)
{
	const struct plain_move *move = &((const struct move_frame *)frame)->move;
	const struct peer peer = frame_peer(frame);

	if (unlikely(!peer_equal(&session->peer, &peer) || session->player_id != move->player_id))
		return false;
	plain_seen(session, lanes->now);
	plain_move_session(session, &move->motion);
	return true;
}
#endif

#endif

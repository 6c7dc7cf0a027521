// SPDX-License-Identifier: BSD-3-Clause
// net/move_group.h: eight PLAYER_MOVEs at once, where the CPU has AVX-512: are they what move_frame.h asks one by one?
//
// Whatever can be decided of all of them together is: what no frame may differ in and what no word may be is gathered and
// asked once, and of the sums of sixteen checksums each step adds up two registers, not the lanes of one. Only ever says
// yes: where one of the eight is another, they are looked at one by one.

#ifndef POLLGATE_NET_MOVE_GROUP_H
#define POLLGATE_NET_MOVE_GROUP_H

#include "net/move_frame.h"

#define MOVE_GROUP 8

#ifdef __AVX512F__
typedef uint64_t longs64 __attribute__((vector_size(64)));

/// What a group is compared with, in registers for the length of a burst.
struct group_spans {
	__m512i fixed, fixed_mask;
	__m512i refused, suspect_mask; // of each frame's words, but for its source
	__m512i sum_mask;
	__m512i address, broadcast; // ours, and our network's, in every word
	uint32_t mac_tail;
};

ALWAYS_INLINE struct group_spans group_spans(const struct fast_frame *template)
{
	struct group_spans spans = {
		.fixed = _mm512_loadu_si512(template->fixed),
		.fixed_mask = _mm512_loadu_si512(template->fixed_mask),
		.refused = _mm512_loadu_si512(template->refused),
		.suspect_mask = _mm512_loadu_si512(template->suspect_mask),
		.sum_mask = _mm512_loadu_si512(template->sum_mask),
		.address = _mm512_set1_epi32((int)template->refused[WORD_SOURCE]),
		.broadcast = _mm512_set1_epi32((int)template->refused[WORD_TYPE]),
		.mac_tail = template->mac_tail,
	};

	// The words that stand for the source in a single frame's span are never these.
	spans.refused = _mm512_mask_set1_epi32(spans.refused, SOURCE_WORDS, NO_WORD);
	return spans;
}

/// Eight frames: the words from FRAME_WORDS on, and the source of each with its ports behind it.
struct move_group {
	__m512i words[MOVE_GROUP];
	__m512i ends;
};

#define GROUP_SOURCES 0x5555 // which words of `ends`

/// Source and ports of two frames, in the first words.
ALWAYS_INLINE __m512i two_ends(__m512i a, __m512i b)
{
	const __m512i from = _mm512_setr_epi32(WORD_SOURCE, WORD_PORTS, SPAN_WORDS + WORD_SOURCE,
					       SPAN_WORDS + WORD_PORTS, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

	return _mm512_permutex2var_epi32(a, from, b);
}

ALWAYS_INLINE __m512i four_ends(const __m512i *words)
{
	return _mm512_inserti32x4(two_ends(words[0], words[1]), _mm512_castsi512_si128(two_ends(words[2], words[3])),
				  1);
}

ALWAYS_INLINE struct move_group move_group(uint8_t *const *frame)
{
	struct move_group group;

#pragma GCC unroll 8
	for (unsigned k = 0; k < MOVE_GROUP; k++)
		group.words[k] = _mm512_loadu_si512(frame[k] + FRAME_WORDS);
	group.ends = _mm512_inserti64x4(four_ends(group.words), _mm512_castsi512_si256(four_ends(group.words + 4)), 1);
	return group;
}

/// Is one of the sources an address that no host sends from? These are the ones that fast_frame_init refuses.
ALWAYS_INLINE bool group_source_refused(__m512i ends, const struct group_spans *spans)
{
	const __m512i network = _mm512_and_si512(ends, _mm512_set1_epi32(0xff));
	const __m512i class = _mm512_and_si512(ends, _mm512_set1_epi32(CLASS_MULTICAST));

	return (GROUP_SOURCES &
		(_mm512_cmpeq_epi32_mask(ends, spans->address) | _mm512_cmpeq_epi32_mask(ends, spans->broadcast) |
		 _mm512_testn_epi32_mask(network, network) |
		 _mm512_cmpeq_epi32_mask(network, _mm512_set1_epi32(NETWORK_LOOPBACK)) |
		 _mm512_cmpeq_epi32_mask(class, _mm512_set1_epi32(CLASS_MULTICAST)))) != 0;
}

/// In each lane of 128 bits: the sum of the two words of `a`, then that of `b`.
ALWAYS_INLINE __m512i add_pairs(__m512i a, __m512i b)
{
	return _mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

/// Add neighbouring lanes of 128 bits of each register.
ALWAYS_INLINE __m512i add_quarters(__m512i a, __m512i b)
{
	return _mm512_add_epi64(_mm512_shuffle_i64x2(a, b, 0x88), _mm512_shuffle_i64x2(a, b, 0xdd));
}

/// The words under `mask` and every second one.
ALWAYS_INLINE __m512i add_words(__m512i words, __m512i mask)
{
	return _mm512_add_epi64(_mm512_and_si512(words, mask), _mm512_srli_epi64(words, 32));
}

/// As checksum_right(), for eight sums.
ALWAYS_INLINE bool eight_right(__m512i sums)
{
	const longs64 quotients = (longs64)sums * CHECKSUM_INVERSE;

	return _mm512_cmple_epu64_mask((__m512i)quotients, _mm512_set1_epi64((long long)CHECKSUM_QUOTIENT_MAX)) == 0xff;
}

/// @return the sums of eight UDP datagrams, in no particular order
ALWAYS_INLINE __m512i datagram_sums(const __m512i *words, __m512i mask)
{
	__m512i half[MOVE_GROUP / 2];

#pragma GCC unroll 8
	for (unsigned k = 0; k < MOVE_GROUP / 2; k++)
		half[k] = add_pairs(add_words(words[2 * k], mask), add_words(words[2 * k + 1], mask));
	return _mm512_add_epi64(
		add_quarters(add_quarters(half[0], half[1]), add_quarters(half[2], half[3])),
		_mm512_set1_epi64(BE16(IP_UDP) + BE16(sizeof(struct udp_header) + sizeof(struct plain_move))));
}

/// The five words of two IPv4 headers, one in each half.
ALWAYS_INLINE __m512i two_headers(const uint8_t *a, const uint8_t *b)
{
	const __m256i low = _mm256_maskz_loadu_epi32(0x1f, a + offsetof(struct frame_front, ip));
	const __m256i high = _mm256_loadu_si256((const __m256i *)(b + offsetof(struct frame_front, ip)));

	return _mm512_mask_broadcast_i32x8(_mm512_zextsi256_si512(low), 0x1f00, high);
}

/// @return the sums of eight IPv4 headers, in no particular order
ALWAYS_INLINE __m512i header_sums(uint8_t *const *frame)
{
	const __m512i every_second = _mm512_set1_epi64(UINT32_MAX);
	__m512i two[MOVE_GROUP / 2];

#pragma GCC unroll 8
	for (unsigned k = 0; k < MOVE_GROUP / 2; k++)
		two[k] = add_words(two_headers(frame[2 * k], frame[2 * k + 1]), every_second);
	return add_quarters(add_pairs(two[0], two[1]), add_pairs(two[2], two[3]));
}

/// @param length  of eight frames
ALWAYS_INLINE bool group_is_of(const uint16_t *length, uint16_t expected)
{
	const __m128i lengths = _mm_loadu_si128((const __m128i *)length);

	return _mm_cmpeq_epi16_mask(lengths, _mm_set1_epi16((short)expected)) == 0xff;
}

/// @param rx  of eight frames: has the device found all checksums right?
ALWAYS_INLINE bool group_verified(const uint8_t *rx)
{
	return load64(rx) == 0x0101010101010101U * (RX_IP_CHECKSUM_GOOD | RX_L4_CHECKSUM_GOOD);
}

/// Are all of them PLAYER_MOVEs to the port's first address and first listener, with right checksums?
/// @param verified  the checksums need not be looked at
ALWAYS_INLINE bool move_group_right(uint8_t *const *frame, const struct move_group *group,
				    const struct group_spans *spans, const bool verified)
{
	__m512i unlike = _mm512_setzero_si512(), nearest = _mm512_set1_epi64(-1);

#pragma GCC unroll 8
	for (unsigned k = 0; k < MOVE_GROUP; k++) {
		const uint32_t mac_tail = load32(frame[k] + MAC_LEN + 2);

		// Somebody whose MAC ends like ours only takes the longer way.
		if (unlikely(mac_tail == 0) || unlikely(mac_tail == spans->mac_tail))
			return false;
		unlike = _mm512_or_si512(unlike, _mm512_xor_si512(spans->fixed, _mm512_loadu_si512(frame[k])));
		nearest = _mm512_min_epu32(
			nearest,
			_mm512_xor_si512(_mm512_and_si512(group->words[k], spans->suspect_mask), spans->refused));
	}
	// A refused word has no difference to the word that it is compared with.
	if (unlikely((_mm512_test_epi32_mask(unlike, spans->fixed_mask) | _mm512_testn_epi32_mask(nearest, nearest)) !=
		     0) ||
	    unlikely(group_source_refused(group->ends, spans)))
		return false;
	return verified || (likely(eight_right(header_sums(frame))) &&
			    likely(eight_right(datagram_sums(group->words, spans->sum_mask))));
}
#endif

#endif

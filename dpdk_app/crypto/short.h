// SPDX-License-Identifier: BSD-3-Clause
// crypto/short.h: AES-128-GCM of packets of a few blocks, where the call of a library takes longer than the cipher.
//
// Nearly every datagram is a movement of 40 sealed bytes or an acknowledgement of 12, behind a header of 12. For these lengths,
// which are constants, the compiler writes the rounds and the hash out, and the cryptography of one packet overlaps with what
// surrounds it. Keys are the library's: its round keys, and the first three powers of the hash's key, where cipher.c has found
// them. Files that are compiled without AES-NI and PCLMULQDQ, and keys in which the powers were not found, leave it all to the
// library. test_cipher.c holds it to the library, for every length.
//
// The hash is that of Gueron and Kounavis, "Carry-Less Multiplication and Its Usage for Computing the GCM Mode": numbers with
// their bytes reversed, keys multiplied by x before, sums of products reduced once.

#ifndef POLLGATE_CRYPTO_SHORT_H
#define POLLGATE_CRYPTO_SHORT_H

#include "crypto/cipher.h"
#include "unroll.h"

#if defined(__AES__) && defined(__PCLMUL__) && defined(__SSE4_1__)

#include <immintrin.h>

#define SHORT_BLOCK 16
#define SHORT_BLOCKS_MAX 4 // of what is sealed
#define SHORT_ROUNDS 10

/// A sum of products, not reduced: its lowest, middle and highest 128 bits, which overlap by a half.
struct short_sum {
	__m128i low, middle, high;
};

ALWAYS_INLINE __m128i short_reversed(__m128i block)
{
	return _mm_shuffle_epi8(block, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

ALWAYS_INLINE __m128i short_load(const uint8_t *from)
{
	return _mm_loadu_si128((const __m128i *)from);
}

/// The first bytes of a block; the others are 0.
ALWAYS_INLINE __m128i short_first(__m128i block, size_t bytes)
{
	static const uint8_t mask[2 * SHORT_BLOCK] = {255, 255, 255, 255, 255, 255, 255, 255,
						      255, 255, 255, 255, 255, 255, 255, 255};

	return bytes == SHORT_BLOCK ? block : _mm_and_si128(block, short_load(mask + SHORT_BLOCK - bytes));
}

ALWAYS_INLINE void short_add(struct short_sum *sum, __m128i block, __m128i power)
{
	const __m128i crossed =
		_mm_xor_si128(_mm_clmulepi64_si128(block, power, 0x01), _mm_clmulepi64_si128(block, power, 0x10));

	sum->low = _mm_xor_si128(sum->low, _mm_clmulepi64_si128(block, power, 0x00));
	sum->middle = _mm_xor_si128(sum->middle, crossed);
	sum->high = _mm_xor_si128(sum->high, _mm_clmulepi64_si128(block, power, 0x11));
}

/// Modulo x^128 + x^127 + x^126 + x^121 + 1, which the polynomial is with its bits reversed.
ALWAYS_INLINE __m128i short_reduce(struct short_sum sum)
{
	const __m128i polynomial = _mm_set_epi64x((long long)0xc200000000000000ULL, 1);
	const __m128i high = _mm_xor_si128(sum.high, _mm_srli_si128(sum.middle, 8));
	__m128i low = _mm_xor_si128(sum.low, _mm_slli_si128(sum.middle, 8));

	low = _mm_xor_si128(_mm_shuffle_epi32(low, 0x4e), _mm_clmulepi64_si128(low, polynomial, 0x10));
	low = _mm_xor_si128(_mm_shuffle_epi32(low, 0x4e), _mm_clmulepi64_si128(low, polynomial, 0x10));
	return _mm_xor_si128(high, low);
}

ALWAYS_INLINE __m128i short_power(const struct cipher_code *code, const struct cipher_key *key, unsigned n)
{
	return short_load((const uint8_t *)key + code->powers_at[n - 1]);
}

/// The hash of so many blocks, whose bytes are reversed.
ALWAYS_INLINE __m128i short_hash(const struct cipher_code *code, const struct cipher_key *key, const __m128i *block,
				 const unsigned blocks)
{
	__m128i hash = _mm_setzero_si128();

	UNROLLED
	for (unsigned at = 0; at < blocks; at += CIPHER_POWERS) {
		const unsigned n = blocks - at < CIPHER_POWERS ? blocks - at : CIPHER_POWERS;
		struct short_sum sum = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};

		UNROLLED
		for (unsigned i = 0; i < n; i++)
			short_add(&sum, i == 0 ? _mm_xor_si128(hash, block[at]) : block[at + i],
				  short_power(code, key, n - i));
		hash = short_reduce(sum);
	}
	return hash;
}

/// What a tag is masked with, and then a block for each block that is sealed.
ALWAYS_INLINE void short_stream(const struct cipher_key *key, uint64_t counter, __m128i *stream, const unsigned blocks)
{
	const cipher_nonce nonce = cipher_nonce_of(key, counter);

	UNROLLED
	for (unsigned i = 0; i < blocks; i++)
		stream[i] = _mm_xor_si128(_mm_insert_epi32((__m128i)nonce, (int)__builtin_bswap32(i + 1), 3),
					  short_load(key->round_keys));
	UNROLLED
	for (unsigned round = 1; round < SHORT_ROUNDS; round++) {
		UNROLLED
		for (unsigned i = 0; i < blocks; i++)
			stream[i] =
				_mm_aesenc_si128(stream[i], short_load(key->round_keys + (size_t)round * SHORT_BLOCK));
	}
	UNROLLED
	for (unsigned i = 0; i < blocks; i++)
		stream[i] = _mm_aesenclast_si128(stream[i],
						 short_load(key->round_keys + (size_t)SHORT_ROUNDS * SHORT_BLOCK));
}

/// The tag of `sealed` bytes as they travel, of which the last block ends in zeros, behind `clear` bytes.
ALWAYS_INLINE __m128i short_tag(const struct cipher_code *code, const struct cipher_key *key, const uint8_t *packet,
				const __m128i *cipher, __m128i mask, const size_t clear, const size_t sealed)
{
	const unsigned blocks = (unsigned)((sealed + SHORT_BLOCK - 1) / SHORT_BLOCK);
	__m128i block[SHORT_BLOCKS_MAX + 2];

	block[0] = short_reversed(short_first(short_load(packet), clear));
	UNROLLED
	for (unsigned i = 0; i < blocks; i++)
		block[i + 1] = short_reversed(cipher[i]);
	block[blocks + 1] = _mm_set_epi64x((long long)clear * 8, (long long)sealed * 8);
	return _mm_xor_si128(short_reversed(short_hash(code, key, block, blocks + 2)), mask);
}

ALWAYS_INLINE size_t short_bytes(const size_t sealed, const unsigned block)
{
	const size_t left = sealed - (size_t)block * SHORT_BLOCK;

	return left < SHORT_BLOCK ? left : SHORT_BLOCK;
}

/// As cipher_open() and cipher_seal(), of lengths that are constants: 1 to 16 bytes in clear, 1 to 64 sealed.
ALWAYS_INLINE bool short_open(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
			      uint8_t *packet, const size_t clear, const size_t sealed)
{
	const unsigned blocks = (unsigned)((sealed + SHORT_BLOCK - 1) / SHORT_BLOCK);
	uint8_t *at = packet + clear;
	__m128i stream[SHORT_BLOCKS_MAX + 1], cipher[SHORT_BLOCKS_MAX];
	uint64_t is[2];
	__m128i tag;

	if (unlikely(code->powers_at[0] == 0))
		return cipher_open(code, key, counter, packet, clear, clear + sealed + CIPHER_TAG_LEN);
	short_stream(key, counter, stream, blocks + 1);
	UNROLLED
	for (unsigned i = 0; i < blocks; i++)
		cipher[i] = short_first(short_load(at + (size_t)i * SHORT_BLOCK), short_bytes(sealed, i));
	tag = short_tag(code, key, packet, cipher, stream[0], clear, sealed);
	UNROLLED
	for (unsigned i = 0; i < blocks; i++) {
		const __m128i plain = _mm_xor_si128(cipher[i], stream[i + 1]);

		memcpy(at + (size_t)i * SHORT_BLOCK, &plain, short_bytes(sealed, i));
	}
	memcpy(is, &tag, sizeof(is));
	return cipher_tag_is(is, at + sealed);
}

ALWAYS_INLINE void short_seal(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
			      uint8_t *packet, const size_t clear, const size_t sealed)
{
	const unsigned blocks = (unsigned)((sealed + SHORT_BLOCK - 1) / SHORT_BLOCK);
	uint8_t *at = packet + clear;
	__m128i stream[SHORT_BLOCKS_MAX + 1], cipher[SHORT_BLOCKS_MAX];
	__m128i tag;

	if (unlikely(code->powers_at[0] == 0)) {
		cipher_seal(code, key, counter, packet, clear, clear + sealed + CIPHER_TAG_LEN);
		return;
	}
	short_stream(key, counter, stream, blocks + 1);
	UNROLLED
	for (unsigned i = 0; i < blocks; i++)
		cipher[i] = short_first(_mm_xor_si128(short_load(at + (size_t)i * SHORT_BLOCK), stream[i + 1]),
					short_bytes(sealed, i));
	tag = short_tag(code, key, packet, cipher, stream[0], clear, sealed);
	UNROLLED
	for (unsigned i = 0; i < blocks; i++)
		memcpy(at + (size_t)i * SHORT_BLOCK, &cipher[i], short_bytes(sealed, i));
	memcpy(at + sealed, &tag, sizeof(tag));
}

#else

ALWAYS_INLINE bool short_open(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
			      uint8_t *packet, const size_t clear, const size_t sealed)
{
	return cipher_open(code, key, counter, packet, clear, clear + sealed + CIPHER_TAG_LEN);
}

ALWAYS_INLINE void short_seal(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
			      uint8_t *packet, const size_t clear, const size_t sealed)
{
	cipher_seal(code, key, counter, packet, clear, clear + sealed + CIPHER_TAG_LEN);
}

#endif

#endif

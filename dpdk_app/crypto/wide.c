// SPDX-License-Identifier: BSD-3-Clause
// crypto/wide.c: see wide.h.
//
// The hash as in short.h: numbers with their bytes reversed, sums of products reduced once, here for up to 16 blocks.

#include "crypto/wide.h"

#include <immintrin.h>

#define WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,vaes,vpclmulqdq,aes,pclmul,sse4.1")))
#define WIDE_INLINE WIDE static inline __attribute__((always_inline))

#define BLOCK 16
#define BLOCKS 4 // in a register
#define BYTES (BLOCKS * BLOCK)
#define ROUNDS 10
#define REGISTERS_MAX 4 // at a time

bool wide_runs(const struct cipher_code *code)
{
	const uint64_t needs = IMB_FEATURE_AVX512_SKX | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;

	return (code->manager->features & needs) == needs;
}

// ---------------------------------------------------------------- the hash

/// Sums of products, one for each block of a register, not reduced: their lowest, middle and highest 128 bits, which overlap by
/// a half.
struct sums {
	__m512i low, middle, high;
};

WIDE_INLINE __m512i reversed(__m512i blocks)
{
	return _mm512_shuffle_epi8(
		blocks, _mm512_broadcast_i32x4(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)));
}

WIDE_INLINE __m128i reversed_one(__m128i block)
{
	return _mm_shuffle_epi8(block, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

WIDE_INLINE __m512i xor3(__m512i a, __m512i b, __m512i c)
{
	return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

WIDE_INLINE void add(struct sums *sums, __m512i blocks, __m512i powers)
{
	sums->low = _mm512_xor_si512(sums->low, _mm512_clmulepi64_epi128(blocks, powers, 0x00));
	sums->middle = xor3(sums->middle, _mm512_clmulepi64_epi128(blocks, powers, 0x01),
			    _mm512_clmulepi64_epi128(blocks, powers, 0x10));
	sums->high = _mm512_xor_si512(sums->high, _mm512_clmulepi64_epi128(blocks, powers, 0x11));
}

/// Each modulo x^128 + x^127 + x^126 + x^121 + 1, which the polynomial is with its bits reversed.
WIDE_INLINE __m512i reduce_each(struct sums sums)
{
	const __m512i polynomial = _mm512_broadcast_i32x4(_mm_set_epi64x((long long)0xc200000000000000ULL, 1));
	const __m512i high = _mm512_xor_si512(sums.high, _mm512_bsrli_epi128(sums.middle, 8));
	__m512i low = _mm512_xor_si512(sums.low, _mm512_bslli_epi128(sums.middle, 8));

	low = _mm512_xor_si512(_mm512_shuffle_epi32(low, 0x4e), _mm512_clmulepi64_epi128(low, polynomial, 0x10));
	return xor3(high, _mm512_shuffle_epi32(low, 0x4e), _mm512_clmulepi64_epi128(low, polynomial, 0x10));
}

/// The sum of a register's blocks, in its first, and zeros.
WIDE_INLINE __m512i folded(__m512i blocks)
{
	const __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(blocks), _mm512_extracti64x4_epi64(blocks, 1));

	return _mm512_zextsi128_si512(_mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)));
}

WIDE_INLINE __m512i reduce(struct sums sums)
{
	return reduce_each((struct sums){folded(sums.low), folded(sums.middle), folded(sums.high)});
}

WIDE_INLINE __m512i product(__m512i blocks, __m512i powers)
{
	struct sums sums = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};

	add(&sums, blocks, powers);
	return reduce_each(sums);
}

// ---------------------------------------------------------------- a packet

struct work {
	__m512i round_key[ROUNDS + 1];
	__m512i next;     // counters of the next blocks, their bytes not in order yet
	__m512i power[4]; // of the hash's key, from the sixteenth on downwards
	__m512i hash;     // of what is before, in the first block, and zeros
	uint8_t *at;
	bool seal;
};

WIDE_INLINE void counters(struct work *work, __m512i *stream, const unsigned registers)
{
	const __m128i swap = _mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
	const __m512i step = _mm512_broadcast_i32x4(_mm_set_epi32(BLOCKS, 0, 0, 0));

#pragma GCC unroll 4
	for (unsigned i = 0; i < registers; i++) {
		stream[i] = _mm512_shuffle_epi8(work->next, _mm512_broadcast_i32x4(swap));
		work->next = _mm512_add_epi32(work->next, step);
	}
}

WIDE_INLINE void encrypt(const struct work *work, __m512i *stream, const unsigned registers)
{
#pragma GCC unroll 4
	for (unsigned i = 0; i < registers; i++)
		stream[i] = _mm512_xor_si512(stream[i], work->round_key[0]);
#pragma GCC unroll 16
	for (unsigned round = 1; round < ROUNDS; round++)
#pragma GCC unroll 4
		for (unsigned i = 0; i < registers; i++)
			stream[i] = _mm512_aesenc_epi128(stream[i], work->round_key[round]);
#pragma GCC unroll 4
	for (unsigned i = 0; i < registers; i++)
		stream[i] = _mm512_aesenclast_epi128(stream[i], work->round_key[ROUNDS]);
}

/// So many registers of the packet, all of them full.
WIDE_INLINE void full(struct work *work, const unsigned registers)
{
	struct sums sums = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
	__m512i stream[REGISTERS_MAX];

	counters(work, stream, registers);
	encrypt(work, stream, registers);
#pragma GCC unroll 4
	for (unsigned i = 0; i < registers; i++) {
		const __m512i in = _mm512_loadu_si512(work->at + (size_t)i * BYTES);
		const __m512i out = _mm512_xor_si512(in, stream[i]);
		const __m512i hashed = reversed(work->seal ? out : in);

		_mm512_storeu_si512(work->at + (size_t)i * BYTES, out);
		add(&sums, i == 0 ? _mm512_xor_si512(hashed, work->hash) : hashed,
		    work->power[REGISTERS_MAX - registers + i]);
	}
	work->hash = reduce(sums);
	work->at += (size_t)registers * BYTES;
}

/// The first bytes of a register.
WIDE_INLINE __mmask64 first(size_t bytes)
{
	return bytes >= BYTES ? UINT64_MAX : (1ULL << bytes) - 1;
}

/// The last bytes, fewer than two registers, and the block of lengths: their powers end with the first.
WIDE_INLINE void rest(struct work *work, size_t bytes, __m512i lengths)
{
	const size_t blocks = (bytes + BLOCK - 1) / BLOCK;
	struct sums sums = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
	uint8_t powers[5 * BYTES] __attribute__((aligned(BYTES))); // the twelfth to the first, and zeros
	__m512i stream[2];

	for (unsigned i = 0; i < 3; i++)
		_mm512_store_si512(powers + (size_t)i * BYTES, work->power[i + 1]);
	for (unsigned i = 3; i < 5; i++)
		_mm512_store_si512(powers + (size_t)i * BYTES, _mm512_setzero_si512());
	counters(work, stream, 2);
	encrypt(work, stream, 2);
#pragma GCC unroll 2
	for (unsigned i = 0; i < 2; i++) {
		const __mmask64 mask = first(bytes > (size_t)i * BYTES ? bytes - (size_t)i * BYTES : 0);
		const __m512i in = _mm512_maskz_loadu_epi8(mask, work->at + (size_t)i * BYTES);
		const __m512i out = _mm512_maskz_mov_epi8(mask, _mm512_xor_si512(in, stream[i]));
		const __m512i hashed = reversed(work->seal ? out : in);

		_mm512_mask_storeu_epi8(work->at + (size_t)i * BYTES, mask, out);
		add(&sums, i == 0 && blocks != 0 ? _mm512_xor_si512(hashed, work->hash) : hashed,
		    _mm512_loadu_si512(powers + (3 * BLOCKS - 1 - blocks) * BLOCK + (size_t)i * BYTES));
	}
	if (blocks == 0)
		lengths = _mm512_xor_si512(lengths, work->hash);
	add(&sums, lengths, _mm512_zextsi128_si512(_mm512_extracti32x4_epi32(work->power[3], 3)));
	work->hash = reduce(sums);
	work->at += bytes;
}

/// Powers, round keys, and the hash of what is in clear.
/// @return what the tag is masked with
WIDE_INLINE __m128i begin(struct work *work, const struct cipher_code *code, const struct cipher_key *key,
			  uint64_t counter, const uint8_t *packet, size_t clear)
{
	const uint8_t *powers = (const uint8_t *)key + code->wide_at;
	const cipher_nonce nonce = cipher_nonce_of(key, counter);
	__m512i eighth;
	__m128i mask;

	for (unsigned round = 0; round <= ROUNDS; round++)
		work->round_key[round] = _mm512_broadcast_i32x4(
			_mm_loadu_si128((const __m128i *)(key->round_keys + (size_t)round * BLOCK)));
	mask = _mm_xor_si128(_mm_insert_epi32((__m128i)nonce, 1 << 24, 3), _mm512_castsi512_si128(work->round_key[0]));
	for (unsigned round = 1; round < ROUNDS; round++)
		mask = _mm_aesenc_si128(mask, _mm512_castsi512_si128(work->round_key[round]));
	mask = _mm_aesenclast_si128(mask, _mm512_castsi512_si128(work->round_key[ROUNDS]));
	work->next = _mm512_add_epi32(_mm512_broadcast_i32x4((__m128i)nonce),
				      _mm512_set_epi32(5, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0));
	work->power[2] = _mm512_loadu_si512(powers);
	work->power[3] = _mm512_loadu_si512(powers + BYTES);
	eighth = _mm512_broadcast_i32x4(_mm512_castsi512_si128(work->power[2]));
	work->power[0] = product(work->power[2], eighth);
	work->power[1] = product(work->power[3], eighth);
	work->hash = _mm512_setzero_si512();
	for (size_t at = 0; at < clear; at += BLOCK) {
		const __m128i block = _mm_maskz_loadu_epi8((__mmask16)first(clear - at), packet + at);

		work->hash = product(_mm512_xor_si512(_mm512_zextsi128_si512(reversed_one(block)), work->hash),
				     _mm512_zextsi128_si512(_mm512_extracti32x4_epi32(work->power[3], 3)));
	}
	return mask;
}

/// @return the tag
WIDE_INLINE __m128i crypt(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
			  uint8_t *packet, size_t clear, size_t length, const bool seal)
{
	struct work work = {.at = packet + clear, .seal = seal};
	const __m128i mask = begin(&work, code, key, counter, packet, clear);
	const size_t sealed = length - clear - CIPHER_TAG_LEN;
	size_t left = sealed;

	for (; left >= (size_t)REGISTERS_MAX * BYTES; left -= (size_t)REGISTERS_MAX * BYTES)
		full(&work, REGISTERS_MAX);
	if (left >= (size_t)2 * BYTES) {
		full(&work, 2);
		left -= (size_t)2 * BYTES;
	}
	rest(&work, left, _mm512_zextsi128_si512(_mm_set_epi64x((long long)clear * 8, (long long)sealed * 8)));
	return _mm_xor_si128(reversed_one(_mm512_castsi512_si128(work.hash)), mask);
}

WIDE void wide_seal(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter, uint8_t *packet,
		    size_t clear, size_t length)
{
	const __m128i tag = crypt(code, key, counter, packet, clear, length, true);

	memcpy(packet + length - CIPHER_TAG_LEN, &tag, sizeof(tag));
}

WIDE bool wide_open(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter, uint8_t *packet,
		    size_t clear, size_t length)
{
	const __m128i tag = crypt(code, key, counter, packet, clear, length, false);
	uint64_t is[2];

	memcpy(is, &tag, sizeof(is));
	return cipher_tag_is(is, packet + length - CIPHER_TAG_LEN);
}

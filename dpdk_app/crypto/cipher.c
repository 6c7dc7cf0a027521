// SPDX-License-Identifier: BSD-3-Clause
// crypto/cipher.c: which of the library's code runs on this CPU, and keys made ready for it.

#include "crypto/cipher.h"

#include <immintrin.h>
#include <sodium.h>

#include "crypto/wide.h"

// ---------------------------------------------------------------- long packets

/// What each piece goes through: one way or the other.
typedef void (*update)(const struct gcm_key_data *key, struct gcm_context_data *context, uint8_t *out,
		       const uint8_t *in, uint64_t length);

static void in_pieces(const struct cipher_code *code, const struct cipher_key *key, struct gcm_context_data *context,
		      uint64_t counter, uint8_t *packet, size_t clear, size_t length, update update)
{
	const cipher_nonce nonce = cipher_nonce_of(key, counter);
	const uint8_t *end = packet + length - CIPHER_TAG_LEN;

	code->manager->gcm128_init(&key->data, context, (const uint8_t *)&nonce, packet, clear);
	for (uint8_t *at = packet + clear; at < end; at += CIPHER_PIECE) {
		const size_t left = (size_t)(end - at);

		update(&key->data, context, at, at, left < CIPHER_PIECE ? left : CIPHER_PIECE);
	}
}

static bool open_pieces(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter, uint8_t *packet,
			size_t clear, size_t length)
{
	struct gcm_context_data context;
	uint64_t is[2];

	in_pieces(code, key, &context, counter, packet, clear, length, code->manager->gcm128_dec_update);
	code->manager->gcm128_dec_finalize(&key->data, &context, (uint8_t *)is, CIPHER_TAG_LEN);
	return cipher_tag_is(is, packet + length - CIPHER_TAG_LEN);
}

static void seal_pieces(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter, uint8_t *packet,
			size_t clear, size_t length)
{
	struct gcm_context_data context;

	in_pieces(code, key, &context, counter, packet, clear, length, code->manager->gcm128_enc_update);
	code->manager->gcm128_enc_finalize(&key->data, &context, packet + length - CIPHER_TAG_LEN, CIPHER_TAG_LEN);
}

// ---------------------------------------------------------------- lines of a key

#define TRIAL_CLEAR 12 // as long as a header: hashing it takes a part of the key, too
#define TRIAL_CLEAR_MAX 64
#define TRIAL_SEALED_MAX 1361 // many blocks at once, and a block that is begun
#define TRIAL_MAX (TRIAL_CLEAR_MAX + TRIAL_SEALED_MAX + CIPHER_TAG_LEN)

/// More lines of a key are not kept: packets that need them are sealed in pieces.
#define KEPT_MAX 8

/// A packet that a key is tried on.
struct trial {
	size_t clear, sealed;
};

/// What comes of it, sealed and opened. No byte is zero: a power of the hash's key would go unseen that is only multiplied
/// with zeros.
/// @return bytes of `out`
static size_t try_key(const struct cipher_code *code, const struct cipher_key *key, struct trial trial,
		      uint8_t out[2 * TRIAL_MAX])
{
	const size_t length = trial.clear + trial.sealed + CIPHER_TAG_LEN;

	memset(out, 0xa5, 2 * length);
	cipher_seal(code, key, 1, out, trial.clear, length);
	(void)cipher_open(code, key, 1, out + length, trial.clear, length);
	return 2 * length;
}

/// Another number in every word: the library keeps sums of two of them, too.
static void change_line(struct cipher_key *key, size_t line)
{
	uint64_t words[CACHE_LINE / sizeof(uint64_t)];
	uint8_t *at = (uint8_t *)key + line * CACHE_LINE;

	memcpy(words, at, sizeof(words));
	for (size_t i = 0; i < CACHE_LINE / sizeof(uint64_t); i++)
		words[i] ^= 0x9e3779b97f4a7c15ULL * (i + 1);
	memcpy(at, words, sizeof(words));
}

static uint32_t lines_that_matter(const struct cipher_code *code, struct cipher_key *key, struct trial trial)
{
	uint8_t right[2 * TRIAL_MAX], changed[2 * TRIAL_MAX];
	const size_t length = try_key(code, key, trial, right);
	uint32_t lines = 0;

	for (size_t line = 0; line < CIPHER_KEY_LINES; line++) {
		change_line(key, line);
		try_key(code, key, trial, changed);
		if (memcmp(right, changed, length) != 0)
			lines |= 1U << line;
		change_line(key, line);
	}
	return lines;
}

/// Of packets of every length, some of them with as much in clear as any has.
static struct cipher_lines_read lines_read(const struct cipher_code *code)
{
	static const uint8_t secret[CIPHER_KEY_LEN] = {1}, salt[CIPHER_SALT_LEN] = {2};
	struct cipher_lines_read read = {.kept = 0};
	struct cipher_key key;

	memset(&key, 0, sizeof(key));
	cipher_key_init(code, &key, secret, salt);
	for (size_t length = 0; length < CIPHER_BROUGHT; length++) {
		read.lines[length] =
			lines_that_matter(code, &key, (struct trial){TRIAL_CLEAR, length / 2 * 16 + length % 2});
		read.kept |= read.lines[length];
	}
	for (size_t sealed = TRIAL_SEALED_MAX; sealed > CIPHER_BROUGHT_BYTES; sealed = sealed / 2 + 1)
		read.kept |= lines_that_matter(code, &key, (struct trial){TRIAL_CLEAR_MAX, sealed});
	return read;
}

static void find_lines(struct cipher_code *code)
{
	code->at_once = SIZE_MAX;
	code->read = lines_read(code);
	if (__builtin_popcount(code->read.kept) <= KEPT_MAX)
		return;
	code->at_once = CIPHER_PIECE;
	code->read = lines_read(code);
}

// ---------------------------------------------------------------- powers of the hash's key

/// A number of GCM's field, its bytes reversed (NIST SP 800-38D 6.3).
struct number {
	uint64_t low, high;
};

/// Towards the higher powers of x, whose places are the lower ones.
static struct number times_x(struct number n)
{
	const uint64_t carry = n.low & 1;

	return (struct number){n.low >> 1 | n.high << 63, n.high >> 1 ^ (carry ? 0xe100000000000000ULL : 0)};
}

static struct number product(struct number a, struct number b)
{
	struct number sum = {0, 0};

	for (unsigned power = 0; power < 128; power++) {
		if ((power < 64 ? a.high >> (63 - power) : a.low >> (127 - power)) & 1)
			sum = (struct number){sum.low ^ b.low, sum.high ^ b.high};
		b = times_x(b);
	}
	return sum;
}

/// As the library keeps it: divided by x, so that products need no shift.
static struct number as_kept(struct number n)
{
	const uint64_t carry = n.high >> 63;

	return (struct number){n.low << 1 ^ carry, (n.high << 1 | n.low >> 63) ^ (carry ? 0xc200000000000000ULL : 0)};
}

/// What a block of zeros is encrypted to.
__attribute__((target("aes"))) static struct number hash_key(const struct cipher_key *key)
{
	uint64_t words[2];
	__m128i block;

	memcpy(&block, key->round_keys, sizeof(block));
	for (unsigned round = 1; round <= 10; round++) {
		__m128i round_key;

		memcpy(&round_key, key->round_keys + (size_t)round * sizeof(round_key), sizeof(round_key));
		block = round < 10 ? _mm_aesenc_si128(block, round_key) : _mm_aesenclast_si128(block, round_key);
	}
	memcpy(words, &block, sizeof(words));
	return (struct number){__builtin_bswap64(words[1]), __builtin_bswap64(words[0])};
}

/// @return 0: a key has it nowhere
static uint16_t place_of(const struct cipher_key *key, struct number n)
{
	for (size_t at = CIPHER_ROUND_KEYS_LEN; at + sizeof(n) <= sizeof(key->data); at += sizeof(n))
		if (memcmp((const uint8_t *)key + at, &n, sizeof(n)) == 0)
			return (uint16_t)at;
	return 0;
}

/// The first powers, if a key has them one behind the other, the highest first, in lines that are kept.
/// @return where, or 0
static uint16_t wide_powers(const struct cipher_code *code, const struct cipher_key *key)
{
	const struct number hash = hash_key(key);
	struct number power = hash;
	uint16_t at = 0;

	for (uint16_t n = 1; n <= WIDE_POWERS; n++) {
		at = place_of(key, as_kept(power));
		if (at == 0 || !(code->read.kept >> at / CACHE_LINE & 1) ||
		    (n > 1 && at != place_of(key, as_kept(hash)) - (n - 1) * sizeof(power)))
			return 0;
		power = product(power, hash);
	}
	return at;
}

/// Packets that the library would seal in pieces are sealed by wide.h, where this CPU and the keys are such.
static void widen(struct cipher_code *code)
{
	static const uint8_t secret[CIPHER_KEY_LEN] = {5}, salt[CIPHER_SALT_LEN] = {6};
	struct cipher_key key;

	if (code->at_once == SIZE_MAX || !wide_runs(code))
		return;
	memset(&key, 0, sizeof(key));
	cipher_key_init(code, &key, secret, salt);
	code->wide_at = wide_powers(code, &key);
	if (code->wide_at == 0)
		return;
	code->seal_long = wide_seal;
	code->open_long = wide_open;
	code->read = lines_read(code);
}

/// The library's header tells that it keeps them, but not where for which code. Of those that are not kept in memory
/// (key_store.h), none is used.
static void find_powers(struct cipher_code *code)
{
	static const uint8_t secret[CIPHER_KEY_LEN] = {3}, salt[CIPHER_SALT_LEN] = {4};
	uint16_t at[CIPHER_POWERS];
	struct number hash, power;
	struct cipher_key key;

	if (!__builtin_cpu_supports("aes") || !__builtin_cpu_supports("pclmul"))
		return;
	memset(&key, 0, sizeof(key));
	cipher_key_init(code, &key, secret, salt);
	hash = power = hash_key(&key);
	for (unsigned i = 0; i < CIPHER_POWERS; i++) {
		at[i] = place_of(&key, as_kept(power));
		if (at[i] == 0 || !(code->read.lines[1] >> at[i] / CACHE_LINE & 1))
			return;
		power = product(power, hash);
	}
	memcpy(code->powers_at, at, sizeof(at));
}

static void find_all(struct cipher_code *code)
{
	find_lines(code);
	find_powers(code);
	widen(code);
}

// ---------------------------------------------------------------- code

static bool take_code(struct cipher_code *code)
{
	if (imb_get_errno(code->manager) != 0 || !(code->manager->features & IMB_FEATURE_AESNI))
		return false;
	code->encrypt = code->manager->gcm128_enc;
	code->decrypt = code->manager->gcm128_dec;
	code->prepare = code->manager->gcm128_pre;
	code->seal_long = seal_pieces;
	code->open_long = open_pieces;
	return true;
}

bool cipher_code_init(struct cipher_code *code)
{
	static struct cipher_code best; // the same for every caller; the first is alone
	IMB_ARCH arch = IMB_ARCH_NONE;

	*code = (struct cipher_code){.manager = alloc_mb_mgr(0)};
	if (!code->manager)
		return false;
	init_mb_mgr_auto(code->manager, &arch);
	if (arch == IMB_ARCH_NONE || !take_code(code))
		return false;
	if (best.read.kept == 0) {
		find_all(code);
		best = *code;
	}
	best.manager = code->manager;
	*code = best;
	return true;
}

bool cipher_code_init_at(struct cipher_code *code, enum cipher_level level)
{
	static void (*const init[])(IMB_MGR *) = {init_mb_mgr_avx512, init_mb_mgr_avx2, init_mb_mgr_sse};
	static const uint64_t needs[] = {IMB_CPUFLAGS_AVX512, IMB_CPUFLAGS_AVX2, IMB_CPUFLAGS_SSE};

	*code = (struct cipher_code){.manager = alloc_mb_mgr(0)};
	if (!code->manager || (code->manager->features & needs[level]) != needs[level])
		return false;
	init[level](code->manager);
	if (!take_code(code))
		return false;
	find_all(code);
	return true;
}

void cipher_code_free(struct cipher_code *code)
{
	free_mb_mgr(code->manager);
	*code = (struct cipher_code){.manager = NULL};
}

uint32_t cipher_lines_kept(void)
{
	struct cipher_code code;
	const uint32_t kept = cipher_code_init(&code) ? code.read.kept : UINT32_MAX >> (32 - CIPHER_KEY_LINES);

	cipher_code_free(&code);
	return kept;
}

void cipher_key_init(const struct cipher_code *code, struct cipher_key *key, const uint8_t secret[CIPHER_KEY_LEN],
		     const uint8_t salt[CIPHER_SALT_LEN])
{
	code->prepare(secret, &key->data);
	memcpy(key->salt, salt, CIPHER_SALT_LEN);
}

void cipher_forget(struct cipher *cipher)
{
	sodium_memzero(cipher, sizeof(*cipher));
}

// SPDX-License-Identifier: BSD-3-Clause
// crypto/cipher.c: which of the library's code runs on this CPU, and keys made ready for it.

#include "crypto/cipher.h"

#include <sodium.h>

#define TRIAL_CLEAR 20 // as long as the header: hashing it takes a part of the key, too
#define TRIAL_MAX (TRIAL_CLEAR + CIPHER_BROUGHT_BYTES + CIPHER_TAG_LEN)

/// What comes of a header and so many bytes. None is zero: a power of the hash's key would go unseen that is only
/// multiplied with zeros, such as the header's.
static void try_key(const struct cipher_code *code, const struct cipher_key *key, uint8_t *out, size_t sealed)
{
	memset(out, 0xa5, TRIAL_MAX);
	cipher_seal(code, key, 1, out, TRIAL_CLEAR, TRIAL_CLEAR + sealed + CIPHER_TAG_LEN);
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

static uint32_t lines_that_matter(const struct cipher_code *code, struct cipher_key *key, size_t sealed)
{
	uint8_t right[TRIAL_MAX], changed[TRIAL_MAX];
	uint32_t lines = 0;

	try_key(code, key, right, sealed);
	for (size_t line = 0; line < CIPHER_KEY_LINES; line++) {
		change_line(key, line);
		try_key(code, key, changed, sealed);
		if (memcmp(right, changed, sizeof(right)) != 0)
			lines |= 1U << line;
		change_line(key, line);
	}
	return lines;
}

static void find_lines(struct cipher_code *code)
{
	static const uint8_t secret[CIPHER_KEY_LEN] = {1}, salt[CIPHER_SALT_LEN] = {2};
	struct cipher_key key;

	memset(&key, 0, sizeof(key));
	cipher_key_init(code, &key, secret, salt);
	for (size_t length = 0; length < CIPHER_BROUGHT; length++)
		code->lines[length] = lines_that_matter(code, &key, length / 2 * 16 + length % 2);
}

static bool take_code(struct cipher_code *code)
{
	if (imb_get_errno(code->manager) != 0 || !(code->manager->features & IMB_FEATURE_AESNI))
		return false;
	code->encrypt = code->manager->gcm128_enc;
	code->decrypt = code->manager->gcm128_dec;
	code->prepare = code->manager->gcm128_pre;
	find_lines(code);
	return true;
}

bool cipher_code_init(struct cipher_code *code)
{
	IMB_ARCH arch = IMB_ARCH_NONE;

	*code = (struct cipher_code){.manager = alloc_mb_mgr(0)};
	if (!code->manager)
		return false;
	init_mb_mgr_auto(code->manager, &arch);
	return arch != IMB_ARCH_NONE && take_code(code);
}

bool cipher_code_init_at(struct cipher_code *code, enum cipher_level level)
{
	static void (*const init[])(IMB_MGR *) = {init_mb_mgr_avx512, init_mb_mgr_avx2, init_mb_mgr_sse};
	static const uint64_t needs[] = {IMB_CPUFLAGS_AVX512, IMB_CPUFLAGS_AVX2, IMB_CPUFLAGS_SSE};

	*code = (struct cipher_code){.manager = alloc_mb_mgr(0)};
	if (!code->manager || (code->manager->features & needs[level]) != needs[level])
		return false;
	init[level](code->manager);
	return take_code(code);
}

void cipher_code_free(struct cipher_code *code)
{
	free_mb_mgr(code->manager);
	*code = (struct cipher_code){.manager = NULL};
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

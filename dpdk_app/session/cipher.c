// SPDX-License-Identifier: BSD-3-Clause
// session/cipher.c: which of the library's code runs on this CPU, and keys made ready for it.

#include "session/cipher.h"

#include <sodium.h>

/// Told by what preparing a key writes: which code runs depends on more of the CPU than its name.
static enum cipher_layout layout_of(aes_gcm_pre_t prepare)
{
	static const uint8_t secret[CIPHER_KEY_LEN] = {1};
	struct cipher_key key = {.salt = {0}};

	prepare(secret, &key.data);
	if (!sodium_is_zero(key.data.ghash_keys.vaes_avx512.shifted_hkey + 47 * CIPHER_TAG_LEN, CIPHER_TAG_LEN))
		return CIPHER_WIDE;
	if (!sodium_is_zero(key.data.ghash_keys.sse_avx.shifted_hkey_k, CIPHER_TAG_LEN))
		return CIPHER_NARROW;
	return CIPHER_MIDDLE;
}

static bool take_code(struct cipher_code *code)
{
	if (imb_get_errno(code->manager) != 0 || !(code->manager->features & IMB_FEATURE_AESNI))
		return false;
	code->encrypt = code->manager->gcm128_enc;
	code->decrypt = code->manager->gcm128_dec;
	code->prepare = code->manager->gcm128_pre;
	code->layout = layout_of(code->prepare);
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

bool cipher_code_init_at(struct cipher_code *code, enum cipher_layout layout)
{
	static void (*const init[])(IMB_MGR *) = {init_mb_mgr_avx512, init_mb_mgr_avx2, init_mb_mgr_sse};
	static const uint64_t needs[] = {IMB_CPUFLAGS_AVX512, IMB_CPUFLAGS_AVX2, IMB_CPUFLAGS_SSE};

	*code = (struct cipher_code){.manager = alloc_mb_mgr(0)};
	if (!code->manager || (code->manager->features & needs[layout]) != needs[layout])
		return false;
	init[layout](code->manager);
	return take_code(code) && code->layout == layout;
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

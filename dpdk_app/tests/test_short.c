// SPDX-License-Identifier: BSD-3-Clause
// test_short.c: the cipher of short packets against the library, with all code that this CPU has.

#include "unit.h"

#include <string.h>

#include "crypto/short.h"
#include "rig.h"

#define ROUNDS 50
#define PACKET 128 // what lies behind is not touched

static const uint8_t secret[CIPHER_KEY_LEN] = {0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c,
					       0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08};
static const uint8_t salt[CIPHER_SALT_LEN] = {0xca, 0xfe, 0xba, 0xbe};

/// Lengths are constants where they are used: a function for each.
typedef void seal_function(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
			   uint8_t *packet);
typedef bool open_function(const struct cipher_code *code, const struct cipher_key *key, uint64_t counter,
			   uint8_t *packet);

#define LENGTHS(X) \
	X(12, 1)   \
	X(12, 8)   \
	X(12, 12)  \
	X(12, 15)  \
	X(12, 16)  \
	X(12, 17)  \
	X(12, 28) X(12, 32) X(12, 33) X(12, 40) X(12, 48) X(12, 63) X(12, 64) X(1, 12) X(1, 40) X(16, 12) X(16, 40)

#define FUNCTIONS(CLEAR, SEALED)                                                                          \
	static void seal_##CLEAR##_##SEALED(const struct cipher_code *code, const struct cipher_key *key, \
					    uint64_t counter, uint8_t *packet)                            \
	{                                                                                                 \
		short_seal(code, key, counter, packet, CLEAR, SEALED);                                    \
	}                                                                                                 \
	static bool open_##CLEAR##_##SEALED(const struct cipher_code *code, const struct cipher_key *key, \
					    uint64_t counter, uint8_t *packet)                            \
	{                                                                                                 \
		return short_open(code, key, counter, packet, CLEAR, SEALED);                             \
	}
LENGTHS(FUNCTIONS)

static const struct {
	size_t clear, sealed;
	seal_function *seal;
	open_function *open;
} lengths[] = {
#define ROW(CLEAR, SEALED) {CLEAR, SEALED, seal_##CLEAR##_##SEALED, open_##CLEAR##_##SEALED},
	LENGTHS(ROW)};

static void check_length(const struct cipher_code *code, const struct cipher_key *key, size_t i, uint64_t *seed)
{
	const size_t length = lengths[i].clear + lengths[i].sealed + CIPHER_TAG_LEN;
	const uint64_t counter = random_next(seed);
	uint8_t text[PACKET], right[PACKET], packet[PACKET];

	for (size_t at = 0; at < sizeof(text); at++)
		text[at] = (uint8_t)random_next(seed);
	memcpy(right, text, sizeof(text));
	memcpy(packet, text, sizeof(text));
	cipher_seal(code, key, counter, right, lengths[i].clear, length);
	lengths[i].seal(code, key, counter, packet);
	assert_memory_equal(packet, right, sizeof(packet));
	packet[random_below(seed, (uint32_t)length)] ^= (uint8_t)(1U << random_below(seed, 8));
	assert_false(lengths[i].open(code, key, counter, packet));
	memcpy(packet, right, sizeof(packet));
	assert_false(lengths[i].open(code, key, counter + 1, packet));
	memcpy(packet, right, sizeof(packet));
	assert_true(lengths[i].open(code, key, counter, packet));
	assert_memory_equal(packet, text, length - CIPHER_TAG_LEN);
	assert_memory_equal(packet + length, text + length, sizeof(packet) - length);
}

static void check_all(const struct cipher_code *code)
{
	struct cipher_key key;
	uint64_t seed = 7;

	cipher_key_init(code, &key, secret, salt);
	for (size_t i = 0; i < COUNT(lengths); i++)
		for (unsigned round = 0; round < ROUNDS; round++)
			check_length(code, &key, i, &seed);
}

static void short_packets_are_sealed_and_opened_as_by_the_library(void **state UNUSED)
{
	for (int level = CIPHER_AVX512; level <= CIPHER_SSE; level++) {
		struct cipher_code code;

		if (cipher_code_init_at(&code, (enum cipher_level)level)) {
			check_all(&code);
			memset(code.powers_at, 0, sizeof(code.powers_at)); // as if they had not been found
			check_all(&code);
		}
		cipher_code_free(&code);
	}
}

/// Else all of this would be the library's own work, at the library's price.
static void the_powers_of_a_key_are_found(void **state UNUSED)
{
	struct cipher_code code;

	assert_true(cipher_code_init(&code));
	for (unsigned i = 0; i < CIPHER_POWERS; i++)
		assert_int_not_equal(code.powers_at[i], 0);
	cipher_code_free(&code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_packets_are_sealed_and_opened_as_by_the_library),
		cmocka_unit_test(the_powers_of_a_key_are_found),
	};

	return cmocka_run_group_tests_name("short", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// test_cipher.c: AES-128-GCM against NIST's and another library's results, with all code that this CPU can run.

#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "crypto/cipher.h"
#include "rig.h"

static const uint8_t secret[CIPHER_KEY_LEN] = {0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c,
					       0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08};
static const uint8_t salt[CIPHER_SALT_LEN] = {0xca, 0xfe, 0xba, 0xbe};

/// What a test does, with all code that the CPU has. At least one must run.
static void with_all_code(void (*test)(const struct cipher_code *code))
{
	unsigned ran = 0;

	for (int level = CIPHER_AVX512; level <= CIPHER_SSE; level++) {
		struct cipher_code code;

		if (cipher_code_init_at(&code, (enum cipher_level)level)) {
			test(&code);
			ran++;
		}
		cipher_code_free(&code);
	}
	assert_true(ran > 0);
}

// ---------------------------------------------------------------- results

/// McGrew and Viega, "The Galois/Counter Mode of Operation", test case 4, of which NIST SP 800-38D is the standard.
static void seals_case_4(const struct cipher_code *code)
{
	static const uint8_t nonce_rest[8] = {0xfa, 0xce, 0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88};
	static const uint8_t clear[20] = {0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xfe, 0xed,
					  0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xab, 0xad, 0xda, 0xd2};
	static const uint8_t text[60] = {0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59, 0x09, 0xc5,
					 0xaf, 0xf5, 0x26, 0x9a, 0x86, 0xa7, 0xa9, 0x53, 0x15, 0x34, 0xf7, 0xda,
					 0x2e, 0x4c, 0x30, 0x3d, 0x8a, 0x31, 0x8a, 0x72, 0x1c, 0x3c, 0x0c, 0x95,
					 0x95, 0x68, 0x09, 0x53, 0x2f, 0xcf, 0x0e, 0x24, 0x49, 0xa6, 0xb5, 0x25,
					 0xb1, 0x6a, 0xed, 0xf5, 0xaa, 0x0d, 0xe6, 0x57, 0xba, 0x63, 0x7b, 0x39};
	static const uint8_t sealed[60] = {0x42, 0x83, 0x1e, 0xc2, 0x21, 0x77, 0x74, 0x24, 0x4b, 0x72, 0x21, 0xb7,
					   0x84, 0xd0, 0xd4, 0x9c, 0xe3, 0xaa, 0x21, 0x2f, 0x2c, 0x02, 0xa4, 0xe0,
					   0x35, 0xc1, 0x7e, 0x23, 0x29, 0xac, 0xa1, 0x2e, 0x21, 0xd5, 0x14, 0xb2,
					   0x54, 0x66, 0x93, 0x1c, 0x7d, 0x8f, 0x6a, 0x5a, 0xac, 0x84, 0xaa, 0x05,
					   0x1b, 0xa3, 0x0b, 0x39, 0x6a, 0x0a, 0xac, 0x97, 0x3d, 0x58, 0xe0, 0x91};
	static const uint8_t tag[CIPHER_TAG_LEN] = {0x5b, 0xc9, 0x4f, 0xbc, 0x32, 0x21, 0xa5, 0xdb,
						    0x94, 0xfa, 0xe9, 0x5a, 0xe7, 0x12, 0x1a, 0x47};
	uint8_t packet[sizeof(clear) + sizeof(text) + sizeof(tag)] = {0};
	struct cipher_key key;
	uint64_t counter;

	memcpy(packet, clear, sizeof(clear));
	memcpy(packet + sizeof(clear), text, sizeof(text));
	memcpy(&counter, nonce_rest, sizeof(counter));
	cipher_key_init(code, &key, secret, salt);
	cipher_seal(code, &key, counter, packet, sizeof(clear), sizeof(packet));
	assert_memory_equal(packet, clear, sizeof(clear));
	assert_memory_equal(packet + sizeof(clear), sealed, sizeof(sealed));
	assert_memory_equal(packet + sizeof(clear) + sizeof(sealed), tag, sizeof(tag));
	assert_true(cipher_open(code, &key, counter, packet, sizeof(clear), sizeof(packet)));
	assert_memory_equal(packet + sizeof(clear), text, sizeof(text));
}

static void a_published_case_is_sealed_byte_for_byte(void **state UNUSED)
{
	with_all_code(seals_case_4);
}

static void opens_every_length_behind(const struct cipher_code *code, const struct cipher_code *other, size_t clear)
{
	struct cipher_key key, others_key;
	uint8_t packet[1400], original[1400], others[1400];
	uint64_t seed = 7;

	cipher_key_init(code, &key, secret, salt);
	cipher_key_init(other, &others_key, secret, salt);
	for (size_t length = clear + CIPHER_TAG_LEN; length <= sizeof(packet); length++) {
		for (size_t i = 0; i < length; i++)
			original[i] = (uint8_t)random_next(&seed);
		memcpy(packet, original, length);
		memcpy(others, original, length);
		cipher_seal(code, &key, length, packet, clear, length);
		cipher_seal(other, &others_key, length, others, clear, length);
		assert_memory_equal(packet, others, length);
		assert_true(cipher_open(code, &key, length, packet, clear, length));
		assert_memory_equal(packet, original, length - CIPHER_TAG_LEN);
	}
}

static void opens_every_length(const struct cipher_code *code)
{
	static const size_t clear[] = {12, 16, 20, 60};
	struct cipher_code other;

	assert_true(cipher_code_init_at(&other, CIPHER_SSE));
	for (size_t i = 0; i < sizeof(clear) / sizeof(clear[0]); i++)
		opens_every_length_behind(code, &other, clear[i]);
	cipher_code_free(&other);
}

static void every_length_opens_as_it_was_sealed_by_whatever_code(void **state UNUSED)
{
	with_all_code(opens_every_length);
}

static void refuses_each_changed_bit(const struct cipher_code *code)
{
	const size_t lengths[] = {80, 500};
	uint8_t packet[500] = {1, 2, 3}, changed[500];
	struct cipher_key key;

	cipher_key_init(code, &key, secret, salt);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const size_t length = lengths[i];

		cipher_seal(code, &key, 9, packet, 20, length);
		for (size_t bit = 0; bit < length * 8; bit++) {
			memcpy(changed, packet, length);
			changed[bit / 8] ^= (uint8_t)(1U << bit % 8);
			assert_false(cipher_open(code, &key, 9, changed, 20, length));
		}
		memcpy(changed, packet, length);
		assert_false(cipher_open(code, &key, 10, changed, 20, length));
		memcpy(changed, packet, length);
		assert_false(cipher_open(code, &key, 9 + (1ULL << 32), changed, 20, length));
		memcpy(changed, packet, length);
		assert_false(cipher_open(code, &key, 9, changed, 36, length));
	}
}

static void one_changed_bit_anywhere_or_another_counter_is_refused(void **state UNUSED)
{
	with_all_code(refuses_each_changed_bit);
}

// ---------------------------------------------------------------- lines

static bool differs(const struct cipher_code *code, const struct cipher_key *key, const uint8_t *sealed,
		    const uint8_t *opened, size_t length)
{
	uint8_t packet[1400];

	memcpy(packet, opened, length);
	cipher_seal(code, key, 9, packet, 20, length);
	if (memcmp(packet, sealed, length) != 0)
		return true;
	memcpy(packet, sealed, length);
	return !cipher_open(code, key, 9, packet, 20, length) || memcmp(packet, opened, length - CIPHER_TAG_LEN) != 0;
}

/// Which lines of the key matter? Every byte is changed in turn. No byte of the packet is zero, as that would make a
/// factor that belongs to it unseen.
static uint32_t lines_that_matter(const struct cipher_code *code, size_t sealed_bytes)
{
	const size_t length = 20 + sealed_bytes + CIPHER_TAG_LEN;
	uint8_t opened[1400], sealed[1400];
	struct cipher_key key;
	uint32_t lines = 0;

	for (size_t i = 0; i < length; i++)
		opened[i] = (uint8_t)(1 + i % 251);
	memset(&key, 0, sizeof(key));
	cipher_key_init(code, &key, secret, salt);
	memcpy(sealed, opened, length);
	cipher_seal(code, &key, 9, sealed, 20, length);
	for (size_t i = 0; i < sizeof(key); i++) {
		uint8_t *byte = (uint8_t *)&key + i;

		if (lines & 1U << i / CACHE_LINE)
			continue;
		*byte ^= 0xff;
		if (differs(code, &key, sealed, opened, length))
			lines |= 1U << i / CACHE_LINE;
		*byte ^= 0xff;
	}
	return lines;
}

static void names_the_lines(const struct cipher_code *code)
{
	for (size_t sealed = 0; sealed <= CIPHER_BROUGHT_BYTES; sealed++) {
		const uint32_t lines = lines_that_matter(code, sealed);

		if (cipher_lines(code, sealed) != lines)
			fail_msg("%zu bytes: lines %x matter, %x are brought", sealed, lines,
				 cipher_lines(code, sealed));
	}
	for (size_t sealed = CIPHER_BROUGHT_BYTES + 1; sealed <= 1364; sealed += 41)
		assert_int_equal(cipher_lines(code, sealed) & ~lines_that_matter(code, sealed), 0);
}

static void exactly_the_lines_that_matter_are_brought(void **state UNUSED)
{
	with_all_code(names_the_lines);
}

static void keeps_few_lines(const struct cipher_code *code)
{
	const size_t lengths[] = {0, 17, CIPHER_PIECE, CIPHER_PIECE + 1, 2 * CIPHER_PIECE, 700, 1364};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		assert_int_equal(lines_that_matter(code, lengths[i]) & ~code->read.kept, 0);
	assert_uint_in_range(__builtin_popcount(code->read.kept), 1, 8);
}

static void a_packet_of_any_length_needs_no_more_lines_of_a_key_than_are_kept(void **state UNUSED)
{
	with_all_code(keeps_few_lines);
}

static void a_forgotten_cipher_has_no_key_left(void **state UNUSED)
{
	static const struct cipher nothing;
	struct cipher_code code;
	struct cipher cipher;

	assert_true(cipher_code_init(&code));
	cipher_key_init(&code, &cipher.open, secret, salt);
	cipher_key_init(&code, &cipher.seal, secret, salt);
	cipher_forget(&cipher);
	assert_memory_equal(&cipher, &nothing, sizeof(cipher));
	cipher_code_free(&code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_published_case_is_sealed_byte_for_byte),
		cmocka_unit_test(every_length_opens_as_it_was_sealed_by_whatever_code),
		cmocka_unit_test(one_changed_bit_anywhere_or_another_counter_is_refused),
		cmocka_unit_test(exactly_the_lines_that_matter_are_brought),
		cmocka_unit_test(a_packet_of_any_length_needs_no_more_lines_of_a_key_than_are_kept),
		cmocka_unit_test(a_forgotten_cipher_has_no_key_left),
	};

	return cmocka_run_group_tests_name("cipher", tests, NULL, NULL);
}

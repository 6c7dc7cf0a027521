// SPDX-License-Identifier: BSD-3-Clause
// test_exchange.c: HKDF by the vectors of RFC 5869, X25519 by those of RFC 7748.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "crypto/exchange.h"
#include "crypto/hkdf.h"

struct bytes {
	uint8_t at[128];
	size_t length;
};

static struct bytes hex(const char *text)
{
	struct bytes b;

	assert_int_equal(sodium_hex2bin(b.at, sizeof(b.at), text, strlen(text), NULL, &b.length, NULL), 0);
	return b;
}

/// n bytes that count up.
static struct bytes counting(uint8_t from, size_t n)
{
	struct bytes b = {.length = n};

	for (size_t i = 0; i < n; i++)
		b.at[i] = (uint8_t)(from + i);
	return b;
}

static struct byte_range range(const struct bytes *b)
{
	return (struct byte_range){b->at, b->length};
}

// ---------------------------------------------------------------- HKDF

static void check_hkdf(struct bytes ikm, struct bytes salt, struct bytes info, const char *prk, const char *okm)
{
	const struct bytes right_prk = hex(prk), right_okm = hex(okm);
	uint8_t made_prk[HASH_LEN], made_okm[128];

	hkdf_extract(made_prk, range(&salt), range(&ikm));
	assert_memory_equal(made_prk, right_prk.at, HASH_LEN);
	memset(made_okm, 0xee, sizeof(made_okm));
	hkdf_expand(made_okm, right_okm.length, made_prk, range(&info));
	assert_memory_equal(made_okm, right_okm.at, right_okm.length);
	assert_int_equal(made_okm[right_okm.length], 0xee); // and no byte more
}

static void it_derives_what_rfc_5869_derives(void **state UNUSED)
{
	check_hkdf(hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), counting(0, 13), counting(0xf0, 10),
		   "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
		   "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
	check_hkdf(counting(0, 80), counting(0x60, 80), counting(0xb0, 80),
		   "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
		   "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
		   "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
	check_hkdf(hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), (struct bytes){0}, (struct bytes){0},
		   "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
		   "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

// ---------------------------------------------------------------- X25519

static struct exchange_key key_of(const char *secret)
{
	const struct bytes bytes = hex(secret);
	struct exchange_key key;

	exchange_begin(&key, bytes.at);
	return key;
}

static void check_agreed(const char *secret, const char *share, const char *right)
{
	const struct exchange_key ours = key_of(secret);
	const struct bytes theirs = hex(share), expected = hex(right);
	uint8_t agreed[EXCHANGE_LEN];

	assert_true(exchange_agree(agreed, &ours, theirs.at));
	assert_memory_equal(agreed, expected.at, EXCHANGE_LEN);
}

/// The second has the top bit of the share set, which is not looked at.
static void it_agrees_on_what_rfc_7748_says(void **state UNUSED)
{
	check_agreed("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
		     "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
		     "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
	check_agreed("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
		     "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
		     "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
}

static void both_ends_agree(void **state UNUSED)
{
	const struct exchange_key a = key_of("77076d0a7318a57d3c16c17251b26645df4c2f92ebc0992ac177fba51db92c2a"),
				  b = key_of("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
	const struct bytes share = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
	uint8_t one[EXCHANGE_LEN], other[EXCHANGE_LEN];

	assert_memory_equal(b.share, share.at, EXCHANGE_LEN); // RFC 7748 6.1, Bob's
	assert_true(exchange_agree(one, &a, b.share));
	assert_true(exchange_agree(other, &b, a.share));
	assert_memory_equal(one, other, EXCHANGE_LEN);
}

static void a_share_with_which_everybody_agrees_on_zeros_is_refused(void **state UNUSED)
{
	const struct exchange_key ours = key_of("77076d0a7318a57d3c16c17251b26645df4c2f92ebc0992ac177fba51db92c2a");
	const uint8_t zero[EXCHANGE_LEN] = {0}, one[EXCHANGE_LEN] = {1};
	uint8_t agreed[EXCHANGE_LEN];

	assert_false(exchange_agree(agreed, &ours, zero));
	assert_memory_equal(agreed, zero, EXCHANGE_LEN);
	assert_false(exchange_agree(agreed, &ours, one));
	assert_memory_equal(agreed, zero, EXCHANGE_LEN);
}

static void a_key_that_is_forgotten_is_zeros(void **state UNUSED)
{
	const struct exchange_key zeros = {0};
	struct exchange_key key = key_of("77076d0a7318a57d3c16c17251b26645df4c2f92ebc0992ac177fba51db92c2a");

	exchange_forget(&key);
	assert_memory_equal(&key, &zeros, sizeof(key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_derives_what_rfc_5869_derives),
		cmocka_unit_test(it_agrees_on_what_rfc_7748_says),
		cmocka_unit_test(both_ends_agree),
		cmocka_unit_test(a_share_with_which_everybody_agrees_on_zeros_is_refused),
		cmocka_unit_test(a_key_that_is_forgotten_is_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// test_utf8.c: wire/utf8.c against a decoder that works by code point instead of by byte ranges.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "utf8_oracle.h"
#include "wire/utf8.h"

/// From a buffer of exactly its size, so that ASan sees a byte too many.
static bool valid(const void *text, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);

	assert_non_null(exact);
	memcpy(exact, text, len);

	const bool result = utf8_valid(exact, len);

	free(exact);
	return result;
}

static void text_of_every_script_is_valid(void **state UNUSED)
{
	static const char *const texts[] = {"", "hello", "Grüße", "привет", "こんにちは世界", "שלום", "👾🎮 gg", "a\0b"};

	for (size_t i = 0; i < COUNT(texts); i++)
		assert_true(valid(texts[i], strlen(texts[i])));
	assert_true(valid("a\0b", 3));
}

static void every_code_point_is_valid_except_surrogates(void **state UNUSED)
{
	for (uint32_t code = 0; code <= 0x10ffff; code++) {
		uint8_t text[4];
		const size_t len = utf8_encode(text, code);

		assert_int_equal(utf8_valid(text, len), code < 0xd800 || code > 0xdfff);
	}
}

static void code_points_beyond_unicode_are_refused(void **state UNUSED)
{
	for (uint32_t code = 0x110000; code <= 0x1fffff; code++) {
		uint8_t text[4];

		assert_false(utf8_valid(text, utf8_encode(text, code)));
	}
}

static void overlong_forms_are_refused(void **state UNUSED)
{
	assert_false(valid("\xc0\x80", 2));
	assert_false(valid("\xc1\xbf", 2));
	assert_false(valid("\xe0\x80\xaf", 3));
	assert_false(valid("\xe0\x9f\xbf", 3));
	assert_false(valid("\xf0\x8f\xbf\xbf", 4));
	assert_false(valid("\xf8\x88\x80\x80\x80", 5));
}

static void every_two_bytes_agree_with_the_decoder(void **state UNUSED)
{
	for (uint32_t pair = 0; pair <= 0xffff; pair++) {
		const uint8_t text[2] = {(uint8_t)(pair >> 8), (uint8_t)pair};

		assert_int_equal(utf8_valid(text, 2), utf8_oracle(text, 2));
	}
}

static void every_three_bytes_from_a_lead_byte_agree_with_the_decoder(void **state UNUSED)
{
	for (uint32_t triple = 0xc00000; triple <= 0xffffff; triple++) {
		const uint8_t text[3] = {(uint8_t)(triple >> 16), (uint8_t)(triple >> 8), (uint8_t)triple};

		if (utf8_valid(text, 3) != utf8_oracle(text, 3))
			fail_msg("%06x", triple);
	}
}

static void a_character_cut_short_is_refused_wherever_the_text_ends(void **state UNUSED)
{
	static const char *const last[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x91\xbe"};

	for (size_t before = 0; before <= 40; before++)
		for (size_t i = 0; i < COUNT(last); i++) {
			uint8_t text[48];
			const size_t whole = strlen(last[i]);

			memset(text, 'x', before);
			memcpy(text + before, last[i], whole);
			assert_true(valid(text, before + whole));
			for (size_t cut = 1; cut < whole; cut++)
				assert_false(valid(text, before + whole - cut));
		}
}

static void one_bad_byte_is_seen_at_every_place_of_an_ascii_text(void **state UNUSED)
{
	for (size_t at = 0; at < 512; at++) {
		uint8_t text[512];

		memset(text, 'x', sizeof(text));
		text[at] = 0x80;
		assert_false(valid(text, sizeof(text)));
	}
}

static void random_text_agrees_with_the_decoder(void **state UNUSED)
{
	static const uint8_t interesting[] = {0x00, 'a',  0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1,
					      0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff};
	uint64_t seed = 5;

	for (unsigned round = 0; round < 300000; round++) {
		uint8_t text[24];
		const size_t len = random_below(&seed, sizeof(text) + 1);

		for (size_t i = 0; i < len; i++)
			text[i] = interesting[random_below(&seed, COUNT(interesting))];
		assert_int_equal(valid(text, len), utf8_oracle(text, len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_every_script_is_valid),
		cmocka_unit_test(every_code_point_is_valid_except_surrogates),
		cmocka_unit_test(code_points_beyond_unicode_are_refused),
		cmocka_unit_test(overlong_forms_are_refused),
		cmocka_unit_test(every_two_bytes_agree_with_the_decoder),
		cmocka_unit_test(every_three_bytes_from_a_lead_byte_agree_with_the_decoder),
		cmocka_unit_test(a_character_cut_short_is_refused_wherever_the_text_ends),
		cmocka_unit_test(one_bad_byte_is_seen_at_every_place_of_an_ascii_text),
		cmocka_unit_test(random_text_agrees_with_the_decoder),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}

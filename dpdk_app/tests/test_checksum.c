// SPDX-License-Identifier: BSD-3-Clause
// test_checksum.c: net/checksum.h against RFC 1071 written out word by word.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "net/checksum.h"
#include "rig.h"

#define LENGTH_MAX 1600

static uint16_t of(const uint8_t *bytes, size_t len)
{
	return BE16((uint16_t)~checksum_fold(checksum_sum(bytes, len)));
}

static void every_length_at_every_alignment_gives_the_checksum_of_rfc_1071(void **state UNUSED)
{
	uint8_t *memory = malloc(LENGTH_MAX + 16);
	uint64_t seed = 1;

	assert_non_null(memory);
	for (size_t i = 0; i < LENGTH_MAX + 16; i++)
		memory[i] = (uint8_t)random_next(&seed);
	for (size_t alignment = 0; alignment < 16; alignment++)
		for (size_t len = 0; len <= LENGTH_MAX; len++)
			assert_int_equal(of(memory + alignment, len), naive_checksum(memory + alignment, len, 0));
	free(memory);
}

static void a_sum_reads_no_byte_beyond_its_length(void **state UNUSED)
{
	for (size_t len = 0; len <= 64; len++) {
		uint8_t *exact = malloc(len ? len : 1); // ASan guards its end

		assert_non_null(exact);
		memset(exact, 0xff, len);
		assert_int_equal(of(exact, len), naive_checksum(exact, len, 0));
		free(exact);
	}
}

static void carries_of_a_long_run_of_ones_are_not_lost(void **state UNUSED)
{
	static uint8_t ones[65535];

	memset(ones, 0xff, sizeof(ones));
	for (size_t len = 65500; len <= sizeof(ones); len++)
		assert_int_equal(of(ones, len), naive_checksum(ones, len, 0));
}

static void any_unfolded_sum_folds_to_its_remainder(void **state UNUSED)
{
	static const uint64_t sums[] = {0,          1,           0xffff,         0x10000,    0x1ffff,
					0xffffffff, 0x100000000, 0xffffffffffff, UINT64_MAX, UINT64_MAX - 1};

	for (size_t i = 0; i < COUNT(sums); i++) {
		const uint16_t folded = checksum_fold(sums[i]);

		assert_int_equal(folded % 0xffff, sums[i] % 0xffff);
		assert_int_equal(folded == 0, sums[i] == 0); // ones' complement keeps the two zeros apart
	}
}

/// A block whose checksum field is right before one of its words changes; is it right afterwards?
static void check_update(uint16_t rest, uint16_t old, uint16_t new)
{
	const uint16_t field = (uint16_t)~checksum_fold((uint64_t)rest + old);
	const uint16_t updated = checksum_update(field, old, new);
	const uint16_t fresh = (uint16_t)~checksum_fold((uint64_t)rest + new);

	if (checksum_fold((uint64_t)rest + new + updated) != CHECKSUM_RIGHT)
		fail_msg("rest %04x, word %04x to %04x: field %04x became %04x", rest, old, new, field, updated);
	if (updated != fresh)
		fail_msg("rest %04x, word %04x to %04x: %04x is not what a fresh sum gives", rest, old, new, updated);
}

/// Of 64 bits at both ends, where the quotients are smallest and largest, and anywhere between.
static void any_sum_but_zero_is_right_when_it_folds_to_ones(void **state UNUSED)
{
	uint64_t seed = 7;

	for (uint64_t i = 1; i < 0x40000; i++) {
		const uint64_t word = random_next(&seed), multiple = word / 0xffff * 0xffff;
		const uint64_t sums[] = {i, 0 - i, word, multiple, multiple + 1, multiple + 0xfffe};

		for (size_t k = 0; k < COUNT(sums); k++)
			assert_int_equal(checksum_right(sums[k]), checksum_fold(sums[k]) == CHECKSUM_RIGHT);
	}
}

static void an_update_equals_a_fresh_sum_for_every_old_word(void **state UNUSED)
{
	static const uint16_t corners[] = {0x0001, 0x7fff, 0x8000, 0xfffe, 0xffff, 0x4500, 0x1234};

	// A rest of zero is left out: that no header has it is a condition of RFC 1624 eqn. 3.
	for (size_t r = 0; r < COUNT(corners); r++)
		for (size_t n = 0; n < COUNT(corners); n++)
			for (uint32_t old = 0; old <= 0xffff; old++)
				check_update(corners[r], (uint16_t)old, corners[n]);
}

static void an_update_equals_a_fresh_sum_for_every_new_word(void **state UNUSED)
{
	static const uint16_t corners[] = {0x0000, 0x0001, 0x8000, 0xfffe, 0xffff, 0x4011};

	for (size_t o = 0; o < COUNT(corners); o++)
		for (uint32_t new = 0; new <= 0xffff; new ++)
			check_update(0x1234, corners[o], (uint16_t) new);
}

static void an_update_equals_a_fresh_sum_for_every_rest(void **state UNUSED)
{
	static const uint16_t corners[] = {0x0000, 0x0001, 0x0065, 0xff00, 0xffff};

	for (uint32_t rest = 1; rest <= 0xffff; rest++)
		for (size_t o = 0; o < COUNT(corners); o++)
			for (size_t n = 0; n < COUNT(corners); n++)
				check_update((uint16_t)rest, corners[o], corners[n]);
}

static void a_field_sent_as_negative_zero_stays_right_when_updated(void **state UNUSED)
{
	// rest + old sums to ffff: the field may be 0000 or ffff, both verify.
	for (uint32_t new = 0; new <= 0xffff; new ++) {
		const uint16_t old = 0x3a11, rest = 0xffff - 0x3a11;
		const uint16_t updated = checksum_update(0xffff, old, (uint16_t) new);

		assert_int_equal(checksum_fold((uint64_t)rest + new + updated), CHECKSUM_RIGHT);
	}
}

static void a_udp_update_is_right_for_every_field_and_never_says_none(void **state UNUSED)
{
	for (uint32_t type = 1; type <= 5; type++)
		for (uint32_t field = 1; field <= 0xffff; field++) {
			const uint16_t old = (uint16_t)type, new = (uint16_t)(type + 100);
			const uint16_t rest = (uint16_t)~checksum_fold((uint64_t)field + old); // so that field is right
			const uint16_t updated = checksum_update_udp((uint16_t)field, old, new);

			assert_int_equal(checksum_fold((uint64_t)rest + new + updated), CHECKSUM_RIGHT);
			assert_int_not_equal(updated, 0);
		}
}

static void the_carry_out_of_the_top_comes_in_at_the_bottom(void **state UNUSED)
{
	assert_true(add_around(UINT64_MAX, 1) == 1);
	assert_true(add_around(UINT64_MAX, UINT64_MAX) == UINT64_MAX);
	assert_true(add_around(1ULL << 63, 1ULL << 63) == 1);
	assert_true(add_around(0, 0) == 0);
}

static void pseudo_headers_sum_addresses_protocol_and_length(void **state UNUSED)
{
	struct frame f;
	const struct flow a = flow4(99), b = flow6(99);

	build_game(&f, &a, 1, 7);
	assert_int_equal(BE16(checksum_fold(pseudo_header4((const void *)(f.bytes + f.l3), BE16(52)))),
			 (uint16_t)~naive_checksum(NULL, 0, naive_pseudo_sum(f.bytes + f.l3, 17, 52)));
	build_game(&f, &b, 1, 7);
	assert_int_equal(BE16(checksum_fold(pseudo_header6((const void *)(f.bytes + f.l3), 17, BE16(52)))),
			 (uint16_t)~naive_checksum(NULL, 0, naive_pseudo_sum(f.bytes + f.l3, 17, 52)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_at_every_alignment_gives_the_checksum_of_rfc_1071),
		cmocka_unit_test(a_sum_reads_no_byte_beyond_its_length),
		cmocka_unit_test(carries_of_a_long_run_of_ones_are_not_lost),
		cmocka_unit_test(any_unfolded_sum_folds_to_its_remainder),
		cmocka_unit_test(any_sum_but_zero_is_right_when_it_folds_to_ones),
		cmocka_unit_test(an_update_equals_a_fresh_sum_for_every_old_word),
		cmocka_unit_test(an_update_equals_a_fresh_sum_for_every_new_word),
		cmocka_unit_test(an_update_equals_a_fresh_sum_for_every_rest),
		cmocka_unit_test(a_field_sent_as_negative_zero_stays_right_when_updated),
		cmocka_unit_test(a_udp_update_is_right_for_every_field_and_never_says_none),
		cmocka_unit_test(the_carry_out_of_the_top_comes_in_at_the_bottom),
		cmocka_unit_test(pseudo_headers_sum_addresses_protocol_and_length),
	};

	return cmocka_run_group_tests_name("checksum", tests, NULL, NULL);
}

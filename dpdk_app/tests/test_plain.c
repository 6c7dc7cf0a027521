// SPDX-License-Identifier: BSD-3-Clause
// test_plain.c: which payloads are messages of the plain profile, and what they do to a session.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "game/effect.h"
#include "message/plain.h"
#include "rig.h"

static const uint32_t sizes[] = {0, 44, 40, 33, 20, 28}; // by type; chat says "hello"

/// From a buffer of exactly its size: ASan sees a byte too many.
static enum pg_drop check(const uint8_t *payload, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);

	assert_non_null(exact);
	memcpy(exact, payload, len);

	const enum pg_drop drop = plain_check(exact, (uint16_t)len);

	free(exact);
	return drop;
}

static void every_type_is_accepted_in_its_size(void **state UNUSED)
{
	uint8_t message[64];

	for (uint32_t type = 1; type <= 5; type++) {
		assert_int_equal(build_message(message, type, 7), sizes[type]);
		assert_int_equal(check(message, sizes[type]), PG_DROP_NONE);
	}
}

static void a_message_cut_short_anywhere_is_refused(void **state UNUSED)
{
	uint8_t message[64];

	for (uint32_t type = 1; type <= 5; type++) {
		build_message(message, type, 7);
		for (size_t len = 0; len < sizes[type]; len++) {
			put_le32(message + 4, sizes[type]);
			assert_int_equal(check(message, len), len < 16 ? PG_DROP_TRUNCATED : PG_DROP_MESSAGE_SIZE);
			put_le32(message + 4, (uint32_t)len); // says so itself
			assert_int_equal(check(message, len), len < 16 ? PG_DROP_TRUNCATED : PG_DROP_MESSAGE_SIZE);
		}
	}
}

static void a_message_with_bytes_behind_it_is_refused(void **state UNUSED)
{
	for (uint32_t type = 1; type <= 5; type++) {
		uint8_t message[128] = {0};

		build_message(message, type, 7);
		for (size_t len = sizes[type] + 1; len < sizeof(message); len++) {
			put_le32(message + 4, (uint32_t)len);
			assert_int_equal(check(message, len), PG_DROP_MESSAGE_SIZE);
		}
	}
}

static void a_size_field_that_is_off_is_refused(void **state UNUSED)
{
	for (uint32_t type = 1; type <= 5; type++) {
		const uint32_t wrong[] = {0, 1, sizes[type] - 1, sizes[type] + 1, sizes[type] | 0x10000, UINT32_MAX};
		uint8_t message[64];

		build_message(message, type, 7);
		for (size_t i = 0; i < COUNT(wrong); i++) {
			put_le32(message + 4, wrong[i]);
			assert_int_equal(check(message, sizes[type]), PG_DROP_MESSAGE_SIZE);
		}
	}
}

static void other_types_are_refused_acknowledgements_among_them(void **state UNUSED)
{
	static const uint32_t types[] = {0,   6,     101,     102,        103,        104,
					 105, 0x101, 0x10001, 0x01000001, 0x80000001, UINT32_MAX};
	uint8_t message[64];

	for (size_t i = 0; i < COUNT(types); i++) {
		build_message(message, 1, 7);
		put_le32(message, types[i]);
		assert_int_equal(check(message, 44), PG_DROP_MESSAGE_TYPE);
	}
}

static void check_floats(uint32_t type, size_t first, size_t count)
{
	static const struct {
		uint32_t bits;
		enum pg_drop drop;
	} cases[] = {
		{0x7f800000, PG_DROP_NOT_FINITE}, {0xff800000, PG_DROP_NOT_FINITE}, // infinities
		{0x7fc00000, PG_DROP_NOT_FINITE}, {0x7f800001, PG_DROP_NOT_FINITE}, // NaN, signalling NaN
		{0xffffffff, PG_DROP_NOT_FINITE}, {0x7f7fffff, PG_DROP_NONE},       // largest
		{0xff7fffff, PG_DROP_NONE},       {0x00000001, PG_DROP_NONE},       // smallest
		{0x80000000, PG_DROP_NONE},                                         // -0
	};

	for (size_t field = 0; field < count; field++)
		for (size_t i = 0; i < COUNT(cases); i++) {
			uint8_t message[64];
			const size_t len = build_message(message, type, 7);

			put_le32(message + first + 4 * field, cases[i].bits);
			assert_int_equal(check(message, len), cases[i].drop);
		}
}

static void a_float_that_is_not_finite_is_refused_in_every_field(void **state UNUSED)
{
	check_floats(1, 20, 6);
	check_floats(2, 28, 3);
}

static void integers_that_look_like_nan_are_only_integers(void **state UNUSED)
{
	for (uint32_t type = 1; type <= 5; type++) {
		uint8_t message[64];
		const size_t len = build_message(message, type, 0x7fc00000);

		assert_int_equal(check(message, len), PG_DROP_NONE);
	}
}

static void chat_of_1_to_512_bytes_is_accepted(void **state UNUSED)
{
	uint8_t text[600], message[640];

	memset(text, 'x', sizeof(text));
	for (size_t len = 0; len <= 600; len++) {
		const size_t size = build_chat(message, 3, 7, text, len);

		assert_int_equal(check(message, size), len >= 1 && len <= 512 ? PG_DROP_NONE : PG_DROP_MESSAGE_SIZE);
	}
}

static void a_text_length_that_is_off_is_refused(void **state UNUSED)
{
	static const uint16_t wrong[] = {0, 1, 4, 6, 512, 0xffff};
	uint8_t message[64];

	for (size_t i = 0; i < COUNT(wrong); i++) {
		const size_t size = build_chat(message, 3, 7, "hello", 5);

		put_le16(message + 26, wrong[i]);
		assert_int_equal(check(message, size), PG_DROP_MESSAGE_SIZE);
	}
}

static void a_reserved_byte_that_is_used_is_refused(void **state UNUSED)
{
	uint8_t message[64];
	const size_t size = build_chat(message, 3, 7, "hello", 5);

	for (unsigned value = 1; value <= 0xff; value++) {
		message[25] = (uint8_t)value;
		assert_int_equal(check(message, size), PG_DROP_MESSAGE_RESERVED);
	}
}

static void chat_that_is_not_utf8_is_refused(void **state UNUSED)
{
	uint8_t message[64];

	assert_int_equal(check(message, build_chat(message, 3, 7, "caf\xe9", 4)), PG_DROP_BAD_UTF8);
	assert_int_equal(check(message, build_chat(message, 3, 7, "caf\xc3\xa9", 5)), PG_DROP_NONE);
	assert_int_equal(check(message, build_chat(message, 3, 7, "caf\xc3", 4)), PG_DROP_BAD_UTF8);
}

static void a_move_writes_position_and_velocity(void **state UNUSED)
{
	struct plain_session session = {0};
	uint8_t message[64];

	build_message(message, 1, 7);
	plain_apply(&session, message);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(session.motion.position[i] == 7 - 1.5f * (float)i);
		assert_true(session.motion.velocity[i] == 7 - 1.5f * (float)(i + 3));
	}
}

static void other_messages_leave_the_motion_alone(void **state UNUSED)
{
	const struct plain_session before = {.motion = {{1, 2, 3}, {4, 5, 6}}};

	for (uint32_t type = 2; type <= 5; type++) {
		struct plain_session session = before;
		uint8_t message[64];

		build_message(message, type, 7);
		plain_apply(&session, message);
		assert_memory_equal(&session, &before, sizeof(session));
	}
}

static void every_message_names_its_player_and_type(void **state UNUSED)
{
	for (uint32_t type = 1; type <= 5; type++) {
		uint8_t message[64];

		build_message(message, type, 0xfedcba98);
		assert_int_equal(plain_player(message), 0xfedcba98);
		assert_int_equal(plain_type(message), type);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_accepted_in_its_size),
		cmocka_unit_test(a_message_cut_short_anywhere_is_refused),
		cmocka_unit_test(a_message_with_bytes_behind_it_is_refused),
		cmocka_unit_test(a_size_field_that_is_off_is_refused),
		cmocka_unit_test(other_types_are_refused_acknowledgements_among_them),
		cmocka_unit_test(a_float_that_is_not_finite_is_refused_in_every_field),
		cmocka_unit_test(integers_that_look_like_nan_are_only_integers),
		cmocka_unit_test(chat_of_1_to_512_bytes_is_accepted),
		cmocka_unit_test(a_text_length_that_is_off_is_refused),
		cmocka_unit_test(a_reserved_byte_that_is_used_is_refused),
		cmocka_unit_test(chat_that_is_not_utf8_is_refused),
		cmocka_unit_test(a_move_writes_position_and_velocity),
		cmocka_unit_test(other_messages_leave_the_motion_alone),
		cmocka_unit_test(every_message_names_its_player_and_type),
	};

	return cmocka_run_group_tests_name("plain", tests, NULL, NULL);
}

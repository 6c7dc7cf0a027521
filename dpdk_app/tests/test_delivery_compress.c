// SPDX-License-Identifier: BSD-3-Clause
// test_delivery_compress.c: which bodies are compressed.

#include <libdeflate.h>
#include <string.h>

#include "compressing_ends.h"
#include "unit.h"

/// What a message of the player's looks like in the packet that carries it to the ingress, which takes it.
static struct session_message carried(uint8_t type, uint32_t length)
{
	struct talk_packet packet;
	struct session_message head;

	got.n = 0;
	assert_int_equal(talk_say(&player, (struct talk_say){.type = type, .body = body, .length = length}, T),
			 PG_LOSS_NONE);
	talk_fill(&player, &packet, T);
	memcpy(&head, packet.body, sizeof(head));
	assert_true(talk_take(&ingress, &packet, T));
	assert_int_equal(got.n, 1);
	assert_int_equal(got.length, length);
	assert_memory_equal(got.body, body, length);
	return head;
}

static void test_text_is_compressed_from_its_least_length_on(UNUSED void **state)
{
	uint32_t length = chat(24, false);

	assert_int_equal(length, 32);
	assert_int_equal(carried(SESSION_CHAT, length).flags, 0);
	assert_int_equal(player.stats.compress_in[PG_COMPRESS_CHAT], 0);
	length = chat(200, false);
	const struct session_message head = carried(SESSION_CHAT, length);
	assert_int_equal(head.flags, SESSION_MESSAGE_COMPRESSED);
	assert_int_equal(player.stats.compress_in[PG_COMPRESS_CHAT], length);
	assert_int_equal(player.stats.compress_out[PG_COMPRESS_CHAT], head.body_len);
	assert_int_equal(ingress.stats.expand_in, head.body_len);
	assert_int_equal(ingress.stats.expand_out, length);
}

static void test_what_does_not_save_a_tenth_is_sent_as_it_is(UNUSED void **state)
{
	const uint32_t length = chat(500, true);
	const struct session_message head = carried(SESSION_CHAT, length);

	assert_int_equal(head.flags, 0);
	assert_int_equal(head.body_len, length);
	assert_int_equal(player.stats.compress_in[PG_COMPRESS_CHAT], length);
	assert_int_equal(player.stats.compress_out[PG_COMPRESS_CHAT], length);
}

static void test_compression_saves_a_tenth_or_is_not_used(UNUSED void **state)
{
	uint64_t seed = 3;
	uint32_t kept = 0;

	for (uint32_t length = 1; length < 3000; length++) {
		const uint32_t alphabet = 60 + (uint32_t)(talk_random(&seed) % 100); // about a tenth is to be saved

		for (uint32_t i = 0; i < length; i++)
			body[i] = (uint8_t)(talk_random(&seed) % alphabet);
		const uint32_t packed = compress_body(player.ctx.compressor, body, length);
		if (packed == 0)
			continue;
		kept++;
		assert_true(packed * 10 <= length * 9);
		assert_true(expand_body(player.ctx.compressor, player.ctx.compressor->packed, packed));
		assert_int_equal(player.ctx.compressor->expanded_length, length);
		assert_memory_equal(player.ctx.compressor->expanded, body, length);
	}
	assert_uint_in_range(kept, 100, 2900);
}

/// libdeflate 1.14 finds no room for a stream unless it is given up to nine bytes more than the stream needs.
static void test_whatever_saves_a_tenth_is_compressed(UNUSED void **state)
{
	struct libdeflate_compressor *oracle = libdeflate_alloc_compressor(6);
	static uint8_t stream[2 * SESSION_MESSAGE_MAX];
	uint64_t seed = 5;
	uint32_t close = 0;

	assert_non_null(oracle);
	for (uint32_t length = 20; length < 2000; length++) {
		const uint32_t alphabet = 40 + (uint32_t)(talk_random(&seed) % 60);

		for (uint32_t i = 0; i < length; i++)
			body[i] = (uint8_t)(talk_random(&seed) % alphabet);

		const uint32_t whole =
			4 + (uint32_t)libdeflate_zlib_compress(oracle, body, length, stream, sizeof(stream));
		const bool saves = whole * 10 <= length * 9;

		close += saves && (whole + 9) * 10 > length * 9;
		assert_int_equal(compress_body(player.ctx.compressor, body, length), saves ? whole : 0);
	}
	assert_uint_in_range(close, 20, 1980); // that many would have been given up
	libdeflate_free_compressor(oracle);
}

static void test_movements_attacks_and_skills_are_never_compressed(UNUSED void **state)
{
	const struct {
		uint8_t type, length;
	} never[] = {{SESSION_MOVE, 24}, {SESSION_ATTACK, 20}, {SESSION_SKILL, 8}, {SESSION_HEARTBEAT, 0}};

	memset(player.rules.compress_min, 0, sizeof(player.rules.compress_min));
	memset(body, 0, sizeof(body));
	for (unsigned i = 0; i < COUNT(never); i++)
		assert_int_equal(carried(never[i].type, never[i].length).flags, 0);
}

static void test_the_rules_say_which_types_are_compressed(UNUSED void **state)
{
	memset(body, 'x', 1000);
	assert_int_equal(carried(SESSION_BULK, 100).flags, 0);
	assert_int_equal(carried(SESSION_BULK, 101).flags, SESSION_MESSAGE_COMPRESSED);
	player.rules.compress_min[PG_COMPRESS_BULK] = UINT32_MAX;
	assert_int_equal(carried(SESSION_BULK, 1000).flags, 0);
}

static void test_the_longest_body_travels_compressed_in_one_datagram(UNUSED void **state)
{
	memset(body, 'x', sizeof(body));
	assert_int_equal(carried(SESSION_BULK, SESSION_MESSAGE_MAX - 4).flags, SESSION_MESSAGE_COMPRESSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_text_is_compressed_from_its_least_length_on),
		TEST(test_what_does_not_save_a_tenth_is_sent_as_it_is),
		TEST(test_compression_saves_a_tenth_or_is_not_used),
		TEST(test_whatever_saves_a_tenth_is_compressed),
		TEST(test_movements_attacks_and_skills_are_never_compressed),
		TEST(test_the_rules_say_which_types_are_compressed),
		TEST(test_the_longest_body_travels_compressed_in_one_datagram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

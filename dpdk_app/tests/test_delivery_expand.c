// SPDX-License-Identifier: BSD-3-Clause
// test_delivery_expand.c: what becomes of bodies that came compressed; one that expands to something else than it should is
// skipped.

#include <string.h>

#include "compressing_ends.h"
#include "unit.h"

/// A compressed body, for tests to spoil.
static struct {
	uint8_t bytes[1300];
	uint32_t length;
} packed;

static void pack(uint32_t length)
{
	packed.length = compress_body(player.ctx.compressor, body, length);
	assert_uint_in_range(packed.length, 1, sizeof(packed.bytes));
	memcpy(packed.bytes, player.ctx.compressor->packed, packed.length);
}

enum fate { TAKEN, SKIPPED, OVER_LIMIT };

static enum fate fate_of(const struct pg_message_stats *before)
{
	assert_false(ingress.intake.violation);
	if (ingress.stats.over_limit != before->over_limit || ingress.intake.refused)
		return OVER_LIMIT;
	return ingress.stats.skipped != before->skipped ? SKIPPED : TAKEN;
}

static enum fate take(uint8_t type, uint32_t length)
{
	const struct pg_message_stats before = ingress.stats;
	struct talk_packet packet = {.counter = ingress.replay.newest + 1};

	packet.length = talk_write(packet.body, (struct talk_raw){.type = type,
								  .flags = SESSION_MESSAGE_COMPRESSED,
								  .body = packed.bytes,
								  .length = length});
	talk_take(&ingress, &packet, T);
	return fate_of(&before);
}

static void says_length(uint32_t length)
{
	memcpy(packed.bytes, &length, sizeof(length));
}

static void test_a_wrong_original_length_is_skipped(UNUSED void **state)
{
	const uint32_t wrong[] = {0, 1, 999, 1001, SESSION_MESSAGE_MAX, SESSION_MESSAGE_MAX + 1, UINT32_MAX};

	memset(body, 'x', 1000);
	pack(1000);
	assert_int_equal(take(SESSION_BULK, packed.length), TAKEN);
	for (unsigned i = 0; i < COUNT(wrong); i++) {
		says_length(wrong[i]);
		assert_int_equal(take(SESSION_BULK, packed.length), SKIPPED);
	}
	says_length(1000);
	assert_int_equal(take(SESSION_BULK, packed.length), TAKEN);
	assert_int_equal(got.n, 2);
}

static void test_a_stream_that_is_cut_or_followed_by_garbage_is_skipped(UNUSED void **state)
{
	pack(chat(300, false));
	for (uint32_t length = 0; length < packed.length; length++)
		assert_int_equal(take(SESSION_CHAT, length), SKIPPED);
	packed.bytes[packed.length] = 0;
	assert_int_equal(take(SESSION_CHAT, packed.length + 1), SKIPPED);
	assert_int_equal(take(SESSION_CHAT, packed.length), TAKEN);
}

static void test_a_changed_bit_is_skipped_or_means_nothing(UNUSED void **state)
{
	const uint32_t length = chat(300, false);
	uint32_t taken = 0;

	pack(length);
	for (uint32_t bit = 0; bit < packed.length * 8; bit++) {
		packed.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (take(SESSION_CHAT, packed.length) == TAKEN) {
			assert_int_equal(got.length, length);
			assert_memory_equal(got.body, body, length);
			taken++;
		}
		packed.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	// RFC 1951 gives no meaning to the bits behind the last block, nor to codes that the stream defines and never uses,
	// as compressors do that want a code of one symbol to be complete. All others are noticed.
	assert_true(taken < packed.length);
	assert_int_equal(got.n, taken);
}

static void test_a_bomb_is_skipped(UNUSED void **state)
{
	memset(body, 0, sizeof(body));
	pack(SESSION_MESSAGE_MAX);
	assert_int_equal(take(SESSION_BULK, packed.length), SKIPPED); // its event would be too long
	assert_int_equal(take(SESSION_CHAT, packed.length), SKIPPED); // no text is that long
	says_length(520);
	assert_int_equal(take(SESSION_CHAT, packed.length), SKIPPED);
	assert_int_equal(got.n, 0);
}

static void test_what_is_compressed_counts_as_what_it_expands_to(UNUSED void **state)
{
	memset(body, 0, sizeof(body));
	ingress.rules.message_rate[PG_REQUEST_BULK] = rate_make(1, 100, TALK_HZ);
	pack(SESSION_MESSAGE_MAX - 4);
	assert_int_equal(take(SESSION_BULK, packed.length), TAKEN); // 47
	assert_int_equal(take(SESSION_BULK, packed.length), TAKEN);
	assert_int_equal(take(SESSION_BULK, packed.length), OVER_LIMIT);
	pack(1400);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(take(SESSION_BULK, packed.length), TAKEN);
	assert_int_equal(take(SESSION_BULK, packed.length), OVER_LIMIT);
	ingress.c.conforms_at[PG_REQUEST_BULK] = 0;
	ingress.rules.message_rate[PG_REQUEST_BULK] = rate_make(1, 3, TALK_HZ); // more than that is as good as that
	pack(SESSION_MESSAGE_MAX - 4);
	assert_int_equal(take(SESSION_BULK, packed.length), TAKEN);
	assert_int_equal(take(SESSION_BULK, packed.length), OVER_LIMIT);
}

/// As take(), reliable.
static enum fate take_reliable(uint16_t id)
{
	const struct pg_message_stats before = ingress.stats;
	struct talk_packet packet = {.counter = ingress.replay.newest + 1};

	packet.length = talk_write(packet.body,
				   (struct talk_raw){.type = SESSION_BULK,
						     .flags = SESSION_MESSAGE_COMPRESSED | SESSION_MESSAGE_RELIABLE,
						     .id = id,
						     .body = packed.bytes,
						     .length = packed.length});
	talk_take(&ingress, &packet, T);
	return fate_of(&before);
}

/// A stream is spoiled when nobody may look into it.
static void test_what_came_before_is_acknowledged_and_not_expanded_again(UNUSED void **state)
{
	memset(body, 'x', 1000);
	pack(1000);
	assert_int_equal(take_reliable(0), TAKEN);
	assert_int_equal(take_reliable(2), TAKEN); // waits for 1
	packed.bytes[packed.length - 1] ^= 1;
	assert_int_equal(take_reliable(0), TAKEN);
	assert_int_equal(take_reliable(2), TAKEN);
	assert_int_equal(take_reliable(1), SKIPPED);
	assert_int_equal(got.n, 2);
	assert_int_equal(ingress.stats.duplicates, 2);
}

static void test_what_had_to_be_expanded_is_charged_even_if_it_is_skipped(UNUSED void **state)
{
	memset(body, 0, sizeof(body));
	ingress.rules.message_rate[PG_REQUEST_BULK] = rate_make(1, 100, TALK_HZ);
	pack(SESSION_MESSAGE_MAX - 4);
	packed.bytes[packed.length - 1] ^= 1; // of the checksum, which is looked at when all is expanded
	assert_int_equal(take(SESSION_BULK, packed.length), SKIPPED);
	assert_int_equal(take(SESSION_BULK, packed.length), SKIPPED);
	assert_int_equal(take(SESSION_BULK, packed.length), OVER_LIMIT);
}

static void test_what_it_expands_to_is_checked_like_any_other(UNUSED void **state)
{
	uint32_t length = chat(300, false);

	body[8 + 299] = 0xc3; // half a letter
	pack(length);
	assert_int_equal(take(SESSION_CHAT, packed.length), SKIPPED);
	length = chat(300, false);
	body[5] = 1;
	pack(length);
	assert_int_equal(take(SESSION_CHAT, packed.length), SKIPPED);
	chat(300, false);
	pack(307);
	assert_int_equal(take(SESSION_CHAT, packed.length), SKIPPED);
	chat(300, false);
	pack(308);
	assert_int_equal(take(SESSION_ATTACK, packed.length), SKIPPED);
	assert_int_equal(got.n, 0);
}

static void test_pieces_that_join_to_a_bad_stream_are_skipped(UNUSED void **state)
{
	uint64_t seed = 3;

	for (uint32_t i = 0; i < 1000; i++)
		body[i] = (uint8_t)(talk_random(&seed) % 24);
	pack(1000);
	assert_uint_in_range(packed.length, SESSION_PIECE + 1, 2 * SESSION_PIECE);
	packed.bytes[packed.length - 1] ^= 1; // of the checksum
	for (uint16_t i = 0; i < 2; i++) {
		struct talk_packet packet = {.counter = i + 1U};
		uint8_t piece[4 + SESSION_PIECE];
		const uint32_t from = i * SESSION_PIECE,
			       length = i == 0 ? SESSION_PIECE : packed.length - SESSION_PIECE;

		memcpy(piece, (const uint16_t[]){i, 2}, 4);
		memcpy(piece + 4, packed.bytes + from, length);
		packet.length = talk_write(packet.body, (struct talk_raw){.type = SESSION_BULK,
									  .flags = SESSION_MESSAGE_COMPRESSED |
										   SESSION_MESSAGE_RELIABLE |
										   SESSION_MESSAGE_FRAGMENT,
									  .id = i,
									  .body = piece,
									  .length = 4 + length});
		assert_true(talk_take(&ingress, &packet, T));
	}
	assert_false(ingress.violation);
	assert_int_equal(ingress.stats.skipped, 1);
	assert_int_equal(got.n, 0);
}

static void test_compressed_messages_of_one_datagram_are_each_themselves(UNUSED void **state)
{
	struct talk_packet packet = {.counter = 1};

	for (uint16_t id = 2; id-- > 0;) { // the second first: it waits
		memset(body, 'a' + id, 200);
		pack(200U + id);
		packet.length +=
			talk_write(packet.body + packet.length,
				   (struct talk_raw){.type = SESSION_BULK,
						     .flags = SESSION_MESSAGE_COMPRESSED | SESSION_MESSAGE_RELIABLE,
						     .id = id,
						     .body = packed.bytes,
						     .length = packed.length});
	}
	assert_true(talk_take(&ingress, &packet, T));
	assert_int_equal(got.n, 2);
	assert_int_equal(got.length, 201);
	assert_int_equal(got.body[0], 'b');
	assert_int_equal(ingress.stats.expand_out, 401);
}

static void test_a_long_compressed_message_arrives_in_pieces(UNUSED void **state)
{
	uint64_t seed = 1;
	struct talk_packet packet;

	for (uint32_t i = 0; i < 60000; i++)
		body[i] = (uint8_t)(talk_random(&seed) % 16);
	assert_int_equal(talk_say(&ingress, (struct talk_say){.reliable = true, .body = body, .length = 60000}, T),
			 PG_LOSS_NONE);
	assert_uint_in_range(ingress.stats.compress_out[PG_COMPRESS_BULK], 29000, 36000);
	for (uint64_t now = T; delivery_due(&ingress.c) != UINT64_MAX; now += TALK_MS) {
		while (delivery_due(&ingress.c) <= now) {
			talk_fill(&ingress, &packet, now);
			assert_true(talk_take(&player, &packet, now));
		}
		const struct session_prefix prefix = {.ack = player.taken.newest, .ack_bits = player.taken.bits};

		delivery_acknowledged(&ingress.ctx, &ingress.c, ingress.counter, &prefix, now);
	}
	assert_int_equal(got.n, 1);
	assert_int_equal(got.type, SESSION_BULK_EVENT);
	assert_int_equal(got.length, 60004);
	assert_memory_equal(got.body + 4, body, 60000);
}

static void test_a_delivered_body_survives_being_queued_for_somebody(UNUSED void **state)
{
	struct talk_packet packet = {.counter = 1};
	struct intake intake;
	struct delivered message = {.body = NULL};

	memset(body, 'q', 1000);
	pack(1000);
	packet.length = talk_write(packet.body, (struct talk_raw){.type = SESSION_BULK,
								  .flags = SESSION_MESSAGE_COMPRESSED,
								  .body = packed.bytes,
								  .length = packed.length});
	intake_begin(&intake, packet.body, packet.length, 1, T);
	assert_true(intake_next(&ingress.ctx, &ingress.c, &intake, &message));
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
			talk_say(&ingress, (struct talk_say){.body = message.body, .length = message.length}, T),
			PG_LOSS_NONE);
	assert_memory_equal(message.body, body, 1000);
	assert_false(intake_next(&ingress.ctx, &ingress.c, &intake, &message));
	talk_fill(&ingress, &packet, T);
	assert_true(talk_take(&player, &packet, T));
	assert_int_equal(got.n, 2);
	assert_memory_equal(got.body + 4, body, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_wrong_original_length_is_skipped),
		TEST(test_a_stream_that_is_cut_or_followed_by_garbage_is_skipped),
		TEST(test_a_changed_bit_is_skipped_or_means_nothing),
		TEST(test_a_bomb_is_skipped),
		TEST(test_what_is_compressed_counts_as_what_it_expands_to),
		TEST(test_what_came_before_is_acknowledged_and_not_expanded_again),
		TEST(test_what_had_to_be_expanded_is_charged_even_if_it_is_skipped),
		TEST(test_what_it_expands_to_is_checked_like_any_other),
		TEST(test_pieces_that_join_to_a_bad_stream_are_skipped),
		TEST(test_compressed_messages_of_one_datagram_are_each_themselves),
		TEST(test_a_long_compressed_message_arrives_in_pieces),
		TEST(test_a_delivered_body_survives_being_queued_for_somebody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

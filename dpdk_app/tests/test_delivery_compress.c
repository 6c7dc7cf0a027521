// SPDX-License-Identifier: BSD-3-Clause
// test_delivery_compress.c: which bodies are compressed, and that one which expands to something else is skipped.

#include <libdeflate.h>
#include <string.h>

#include "talk.h"
#include "unit.h"

#define T 1000000U // a moment

static struct talk_end ingress, player;
static struct {
	uint32_t n, length;
	uint8_t type;
	uint8_t body[SESSION_MESSAGE_MAX];
} got;

static void note(UNUSED void *context, UNUSED struct talk_end *end, const struct delivered *message)
{
	got.n++;
	got.type = message->type;
	got.length = message->length;
	memcpy(got.body, message->body, message->length);
}

static int open_ends(UNUSED void **state)
{
	struct talk_end *ends[] = {&ingress, &player};

	talk_open(&ingress, true, 1 << 20, 1400);
	talk_open(&player, false, 1 << 20, 1400);
	for (unsigned i = 0; i < COUNT(ends); i++) {
		ends[i]->deliver = note;
		ends[i]->rules.compress_min[PG_COMPRESS_CHAT] = 33;
		ends[i]->rules.compress_min[PG_COMPRESS_INVENTORY] = 101;
		ends[i]->rules.compress_min[PG_COMPRESS_BULK] = 101;
	}
	memset(&got, 0, sizeof(got));
	return 0;
}

static int close_ends(UNUSED void **state)
{
	struct talk_end *ends[] = {&ingress, &player};

	for (unsigned i = 0; i < COUNT(ends); i++) {
		delivery_end(&ends[i]->ctx, &ends[i]->c, PG_LOSS_CLOSED);
		assert_int_equal(message_pool_free_bytes(ends[i]->ctx.pool), 1 << 20);
		talk_close(ends[i]);
	}
	return 0;
}

static uint8_t body[SESSION_MESSAGE_MAX];

/// A chat message of so many letters that compress well, or of none that do.
static uint32_t chat(uint32_t letters, bool noise)
{
	uint64_t seed = 9;

	memset(body, 0, 8);
	body[6] = (uint8_t)letters;
	body[7] = (uint8_t)(letters >> 8);
	for (uint32_t i = 0; i < letters; i++)
		body[8 + i] = noise ? (uint8_t)(talk_random(&seed) & 0x7f) : (uint8_t)("la la "[i % 6]);
	return 8 + letters;
}

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

// ---------------------------------------------------------------- what must be skipped

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_ends, close_ends)

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

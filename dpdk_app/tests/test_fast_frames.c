// SPDX-License-Identifier: BSD-3-Clause
// test_fast_frames.c: which frames take the fast lane of DATA; what is just not one of them is treated as without that
// lane.

#include "unit.h"

#include <string.h>

#include "net/move_frame.h"
#include "sealed_pair.h"

// ---------------------------------------------------------------- which frames take it

/// DATA of a session that nobody has: only its frame matters.
static void a_frame(struct frame *f, const struct flow *flow, uint16_t messages)
{
	uint8_t payload[SESSION_DATAGRAM_MAX];
	const uint16_t length = (uint16_t)(SESSION_DATA_MIN + messages);
	const struct session_header header = {
		.kind = SESSION_DATA, .length = length, .session = 0x12345, .counter = 77};

	memset(payload, 0x5c, sizeof(payload));
	memcpy(payload, &header, sizeof(header));
	build_udp(f, flow, payload, length);
}

static void sealed_identity(struct identity *identity)
{
	rig_identity(identity);
	identity_expect_sealed(identity);
}

static void data_of_every_length_takes_the_lane(void **state UNUSED)
{
	const struct flow flow = flow4(1);
	struct identity identity;
	struct frame f;

	sealed_identity(&identity);
	for (uint16_t messages = 0; messages <= LONGEST; messages++) {
		a_frame(&f, &flow, messages);
		assert_true(takes_the_lane(&identity, &f));
		f.bytes[f.len - 1] ^= 1;
		assert_false(takes_the_lane(&identity, &f)); // checksum
	}
}

static void padding_and_missing_checksums_take_the_longer_way(void **state UNUSED)
{
	struct flow flow = flow4(1);
	struct identity identity;
	struct frame f;

	sealed_identity(&identity);
	a_frame(&f, &flow, 28);
	f.len++;
	assert_false(takes_the_lane(&identity, &f));
	f.len -= 2;
	assert_false(takes_the_lane(&identity, &f));
	flow.no_checksum = true;
	a_frame(&f, &flow, 28);
	assert_false(takes_the_lane(&identity, &f));
	flow = flow4(0); // a MAC that ends in zeros
	a_frame(&f, &flow, 28);
	assert_false(takes_the_lane(&identity, &f));
}

static void nothing_takes_the_lane_of_a_port_with_several_addresses_or_none(void **state UNUSED)
{
	static const uint8_t first[] = {172, 16, 0, 2};
	struct identity identity;
	struct flow flow = flow4(1);
	struct frame f;

	rig_identity_of_many(&identity);
	identity_expect_sealed(&identity);
	memcpy(flow.to, first, sizeof(first));
	a_frame(&f, &flow, 28);
	assert_false(takes_the_lane(&identity, &f));
	identity_init(&identity, NULL, 0, 8080);
	identity_set_mac(&identity, our_mac);
	identity_expect_sealed(&identity);
	memset(flow.to, 0, sizeof(flow.to));
	a_frame(&f, &flow, 28);
	assert_false(takes_the_lane(&identity, &f));
}

/// A bit of a frame that may be anything: then another right frame takes the lane, too.
static bool is_free(unsigned byte, unsigned bit)
{
	if (byte == 6)
		return bit != 0; // multicast
	if (byte == 20)
		return bit == 6; // don't fragment
	if (byte == 15)
		return bit >= 2; // DSCP
	if (byte == 43)
		return bit == 0; // the key phase
	return (byte > 6 && byte < 12) || byte == 18 || byte == 19 || byte == 22 || (byte >= 26 && byte < 30) ||
	       byte == 34 || byte == 35 || byte >= 46;
}

static void check_bits(const struct identity *identity, uint16_t messages)
{
	const struct flow flow = flow4(0x5555);
	struct frame f;

	a_frame(&f, &flow, messages);
	for (unsigned bit = 0; bit < f.len * 8U; bit++) {
		if (bit / 8 == 24 || bit / 8 == 25 || bit / 8 == 40 || bit / 8 == 41) // checksums, which are made right
			continue;
		a_frame(&f, &flow, messages);
		f.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		repair_checksums(f.bytes, f.len);
		// Where the frame can no longer be followed, its checksums can be right by accident only.

		assert_int_equal(takes_the_lane(identity, &f), is_free(bit / 8, bit % 8));
	}
}

static void what_is_not_quite_data_does_not_take_the_lane(void **state UNUSED)
{
	struct identity identity;

	sealed_identity(&identity);
	check_bits(&identity, 28);
	check_bits(&identity, 0);
	check_bits(&identity, 1);
	check_bits(&identity, LONGEST);
}

static void neither_profile_has_frames_for_the_others_lane(void **state UNUSED)
{
	const struct flow flow = flow4(1);
	struct identity plain, sealed;
	struct fast_spans spans;
	struct frame f;

	rig_identity(&plain);
	sealed_identity(&sealed);
	spans = fast_spans(&sealed.fast);
	for (uint32_t type = 1; type <= 5; type++) {
		build_game(&f, &flow, type, 7);
		assert_false(takes_the_lane(&sealed, &f));
		assert_false(is_move_frame(f.bytes, f.len, &spans));
	}
	for (uint16_t messages = 0; messages <= LONGEST; messages++) {
		a_frame(&f, &flow, messages);
		assert_false(takes_the_lane(&plain, &f));
		spans = fast_spans(&plain.fast);
		assert_false(is_move_frame(f.bytes, f.len, &spans));
	}
}

// ---------------------------------------------------------------- the other profile's frames

/// Every plain message, whichever way: nobody is let in.
static void send_plain(struct pipeline_pair *t, uint16_t port)
{
	for (uint32_t type = 1; type <= 5; type++)
		for (uint32_t n = 1; n <= 8; n++) {
			struct flow flow = flow4(n);
			struct frame f;

			flow.port_to = port;
			build_game(&f, &flow, type, 7);
			add(t, &f);
		}
	run(t);
}

static void check_plain_to_sealed(struct pipeline_pair *t)
{
	const uint64_t before = stat_of(t, PG_DROP_SESSION_HEADER);

	send_plain(t, 8080);
	assert_int_equal(stat_of(t, PG_DROP_SESSION_HEADER), before + 40);
	assert_int_equal(t->variant[WITH].fixture->stats[0].sessions_active, 0);
	assert_int_equal(t->variant[WITH].rig->stats.sessions_active, 0);
	// Nor at a port that was not told.
	rig_identity(&t->variant[WITH].rig->identity);
	send_plain(t, 8080);
	assert_int_equal(stat_of(t, PG_DROP_SESSION_HEADER), before + 80);
	assert_int_equal(t->variant[WITH].rig->stats.sessions_active, 0);
}

static void plain_messages_to_a_sealed_first_listener_have_no_effect(void **state UNUSED)
{
	on_every_level(check_plain_to_sealed);
}

static void send_letters(struct pipeline_pair *t)
{
	for (unsigned i = 0; i < 4; i++) {
		const struct plaintext movement = a_movement(true), eight = a_message(SESSION_BULK, 0, 0, "abcd", 4);

		add_plaintext(t, SENDER + i,
			      i < 2 ? &movement : &eight); // a payload of 44 bytes is as long as a PLAYER_MOVE
	}
	run(t);
	for (unsigned i = 0; i < 4; i++)
		assert_true(t->outcome[i].result < PG_DROPS && t->outcome[i].result != PG_DROP_NONE);
}

static void check_sealed_to_plain(struct pipeline_pair *t)
{
	const uint64_t handled = t->variant[WITH].fixture->stats[0].handled[PG_MESSAGE_SESSION_DATA];

	for (uint32_t sealed = 0; sealed <= 2; sealed += 2) {
		pair_speak(t, sealed);
		send_letters(t);
		// Nor at a port that was told wrongly.
		identity_expect_sealed(&t->variant[WITH].rig->identity);
		send_letters(t);
	}
	assert_int_equal(t->variant[WITH].fixture->stats[0].handled[PG_MESSAGE_SESSION_DATA], handled);
	assert_int_equal(t->variant[WITH].rig->stats.sessions_active, 0);
}

static void data_to_a_plain_first_listener_has_no_effect(void **state UNUSED)
{
	on_every_level(check_sealed_to_plain);
}

static void check_both_listeners(struct pipeline_pair *t)
{
	for (uint32_t sealed = 0; sealed <= 3; sealed++) {
		pair_speak(t, sealed);
		for (uint16_t port = 8080; port <= 8081; port++) {
			send_plain(t, port);
			for (unsigned i = 0; i < 8; i++) {
				const struct plaintext movement = a_movement(i % 2);
				struct flow flow = flow_from(t, SENDER + i);
				uint8_t payload[PLAYER_BUFFER];
				struct frame f;

				flow.port_to = port;
				build_udp(&f, &flow, payload, write_plaintext(t, SENDER + i, &movement, payload));
				add(t, &f);
			}
			run(t);
			let_pass(t, 50);
		}
	}
}

static void each_listener_speaks_its_profile_whichever_is_the_first(void **state UNUSED)
{
	on_every_level(check_both_listeners);
}

// ---------------------------------------------------------------- frames that are not quite right

/// The field of 16 bits at `at` disagrees, with and without bytes that are nobody's behind it.
static void check_disagreement(struct pipeline_pair *t, unsigned at, bool little_endian, int by, unsigned padding)
{
	struct frame f;
	uint16_t value;

	build_plaintext(t, SENDER, a_movement(true), &f);
	memset(f.bytes + f.len, 0x77, padding);
	f.len = (uint16_t)(f.len + padding);
	value = little_endian ? (uint16_t)(f.bytes[at] | f.bytes[at + 1] << 8) : get16(f.bytes + at);
	value = (uint16_t)(value + by);
	if (little_endian)
		put_le16(f.bytes + at, value);
	else
		put16(f.bytes + at, value);
	add_with_flags(t, &f, GOOD);
	repair_checksums(f.bytes, f.len);
	add_with_flags(t, &f, 0);
	add_with_flags(t, &f, GOOD);
	run(t);
}

static void check_disagreements(struct pipeline_pair *t)
{
	for (int by = -2; by <= 2; by++)
		for (unsigned padding = 0; padding <= 20; padding += padding < 3 ? 1 : 17) {
			check_disagreement(t, 16, false, by, padding);
			check_disagreement(t, 38, false, by, padding);
			check_disagreement(t, 44, true, by, padding);
		}
	assert_true(stat_of(t, PG_DROP_UDP_LENGTH) > 0);
	assert_true(stat_of(t, PG_DROP_TRUNCATED) > 0);
	assert_true(stat_of(t, PG_DROP_SESSION_HEADER) > 0);
}

static void lengths_that_disagree_are_refused_as_by_the_general_way(void **state UNUSED)
{
	on_every_level(check_disagreements);
}

static void check_cut(struct pipeline_pair *t)
{
	struct frame whole, f;

	build_plaintext(t, SENDER, a_movement(true), &whole);
	for (unsigned len = 0; len < 200; len++) {
		f = whole;
		memset(f.bytes + whole.len, 0xff, 128);
		f.len = (uint16_t)len;
		add_with_flags(t, &f, 0);
		add_with_flags(t, &f, GOOD);
		run(t);
	}
}

static void a_movement_cut_short_or_padded_is_treated_alike(void **state UNUSED)
{
	on_every_level(check_cut);
}

/// Checksums of any value, the ones that a carry makes among them, every hop limit, and none.
static void check_checksums(struct pipeline_pair *t)
{
	for (unsigned i = 0; i <= UINT16_MAX; i += 37) {
		struct flow flow = flow_from(t, SENDER);
		const struct plaintext plaintext = i % 2 ? a_movement(true) : no_message(true);
		uint8_t payload[PLAYER_BUFFER];
		struct frame f;

		flow.ttl = (uint8_t)(i % 251);
		flow.ip_id = (uint16_t)i;
		flow.no_checksum = i % 5 == 0;
		build_udp(&f, &flow, payload, write_plaintext(t, SENDER, &plaintext, payload));
		add(t, &f);
		run(t);
		assert_int_equal(t->outcome[0].result, i % 2 ? PG_DROP_NONE : PACKET_ABSORBED);
	}
}

static void every_checksum_is_verified_and_made_alike(void **state UNUSED)
{
	on_every_level(check_checksums);
}

static void check_sources(struct pipeline_pair *t)
{
	static const uint8_t addresses[][4] = {
		{0, 0, 0, 0},   {0, 1, 2, 3},      {126, 255, 255, 255}, {127, 0, 0, 1}, {128, 0, 0, 0},
		{223, 9, 9, 9}, {224, 0, 0, 1},    {240, 0, 0, 1},       {10, 0, 0, 1},  {10, 0, 0, 255},
		{10, 0, 0, 2},  {11, 127, 0, 224}, {255, 255, 255, 255}};
	static const uint8_t macs[][6] = {{0}, {2, 0, 0, 0, 0, 0}, {1, 0, 0x5e, 0, 0, 1}, {0x06, 0, 0, 0, 0, 2}};

	for (size_t i = 0; i < COUNT(addresses) + COUNT(macs) + 1; i++) {
		const struct plaintext plaintext = a_movement(true);
		struct flow flow = flow_from(t, SENDER);
		uint8_t payload[PLAYER_BUFFER];
		struct frame f;

		if (i < COUNT(addresses))
			memcpy(flow.from, addresses[i], 4);
		else if (i < COUNT(addresses) + COUNT(macs))
			memcpy(flow.mac_from, macs[i - COUNT(addresses)], 6);
		else
			flow.port_from = 0;
		build_udp(&f, &flow, payload, write_plaintext(t, SENDER, &plaintext, payload));
		add_with_flags(t, &f, GOOD);
		run(t);
	}
	assert_true(stat_of(t, PG_DROP_BAD_SOURCE) > 5);
}

static void a_movement_from_anybody_is_treated_alike(void **state UNUSED)
{
	on_every_level(check_sources);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_of_every_length_takes_the_lane),
		cmocka_unit_test(padding_and_missing_checksums_take_the_longer_way),
		cmocka_unit_test(nothing_takes_the_lane_of_a_port_with_several_addresses_or_none),
		cmocka_unit_test(what_is_not_quite_data_does_not_take_the_lane),
		cmocka_unit_test(neither_profile_has_frames_for_the_others_lane),
		cmocka_unit_test(plain_messages_to_a_sealed_first_listener_have_no_effect),
		cmocka_unit_test(data_to_a_plain_first_listener_has_no_effect),
		cmocka_unit_test(each_listener_speaks_its_profile_whichever_is_the_first),
		cmocka_unit_test(lengths_that_disagree_are_refused_as_by_the_general_way),
		cmocka_unit_test(a_movement_cut_short_or_padded_is_treated_alike),
		cmocka_unit_test(every_checksum_is_verified_and_made_alike),
		cmocka_unit_test(a_movement_from_anybody_is_treated_alike),
	};

	return cmocka_run_group_tests_name("fast_frames", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// test_fast_data.c: what the fast lane of DATA makes of it is what the general path makes of it, on every
// micro-architecture level that this CPU has.

#include "unit.h"

#include <string.h>

#include "sealed_pair.h"

// ---------------------------------------------------------------- movements

static void check_movements(struct pipeline_pair *t)
{
	const struct session_fixture *fixture = t->variant[WITH].fixture;
	const struct session_record *record = fixture_record(fixture, &t->player[SENDER]);
	const uint64_t before = fixture->stats[0].messages.received[PG_REQUEST_MOVE];

	for (unsigned i = 0; i < 100; i++) {
		const bool now = i % 3 != 0;
		const struct plaintext plaintext = a_movement(now);
		const struct frame_outcome *outcome = run_plaintext(t, SENDER, &plaintext);

		assert_int_equal(outcome->result, now ? PG_DROP_NONE : PACKET_ABSORBED);
		assert_int_equal(outcome->length, now ? SESSION_DATA_MIN : 0);
		assert_memory_equal(&record->motion, plaintext.body + 4, sizeof(record->motion));
		let_pass(t, i % 7);
	}
	assert_int_equal(fixture->stats[0].messages.received[PG_REQUEST_MOVE], before + 100);
	check_all_in_lane(t);
}

static void movements_in_order_are_taken_and_acknowledged(void **state UNUSED)
{
	on_every_level(check_movements);
}

/// Counters from before and behind the newest, each thrice, in bursts of any length.
static void check_order(struct pipeline_pair *t)
{
	uint64_t seed = 11;

	for (unsigned round = 0; round < 100; round++) {
		const uint64_t newest = t->player[SENDER].sent;

		for (unsigned i = random_below(&seed, BURST_MAX); i > 0; i--) {
			struct plaintext plaintext = a_movement(random_below(&seed, 2));

			plaintext.counter = newest + random_below(&seed, 12);
			plaintext.counter -= random_below(&seed, 8) ? 0 : random_below(&seed, 300);
			plaintext.counter = (int64_t)plaintext.counter > 0 ? plaintext.counter : 1;
			add_plaintext(t, SENDER + random_below(&seed, 2), &plaintext);
		}
		run(t);
		let_pass(t, random_below(&seed, 30));
	}
	assert_true(stat_of(t, PG_DROP_REPLAYED) > 1000);
	check_all_in_lane(t);
}

static void movements_out_of_order_and_replayed_are_sorted_out(void **state UNUSED)
{
	on_every_level(check_order);
}

static void check_copies(struct pipeline_pair *t)
{
	const struct plaintext plaintext = a_movement(true);
	struct frame f;

	build_plaintext(t, SENDER, plaintext, &f);
	add(t, &f);
	add(t, &f);
	build_plaintext(t, SENDER, a_movement(true), &f);
	add(t, &f);
	add(t, &f);
	run(t);
	assert_int_equal(t->outcome[0].result, PG_DROP_NONE);
	assert_int_equal(t->outcome[1].result, PG_DROP_REPLAYED);
	assert_int_equal(t->outcome[2].result, PG_DROP_NONE);
	assert_int_equal(t->outcome[3].result, PG_DROP_REPLAYED);
	f.bytes[60] ^= 1; // nobody looks
	repair_checksums(f.bytes, f.len);
	add(t, &f);
	run(t);
	assert_int_equal(t->outcome[0].result, PG_DROP_REPLAYED);
	check_all_in_lane(t);
}

static void of_copies_in_one_burst_the_first_is_taken(void **state UNUSED)
{
	on_every_level(check_copies);
}

/// Two that overtook each other: the last to come is the motion that stays.
static void check_overtaking(struct pipeline_pair *t)
{
	const struct session_record *record = fixture_record(t->variant[WITH].fixture, &t->player[SENDER]);
	struct plaintext plaintext = a_movement(true);

	plaintext.counter = t->player[SENDER].sent + 2;
	add_plaintext(t, SENDER, &plaintext);
	plaintext = a_movement(true);
	plaintext.counter = t->player[SENDER].sent - 1;
	add_plaintext(t, SENDER, &plaintext);
	run(t);
	assert_int_equal(t->outcome[0].result, PG_DROP_NONE);
	assert_int_equal(t->outcome[1].result, PG_DROP_NONE);
	assert_memory_equal(&record->motion, plaintext.body + 4, sizeof(record->motion));
	check_all_in_lane(t);
}

static void movements_that_overtook_each_other_are_taken_as_they_come(void **state UNUSED)
{
	on_every_level(check_overtaking);
}

static void check_floats(struct pipeline_pair *t)
{
	static const uint32_t floats[] = {0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffffffff,
					  0x7f7fffff, 0x80000000, 0x00000001, 0xff7fffff, 0};

	for (unsigned which = 0; which < 6; which++)
		for (size_t i = 0; i < COUNT(floats); i++) {
			struct motion motion = {.position = {1, 2, 3}};
			struct plaintext plaintext;

			memcpy((uint8_t *)&motion + 4 * which, &floats[i], 4);
			plaintext = a_message(SESSION_MOVE, 0, 0, &motion, sizeof(motion));
			assert_int_equal(run_plaintext(t, SENDER, &plaintext)->result, PG_DROP_NONE);
		}
	assert_int_equal(t->variant[WITH].fixture->stats[0].messages.skipped, 6 * 5);
	check_all_in_lane(t);
}

static void a_movement_that_is_not_finite_is_skipped_whichever_float_it_is(void **state UNUSED)
{
	on_every_level(check_floats);
}

// ---------------------------------------------------------------- other messages

/// Nothing; one message of every length, two movements, and what is as long as one movement but is none.
static void check_lengths(struct pipeline_pair *t)
{
	static const uint8_t zeros[LONGEST];
	static const uint8_t types[] = {
		0,   SESSION_MOVE, SESSION_ATTACK, SESSION_CHAT, SESSION_HEARTBEAT, SESSION_SKILL, 6, SESSION_BULK,
		201, 255};

	for (unsigned length = 0; length + 4 <= LONGEST; length += length < 64 || length > LONGEST - 40 ? 1 : 23) {
		struct plaintext plaintext = a_message(SESSION_BULK, 0, 0, zeros, (uint16_t)length);

		plaintext.wants = length % 2;
		run_plaintext(t, SENDER, &plaintext);
		plaintext.length--; // the message is cut
		run_plaintext(t, SENDER, &plaintext);
	}
	for (size_t i = 0; i < COUNT(types); i++)
		for (unsigned flags = 0; flags < 8; flags++)
			for (unsigned length = 20; length <= 25; length++) {
				struct plaintext plaintext =
					a_message(types[i], flags, i + length, zeros, (uint16_t)length);

				if (length <= 24) // exactly 28 bytes, whatever the message says of itself
					plaintext.length = DELIVERY_MOVE_LEN;
				run_plaintext(t, SENDER, &plaintext);
				if (!is_connected(t, SENDER)) { // the sender broke the protocol
					let_pass(t, 5);
					connect(t, SENDER);
				}
			}
	assert_true(t->in_lane > 500);
}

static void data_of_any_length_is_taken_as_the_general_way_takes_it(void **state UNUSED)
{
	on_every_level(check_lengths);
}

static void check_several(struct pipeline_pair *t)
{
	struct plaintext plaintext = a_movement(true);

	for (unsigned n = 1; n <= LONGEST / DELIVERY_MOVE_LEN; n++) {
		const struct plaintext movement = a_movement(true);
		memcpy(plaintext.body + (n - 1) * DELIVERY_MOVE_LEN, movement.body, DELIVERY_MOVE_LEN);
		plaintext.length = (uint16_t)(n * DELIVERY_MOVE_LEN);
		assert_int_equal(run_plaintext(t, SENDER, &plaintext)->result, PG_DROP_NONE);
	}
	check_all_in_lane(t);
}

static void several_movements_in_one_datagram_are_taken(void **state UNUSED)
{
	on_every_level(check_several);
}

/// What waits for the player, is in flight or is owed: acknowledgements, messages with the answer, and quiet again.
static void check_conversations(struct pipeline_pair *t)
{
	const struct session_fixture *fixture = t->variant[WITH].fixture;
	const struct delivery *c = store_delivery(&fixture->store, fixture_slot(fixture, &t->player[SENDER]));
	uint64_t seed = 23;
	unsigned id = 0, restless = 0;

	for (unsigned round = 0; round < 150; round++) {
		const bool reliable = round % 3 == 0;
		const struct plaintext blow =
			a_blow(t->player[SENDER].id, reliable ? SESSION_MESSAGE_RELIABLE : 0, reliable ? id++ : 0);

		run_plaintext(t, SENDER, &blow); // at the sender
		for (unsigned i = random_below(&seed, 24); i > 0; i--) {
			struct plaintext plaintext = random_below(&seed, 4) ? a_movement(random_below(&seed, 2)) :
									      no_message(random_below(&seed, 2));

			plaintext.ack = random_below(&seed, 3);
			restless += !delivery_quiet(c);
			add_plaintext(t, SENDER, &plaintext);
			if (random_below(&seed, 3) == 0)
				run(t);
		}
		run(t);
		let_pass(t, random_below(&seed, 40));
		assert_true(is_connected(t, SENDER));
	}
	assert_true(restless > 150);
	assert_true(t->variant[WITH].fixture->stats[0].messages.sent[PG_EVENT_ATTACK] >= 150);
	check_all_in_lane(t);
}

static void conversations_that_are_not_quiet_go_on_as_by_the_general_way(void **state UNUSED)
{
	on_every_level(check_conversations);
}

/// Sixteen datagrams are the most that wait for an acknowledgement.
static void check_owing(struct pipeline_pair *t)
{
	unsigned answers = 0;

	for (unsigned i = 0; i < 40; i++) {
		const struct plaintext plaintext = a_movement(false);

		answers += run_plaintext(t, SENDER, &plaintext)->result == PG_DROP_NONE;
	}
	assert_int_equal(answers, 2);
	for (unsigned ms = 0; ms < 60; ms += 7) {
		const struct plaintext plaintext = a_movement(ms % 2);

		run_plaintext(t, SENDER, &plaintext);
		let_pass(t, 7);
	}
	check_all_in_lane(t);
}

static void acknowledgements_are_owed_as_long_and_for_as_many(void **state UNUSED)
{
	on_every_level(check_owing);
}

// ---------------------------------------------------------------- who it is not from

static void check_changed_bits(struct pipeline_pair *t)
{
	struct frame f;

	build_plaintext(t, SENDER, a_movement(true), &f);
	for (unsigned bit = 0; bit < f.len * 8U; bit++) {
		struct frame changed = f;

		changed.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		add_with_flags(t, &changed, 0);
		add_with_flags(t, &changed, GOOD);
		add_with_flags(t, &changed, RX_IP_CHECKSUM_GOOD | RX_L4_CHECKSUM_BAD);
		run(t);
		repair_checksums(changed.bytes, changed.len);
		add_with_flags(t, &changed, GOOD);
		run(t);
		build_plaintext(t, SENDER, a_movement(true), &f);
	}
	assert_true(stat_of(t, PG_DROP_BAD_TAG) > 100);
}

static void a_movement_with_any_one_bit_changed_is_treated_alike(void **state UNUSED)
{
	on_every_level(check_changed_bits);
}

static void check_numbers(struct pipeline_pair *t)
{
	static const struct {
		unsigned player;
		unsigned result;
	} cases[] = {
		{IDLE, PG_DROP_SESSION_STATE},
		{REVOKED, PG_DROP_NONE}, // its CLOSE, again
		{OF_ANOTHER, PACKET_ELSEWHERE},
	};
	const uint32_t real = t->player[SENDER].session;
	const uint32_t strange[] = {0,
				    fixture_next_number(t->variant[WITH].fixture, real),
				    CAST,
				    2 * PAIR_CAPACITY - 1,
				    PAIR_CAPACITY - 1,
				    1000,
				    SESSION_SLOTS_MAX - 1};
	const uint32_t foreign[] = {real ^ 1U << 24, t->player[REVOKED].session ^ 1U << 31,
				    t->player[OF_ANOTHER].session ^ 1U << 27, 0xff000000 | PAIR_CAPACITY, UINT32_MAX};
	struct plaintext movement = a_movement(true);

	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(run_plaintext(t, cases[i].player, &movement)->result, cases[i].result);
	for (unsigned k = 0; k < VARIANTS; k++) {
		struct pipeline_variant *variant = &t->variant[k];

		variant->ingress.settles_here = true;
	}
	assert_int_equal(run_plaintext(t, OF_ANOTHER, &movement)->result, PG_DROP_SESSION_STATE);
	for (unsigned k = 0; k < VARIANTS; k++) {
		struct pipeline_variant *variant = &t->variant[k];

		variant->ingress.settles_here = false;
		variant->rig->registry.ports[1] = 2;
	}
	assert_int_equal(run_plaintext(t, OF_ANOTHER, &movement)->result, PG_DROP_OWNER_BUSY);
	for (size_t i = 0; i < COUNT(strange); i++) {
		movement.astray = true;
		movement.session = strange[i];
		assert_int_equal(run_plaintext(t, SENDER, &movement)->result, PG_DROP_SESSION_UNKNOWN);
	}
	for (size_t i = 0; i < COUNT(foreign); i++) {
		movement.session = foreign[i];
		assert_int_equal(run_plaintext(t, SENDER, &movement)->result, PG_DROP_SESSION_FOREIGN);
	}

	// Handed over is not a drop: who hands over counts it.
	for (unsigned k = 0; k < VARIANTS; k++) {
		struct pipeline_variant *variant = &t->variant[k];

		variant->fixture->stats[0].handed_out++;
	}
	check_all_in_lane(t);
}

static void sessions_that_are_not_served_here_are_refused_or_handed_over(void **state UNUSED)
{
	on_every_level(check_numbers);
}

static void check_longest(struct pipeline_pair *t)
{
	static const uint8_t zeros[SESSION_DATAGRAM_MAX];

	for (unsigned over = 0; over < 8; over++) {
		const uint16_t length = (uint16_t)(SESSION_DATAGRAM_MIN - SESSION_DATA_MIN - 4 - 4 + over);
		const struct plaintext plaintext = a_message(SESSION_BULK, 0, 0, zeros, length);

		assert_int_equal(run_plaintext(t, SHORT, &plaintext)->result, PG_DROP_NONE);
	}
	check_all_in_lane(t);
}

static void what_is_longer_than_the_handshake_proved_is_taken(void **state UNUSED)
{
	on_every_level(check_longest);
}

// ---------------------------------------------------------------- from another address

static void check_elsewhere(struct pipeline_pair *t)
{
	for (unsigned round = 0; round < 8; round++) {
		const struct plaintext movement = a_movement(true);

		add_plaintext(t, SENDER, &(struct plaintext){0});
		add_from_elsewhere(t, SENDER, a_movement(true));
		add_from_elsewhere(t, SENDER, a_movement(true)); // is asked once a second
		add_plaintext(t, SENDER, &movement);
		run(t);
		assert_int_equal(t->outcome[1].result, PG_DROP_NONE);
		assert_int_equal(t->outcome[1].payload[0], SESSION_PATH_CHALLENGE);
		assert_int_equal(t->outcome[2].result, PACKET_ABSORBED);
		assert_int_equal(t->outcome[3].result, PG_DROP_NONE);
		let_pass(t, 100);
		// The player's address changes between two of the player's movements, and one of them comes late.
		add_from_elsewhere(t, SENDER, a_movement(false));
		add_from_elsewhere(t, SENDER, path_response(t, SENDER));
		add_from_elsewhere(t, SENDER, a_movement(true));
		add_plaintext(t, SENDER, &(struct plaintext){.wants = SESSION_WANTS_ANSWER});
		run(t);
		assert_int_equal(t->outcome[1].result, PACKET_ABSORBED);
		assert_int_equal(t->outcome[2].result, PG_DROP_NONE);
		assert_int_equal(t->outcome[2].payload[0], SESSION_DATA);
		assert_int_equal(t->outcome[3].result, PG_DROP_NONE); // who was asked last is elsewhere
		assert_int_equal(t->outcome[3].payload[0], SESSION_PATH_CHALLENGE);
		assert_int_equal(t->variant[WITH].fixture->stats[0].path_changes, round + 1);
		let_pass(t, 1500);
	}
}

static void another_address_is_asked_and_then_believed(void **state UNUSED)
{
	on_every_level(check_elsewhere);
}

static void check_source_limits(struct pipeline_pair *t)
{
	limit_sources(t, once_in(1, 3));
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 12; i++) {
			if (i % 3 == 0)
				add_plaintext(t, SENDER + i % 4, &(struct plaintext){0});
			else
				add_from_elsewhere(t, SENDER + i % 4, a_movement(i % 2));
		}
		run(t);
		let_pass(t, 500);
	}
	assert_true(stat_of(t, PG_DROP_SOURCE_RATE_LIMITED) > 50);
	check_all_in_lane(t);
}

static void unproved_addresses_have_a_source_rate(void **state UNUSED)
{
	on_every_level(check_source_limits);
}

// ---------------------------------------------------------------- rates

static void check_rates(struct pipeline_pair *t)
{
	for (unsigned which = 0; which < 3; which++) {
		for (unsigned k = 0; k < VARIANTS; k++) {
			struct pipeline_variant *variant = &t->variant[k];

			struct session_rules *rules = &variant->rig->policy.sessions;

			rules->session[0] = which != 1 ? once_in(1, 5) : (struct rate){0};
			rules->delivery.message_rate[PG_REQUEST_MOVE] = which != 0 ? once_in(1, 4) : (struct rate){0};
		}
		for (unsigned round = 0; round < 10; round++) {
			for (unsigned i = 0; i < 12; i++) {
				const struct plaintext plaintext = i == 5 ? no_message(true) : a_movement(i % 2);

				add_plaintext(t, SENDER + i % 2, &plaintext);
			}
			run(t);
			let_pass(t, 700);
		}
	}
	assert_true(stat_of(t, PG_DROP_SESSION_RATE_LIMITED) > 50);
	assert_true(stat_of(t, PG_DROP_MESSAGE_RATE_LIMITED) > 50);
	check_all_in_lane(t);
}

static void sessions_and_messages_have_their_rates(void **state UNUSED)
{
	on_every_level(check_rates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(movements_in_order_are_taken_and_acknowledged),
		cmocka_unit_test(movements_out_of_order_and_replayed_are_sorted_out),
		cmocka_unit_test(of_copies_in_one_burst_the_first_is_taken),
		cmocka_unit_test(movements_that_overtook_each_other_are_taken_as_they_come),
		cmocka_unit_test(a_movement_that_is_not_finite_is_skipped_whichever_float_it_is),
		cmocka_unit_test(data_of_any_length_is_taken_as_the_general_way_takes_it),
		cmocka_unit_test(several_movements_in_one_datagram_are_taken),
		cmocka_unit_test(conversations_that_are_not_quiet_go_on_as_by_the_general_way),
		cmocka_unit_test(acknowledgements_are_owed_as_long_and_for_as_many),
		cmocka_unit_test(a_movement_with_any_one_bit_changed_is_treated_alike),
		cmocka_unit_test(sessions_that_are_not_served_here_are_refused_or_handed_over),
		cmocka_unit_test(what_is_longer_than_the_handshake_proved_is_taken),
		cmocka_unit_test(another_address_is_asked_and_then_believed),
		cmocka_unit_test(unproved_addresses_have_a_source_rate),
		cmocka_unit_test(sessions_and_messages_have_their_rates),
	};

	return cmocka_run_group_tests_name("fast_data", tests, NULL, NULL);
}

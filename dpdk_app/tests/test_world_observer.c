// SPDX-License-Identifier: BSD-3-Clause
// test_world_observer.c: whom a WORLD_STATE tells of, and how: one situation after the other.

#include "unit.h"

#include <string.h>

#include "world/bits.h"
#include "world_sight.h"

/// A second of a good network with so many slots in use.
static struct sight *settled(unsigned slots)
{
	struct sight *sight = open_sight("auto", (struct weather){.delay = 2, .room = ROOM, .slots = 32}, 1);

	go_on(sight);
	look(sight);
	for (unsigned slot = 0; slot < slots; slot++)
		observer_enter(sight->observer, &sight->parts, slot, world_refer(slot % PARTS, slot));
	pass(sight, 60);
	return sight;
}

static struct world_told say(struct sight *sight, uint8_t *body, size_t room)
{
	return sight->kernels->state(sight->observer, &sight->parts, ++sight->counter, body, room);
}

static void test_nobody_is_said_in_ten_bytes(UNUSED void **state)
{
	struct sight *sight = settled(0);
	uint8_t body[ROOM];

	go_on(sight);
	look(sight);
	assert_int_equal(say(sight, body, ROOM).bytes, sizeof(struct world_state));
	close_sight(sight);
}

static void test_a_second_state_in_a_tick_says_nothing(UNUSED void **state)
{
	struct sight *sight = settled(4);
	uint8_t body[ROOM];

	go_on(sight);
	look(sight);
	observer_enter(sight->observer, &sight->parts, 9, world_refer(0, 50));
	send_state(sight);
	assert_int_equal(say(sight, body, ROOM).bytes, sizeof(struct world_state));
	assert_true(client_read(&sight->client, body, sizeof(struct world_state), sight->counter));
	pass(sight, 20);
	assert_int_equal(sight->skipped, 0);
	close_sight(sight);
}

static void test_all_are_told_against_one_frame(UNUSED void **state)
{
	struct sight *sight = settled(32);
	struct world_state head;
	uint8_t body[ROOM];

	go_on(sight);
	look(sight);
	assert_int_equal(say(sight, body, ROOM).records, 32);
	memcpy(&head, body, sizeof(head));
	assert_int_equal(head.present, UINT32_MAX);
	assert_int_equal(head.base, 5); // two ticks each way, and one until it is used
	assert_int_equal(head.exceptions, 0);
	close_sight(sight);
}

/// Five bits say 31, too; but that frame may be written over while another worker's part is told.
static void test_no_baseline_is_older_than_30_ticks(UNUSED void **state)
{
	struct sight *sight = settled(4);
	struct world_state head;
	uint8_t body[ROOM];
	unsigned oldest = 0;

	for (unsigned i = 0; i < 40; i++) { // of which no acknowledgement comes
		go_on(sight);
		look(sight);
		(void)say(sight, body, ROOM);
		memcpy(&head, body, sizeof(head));
		oldest = head.base > oldest ? head.base : oldest;
	}
	assert_int_equal(oldest, 30);
	assert_int_equal(sight->observer->base[1], AGE_NONE);
	close_sight(sight);
}

static void test_who_comes_is_told_in_full_once_and_then_against_that(UNUSED void **state)
{
	struct sight *sight = settled(4);
	const uint64_t fulls = sight->fulls;

	go_on(sight);
	look(sight);
	observer_enter(sight->observer, &sight->parts, 9, world_refer(0, 50));
	send_state(sight);
	deliver(sight);
	pass(sight, 30);
	assert_int_equal(sight->fulls, fulls + 1);
	assert_int_equal(sight->skipped, 0);
	assert_int_equal(sight->client.slot[9].number, number_of(sight, world_refer(0, 50)));
	assert_int_equal(sight->client.slot[9].identity, 1000 + sight->client.slot[9].number);
	assert_true(sight->tick - sight->client.slot[9].told <= 2);
	close_sight(sight);
}

/// A FULL and what was told against it, acknowledged together: who knows which came first. One after the other: it is a baseline.
static void test_what_is_told_against_a_full_counts_if_that_came_first(UNUSED void **state)
{
	for (unsigned together = 0; together < 2; together++) {
		struct sight *sight = settled(4);
		uint8_t body[ROOM];

		for (unsigned i = 0; i < 3; i++) {
			go_on(sight);
			look(sight);
			if (i == 0)
				observer_enter(sight->observer, &sight->parts, 9, world_refer(0, 50));
			say(sight, body, ROOM);
		}
		if (!together)
			observer_acknowledged(sight->observer, sight->counter - 2, 1);
		observer_acknowledged(sight->observer, sight->counter, together ? 7 : 3);
		assert_int_equal(sight->observer->base[9], together ? 2 : 0);
		close_sight(sight);
	}
}

/// Lost: nothing of it is decoded, until one that was sent after it is acknowledged.
static void test_a_full_that_was_lost_is_said_again(UNUSED void **state)
{
	struct sight *sight = settled(4);

	go_on(sight);
	look(sight);
	observer_enter(sight->observer, &sight->parts, 9, world_refer(0, 50));
	sight->weather.lost_down = 1000;
	send_state(sight);
	sight->weather.lost_down = 0;
	deliver(sight);
	pass(sight, 12);
	assert_uint_in_range(sight->skipped, 1, 9);
	assert_int_equal(sight->client.slot[9].number, number_of(sight, world_refer(0, 50)));
	close_sight(sight);
}

/// An acknowledgement of what was said of A says nothing of B, who has the slot now.
static void test_an_acknowledgement_is_of_who_was_in_the_slot_then(UNUSED void **state)
{
	struct sight *sight = settled(4);

	go_on(sight);
	look(sight);
	observer_enter(sight->observer, &sight->parts, 2, world_refer(1, 70));
	assert_int_equal(sight->observer->base[2], AGE_NONE);
	deliver(sight); // of frames before
	assert_int_equal(sight->observer->base[2], AGE_NONE);
	assert_int_not_equal(sight->observer->base[1], AGE_NONE);
	close_sight(sight);
}

static void test_a_late_acknowledgement_makes_no_baseline_older(UNUSED void **state)
{
	struct sight *sight = settled(4);
	uint8_t body[ROOM];

	for (unsigned i = 0; i < 2; i++) {
		go_on(sight);
		look(sight);
		say(sight, body, ROOM);
	}
	observer_acknowledged(sight->observer, sight->counter, 1);
	assert_int_equal(sight->observer->base[1], 0);
	observer_acknowledged(sight->observer, sight->counter - 1, 1);
	assert_int_equal(sight->observer->base[1], 0);
	close_sight(sight);
}

static void test_who_jumps_is_told_in_full(UNUSED void **state)
{
	struct sight *sight = settled(4);
	const uint64_t fulls = sight->fulls;

	sight->walkers[0]->of[0].x = sight->walkers[0]->of[0].x < 1000 ? 90000 : 0;
	pass(sight, 30);
	assert_int_equal(sight->fulls, fulls + 1);
	assert_int_equal(sight->skipped, 0);
	close_sight(sight);
}

static void test_who_leaves_the_world_leaves_the_slot(UNUSED void **state)
{
	struct sight *sight = settled(4);

	walkers_remove(sight->walkers[0], 2);
	pass(sight, 1);
	assert_int_equal(sight->observer->occupied, 0xb);
	pass(sight, 3);
	assert_int_equal(sight->client.slot[2].number, CLIENT_NOBODY);
	close_sight(sight);
}

static void test_an_empty_slot_is_said_until_it_is_acknowledged(UNUSED void **state)
{
	struct sight *sight = settled(4);

	observer_leave(sight->observer, 3);
	sight->weather.lost_down = 1000;
	pass(sight, 1);
	sight->weather.lost_down = 0;
	pass(sight, 14);
	assert_int_equal(sight->client.slot[3].number, CLIENT_NOBODY);
	assert_int_equal(sight->observer->leaving, 0);
	close_sight(sight);
}

static void test_of_a_part_that_is_late_nothing_is_said(UNUSED void **state)
{
	struct sight *sight = settled(4);
	uint8_t body[ROOM];
	struct world_state head;

	sight->tick++;
	walkers_publish(sight->walkers[0], sight->tick);
	look(sight);
	assert_int_equal(say(sight, body, ROOM).records, 2);
	memcpy(&head, body, sizeof(head));
	assert_int_equal(head.present | head.exceptions << 16, 0x5);
	close_sight(sight);
}

/// The next frame of a part is there already, in new ranks: that of this tick is in the old ones.
static void test_a_part_can_be_ahead_in_other_ranks(UNUSED void **state)
{
	struct sight *sight = settled(6);

	go_on(sight);
	walkers_rerank(sight->walkers[1], sight->tick + 1);
	walkers_publish(sight->walkers[1], sight->tick + 1);
	look(sight);
	send_state(sight);
	sight->walkers[1]->part.published--; // it publishes that frame again
	pass(sight, 1);
	deliver(sight);
	pass(sight, 10);
	assert_int_equal(sight->skipped, 0);
	close_sight(sight);
}

static void test_what_was_told_of_a_slot_is_of_who_is_in_it(UNUSED void **state)
{
	struct sight *sight = settled(4);

	go_on(sight);
	look(sight);
	assert_int_equal(observer_told(sight->observer, 1), 0xf);
	observer_enter(sight->observer, &sight->parts, 2, world_refer(0, 50));
	assert_int_equal(observer_told(sight->observer, 1), 0xb);
	send_state(sight);
	for (unsigned i = 0; i < 2; i++) { // in full, and against what may have come
		go_on(sight);
		look(sight);
		assert_int_equal(observer_told(sight->observer, 1), 0xf);
		send_state(sight);
	}
	go_on(sight);
	look(sight);
	observer_enter(sight->observer, &sight->parts, 2, world_refer(0, 51));
	for (unsigned age = 1; age < OBSERVER_TICKS; age++)
		assert_int_equal(observer_told(sight->observer, age) & 4, 0);
	close_sight(sight);
}

static void test_the_farthest_are_left_out_first(UNUSED void **state)
{
	struct sight *sight = settled(32);
	struct world_state head;
	uint8_t body[ROOM];
	struct world_told told;

	go_on(sight);
	look(sight);
	for (unsigned slot = 0; slot < 32; slot++)
		observer_pace(sight->observer, slot, 0, (uint8_t)(10 + 7 * slot));
	told = say(sight, body, WORLD_STATE_ROOM_MIN);
	memcpy(&head, body, sizeof(head));
	assert_true(told.bytes + BITS_SLACK <= WORLD_STATE_ROOM_MIN);
	assert_int_equal(told.records, 32 - told.left_out);
	assert_true(told.left_out > 0 && told.records > 8);
	assert_int_equal(head.present & 0xff, 0xff);
	close_sight(sight);
}

static void test_where_there_is_no_room_for_all_the_farthest_have_their_turn(UNUSED void **state)
{
	struct sight *sight = settled(32);
	uint32_t told[32] = {0};

	sight->weather.room = WORLD_STATE_ROOM_MIN; // for half of them
	sight->weather.delay = 10;                  // and their records are longer
	for (unsigned slot = 0; slot < 32; slot++)
		observer_pace(sight->observer, slot, 0, (uint8_t)(8 * slot));
	for (unsigned i = 0; i < 320; i++) {
		pass(sight, 1);
		for (unsigned slot = 0; slot < 32; slot++) {
			told[slot] += sight->client.slot[slot].told == sight->tick - sight->weather.delay;
			if (i >= 96)
				assert_true(sight->tick - sight->client.slot[slot].told < 96);
		}
	}
	assert_true(sight->left_out > 320);
	assert_true(told[31] >= 4 && told[0] > told[31]);
	close_sight(sight);
}

static void test_few_are_told_in_full_at_once(UNUSED void **state)
{
	struct sight *sight = settled(0);
	uint8_t body[ROOM];

	go_on(sight);
	look(sight);
	for (unsigned slot = 0; slot < 32; slot++)
		observer_enter(sight->observer, &sight->parts, slot, world_refer(0, slot));
	assert_int_equal(say(sight, body, ROOM).fulls, OBSERVER_FULLS_MAX);
	close_sight(sight);
}

/// Whoever comes is told of in full, and that is no miss; nor is it one of who comes into the slot after them.
static void test_who_is_told_in_full_again_is_a_miss(UNUSED void **state)
{
	struct sight *sight = settled(0);
	uint8_t body[ROOM];

	for (unsigned who = 50; who < 52; who++) {
		unsigned fulls = 0;

		for (unsigned i = 0; i < 4 * OBSERVER_TICKS; i++) { // none of which is acknowledged
			go_on(sight);
			look(sight);
			if (i == 0)
				observer_enter(sight->observer, &sight->parts, 9, world_refer(0, who));

			const struct world_told told = say(sight, body, ROOM);

			assert_int_equal(told.misses, fulls != 0 ? told.fulls : 0);
			fulls += told.fulls;
		}
		assert_true(fulls > 1);
	}
	close_sight(sight);
}

static void test_paces_spread_the_slots_over_the_ticks(UNUSED void **state)
{
	struct sight *sight = settled(32);
	unsigned of[32] = {0};

	pass(sight, 1);
	for (unsigned slot = 0; slot < 32; slot++)
		observer_pace(sight->observer, slot, 3, 0);
	for (unsigned i = 0; i < 8; i++) {
		struct world_state head;
		uint8_t body[ROOM];

		go_on(sight);
		look(sight);
		assert_int_equal(say(sight, body, ROOM).records, 4);
		memcpy(&head, body, sizeof(head));
		for (unsigned slot = 0; slot < 32; slot++)
			of[slot] += head.present >> slot & 1;
	}
	for (unsigned slot = 0; slot < 32; slot++)
		assert_int_equal(of[slot], 1);
	close_sight(sight);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_is_said_in_ten_bytes),
		cmocka_unit_test(test_a_second_state_in_a_tick_says_nothing),
		cmocka_unit_test(test_all_are_told_against_one_frame),
		cmocka_unit_test(test_no_baseline_is_older_than_30_ticks),
		cmocka_unit_test(test_who_comes_is_told_in_full_once_and_then_against_that),
		cmocka_unit_test(test_what_is_told_against_a_full_counts_if_that_came_first),
		cmocka_unit_test(test_a_full_that_was_lost_is_said_again),
		cmocka_unit_test(test_an_acknowledgement_is_of_who_was_in_the_slot_then),
		cmocka_unit_test(test_a_late_acknowledgement_makes_no_baseline_older),
		cmocka_unit_test(test_who_jumps_is_told_in_full),
		cmocka_unit_test(test_who_leaves_the_world_leaves_the_slot),
		cmocka_unit_test(test_an_empty_slot_is_said_until_it_is_acknowledged),
		cmocka_unit_test(test_of_a_part_that_is_late_nothing_is_said),
		cmocka_unit_test(test_a_part_can_be_ahead_in_other_ranks),
		cmocka_unit_test(test_what_was_told_of_a_slot_is_of_who_is_in_it),
		cmocka_unit_test(test_the_farthest_are_left_out_first),
		cmocka_unit_test(test_where_there_is_no_room_for_all_the_farthest_have_their_turn),
		cmocka_unit_test(test_few_are_told_in_full_at_once),
		cmocka_unit_test(test_who_is_told_in_full_again_is_a_miss),
		cmocka_unit_test(test_paces_spread_the_slots_over_the_ticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

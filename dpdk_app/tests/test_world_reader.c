// SPDX-License-Identifier: BSD-3-Clause
// test_world_reader.c: of a gateway's WORLD_STATEs the C client has what a client has that was written from PROTOCOL.md alone,
// whatever is lost or overtaken. What that one has was published: world_sight.c sees to it.

#include "unit.h"

#include "world_reader.h"
#include "world_sight.h"

/// A bad network, and a world in which much happens.
#define WEATHER                                                                                            \
	.lost_down = 60, .lost_up = 80, .delay = 2, .spread = 3, .changes = 15, .comes = 60, .rerank = 83, \
	.room = ROOM, .slots = 32

/// Those that are due now, in the order in which the other client gets them.
static void hear(struct reader *reader, const struct sight *sight)
{
	for (unsigned i = 0; i < FLYING; i++) {
		const struct flying *flying = &sight->down[i];

		if (flying->there && flying->due == sight->tick)
			reader_hear(reader, flying->bytes, flying->length, flying->tick, flying->counter);
	}
}

static void assert_same_in_frame(const struct reader *reader, unsigned slot, const struct client_slot *theirs,
				 uint32_t tick)
{
	const unsigned at = tick % CLIENT_TICKS;
	const struct client_place *place = &theirs->in[at].place;
	int32_t position[3], velocity[3];
	const bool has = reader_place(reader, slot, tick, position, velocity);

	assert_int_equal(has, theirs->in[at].there && theirs->in[at].tick == tick);
	for (unsigned axis = 0; has && axis < 3; axis++) {
		assert_int_equal(position[axis], place->position[axis]);
		assert_int_equal(velocity[axis], place->velocity[axis]);
	}
}

static void assert_same_in_sight(const struct reader *reader, const struct sight *sight)
{
	for (unsigned slot = 0; slot < CLIENT_SLOTS; slot++) {
		const struct client_slot *theirs = &sight->client.slot[slot];
		struct reader_entity ours;
		const bool occupied = reader_entity(reader, slot, &ours);

		assert_int_equal(occupied, theirs->was_told && theirs->number != CLIENT_NOBODY);
		if (!occupied)
			continue;
		assert_int_equal(ours.number, theirs->number);
		assert_int_equal(ours.identity, theirs->identity);
		assert_int_equal(ours.sort, theirs->sort);
		for (uint32_t age = 0; age < CLIENT_TICKS; age++)
			assert_same_in_frame(reader, slot, theirs, sight->tick - age);
	}
}

static struct reader_counts play(struct sight *sight, unsigned ticks)
{
	struct reader *reader = reader_new();
	struct reader_counts counts;

	assert_non_null(reader);
	for (unsigned i = 0; i < ticks; i++) {
		go_on(sight);
		look(sight);
		send_state(sight);
		hear(reader, sight);
		deliver(sight);
		assert_same_in_sight(reader, sight);
	}
	counts = reader_counts(reader);
	assert_int_equal(counts.malformed, 0);
	assert_int_equal(counts.impossible, 0);
	reader_free(reader);
	close_sight(sight);
	return counts;
}

static void test_over_a_bad_network_both_have_the_same_in_sight(UNUSED void **state)
{
	const struct reader_counts counts = play(open_sight("auto", (struct weather){WEATHER}, 21), 3000);

	assert_true(counts.decoded > 40000);
	assert_true(counts.undecodable > 0);
}

static void test_without_loss_every_record_is_decoded(UNUSED void **state)
{
	struct sight *sight = open_sight("auto", (struct weather){WEATHER}, 22);
	struct reader_counts counts;

	sight->weather.lost_down = sight->weather.spread = 0;
	counts = play(sight, 1500);
	assert_true(counts.decoded > 20000);
	assert_int_equal(counts.undecodable, 0);
	assert_int_equal(counts.late, 0);
}

static void test_over_epochs_both_have_the_same_in_sight(UNUSED void **state)
{
	struct sight *sight = open_sight("auto", (struct weather){WEATHER, .epochs = 20}, 23);
	struct reader_counts counts;

	sight->weather.changes = 100;
	counts = play(sight, 3000);
	assert_true(counts.other_epoch > 0);
	assert_true(counts.decoded > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_over_a_bad_network_both_have_the_same_in_sight),
		cmocka_unit_test(test_without_loss_every_record_is_decoded),
		cmocka_unit_test(test_over_epochs_both_have_the_same_in_sight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

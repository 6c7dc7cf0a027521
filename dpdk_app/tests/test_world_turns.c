// SPDX-License-Identifier: BSD-3-Clause
// test_world_turns.c: a tick that is cut short, and who is told first in the next; and ticks that are left out.

#include "game_fixture.h"

#include "part_fixture.h"
#include "replication/turn.h"
#include "replication_fixture.h"

#define PLAYERS 8
#define ENTITY 77
#define PAUSE_TICKS 100

static struct game_fixture *fixture;
static struct replication_fixture *world;

static int open_fixture(void **state UNUSED)
{
	fixture = game_fixture_open();
	world = replication_fixture_open_for(fixture->sessions, 1, 1);
	for (unsigned player = 0; player < PLAYERS; player++) {
		game_fixture_connect(fixture, player);
		replication_fixture_enter(world, fixture_slot(fixture->sessions, &fixture->player[player]), 0,
					  (float)player);
	}
	replication_fixture_tick(world, false);
	return 0;
}

static int close_fixture(void **state UNUSED)
{
	replication_fixture_close(world);
	game_fixture_close(fixture);
	return 0;
}

/// The tick's datagrams begin to leave.
static void begin_to_send(void)
{
	world->replica->stage = TICK_SEND;
	world->replica->at = 0;
	world->replica->due = world->replica->began + world->replica->tick_cycles;
	world->replication->active = world->replica;
}

static uint32_t next_rank(void)
{
	struct receiver receiver;

	assert_true(replication_next_receiver(world->replication, &receiver));
	return receiver.rank;
}

/// The next tick comes before all of this one were sent.
static void cut_short(void)
{
	(void)turn_step(world->replication, world->replica->due);
	replication_fixture_tick(world, false);
}

static void test_who_was_not_told_is_told_first(void **state UNUSED)
{
	const uint64_t *shed = &world->replica->counts->shed;
	uint32_t expected = 0;

	for (unsigned ticks = 0; ticks < 2 * PLAYERS; ticks++) {
		begin_to_send();
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(next_rank(), expected++ % PLAYERS);
		cut_short();
		assert_int_equal(*shed, (ticks + 1) * (PLAYERS - 3));
		assert_int_equal(world->replica->counts->overruns, ticks + 1);
	}
}

static void test_a_whole_tick_tells_each_once(void **state UNUSED)
{
	uint32_t told = 0;
	struct receiver receiver;

	begin_to_send();
	(void)next_rank();
	cut_short();
	begin_to_send();
	while (world->replica->at < world->replica->part->count) {
		assert_true(replication_next_receiver(world->replication, &receiver));
		assert_int_equal(told & 1U << receiver.rank, 0);
		told |= 1U << receiver.rank;
	}
	assert_int_equal(told, (1U << PLAYERS) - 1);
}

/// A state says it to the others.
static void test_who_is_not_told_is_acknowledged_without_a_state(void **state UNUSED)
{
	struct session_shard *shard = fixture->sessions->shard[0];

	for (unsigned player = 0; player < PLAYERS; player++) {
		const uint32_t slot = fixture_slot(fixture->sessions, &fixture->player[player]);

		wheel_cancel(&shard->wheel, slot);
		delivery_owe(&shard->ctx, store_delivery(shard->store, slot), fixture->sessions->now);
	}
	assert_int_equal(shard->wheel.scheduled, 0);
	begin_to_send();
	for (unsigned i = 0; i < 3; i++)
		(void)next_rank();
	cut_short();
	assert_int_equal(shard->wheel.scheduled, PLAYERS - 3);
}

/// The worker runs again after so many ticks, in which it published nothing.
static void publish_after(uint32_t ticks, bool rerank)
{
	world->tick += ticks;
	world->sessions->now += ticks * world->replica->tick_cycles;
	if (rerank)
		sort_ranks(world->replica->part);
	publish(world->replica->part, world->tick, rerank);
	world->replica->tick = world->tick;
	world->replica->began = world->sessions->now;
}

/// The look of a tick in which nobody has their turn.
static void look(void)
{
	struct world_parts none = {0};
	struct world_interest interest = {.parts = &none};

	if (world_has_turn(0, world->tick))
		publish_after(1, false);
	world->replica->interest = &interest;
	world->replica->stage = TICK_LOOK;
	world->replica->at = 0;
	while (world->replica->stage == TICK_LOOK)
		assert_int_equal(turn_step(world->replication, world->sessions->now), TURN_STEPPED);
}

/// However many ticks a worker is without a CPU after one in which everybody was given another rank.
static void test_who_says_nothing_keeps_its_rank_after_a_pause(void **state UNUSED)
{
	const struct world_part *part = world->replica->part;
	const struct entity_owner owner = {0, 1};
	const struct motion motion = {{1, 1, 0}, {0, 0, 0}};

	assert_int_equal(entity_spawn(world->replica, owner, ENTITY, &motion, world->sessions->now), ENTITY_DONE);
	for (unsigned reranks = 0; reranks < 4; reranks++) {
		publish_after(PAUSE_TICKS, false);
		look();
		publish_after(1, true);
	}
	for (unsigned player = 0; player < PLAYERS; player++) {
		const uint32_t slot = fixture_slot(fixture->sessions, &fixture->player[player]);
		struct member *member = &world->replication->members[slot];

		assert_int_not_equal(member_rank(world->replica, member), WORLD_NOBODY);
		assert_int_equal(part->number[member->rank], member->number);
	}
	assert_int_not_equal(replication_fixture_find(part, ENTITY, WORLD_OTHER), WORLD_NOBODY);
	assert_int_equal(entity_despawn(world->replica, owner, ENTITY), ENTITY_DONE);
	assert_int_equal(replication_fixture_find(part, ENTITY, WORLD_OTHER), WORLD_NOBODY);
}

#define TURN_TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TURN_TEST(test_who_was_not_told_is_told_first),
		TURN_TEST(test_a_whole_tick_tells_each_once),
		TURN_TEST(test_who_is_not_told_is_acknowledged_without_a_state),
		TURN_TEST(test_who_says_nothing_keeps_its_rank_after_a_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// test_game_entities.c: what game processes have in worlds beside the players, and what they say of both.

#include "game_fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "game/entities.h"
#include "replication_fixture.h"
#include "session/connection.h"

#define ENTITIES 8
#define MANY 300

static struct game_fixture *fixture;
static struct replication_fixture *worlds;

static void open_worlds(uint32_t entities)
{
	fixture = game_fixture_open();
	worlds = replication_fixture_open_for(fixture->sessions, 1, entities);
	game_fixture_attach(fixture, false);
	while (game_fixture_read(fixture) >= 0)
		;
}

static int open_few(void **state UNUSED)
{
	open_worlds(ENTITIES);
	return 0;
}

static int open_many(void **state UNUSED)
{
	open_worlds(MANY);
	return 0;
}

static struct replica *replica_of(uint32_t world)
{
	return &worlds->replication->replica[world];
}

static int close_worlds(void **state UNUSED)
{
	assert_true(replication_fixture_is_sound(replica_of(0)) && replication_fixture_is_sound(replica_of(1)));
	replication_fixture_close(worlds);
	game_fixture_close(fixture);
	return 0;
}

static uint64_t refused(enum pg_order_refusal why)
{
	return fixture->game->counts[0].refused[why];
}

// ---------------------------------------------------------------- orders

static void order(enum game_order_type type, const char *world, const void *items, size_t bytes)
{
	static uint8_t record[sizeof(struct game_entities) + 100 * sizeof(struct game_spawn)];
	struct game_entities *head = (struct game_entities *)(void *)record;

	*head = (struct game_entities){0};
	(void)snprintf(head->world, sizeof(head->world), "%s", world);
	memcpy(record + sizeof(struct game_entities), items, bytes);
	game_fixture_order(fixture, type, record, (uint32_t)(sizeof(struct game_entities) + bytes));
	game_fixture_turn(fixture);
}

static struct game_spawn spawn_of(uint32_t entity, float x, const char *state)
{
	struct game_spawn spawn = {.entity = entity, .position = {x, 0, 0}, .length = (uint8_t)strlen(state)};

	memcpy(spawn.state, state, spawn.length);
	return spawn;
}

static void spawn(uint32_t entity, float x, const char *state)
{
	const struct game_spawn one = spawn_of(entity, x, state);

	order(GAME_SPAWN, "meadow", &one, sizeof(one));
}

static void move(uint32_t entity, float x)
{
	const struct game_position one = {.player = entity, .position = {x, 0, 0}};

	order(GAME_MOVE_ENTITIES, "meadow", &one, sizeof(one));
}

static void despawn(uint32_t entity)
{
	order(GAME_DESPAWN, "meadow", &entity, sizeof(entity));
}

static void say(const char *world, uint32_t who, const char *state)
{
	struct game_state one = {.entity = who, .length = (uint8_t)strlen(state)};

	memcpy(one.state, state, one.length);
	order(GAME_STATE, world, &one, sizeof(one));
}

static void enter(uint32_t player, const char *world, float x)
{
	struct game_world one = {.player = player, .flags = GAME_PLACED, .position = {x, 0, 0}};

	memcpy(one.name, world, strlen(world));
	game_fixture_order(fixture, GAME_WORLD, &one, sizeof(one));
	game_fixture_turn(fixture);
}

/// The process is told of it.
static void expect_refused(uint32_t entity, unsigned why)
{
	struct game_refused told;
	int type = game_fixture_read(fixture);

	while (type >= 0 && type != GAME_REFUSED)
		type = game_fixture_read(fixture);
	assert_int_equal(type, GAME_REFUSED);
	memcpy(&told, fixture->record, sizeof(told));
	assert_int_equal(told.entity, entity);
	assert_int_equal(told.why, why);
}

// ---------------------------------------------------------------- what is there

static uint32_t rank_of(uint32_t world, uint32_t identity, enum world_sort sort)
{
	return replication_fixture_find(replica_of(world)->part, identity, sort);
}

static bool is_there(uint32_t world, uint32_t identity, enum world_sort sort)
{
	replication_fixture_tick(worlds, true);
	return rank_of(world, identity, sort) != WORLD_NOBODY;
}

static void assert_at(uint32_t entity, double x)
{
	const struct replica *replica = replica_of(0);
	uint32_t rank;

	replication_fixture_tick(worlds, true);
	rank = rank_of(0, entity, WORLD_OTHER);
	assert_int_not_equal(rank, WORLD_NOBODY);
	assert_int_equal(world_frame_at(replica->part, worlds->tick)->x[rank], lrint((x - FIXTURE_LOW_M) * 100));
}

static void assert_says(uint32_t world, uint32_t identity, enum world_sort sort, const char *state)
{
	const struct world_part *part = replica_of(world)->part;
	struct world_game_said said;
	uint32_t rank;

	replication_fixture_tick(worlds, true);
	rank = rank_of(world, identity, sort);
	assert_int_not_equal(rank, WORLD_NOBODY);
	assert_true(world_game_state_read(part, part->number[rank], identity, &said));
	assert_int_equal(said.length, strlen(state));
	assert_memory_equal(said.word, state, said.length);
}

// ---------------------------------------------------------------- entities

static void test_what_is_spawned_is_there_with_its_state(UNUSED void **state)
{
	const struct game_spawn both[] = {spawn_of(5, 1, "oak"), spawn_of(6, 2, "")};

	order(GAME_SPAWN, "meadow", both, sizeof(both));
	assert_at(5, 1);
	assert_at(6, 2);
	assert_says(0, 5, WORLD_OTHER, "oak");
	assert_says(0, 6, WORLD_OTHER, "");
	assert_false(is_there(1, 5, WORLD_OTHER));
	assert_int_equal(replica_of(0)->counts->entities, 2);
}

static void test_what_is_spawned_again_is_put_there(UNUSED void **state)
{
	spawn(5, 1, "oak");
	spawn(5, 9, "stump");
	assert_at(5, 9);
	assert_says(0, 5, WORLD_OTHER, "stump");
	assert_int_equal(replica_of(0)->counts->entities, 1);
}

static void test_it_moves_and_says(UNUSED void **state)
{
	spawn(5, 1, "");
	move(5, 3);
	say("meadow", 5, "12345678901234567890123456789012");
	assert_at(5, 3);
	assert_says(0, 5, WORLD_OTHER, "12345678901234567890123456789012");
	say("meadow", 5, "");
	assert_says(0, 5, WORLD_OTHER, "");
}

static void test_who_is_taken_away_is_gone_and_its_state_too(UNUSED void **state)
{
	spawn(5, 1, "oak");
	despawn(5);
	assert_false(is_there(0, 5, WORLD_OTHER));
	assert_true(replication_fixture_is_sound(replica_of(0)));
	despawn(5);
	expect_refused(5, 3);
	move(5, 1);
	expect_refused(5, 3);
	say("meadow", 5, "oak");
	expect_refused(5, 3);
	assert_int_equal(refused(PG_ORDER_REFUSED_NO_ENTITY), 3);
	spawn(5, 2, "");
	assert_says(0, 5, WORLD_OTHER, "");
}

static void test_a_world_has_as_many_as_it_says(UNUSED void **state)
{
	for (uint32_t entity = 1; entity <= ENTITIES + 1; entity++)
		spawn(entity, 1, "x");
	expect_refused(ENTITIES + 1, 1);
	assert_int_equal(refused(PG_ORDER_REFUSED_ENTITIES), 1);
	assert_int_equal(worlds->all[0], ENTITIES);
	despawn(3);
	spawn(ENTITIES + 1, 1, "x");
	assert_int_equal(replica_of(0)->counts->entities, ENTITIES);
}

static void test_what_cannot_be_is_refused(UNUSED void **state)
{
	struct game_spawn far = spawn_of(1, 1e9F, ""), nowhere = spawn_of(2, NAN, ""), wordy = spawn_of(3, 1, "");
	struct game_state long_state = {.entity = 4, .length = GAME_STATE_MAX + 1};

	wordy.length = GAME_STATE_MAX + 1;
	order(GAME_SPAWN, "meadow", &far, sizeof(far));
	expect_refused(1, 4);
	order(GAME_SPAWN, "meadow", &nowhere, sizeof(nowhere));
	expect_refused(2, 4);
	order(GAME_SPAWN, "meadow", &wordy, sizeof(wordy));
	expect_refused(3, 5);
	spawn(4, 1, "four");
	order(GAME_STATE, "meadow", &long_state, sizeof(long_state));
	expect_refused(4, 5);
	long_state.length = UINT8_MAX;
	order(GAME_STATE, "", &long_state, sizeof(long_state));
	expect_refused(4, 5);
	assert_int_equal(refused(PG_ORDER_REFUSED_BODY), 5);
	assert_says(0, 4, WORLD_OTHER, "four");
	assert_int_equal(replica_of(0)->counts->entities, 1);
}

static void test_records_of_another_length_are_refused(UNUSED void **state)
{
	static const struct game_spawn many[8];

	order(GAME_SPAWN, "meadow", many, sizeof(many[0]) - 1);
	order(GAME_STATE, "meadow", many, sizeof(struct game_state) + 1);
	order(GAME_MOVE_ENTITIES, "meadow", many, 1);
	order(GAME_DESPAWN, "meadow", many, 3);
	game_fixture_order(fixture, GAME_STATE, many, sizeof(struct game_entities) - 1);
	game_fixture_turn(fixture);
	assert_int_equal(refused(PG_ORDER_REFUSED_LENGTH), 5);
	order(GAME_DESPAWN, "meadow", many, (GAME_ENTITIES_MAX + 1) * sizeof(uint32_t));
	assert_int_equal(refused(PG_ORDER_REFUSED_RECEIVERS), 1);
	order(GAME_SPAWN, "meadow", many, 0);
	assert_int_equal(replica_of(0)->counts->entities, 0);
}

static void test_a_world_that_there_is_not(UNUSED void **state)
{
	const struct game_spawn one = spawn_of(1, 1, "");

	order(GAME_SPAWN, "moon", &one, sizeof(one));
	order(GAME_SPAWN, "", &one, sizeof(one)); // only players are in no world that is said
	order(GAME_STATE, "moon", &one, sizeof(struct game_state));
	assert_int_equal(refused(PG_ORDER_REFUSED_NO_WORLD), 3);
}

static void test_they_go_when_their_process_is_gone(UNUSED void **state)
{
	spawn(5, 1, "oak");
	spawn(6, 2, "elm");
	game_fixture_leave(fixture);
	game_fixture_follow(fixture);
	for (unsigned i = 0; fixture->game->disowned != 0; i++) {
		assert_true(i < FIXTURE_WORLDS);
		entities_end_some(fixture->game); // in a task of its own
	}
	assert_false(is_there(0, 5, WORLD_OTHER));
	assert_int_equal(replica_of(0)->counts->entities, 0);
	assert_int_equal(worlds->all[0], 0);
}

/// Ranks are others again and again, and numbers come round.
static void test_each_is_found_after_re_ranks(UNUSED void **state)
{
	uint64_t random = 1;

	for (uint32_t i = 0; i < MANY; i++)
		spawn(i + 1, (float)i, "s");
	for (unsigned i = 0; i < 2000; i++) {
		random = random * 6364136223846793005 + 1442695040888963407;

		const uint32_t entity = (uint32_t)(random >> 33) % MANY + 1;

		despawn(entity);
		spawn(entity, (float)(i % 500), "t");
		say("meadow", entity, i % 2 != 0 ? "odd" : "even");
		assert_at(entity, i % 500);
		assert_says(0, entity, WORLD_OTHER, i % 2 != 0 ? "odd" : "even");
	}
	assert_int_equal(replica_of(0)->counts->entities, MANY);
	assert_true(replica_of(0)->numbers.never == FIXTURE_NUMBERS); // some were given again
	while (game_fixture_read(fixture) >= 0)
		;
}

// ---------------------------------------------------------------- players

static void test_a_players_state_goes_with_it_from_world_to_world(UNUSED void **state)
{
	game_fixture_connect(fixture, 0);
	say("", 1, "crowned"); // it is nowhere yet
	enter(1, "meadow", 5);
	assert_says(0, 1, WORLD_PLAYER, "crowned");
	enter(1, "cave", 6);
	assert_false(is_there(0, 1, WORLD_PLAYER));
	assert_says(1, 1, WORLD_PLAYER, "crowned");
	say("", 1, "deposed");
	assert_says(1, 1, WORLD_PLAYER, "deposed");
	assert_true(replication_fixture_is_sound(replica_of(0)));
	assert_int_equal(replica_of(1)->counts->arrivals, 1);
}

static void test_a_players_state_ends_with_the_connection(UNUSED void **state)
{
	game_fixture_connect(fixture, 0);
	enter(1, "meadow", 5);
	say("", 1, "crowned");
	connection_close(fixture->sessions->shard[0], fixture_slot(fixture->sessions, &fixture->player[0]),
			 SESSION_CLOSED_IDLE, fixture->sessions->now);
	game_fixture_turn(fixture);
	assert_false(is_there(0, 1, WORLD_PLAYER));
	assert_true(replication_fixture_is_sound(replica_of(0)));
	fixture->player[0] = fixture_issue(fixture->sessions, 1, 1000, false);
	game_fixture_connect(fixture, 0);
	enter(1, "meadow", 5);
	assert_says(0, 1, WORLD_PLAYER, "");
}

static void test_a_player_who_is_not_here_has_none(UNUSED void **state)
{
	say("", 7, "nobody");
	expect_refused(7, 6);
	assert_int_equal(refused(PG_ORDER_REFUSED_NO_PLAYER), 1);
}

static void test_a_player_and_an_entity_of_one_number_are_two(UNUSED void **state)
{
	game_fixture_connect(fixture, 0);
	enter(1, "meadow", 5);
	spawn(1, 9, "entity");
	say("", 1, "player");
	assert_says(0, 1, WORLD_OTHER, "entity");
	assert_says(0, 1, WORLD_PLAYER, "player");
}

// ---------------------------------------------------------------- another worker

/// It reads what the other one had published, and what was said of those.
static void test_another_worker_reads_them(UNUSED void **state)
{
	const struct entity_owner owner = {0, 1};
	const struct motion here = {{1, 2, 3}, {0, 0, 0}};
	struct game_fixture *game = game_fixture_open();
	struct replication_fixture *two = replication_fixture_open_for(game->sessions, 2, ENTITIES);
	struct replica *replica = &two->of[0]->replica[0];
	const struct world_parts *parts = two->of[1]->replica[0].parts;
	struct world_game_said said;
	uint32_t rank;

	assert_int_equal(entity_spawn(replica, owner, 77, &here, game->sessions->now), ENTITY_DONE);
	assert_int_equal(replication_fixture_find(parts->part[0], 77, WORLD_OTHER), WORLD_NOBODY);
	replication_fixture_tick(two, true);
	rank = replication_fixture_find(parts->part[0], 77, WORLD_OTHER);
	assert_int_not_equal(rank, WORLD_NOBODY);
	assert_int_equal(parts->part[0]->stated, 0);
	for (unsigned i = 1; i <= 3; i++) {
		const uint8_t bytes[4] = {(uint8_t)i, 7, 7, 7};

		assert_int_equal(entity_say(replica, owner, 77, bytes, sizeof(bytes)), ENTITY_DONE);
		assert_int_equal(parts->part[0]->stated, i - 1); // until it reads again
		replication_fixture_tick(two, true);
		assert_int_equal(parts->part[0]->stated, i);
		assert_true(world_game_state_read(parts->part[0], parts->part[0]->number[rank], 77, &said));
		assert_int_equal(said.length, sizeof(bytes));
		assert_memory_equal(said.word, bytes, sizeof(bytes));
	}
	assert_int_equal(entity_say(replica, (struct entity_owner){0, 2}, 77, (const uint8_t *)"", 0), ENTITY_NONE);
	assert_int_equal(entity_despawn(replica, owner, 77), ENTITY_DONE);
	replication_fixture_tick(two, true);
	assert_int_equal(replication_fixture_find(parts->part[0], 77, WORLD_OTHER), WORLD_NOBODY);
	assert_int_equal(two->all[0], 0);
	replication_fixture_close(two);
	game_fixture_close(game);
}

/// The identity is unique in the world, and the number of entities is of all workers.
static void test_workers_share_the_room_for_entities(UNUSED void **state)
{
	const struct entity_owner owner = {0, 1};
	const struct motion here = {{1, 2, 3}, {0, 0, 0}};
	struct game_fixture *game = game_fixture_open();
	struct replication_fixture *two = replication_fixture_open_for(game->sessions, 2, ENTITIES);
	struct replica *of[] = {&two->of[0]->replica[0], &two->of[1]->replica[0]};

	for (uint32_t i = 0; i < ENTITIES; i++)
		assert_int_equal(entity_spawn(of[i % 2], owner, i + 1, &here, game->sessions->now), ENTITY_DONE);
	assert_int_equal(entity_spawn(of[0], owner, 100, &here, game->sessions->now), ENTITY_FULL);
	assert_int_equal(entity_spawn(of[1], owner, 100, &here, game->sessions->now), ENTITY_FULL);
	assert_int_equal(entity_despawn(of[1], owner, 2), ENTITY_DONE);
	assert_int_equal(entity_spawn(of[0], owner, 100, &here, game->sessions->now), ENTITY_DONE);
	assert_true(replication_fixture_is_sound(of[0]) && replication_fixture_is_sound(of[1]));
	replication_fixture_close(two);
	game_fixture_close(game);
}

#define WITH(open, test) cmocka_unit_test_setup_teardown(test, open, close_worlds)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(open_few, test_what_is_spawned_is_there_with_its_state),
		WITH(open_few, test_what_is_spawned_again_is_put_there),
		WITH(open_few, test_it_moves_and_says),
		WITH(open_few, test_who_is_taken_away_is_gone_and_its_state_too),
		WITH(open_few, test_a_world_has_as_many_as_it_says),
		WITH(open_few, test_what_cannot_be_is_refused),
		WITH(open_few, test_records_of_another_length_are_refused),
		WITH(open_few, test_a_world_that_there_is_not),
		WITH(open_few, test_they_go_when_their_process_is_gone),
		WITH(open_many, test_each_is_found_after_re_ranks),
		WITH(open_few, test_a_players_state_goes_with_it_from_world_to_world),
		WITH(open_few, test_a_players_state_ends_with_the_connection),
		WITH(open_few, test_a_player_who_is_not_here_has_none),
		WITH(open_few, test_a_player_and_an_entity_of_one_number_are_two),
		cmocka_unit_test(test_another_worker_reads_them),
		cmocka_unit_test(test_workers_share_the_room_for_entities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

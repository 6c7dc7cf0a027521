// SPDX-License-Identifier: BSD-3-Clause
// test_game_searches.c: what a game process asks about who was where: each question is answered, or refused, once.

#include "game_fixture.h"

#include <math.h>
#include <string.h>

#include "replication_fixture.h"

#define PEOPLE 20 // player n + 1 walks along y, n metres east of the origin, half a metre in each tick

static struct game_fixture *fixture;
static struct replication_fixture *world;

static uint32_t slot_of(unsigned player)
{
	return fixture_slot(fixture->sessions, &fixture->player[player]);
}

static void go_on(void)
{
	for (unsigned player = 0; player < PEOPLE; player++)
		replication_fixture_move(world, slot_of(player), (float)player,
					 (float)(world->replica->tick - 1000) / 2);
	replication_fixture_tick(world, false);
}

static int open_fixture(void **state UNUSED)
{
	fixture = game_fixture_open();
	world = replication_fixture_open(fixture->sessions);
	game_fixture_attach(fixture, false);
	for (unsigned player = 0; player < PEOPLE; player++) {
		game_fixture_connect(fixture, player);
		replication_fixture_enter(world, slot_of(player), (float)player, 0);
	}
	for (unsigned i = 0; i < 40; i++)
		go_on();
	game_fixture_turn(fixture);
	while (game_fixture_read(fixture) >= 0)
		;
	return 0;
}

static int close_fixture(void **state UNUSED)
{
	replication_fixture_close(world);
	game_fixture_close(fixture);
	return 0;
}

static const struct pg_process_counts *counts(void)
{
	return &fixture->game->counts[0];
}

static uint64_t searched(void)
{
	uint64_t searched = 0;

	for (unsigned i = 0; i < PG_WORLD_SEARCHES; i++)
		searched += world->replica->counts->searches[i];
	return searched;
}

static struct game_search sphere(float x, float y, float radius)
{
	return (struct game_search){.world = "meadow",
				    .cookie = 99,
				    .kind = GAME_SEARCH_SPHERE,
				    .flags = GAME_SEARCH_NOW | GAME_SEARCH_PLAYERS | GAME_SEARCH_ENTITIES,
				    .most = 5,
				    .position = {x, y, 0},
				    .reach = radius};
}

static void say(const struct game_search *search)
{
	game_fixture_order(fixture, GAME_SEARCH, search, sizeof(*search));
}

/// @param item  out: room for 40
static struct game_found ask(const struct game_search *search, struct game_found_one *item)
{
	struct game_found found;

	say(search);
	do
		game_fixture_turn(fixture);
	while (fixture->link->searching.unfinished);
	game_expect(fixture, GAME_FOUND);
	memcpy(&found, fixture->record, sizeof(found));
	assert_int_equal(fixture->length, sizeof(found) + found.count * sizeof(*item));
	memcpy(item, (const uint8_t *)fixture->record + sizeof(found), found.count * sizeof(*item));
	return found;
}

static uint32_t newest(void)
{
	return world_published(world->replica->part);
}

/// Where everybody was along y at the frame of a tick, as moves of a tick are in the next frame.
static float y_at(uint32_t tick)
{
	return (float)(tick - 1001) / 2;
}

static void the_nearest_in_a_sphere_are_told_first(void **state UNUSED)
{
	struct game_found_one item[40];
	struct game_search search = sphere(7, y_at(newest()), 3);
	struct game_found found = ask(&search, item);

	assert_int_equal(found.cookie, 99);
	assert_int_equal(found.became, GAME_FOUND_ANSWERED);
	assert_int_equal(found.tick, newest());
	assert_int_equal(found.newest, newest());
	assert_int_equal(found.total, 7);
	assert_int_equal(found.count, 5);
	assert_int_equal(item[0].identity, 8);
	assert_true(item[0].distance == 0);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(fabsf(item[i].position[1] - y_at(newest())) < 1e-4F);
		assert_true(fabsf(item[i].position[0] - (float)(item[i].identity - 1)) < 1e-4F);
		assert_true(fabsf(item[i].distance - fabsf(item[i].position[0] - 7)) < 1e-4F);
		assert_int_equal(item[i].sort, 0);
	}
	assert_true(item[1].distance == 1 && item[2].distance == 1 && item[3].distance == 2);
	search.except = 8;
	search.most = 40;
	found = ask(&search, item);
	assert_int_equal(found.count, 6);
	search.flags = GAME_SEARCH_NOW | GAME_SEARCH_ENTITIES;
	found = ask(&search, item);
	assert_int_equal(found.count, 0);
	assert_int_equal(world->replica->counts->searches[PG_WORLD_SEARCH_ANSWERED], 3);
	assert_int_equal(counts()->orders, 3);
}

static void at_another_tick_everybody_is_where_they_were_then(void **state UNUSED)
{
	struct game_found_one item[40];

	for (uint32_t back = 0; back < 12; back++)
		for (uint32_t parts = 0; parts < 256; parts += 64) {
			struct game_search search = sphere(7, 0, 30);
			struct game_found found;

			search.flags &= (uint8_t)~GAME_SEARCH_NOW;
			search.tick = newest() - back - 1;
			search.parts = (uint8_t)parts;
			found = ask(&search, item);
			assert_int_equal(found.became, GAME_FOUND_ANSWERED);
			assert_int_equal(found.tick, search.tick);
			assert_int_equal(found.parts, parts);
			assert_true(fabsf(item[0].position[1] - y_at(search.tick) - (float)parts / 512) < 0.0051F);
		}
}

static void a_ray_tells_whoever_is_in_its_way(void **state UNUSED)
{
	struct game_found_one item[40];
	struct game_search search = sphere(-2, y_at(newest()), 6.5F);
	struct game_found found;

	search.kind = GAME_SEARCH_RAY;
	search.direction[0] = 4;
	search.position[2] = 1;
	search.most = 40;
	found = ask(&search, item);
	assert_int_equal(found.became, GAME_FOUND_ANSWERED);
	assert_int_equal(found.count, 5);
	for (unsigned i = 0; i < found.count; i++) {
		assert_int_equal(item[i].identity, i + 1);
		assert_true(fabsf(item[i].distance - 1.7F - (float)i) < 0.0101F);
	}
	search.flags &= (uint8_t)~GAME_SEARCH_NOW;
	search.tick = newest() - 1; // half a metre back: nobody was in the way
	found = ask(&search, item);
	assert_int_equal(found.count, 0);
	search.tick = newest() + 5;
	found = ask(&search, item);
	assert_int_equal(found.became, GAME_FOUND_CLAMPED);
	assert_int_equal(found.tick, newest());
	assert_int_equal(found.count, 5);
	search.tick = newest() - 100;
	found = ask(&search, item);
	assert_int_equal(found.became, GAME_FOUND_TOO_OLD);
	assert_int_equal(found.count, 0);
	assert_int_equal(found.newest, newest());
	assert_int_equal(searched(), 4);
}

static void where_nobody_fights_there_is_no_past(void **state UNUSED)
{
	struct game_found_one item[40];
	struct game_search search = sphere(7, y_at(newest()), 3);

	world->plan[0].combat.judged = 0;
	assert_int_equal(ask(&search, item).became, GAME_FOUND_ANSWERED);
	search.flags &= (uint8_t)~GAME_SEARCH_NOW;
	assert_int_equal(ask(&search, item).became, GAME_FOUND_NO_COMBAT);
	search.flags |= GAME_SEARCH_NOW;
	search.kind = GAME_SEARCH_RAY;
	search.direction[0] = 1;
	assert_int_equal(ask(&search, item).became, GAME_FOUND_NO_COMBAT);
	assert_int_equal(world->replica->counts->searches[PG_WORLD_SEARCH_NO_COMBAT], 2);
}

static void refuses(const struct game_search *search, uint32_t length, enum pg_order_refusal why)
{
	const uint64_t before = counts()->refused[why];

	game_fixture_order(fixture, GAME_SEARCH, search, length);
	game_fixture_turn(fixture);
	assert_int_equal(counts()->refused[why], before + 1);
}

static void what_is_no_question_is_refused(void **state UNUSED)
{
	const struct game_search right = sphere(7, 0, 3);
	struct game_search wrong[12];
	struct game_search nowhere = right, many = right;

	for (unsigned i = 0; i < COUNT(wrong); i++)
		wrong[i] = right;
	wrong[0].kind = 0;
	wrong[1].kind = 3;
	wrong[2].flags = 8;
	wrong[3].most = 0;
	wrong[4].position[0] = 1001;
	wrong[5].position[1] = NAN;
	wrong[6].position[2] = -INFINITY;
	wrong[7].reach = -1;
	wrong[8].reach = NAN;
	wrong[9].reach = 30000;           // 3 million quanta
	wrong[10].kind = GAME_SEARCH_RAY; // it points nowhere
	wrong[11].kind = GAME_SEARCH_RAY;
	wrong[11].direction[0] = INFINITY;
	for (unsigned i = 0; i < COUNT(wrong); i++)
		refuses(&wrong[i], sizeof(wrong[i]), PG_ORDER_REFUSED_BODY);
	refuses(&right, sizeof(right) - 4, PG_ORDER_REFUSED_LENGTH);
	many.most = 100; // whose answers no record of this ring holds
	refuses(&many, sizeof(many), PG_ORDER_REFUSED_RECEIVERS);
	game_expect_nothing(fixture);
	memcpy(nowhere.world, "nowhere", sizeof("nowhere"));
	refuses(&nowhere, sizeof(nowhere), PG_ORDER_REFUSED_NO_WORLD);
	game_expect(fixture, GAME_FOUND);
	assert_int_equal(((const struct game_found *)(const void *)fixture->record)->became, GAME_FOUND_NO_WORLD);
	assert_int_equal(((const struct game_found *)(const void *)fixture->record)->cookie, 99);
	assert_int_equal(searched(), 0);
}

static void what_nobody_has_room_for_is_unheard(void **state UNUSED)
{
	const struct game_search search = sphere(7, y_at(newest()), 30);
	uint64_t said = 0;

	do { // nobody reads
		say(&search);
		game_fixture_turn(fixture);
		said++;
	} while (world->replica->counts->searches[PG_WORLD_SEARCH_UNHEARD] == 0 && said < 1000);
	assert_int_equal(world->replica->counts->searches[PG_WORLD_SEARCH_UNHEARD], 1);
	assert_int_equal(world->replica->counts->searches[PG_WORLD_SEARCH_ANSWERED], said - 1);
	assert_int_equal(counts()->orders, said);
}

/// A question that is not over after a turn: there are more than a step looks at.
static void begin_a_long_one(void)
{
	const struct game_search search = sphere(7, y_at(newest()), 30);
	const struct world_place place = {0};

	while (world_part_add(world->replica->part, 900, 900, WORLD_OTHER, &place, 0) != WORLD_NOBODY)
		;
	go_on();
	fixture->routes.read_budget = 0;
	say(&search);
	game_fixture_turn(fixture);
	assert_true(fixture->link->searching.unfinished);
}

static void one_that_takes_longer_goes_on_and_what_is_behind_it_waits(void **state UNUSED)
{
	const struct game_ask quality = {.player = 1, .cookie = 5};

	begin_a_long_one();
	assert_int_equal(counts()->orders, 0);
	game_fixture_order(fixture, GAME_ASK, &quality, sizeof(quality));
	fixture->routes.read_budget = UINT32_MAX;
	game_fixture_turn(fixture);
	game_expect(fixture, GAME_FOUND);
	game_expect(fixture, GAME_QUALITY);
	assert_int_equal(counts()->orders, 2);
}

static void one_whose_process_goes_is_unheard(void **state UNUSED)
{
	begin_a_long_one();
	game_give_up(fixture->game, 0, "for the test");
	assert_false(fixture->link->searching.unfinished);
	assert_int_equal(world->replica->counts->searches[PG_WORLD_SEARCH_UNHEARD], 1);
	assert_int_equal(searched(), 1);
	assert_int_equal(counts()->orders, 1);
}

#define SEARCH_TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SEARCH_TEST(the_nearest_in_a_sphere_are_told_first),
		SEARCH_TEST(at_another_tick_everybody_is_where_they_were_then),
		SEARCH_TEST(a_ray_tells_whoever_is_in_its_way),
		SEARCH_TEST(where_nobody_fights_there_is_no_past),
		SEARCH_TEST(what_is_no_question_is_refused),
		SEARCH_TEST(what_nobody_has_room_for_is_unheard),
		SEARCH_TEST(one_that_takes_longer_goes_on_and_what_is_behind_it_waits),
		SEARCH_TEST(one_whose_process_goes_is_unheard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

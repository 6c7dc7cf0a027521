// SPDX-License-Identifier: BSD-3-Clause
// test_load_players.c: what players say is what the protocol allows, in the mix that was asked for, and repeatable.

#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "load/players.h"
#include "message/plain.h"

#define PLAYERS 100
#define STEP_S 0.05F

static struct pg_load_plan plan_of(uint64_t seed)
{
	return (struct pg_load_plan){
		.players = PLAYERS,
		.first_player_id = 7000,
		.motion = PG_LOAD_WAYPOINT,
		.weight = {70, 10, 10, 5, 5},
		.chat_bytes = 37,
		.arena_m = 200,
		.seed = seed,
	};
}

/// Of players who only move.
static struct pg_load_plan plan_of_moves(uint64_t seed)
{
	struct pg_load_plan plan = plan_of(seed);

	memset(plan.weight, 0, sizeof(plan.weight));
	plan.weight[PLAIN_MOVE - 1] = 1;
	return plan;
}

static void begin(struct players *players, const struct pg_load_plan *plan)
{
	assert_true(players_open(players, plan));
	players_begin(players, plan->players, STEP_S);
}

static void every_message_is_one_that_a_gateway_accepts(void **state UNUSED)
{
	const struct pg_load_plan plan = plan_of(1);
	struct players players;

	begin(&players, &plan);
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t *out = malloc(MESSAGE_MAX);
		const struct message message = players_speak(&players, i, out);

		assert_int_equal(plain_check(out, message.length), PG_DROP_NONE);
		assert_int_equal(plain_type(out), message.type);
		assert_int_equal(plain_player(out), plan.first_player_id + message.player);
		assert_int_equal(((struct plain_header *)out)->timestamp, i);
		free(out);
	}
	players_close(&players);
}

static void the_longest_chat_fits(void **state UNUSED)
{
	struct pg_load_plan plan = plan_of(1);
	struct players players;
	uint8_t *out = malloc(MESSAGE_MAX);

	memset(plan.weight, 0, sizeof(plan.weight));
	plan.weight[PLAIN_CHAT - 1] = 1;
	plan.chat_bytes = PLAIN_CHAT_TEXT_MAX;
	begin(&players, &plan);
	for (unsigned i = 0; i < 1000; i++) {
		const struct message message = players_speak(&players, i, out);

		assert_int_equal(message.type, PLAIN_CHAT);
		assert_int_equal(message.length, MESSAGE_MAX);
		assert_int_equal(plain_check(out, message.length), PG_DROP_NONE);
	}
	free(out);
	players_close(&players);
}

static void types_come_as_often_as_their_weights_say_and_weight_zero_never(void **state UNUSED)
{
	struct pg_load_plan plan = plan_of(9);
	static const uint16_t weight[PG_LOAD_TYPES] = {0, 600, 1, 0, 299, 100};
	unsigned count[PG_LOAD_TYPES] = {0};
	struct players players;
	uint8_t out[MESSAGE_MAX];

	memcpy(plan.weight, weight, sizeof(weight));
	begin(&players, &plan);
	for (unsigned i = 0; i < 1000000; i++)
		count[players_speak(&players, i, out).type - 1]++;
	players_close(&players);
	assert_int_equal(count[PLAIN_MOVE - 1], 0);
	assert_int_equal(count[PLAIN_HEARTBEAT - 1], 0);
	assert_uint_in_range(count[PLAIN_ATTACK - 1], 595000, 605000);
	assert_uint_in_range(count[PLAIN_CHAT - 1], 800, 1200);
	assert_uint_in_range(count[PLAIN_SKILL - 1], 295000, 303000);
	assert_uint_in_range(count[PG_LOAD_GAME - 1], 97000, 103000);
}

static void everybody_speaks_once_before_anybody_speaks_twice(void **state UNUSED)
{
	const struct pg_load_plan plan = plan_of(2);
	uint32_t order[PLAYERS];
	struct players players;
	uint8_t out[MESSAGE_MAX];
	unsigned in_place = 0;

	begin(&players, &plan);
	for (unsigned round = 0; round < 5; round++) {
		bool spoke[PLAYERS] = {false};

		for (unsigned i = 0; i < PLAYERS; i++) {
			const uint32_t player = players_speak(&players, 0, out).player;

			assert_uint_in_range(player, 0, PLAYERS - 1);
			assert_false(spoke[player]);
			spoke[player] = true;
			if (round == 0)
				order[i] = player;
			assert_int_equal(order[i], player); // evenly: always as far apart
			in_place += player == i;
		}
	}
	players_close(&players);
	assert_uint_in_range(in_place, 0, 5 * PLAYERS / 10); // shuffled
}

static void the_same_seed_says_the_same_and_another_something_else(void **state UNUSED)
{
	const struct pg_load_plan plan = plan_of(3), other_plan = plan_of(4);
	struct players a, b, other;
	unsigned different = 0;

	begin(&a, &plan);
	begin(&b, &plan);
	begin(&other, &other_plan);
	for (unsigned trial = 0; trial < 2; trial++) {
		for (unsigned i = 0; i < 5000; i++) {
			uint8_t x[MESSAGE_MAX] = {0}, y[MESSAGE_MAX] = {0}, z[MESSAGE_MAX] = {0};

			players_speak(&a, i, x);
			players_speak(&b, i, y);
			players_speak(&other, i, z);
			assert_memory_equal(x, y, sizeof(x));
			different += memcmp(x, z, sizeof(x)) != 0;
		}
		players_begin(&a, PLAYERS, STEP_S); // a trial begins again, whatever was before
		players_close(&b);
		begin(&b, &plan);
	}
	assert_uint_in_range(different, 9000, 10000);
	players_close(&a);
	players_close(&b);
	players_close(&other);
}

static void players_walk_at_the_speed_that_they_tell_and_stay_in_the_arena(void **state UNUSED)
{
	struct pg_load_plan plan = plan_of_moves(5);
	float last[PLAYERS][2];
	struct players players;
	uint8_t out[MESSAGE_MAX];

	for (unsigned motion = PG_LOAD_WAYPOINT; motion <= PG_LOAD_CROWD; motion++) {
		plan.motion = (uint8_t)motion;
		begin(&players, &plan);
		for (unsigned i = 0; i < 2000 * PLAYERS; i++) {
			const struct message m = players_speak(&players, 0, out);
			const struct motion *motion = &((struct plain_move *)out)->motion;

			for (unsigned axis = 0; axis < 2; axis++) {
				const float at = motion->position[axis], v = motion->velocity[axis];

				assert_true(at > -0.01F && at < plan.arena_m + 0.01F);
				if (i >= PLAYERS)
					assert_true(fabsf(at - last[m.player][axis] - v * STEP_S) < 0.001F);
				last[m.player][axis] = at;
			}
			assert_true(hypotf(motion->velocity[0], motion->velocity[1]) < 6.01F);
		}
		players_close(&players);
	}
}

/// Mean distance of a player's next neighbour.
static float loneliness(enum pg_load_motion motion)
{
	struct pg_load_plan plan = plan_of_moves(6);
	float sum = 0;
	struct players players;
	uint8_t out[MESSAGE_MAX];

	plan.motion = (uint8_t)motion;
	begin(&players, &plan);
	for (unsigned i = 0; i < 5000 * PLAYERS; i++)
		players_speak(&players, 0, out);
	for (unsigned i = 0; i < PLAYERS; i++) {
		const float *a = players.walker[i].position;
		float nearest = plan.arena_m;

		for (unsigned j = 0; j < PLAYERS; j++) {
			const float *b = players.walker[j].position;

			if (i != j)
				nearest = fminf(nearest, hypotf(a[0] - b[0], a[1] - b[1]));
		}
		sum += nearest;
	}
	players_close(&players);
	return sum / PLAYERS;
}

static void a_crowd_stands_closer_than_wanderers(void **state UNUSED)
{
	assert_true(loneliness(PG_LOAD_CROWD) < 0.7F * loneliness(PG_LOAD_WAYPOINT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_is_one_that_a_gateway_accepts),
		cmocka_unit_test(the_longest_chat_fits),
		cmocka_unit_test(types_come_as_often_as_their_weights_say_and_weight_zero_never),
		cmocka_unit_test(everybody_speaks_once_before_anybody_speaks_twice),
		cmocka_unit_test(the_same_seed_says_the_same_and_another_something_else),
		cmocka_unit_test(players_walk_at_the_speed_that_they_tell_and_stay_in_the_arena),
		cmocka_unit_test(a_crowd_stands_closer_than_wanderers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

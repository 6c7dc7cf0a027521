// SPDX-License-Identifier: BSD-3-Clause
// test_delivery_game.c: the game's own types of messages, which nobody else looks into: all of them, both ways, as one type.

#include "unit.h"

#include <string.h>

#include "message/session_check.h"
#include "receiver.h"

static void test_every_type_of_the_games_own_is_delivered_either_way_whatever_is_in_it(UNUSED void **state)
{
	for (unsigned type = 64; type <= 199; type++) {
		for (unsigned way = 0; way < 2; way++) {
			got.n = 0;
			put((struct talk_raw){.type = (uint8_t)type, .body = zeros, .length = type - 64});
			assert_int_equal(take(way == 0 ? &ingress : &player), TAKEN);
			assert_int_equal(got.n, 1);
			assert_int_equal(got.type[0], type);
			assert_int_equal(got.length[0], type - 64);
		}
	}
	assert_int_equal(ingress.stats.received[PG_REQUEST_GAME], 136);
}

static void test_none_of_the_games_own_is_compressed(UNUSED void **state)
{
	for (unsigned type = 64; type <= 199; type++) {
		assert_int_equal(session_compressible((uint8_t)type), PG_COMPRESSIBLE);
		assert_int_equal(session_request((uint8_t)type), PG_REQUEST_GAME);
		assert_int_equal(session_event((uint8_t)type), PG_EVENT_GAME);
	}
	assert_false(session_is_game(63) || session_is_game(200));
}

static struct talk_raw game(uint8_t type, uint16_t id)
{
	return (struct talk_raw){.type = type, .flags = SESSION_MESSAGE_RELIABLE, .id = id, .body = zeros, .length = 4};
}

/// In pieces, of which only the whole is looked at.
static void test_a_long_one_comes_in_pieces_and_costs_one_for_each_1400_bytes(UNUSED void **state)
{
	const uint16_t count = 144;

	ingress.rules.message_rate[PG_REQUEST_GAME] = rate_make(1, 48, TALK_HZ);
	for (uint16_t i = 0; i < count; i++) {
		uint8_t piece[sizeof(struct session_fragment) + SESSION_PIECE] = {0};
		const struct session_fragment fragment = {.index = i, .count = count};
		const uint32_t length = i + 1 < count ? SESSION_PIECE : 42;

		memcpy(piece, &fragment, sizeof(fragment));
		put((struct talk_raw){.type = 150,
				      .flags = SESSION_MESSAGE_RELIABLE | SESSION_MESSAGE_FRAGMENT,
				      .id = i,
				      .body = piece,
				      .length = (uint32_t)sizeof(fragment) + length});
		assert_int_equal(take(&ingress), TAKEN);
	}
	assert_int_equal(got.n, 1);
	assert_int_equal(got.type[0], 150);
	assert_int_equal(got.length[0], SESSION_MESSAGE_MAX);
	put(game(64, count)); // 47 of 48 are gone
	assert_int_equal(take(&ingress), TAKEN);
	put(game(64, count + 1));
	assert_int_equal(take(&ingress), REFUSED);
}

static void test_all_types_of_the_games_own_share_one_limit(UNUSED void **state)
{
	ingress.rules.message_rate[PG_REQUEST_GAME] = rate_make(1, 3, TALK_HZ);
	put(game(64, 0));
	put(game(130, 1));
	put(game(199, 2));
	assert_int_equal(take(&ingress), TAKEN);
	put(game(77, 3));
	assert_int_equal(take(&ingress), REFUSED);
	assert_int_equal(ingress.c.busy.reason, PG_REFUSED_RATE);
	assert_int_equal(ingress.c.busy.type, 77);
	put((struct talk_raw){.type = SESSION_SKILL, .body = zeros, .length = 8}); // which has another
	assert_int_equal(take(&ingress), TAKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ends_test(test_every_type_of_the_games_own_is_delivered_either_way_whatever_is_in_it),
		ends_test(test_none_of_the_games_own_is_compressed),
		ends_test(test_a_long_one_comes_in_pieces_and_costs_one_for_each_1400_bytes),
		ends_test(test_all_types_of_the_games_own_share_one_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

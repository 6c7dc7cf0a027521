// SPDX-License-Identifier: BSD-3-Clause
// test_game_deaths.c: workers that die again and again while a process reads: each message comes once, in its order, or in a gap.

#include "gateway.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define MESSAGES 30000U

static struct gateway gateway;

/// A message of the next number; of a length that follows from it, so that all places of a ring are its end at some time.
static bool say_number(uint32_t number)
{
	struct ring_writer *writer = &gateway.process[0].worker[0].writer;
	const uint32_t length = (uint32_t)(sizeof(struct game_message) + 4 + number * 2654435761U % 200);
	struct game_message *said;
	void *body;

	if (ring_reserve(writer, length, GAME_MESSAGE, &body) != RING_OK)
		return false;
	said = body;
	*said = (struct game_message){.player = 7, .type = 64};
	memcpy(said->body, &number, sizeof(number));
	return true;
}

/// Up to three are begun and not committed when it dies; the next worker does not say them again.
static uint32_t die(uint32_t number)
{
	const uint32_t begun = number % 4;
	uint32_t i = 0;

	while (i < begun && say_number(number + i))
		i++;
	gateway_replace_worker(&gateway, 0, 0);
	return number + i;
}

static void *live_and_die(void *unused UNUSED)
{
	for (uint32_t number = 0; number < MESSAGES;) {
		const uint32_t from = number;

		for (uint32_t i = 0; i <= from % 5 && number < MESSAGES && say_number(number); i++)
			number++;
		gateway_commit(&gateway, 0);
		if (number == from)
			sched_yield();
		else if (number % 500 < 3)
			number = die(number);
	}
	return NULL;
}

/// @return the number that is expected next
static uint32_t follow(const struct pgg_event *event, uint32_t expected)
{
	uint32_t number;

	if (event->type == PGG_GAP)
		return expected + event->as.gap.messages;
	assert_int_equal(event->type, PGG_MESSAGE);
	memcpy(&number, event->as.message.body, sizeof(number));
	assert_int_equal(number, expected);
	return expected + 1;
}

static void every_message_comes_once_or_is_in_a_gap(void **state UNUSED)
{
	struct pgg_statistics statistics;
	struct pgg_event event[40];
	pthread_t worker;
	uint32_t expected = 0;
	pgg *game;

	gateway_start(&gateway, 1);
	game = gateway_attach(&gateway, "arena");
	assert_int_equal(pthread_create(&worker, NULL, live_and_die, NULL), 0);
	while (expected < MESSAGES) {
		int n;

		assert_true(pgg_wait(game, 60000) >= 0);
		n = pgg_poll(game, event, 1 + (int)(expected % COUNT(event)));
		assert_true(n >= 0);
		for (int i = 0; i < n; i++)
			expected = follow(&event[i], expected);
	}
	pthread_join(worker, NULL);
	pgg_read_statistics(game, &statistics);
	assert_true(statistics.missing > 0);
	pgg_close(game);
	gateway_stop(&gateway);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_comes_once_or_is_in_a_gap),
	};

	return cmocka_run_group_tests_name("game_deaths", tests, NULL, NULL);
}

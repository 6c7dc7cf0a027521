// SPDX-License-Identifier: BSD-3-Clause
// test_acknowledged.c: who listens is told of each of our datagrams that the peer has, once, whatever becomes of the headers
// that say so: against a set of all that were ever named, and in a delivery over a network that loses, doubles and
// reorders.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "talk.h"
#include "told.h"

#define T 1000000ULL

// ---------------------------------------------------------------- the numbers

static void what_was_not_sent_says_nothing(void **state UNUSED)
{
	static const uint32_t sent[] = {1, 2, 33, INT32_MAX, UINT32_MAX - 1, UINT32_MAX};

	for (size_t i = 0; i < COUNT(sent); i++) {
		for (uint32_t behind = 0; behind < 100 && behind < sent[i]; behind++)
			assert_true(acknowledged_says(sent[i], sent[i] - behind));
		assert_true(acknowledged_says(sent[i], 1));
		assert_false(acknowledged_says(sent[i], sent[i] + 1)); // of the last: 0
		assert_true(sent[i] == UINT32_MAX || !acknowledged_says(sent[i], UINT32_MAX));
		assert_false(acknowledged_says(sent[i], 0)); // none was taken
	}
	assert_false(acknowledged_says(0, 0));
	assert_false(acknowledged_says(0, 1));
}

/// As a division says it.
static uint16_t delay_by_division(uint64_t since, uint64_t hz)
{
	const unsigned __int128 units = (unsigned __int128)since * SESSION_ACK_DELAY_HZ / hz;

	return units < SESSION_ACK_DELAY_UNKNOWN ? (uint16_t)units : SESSION_ACK_DELAY_UNKNOWN;
}

static void check_delay(const struct delay_clock *clock, uint64_t since, uint64_t hz)
{
	if (taken_delay(since, clock) != delay_by_division(since, hz))
		fail_msg("%lu cycles of %lu Hz: %u", since, hz, taken_delay(since, clock));
}

static void delay_is_what_a_division_says(void **state UNUSED)
{
	static const uint64_t clock_hz[] = {
		SESSION_ACK_DELAY_HZ + 1,
		SESSION_ACK_DELAY_HZ * 2,
		1000000,
		1000000000,
		SESSION_ACK_DELAY_HZ << 16,
		(SESSION_ACK_DELAY_HZ << 16) + 1,
		1999999973,
		2095078000,
		3000000000,
		4999999999,
		(1ULL << 46) - 1,
	};

	for (size_t i = 0; i < COUNT(clock_hz); i++) {
		const uint64_t hz = clock_hz[i];
		const struct delay_clock clock = delay_clock_of(hz);

		for (uint64_t units = 1; units <= SESSION_ACK_DELAY_UNKNOWN + 2; units++) {
			const uint64_t at = (units * hz + SESSION_ACK_DELAY_HZ - 1) / SESSION_ACK_DELAY_HZ;

			check_delay(&clock, at - 1, hz);
			check_delay(&clock, at, hz);
		}
		check_delay(&clock, 0, hz);
		check_delay(&clock, UINT64_MAX, hz);
	}
}

enum { STEPS = 4000, SPAN = STEPS * 8 + 64 };

/// Of a header that names `named` and, by bits, those before it: what is new is what was never named.
static void check_step(struct arrived arrived, uint64_t base, uint64_t named, uint32_t bits, uint8_t has[SPAN])
{
	for (unsigned n = 0; n < 64 && named - n > base; n++) {
		const uint64_t counter = named - n;
		const bool said = n == 0 || (n <= 32 && bits >> (n - 1) & 1);
		const bool is = arrived.packets >> n & 1;

		if (is != (said && !has[counter - base]))
			fail_msg("%lu of %lu: %d", counter, named, is);
		has[counter - base] |= is;
	}
}

/// Headers that name what they like of the last 64, from `base` on. Of those up to it nobody remembers anything.
static void walk(uint64_t base, uint64_t seed)
{
	struct acknowledged a = {.newest = (uint32_t)base};
	uint8_t *has = calloc(SPAN, 1);
	uint64_t newest = base;

	assert_non_null(has);
	for (unsigned i = 0; i < STEPS; i++) {
		const uint64_t step = random_below(&seed, 50) == 0 ? random_below(&seed, 100) : random_below(&seed, 4);
		const uint64_t back = random_below(&seed, 31);
		const bool onward = random_below(&seed, 3) != 0 || newest <= back;
		const uint64_t named = onward ? newest + step : newest - back;
		const uint32_t bits = (uint32_t)talk_random(&seed);

		if (named == 0 || named - base >= STEPS * 8)
			continue;
		check_step(acknowledged_take(&a, (uint32_t)named, bits), base, named, bits, has);
		newest = named > newest ? named : newest;
		assert_int_equal(a.newest, newest);
	}
	free(has);
}

static void each_that_is_named_is_new_once(void **state UNUSED)
{
	for (uint64_t seed = 1; seed < 20; seed++) {
		walk(0, seed);
		walk(INT32_MAX - 100, seed);
		walk(UINT32_MAX - SPAN, seed);
	}
}

static void what_is_named_first_when_64_later_ones_are_is_told_to_nobody(void **state UNUSED)
{
	struct acknowledged a = {0};

	assert_int_equal(acknowledged_take(&a, 70, 0).packets, 1);
	assert_int_equal(acknowledged_take(&a, 7, 0).packets, 1); // 63 before it
	assert_int_equal(acknowledged_take(&a, 6, UINT32_MAX).packets, 0);
	assert_int_equal(acknowledged_take(&a, 38, UINT32_MAX).packets, (1ULL << 31) - 1); // to 8, of which 7 is told
}

static void no_counter_before_the_first_is_told(void **state UNUSED)
{
	struct acknowledged a = {0};

	assert_int_equal(acknowledged_take(&a, 3, UINT32_MAX).packets, 7);
	a = (struct acknowledged){0};
	assert_int_equal(acknowledged_take(&a, 32, UINT32_MAX).packets, UINT32_MAX);
	a = (struct acknowledged){0};
	assert_int_equal(acknowledged_take(&a, 33, UINT32_MAX).packets, (1ULL << 33) - 1);
}

// ---------------------------------------------------------------- in a delivery

struct conversing {
	struct talk_end ingress, client;
	struct told_book book;
	struct acknowledged_listener listener[2];
};

static void count(void *context, uint32_t who, struct arrived arrived, uint64_t now UNUSED)
{
	assert_int_equal(who, 3);
	*(uint64_t *)context += (uint64_t)__builtin_popcountll(arrived.packets);
}

static void converse_open(struct conversing *t, uint64_t *counted, uint64_t base)
{
	memset(t, 0, sizeof(*t));
	talk_open(&t->ingress, true, 1 << 20, TALK_DATAGRAM);
	talk_open(&t->client, false, 1 << 20, TALK_DATAGRAM);
	told_open(&t->book, NULL);
	t->listener[0] = told_listener(&t->book);
	t->listener[1] = (struct acknowledged_listener){.told = count, .context = counted};
	delivery_end(&t->ingress.ctx, &t->ingress.c, PG_LOSS_CLOSED);
	t->ingress.ctx.listener = t->listener;
	t->ingress.ctx.listeners = 2;
	delivery_begin(&t->ingress.ctx, &t->ingress.c, 3, t->ingress.room);
	told_from(&t->book, 3, base);
	t->ingress.c.acknowledged = (struct acknowledged){(uint32_t)base, UINT64_MAX};
	t->ingress.counter = t->client.replay.newest = t->client.taken.newest = (uint32_t)base;
}

static void converse_close(struct conversing *t)
{
	told_close(&t->book);
	talk_close(&t->ingress);
	talk_close(&t->client);
}

/// Of the gateway's datagrams a third is lost, and of the client's, which come up to eight late and some of them twice.
static void converse(uint64_t base, bool reliable, uint64_t seed)
{
	enum { ROUNDS = 2000, LATE = 8 };
	static uint8_t had[ROUNDS + 1], named[ROUNDS + 1];
	struct talk_packet packet, late[LATE];
	struct conversing t;
	uint64_t counted = 0, all = 0;

	memset(had, 0, sizeof(had));
	memset(named, 0, sizeof(named));
	memset(late, 0, sizeof(late));
	converse_open(&t, &counted, base);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		const uint64_t now = T + round * 20 * TALK_MS;
		struct talk_packet *one = &late[random_below(&seed, LATE)];

		if (reliable && round % 5 == 0)
			talk_say(&t.ingress, (struct talk_say){.reliable = true, .body = "x", .length = 1}, now);
		talk_fill(&t.ingress, &packet, now);
		if (random_below(&seed, 3) != 0)
			had[packet.counter - base] = talk_take(&t.client, &packet, now);
		if (one->counter != 0 && random_below(&seed, 3) != 0 && talk_take(&t.ingress, one, now) &&
		    one->prefix.ack > base) {
			for (unsigned n = 0; n <= 32 && n < one->prefix.ack - base; n++)
				named[one->prefix.ack - base - n] |= n == 0 || one->prefix.ack_bits >> (n - 1) & 1;
			if (random_below(&seed, 2))
				talk_take(&t.ingress, one, now);
		}
		talk_fill(&t.client, one, now);
	}
	for (unsigned n = 1; n <= ROUNDS; n++) {
		assert_int_equal(told_has(&t.book, 3, base + n), named[n]);
		assert_true(had[n] || !named[n]);
		all += named[n];
	}
	assert_true(all > ROUNDS / 2);
	assert_int_equal(t.book.of[3].count, all);
	assert_int_equal(counted, all);
	converse_close(&t);
}

static void every_listener_is_told_while_nothing_is_on_its_way(void **state UNUSED)
{
	for (uint64_t seed = 1; seed < 6; seed++)
		converse(0, false, seed);
}

static void every_listener_is_told_beside_the_repetition_of_messages(void **state UNUSED)
{
	for (uint64_t seed = 1; seed < 6; seed++)
		converse(0, true, seed);
}

static void counters_are_told_up_to_the_last(void **state UNUSED)
{
	converse(INT32_MAX - 1000, false, 1);
	converse(UINT32_MAX - 2000, false, 1);
	converse(UINT32_MAX - 2000, true, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_not_sent_says_nothing),
		cmocka_unit_test(delay_is_what_a_division_says),
		cmocka_unit_test(each_that_is_named_is_new_once),
		cmocka_unit_test(what_is_named_first_when_64_later_ones_are_is_told_to_nobody),
		cmocka_unit_test(no_counter_before_the_first_is_told),
		cmocka_unit_test(every_listener_is_told_while_nothing_is_on_its_way),
		cmocka_unit_test(every_listener_is_told_beside_the_repetition_of_messages),
		cmocka_unit_test(counters_are_told_up_to_the_last),
	};

	return cmocka_run_group_tests_name("acknowledged", tests, NULL, NULL);
}

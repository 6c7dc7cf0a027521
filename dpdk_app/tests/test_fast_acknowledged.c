// SPDX-License-Identifier: BSD-3-Clause
// test_fast_acknowledged.c: which of our datagrams a peer has is read by the fast lane of DATA as by the general path,
// on every micro-architecture level that this CPU has. The listeners of the pair check that both are told the
// same, and of each datagram once.

#include "unit.h"

#include <string.h>

#include "sealed_pair.h"

/// What any header that was read has named, by counter.
struct named {
	uint8_t has[TOLD_SPAN];
	uint64_t base;
	uint64_t all;
};

static void name(struct named *named, uint64_t newest, uint32_t bits)
{
	for (unsigned n = 0; n <= 32 && newest - n > named->base; n++) {
		uint8_t *has = &named->has[newest - n - named->base];

		if (n == 0 || bits >> (n - 1) & 1) {
			named->all += !*has;
			*has = 1;
		}
	}
}

/// Datagrams of one player, some twice, some late, in any order, that acknowledge what they like; and what they name.
static void speak(struct pipeline_pair *t, struct named *named, uint64_t *seed)
{
	struct player *p = &t->player[SENDER];
	const uint64_t before = p->sent;
	struct plaintext plaintext[12];
	unsigned n = 1 + random_below(seed, COUNT(plaintext) - 1);

	for (unsigned i = 0; i < n; i++) {
		plaintext[i] =
			random_below(seed, 6) ? a_movement(random_below(seed, 3)) : no_message(random_below(seed, 2));
		plaintext[i].ack = random_below(seed, 8) != 0 && p->newest > named->base + 31;
		plaintext[i].behind = random_below(seed, 4) ? 0 : random_below(seed, 31);
		plaintext[i].ack_bits = random_below(seed, 3) ? UINT32_MAX : random_below(seed, UINT32_MAX);
		plaintext[i].counter = before + 1 + random_below(seed, 14) - (random_below(seed, 4) ? 0 : before % 9);
		add_plaintext(t, SENDER, &plaintext[i]);
	}

	const uint64_t newest = p->newest;

	run(t);
	for (unsigned i = 0; i < n; i++)
		if (plaintext[i].ack &&
		    (t->outcome[i].result == PG_DROP_NONE || t->outcome[i].result == PACKET_ABSORBED))
			name(named, newest - plaintext[i].behind, plaintext[i].ack_bits);
}

static struct named naming; // too large for a stack

/// Let the counters of the player and of the gateway go on from `counter`.
static void begin_at(struct pipeline_pair *t, uint64_t counter)
{
	const uint32_t slot = fixture_slot(t->variant[WITH].fixture, &t->player[SENDER]);

	naming = (struct named){.base = counter};
	for (unsigned k = 0; k < VARIANTS; k++) {
		struct pipeline_variant *variant = &t->variant[k];

		fixture_record(variant->fixture, &t->player[SENDER])->tx_counter = counter;
		store_delivery(&variant->fixture->store, slot)->acknowledged =
			(struct acknowledged){counter, UINT64_MAX};
		told_from(&variant->told, slot, counter);
	}
	t->player[SENDER].newest = counter;
}

static void check_told(struct pipeline_pair *t)
{
	const struct told_of *told =
		&t->variant[WITH].told.of[fixture_slot(t->variant[WITH].fixture, &t->player[SENDER])];

	for (unsigned i = 1; i < TOLD_SPAN; i++)
		assert_int_equal(told->has[i], naming.has[i]);
	assert_int_equal(told->count, naming.all);
	assert_true(naming.all > 100);
}

static void check_movements(struct pipeline_pair *t)
{
	uint64_t seed = 5;

	begin_at(t, fixture_record(t->variant[WITH].fixture, &t->player[SENDER])->tx_counter);
	for (unsigned round = 0; round < 150; round++) {
		speak(t, &naming, &seed);
		let_pass(t, random_below(&seed, 20));
	}
	check_told(t);
	check_all_in_lane(t);
}

static void what_movements_acknowledge_is_told_as_by_the_general_way(void **state UNUSED)
{
	on_every_level(check_movements);
}

/// With messages on their way to the player, who strikes himself: the repetition is told, too.
static void check_messages(struct pipeline_pair *t)
{
	uint64_t seed = 6;
	unsigned id = 0;

	begin_at(t, fixture_record(t->variant[WITH].fixture, &t->player[SENDER])->tx_counter);
	for (unsigned round = 0; round < 100; round++) {
		const struct plaintext blow = a_blow(t->player[SENDER].id, SESSION_MESSAGE_RELIABLE, id);
		struct plaintext sent = blow;

		sent.ack = false;
		id += run_plaintext(t, SENDER, &sent)->result == PG_DROP_NONE;
		speak(t, &naming, &seed);
		speak(t, &naming, &seed);
		let_pass(t, random_below(&seed, 20));
		if (!is_connected(t, SENDER))
			fail_msg("given up in round %u", round);
	}
	check_told(t);
	check_all_in_lane(t);
}

static void what_is_acknowledged_while_messages_are_on_their_way_is_told_alike(void **state UNUSED)
{
	on_every_level(check_messages);
}

static void check_wrap(struct pipeline_pair *t)
{
	uint64_t seed = 7;

	begin_at(t, INT32_MAX - 60);
	for (unsigned round = 0; round < 100; round++)
		speak(t, &naming, &seed);
	assert_true(t->player[SENDER].newest > INT32_MAX);
	check_told(t);
}

static void counters_that_pass_31_bits_are_told_alike(void **state UNUSED)
{
	on_every_level(check_wrap);
}

/// Which datagram of a burst is refused for its rate is refused by either way; what it acknowledged stands, if it was the
/// message's rate.
static void check_rates(struct pipeline_pair *t)
{
	const uint32_t slot = fixture_slot(t->variant[WITH].fixture, &t->player[SENDER]);

	for (unsigned k = 0; k < VARIANTS; k++) {
		struct pipeline_variant *variant = &t->variant[k];

		variant->rig->policy.sessions.delivery.message_rate[PG_REQUEST_MOVE] = once_in(1, 2);
	}
	for (unsigned i = 0; i < 4; i++) {
		struct plaintext plaintext = a_movement(true);

		plaintext.ack = true;
		run_plaintext(t, SENDER, &plaintext);
	}
	assert_int_equal(t->outcome[0].result, PG_DROP_MESSAGE_RATE_LIMITED);
	assert_true(told_has(&t->variant[WITH].told, slot, t->player[SENDER].newest));
	check_all_in_lane(t);
}

static void a_movement_over_its_rate_still_acknowledges(void **state UNUSED)
{
	on_every_level(check_rates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_movements_acknowledge_is_told_as_by_the_general_way),
		cmocka_unit_test(what_is_acknowledged_while_messages_are_on_their_way_is_told_alike),
		cmocka_unit_test(counters_that_pass_31_bits_are_told_alike),
		cmocka_unit_test(a_movement_over_its_rate_still_acknowledges),
	};

	return cmocka_run_group_tests_name("fast_acknowledged", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// test_fast_bursts.c: what one session sends is taken in the order of its arrival, whichever lanes a burst's frames
// take; and bursts of anything come out as without the fast lane of DATA.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "sealed_pair.h"

// ---------------------------------------------------------------- order within a burst

static void check_general(struct pipeline_pair *t)
{
	const struct session_record *record = fixture_record(t->variant[WITH].fixture, &t->player[SENDER]);

	for (unsigned how = 0; how < GENERAL; how++) {
		struct plaintext last;

		for (unsigned i = 0; i < 10; i++) {
			if (i % 2)
				add_general(t, SENDER, a_movement(true), how);
			last = a_movement(true);
			add_plaintext(t, SENDER, &last);
			add_plaintext(t, SENDER + 1, &(struct plaintext){0});
		}
		run(t);
		assert_memory_equal(&record->motion, last.body + 4, sizeof(record->motion));
	}
}

static void what_one_session_sends_is_taken_in_order_whatever_its_frames(void **state UNUSED)
{
	on_every_level(check_general);
}

/// What follows an end in the same burst: right, forged, seen before, too long.
static void check_end(struct pipeline_pair *t, unsigned player, const struct plaintext *end)
{
	struct plaintext again = a_movement(true);
	struct frame f;

	assert_int_equal(run_plaintext(t, player, &again)->result, PG_DROP_NONE);
	add_plaintext(t, player, &again);
	add_plaintext(t, player, end);
	build_plaintext(t, player, a_movement(true), &f);
	add(t, &f);
	f.bytes[f.len - 1] ^= 1;
	repair_checksums(f.bytes, f.len);
	add(t, &f);
	again.counter = t->player[player].sent - 2;
	add_plaintext(t, player, &again);
	add_general(t, player, a_movement(true), WITHOUT_CHECKSUM);
	again.counter = 1;
	add_general(t, player, again, TAGGED);
	again = a_movement(true);
	add_plaintext(t, player + 1, &again);
	run(t);
	assert_int_equal(t->outcome[0].result, PG_DROP_NONE);
	assert_int_equal(t->outcome[1].result, PACKET_ABSORBED);
	assert_int_equal(t->outcome[2].result, PG_DROP_SESSION_STATE);
	assert_int_equal(t->outcome[3].result, PG_DROP_SESSION_STATE);
	assert_int_equal(t->outcome[4].result, PG_DROP_SESSION_STATE);
	assert_int_equal(t->outcome[5].result, PG_DROP_SESSION_STATE);
	assert_int_equal(t->outcome[6].result, PG_DROP_REPLAYED); // as was known before the end
	assert_int_equal(t->outcome[7].result, PG_DROP_NONE);
	let_pass(t, 10);
	connect(t, player);
}

static void check_ends(struct pipeline_pair *t)
{
	struct plaintext end = farewell();

	check_end(t, SENDER, &end);
	end = an_violation(0);
	check_end(t, SENDER, &end);
}

static void nothing_is_taken_behind_the_end_of_a_connection(void **state UNUSED)
{
	on_every_level(check_ends);
}

/// Routes are learned again after a second, from whichever frame comes first.
static void check_return_headers(struct pipeline_pair *t)
{
	for (unsigned i = 0; i < 12; i++) {
		const struct plaintext plaintext = a_movement(false);

		if (i % 3 == 2)
			add_general(t, SENDER, plaintext, TAGGED);
		add_plaintext(t, SENDER, &plaintext);
		run(t);
		let_pass(t, 700 * (i % 4));
	}
}

static void return_headers_are_learned_alike(void **state UNUSED)
{
	on_every_level(check_return_headers);
}

// ---------------------------------------------------------------- anything

#define ROUNDS 600

struct storm {
	struct pipeline_pair *t;
	uint64_t seed;
	unsigned said[SENDERS]; // reliable messages of each in this burst
	struct frame old[BURST_MAX];
	struct rate source; // of unproved addresses
};

static bool one_in(struct storm *s, uint32_t n)
{
	return random_below(&s->seed, n) == 0;
}

/// The id that is expected next, or nearly so.
static unsigned next_id(struct storm *s, unsigned player)
{
	const struct session_fixture *fixture = s->t->variant[WITH].fixture;
	const struct delivery *c = store_delivery(&fixture->store, fixture_slot(fixture, &s->t->player[player]));

	return c->in.oldest[0] + s->said[player]++ + one_in(s, 8);
}

static struct plaintext a_random_message(struct storm *s, unsigned player)
{
	static const uint8_t zeros[LONGEST];
	const unsigned flags = one_in(s, 2) ? SESSION_MESSAGE_RELIABLE : 0;
	const unsigned id = flags ? next_id(s, player) : 0;

	switch (random_below(&s->seed, 8)) {
	case 0:
		return a_blow(s->t->player[player].id, flags, id);
	case 1:
		return a_blow(s->t->player[LISTENER + player].id, flags, id);
	case 2:
		return a_message(SESSION_HEARTBEAT, flags, id, NULL, 0);
	case 3:
		return a_message(SESSION_MOVE, flags, id, zeros, sizeof(struct motion));
	case 4:
		return a_message(SESSION_BULK, flags, id, zeros, (uint16_t)(4 + random_below(&s->seed, 600)));
	case 5: // as long as a movement
		return a_message(SESSION_BULK, 0, 0, zeros, sizeof(struct motion));
	case 6:
		return a_message(random_below(&s->seed, 256), flags, id, zeros, (uint16_t)random_below(&s->seed, 64));
	default:
		return no_message(true);
	}
}

static struct plaintext a_random_plaintext(struct storm *s, unsigned player)
{
	struct plaintext plaintext = one_in(s, 3) ? a_random_message(s, player) : a_movement(true);

	if (one_in(s, 40))
		plaintext = farewell();
	else if (one_in(s, 40))
		plaintext = an_violation(next_id(s, player));
	else if (one_in(s, 20))
		plaintext = path_response(s->t, player);
	else
		plaintext.wants = one_in(s, 2) ? SESSION_WANTS_ANSWER : 0;
	plaintext.ack = !one_in(s, 3);
	plaintext.ack_bits = one_in(s, 3) ? (uint32_t)random_next(&s->seed) : UINT32_MAX;
	if (one_in(s, 8)) {
		plaintext.counter = s->t->player[player].sent + 4 - random_below(&s->seed, 8);
		plaintext.counter = (int32_t)plaintext.counter > 0 ? plaintext.counter : 1;
	}
	return plaintext;
}

static void add_hello(struct storm *s, unsigned player)
{
	const struct flow flow = flow_from(s->t, player);
	struct player stranger = {.session = s->t->player[player].session};
	uint8_t payload[PLAYER_BUFFER];
	struct frame f;

	build_udp(&f, &flow, payload, player_hello(&stranger, payload));
	add(s->t, &f);
}

/// Of somebody who is not served here, or of this profile's listener's neighbour.
static void add_strange(struct storm *s)
{
	const unsigned who = OF_ANOTHER + random_below(&s->seed, 3);
	struct plaintext movement = a_movement(true);
	struct flow flow = flow4(1 + random_below(&s->seed, 20));
	struct frame f;

	if (one_in(s, 2)) {
		flow.port_to = one_in(s, 2) ? 8081 : 8080;
		build_game(&f, &flow, 1 + random_below(&s->seed, 5), 7);
		add(s->t, &f);
		return;
	}
	movement.astray = one_in(s, 3) && s->source.interval == 0;
	movement.session = random_below(&s->seed, 2 * PAIR_CAPACITY);
	add_plaintext(s->t, who, &movement);
}

/// Between sessions there is no order: which of two datagrams of one source, but for two sessions, is over the source's limit
/// depends on their lanes.
static bool changes_whose(const struct storm *s, unsigned byte)
{
	const bool source = byte >= 26 && byte < 30, session = byte >= 46 && byte < 50;

	return s->source.interval != 0 && (source || session);
}

/// One of before, or of this burst, as it was or with a changed bit.
static void add_again(struct storm *s)
{
	struct pipeline_pair *t = s->t;
	struct frame f = t->n > 0 && one_in(s, 2) ? t->frame[random_below(&s->seed, t->n)] :
						    s->old[random_below(&s->seed, BURST_MAX)];

	if (f.len == 0)
		return;
	if (one_in(s, 2)) {
		const unsigned byte = random_below(&s->seed, f.len);

		if (changes_whose(s, byte))
			return;
		f.bytes[byte] ^= (uint8_t)(1U << random_below(&s->seed, 8));
		if (one_in(s, 2))
			repair_checksums(f.bytes, f.len);
	}
	add(t, &f);
}

static void add_anything(struct storm *s)
{
	const unsigned player = random_below(&s->seed, SENDERS);
	struct plaintext plaintext;

	switch (random_below(&s->seed, 16)) {
	case 0:
		add_again(s);
		return;
	case 1:
		add_strange(s);
		return;
	case 2:
		if (one_in(s, 4))
			add_hello(s, player);
		return;
	case 3:
		plaintext = a_random_plaintext(s, player);
		add_from_elsewhere(s->t, player, plaintext);
		return;
	case 4:
		plaintext = a_random_plaintext(s, player);
		add_general(s->t, player, plaintext, random_below(&s->seed, GENERAL));
		return;
	case 5:
	case 6:
	case 7:
		plaintext = a_random_plaintext(s, player);
		break;
	default:
		plaintext = a_movement(random_below(&s->seed, 3));
		break;
	}
	add_plaintext(s->t, player, &plaintext);
}

/// Those who listen acknowledge what they were told, mostly.
static void listeners_speak(struct storm *s)
{
	const struct plaintext plaintext = {.ack = true, .ack_bits = UINT32_MAX};

	for (unsigned i = 0; i < SENDERS; i++)
		if (!one_in(s, 4))
			add_plaintext(s->t, LISTENER + i, &plaintext);
	run(s->t);
}

static void others_connect_again(struct storm *s)
{
	limit_sources(s->t, (struct rate){0});
	for (unsigned i = 0; i < LISTENER + SENDERS; i++)
		if (!is_connected(s->t, i))
			connect(s->t, i);
	limit_sources(s->t, s->source);
}

/// None; one that is reached, one that nearly is, and one that never is.
static struct rate a_rate(struct storm *s, uint32_t per_second, uint32_t burst)
{
	switch (random_below(&s->seed, 4)) {
	case 0:
		return rate_make(per_second, burst, pg_tsc_hz());
	case 1:
		return rate_make(8 * per_second, 8 * burst, pg_tsc_hz());
	case 2:
		return rate_make(1000000, 100000, pg_tsc_hz());
	default:
		return (struct rate){0};
	}
}

static void change_rules(struct storm *s)
{
	const struct rate session = a_rate(s, 200, 10), move = a_rate(s, 100, 8), blow = a_rate(s, 50, 6);

	for (unsigned k = 0; k < VARIANTS; k++) {
		struct pipeline_variant *variant = &s->t->variant[k];

		struct session_rules *rules = &variant->rig->policy.sessions;

		rules->session[0] = session;
		rules->delivery.message_rate[PG_REQUEST_MOVE] = move;
		rules->delivery.message_rate[PG_REQUEST_ATTACK] = blow;
	}
	s->source = a_rate(s, 2, 2);
}

/// Everything that was handed over was counted by whom it was given to.
static void count_handed_over(struct pipeline_pair *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < VARIANTS; k++) {
			struct pipeline_variant *variant = &t->variant[k];

			variant->fixture->stats[0].handed_out += t->outcome[i].result == PACKET_ELSEWHERE;
		}
}

static void storm_burst(struct storm *s)
{
	struct pipeline_pair *t = s->t;
	const unsigned n = 1 + random_below(&s->seed, BURST_MAX);
	unsigned made;

	memset(s->said, 0, sizeof(s->said));
	while (t->n < n)
		add_anything(s);
	made = t->n;
	memcpy(s->old, t->frame, made * sizeof(t->frame[0]));
	run(t);
	count_handed_over(t, made);
}

static void check_storm(struct pipeline_pair *t)
{
	static uint64_t seed = 97; // another storm on each level
	struct storm *s = zeroed_lines(sizeof(*s));
	const struct pg_worker_stats *stats = &t->variant[WITH].fixture->stats[0];

	*s = (struct storm){.t = t, .seed = seed += 2};
	for (unsigned round = 0; round < ROUNDS; round++) {
		if (round % 16 == 0)
			change_rules(s);
		others_connect_again(s);
		storm_burst(s);
		let_pass(t, one_in(s, 20) ? 1500 : 2 + random_below(&s->seed, 40));
		listeners_speak(s);
	}
	assert_true(t->in_lane > t->all_frames / 2);
	assert_true(stats->handled[PG_MESSAGE_SESSION_DATA] > t->all_frames / 4);
	assert_true(stats->dropped[PG_DROP_SOURCE_RATE_LIMITED] > 0);
	assert_true(stats->dropped[PG_DROP_SESSION_RATE_LIMITED] > 0 &&
		    stats->dropped[PG_DROP_MESSAGE_RATE_LIMITED] > 0);
	assert_true(stats->closed[SESSION_CLOSED_PROTOCOL] > 0 && stats->closed[SESSION_CLOSED_LEFT] > 0);
	free(s);
}

static void bursts_of_anything_come_out_as_by_the_general_way(void **state UNUSED)
{
	on_every_level(check_storm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_one_session_sends_is_taken_in_order_whatever_its_frames),
		cmocka_unit_test(nothing_is_taken_behind_the_end_of_a_connection),
		cmocka_unit_test(return_headers_are_learned_alike),
		cmocka_unit_test(bursts_of_anything_come_out_as_by_the_general_way),
	};

	return cmocka_run_group_tests_name("fast_bursts", tests, NULL, NULL);
}

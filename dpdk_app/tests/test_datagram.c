// SPDX-License-Identifier: BSD-3-Clause
// test_datagram.c: bursts of datagrams as sockets give them, alone and against the same messages in frames.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "rig.h"

static const char *const levels[] = {"v2", "v3", "v4"};

/// Each payload in memory of exactly its size, so that ASan sees a byte too many.
struct batch {
	struct datagram_burst burst;
	unsigned n;
};

static struct batch *batch_open(void)
{
	struct batch *b = zeroed_lines(sizeof(*b));

	memset(b->burst.drop, 0xee, sizeof(b->burst.drop)); // every datagram must get its verdict
	b->burst.unanswered = 0xee;
	return b;
}

static void batch_close(struct batch *b)
{
	for (unsigned i = 0; i < b->n; i++)
		free(b->burst.payload[i]);
	free(b);
}

static void batch_add(struct batch *b, const struct flow *flow, const uint8_t *payload, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);

	assert_non_null(exact);
	memcpy(exact, payload, len);
	b->burst.peer[b->n] = rig_peer(flow);
	b->burst.payload[b->n] = exact;
	b->burst.length[b->n] = (uint16_t)len;
	b->n++;
}

static void batch_add_game(struct batch *b, uint32_t peer, uint32_t type, uint32_t player)
{
	const struct flow flow = flow4(peer);
	uint8_t message[64];

	batch_add(b, &flow, message, build_message(message, type, player));
}

static void batch_run(struct batch *b, struct rig *rig)
{
	unsigned dropped = 0;

	rig->path->run_datagrams(&rig->ingress, &b->burst, b->n, rig->now);
	for (unsigned i = 0; i < b->n; i++) {
		assert_true(b->burst.drop[i] < PG_DROPS);
		dropped += b->burst.drop[i] != PG_DROP_NONE;
	}
	assert_int_equal(b->burst.unanswered, dropped);
	assert_true(rig_conserved(rig));
}

/// One datagram as a burst of one. What is dropped is left as it came, and counted once, as that.
static enum pg_drop send(struct rig *rig, const struct flow *flow, const uint8_t *payload, size_t len)
{
	struct batch *b = batch_open();
	const struct pg_worker_stats before = rig->stats;

	batch_add(b, flow, payload, len);
	batch_run(b, rig);

	const enum pg_drop drop = b->burst.drop[0];

	assert_int_equal(rig->stats.received, before.received + 1);
	if (drop != PG_DROP_NONE) {
		assert_memory_equal(b->burst.payload[0], payload, len);
		assert_int_equal(rig->stats.dropped[drop], before.dropped[drop] + 1);
		assert_memory_equal(rig->stats.handled, before.handled, sizeof(before.handled));
	}
	batch_close(b);
	return drop;
}

static enum pg_drop send_game(struct rig *rig, uint32_t peer, uint32_t type, uint32_t player)
{
	const struct flow flow = flow4(peer);
	uint8_t message[64];

	return send(rig, &flow, message, build_message(message, type, player));
}

// ---------------------------------------------------------------- bursts

static void a_burst_of_every_size_is_answered_datagram_by_datagram(void **state UNUSED)
{
	for (unsigned n = 0; n <= BURST_MAX; n++) {
		struct rig *rig = rig_open("auto", 100);
		struct batch *b = batch_open();

		for (unsigned i = 0; i < n; i++)
			batch_add_game(b, i, 1 + i % 5, 1000 + i);
		batch_run(b, rig);
		for (unsigned i = 0; i < n; i++) {
			uint8_t expected[64];
			const size_t len = build_message(expected, 101 + i % 5, 1000 + i);

			assert_int_equal(b->burst.drop[i], PG_DROP_NONE);
			assert_int_equal(b->burst.length[i], len);
			assert_memory_equal(b->burst.payload[i], expected, len);
		}
		for (unsigned type = 0; type < 5; type++)
			assert_int_equal(rig->stats.handled[type], (n + 4 - type) / 5);
		assert_int_equal(rig->stats.received, n);
		assert_int_equal(rig->stats.sessions_active, n);
		assert_int_equal(rig->stats.sessions_admitted, n);
		batch_close(b);
		rig_close(rig);
	}
}

static void datagrams_of_all_kinds_in_one_burst_keep_their_own_verdicts(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 100);
	struct batch *b = batch_open();
	const uint8_t nothing[4] = {1, 0, 0, 0};

	for (unsigned i = 0; i < 16; i++) {
		struct flow flow = flow4(100 + i);

		batch_add_game(b, i, 1, i);
		batch_add(b, &flow, nothing, sizeof(nothing));
		batch_add_game(b, i, 2, i + 1);
		batch_add_game(b, i, 6, i);
	}
	batch_run(b, rig);
	for (unsigned i = 0; i < 64; i += 4) {
		assert_int_equal(b->burst.drop[i], PG_DROP_NONE);
		assert_int_equal(b->burst.drop[i + 1], PG_DROP_TRUNCATED);
		assert_int_equal(b->burst.drop[i + 2], PG_DROP_PLAYER_MISMATCH);
		assert_int_equal(b->burst.drop[i + 3], PG_DROP_MESSAGE_TYPE);
	}
	assert_int_equal(b->burst.unanswered, 48);
	assert_int_equal(rig->stats.received, 64);
	assert_int_equal(rig->stats.handled[PG_MESSAGE_MOVE], 16);
	assert_int_equal(rig->stats.handled[PG_MESSAGE_ATTACK], 0);
	assert_int_equal(rig->stats.dropped[PG_DROP_TRUNCATED], 16);
	assert_int_equal(rig->stats.dropped[PG_DROP_PLAYER_MISMATCH], 16);
	assert_int_equal(rig->stats.dropped[PG_DROP_MESSAGE_TYPE], 16);
	batch_close(b);
	rig_close(rig);
}

// ---------------------------------------------------------------- drops

static void a_datagram_without_a_source_port_is_a_bad_source(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 10);
	struct flow flow = flow4(1);
	uint8_t message[64];
	const size_t len = build_message(message, 1, 1);

	flow.port_from = 0;
	assert_int_equal(send(rig, &flow, message, len), PG_DROP_BAD_SOURCE);
	flow.port_to = 8081; // another listener: the channel is not 0
	assert_int_equal(send(rig, &flow, message, len), PG_DROP_BAD_SOURCE);
	assert_int_equal(rig->stats.sessions_active, 0);
	rig_close(rig);
}

static void a_datagram_that_no_frame_holds_is_too_long(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 10);
	const struct flow flow = flow4(1);
	uint8_t message[PG_DATAGRAM_MAX] = {0};

	build_message(message, 1, 1);
	put_le32(message + 4, sizeof(message));
	assert_int_equal(send(rig, &flow, message, sizeof(message)), PG_DROP_MESSAGE_SIZE);

	for (unsigned length = PG_DATAGRAM_MAX + 1; length <= UINT16_MAX; length = 2 * length + 1) {
		struct batch *b = batch_open();

		batch_add(b, &flow, message, 0); // the buffer need not hold it: none of it is read
		b->burst.length[0] = (uint16_t)length;
		batch_run(b, rig);
		assert_int_equal(b->burst.drop[0], PG_DROP_TOO_LONG);
		batch_close(b);
	}
	rig_close(rig);
}

static void every_damage_to_a_message_gets_its_reason_and_no_session(void **state UNUSED)
{
	static const struct {
		uint32_t type, at;
		uint8_t byte;
		enum pg_drop drop;
	} damages[] = {
		{1, 0, 0, PG_DROP_MESSAGE_TYPE},      {1, 0, 101, PG_DROP_MESSAGE_TYPE},
		{1, 3, 1, PG_DROP_MESSAGE_TYPE},      {1, 4, 43, PG_DROP_MESSAGE_SIZE},
		{1, 0, 2, PG_DROP_MESSAGE_SIZE},      {3, 26, 6, PG_DROP_MESSAGE_SIZE},
		{3, 25, 1, PG_DROP_MESSAGE_RESERVED}, {5, 20, 9, PG_DROP_NONE}, // no damage: any skill will do
		{3, 28, 0x80, PG_DROP_BAD_UTF8},      {4, 0, 5, PG_DROP_MESSAGE_SIZE},
	};
	const struct flow flow = flow6(1);
	uint8_t message[64];

	for (size_t i = 0; i < COUNT(damages); i++) {
		struct rig *rig = rig_open("auto", 10);
		const size_t len = build_message(message, damages[i].type, 1);

		message[damages[i].at] = damages[i].byte;
		assert_int_equal(send(rig, &flow, message, len), damages[i].drop);
		assert_int_equal(rig->stats.sessions_active, damages[i].drop == PG_DROP_NONE);
		rig_close(rig);
	}
}

static void numbers_that_are_none_are_not_finite(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 10);
	const struct flow flow = flow4(1);
	uint8_t message[64];
	size_t len = build_message(message, 1, 1);

	put_le32(message + 40, 0x7f800000);
	assert_int_equal(send(rig, &flow, message, len), PG_DROP_NOT_FINITE);
	len = build_message(message, 2, 1);
	put_le32(message + 28, 0x7fc00000);
	assert_int_equal(send(rig, &flow, message, len), PG_DROP_NOT_FINITE);
	assert_int_equal(rig->stats.sessions_active, 0);
	rig_close(rig);
}

static void a_datagram_cut_short_anywhere_is_refused(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 10);
	const struct flow flow = flow4(1);
	uint8_t message[64];
	const size_t whole = build_message(message, 1, 1);

	for (size_t len = 0; len < whole; len++)
		assert_int_equal(send(rig, &flow, message, len), len < 16 ? PG_DROP_TRUNCATED : PG_DROP_MESSAGE_SIZE);
	rig_close(rig);
}

// ---------------------------------------------------------------- sessions

static void first_messages_of_one_peer_in_one_burst_make_one_session(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 100);
	struct batch *b = batch_open();

	for (unsigned i = 0; i < 64; i++)
		batch_add_game(b, i % 2, 1, 9);
	batch_run(b, rig);
	assert_int_equal(b->burst.unanswered, 0);
	assert_int_equal(rig->stats.sessions_active, 2);
	assert_int_equal(rig->stats.sessions_admitted, 2);
	assert_int_equal(rig->sessions.records[0].received, 32);
	assert_int_equal(rig->sessions.records[0].last_seen, rig->now);
	batch_close(b);
	rig_close(rig);
}

static void a_burst_is_handled_in_the_order_of_its_arrival(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 100);
	struct batch *b = batch_open();
	const struct flow flow = flow4(1);
	uint8_t message[64];

	batch_add_game(b, 1, 4, 10); // makes the session
	batch_add_game(b, 1, 1, 11); // another player: refused
	for (uint32_t step = 1; step <= 3; step++) {
		const size_t len = build_message(message, 1, 10);

		put_le32(message + 20, step << 23); // the last position stays
		batch_add(b, &flow, message, len);
	}
	batch_run(b, rig);
	assert_int_equal(b->burst.drop[0], PG_DROP_NONE);
	assert_int_equal(b->burst.drop[1], PG_DROP_PLAYER_MISMATCH);
	assert_int_equal(b->burst.unanswered, 1);
	assert_int_equal(rig->sessions.records[0].player_id, 10);
	assert_int_equal(rig->sessions.records[0].received, 4);
	assert_memory_equal(&rig->sessions.records[0].motion, message + 20, sizeof(struct motion));
	batch_close(b);
	rig_close(rig);
}

static void a_full_table_refuses_strangers_and_serves_its_players(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 50);
	struct batch *b = batch_open();

	for (uint32_t n = 0; n < 64; n++)
		batch_add_game(b, n, 4, n);
	batch_run(b, rig);
	for (uint32_t n = 0; n < 64; n++)
		assert_int_equal(b->burst.drop[n], n < 50 ? PG_DROP_NONE : PG_DROP_TABLE_FULL);
	for (uint32_t n = 0; n < 50; n++)
		assert_int_equal(send_game(rig, n, 1, n), PG_DROP_NONE);
	assert_int_equal(send_game(rig, 50, 4, 50), PG_DROP_TABLE_FULL);
	assert_int_equal(rig->stats.dropped[PG_DROP_TABLE_FULL], 15);
	assert_int_equal(rig->stats.sessions_active, 50);
	rig->now += rig->policy.sessions.idle_timeout + 1;
	assert_int_equal(plain_expire(&rig->sessions, rig->now, rig->policy.sessions.idle_timeout, 50), 50);
	assert_int_equal(send_game(rig, 50, 4, 50), PG_DROP_NONE);
	batch_close(b);
	rig_close(rig);
}

static void a_source_is_limited_whatever_its_port_before_it_is_admitted(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 100);
	struct flow flow = flow4(1);
	uint8_t message[64];
	const size_t len = build_message(message, 4, 10);

	rig_limit_sources(rig, 1, rate_make(1000, 3, RIG_HZ));
	for (unsigned i = 0; i < 20; i++) // of the first listener: not limited
		assert_int_equal(send(rig, &flow, message, len), PG_DROP_NONE);

	struct batch *b = batch_open();

	flow.port_to = 8081;
	for (unsigned i = 0; i < 8; i++) {
		flow.port_from = (uint16_t)(3000 + i);
		batch_add(b, &flow, message, len);
	}
	batch_run(b, rig);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(b->burst.drop[i], i < 3 ? PG_DROP_NONE : PG_DROP_SOURCE_RATE_LIMITED);
	assert_int_equal(rig->stats.dropped[PG_DROP_SOURCE_RATE_LIMITED], 5);
	assert_int_equal(rig->stats.sessions_active, 4);
	rig->now += RIG_HZ / 1000;
	assert_int_equal(send(rig, &flow, message, len), PG_DROP_NONE);
	assert_int_equal(send(rig, &flow, message, len), PG_DROP_SOURCE_RATE_LIMITED);
	batch_close(b);
	rig_close(rig);
}

static void a_datagram_is_settled_where_its_socket_is(void **state UNUSED)
{
	struct rig *mine = rig_open("auto", 10), *other = rig_open("auto", 10);

	assert_int_equal(send_game(other, 1, 4, 10), PG_DROP_NONE);
	mine->registry.tables = 2;
	mine->registry.active[1] = &other->stats.sessions_active;
	mine->registry.table[1] = &other->sessions;
	mine->registry.ports[0] = mine->registry.ports[1] = 1;
	mine->ingress.port_bit = 1;
	assert_int_equal(send_game(mine, 1, 4, 10), PG_DROP_NONE); // a frame would go to the other worker
	assert_int_equal(mine->stats.sessions_active, 1);
	rig_close(other);
	rig_close(mine);
}

// ---------------------------------------------------------------- against frames

/// A message of few players, often damaged.
static size_t random_message(uint8_t *message, uint64_t *seed, uint32_t peer)
{
	size_t len = build_message(message, 1 + random_below(seed, 5), random_below(seed, 8) ? peer : peer + 1);

	switch (random_below(seed, 12)) {
	case 0:
		message[random_below(seed, (uint32_t)len)] ^= (uint8_t)(1 << random_below(seed, 8));
		break;
	case 1:
		len = random_below(seed, (uint32_t)len);
		break;
	case 2:
		put_le32(message + 4 * random_below(seed, (uint32_t)len / 4), 0x7fc00000);
		break;
	case 3:
		message[random_below(seed, 8)] = (uint8_t)random_below(seed, 6);
		break;
	default:
		break;
	}
	return len;
}

/// The same messages, in frames and without.
struct both {
	struct batch *datagrams;
	struct burst frames;
	struct frame frame[BURST_MAX];
};

static void both_fill(struct both *both, uint64_t *seed)
{
	both->datagrams = batch_open();
	memset(&both->frames, 0, sizeof(both->frames));
	for (unsigned i = 0, n = random_below(seed, BURST_MAX + 1); i < n; i++) {
		const uint32_t peer = random_below(seed, 40);
		struct flow flow = random_below(seed, 2) ? flow4(peer) : flow6(peer);
		uint8_t message[64];

		if (random_below(seed, 8) == 0)
			flow.port_to = 8081;
		if (random_below(seed, 32) == 0)
			flow.port_from = 0;
		if (random_below(seed, 4) == 0)
			flow_tag(&flow, 0x8100, 5);

		const size_t len = random_message(message, seed, peer);

		batch_add(both->datagrams, &flow, message, len);
		build_udp(&both->frame[i], &flow, message, len);
		both->frames.frame[i] = both->frame[i].bytes;
		both->frames.length[i] = both->frame[i].len;
	}
}

static void both_agree(const struct both *both)
{
	const struct batch *b = both->datagrams;

	assert_memory_equal(b->burst.drop, both->frames.drop, b->n);
	assert_int_equal(b->burst.unanswered, both->frames.unanswered);
	for (unsigned i = 0; i < b->n; i++)
		assert_memory_equal(b->burst.payload[i], both->frame[i].bytes + both->frame[i].payload,
				    b->burst.length[i]);
}

static void compare_with_frames(const char *level)
{
	enum { CAPACITY = 30 };
	struct rig *frames = rig_open(level, CAPACITY), *datagrams = rig_open(level, CAPACITY);
	struct both *both = zeroed_lines(sizeof(*both));
	uint64_t seed = 77;

	rig_limit_sources(frames, 1, rate_make(1000, 2, RIG_HZ));
	rig_limit_sources(datagrams, 1, rate_make(1000, 2, RIG_HZ));
	for (unsigned round = 0; round < 200; round++) {
		both_fill(both, &seed);
		frames->path->run[0][0](&frames->ingress, &both->frames, both->datagrams->n, frames->now);
		batch_run(both->datagrams, datagrams);
		both_agree(both);
		batch_close(both->datagrams);
		assert_memory_equal(&frames->stats, &datagrams->stats, sizeof(frames->stats));
		assert_memory_equal(frames->region, datagrams->region, plain_region_size(CAPACITY));
		frames->now = datagrams->now += random_below(&seed, 1000000);
	}
	for (unsigned reason = PG_DROP_MESSAGE_TYPE; reason <= PG_DROP_SOURCE_RATE_LIMITED; reason++)
		assert_true(datagrams->stats.dropped[reason] > 0); // the messages were of every kind
	assert_true(datagrams->stats.dropped[PG_DROP_BAD_SOURCE] > 0);
	assert_true(datagrams->stats.dropped[PG_DROP_TRUNCATED] > 0);
	free(both);
	rig_close(datagrams);
	rig_close(frames);
}

static void the_same_messages_in_frames_and_datagrams_do_the_same_on_every_level(void **state UNUSED)
{
	for (size_t level = 0; level < COUNT(levels); level++)
		if (hot_path_select(levels[level]))
			compare_with_frames(levels[level]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_of_every_size_is_answered_datagram_by_datagram),
		cmocka_unit_test(datagrams_of_all_kinds_in_one_burst_keep_their_own_verdicts),
		cmocka_unit_test(a_datagram_without_a_source_port_is_a_bad_source),
		cmocka_unit_test(a_datagram_that_no_frame_holds_is_too_long),
		cmocka_unit_test(every_damage_to_a_message_gets_its_reason_and_no_session),
		cmocka_unit_test(numbers_that_are_none_are_not_finite),
		cmocka_unit_test(a_datagram_cut_short_anywhere_is_refused),
		cmocka_unit_test(first_messages_of_one_peer_in_one_burst_make_one_session),
		cmocka_unit_test(a_burst_is_handled_in_the_order_of_its_arrival),
		cmocka_unit_test(a_full_table_refuses_strangers_and_serves_its_players),
		cmocka_unit_test(a_source_is_limited_whatever_its_port_before_it_is_admitted),
		cmocka_unit_test(a_datagram_is_settled_where_its_socket_is),
		cmocka_unit_test(the_same_messages_in_frames_and_datagrams_do_the_same_on_every_level),
	};

	return cmocka_run_group_tests_name("datagram", tests, NULL, NULL);
}

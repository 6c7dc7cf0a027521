// SPDX-License-Identifier: BSD-3-Clause
// test_pipeline.c: whole bursts: answers, verdicts and sessions; and the core of pollgate_test.h.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "pollgate_test.h"

static void batch_add_game(struct batch *b, uint32_t peer, uint32_t type, uint32_t player)
{
	const struct flow flow = flow4(peer);
	struct frame f;

	build_game(&f, &flow, type, player);
	batch_add(b, &f);
}

// ---------------------------------------------------------------- bursts

static void a_burst_of_every_size_is_answered_frame_by_frame(void **state UNUSED)
{
	struct batch *b = zeroed_lines(sizeof(*b));

	for (unsigned n = 0; n <= BURST_MAX; n++) {
		struct rig *rig = rig_open("auto", 100);

		batch_clear(b);
		for (unsigned i = 0; i < n; i++)
			batch_add_game(b, i, 1 + i % 5, 1000 + i);
		batch_run(b, rig);
		for (unsigned i = 0; i < n; i++) {
			const struct flow flow = flow4(i), back = flow_back(&flow);
			struct frame expected;

			build_game(&expected, &back, 101 + i % 5, 1000 + i);
			assert_int_equal(b->burst.drop[i], PG_DROP_NONE);
			assert_int_equal(b->burst.length[i], expected.len);
			assert_memory_equal(b->memory[i], expected.bytes, expected.len);
		}
		assert_int_equal(rig->stats.received, n);
		assert_int_equal(rig->stats.sessions_active, n);
		assert_true(rig_conserved(rig));
		rig_close(rig);
	}
	free(b);
}

static void a_dropped_frame_is_left_as_it_came(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 1);
	struct batch *b = zeroed_lines(sizeof(*b));
	struct frame f;
	const struct flow flow = flow4(1);

	batch_clear(b);
	batch_add_game(b, 0, 1, 5);
	build_game(&f, &flow, 1, 6); // the table is full
	batch_add(b, &f);
	batch_run(b, rig);
	assert_int_equal(b->burst.drop[1], PG_DROP_TABLE_FULL);
	assert_memory_equal(b->memory[1], f.bytes, f.len);
	free(b);
	rig_close(rig);
}

static void frames_of_all_kinds_in_one_burst_keep_their_own_verdicts(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 100);
	struct batch *b = zeroed_lines(sizeof(*b));
	const struct flow flow = flow4(7);
	struct frame f;

	batch_clear(b);
	for (unsigned i = 0; i < 16; i++) {
		batch_add_game(b, i, 1, i);
		build_echo(&f, &flow, 8, i, NULL, 0);
		batch_add(b, &f);
		f.bytes[f.len - 1] ^= 1;
		batch_add(b, &f);
		f.len = 13;
		batch_add(b, &f);
	}
	batch_run(b, rig);
	for (unsigned i = 0; i < 64; i += 4) {
		assert_int_equal(b->burst.drop[i], PG_DROP_NONE);
		assert_int_equal(b->burst.drop[i + 1], PG_DROP_NONE);
		assert_int_equal(b->burst.drop[i + 2], PG_DROP_BAD_ICMP);
		assert_int_equal(b->burst.drop[i + 3], PG_DROP_TRUNCATED);
	}
	assert_int_equal(rig->stats.handled[PG_MESSAGE_MOVE], 16);
	assert_int_equal(rig->stats.handled[PG_MESSAGE_ICMP_ECHO], 16);
	assert_true(rig_conserved(rig));
	free(b);
	rig_close(rig);
}

// ---------------------------------------------------------------- sessions

static void first_messages_of_one_peer_in_one_burst_make_one_session(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 100);
	struct batch *b = zeroed_lines(sizeof(*b));

	batch_clear(b);
	for (unsigned i = 0; i < 64; i++)
		batch_add_game(b, i / 32, 1, 9);
	batch_run(b, rig);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(b->burst.drop[i], PG_DROP_NONE);
	assert_int_equal(rig->stats.sessions_active, 2);
	assert_int_equal(rig->stats.sessions_admitted, 2);
	assert_int_equal(rig->sessions.records[0].received, 32);
	free(b);
	rig_close(rig);
}

static void another_player_at_the_same_address_is_refused_even_in_one_burst(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 100);
	struct batch *b = zeroed_lines(sizeof(*b));

	batch_clear(b);
	batch_add_game(b, 1, 1, 10);
	batch_add_game(b, 1, 1, 11);
	batch_add_game(b, 1, 1, 10);
	batch_run(b, rig);
	assert_int_equal(b->burst.drop[0], PG_DROP_NONE);
	assert_int_equal(b->burst.drop[1], PG_DROP_PLAYER_MISMATCH);
	assert_int_equal(b->burst.drop[2], PG_DROP_NONE);
	assert_int_equal(rig->sessions.records[0].received, 2);
	free(b);
	rig_close(rig);
}

static void one_address_may_play_on_two_listeners(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 100);
	struct flow flow = flow4(1);
	struct frame f;

	build_game(&f, &flow, 1, 10);
	assert_int_equal(rig_send(rig, &f).drop, PG_DROP_NONE);
	flow.port_to = 8081;
	build_game(&f, &flow, 1, 11);
	assert_int_equal(rig_send(rig, &f).drop, PG_DROP_NONE);
	assert_int_equal(rig->stats.sessions_active, 2);
	rig_close(rig);
}

/// Two workers that serve one port.
static void make_colleagues(struct rig *const workers[2])
{
	for (uint32_t i = 0; i < 2; i++) {
		struct rig *rig = workers[i];

		rig->ingress.worker = i;
		rig->ingress.port_bit = 1;
		rig->registry.tables = 2;
		for (uint32_t k = 0; k < 2; k++) {
			rig->registry.active[k] = &workers[k]->stats.sessions_active;
			rig->registry.table[k] = &workers[k]->sessions;
			rig->registry.ports[k] = 1;
		}
	}
}

static void a_message_of_another_workers_session_is_left_for_it(void **state UNUSED)
{
	struct rig *workers[2] = {rig_open("auto", 100), rig_open("auto", 100)};
	struct batch *b = zeroed_lines(sizeof(*b)), *sent = zeroed_lines(sizeof(*sent));

	make_colleagues(workers);
	batch_clear(b);
	batch_add_game(b, 1, 1, 10);
	batch_run(b, workers[0]);
	batch_clear(b);
	batch_add_game(b, 2, 1, 11); // nobody's yet
	batch_add_game(b, 1, 1, 10);
	*sent = *b;
	batch_run(b, workers[1]);

	assert_int_equal(b->burst.drop[0], PG_DROP_NONE);
	assert_int_equal(b->burst.drop[1], PACKET_ELSEWHERE);
	assert_int_equal(b->burst.owner[1], 0);
	assert_int_equal(b->burst.unanswered, 1);
	assert_memory_equal(b->memory[1], sent->memory[1], sizeof(b->memory[1])); // as it came
	assert_int_equal(workers[1]->stats.sessions_active, 1);
	assert_int_equal(workers[1]->stats.handled[PG_MESSAGE_MOVE], 1);
	free(sent);
	free(b);
	rig_close(workers[1]);
	rig_close(workers[0]);
}

static void a_worker_that_does_not_serve_the_port_is_given_nothing(void **state UNUSED)
{
	struct rig *workers[2] = {rig_open("auto", 100), rig_open("auto", 100)};
	const struct flow flow = flow4(1);
	struct frame f;

	make_colleagues(workers);
	workers[1]->registry.ports[0] = 2;
	build_game(&f, &flow, 1, 10);
	assert_int_equal(rig_send(workers[0], &f).drop, PG_DROP_NONE);
	assert_int_equal(rig_send(workers[1], &f).drop, PG_DROP_NONE);
	rig_close(workers[1]);
	rig_close(workers[0]);
}

static void what_another_worker_received_is_settled_where_it_arrives(void **state UNUSED)
{
	struct rig *workers[2] = {rig_open("auto", 100), rig_open("auto", 100)};
	const struct flow flow = flow4(1);
	struct frame f;

	make_colleagues(workers);
	build_game(&f, &flow, 1, 10);
	assert_int_equal(rig_send(workers[0], &f).drop, PG_DROP_NONE);
	workers[1]->ingress.settles_here = true; // else two workers could give it to each other for ever
	workers[1]->ingress.arrivals = &workers[1]->stats.handed_in;
	assert_int_equal(rig_send(workers[1], &f).drop, PG_DROP_NONE);
	assert_int_equal(workers[1]->stats.received, 0);
	assert_int_equal(workers[1]->stats.handed_in, 1);
	rig_close(workers[1]);
	rig_close(workers[0]);
}

static void a_message_from_one_of_our_own_addresses_makes_no_session(void **state UNUSED)
{
	static const uint8_t ours[][4] = {{10, 0, 0, 1}, {10, 0, 0, 255}, {172, 16, 0, 2}, {172, 16, 1, 1}};
	struct rig *rig = rig_open("auto", 100);
	struct flow flow = flow4(1);
	struct frame f;

	rig_identity_of_many(&rig->identity);
	for (size_t to = 0; to < COUNT(ours); to++)
		for (size_t from = 0; from < COUNT(ours); from++) {
			if (to == 1) // a broadcast address is nobody
				continue;
			memcpy(flow.to, ours[to], 4);
			memcpy(flow.from, ours[from], 4);
			build_game(&f, &flow, 1, 10);
			assert_int_equal(rig_send(rig, &f).drop, PG_DROP_BAD_SOURCE);
		}
	assert_int_equal(rig->stats.sessions_active, 0);
	rig_close(rig);
}

static void a_refused_message_makes_no_session(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 100);
	const struct flow flow = flow4(1);
	uint8_t message[64];
	struct frame f;

	build_message(message, 1, 10);
	put_le32(message + 20, 0x7fc00000);
	build_udp(&f, &flow, message, 44);
	assert_int_equal(rig_send(rig, &f).drop, PG_DROP_NOT_FINITE);
	build_udp(&f, &flow, message, 0);
	assert_int_equal(rig_send(rig, &f).drop, PG_DROP_TRUNCATED);
	assert_int_equal(rig->stats.sessions_active, 0);
	rig_close(rig);
}

static void a_full_table_refuses_strangers_and_serves_its_players(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 50);
	struct frame f;

	for (uint32_t n = 0; n < 80; n++) {
		const struct flow flow = flow4(n);

		build_game(&f, &flow, 4, n);
		assert_int_equal(rig_send(rig, &f).drop, n < 50 ? PG_DROP_NONE : PG_DROP_TABLE_FULL);
	}
	for (uint32_t n = 0; n < 50; n++) {
		const struct flow flow = flow4(n);

		build_game(&f, &flow, 1, n);
		assert_int_equal(rig_send(rig, &f).drop, PG_DROP_NONE);
	}
	assert_int_equal(rig->stats.dropped[PG_DROP_TABLE_FULL], 30);
	assert_int_equal(rig->stats.sessions_active, 50);
	rig_close(rig);
}

static void a_session_that_expired_makes_room_for_another(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 1);
	const struct flow first = flow4(1), second = flow4(2);
	struct frame a, b;

	build_game(&a, &first, 4, 1);
	build_game(&b, &second, 4, 2);
	assert_int_equal(rig_send(rig, &a).drop, PG_DROP_NONE);
	assert_int_equal(rig_send(rig, &b).drop, PG_DROP_TABLE_FULL);
	rig->now += rig->policy.sessions.idle_timeout + 1;
	assert_int_equal(plain_expire(&rig->sessions, rig->now, rig->policy.sessions.idle_timeout, 1), 1);
	assert_int_equal(rig_send(rig, &b).drop, PG_DROP_NONE);
	rig_close(rig);
}

static void a_move_is_stored_with_the_time_of_its_burst(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 10);
	const struct flow flow = flow4(1);
	struct frame f;

	build_game(&f, &flow, 1, 3);
	rig_send(rig, &f);
	rig->now += 12345;
	rig_send(rig, &f);

	const struct plain_session *session = &rig->sessions.records[0];

	assert_int_equal(session->player_id, 3);
	assert_int_equal(session->received, 2);
	assert_int_equal(session->last_seen, RIG_HZ + 12345);
	assert_memory_equal(&session->motion, f.bytes + f.payload + 20, 24);
	rig_close(rig);
}

// ---------------------------------------------------------------- the core of pollgate_test.h

static struct pg_plan *core_plan(void)
{
	struct pg_plan *plan = zeroed_lines(sizeof(*plan));

	plan->abi_version = PG_ABI_VERSION;
	plan->port_count = 1;
	plan->listener_count = 1;
	plan->listener_port[0] = 8080;
	plan->session_capacity = 64;
	strcpy(plan->isa, "auto");
	plan->port[0].address_count = 1;
	plan->port[0].address[0] = (struct pg_address){4, 24, {10, 0, 0, 1}};
	memcpy(plan->port[0].mac, our_mac, 6);
	plan->policy.idle_timeout_ns = 1000000000;
	return plan;
}

static void the_exported_core_answers_drops_and_expires(void **state UNUSED)
{
	struct pg_plan *plan = core_plan();
	struct pg_core *core = pg_core_open(plan, NULL);
	const struct flow flow = flow4(1), back = flow_back(&flow);
	struct frame good, bad, expected;
	uint8_t *const frame[2] = {good.bytes, bad.bytes};
	uint8_t drop[2];

	assert_non_null(core);
	build_game(&good, &flow, 1, 1);
	build_game(&bad, &flow, 1, 1);
	build_game(&expected, &back, 101, 1);
	bad.bytes[bad.payload + 8] ^= 1;

	uint16_t length[2] = {good.len, bad.len};

	pg_core_burst(core, 5, frame, length, drop, 2);
	assert_int_equal(drop[0], PG_DROP_NONE);
	assert_int_equal(length[0], expected.len);
	assert_memory_equal(good.bytes, expected.bytes, expected.len);
	assert_int_equal(drop[1], PG_DROP_UDP_CHECKSUM);
	assert_int_equal(length[1], 0);
	assert_int_equal(pg_core_stats(core)->received, 2);
	assert_int_equal(pg_core_stats(core)->sessions_active, 1);
	assert_int_equal(pg_core_expire(core, 5), 0);
	assert_int_equal(pg_core_expire(core, 100 * pg_tsc_hz()), 1);
	assert_int_equal(pg_core_stats(core)->sessions_active, 0);
	pg_core_close(core);
	free(plan);
}

static void the_exported_core_takes_datagrams_too(void **state UNUSED)
{
	struct pg_plan *plan = core_plan();
	struct pg_core *core = pg_core_open(plan, NULL);
	const struct flow flow = flow4(1);
	struct frame frame;
	uint8_t *const bytes[1] = {frame.bytes};
	uint8_t same[44], other[44], mapped[44], expected[44], drop[1];
	struct pg_datagram datagram[3] = {
		{.source = {4, 0, {0}}, .length = 44, .payload = same},
		{.source = {4, 0, {0}}, .length = 44, .payload = other},
		{.source = {6, 0, {[10] = 0xff, [11] = 0xff}}, .length = 44, .payload = mapped},
	};

	build_game(&frame, &flow, 1, 1);
	build_message(same, 1, 1);
	build_message(other, 1, 2);
	build_message(mapped, 1, 1);
	build_message(expected, 101, 1);
	for (unsigned i = 0; i < 3; i++) {
		memcpy(datagram[i].source.bytes + (i == 2 ? 12 : 0), flow.from,
		       4); // as a socket of both families has it
		datagram[i].source_port = flow.port_from;
	}
	pg_core_burst(core, 5, bytes, &frame.len, drop, 1); // the same peer, whoever took its frame off
	pg_core_datagrams(core, 6, datagram, 3);
	assert_int_equal(drop[0], PG_DROP_NONE);
	assert_int_equal(datagram[0].drop, PG_DROP_NONE);
	assert_memory_equal(same, expected, sizeof(same));
	assert_int_equal(datagram[1].drop, PG_DROP_PLAYER_MISMATCH);
	assert_int_equal(datagram[2].drop, PG_DROP_NONE);
	assert_memory_equal(mapped, expected, sizeof(mapped));
	assert_int_equal(pg_core_stats(core)->received, 4);
	assert_int_equal(pg_core_stats(core)->sessions_active, 1);
	pg_core_close(core);
	free(plan);
}

static void a_core_for_a_level_that_does_not_exist_is_refused(void **state UNUSED)
{
	struct pg_plan *plan = core_plan();

	strcpy(plan->isa, "v9");
	assert_null(pg_core_open(plan, NULL));
	free(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_of_every_size_is_answered_frame_by_frame),
		cmocka_unit_test(a_dropped_frame_is_left_as_it_came),
		cmocka_unit_test(frames_of_all_kinds_in_one_burst_keep_their_own_verdicts),
		cmocka_unit_test(first_messages_of_one_peer_in_one_burst_make_one_session),
		cmocka_unit_test(another_player_at_the_same_address_is_refused_even_in_one_burst),
		cmocka_unit_test(one_address_may_play_on_two_listeners),
		cmocka_unit_test(a_message_of_another_workers_session_is_left_for_it),
		cmocka_unit_test(a_worker_that_does_not_serve_the_port_is_given_nothing),
		cmocka_unit_test(what_another_worker_received_is_settled_where_it_arrives),
		cmocka_unit_test(a_message_from_one_of_our_own_addresses_makes_no_session),
		cmocka_unit_test(a_refused_message_makes_no_session),
		cmocka_unit_test(a_full_table_refuses_strangers_and_serves_its_players),
		cmocka_unit_test(a_session_that_expired_makes_room_for_another),
		cmocka_unit_test(a_move_is_stored_with_the_time_of_its_burst),
		cmocka_unit_test(the_exported_core_answers_drops_and_expires),
		cmocka_unit_test(the_exported_core_takes_datagrams_too),
		cmocka_unit_test(a_core_for_a_level_that_does_not_exist_is_refused),
	};

	return cmocka_run_group_tests_name("pipeline", tests, NULL, NULL);
}

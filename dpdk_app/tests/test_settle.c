// SPDX-License-Identifier: BSD-3-Clause
// test_settle.c: whenever a worker dies, its counters are settled so that the laws of conservation hold.

#include "unit.h"

#include <string.h>

#include "runtime/worker.h"

static uint64_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

/// A worker that dies after so many stores: counts as engine/dpdk/loop.c and engine/dpdk/transmit.c do, in their order.
struct crashing_worker {
	struct pg_worker_stats stats;
	uint64_t stores_left;
};

static bool store(struct crashing_worker *m, uint64_t *counter, uint64_t n)
{
	if (m->stores_left == 0)
		return false;
	m->stores_left--;
	*counter += n;
	return true;
}

static void transmit_some(struct crashing_worker *m, uint64_t n, uint64_t *seed)
{
	const uint64_t sent = next(seed) % (n + 1);
	struct pg_port_counts *port = &m->stats.port[next(seed) % PG_PORTS_MAX];

	store(m, &m->stats.tx_offered, n);
	store(m, &port->tx_packets, sent);
	store(m, &port->tx_bytes, sent * 60);
	store(m, &m->stats.tx_sent, sent);
	store(m, &m->stats.tx_dropped[next(seed) % 2], n - sent);
}

static void serve_burst(struct crashing_worker *m, uint64_t *seed)
{
	const uint64_t n = 1 + next(seed) % 64;
	struct pg_port_counts *port = &m->stats.port[next(seed) % PG_PORTS_MAX];
	uint64_t answers = 0;

	store(m, &port->rx_packets, n);
	store(m, &port->rx_bytes, n * 60);
	store(m, &m->stats.received, n);
	for (uint64_t i = 0; i < n; i++) {
		if (next(seed) % 3 == 0) {
			store(m, &m->stats.dropped[1 + next(seed) % (PG_DROPS - 2)], 1);
			continue;
		}
		if (next(seed) % 5 == 0) {
			store(m, &m->stats.forwarded, 1);
			continue;
		}
		store(m, &m->stats.handled[next(seed) % PG_MESSAGES], 1);
		if (next(seed) % 4 == 0)
			store(m, &m->stats.unanswered, 1);
		else
			answers++;
	}
	if (answers > 0)
		transmit_some(m, answers, seed);
	store(m, &m->stats.handling[next(seed) % PG_HANDLING_BUCKETS], answers);
}

/// Announcements, and what sessions say without having been asked.
static void originate(struct crashing_worker *m, uint64_t *seed)
{
	const uint64_t n = 1 + next(seed) % 64;
	uint64_t *const ends[] = {
		&m->stats.netcode_payloads_sent,     &m->stats.netcode_payloads_no_room,
		&m->stats.netcode_payloads_too_many, &m->stats.netcode_payloads_no_way,
		&m->stats.netcode_payloads_closed,
	};

	for (uint64_t i = 0; i < n; i++) {
		store(m, &m->stats.netcode_payloads_offered, 1);
		store(m, ends[next(seed) % 5], 1);
	}
	store(m, &m->stats.tx_originated, n);
	transmit_some(m, n, seed);
}

/// What players say: some of it waits for a look through a world in the worker's memory.
static void converse(struct crashing_worker *m, uint64_t *seed)
{
	static const enum pg_request said[] = {PG_REQUEST_ATTACK, PG_REQUEST_CHAT, PG_REQUEST_GAME, PG_REQUEST_MOVE};
	const unsigned type = next(seed) % COUNT(said);
	bool taken = store(m, &m->stats.messages.received[said[type]], 1);

	if (taken && said[type] != PG_REQUEST_MOVE && next(seed) % 4 != 0)
		store(m, &m->stats.messages.dispatched[next(seed) % PG_DESTINATION_WORKER_LOST], 1);
}

static uint64_t sum(const uint64_t *counters, unsigned n)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < n; i++)
		total += counters[i];
	return total;
}

static void assert_laws(const struct pg_worker_stats *s)
{
	const struct pg_message_stats *messages = &s->messages;
	const uint64_t handled = sum(s->handled, PG_MESSAGES);
	uint64_t rx = 0, tx = 0;

	for (unsigned i = 0; i < PG_PORTS_MAX; i++) {
		rx += s->port[i].rx_packets;
		tx += s->port[i].tx_packets;
	}
	assert_int_equal(s->received, rx);
	assert_int_equal(s->tx_sent, tx);
	assert_int_equal(s->received, handled + sum(s->dropped, PG_DROPS) + s->to_kernel + s->forwarded);
	assert_int_equal(s->tx_offered, s->tx_sent + sum(s->tx_dropped, PG_TX_DROPS));
	assert_int_equal(s->tx_offered, handled - s->unanswered + s->tx_originated);
	assert_int_equal(s->netcode_payloads_offered, s->netcode_payloads_sent + s->netcode_payloads_no_room +
							      s->netcode_payloads_too_many +
							      s->netcode_payloads_no_way + s->netcode_payloads_closed +
							      s->netcode_payloads_worker_lost);
	assert_int_equal(sum(s->handling, PG_HANDLING_BUCKETS), handled - s->unanswered);
	assert_int_equal(sum(messages->dispatched, PG_DESTINATIONS),
			 sum(messages->received, PG_REQUESTS) - messages->received[PG_REQUEST_MOVE]);
	// A difference taken the wrong way round would be near 2^64.
	assert_true(s->dropped[PG_DROP_WORKER_LOST] < 1000000);
	assert_true(s->tx_dropped[PG_TX_DROP_WORKER_LOST] < 1000000);
}

/// No counter of `after` is smaller than in `before`, the heartbeat apart.
static void assert_monotonic(const struct pg_worker_stats *before, const struct pg_worker_stats *after)
{
	const uint64_t *b = (const uint64_t *)before, *a = (const uint64_t *)after;

	for (size_t i = offsetof(struct pg_worker_stats, received) / 8; i < sizeof(*before) / 8; i++)
		assert_true(a[i] >= b[i]);
}

static void a_worker_that_dies_anywhere_leaves_conserved_counters(void **state UNUSED)
{
	uint64_t seed = 12;

	for (unsigned round = 0; round < 5000; round++) {
		struct crashing_worker m = {.stores_left = next(&seed) % 400};

		while (m.stores_left > 0)
			if (next(&seed) % 8 == 0)
				originate(&m, &seed);
			else if (next(&seed) % 4 == 0)
				converse(&m, &seed);
			else
				serve_burst(&m, &seed);

		const struct pg_worker_stats before = m.stats;

		worker_stats_settle(&m.stats, 1, 0);
		assert_laws(&m.stats);
		assert_monotonic(&before, &m.stats);
		assert_true(m.stats.dropped[PG_DROP_WORKER_LOST] <= 64); // one burst at most was in its hands
		assert_true(m.stats.tx_dropped[PG_TX_DROP_WORKER_LOST] <= 64);
	}
}

static void many_deaths_in_a_row_stay_conserved(void **state UNUSED)
{
	struct crashing_worker m = {0};
	uint64_t seed = 34;

	for (unsigned death = 0; death < 500; death++) {
		m.stores_left = next(&seed) % 300;
		while (m.stores_left > 0)
			serve_burst(&m, &seed);
		worker_stats_settle(&m.stats, 1, 0);
		assert_laws(&m.stats);
	}
}

static void settling_twice_changes_nothing(void **state UNUSED)
{
	struct crashing_worker m = {.stores_left = 1234};
	uint64_t seed = 56;

	while (m.stores_left > 0)
		serve_burst(&m, &seed);
	worker_stats_settle(&m.stats, 1, 0);

	const struct pg_worker_stats once = m.stats;

	worker_stats_settle(&m.stats, 1, 0);
	assert_memory_equal(&m.stats, &once, sizeof(once));
}

static void a_worker_that_ended_well_lost_nothing(void **state UNUSED)
{
	struct crashing_worker m = {.stores_left = UINT64_MAX};
	uint64_t seed = 78;

	for (unsigned i = 0; i < 100; i++)
		serve_burst(&m, &seed);
	m.stats.heartbeat_tsc = 99;

	struct pg_worker_stats expected = m.stats;

	expected.heartbeat_tsc = 0; // the next worker has not turned yet
	worker_stats_settle(&m.stats, 1, 0);
	assert_memory_equal(&m.stats, &expected, sizeof(expected));
}

static void messages_in_mail_are_lost_with_both_who_write_and_who_read(void **state UNUSED)
{
	// Five from the first to the second, of which that has one in hand, and one back; three of the operator's.
	struct pg_worker_stats stats[2] = {
		{.messages = {.mailed_out = 5, .letters_in = 1}},
		{.messages = {.mailed_out = 1, .mailed_in = 2, .letters_in = 1}},
	};
	uint64_t out = 0, in = 0, lost = 0;

	for (unsigned times = 0; times < 2; times++) {
		worker_stats_settle(stats, 2, 3);
		out = in = lost = 0;
		for (unsigned i = 0; i < 2; i++) {
			out += stats[i].messages.mailed_out;
			in += stats[i].messages.mailed_in;
			lost += sum(stats[i].messages.lost, PG_LOSSES);
		}
		assert_int_equal(out, 6);
		assert_int_equal(in, 6);
		assert_int_equal(lost, 5);
		assert_int_equal(stats[0].messages.letters_in + stats[1].messages.letters_in, 3);
		assert_int_equal(stats[0].messages.lost[PG_LOSS_WORKER_LOST], 5);
	}
}

static void packets_on_their_way_to_another_worker_are_lost_with_both(void **state UNUSED)
{
	// Three were handed over; one arrived and was handled, two lay in the inbox.
	struct pg_worker_stats stats[2] = {
		{.received = 3, .handed_out = 3, .port[0].rx_packets = 3},
		{.handed_in = 1, .handled[PG_MESSAGE_MOVE] = 1},
	};
	uint64_t lost;

	worker_stats_settle(stats, 2, 0);
	lost = stats[0].dropped[PG_DROP_WORKER_LOST] + stats[1].dropped[PG_DROP_WORKER_LOST];
	assert_int_equal(lost, 2);
	assert_int_equal(stats[0].handed_in + stats[1].handed_in, stats[0].handed_out + stats[1].handed_out);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(stats[i].received + stats[i].handed_in, sum(stats[i].handled, PG_MESSAGES) +
										 sum(stats[i].dropped, PG_DROPS) +
										 stats[i].handed_out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_that_dies_anywhere_leaves_conserved_counters),
		cmocka_unit_test(many_deaths_in_a_row_stay_conserved),
		cmocka_unit_test(settling_twice_changes_nothing),
		cmocka_unit_test(a_worker_that_ended_well_lost_nothing),
		cmocka_unit_test(messages_in_mail_are_lost_with_both_who_write_and_who_read),
		cmocka_unit_test(packets_on_their_way_to_another_worker_are_lost_with_both),
	};

	return cmocka_run_group_tests_name("settle", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// test_session_engines.c: the session profile in the socket engines over loopback, with players of the C client library:
// two workers, what is said between them, letters of the operator, an end that players are told, and one that they outlive.

#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "appliance.h"
#include "pollgate_client.h"
#include "wire/session.h"

#define WORKERS 2
#define CAPACITY 64
#define PLAYERS 16 // that the kernel gives all of them to one worker has a probability of 2^-15
#define PATIENCE_MS 20000

/// An appliance and its players.
struct process_fixture {
	struct appliance appliance;
	uint32_t session[PLAYERS];
	pgc_client *player[PLAYERS];
	unsigned heard[PLAYERS]; // messages
	uint32_t bytes[PLAYERS]; // of the longest
	int closed[PLAYERS];     // enum pgc_closed; 0: is not
	unsigned connected[PLAYERS];
	unsigned lost; // messages with a receipt
};

// ---------------------------------------------------------------- an appliance

static struct pg_delivery_policy delivery(void)
{
	struct pg_delivery_policy policy = {
		.flush_us = 5000,
		.acknowledge_us = 25000,
		.resend_min_us = 100000,
		.queue_bytes = 256 << 10,
		.handshake_permille = 1000,
		.compress_min = {32, 100, 100},
	};

	for (unsigned i = 0; i < PG_REQUESTS; i++)
		policy.message_burst[i] = 1;
	return policy;
}

static void allot(struct process_fixture *t, uint8_t engine)
{
	struct pg_plan *plan = &t->appliance.plan;

	memset(t, 0, sizeof(*t));
	appliance_plan(&t->appliance, engine, WORKERS, CAPACITY);
	plan->listener_profile[0] = PG_PROFILE_SESSION;
	plan->issued_capacity = CAPACITY;
	plan->message_memory_mib = 16;
	plan->compression_level = 6;
	plan->policy.delivery = delivery();
	appliance_prepare(&t->appliance);
}

// ---------------------------------------------------------------- players

static void issue(struct process_fixture *t, unsigned i)
{
	struct pg_issue_request request = {.player_id = i + 1, .ttl_s = 3600};
	struct pgc_options options;

	memset(request.key, (int)i + 1, sizeof(request.key));
	assert_int_equal(pg_session_issue(t->appliance.state, &request, &t->session[i], &t->appliance.error), PG_OK);
	pgc_options_init(&options);
	options.session = t->session[i];
	options.memory_bytes = 512 << 10;
	memcpy(options.key, request.key, sizeof(options.key));
	t->player[i] = pgc_new(&options);
	assert_non_null(t->player[i]);
	assert_int_equal(pgc_open(t->player[i], "127.0.0.1", t->appliance.plan.listener_port[0]), PGC_OK);
}

static void note(struct process_fixture *t, unsigned i, const struct pgc_event *event)
{
	switch (event->type) {
	case PGC_EVENT_CONNECTED:
		t->connected[i]++;
		break;
	case PGC_EVENT_CLOSED:
		t->closed[i] = event->as.closed.reason;
		break;
	case PGC_EVENT_LOST:
		t->lost++;
		break;
	case PGC_EVENT_CHAT:
		t->heard[i]++;
		break;
	case PGC_EVENT_BULK:
	case PGC_EVENT_INVENTORY:
		t->heard[i]++;
		for (uint32_t k = 0; k < event->as.bytes.bytes; k++)
			assert_int_equal(event->as.bytes.data[k], (uint8_t)(k * 7 >> 3));
		if (event->as.bytes.bytes > t->bytes[i])
			t->bytes[i] = event->as.bytes.bytes;
		break;
	default:
		break;
	}
}

static void listen_once(struct process_fixture *t)
{
	struct pgc_event event;

	for (unsigned i = 0; i < PLAYERS; i++)
		while (pgc_poll(t->player[i], 0) > 0)
			while (pgc_next_event(t->player[i], &event))
				note(t, i, &event);
}

typedef bool player_did(const struct process_fixture *t, unsigned i, unsigned count);

static bool has_connected(const struct process_fixture *t, unsigned i, unsigned count)
{
	return t->connected[i] >= count;
}

static bool has_heard(const struct process_fixture *t, unsigned i, unsigned count)
{
	return t->heard[i] >= count;
}

static bool was_told_of_the_end(const struct process_fixture *t, unsigned i, unsigned count)
{
	(void)count;
	return t->closed[i] == PGC_CLOSED_SHUTDOWN;
}

static bool everybody(const struct process_fixture *t, player_did *did, unsigned count)
{
	for (unsigned i = 0; i < PLAYERS; i++)
		if (!did(t, i, count))
			return false;
	return true;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void await(struct process_fixture *t, player_did *did, unsigned count)
{
	const struct timespec pause = {.tv_nsec = 500000};
	const uint64_t deadline = now_ms() + PATIENCE_MS;

	while (!everybody(t, did, count)) {
		assert_true(now_ms() < deadline);
		listen_once(t);
		nanosleep(&pause, NULL);
	}
}

/// Nothing is on its way any more: acknowledgements have been sent, too.
static void fall_silent(struct process_fixture *t)
{
	const struct timespec pause = {.tv_nsec = 500000};
	const uint64_t until = now_ms() + 300;

	while (now_ms() < until) {
		listen_once(t);
		nanosleep(&pause, NULL);
	}
}

static void fixture_open(struct process_fixture *t, uint8_t engine)
{
	allot(t, engine);
	appliance_start(&t->appliance);
	for (unsigned i = 0; i < PLAYERS; i++)
		issue(t, i);
	await(t, has_connected, 1);
}

static void fixture_close(struct process_fixture *t)
{
	for (unsigned i = 0; i < PLAYERS; i++)
		pgc_free(t->player[i]);
	appliance_give_up(&t->appliance);
}

/// Every player writes to all.
static void chat(struct process_fixture *t)
{
	const struct pgc_delivery kept = {.reliable = true, .channel = 1, .priority = PGC_NORMAL, .receipt = 1};

	for (unsigned i = 0; i < PLAYERS; i++)
		for (unsigned k = 0; k < PLAYERS; k++)
			assert_int_equal(pgc_chat(t->player[i], k + 1, 0, "all of you, hear this", 21, &kept), PGC_OK);
}

static uint8_t *pattern(size_t length)
{
	uint8_t *bytes = malloc(length);

	assert_non_null(bytes);
	for (size_t k = 0; k < length; k++)
		bytes[k] = (uint8_t)(k * 7 >> 3);
	return bytes;
}

// ---------------------------------------------------------------- what both engines do

static void test_players_of_two_workers_hear_each_other(void **state)
{
	struct process_fixture t;

	fixture_open(&t, engine_of(state));
	chat(&t);
	await(&t, has_heard, PLAYERS);
	fall_silent(&t);
	appliance_stop(&t.appliance);
	appliance_assert_conserved(&t.appliance);
	assert_true(t.appliance.page->worker[0].connections > 0);
	assert_true(t.appliance.page->worker[1].connections > 0);
	assert_int_equal(TOTAL(&t.appliance, messages.sent[PG_EVENT_CHAT]), PLAYERS * PLAYERS);
	assert_int_equal(t.lost, 0);
	fixture_close(&t);
}

static void test_the_longest_message_goes_to_the_next_player(void **state)
{
	struct process_fixture t;
	uint8_t *bytes = pattern(PGC_BULK_MAX);

	fixture_open(&t, engine_of(state));
	for (unsigned i = 0; i < PLAYERS; i++)
		assert_int_equal(pgc_bulk(t.player[i], (i + 1) % PLAYERS + 1, bytes, PGC_BULK_MAX, NULL), PGC_OK);
	await(&t, has_heard, 1);
	appliance_stop(&t.appliance);
	appliance_assert_conserved(&t.appliance);
	for (unsigned i = 0; i < PLAYERS; i++)
		assert_int_equal(t.bytes[i], PGC_BULK_MAX);
	free(bytes);
	fixture_close(&t);
}

static void test_players_whose_address_changes_stay_with_their_worker(void **state)
{
	struct process_fixture t;

	fixture_open(&t, engine_of(state));
	for (unsigned i = 0; i < PLAYERS; i++)
		assert_int_equal(pgc_rebind(t.player[i]), PGC_OK);
	chat(&t);
	await(&t, has_heard, PLAYERS);
	fall_silent(&t);
	appliance_stop(&t.appliance);
	appliance_assert_conserved(&t.appliance);
	assert_true(TOTAL(&t.appliance, handed_out) > 0);
	assert_int_equal(TOTAL(&t.appliance, path_changes), PLAYERS);
	assert_int_equal(TOTAL(&t.appliance, connections), PLAYERS);
	fixture_close(&t);
}

static void test_a_letter_of_the_operator_arrives(void **state)
{
	struct process_fixture t;
	uint8_t *bytes = pattern(30000);

	fixture_open(&t, engine_of(state));
	for (unsigned i = 0; i < PLAYERS; i++) {
		const struct pg_letter letter = {
			.session = t.session[i],
			.type = SESSION_INVENTORY,
			.reliable = 1,
			.priority = 2,
			.length = 30000,
			.body = bytes,
		};

		assert_int_equal(pg_send(t.appliance.gateway, &letter, &t.appliance.error), PG_OK);
	}
	await(&t, has_heard, 1);
	appliance_stop(&t.appliance);
	appliance_assert_conserved(&t.appliance);
	assert_int_equal(t.bytes[PLAYERS - 1], 30000);
	assert_int_equal(TOTAL(&t.appliance, messages.sent[PG_EVENT_INVENTORY]), PLAYERS);
	free(bytes);
	fixture_close(&t);
}

static void test_a_letter_to_nobody_is_refused(void **state)
{
	struct process_fixture t;
	const uint8_t body[4] = {0};
	struct pg_letter letter = {.type = SESSION_INVENTORY, .length = sizeof(body), .body = body};

	fixture_open(&t, engine_of(state));
	letter.session = t.session[0] ^ 1U << 31;
	assert_int_equal(pg_send(t.appliance.gateway, &letter, &t.appliance.error), PG_ERROR_USAGE);
	assert_non_null(strstr(t.appliance.error.message, "not connected"));
	letter.session = t.session[0];
	letter.type = SESSION_MOVE;
	assert_int_equal(pg_send(t.appliance.gateway, &letter, &t.appliance.error), PG_ERROR_USAGE);
	appliance_stop(&t.appliance);
	appliance_assert_conserved(&t.appliance);
	fixture_close(&t);
}

static void test_players_are_told_when_the_gateway_ends(void **state)
{
	struct process_fixture t;

	fixture_open(&t, engine_of(state));
	assert_true(pg_dismiss(t.appliance.gateway, SETTLE_MS));
	appliance_stop(&t.appliance);
	await(&t, was_told_of_the_end, 0);
	appliance_assert_conserved(&t.appliance);
	assert_int_equal(TOTAL(&t.appliance, closed[SESSION_CLOSED_SHUTDOWN]), PLAYERS);
	assert_int_equal(TOTAL(&t.appliance, connected), 0);
	fixture_close(&t);
}

static void test_connections_outlive_the_process_of_the_workers(void **state)
{
	struct process_fixture t;

	fixture_open(&t, engine_of(state));
	for (unsigned round = 1; round <= 3; round++) {
		chat(&t);
		await(&t, has_heard, round * PLAYERS);
		fall_silent(&t);
		appliance_stop(&t.appliance);
		appliance_start(&t.appliance);
	}
	fall_silent(&t);
	appliance_stop(&t.appliance);
	appliance_assert_conserved(&t.appliance);
	assert_int_equal(TOTAL(&t.appliance, connections), PLAYERS);
	assert_int_equal(TOTAL(&t.appliance, sessions_recovered), 3 * PLAYERS);
	assert_int_equal(t.lost, 0);
	for (unsigned i = 0; i < PLAYERS; i++)
		assert_int_equal(t.connected[i], 1);
	fixture_close(&t);
}

static void test_an_end_in_the_middle_of_talk_keeps_conservation(void **state)
{
	struct process_fixture t;

	fixture_open(&t, engine_of(state));
	for (unsigned round = 0; round < 4; round++) {
		await(&t, has_connected, 1);
		chat(&t);
		listen_once(&t);
		appliance_stop(&t.appliance);
		appliance_assert_conserved(&t.appliance);
		appliance_start(&t.appliance);
		for (unsigned i = 0; i < PLAYERS; i++) {
			t.connected[i] = 0; // those who lost messages connect again; the others do for the test's sake
			pgc_reconnect(t.player[i]);
		}
	}
	appliance_stop(&t.appliance);
	appliance_assert_conserved(&t.appliance);
	fixture_close(&t);
}

static void test_a_new_policy_holds_for_sessions_at_once(void **state)
{
	struct process_fixture t;
	struct pg_policy policy;

	fixture_open(&t, engine_of(state));
	policy = t.appliance.plan.policy;
	policy.delivery.message_pps[PG_REQUEST_CHAT] = 1;
	policy.delivery.message_burst[PG_REQUEST_CHAT] = 1;
	assert_int_equal(pg_apply(t.appliance.gateway, &policy, SETTLE_MS, &t.appliance.error), PG_OK);
	chat(&t);
	fall_silent(&t);
	appliance_stop(&t.appliance);
	appliance_assert_conserved(&t.appliance);
	assert_true(TOTAL(&t.appliance, messages.refused[PG_REFUSED_RATE]) > 0);
	fixture_close(&t);
}

int main(void)
{
	static uint8_t engines[] = {PG_ENGINE_EPOLL, PG_ENGINE_IO_URING};
	int failed = 0;

	for (unsigned i = 0; i < COUNT(engines); i++) {
		const struct CMUnitTest tests[] = {
			cmocka_unit_test_prestate(test_players_of_two_workers_hear_each_other, &engines[i]),
			cmocka_unit_test_prestate(test_the_longest_message_goes_to_the_next_player, &engines[i]),
			cmocka_unit_test_prestate(test_players_whose_address_changes_stay_with_their_worker,
						  &engines[i]),
			cmocka_unit_test_prestate(test_a_letter_of_the_operator_arrives, &engines[i]),
			cmocka_unit_test_prestate(test_a_letter_to_nobody_is_refused, &engines[i]),
			cmocka_unit_test_prestate(test_players_are_told_when_the_gateway_ends, &engines[i]),
			cmocka_unit_test_prestate(test_connections_outlive_the_process_of_the_workers, &engines[i]),
			cmocka_unit_test_prestate(test_an_end_in_the_middle_of_talk_keeps_conservation, &engines[i]),
			cmocka_unit_test_prestate(test_a_new_policy_holds_for_sessions_at_once, &engines[i]),
		};

		failed += cmocka_run_group_tests_name(
			engines[i] == PG_ENGINE_EPOLL ? "sessions, epoll" : "sessions, io_uring", tests, NULL, NULL);
	}
	return failed;
}

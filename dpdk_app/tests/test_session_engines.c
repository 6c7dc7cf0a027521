// SPDX-License-Identifier: BSD-3-Clause
// test_session_engines.c: the session profile in the socket engines over loopback, with players of the C client library:
// two workers, what is said between them, letters of the operator, an end that players are told, and one that they outlive.

#include "unit.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pollgate.h"
#include "pollgate_client.h"
#include "wire/session.h"

#define WORKERS 2
#define CAPACITY 64
#define PLAYERS 16 // that the kernel gives all of them to one worker has a probability of 2^-15
#define PATIENCE_MS 20000
#define SETTLE_MS 5000

/// An appliance in this process, what outlives it, and its players.
struct town {
	struct pg_plan plan;
	struct pg_stats_page *page;
	void *state;
	size_t state_size;
	struct pg_gateway *gateway;
	struct pg_error error;
	uint32_t session[PLAYERS];
	pgc_client *player[PLAYERS];
	unsigned heard[PLAYERS]; // messages
	uint32_t bytes[PLAYERS]; // of the longest
	int closed[PLAYERS];     // enum pgc_closed; 0: is not
	unsigned connected[PLAYERS];
	unsigned lost; // messages with a receipt
};

// ---------------------------------------------------------------- an appliance

static uint16_t free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static struct pg_delivery_policy delivery(void)
{
	struct pg_delivery_policy policy = {
		.flush_us = 5000,
		.acknowledge_us = 25000,
		.resend_min_us = 100000,
		.resends = 6,
		.queue_bytes = 256 << 10,
		.handshake_permille = 1000,
		.compress_min = {32, 100, 100},
	};

	for (unsigned i = 0; i < PG_REQUESTS; i++)
		policy.message_burst[i] = 1;
	return policy;
}

static void allot(struct town *t, uint8_t engine)
{
	struct pg_plan *plan = &t->plan;

	memset(t, 0, sizeof(*t));
	plan->abi_version = PG_ABI_VERSION;
	plan->engine = engine;
	plan->port_count = 1;
	plan->listener_count = 1;
	plan->listener_port[0] = free_port();
	plan->listener_profile[0] = PG_PROFILE_SESSION;
	plan->worker_count = WORKERS;
	for (uint32_t i = 0; i < WORKERS; i++)
		plan->worker[i].cpu = i % (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	plan->session_capacity = plan->issued_capacity = CAPACITY;
	plan->message_memory_mib = 16;
	plan->compression_level = 6;
	strcpy(plan->isa, "auto");
	strcpy(plan->port[0].name, "lo");
	plan->port[0].address_count = 1;
	plan->port[0].address[0] = (struct pg_address){.family = 4, .prefix_len = 8, .bytes = {127, 0, 0, 1}};
	plan->sockets.receive_buffer_bytes = plan->sockets.send_buffer_bytes = 4 << 20;
	plan->sockets.pages = PG_PAGES_HUGE_IF_FREE;
	plan->policy.idle_timeout_ns = 60000000000ULL;
	plan->policy.delivery = delivery();
	t->page = calloc(1, pg_stats_page_size());
	t->state_size = pg_state_size(CAPACITY, WORKERS, CAPACITY);
	t->state = mmap(NULL, t->state_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_non_null(t->page);
	assert_true(t->state != MAP_FAILED);
	assert_int_equal(pg_state_init(t->state, t->state_size, CAPACITY, WORKERS, CAPACITY, &t->error), PG_OK);
	pg_stats_page_init(t->page, WORKERS, 1, 0);
}

static void start(struct town *t)
{
	t->gateway = pg_open(&t->plan, t->page, t->state, t->state_size, &t->error);
	if (!t->gateway)
		fail_msg("%s", t->error.message);
	if (pg_start(t->gateway, &t->error) != PG_OK)
		fail_msg("%s", t->error.message);
}

static void stop(struct town *t)
{
	if (pg_stop(t->gateway, SETTLE_MS, &t->error) != PG_OK)
		fail_msg("%s", t->error.message);
	pg_close(t->gateway);
	t->gateway = NULL;
}

static uint64_t sum(const uint64_t *counters, unsigned n)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < n; i++)
		total += counters[i];
	return total;
}

static uint64_t total(const struct town *t, size_t counter)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < WORKERS; i++)
		all += *(const uint64_t *)((const uint8_t *)&t->page->worker[i] + counter);
	return all;
}
#define TOTAL(t, counter) total(t, offsetof(struct pg_worker_stats, counter))

/// The laws, of each worker and of both.
static void assert_conserved(const struct town *t)
{
	for (uint32_t i = 0; i < WORKERS; i++) {
		const struct pg_worker_stats *s = &t->page->worker[i];
		const uint64_t handled = sum(s->handled, PG_MESSAGES);

		assert_int_equal(s->received + s->handed_in, handled + sum(s->dropped, PG_DROPS) + s->handed_out);
		assert_int_equal(s->received, s->port[0].rx_packets);
		assert_int_equal(s->tx_offered, handled - s->unanswered + s->tx_originated);
		assert_int_equal(s->tx_offered, s->tx_sent + sum(s->tx_dropped, PG_TX_DROPS));
		assert_int_equal(s->tx_sent, s->port[0].tx_packets);
		assert_int_equal(sum(s->handling, PG_HANDLING_BUCKETS), handled - s->unanswered);
	}
	assert_int_equal(TOTAL(t, handed_in), TOTAL(t, handed_out));
}

// ---------------------------------------------------------------- players

static void issue(struct town *t, unsigned i)
{
	struct pg_issue_request request = {.player_id = i + 1, .ttl_s = 3600};
	struct pgc_options options;

	memset(request.key, (int)i + 1, sizeof(request.key));
	assert_int_equal(pg_session_issue(t->state, &request, &t->session[i], &t->error), PG_OK);
	pgc_options_init(&options);
	options.session = t->session[i];
	options.memory_bytes = 512 << 10;
	options.resends = 6;
	memcpy(options.key, request.key, sizeof(options.key));
	t->player[i] = pgc_new(&options);
	assert_non_null(t->player[i]);
	assert_int_equal(pgc_open(t->player[i], "127.0.0.1", t->plan.listener_port[0]), PGC_OK);
}

static void note(struct town *t, unsigned i, const struct pgc_event *event)
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

static void listen_once(struct town *t)
{
	struct pgc_event event;

	for (unsigned i = 0; i < PLAYERS; i++)
		while (pgc_poll(t->player[i], 0) > 0)
			while (pgc_next_event(t->player[i], &event))
				note(t, i, &event);
}

typedef bool player_did(const struct town *t, unsigned i, unsigned count);

static bool has_connected(const struct town *t, unsigned i, unsigned count)
{
	return t->connected[i] >= count;
}

static bool has_heard(const struct town *t, unsigned i, unsigned count)
{
	return t->heard[i] >= count;
}

static bool was_told_of_the_end(const struct town *t, unsigned i, unsigned count)
{
	(void)count;
	return t->closed[i] == PGC_CLOSED_SHUTDOWN;
}

static bool everybody(const struct town *t, player_did *did, unsigned count)
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

static void await(struct town *t, player_did *did, unsigned count)
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
static void fall_silent(struct town *t)
{
	const struct timespec pause = {.tv_nsec = 500000};
	const uint64_t until = now_ms() + 300;

	while (now_ms() < until) {
		listen_once(t);
		nanosleep(&pause, NULL);
	}
}

static void settle_town(struct town *t, uint8_t engine)
{
	allot(t, engine);
	start(t);
	for (unsigned i = 0; i < PLAYERS; i++)
		issue(t, i);
	await(t, has_connected, 1);
}

static void leave_town(struct town *t)
{
	for (unsigned i = 0; i < PLAYERS; i++)
		pgc_free(t->player[i]);
	free(t->page);
	munmap(t->state, t->state_size);
}

/// Every player writes to all.
static void chat(struct town *t)
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

static uint8_t engine_of(void **state)
{
	return *(const uint8_t *)*state;
}

static void test_players_of_two_workers_hear_each_other(void **state)
{
	struct town t;

	settle_town(&t, engine_of(state));
	chat(&t);
	await(&t, has_heard, PLAYERS);
	fall_silent(&t);
	stop(&t);
	assert_conserved(&t);
	assert_true(t.page->worker[0].connections > 0);
	assert_true(t.page->worker[1].connections > 0);
	assert_int_equal(TOTAL(&t, messages.sent[PG_EVENT_CHAT]), PLAYERS * PLAYERS);
	assert_int_equal(t.lost, 0);
	leave_town(&t);
}

static void test_the_longest_message_goes_to_the_next_player(void **state)
{
	struct town t;
	uint8_t *bytes = pattern(PGC_BULK_MAX);

	settle_town(&t, engine_of(state));
	for (unsigned i = 0; i < PLAYERS; i++)
		assert_int_equal(pgc_bulk(t.player[i], (i + 1) % PLAYERS + 1, bytes, PGC_BULK_MAX, NULL), PGC_OK);
	await(&t, has_heard, 1);
	stop(&t);
	assert_conserved(&t);
	for (unsigned i = 0; i < PLAYERS; i++)
		assert_int_equal(t.bytes[i], PGC_BULK_MAX);
	free(bytes);
	leave_town(&t);
}

static void test_players_whose_address_changes_stay_with_their_worker(void **state)
{
	struct town t;

	settle_town(&t, engine_of(state));
	for (unsigned i = 0; i < PLAYERS; i++)
		assert_int_equal(pgc_rebind(t.player[i]), PGC_OK);
	chat(&t);
	await(&t, has_heard, PLAYERS);
	fall_silent(&t);
	stop(&t);
	assert_conserved(&t);
	assert_true(TOTAL(&t, handed_out) > 0);
	assert_int_equal(TOTAL(&t, path_changes), PLAYERS);
	assert_int_equal(TOTAL(&t, connections), PLAYERS);
	leave_town(&t);
}

static void test_a_letter_of_the_operator_arrives(void **state)
{
	struct town t;
	uint8_t *bytes = pattern(30000);

	settle_town(&t, engine_of(state));
	for (unsigned i = 0; i < PLAYERS; i++) {
		const struct pg_letter letter = {
			.session = t.session[i],
			.type = SESSION_INVENTORY,
			.reliable = 1,
			.priority = 2,
			.length = 30000,
			.body = bytes,
		};

		assert_int_equal(pg_send(t.gateway, &letter, &t.error), PG_OK);
	}
	await(&t, has_heard, 1);
	stop(&t);
	assert_conserved(&t);
	assert_int_equal(t.bytes[PLAYERS - 1], 30000);
	assert_int_equal(TOTAL(&t, messages.sent[PG_EVENT_INVENTORY]), PLAYERS);
	free(bytes);
	leave_town(&t);
}

static void test_a_letter_to_nobody_is_refused(void **state)
{
	struct town t;
	const uint8_t body[4] = {0};
	struct pg_letter letter = {.type = SESSION_INVENTORY, .length = sizeof(body), .body = body};

	settle_town(&t, engine_of(state));
	letter.session = t.session[0] ^ 1U << SESSION_SLOT_BITS;
	assert_int_equal(pg_send(t.gateway, &letter, &t.error), PG_ERROR_USAGE);
	assert_non_null(strstr(t.error.message, "not connected"));
	letter.session = t.session[0];
	letter.type = SESSION_MOVE;
	assert_int_equal(pg_send(t.gateway, &letter, &t.error), PG_ERROR_USAGE);
	stop(&t);
	assert_conserved(&t);
	leave_town(&t);
}

static void test_players_are_told_when_the_gateway_ends(void **state)
{
	struct town t;

	settle_town(&t, engine_of(state));
	assert_true(pg_dismiss(t.gateway, SETTLE_MS));
	stop(&t);
	await(&t, was_told_of_the_end, 0);
	assert_conserved(&t);
	assert_int_equal(TOTAL(&t, closed[SESSION_CLOSED_SHUTDOWN]), PLAYERS);
	assert_int_equal(TOTAL(&t, connected), 0);
	leave_town(&t);
}

static void test_connections_outlive_the_process_of_the_workers(void **state)
{
	struct town t;

	settle_town(&t, engine_of(state));
	for (unsigned round = 1; round <= 3; round++) {
		chat(&t);
		await(&t, has_heard, round * PLAYERS);
		fall_silent(&t);
		stop(&t);
		start(&t);
	}
	fall_silent(&t);
	stop(&t);
	assert_conserved(&t);
	assert_int_equal(TOTAL(&t, connections), PLAYERS);
	assert_int_equal(TOTAL(&t, sessions_recovered), 3 * PLAYERS);
	assert_int_equal(t.lost, 0);
	for (unsigned i = 0; i < PLAYERS; i++)
		assert_int_equal(t.connected[i], 1);
	leave_town(&t);
}

static void test_an_end_in_the_middle_of_talk_keeps_conservation(void **state)
{
	struct town t;

	settle_town(&t, engine_of(state));
	for (unsigned round = 0; round < 4; round++) {
		await(&t, has_connected, 1);
		chat(&t);
		listen_once(&t);
		stop(&t);
		assert_conserved(&t);
		start(&t);
		for (unsigned i = 0; i < PLAYERS; i++) {
			t.connected[i] = 0; // those who lost messages connect again; the others do for the test's sake
			pgc_reconnect(t.player[i]);
		}
	}
	stop(&t);
	assert_conserved(&t);
	leave_town(&t);
}

static void test_a_new_policy_holds_for_sessions_at_once(void **state)
{
	struct town t;
	struct pg_policy policy;

	settle_town(&t, engine_of(state));
	policy = t.plan.policy;
	policy.delivery.message_pps[PG_REQUEST_CHAT] = 1;
	policy.delivery.message_burst[PG_REQUEST_CHAT] = 1;
	assert_int_equal(pg_apply(t.gateway, &policy, SETTLE_MS, &t.error), PG_OK);
	chat(&t);
	fall_silent(&t);
	stop(&t);
	assert_conserved(&t);
	assert_true(TOTAL(&t, dropped[PG_DROP_MESSAGE_RATE_LIMITED]) > 0);
	leave_town(&t);
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

// SPDX-License-Identifier: BSD-3-Clause
// test_sockets.c: the socket engines over loopback, from pg_open to pg_close, with real players' sockets and no EAL.

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/socket/socket.h"
#include "socket_players.h"

// ---------------------------------------------------------------- players

static void say(const struct appliance *a, int fd, uint32_t type, uint32_t player)
{
	uint8_t message[PG_DATAGRAM_MAX];

	send_to(a, fd, message, build_message(message, type, player));
}

/// The next answer acknowledges `type`.
static void hear(int fd, uint32_t type)
{
	uint8_t answer[2048], request[PG_DATAGRAM_MAX];
	const ssize_t length = next_answer(fd, answer, sizeof(answer));

	assert_int_equal(length, build_message(request, type, 1));
	assert_int_equal(get_le32(answer), 100 + type);
}

static void await_received(const struct appliance *a, uint64_t datagrams)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (unsigned i = 0; i < SETTLE_MS && TOTAL(a, received) < datagrams; i++)
		nanosleep(&pause, NULL);
	assert_true(TOTAL(a, received) >= datagrams);
}

// ---------------------------------------------------------------- what both engines do

static void test_every_message_is_acknowledged(void **state)
{
	struct appliance a;
	const int fd = player_socket();

	allot(&a, engine_of(state), 1);
	appliance_start(&a);
	for (uint32_t type = 1; type <= 5; type++) {
		say(&a, fd, type, 7);
		hear(fd, type);
	}
	appliance_stop(&a);
	assert_conserved(&a);
	assert_int_equal(TOTAL(&a, tx_sent), 5);
	assert_int_equal(TOTAL(&a, sessions_admitted), 1);
	assert_int_equal(TOTAL(&a, port[0].tx_bytes), TOTAL(&a, port[0].rx_bytes));
	assert_int_equal(sum(a.page->worker[0].handling, PG_HANDLING_BUCKETS), 5);
	close(fd);
	appliance_give_up(&a);
}

#define ROUNDS 60

/// In each round one datagram right after an answer, and another a millisecond later.
/// @return rounds in which one wake-up served both
static unsigned rounds_of_one_wake_up(const struct appliance *a, int fd)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	unsigned joint = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		const uint64_t pairs = TOTAL(a, rx_burst[1]);

		say(a, fd, 4, 7);
		hear(fd, 4);
		say(a, fd, 4, 7);
		nanosleep(&pause, NULL);
		say(a, fd, 4, 7);
		hear(fd, 4);
		hear(fd, 4);
		joint += TOTAL(a, rx_burst[1]) != pairs;
	}
	return joint;
}

static void test_what_follows_an_answer_waits_for_others(void **state)
{
	struct appliance a;
	const int fd = player_socket();

	assert_int_equal(burst_bucket(2), 1);
	allot(&a, engine_of(state), 1);
	a.plan.sockets.coalesce_us = 10000;
	appliance_start(&a);
	assert_true(rounds_of_one_wake_up(&a, fd) >= ROUNDS / 10);
	appliance_stop(&a);
	assert_conserved(&a);
	close(fd);
	appliance_give_up(&a);
}

static void test_how_long_others_are_waited_for(UNUSED void **state)
{
	const struct socket_worker w = {.coalesce_ns = 200000};

	assert_int_equal(sockets_coalesce(&w, 1, 10000000), 200000);
	assert_int_equal(sockets_coalesce(&w, SOCKET_SHARE_ENOUGH - 1, 10000000), 200000);
	assert_int_equal(sockets_coalesce(&w, 1, 150000), 150000);
	assert_int_equal(sockets_coalesce(&w, 1, 0), 0);
	assert_int_equal(sockets_coalesce(&w, 0, 10000000), 0);
	assert_int_equal(sockets_coalesce(&w, SOCKET_SHARE_ENOUGH, 10000000), 0);
}

static void test_a_player_over_ipv6_is_acknowledged(void **state)
{
	struct appliance a;
	struct sockaddr_in6 ingress = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	const struct timeval patience = {.tv_sec = 2};
	const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint8_t message[PG_DATAGRAM_MAX];

	allot(&a, engine_of(state), 1);
	a.plan.port[0].address[1] = (struct pg_address){.family = 6, .prefix_len = 128, .bytes = {[15] = 1}};
	a.plan.port[0].address_count = 2;
	ingress.sin6_port = htons(a.plan.listener_port[0]);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	appliance_start(&a);
	assert_int_equal(
		sendto(fd, message, build_message(message, 1, 3), 0, (struct sockaddr *)&ingress, sizeof(ingress)), 44);
	hear(fd, 1);
	appliance_stop(&a);
	assert_conserved(&a);
	close(fd);
	appliance_give_up(&a);
}

static void test_what_is_dropped_is_counted_by_its_reason(void **state)
{
	struct appliance a;
	const struct pg_worker_stats *s;
	const int fd = player_socket();
	uint8_t message[9000] = {0};

	allot(&a, engine_of(state), 1);
	s = &a.page->worker[0];
	appliance_start(&a);
	send_to(&a, fd, message, 0); // refused by the socket: a receive that goes on by itself would end with it
	send_to(&a, fd, message, 3);
	send_to(&a, fd, message, PG_DATAGRAM_MAX + 1);
	send_to(&a, fd, message, sizeof(message)); // more than the buffer holds
	say(&a, fd, 1, 7);
	hear(fd, 1);
	say(&a, fd, 1, 8);
	await_received(&a, 5);
	appliance_stop(&a);
	assert_conserved(&a);
	assert_int_equal(a.page->port[0].rx_errors, 1);
	assert_int_equal(a.page->port[0].rx_missed, 0);
	assert_int_equal(s->dropped[PG_DROP_TRUNCATED], 1);
	assert_int_equal(s->dropped[PG_DROP_TOO_LONG], 2);
	assert_int_equal(s->dropped[PG_DROP_PLAYER_MISMATCH], 1);
	assert_int_equal(s->handled[PG_MESSAGE_MOVE], 1);
	close(fd);
	appliance_give_up(&a);
}

/// Every player says `each` things before it listens, so that the sockets' queues fill.
static void converse(const struct appliance *a, const int *fd, unsigned each)
{
	for (unsigned i = 0; i < PLAYERS; i++)
		for (unsigned k = 0; k < each; k++)
			say(a, fd[i], 1 + (i + k) % 5, i);
	for (unsigned i = 0; i < PLAYERS; i++)
		for (unsigned k = 0; k < each; k++)
			hear(fd[i], 1 + (i + k) % 5);
}

static void test_two_workers_share_the_players_and_keep_each_one(void **state)
{
	struct appliance a;
	int fd[PLAYERS];

	allot(&a, engine_of(state), 2);
	for (unsigned i = 0; i < PLAYERS; i++)
		fd[i] = player_socket();
	appliance_start(&a);
	converse(&a, fd, 20);
	converse(&a, fd, 20);
	appliance_stop(&a);
	assert_conserved(&a);
	assert_int_equal(TOTAL(&a, tx_sent), 40 * PLAYERS);
	assert_int_equal(TOTAL(&a, sessions_admitted), PLAYERS);
	assert_true(a.page->worker[0].received > 0);
	assert_true(a.page->worker[1].received > 0);
	for (unsigned i = 0; i < PLAYERS; i++)
		close(fd[i]);
	appliance_give_up(&a);
}

static void test_a_stop_with_datagrams_in_flight_keeps_conservation(void **state)
{
	struct appliance a;
	const int fd = player_socket();

	allot(&a, engine_of(state), 1);
	for (unsigned round = 0; round < 5; round++) {
		const uint64_t before = TOTAL(&a, received);

		appliance_start(&a);
		for (unsigned i = 0; i < 2000; i++)
			say(&a, fd, 1, 7);
		await_received(&a, before + 1);
		appliance_stop(&a);
		assert_conserved(&a);
	}
	close(fd);
	appliance_give_up(&a);
}

static void test_a_restart_on_the_same_state_finds_its_sessions(void **state)
{
	struct appliance a;
	int fd[PLAYERS];

	allot(&a, engine_of(state), 2);
	for (unsigned i = 0; i < PLAYERS; i++)
		fd[i] = player_socket();
	appliance_start(&a);
	converse(&a, fd, 1);
	appliance_stop(&a);
	appliance_start(&a);
	converse(&a, fd, 1);
	appliance_stop(&a);
	assert_conserved(&a);
	assert_int_equal(TOTAL(&a, sessions_admitted), PLAYERS);
	assert_int_equal(TOTAL(&a, sessions_recovered), PLAYERS);
	for (unsigned i = 0; i < PLAYERS; i++)
		close(fd[i]);
	appliance_give_up(&a);
}

/// Cycles become seconds by the page's rate: with one that a later process measured, sums would go back.
static void test_a_restart_keeps_the_rate_of_the_clock_that_the_first_process_measured(void **state)
{
	struct appliance a;
	uint64_t first;

	allot(&a, engine_of(state), 1);
	appliance_start(&a);
	appliance_stop(&a);
	first = a.page->tsc_hz -= 1000; // as if it had measured a little less
	appliance_start(&a);
	appliance_stop(&a);
	assert_int_equal(a.page->tsc_hz, first);
	appliance_give_up(&a);
}

static void test_a_new_policy_is_in_use_when_apply_returns(void **state)
{
	struct appliance a;
	struct pg_policy policy;
	const int fd = player_socket();

	allot(&a, engine_of(state), 1);
	appliance_start(&a);
	policy = a.plan.policy;
	policy.listener[0].source_pps = 1;
	policy.listener[0].source_burst = 1;
	assert_int_equal(pg_apply(a.gateway, &policy, SETTLE_MS, &a.error), PG_OK);
	for (unsigned i = 0; i < 10; i++)
		say(&a, fd, 1, 7);
	await_received(&a, 10);
	appliance_stop(&a);
	assert_conserved(&a);
	assert_true(a.page->worker[0].dropped[PG_DROP_SOURCE_RATE_LIMITED] > 0);
	close(fd);
	appliance_give_up(&a);
}

static void test_a_listener_answers_for_its_own_port_only(void **state)
{
	struct appliance a;
	const int fd = player_socket();

	allot(&a, engine_of(state), 1);
	a.plan.listener_count = 2;
	a.plan.listener_port[1] = free_port();
	appliance_start(&a);
	say(&a, fd, 1, 7);
	hear(fd, 1);
	a.plan.listener_port[0] = a.plan.listener_port[1];
	say(&a, fd, 2, 8); // the same address, but another game
	hear(fd, 2);
	appliance_stop(&a);
	assert_conserved(&a);
	assert_int_equal(TOTAL(&a, sessions_admitted), 2);
	close(fd);
	appliance_give_up(&a);
}

// ---------------------------------------------------------------- failures

static void test_an_address_that_is_not_of_this_host_is_named(void **state)
{
	struct appliance a;

	allot(&a, engine_of(state), 1);
	memcpy(a.plan.port[0].address[0].bytes, (uint8_t[]){192, 0, 2, 77}, 4);
	assert_refused(&a, PG_ERROR_DEVICE, "port lo: 192.0.2.77 is not an address of this host");
	appliance_give_up(&a);
}

static void test_a_port_in_use_is_named(void **state)
{
	struct appliance a;
	struct sockaddr_in address = {0};
	socklen_t length = sizeof(address);
	const int fd = player_socket();

	allot(&a, engine_of(state), 1);
	assert_return_code(getsockname(fd, (struct sockaddr *)&address, &length), errno);
	a.plan.listener_port[0] = ntohs(address.sin_port);
	assert_refused(&a, PG_ERROR_DEVICE, "of 127.0.0.1 is in use by another process");
	close(fd);
	appliance_give_up(&a);
}

static void test_an_engine_that_this_build_lacks_is_refused(UNUSED void **state)
{
	struct appliance a;

	allot(&a, 99, 1);
	a.plan.listener_profile[0] = PG_PROFILE_SESSION;
	assert_refused(&a, PG_ERROR_USAGE, "engine 99, which this build does not have");
	appliance_give_up(&a);
}

static void test_a_plan_that_cannot_be_is_refused_before_anybody_goes_by_it(void **state)
{
	struct appliance a;

	allot(&a, engine_of(state), 1);
	a.plan.listener_count = 2;
	a.plan.listener_port[1] = 4711;
	a.plan.listener_profile[1] = PG_PROFILES;
	assert_refused(&a, PG_ERROR_USAGE, "the listener at UDP port 4711: its profile is none of this build");
	a.plan.listener_profile[1] = UINT8_MAX;
	assert_refused(&a, PG_ERROR_USAGE, "the listener at UDP port 4711: its profile is none of this build");
	a.plan.listener_profile[1] = PG_PROFILE_SESSION;
	a.plan.issued_capacity = 0;
	assert_refused(&a, PG_ERROR_USAGE,
		       "the listener at UDP port 4711: its sessions are issued, and the plan has room for none");
	a.plan.listener_count = UINT32_MAX;
	assert_refused(&a, PG_ERROR_USAGE, "more parts than this build can hold");
	a.plan.listener_count = 1;
	a.plan.worker_count = UINT32_MAX;
	assert_refused(&a, PG_ERROR_USAGE, "more parts than this build can hold");
	appliance_give_up(&a);
}

int main(void)
{
	static uint8_t engines[] = {PG_ENGINE_EPOLL, PG_ENGINE_IO_URING};
	int failed = 0;

	for (unsigned i = 0; i < COUNT(engines); i++) {
		const struct CMUnitTest tests[] = {
			cmocka_unit_test_prestate(test_every_message_is_acknowledged, &engines[i]),
			cmocka_unit_test_prestate(test_what_follows_an_answer_waits_for_others, &engines[i]),
			cmocka_unit_test_prestate(test_a_player_over_ipv6_is_acknowledged, &engines[i]),
			cmocka_unit_test_prestate(test_what_is_dropped_is_counted_by_its_reason, &engines[i]),
			cmocka_unit_test_prestate(test_two_workers_share_the_players_and_keep_each_one, &engines[i]),
			cmocka_unit_test_prestate(test_a_stop_with_datagrams_in_flight_keeps_conservation, &engines[i]),
			cmocka_unit_test_prestate(test_a_restart_on_the_same_state_finds_its_sessions, &engines[i]),
			cmocka_unit_test_prestate(
				test_a_restart_keeps_the_rate_of_the_clock_that_the_first_process_measured,
				&engines[i]),
			cmocka_unit_test_prestate(test_a_new_policy_is_in_use_when_apply_returns, &engines[i]),
			cmocka_unit_test_prestate(test_a_listener_answers_for_its_own_port_only, &engines[i]),
			cmocka_unit_test_prestate(test_an_address_that_is_not_of_this_host_is_named, &engines[i]),
			cmocka_unit_test_prestate(test_a_port_in_use_is_named, &engines[i]),
			cmocka_unit_test_prestate(test_a_plan_that_cannot_be_is_refused_before_anybody_goes_by_it,
						  &engines[i]),
		};

		failed += cmocka_run_group_tests_name(engines[i] == PG_ENGINE_EPOLL ? "epoll" : "io_uring", tests, NULL,
						      NULL);
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_how_long_others_are_waited_for),
		cmocka_unit_test(test_an_engine_that_this_build_lacks_is_refused),
	};

	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// test_handshake_budget.c: the handshakes of a worker have one share of its time, whatever their profile: a gateway with
// listeners of two profiles, opened and not started, and a clock of the test's own.

#include "unit.h"

#include <string.h>
#include <unistd.h>

#include "appliance.h"
#include "netcode_fixture.h"
#include "runtime/engine.h"
#include "session/handshake.h"

#define LISTENER_SESSION 0
#define LISTENER_NETCODE 1

/// More than fit into the share of time by far: one of them takes a microsecond at least.
#define FLOOD 100000

struct two_profiles {
	struct appliance appliance;
	uint64_t now;
	struct worker *worker;
	struct netcode_player player;
};

static int open_gateway(void **state)
{
	static struct two_profiles t;
	struct pg_plan *plan = &t.appliance.plan;

	netcode_player_init(&t.player, 7, 4000);
	t.player.grant.expires_s = UINT32_MAX;
	netcode_player_regrant(&t.player);
	appliance_plan(&t.appliance, PG_ENGINE_EPOLL, 1, 16);
	plan->listener_count = 2;
	plan->listener_port[LISTENER_NETCODE] = free_port();
	plan->listener_profile[LISTENER_SESSION] = PG_PROFILE_SESSION;
	plan->listener_profile[LISTENER_NETCODE] = PG_PROFILE_NETCODE;
	plan->issued_capacity = 16;
	plan->message_memory_mib = 16;
	plan->netcode = (struct pg_netcode_plan){.capacity = 16, .protocol_id = FIXTURE_PROTOCOL};
	plan->policy.delivery.handshake_permille = 1;
	appliance_prepare(&t.appliance);
	t.appliance.gateway =
		pg_open(plan, t.appliance.page, t.appliance.state, t.appliance.state_size, &t.appliance.error);
	if (!t.appliance.gateway)
		fail_msg("%s", t.appliance.error.message);
	t.worker = t.appliance.gateway->worker[0];
	t.now = pg_tsc();
	*state = &t;
	return 0;
}

static int close_gateway(void **state)
{
	struct two_profiles *t = *state;

	pg_close(t->appliance.gateway);
	appliance_give_up(&t->appliance);
	return 0;
}

static enum pg_drop ask_session(struct two_profiles *t)
{
	union {
		struct session_hello hello;
		uint8_t bytes[sizeof(struct session_hello)];
	} datagram = {.hello = {
			      .header = {.kind = SESSION_HELLO, .length = sizeof(struct session_hello), .session = 1},
			      .version = SESSION_VERSION,
		      }};
	struct peer peer = t->player.peer;

	peer_set_channel(&peer, 4000, LISTENER_SESSION);
	return handshake_receive(t->worker->shard, &peer, datagram.bytes, sizeof(datagram), true, t->now).drop;
}

/// With a token of another key, which costs the time of looking at it.
static enum pg_drop ask_netcode(struct two_profiles *t)
{
	struct netcode_request request = netcode_player_request(&t->player);
	struct peer peer = t->player.peer;

	peer_set_channel(&peer, 4000, LISTENER_NETCODE);
	return netcode_take_stranger(t->worker->netcode, &peer, (uint8_t *)&request, sizeof(request), t->now).drop;
}

static void hellos_leave_requests_of_netcode_no_time(void **state)
{
	struct two_profiles *t = *state;
	unsigned asked = 0;

	while (ask_session(t) == PG_DROP_NONE)
		assert_true(asked++ < FLOOD); // time stands still: it must run out
	assert_int_equal(ask_session(t), PG_DROP_HANDSHAKE_BUDGET);
	assert_int_equal(ask_netcode(t), PG_DROP_HANDSHAKE_BUDGET);
	t->now += 10 * pg_tsc_hz();
	assert_int_equal(ask_netcode(t), PG_DROP_NETCODE_TOKEN);
}

static void requests_of_netcode_leave_hellos_no_time(void **state)
{
	struct two_profiles *t = *state;
	unsigned asked = 0;

	while (ask_netcode(t) == PG_DROP_NETCODE_TOKEN)
		assert_true(asked++ < FLOOD);
	assert_int_equal(ask_netcode(t), PG_DROP_HANDSHAKE_BUDGET);
	assert_int_equal(ask_session(t), PG_DROP_HANDSHAKE_BUDGET);
	t->now += 10 * pg_tsc_hz();
	assert_int_equal(ask_session(t), PG_DROP_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_gateway, close_gateway)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hellos_leave_requests_of_netcode_no_time),
		TEST(requests_of_netcode_leave_hellos_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// test_worker_tasks.c: housekeeping, mail and egress as tasks: what makes each run, and what keeps a worker awake.

#include "unit.h"

#include <poll.h>
#include <stdlib.h>

#include "house.h"
#include "pipeline/egress.h"
#include "rig.h"
#include "runtime/profile_life.h"
#include "runtime/worker_tasks.h"
#include "session/connection.h"
#include "session/state.h"

#define WORKERS 2
#define SLOTS 256

/// A worker whose engine only notes what is asked of it.
struct desk {
	struct worker worker; // first
	struct house *house;
	struct mailboxes mailboxes;
	struct mail colleague;
	struct barrier barrier;
	struct policy policy[2];

	unsigned policies, mails, egress; // how often the engine was asked
	bool sends;                       // egress leave; else there is no room for them
};

static void use_policy(struct worker *w)
{
	((struct desk *)w)->policies++;
}

static unsigned serve_mail(struct worker *w, uint32_t most, uint64_t now)
{
	((struct desk *)w)->mails++;
	assert_int_equal(most, BURST_MAX);
	return mail_oldest_datagram(&w->mail, w->shard, now) != NULL;
}

static unsigned send_egress(struct worker *w, uint32_t most, uint64_t now)
{
	struct desk *desk = (struct desk *)w;
	static uint8_t bytes[BURST_MAX][ETHERNET_MAX];
	struct datagram_egress out;

	desk->egress++;
	assert_int_equal(most, BURST_MAX);
	for (unsigned i = 0; i < BURST_MAX; i++)
		out.payload[i] = bytes[i];
	return desk->sends ? egress_datagrams(w->shard, &out, most, now) : 0;
}

static const struct engine_parts parts = {use_policy, serve_mail, send_egress, SLOTS};

static int open_desk(void **state)
{
	struct desk *desk = zeroed_lines(sizeof(*desk));
	struct worker *w = &desk->worker;

	desk->house = house_open(64, STORE_SOCKETS);
	desk->sends = true;
	desk->policy[0].generation = 1;
	desk->policy[1].generation = 2;
	desk->policy[0].idle_timeout = desk->policy[1].idle_timeout = UINT64_MAX / 2;
	desk->policy[0].sessions = desk->policy[1].sessions = desk->house->rules;
	assert_true(mailboxes_make(&desk->mailboxes, WORKERS, true));
	mail_init(&w->mail, &desk->mailboxes, 0);
	mail_init(&desk->colleague, &desk->mailboxes, 1);
	w->stats = &desk->house->stats[0];
	w->barrier = &desk->barrier;
	w->shard = desk->house->shard[0];
	w->spoken = 1U << PG_PROFILE_PLAIN | 1U << PG_PROFILE_SESSION;
	w->sessions.region = state_region(desk->house->state, 0);
	w->current = &desk->policy[0];
	atomic_store(&w->policy, &desk->policy[0]);
	worker_add_housekeeping(w, &parts);
	profiles_add_tasks(w);
	*state = desk;
	return 0;
}

static int close_desk(void **state)
{
	struct desk *desk = *state;

	mailboxes_free(&desk->mailboxes);
	house_close(desk->house);
	free(desk);
	return 0;
}

static unsigned turn(struct desk *desk)
{
	return tasks_run(&desk->worker.tasks, desk->house->now);
}

/// @return may it sleep, for a while at least?
static bool sleeps(struct desk *desk)
{
	return tasks_sleep(&desk->worker.tasks, desk->house->now) > desk->house->now;
}

// ---------------------------------------------------------------- housekeeping

static void housekeeping_is_done_in_every_turn_and_keeps_nobody_awake(void **state)
{
	struct desk *desk = *state;

	turn(desk);
	assert_int_equal(desk->policies, 0);
	assert_int_equal(tasks_sleep(&desk->worker.tasks, desk->house->now), TASK_NEVER);
	tasks_wake(&desk->worker.tasks);
	atomic_store(&desk->worker.policy, &desk->policy[1]);
	turn(desk);
	assert_int_equal(desk->policies, 1);
	assert_ptr_equal(desk->worker.shard->rules, &desk->policy[1].sessions);
	assert_int_equal(desk->worker.stats->policy_generation, 2); // acknowledged
	turn(desk);
	assert_int_equal(desk->policies, 1);
}

static void what_housekeeping_closes_leaves_in_the_same_turn(void **state)
{
	struct desk *desk = *state;
	struct player player = house_issue(desk->house, 1, 60, false);

	assert_true(house_connect(desk->house, 0, &player));
	house_wait(desk->house, 61000);
	desk->worker.shard->store->socket_indices[house_record(desk->house, &player) - desk->house->store.records] = 1;
	assert_int_equal(turn(desk), 1); // its CLOSE
	assert_int_equal(desk->worker.stats->tx_originated, 1);
}

// ---------------------------------------------------------------- mail

static void mail_is_served_when_there_is_some_and_only_then(void **state)
{
	struct desk *desk = *state;
	const struct peer peer = {0};
	const uint8_t byte = 0;

	turn(desk);
	assert_int_equal(desk->mails, 0);
	mail_datagram(&desk->colleague, 0, &peer, 1, &byte, 1);
	assert_int_equal(turn(desk), 1);
	assert_int_equal(desk->mails, 1);
	assert_false(sleeps(desk)); // it was not taken out
	tasks_wake(&desk->worker.tasks);
	mail_remove(&desk->worker.mail);
	turn(desk);
	assert_int_equal(desk->mails, 2); // who wrote once may have written more
	turn(desk);
	assert_int_equal(desk->mails, 2);
	assert_true(sleeps(desk));
	tasks_wake(&desk->worker.tasks);
}

static bool rings(const struct desk *desk)
{
	struct pollfd bell = {.fd = desk->mailboxes.box[0].bell, .events = POLLIN};

	return poll(&bell, 1, 0) == 1;
}

static void mail_rings_for_a_worker_that_sleeps_and_for_no_other(void **state)
{
	struct desk *desk = *state;
	const struct peer peer = {0};
	const uint8_t byte = 0;

	mail_datagram(&desk->colleague, 0, &peer, 1, &byte, 1);
	assert_false(rings(desk));
	assert_int_equal(turn(desk), 1);
	mail_remove(&desk->worker.mail);
	turn(desk);
	assert_true(sleeps(desk));
	mail_datagram(&desk->colleague, 0, &peer, 1, &byte, 1);
	assert_true(rings(desk));
	tasks_wake(&desk->worker.tasks);
	assert_false(sleeps(desk));
	tasks_wake(&desk->worker.tasks);
}

// ---------------------------------------------------------------- egress

static void egress_are_looked_for_at_most_once_in_a_tick_of_the_wheel(void **state)
{
	struct desk *desk = *state;
	const uint64_t tick = 1ULL << desk->worker.shard->wheel.tick_shift;

	desk->house->now += tick;
	turn(desk);
	desk->egress = 0;
	desk->house->now = egress_due(desk->worker.shard) - 1;
	turn(desk);
	assert_int_equal(desk->egress, 0);
	desk->house->now++;
	turn(desk);
	turn(desk);
	assert_int_equal(desk->egress, 1);
}

static void what_waits_in_the_outbox_leaves_at_once_and_until_then_nobody_sleeps(void **state)
{
	struct desk *desk = *state;
	struct player player = house_issue(desk->house, 1, 60, false);

	assert_true(house_connect(desk->house, 0, &player));
	turn(desk);
	desk->worker.shard->store->socket_indices[house_record(desk->house, &player) - desk->house->store.records] = 1;
	connection_close(desk->worker.shard, house_slot(desk->house, &player), SESSION_CLOSED_REVOKED,
			 desk->house->now);
	desk->sends = false; // there is no room
	assert_int_equal(turn(desk), 0);
	assert_false(sleeps(desk));
	tasks_wake(&desk->worker.tasks);
	desk->sends = true;
	assert_int_equal(turn(desk), 1);
	assert_true(sleeps(desk));
	tasks_wake(&desk->worker.tasks);
}

static void a_worker_sleeps_until_a_session_has_something_to_send(void **state)
{
	struct desk *desk = *state;
	struct session_shard *shard = desk->worker.shard;
	struct player player = house_issue(desk->house, 1, 60, false);
	uint64_t due;

	assert_true(house_connect(desk->house, 0, &player));
	turn(desk);
	due = desk->house->now + shard->tsc_hz / 10;
	wheel_schedule(&shard->wheel, house_slot(desk->house, &player), due);
	assert_uint_in_range(tasks_sleep(&desk->worker.tasks, desk->house->now), due,
			     due + (2ULL << shard->wheel.tick_shift));
	tasks_wake(&desk->worker.tasks);
}

static void a_worker_without_the_session_profile_has_housekeeping_only(void **state)
{
	struct desk *desk = *state;
	struct session_shard *shard = desk->worker.shard;

	desk->worker.shard = NULL;
	desk->worker.spoken = 1U << PG_PROFILE_PLAIN;
	desk->worker.tasks.count = 0;
	worker_add_housekeeping(&desk->worker, &parts);
	profiles_add_tasks(&desk->worker);
	assert_int_equal(desk->worker.tasks.count, 1);
	turn(desk);
	assert_int_equal(tasks_sleep(&desk->worker.tasks, desk->house->now), TASK_NEVER);
	desk->worker.shard = shard;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define AT_A_DESK(test) cmocka_unit_test_setup_teardown(test, open_desk, close_desk)
		AT_A_DESK(housekeeping_is_done_in_every_turn_and_keeps_nobody_awake),
		AT_A_DESK(what_housekeeping_closes_leaves_in_the_same_turn),
		AT_A_DESK(mail_is_served_when_there_is_some_and_only_then),
		AT_A_DESK(mail_rings_for_a_worker_that_sleeps_and_for_no_other),
		AT_A_DESK(egress_are_looked_for_at_most_once_in_a_tick_of_the_wheel),
		AT_A_DESK(what_waits_in_the_outbox_leaves_at_once_and_until_then_nobody_sleeps),
		AT_A_DESK(a_worker_sleeps_until_a_session_has_something_to_send),
		AT_A_DESK(a_worker_without_the_session_profile_has_housekeeping_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

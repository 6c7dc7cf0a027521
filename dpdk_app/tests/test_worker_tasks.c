// SPDX-License-Identifier: BSD-3-Clause
// test_worker_tasks.c: housekeeping, mail and egress as tasks: what makes each run, and what keeps a worker awake.

#include "unit.h"

#include <poll.h>
#include <stdlib.h>

#include "pipeline/egress.h"
#include "rig.h"
#include "runtime/profile_life.h"
#include "runtime/sweep.h"
#include "runtime/worker_tasks.h"
#include "session/connection.h"
#include "session/state.h"
#include "session_fixture.h"

#define WORKERS 2
#define SLOTS 256

// In the order in which worker_add_housekeeping() adds them: after the policy.
#define FIRST_SWEEP 1
#define SWEEPS 2

/// A worker whose engine only notes what is asked of it.
struct task_fixture {
	struct worker worker; // first
	struct session_fixture *session_fixture;
	struct mailboxes mailboxes;
	struct mail colleague;
	struct barrier barrier;
	struct policy policy[2];

	unsigned policies, mails, egress; // how often the engine was asked
	bool sends;                       // egress leave; else there is no room for them
};

static void use_policy(struct worker *w)
{
	((struct task_fixture *)w)->policies++;
}

static unsigned serve_mail(struct worker *w, uint32_t most, uint64_t now)
{
	((struct task_fixture *)w)->mails++;
	assert_int_equal(most, BURST_MAX);
	return mail_oldest_datagram(&w->mail, w->shard, &most, now) != NULL;
}

static unsigned send_egress(struct worker *w, const struct egress_source *source, void *of, uint32_t most, uint64_t now)
{
	struct task_fixture *fixture = (struct task_fixture *)w;
	static uint8_t bytes[BURST_MAX][ETHERNET_MAX];
	struct datagram_egress out;

	fixture->egress++;
	assert_int_equal(most, BURST_MAX);
	for (unsigned i = 0; i < BURST_MAX; i++)
		out.payload[i] = bytes[i];
	return fixture->sends ? source->datagrams(of, &out, most, now) : 0;
}

static const struct engine_parts parts = {use_policy, serve_mail, send_egress, SLOTS};

static int open_fixture(void **state)
{
	struct task_fixture *fixture = zeroed_lines(sizeof(*fixture));
	struct worker *w = &fixture->worker;

	fixture->session_fixture = fixture_open(64, STORE_SOCKETS);
	fixture->sends = true;
	fixture->policy[0].generation = 1;
	fixture->policy[1].generation = 2;
	fixture->policy[0].sessions.idle_timeout = fixture->policy[1].sessions.idle_timeout = UINT64_MAX / 2;
	fixture->policy[0].sessions = fixture->policy[1].sessions = fixture->session_fixture->rules;
	assert_true(mailboxes_make(&fixture->mailboxes, WORKERS, true));
	mail_init(&w->mail, &fixture->mailboxes, 0, &fixture->session_fixture->stats[0].messages.mailed_out);
	mail_init(&fixture->colleague, &fixture->mailboxes, 1, &fixture->session_fixture->stats[1].messages.mailed_out);
	w->stats = &fixture->session_fixture->stats[0];
	w->barrier = &fixture->barrier;
	w->shard = fixture->session_fixture->shard[0];
	w->spoken = 1U << PG_PROFILE_PLAIN | 1U << PG_PROFILE_SESSION;
	w->sessions.region = state_region(fixture->session_fixture->state, 0);
	w->current = &fixture->policy[0];
	atomic_store(&w->policy, &fixture->policy[0]);
	worker_add_housekeeping(w, &parts);
	profiles_add_tasks(w);
	*state = fixture;
	return 0;
}

static int close_fixture(void **state)
{
	struct task_fixture *fixture = *state;

	mailboxes_free(&fixture->mailboxes);
	fixture_close(fixture->session_fixture);
	free(fixture);
	return 0;
}

static unsigned turn(struct task_fixture *fixture)
{
	return tasks_run(&fixture->worker.tasks, fixture->session_fixture->now);
}

/// @return may it sleep, for a while at least?
static bool sleeps(struct task_fixture *fixture)
{
	return tasks_sleep(&fixture->worker.tasks, fixture->session_fixture->now) > fixture->session_fixture->now;
}

static void sweeps_are_due(struct task_fixture *fixture)
{
	for (unsigned i = FIRST_SWEEP; i < FIRST_SWEEP + SWEEPS; i++)
		fixture->worker.tasks.task[i].due = fixture->session_fixture->now;
}

// ---------------------------------------------------------------- housekeeping

static void a_new_policy_is_seen_in_every_turn_and_keeps_nobody_awake(void **state)
{
	struct task_fixture *fixture = *state;

	turn(fixture);
	assert_int_equal(fixture->policies, 0);
	assert_true(sleeps(fixture));
	tasks_wake(&fixture->worker.tasks);
	atomic_store(&fixture->worker.policy, &fixture->policy[1]);
	turn(fixture);
	assert_int_equal(fixture->policies, 1);
	assert_ptr_equal(fixture->worker.shard->rules, &fixture->policy[1].sessions);
	assert_int_equal(fixture->worker.stats->policy_generation, 2); // acknowledged
	turn(fixture);
	assert_int_equal(fixture->policies, 1);
}

static void what_a_sweep_closes_leaves_in_the_same_turn(void **state)
{
	struct task_fixture *fixture = *state;
	struct player player = fixture_issue(fixture->session_fixture, 1, 60, false);

	assert_true(fixture_connect(fixture->session_fixture, 0, &player));
	fixture_wait(fixture->session_fixture, 61000);
	fixture->worker.shard->store->socket_indices[fixture_record(fixture->session_fixture, &player) -
						     fixture->session_fixture->store.records] = 1;
	assert_int_equal(turn(fixture), 1); // its CLOSE
	assert_int_equal(fixture->worker.stats->tx_originated, 1);
}

// ---------------------------------------------------------------- sweeps

/// Connect so many, which are over at the time that it returns, with sweeps that look at four slots at a time and are due now.
static void all_expire(struct task_fixture *fixture, unsigned players)
{
	struct session_fixture *sessions = fixture->session_fixture;

	for (uint32_t i = 0; i < players; i++) {
		struct player player = fixture_issue(sessions, 1 + i, 60, false);

		assert_true(fixture_connect(sessions, 0, &player));
		fixture->worker.shard->store->socket_indices[fixture_slot(sessions, &player)] = 1;
	}
	fixture_wait(sessions, 61000);
	for (unsigned i = FIRST_SWEEP; i < FIRST_SWEEP + SWEEPS; i++)
		fixture->worker.tasks.task[i].budget = 4;
	sweeps_are_due(fixture);
}

static void a_worker_that_turns_often_and_one_that_sleeps_look_through_a_table_equally_fast(void **state)
{
	struct task_fixture *fixture = *state;
	struct session_fixture *sessions = fixture->session_fixture;
	const uint64_t *closed = &fixture->worker.stats->closed[PG_CLOSED_EXPIRED];
	uint64_t began;

	all_expire(fixture, 48);
	began = sessions->now;
	// Busy: it turns every 20 us for half a round of a second.
	for (; sessions->now < began + pg_tsc_hz() / 2; sessions->now += pg_tsc_hz() / 50000)
		turn(fixture);
	assert_uint_in_range(*closed, 20, 28);
	// Idle: it turns only when it is woken.
	while (sessions->now < began + pg_tsc_hz()) {
		turn(fixture);
		sessions->now = tasks_sleep(&fixture->worker.tasks, sessions->now);
		tasks_wake(&fixture->worker.tasks);
	}
	assert_uint_in_range(*closed, 44, 48);
	sessions->now += pg_tsc_hz() / 8;
	turn(fixture);
	assert_int_equal(*closed, 48);
}

static void a_sweep_that_was_kept_from_its_time_makes_up_for_it_a_bit_in_each_turn(void **state)
{
	struct task_fixture *fixture = *state;
	const uint64_t *closed = &fixture->worker.stats->closed[PG_CLOSED_EXPIRED];

	all_expire(fixture, 48);
	fixture_wait(fixture->session_fixture, 100000); // a hundred rounds
	for (unsigned told = 4; told <= 48; told += 4) {
		turn(fixture);
		assert_int_equal(*closed, told);
	}
	turn(fixture);
	turn(fixture);
	assert_true(sleeps(fixture)); // one round is made up for, not a hundred
	tasks_wake(&fixture->worker.tasks);
}

static void a_sweep_goes_on_in_the_next_turn_when_there_is_no_room_to_tell_players_that_it_is_over(void **state)
{
	struct task_fixture *fixture = *state;
	struct outbox *outbox = &fixture->worker.shard->outbox;
	const uint64_t *closed = &fixture->worker.stats->closed[PG_CLOSED_EXPIRED];

	all_expire(fixture, 4);
	fixture->sends = false;
	outbox->count = OUTBOX_SIZE - 1;
	turn(fixture);
	assert_int_equal(*closed, 1);
	assert_false(sleeps(fixture));
	tasks_wake(&fixture->worker.tasks);
	outbox->count = 0;
	turn(fixture);
	assert_int_equal(*closed, 4);
}

static void who_is_silent_is_noticed_soon_after_the_time_out_whatever_it_is(void **state UNUSED)
{
	const uint64_t hz = 2000000000;

	assert_int_equal(sweep_round(hz * 30, hz, 10000), hz);
	assert_int_equal(sweep_round(hz * 4, hz, 10000), hz / 2);
	assert_int_equal(sweep_round(hz / 10, hz, 10000), hz / 20);
}

static void a_million_sessions_take_no_larger_share_of_a_worker_than_a_quarter_of_them(void **state UNUSED)
{
	const uint64_t hz = 2000000000, begin = hz * 1000;
	const uint32_t most = 1048576, slots = 256;

	assert_int_equal(sweep_round(hz * 30, hz, SWEEP_SLOTS_PER_S), hz);
	for (uint32_t used = SWEEP_SLOTS_PER_S; used <= most; used += 65536) {
		const uint64_t round = sweep_round(hz * 30, hz, used);

		assert_uint_in_range(sweep_next(begin, begin, round, slots, used) - begin,
				     slots * (hz / SWEEP_SLOTS_PER_S) - slots, slots * (hz / SWEEP_SLOTS_PER_S));
	}
}

// ---------------------------------------------------------------- mail

static void mail_is_served_when_there_is_some_and_only_then(void **state)
{
	struct task_fixture *fixture = *state;
	const struct peer peer = {0};
	const uint8_t byte = 0;

	turn(fixture);
	assert_int_equal(fixture->mails, 0);
	mail_datagram(&fixture->colleague, 0, &peer, 1, &byte, 1);
	assert_int_equal(turn(fixture), 1);
	assert_int_equal(fixture->mails, 1);
	assert_false(sleeps(fixture)); // it was not taken out
	tasks_wake(&fixture->worker.tasks);
	mail_remove(&fixture->worker.mail);
	turn(fixture);
	assert_int_equal(fixture->mails, 2); // who wrote once may have written more
	turn(fixture);
	assert_int_equal(fixture->mails, 2);
	assert_true(sleeps(fixture));
	tasks_wake(&fixture->worker.tasks);
}

static bool rings(const struct task_fixture *fixture)
{
	struct pollfd bell = {.fd = fixture->mailboxes.box[0].bell, .events = POLLIN};

	return poll(&bell, 1, 0) == 1;
}

static void mail_rings_for_a_worker_that_sleeps_and_for_no_other(void **state)
{
	struct task_fixture *fixture = *state;
	const struct peer peer = {0};
	const uint8_t byte = 0;

	mail_datagram(&fixture->colleague, 0, &peer, 1, &byte, 1);
	assert_false(rings(fixture));
	assert_int_equal(turn(fixture), 1);
	mail_remove(&fixture->worker.mail);
	turn(fixture);
	assert_true(sleeps(fixture));
	mail_datagram(&fixture->colleague, 0, &peer, 1, &byte, 1);
	assert_true(rings(fixture));
	tasks_wake(&fixture->worker.tasks);
	assert_false(sleeps(fixture));
	tasks_wake(&fixture->worker.tasks);
}

// ---------------------------------------------------------------- egress

static void egress_are_looked_for_at_most_once_in_a_tick_of_the_wheel(void **state)
{
	struct task_fixture *fixture = *state;
	const uint64_t tick = 1ULL << fixture->worker.shard->wheel.tick_shift;

	fixture->session_fixture->now += tick;
	turn(fixture);
	fixture->egress = 0;
	fixture->session_fixture->now = egress_due(fixture->worker.shard) - 1;
	turn(fixture);
	assert_int_equal(fixture->egress, 0);
	fixture->session_fixture->now++;
	turn(fixture);
	turn(fixture);
	assert_int_equal(fixture->egress, 1);
}

static void what_waits_in_the_outbox_leaves_at_once_and_until_then_nobody_sleeps(void **state)
{
	struct task_fixture *fixture = *state;
	struct player player = fixture_issue(fixture->session_fixture, 1, 60, false);

	assert_true(fixture_connect(fixture->session_fixture, 0, &player));
	turn(fixture);
	fixture->worker.shard->store->socket_indices[fixture_record(fixture->session_fixture, &player) -
						     fixture->session_fixture->store.records] = 1;
	connection_close(fixture->worker.shard, fixture_slot(fixture->session_fixture, &player), SESSION_CLOSED_REVOKED,
			 fixture->session_fixture->now);
	fixture->sends = false; // there is no room
	assert_int_equal(turn(fixture), 0);
	assert_false(sleeps(fixture));
	tasks_wake(&fixture->worker.tasks);
	fixture->sends = true;
	assert_int_equal(turn(fixture), 1);
	assert_true(sleeps(fixture));
	tasks_wake(&fixture->worker.tasks);
}

static void a_worker_sleeps_until_a_session_has_something_to_send(void **state)
{
	struct task_fixture *fixture = *state;
	struct session_shard *shard = fixture->worker.shard;
	struct player player = fixture_issue(fixture->session_fixture, 1, 60, false);
	uint64_t due;

	assert_true(fixture_connect(fixture->session_fixture, 0, &player));
	sweeps_are_due(fixture);
	turn(fixture); // the next sweeps are a second away
	due = fixture->session_fixture->now + shard->tsc_hz / 10;
	wheel_schedule(&shard->wheel, fixture_slot(fixture->session_fixture, &player), due);
	assert_uint_in_range(tasks_sleep(&fixture->worker.tasks, fixture->session_fixture->now), due,
			     due + (2ULL << shard->wheel.tick_shift));
	tasks_wake(&fixture->worker.tasks);
}

static void players_are_told_that_the_gateway_ends_a_bit_in_each_turn_and_nobody_sleeps_until_all_are(void **state)
{
	struct task_fixture *fixture = *state;
	struct worker *w = &fixture->worker;
	struct task *dismissal = &w->tasks.task[FIRST_SWEEP + SWEEPS];

	for (uint32_t i = 0; i < 3; i++) {
		struct player player = fixture_issue(fixture->session_fixture, 1 + i, 60, false);

		assert_true(fixture_connect(fixture->session_fixture, 0, &player));
		w->shard->store->socket_indices[fixture_slot(fixture->session_fixture, &player)] = 1;
	}
	turn(fixture);
	dismissal->budget = 1;
	atomic_store(&w->dismissal, DISMISSAL_ASKED);
	for (unsigned told = 1; told <= 3; told++) {
		assert_int_equal(turn(fixture), 1); // a CLOSE
		assert_int_equal(w->stats->closed[PG_CLOSED_SHUTDOWN], told);
		assert_false(sleeps(fixture));
		tasks_wake(&w->tasks);
	}
	turn(fixture);
	assert_int_equal(atomic_load(&w->dismissal), DISMISSAL_DONE);
	turn(fixture);
	assert_true(sleeps(fixture));
	tasks_wake(&w->tasks);
}

static void a_worker_without_the_session_profile_has_housekeeping_only(void **state)
{
	struct task_fixture *fixture = *state;
	struct session_shard *shard = fixture->worker.shard;

	fixture->worker.shard = NULL;
	fixture->worker.spoken = 1U << PG_PROFILE_PLAIN;
	fixture->worker.tasks.count = 0;
	worker_add_housekeeping(&fixture->worker, &parts);
	profiles_add_tasks(&fixture->worker);
	assert_int_equal(fixture->worker.tasks.count, 2); // the policy, and its sweep
	turn(fixture);
	assert_true(sleeps(fixture));
	fixture->worker.shard = shard;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)
		WITH_FIXTURE(a_new_policy_is_seen_in_every_turn_and_keeps_nobody_awake),
		WITH_FIXTURE(what_a_sweep_closes_leaves_in_the_same_turn),
		WITH_FIXTURE(a_worker_that_turns_often_and_one_that_sleeps_look_through_a_table_equally_fast),
		WITH_FIXTURE(a_sweep_that_was_kept_from_its_time_makes_up_for_it_a_bit_in_each_turn),
		WITH_FIXTURE(a_sweep_goes_on_in_the_next_turn_when_there_is_no_room_to_tell_players_that_it_is_over),
		cmocka_unit_test(who_is_silent_is_noticed_soon_after_the_time_out_whatever_it_is),
		cmocka_unit_test(a_million_sessions_take_no_larger_share_of_a_worker_than_a_quarter_of_them),
		WITH_FIXTURE(mail_is_served_when_there_is_some_and_only_then),
		WITH_FIXTURE(mail_rings_for_a_worker_that_sleeps_and_for_no_other),
		WITH_FIXTURE(egress_are_looked_for_at_most_once_in_a_tick_of_the_wheel),
		WITH_FIXTURE(what_waits_in_the_outbox_leaves_at_once_and_until_then_nobody_sleeps),
		WITH_FIXTURE(a_worker_sleeps_until_a_session_has_something_to_send),
		WITH_FIXTURE(players_are_told_that_the_gateway_ends_a_bit_in_each_turn_and_nobody_sleeps_until_all_are),
		WITH_FIXTURE(a_worker_without_the_session_profile_has_housekeeping_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// runtime/worker_tasks.c: see worker_tasks.h.

#include "runtime/worker_tasks.h"

#include "netcode/shard.h"
#include "runtime/game_links.h"
#include "runtime/profile_life.h"
#include "runtime/shards.h"
#include "runtime/sweep.h"
#include "runtime/worlds.h"

// ---------------------------------------------------------------- housekeeping

static unsigned housekeep(struct task *task, uint64_t now)
{
	struct worker *w = task->worker;

	(void)now;
	if (unlikely(worker_use_newest_policy(w))) {
		w->parts->use_policy(w);
		worker_acknowledge_policy(w);
	}
	return 0;
}

/// As often as the loop turns, which it does for its heartbeat.
static uint64_t housekeeping_can_wait(const struct task *task)
{
	(void)task;
	return TASK_NEVER;
}

static unsigned sweep(struct task *task, uint64_t now)
{
	struct worker *w = task->worker;
	const struct profile_life *life = task->part;
	const uint32_t used = life->sweep(w, now, task->budget);
	const uint64_t round = sweep_round(w->current->sessions.idle_timeout, pg_tsc_hz(), used);

	if (likely(used != SWEEP_AGAIN))
		task->due = sweep_next(task->due, now, round, task->budget, used);
	return 0;
}

void worker_add_sweep(struct worker *w, const struct profile_life *life)
{
	tasks_add(&w->tasks, &(struct task){
				     .worker = w,
				     .part = life,
				     .run = sweep,
				     .budget = w->parts->slots,
				     .due = pg_tsc(),
			     });
}

/// Slots that a worker looks at in one turn when all players are to be told that the gateway ends.
#define DISMISSED_PER_TURN 4096

static bool dismissal_is_asked(const struct task *task, uint64_t now)
{
	const struct worker *w = task->worker;

	(void)now;
	return unlikely(atomic_load_explicit(&w->dismissal, memory_order_relaxed) == DISMISSAL_ASKED);
}

static unsigned dismiss(struct task *task, uint64_t now)
{
	struct worker *w = task->worker;
	const bool sessions = !w->shard || shard_dismiss(w, now, task->budget);
	const bool clients = !w->netcode || netcode_dismiss(w->netcode, now, task->budget);

	if (sessions && clients)
		atomic_store_explicit(&w->dismissal, DISMISSAL_DONE, memory_order_relaxed);
	task->due = dismissal_is_asked(task, now) ? TASK_ALWAYS : TASK_NEVER;
	return 0;
}

void worker_add_housekeeping(struct worker *w, const struct engine_parts *parts)
{
	w->parts = parts;
	tasks_add(&w->tasks, &(struct task){
				     .worker = w,
				     .run = housekeep,
				     .next = housekeeping_can_wait,
				     .due = TASK_ALWAYS,
			     });
	profiles_add_sweeps(w);
	if (!worker_has_players_to_tell(w))
		return;
	tasks_add(&w->tasks,
		  &(struct task){
			  .worker = w,
			  .run = dismiss,
			  .ready = dismissal_is_asked, // seen at the latest when the loop turns for its heartbeat
			  .budget = DISMISSED_PER_TURN,
			  .due = TASK_NEVER,
		  });
}

// ---------------------------------------------------------------- mail

static unsigned serve_mail(struct task *task, uint64_t now)
{
	struct worker *w = task->worker;

	return w->parts->serve_mail(w, task->budget, now);
}

static bool has_mail(const struct task *task, uint64_t now)
{
	const struct worker *w = task->worker;

	(void)now;
	return mail_waits(&w->mail);
}

static bool have_mail_wake_us(struct task *task)
{
	struct worker *w = task->worker;

	return mail_sleep(&w->mail);
}

static void stop_the_bell(struct task *task)
{
	struct worker *w = task->worker;

	mail_wake(&w->mail);
}

// ---------------------------------------------------------------- egress

static unsigned send_egress(struct task *task, uint64_t now)
{
	struct worker *w = task->worker;
	const unsigned sent = w->parts->send_egress(w, &session_egress, w->shard, task->budget, now);

	task->due = egress_due(w->shard);
	return sent;
}

static bool egress_wait(const struct task *task, uint64_t now)
{
	const struct worker *w = task->worker;

	(void)now;
	return egress_ready(w->shard);
}

static uint64_t next_egress(const struct task *task)
{
	const struct worker *w = task->worker;

	return egress_next(w->shard);
}

void worker_add_session_tasks(struct worker *w)
{
	tasks_add(&w->tasks, &(struct task){
				     .worker = w,
				     .run = serve_mail,
				     .ready = has_mail,
				     .sleep = have_mail_wake_us,
				     .wake = stop_the_bell,
				     .budget = BURST_MAX,
				     .due = TASK_NEVER,
			     });
	if (w->game)
		game_add_task(w);
	worlds_add_task(w);
	// After all these: what they bring about leaves in the same turn.
	tasks_add(&w->tasks, &(struct task){
				     .worker = w,
				     .run = send_egress,
				     .ready = egress_wait,
				     .next = next_egress,
				     .budget = w->shard->replication ? WORLDS_EGRESS_AT_ONCE : BURST_MAX,
				     .due = egress_due(w->shard),
			     });
}

// ---------------------------------------------------------------- netcode

static unsigned send_netcode_egress(struct task *task, uint64_t now)
{
	struct worker *w = task->worker;
	const unsigned sent = w->parts->send_egress(w, &netcode_egress, w->netcode, task->budget, now);

	task->due = wheel_turns(&w->netcode->wheel);
	return sent;
}

static bool payloads_are_ready(const struct task *task, uint64_t now)
{
	const struct worker *w = task->worker;

	(void)now;
	return payloads_wait(&w->netcode->payloads);
}

static uint64_t next_netcode_egress(const struct task *task)
{
	const struct worker *w = task->worker;

	return payloads_wait(&w->netcode->payloads) ? TASK_ALWAYS : wheel_next(&w->netcode->wheel);
}

void worker_add_netcode_tasks(struct worker *w)
{
	if (!w->shard)
		game_add_task(w);
	tasks_add(&w->tasks, &(struct task){
				     .worker = w,
				     .run = send_netcode_egress,
				     .ready = payloads_are_ready,
				     .next = next_netcode_egress,
				     .budget = BURST_MAX,
				     .due = wheel_turns(&w->netcode->wheel),
			     });
}

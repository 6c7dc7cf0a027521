// SPDX-License-Identifier: BSD-3-Clause
// test_task.c: what a worker does between bursts: in order, on time, a bounded bit of it each turn, and no sleep over it.

#include "unit.h"

#include "rig.h"
#include "runtime/task.h"

/// A worker's tasks, and what became of them.
struct loop {
	struct tasks tasks;
	char ran[128]; // names of those that ran, in order
	unsigned run_count;
};

/// What one of them works for.
struct job {
	struct loop *loop;
	char name;
	unsigned left;    // pieces of work that wait for it
	unsigned moves;   // packets that a run says it moved
	uint64_t period;  // cycles until it is due again; 0: it stays due
	uint64_t next;    // what it says when it is asked
	uint64_t ran_at;  // the last time
	bool asleep;      // between sleep and wake
	unsigned asked;   // whether the worker may sleep
	unsigned wakened; // times
};

static void note_run(struct task *task, uint64_t now)
{
	struct job *job = task->worker;

	job->loop->ran[job->loop->run_count++ % (sizeof(job->loop->ran) - 1)] = job->name;
	job->ran_at = now;
}

static unsigned run(struct task *task, uint64_t now)
{
	const struct job *job = task->worker;

	note_run(task, now);
	if (job->period > 0)
		task->due = now + job->period;
	return job->moves;
}

/// Works off what is left, as far as the budget goes.
static unsigned work_off(struct task *task, uint64_t now)
{
	struct job *job = task->worker;
	const unsigned pieces = job->left < task->budget ? job->left : task->budget;

	note_run(task, now);
	job->left -= pieces;
	return pieces;
}

static bool has_work(const struct task *task, uint64_t now)
{
	const struct job *job = task->worker;

	(void)now;
	return job->left > 0;
}

static uint64_t next(const struct task *task)
{
	const struct job *job = task->worker;

	return job->next;
}

static bool fall_asleep(struct task *task)
{
	struct job *job = task->worker;

	job->asked++;
	job->asleep = true;
	return job->left == 0;
}

static void wake(struct task *task)
{
	struct job *job = task->worker;

	job->asleep = false;
	job->wakened++;
}

/// A task by time.
static struct task timed(struct loop *loop, struct job *job, char name, uint64_t due)
{
	job->loop = loop;
	job->name = name;
	return (struct task){.worker = job, .run = run, .due = due};
}

/// A task by readiness that others wake us for.
static struct task woken(struct loop *loop, struct job *job, char name, uint32_t budget)
{
	job->loop = loop;
	job->name = name;
	return (struct task){
		.worker = job,
		.run = work_off,
		.ready = has_work,
		.sleep = fall_asleep,
		.wake = wake,
		.budget = budget,
		.due = TASK_NEVER,
	};
}

static void add(struct loop *loop, const struct task task)
{
	tasks_add(&loop->tasks, &task);
}

// ---------------------------------------------------------------- running

static void tasks_run_in_the_order_in_which_they_were_added(void **state UNUSED)
{
	struct loop loop = {0};
	struct job job[3] = {0};

	add(&loop, timed(&loop, &job[0], 'c', TASK_ALWAYS));
	add(&loop, timed(&loop, &job[1], 'a', TASK_ALWAYS));
	add(&loop, timed(&loop, &job[2], 'b', TASK_ALWAYS));
	tasks_run(&loop.tasks, 1);
	tasks_run(&loop.tasks, 2);
	assert_string_equal(loop.ran, "cabcab");
}

static void a_task_runs_when_it_is_due_and_not_before(void **state UNUSED)
{
	struct loop loop = {0};
	struct job job[2] = {{.period = 100}};

	add(&loop, timed(&loop, &job[0], 'a', 1000));
	add(&loop, timed(&loop, &job[1], 'n', TASK_NEVER));
	tasks_run(&loop.tasks, 999);
	assert_int_equal(loop.run_count, 0);
	tasks_run(&loop.tasks, 1000);
	assert_string_equal(loop.ran, "a");
	assert_int_equal(job[0].ran_at, 1000);
	tasks_run(&loop.tasks, 1099);
	assert_string_equal(loop.ran, "a");
	tasks_run(&loop.tasks, 5000); // late, and once
	assert_string_equal(loop.ran, "aa");
	assert_int_equal(loop.tasks.task[0].due, 5100);
}

static void a_task_that_is_ready_runs_although_it_is_not_due(void **state UNUSED)
{
	struct loop loop = {0};
	struct job job = {0};

	add(&loop, woken(&loop, &job, 'a', 8));
	assert_int_equal(tasks_run(&loop.tasks, 1), 0);
	assert_int_equal(loop.run_count, 0);
	job.left = 3;
	assert_int_equal(tasks_run(&loop.tasks, 2), 3);
	assert_int_equal(loop.run_count, 1);
	assert_int_equal(tasks_run(&loop.tasks, 3), 0);
	assert_int_equal(loop.run_count, 1);
}

static void what_exceeds_a_budget_is_done_in_later_turns_and_the_others_get_theirs(void **state UNUSED)
{
	struct loop loop = {0};
	struct job job[2] = {{.left = 20}, {.left = 3}};

	add(&loop, woken(&loop, &job[0], 'a', 8));
	add(&loop, woken(&loop, &job[1], 'b', 8));
	assert_int_equal(tasks_run(&loop.tasks, 1), 11);
	assert_int_equal(job[0].left, 12);
	assert_int_equal(tasks_sleep(&loop.tasks, 1), 1); // not over what is left
	tasks_wake(&loop.tasks);
	assert_int_equal(tasks_run(&loop.tasks, 2), 8);
	assert_int_equal(tasks_run(&loop.tasks, 3), 4);
	assert_int_equal(tasks_run(&loop.tasks, 4), 0);
	assert_string_equal(loop.ran, "abaa");
	assert_int_equal(tasks_sleep(&loop.tasks, 4), TASK_NEVER);
}

static void packets_that_all_tasks_moved_are_added_up(void **state UNUSED)
{
	struct loop loop = {0};
	struct job job[3] = {{.moves = 5}, {.moves = 0}, {.moves = 59}};

	assert_int_equal(tasks_run(&loop.tasks, 1), 0);
	for (unsigned i = 0; i < COUNT(job); i++)
		add(&loop, timed(&loop, &job[i], 'a', TASK_ALWAYS));
	assert_int_equal(tasks_run(&loop.tasks, 1), 64);
}

// ---------------------------------------------------------------- sleeping

static void a_worker_sleeps_until_the_earliest_task_is_due(void **state UNUSED)
{
	struct loop loop = {0};
	struct job job[3] = {0};

	assert_int_equal(tasks_sleep(&loop.tasks, 7), TASK_NEVER);
	add(&loop, timed(&loop, &job[0], 'a', 3000));
	add(&loop, timed(&loop, &job[1], 'b', 2000));
	add(&loop, timed(&loop, &job[2], 'c', TASK_NEVER));
	assert_int_equal(tasks_sleep(&loop.tasks, 7), 2000);
	assert_int_equal(tasks_sleep(&loop.tasks, 2000), 2000);
	assert_int_equal(tasks_sleep(&loop.tasks, 2500), 2500); // overdue
}

static void a_task_of_every_turn_may_say_that_it_can_wait(void **state UNUSED)
{
	struct loop loop = {0};
	struct job job = {.next = 500};
	struct task task = timed(&loop, &job, 'a', TASK_ALWAYS);

	task.next = next;
	add(&loop, task);
	tasks_run(&loop.tasks, 7);
	assert_string_equal(loop.ran, "a");
	assert_int_equal(tasks_sleep(&loop.tasks, 7), 500);
	job.next = TASK_NEVER;
	assert_int_equal(tasks_sleep(&loop.tasks, 7), TASK_NEVER);
}

static void nobody_is_asked_to_wake_a_worker_that_does_not_sleep(void **state UNUSED)
{
	struct loop loop = {0};
	struct job job[2] = {0};

	add(&loop, woken(&loop, &job[0], 'a', 8));
	add(&loop, timed(&loop, &job[1], 'b', 1000));
	assert_int_equal(tasks_sleep(&loop.tasks, 1000), 1000);
	assert_int_equal(job[0].asked, 0);
	assert_int_equal(tasks_sleep(&loop.tasks, 999), 1000);
	assert_int_equal(job[0].asked, 1);
	assert_true(job[0].asleep);
}

static void one_that_has_work_keeps_the_worker_awake_and_all_are_told_so(void **state UNUSED)
{
	struct loop loop = {0};
	struct job job[3] = {{0}, {.left = 1}, {0}};

	for (unsigned i = 0; i < COUNT(job); i++)
		add(&loop, woken(&loop, &job[i], (char)('a' + i), 8));
	assert_int_equal(tasks_sleep(&loop.tasks, 7), 7);
	tasks_wake(&loop.tasks);
	for (unsigned i = 0; i < COUNT(job); i++) {
		assert_false(job[i].asleep);
		assert_int_equal(job[i].wakened, 1);
	}
}

/// A loop that sleeps for as long as it is told, against one that looks in every cycle.
static void no_time_is_slept_through_whatever_the_tasks(void **state UNUSED)
{
	uint64_t seed = 1;

	for (unsigned round = 0; round < 200; round++) {
		struct loop sleeps = {0}, looks = {0};
		struct job job[2][4] = {0};
		uint64_t woke = 0;

		for (unsigned i = 0; i < 4; i++) {
			const uint64_t due = 1 + (uint64_t)random_below(&seed, 50);

			job[0][i].period = job[1][i].period = 1 + (uint64_t)random_below(&seed, 30);
			add(&sleeps, timed(&sleeps, &job[0][i], (char)('a' + i), due));
			add(&looks, timed(&looks, &job[1][i], (char)('a' + i), due));
		}
		for (uint64_t now = 0; now < 200; now++) {
			tasks_run(&looks.tasks, now);
			if (now < woke)
				continue;
			tasks_run(&sleeps.tasks, now);
			woke = tasks_sleep(&sleeps.tasks, now);
			tasks_wake(&sleeps.tasks);
			assert_true(woke > now); // every task is due later
		}
		assert_int_equal(sleeps.run_count, looks.run_count);
		assert_memory_equal(sleeps.ran, looks.ran, sizeof(sleeps.ran));
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(job[0][i].ran_at, job[1][i].ran_at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_run_in_the_order_in_which_they_were_added),
		cmocka_unit_test(a_task_runs_when_it_is_due_and_not_before),
		cmocka_unit_test(a_task_that_is_ready_runs_although_it_is_not_due),
		cmocka_unit_test(what_exceeds_a_budget_is_done_in_later_turns_and_the_others_get_theirs),
		cmocka_unit_test(packets_that_all_tasks_moved_are_added_up),
		cmocka_unit_test(a_worker_sleeps_until_the_earliest_task_is_due),
		cmocka_unit_test(a_task_of_every_turn_may_say_that_it_can_wait),
		cmocka_unit_test(nobody_is_asked_to_wake_a_worker_that_does_not_sleep),
		cmocka_unit_test(one_that_has_work_keeps_the_worker_awake_and_all_are_told_so),
		cmocka_unit_test(no_time_is_slept_through_whatever_the_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

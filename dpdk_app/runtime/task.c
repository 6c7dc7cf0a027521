// SPDX-License-Identifier: BSD-3-Clause
// runtime/task.c: see task.h.

#include "runtime/task.h"

#include <assert.h>

void tasks_add(struct tasks *tasks, const struct task *task)
{
	assert(tasks->count < TASKS_MAX);
	tasks->task[tasks->count++] = *task;
}

/// The earliest time at which one must run.
static uint64_t next_run(const struct tasks *tasks)
{
	uint64_t earliest = TASK_NEVER;

	for (unsigned i = 0; i < tasks->count; i++) {
		const struct task *task = &tasks->task[i];
		const uint64_t next = task->next ? task->next(task) : task->due;

		if (next < earliest)
			earliest = next;
	}
	return earliest;
}

/// @return false when one has something to do
static bool all_may_sleep(struct tasks *tasks)
{
	for (unsigned i = 0; i < tasks->count; i++) {
		struct task *task = &tasks->task[i];

		if (task->sleep && !task->sleep(task))
			return false;
	}
	return true;
}

uint64_t tasks_sleep(struct tasks *tasks, uint64_t now)
{
	// Time first: to have others wake us takes an atomic exchange.
	const uint64_t next = next_run(tasks);

	return next > now && all_may_sleep(tasks) ? next : now;
}

void tasks_wake(struct tasks *tasks)
{
	for (unsigned i = 0; i < tasks->count; i++)
		if (tasks->task[i].wake)
			tasks->task[i].wake(&tasks->task[i]);
}

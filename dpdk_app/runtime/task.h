// SPDX-License-Identifier: BSD-3-Clause
// runtime/task.h: what a worker does between bursts: by time or when something is ready, a bounded bit of it each turn.
//
// A loop's turn is: receive, answer, run the tasks, sleep until one is due. A burst is answered before the tasks run, so
// that no task adds to the time of an answer; what a task has to send it transmits itself. (io_uring hands over both with the
// system call in which it sleeps, so its turn is: receive, run the tasks, transmit, sleep.) A loop knows no task: a new one
// is added where a worker is made (runtime/worker_tasks.c, or an engine's own), and no loop changes. Tasks are asked once a
// turn, never once a packet. Only the worker's own thread uses them.

#ifndef POLLGATE_RUNTIME_TASK_H
#define POLLGATE_RUNTIME_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

#define TASKS_MAX 16

/// Values of task.due: the task runs in every turn, or only when it is ready.
#define TASK_ALWAYS 0
#define TASK_NEVER UINT64_MAX

struct task {
	// set when it is added
	void *worker;     // whoever it works for
	const void *part; // what it is about, where one of them is not like another; NULL

	/// Do what is due, at most `budget` of it; what is left over must leave the task due or ready.
	/// @return packets that it moved
	unsigned (*run)(struct task *task, uint64_t now);

	/// Is there something to do although it is not due? NULL: only time tells.
	bool (*ready)(const struct task *task, uint64_t now);

	/// For loops that sleep: when must it run next, if nothing becomes ready? NULL: when it is due.
	uint64_t (*next)(const struct task *task);

	/// The loop is about to sleep: whoever makes the task ready must wake it from now on. NULL: only the loop itself does.
	/// @return false: there is something to do, do not sleep
	bool (*sleep)(struct task *task);

	/// The loop is awake, or did not go to sleep.
	void (*wake)(struct task *task);

	uint32_t budget; // in the task's own unit, for one run

	// the task's own
	uint64_t due; // TSC, or TASK_ALWAYS or TASK_NEVER
};

/// A worker's, in the order in which they run.
struct tasks {
	unsigned count;
	struct task task[TASKS_MAX];
};

/// Add a task, to run after the tasks that were added before it; TASKS_MAX at most.
void tasks_add(struct tasks *tasks, const struct task *task);

ALWAYS_INLINE bool task_wants_to_run(const struct task *task, uint64_t now)
{
	return task->due <= now || (task->ready && task->ready(task, now));
}

/// Run what is due or ready, each task once.
/// @return packets moved
ALWAYS_INLINE unsigned tasks_run(struct tasks *tasks, uint64_t now)
{
	unsigned moved = 0;

	for (unsigned i = 0; i < tasks->count; i++)
		if (task_wants_to_run(&tasks->task[i], now))
			moved += tasks->task[i].run(&tasks->task[i], now);
	return moved;
}

/// The loop wants to sleep: until when may it? Asks every task. tasks_wake() is called afterwards in any case.
/// @return TSC; `now`: not at all; TASK_NEVER: as long as it likes
uint64_t tasks_sleep(struct tasks *tasks, uint64_t now);
void tasks_wake(struct tasks *tasks);

#endif

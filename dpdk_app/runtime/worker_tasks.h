// SPDX-License-Identifier: BSD-3-Clause
// runtime/worker_tasks.h: the tasks that every worker has, whatever engine brings its packets.

#ifndef POLLGATE_RUNTIME_WORKER_TASKS_H
#define POLLGATE_RUNTIME_WORKER_TASKS_H

#include "pipeline/egress.h"
#include "runtime/worker.h"

/// What an engine does for them, in its own buffers.
struct engine_parts {
	/// The policy is a new one: w->current, to be used from now on.
	void (*use_policy)(struct worker *w);

	/// Deliver mail of other workers, and take the datagrams among it through the pipeline.
	/// @param most  messages and datagrams, together; BURST_MAX or fewer
	/// @return datagrams
	unsigned (*serve_mail)(struct worker *w, uint32_t most, uint64_t now);

	/// Send what a profile has to say without having been asked.
	/// @param of  the profile's part of the worker
	/// @return packets
	unsigned (*send_egress)(struct worker *w, const struct egress_source *source, void *of, uint32_t most,
				uint64_t now);

	uint32_t slots; // that a sweep looks at in one turn: a loop that turns often looks at a few
};

struct profile_life;

/// Housekeeping: the policy; sessions that are over; and, where there is a shard, players who are told that the gateway ends.
/// After worker_begin().
void worker_add_housekeeping(struct worker *w, const struct engine_parts *parts);

/// A part of it: look through what a profile keeps.
void worker_add_sweep(struct worker *w, const struct profile_life *life);

/// Mail and egress, of a worker with a shard that can send; after housekeeping.
void worker_add_session_tasks(struct worker *w);

/// Egress to netcode clients, of a worker that can send; after housekeeping.
void worker_add_netcode_tasks(struct worker *w);

#endif

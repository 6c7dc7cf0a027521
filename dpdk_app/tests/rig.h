// SPDX-License-Identifier: BSD-3-Clause
// rig.h: an ingress with everything that it needs around it, and no device: one port, two listeners, one table.

#ifndef POLLGATE_TESTS_RIG_H
#define POLLGATE_TESTS_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "frames.h"
#include "pipeline/pipeline.h"

#define RIG_HZ 1000000000ULL // a TSC cycle of the tests is a nanosecond
#define RIG_PORTS          \
	{                  \
		8080, 8081 \
	}
#define RIG_SECRET                                                                                           \
	{                                                                                                    \
		.address = {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0x2545f4914f6cdd1d}, \
		.channel = 0xd6e8feb86659fd93, .addend = 0xa0761d6478bd642f,                                 \
	}

struct rig {
	struct ingress ingress;
	struct identity identity;
	struct listeners listeners;
	struct policy policy;
	struct plain_registry registry;
	struct plain_table sessions;
	struct source_limits sources;
	struct pg_worker_stats stats;
	struct host_buckets host;
	struct announcer announcer;
	const struct hot_path *path;
	bool rx_offload;
	bool tx_offload;
	uint64_t now;
	void *region;
	void *index;
};

/// What became of one frame.
struct outcome {
	enum pg_drop drop;
	uint16_t len; // of the answer; 0 when dropped
	struct tx_request tx;
	uint8_t bytes[FRAME_MAX];
};

/// What the rig's port is: 10.0.0.1/24, fd00::1/64, fe80::1/64; and one with 172.16.0.2/31 and 172.16.1.1/32, too.
void rig_identity(struct identity *identity);
void rig_identity_of_many(struct identity *identity);

/// An ingress at time 1 s; host answers and sources unlimited. Ends the process when the CPU lacks `isa`.
struct rig *rig_open(const char *isa, uint32_t capacity);
void rig_close(struct rig *rig);

/// What a device can do, each combination a number below RIG_OFFLOADS: verify checksums or not, and compute none, either or
/// both.
#define RIG_OFFLOADS 8
void rig_offload(struct rig *rig, unsigned combination);

/// As rig_open left it.
void rig_reset(struct rig *rig);

/// One frame as a burst of one, from a buffer of exactly its size and the room for an answer.
struct outcome rig_send(struct rig *rig, const struct frame *f);
struct outcome rig_send_with_flags(struct rig *rig, const struct frame *f, unsigned rx);

/// A frame in a buffer as small as one can be. Freed with free().
uint8_t *rig_buffer(const struct rig *rig, const struct frame *f);

/// Limit what each source may send to a listener.
void rig_limit_sources(struct rig *rig, unsigned listener, struct rate rate);

/// Who sent a frame of this flow, to either listener.
struct peer rig_peer(const struct flow *flow);

/// received = handled + dropped + handed over, and nothing is dropped for no reason.
bool stats_conserved(const struct pg_worker_stats *stats);
bool rig_conserved(const struct rig *rig);

/// Zeroed memory on a cache line; never NULL. Freed with free().
void *zeroed_lines(size_t size);

/// xorshift64*: the same sequence in every run. `state` is not 0.
uint64_t random_next(uint64_t *state);

/// 0 … n-1.
uint32_t random_below(uint64_t *state, uint32_t n);

#endif

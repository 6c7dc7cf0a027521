// SPDX-License-Identifier: BSD-3-Clause
// bench/rewinding.h: a packet that repeats is no replay: what it has shown is forgotten.

#ifndef POLLGATE_BENCH_REWINDING_H
#define POLLGATE_BENCH_REWINDING_H

#include <rte_cycles.h>

#include "session/shard.h"

/// Ethernet, IPv4 without options, UDP: what is in front of payloads.
#define FRAME_HEADERS 42

/// No packet of a capture acknowledges what a dead worker's connections are told: of the restart, in each answer, and of their
/// limits.
ALWAYS_INLINE void rewind_slot(struct session_shard *shard, uint32_t slot)
{
	struct session_record *record = &shard->store->records[slot];
	struct delivery *c = store_delivery(shard->store, slot);
	const uint32_t sent = record->tx_counter;
	const struct session_prefix prefix = {.ack = sent, .ack_bits = UINT32_MAX};

	record->replay = (struct replay){.newest = 0};
	if (unlikely(!delivery_quiet(c)))
		delivery_acknowledged(&shard->ctx, c, sent, &prefix, rte_rdtsc());
}

#endif

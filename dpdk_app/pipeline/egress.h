// SPDX-License-Identifier: BSD-3-Clause
// pipeline/egress.h: what the gateway sends to its sessions on its own: flushed, repeated, acknowledged, closed.
//
// Called between bursts, when the time of egress_due() has come or egress_ready() says so.

#ifndef POLLGATE_PIPELINE_EGRESS_H
#define POLLGATE_PIPELINE_EGRESS_H

#include "pipeline/pipeline.h"
#include "session/shard.h"

/// Frames for ports of ours, complete with software checksums.
struct frame_egress {
	uint8_t *frame[BURST_MAX]; // in: buffers of ETHERNET_MAX bytes
	uint16_t length[BURST_MAX];
	uint8_t port[BURST_MAX]; // ingress.port of the ingress where the peer's packets come in
};

/// Datagrams for the kernel.
struct datagram_egress {
	uint8_t *payload[BURST_MAX]; // in: buffers of SESSION_DATAGRAM_MAX bytes
	uint16_t length[BURST_MAX];
	struct peer peer[BURST_MAX];     // the destination; its listener is the source
	uint8_t socket_index[BURST_MAX]; // datagram_burst.socket_index of the peer's own datagrams
};

/// What a profile sends on its own, for whatever engine.
struct egress_source {
	/// Fill up to n buffers. Counted as tx_originated: each is to be offered to a transmit queue, whatever becomes of it.
	/// @param of  the profile's part of the worker
	/// @param n   at most BURST_MAX
	/// @return how many were filled; when it is n there may be more
	unsigned (*frames)(void *of, struct frame_egress *out, unsigned n, uint64_t now);
	unsigned (*datagrams)(void *of, struct datagram_egress *out, unsigned n, uint64_t now);
};

extern const struct egress_source session_egress; // of struct session_shard
extern const struct egress_source netcode_egress; // of struct netcode_shard
extern const struct egress_source world_egress;   // of struct replication, in which a tick is active

/// Is something waiting, whatever the time?
ALWAYS_INLINE bool egress_ready(const struct session_shard *shard)
{
	return shard->outbox.count != 0 || wheel_hastens(&shard->wheel);
}

/// The time from which on something may be due. Only egress_frames() and egress_datagrams() advance it.
ALWAYS_INLINE uint64_t egress_due(const struct session_shard *shard)
{
	return wheel_turns(&shard->wheel);
}

/// When there may be something to send next, if nothing comes in: for loops that sleep. UINT64_MAX: never.
ALWAYS_INLINE uint64_t egress_next(const struct session_shard *shard)
{
	return shard->outbox.count != 0 ? 0 : wheel_next(&shard->wheel);
}

/// Fill up to n buffers. Counted as tx_originated: each is to be offered to a transmit queue, whatever then becomes of it.
/// @param n  at most BURST_MAX
/// @return how many were filled; when it is n there may be more
unsigned egress_frames(struct session_shard *shard, struct frame_egress *out, unsigned n, uint64_t now);
unsigned egress_datagrams(struct session_shard *shard, struct datagram_egress *out, unsigned n, uint64_t now);

#endif

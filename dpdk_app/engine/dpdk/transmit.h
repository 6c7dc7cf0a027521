// SPDX-License-Identifier: BSD-3-Clause
// engine/dpdk/transmit.h: every packet offered to a queue either leaves or is freed, and is counted as one of them.
//
// What the device has no room for is held, in order, and offered again at each turn of the loop; meanwhile sessions and worlds
// write nothing. So a tick's datagrams leave as fast as the link takes them, and what is late is shed by the tick, which knows
// what matters, instead of being dropped here, where nobody does.

#ifndef POLLGATE_ENGINE_DPDK_TRANSMIT_H
#define POLLGATE_ENGINE_DPDK_TRANSMIT_H

#include <rte_mbuf.h>

#include "engine/dpdk/dpdk.h"
#include "pipeline/egress.h"

/// Send, or hold what the device has no room for; it is dropped when that is more than PG_HELD_PER_QUEUE, or when the device
/// stands. Takes ownership of the mbufs.
/// @param bytes  of all n
void transmit(struct dpdk_worker *w, struct worker_queue *q, struct rte_mbuf **mbufs, unsigned n, uint64_t bytes);

/// Offer what is held again. Call when there is some: struct dpdk_worker's `held`.
COLD void transmit_held(struct dpdk_worker *w, uint64_t now);

/// The worker ends: what its devices do not take now is dropped.
void transmit_last(struct dpdk_worker *w);

/// Send what a burst has become, by the queue's port: answers leave, the rest is freed or goes to whose it is (inbox.h).
/// @param bytes  received
/// @return how many answers there were
unsigned transmit_answers(struct dpdk_worker *w, struct worker_queue *q, const struct burst *burst,
			  struct rte_mbuf **mbufs, unsigned n, uint64_t bytes);

/// The ports that this worker speaks for are to be announced: that is due from now on.
void announce(struct dpdk_worker *w, uint64_t now);

/// No more is received: leave the groups of the ports that this worker speaks for.
void leave_groups(struct dpdk_worker *w, uint64_t now);

/// Send what is due of what a host owes its link, by this queue. What is left over stays due.
/// @return frames, at most `most`
unsigned send_announcements(struct dpdk_worker *w, struct worker_queue *q, unsigned most, uint64_t now);

/// What sessions have to say without having been asked: engine_parts.send_egress.
/// @param w     of a struct dpdk_worker
/// @param most  BURST_MAX or fewer
/// @return packets
unsigned send_egress(struct worker *w, const struct egress_source *source, void *of, uint32_t most, uint64_t now);

#endif

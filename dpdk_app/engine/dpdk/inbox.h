// SPDX-License-Identifier: BSD-3-Clause
// engine/dpdk/inbox.h: frames that a worker received for another one's sessions, on their way to it: a ring for each worker.

#ifndef POLLGATE_ENGINE_DPDK_INBOX_H
#define POLLGATE_ENGINE_DPDK_INBOX_H

#include <rte_mbuf.h>

#include "engine/dpdk/dpdk.h"

/// With one worker there is no other worker to hand a packet to, and no inbox.
int inbox_make(struct dpdk_worker *w, uint32_t workers, struct pg_error *error);
void inbox_free(struct dpdk_worker *w);

/// Give a packet to the worker whose session it is, or count it as dropped. Takes ownership.
/// @param q  by which it came in
COLD void inbox_hand_over(struct dpdk_worker *w, const struct worker_queue *q, uint8_t owner, struct rte_mbuf *m);

/// What others handed over.
/// @param mbufs  BURST_MAX of them; the caller's from now on
/// @return how many
unsigned inbox_take(struct dpdk_worker *w, struct rte_mbuf **mbufs);

#endif

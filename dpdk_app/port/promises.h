// SPDX-License-Identifier: BSD-3-Clause
// port/promises.h: what drivers of NICs rely on in every packet, and no virtual device looks at.
//
// README.md beside this file lists all such promises with the rule that keeps each. Those of a packet are checked by builds
// with -Dpromises=true, for every packet that leaves; a broken one ends the process.

#ifndef POLLGATE_PORT_PROMISES_H
#define POLLGATE_PORT_PROMISES_H

#include <rte_mbuf.h>

#include "port/port.h"

/// @return which promise `m`, about to leave by `port`, breaks, as a sentence; NULL: none
const char *promise_broken(const struct port *port, const struct rte_mbuf *m);

/// Ends the process when one of them breaks a promise.
void promises_enforce(const struct port *port, struct rte_mbuf *const *mbufs, unsigned n);

/// After the ports of a pool were closed: is every buffer back? Ends the process if not.
void promises_enforce_returned(const struct rte_mempool *pool);

#ifdef POLLGATE_PROMISES
#define PROMISES 1
#else
#define PROMISES 0
#endif

#endif

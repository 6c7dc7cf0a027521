// SPDX-License-Identifier: BSD-3-Clause
// delivery/restart.h: a connection whose gateway's process died goes on: what the next process says (RESTARTED), and what the
// peer does then. wire/PROTOCOL.md, "After a crash".

#ifndef POLLGATE_DELIVERY_RESTART_H
#define POLLGATE_DELIVERY_RESTART_H

#include "delivery/delivery.h"

// ---------------------------------------------------------------- the process that follows

struct delivery_ids delivery_ids(const struct delivery *c);

/// Go on with these, after delivery_begin().
/// @param seen  ids of the unordered channel that were delivered though one before them was not; NULL: none
void delivery_resume(struct delivery *c, const struct delivery_ids *ids, const struct id_bits *seen);

/// The peer is to hear that it does. Until it has, nothing else is said.
/// @param epoch  processes of this connection that died
void restart_begin(struct delivery *c, uint16_t epoch);

/// Write RESTARTED into a datagram that leaves.
void restart_fill(struct delivery *c, struct leaving *leaving);

/// These datagrams are acknowledged: was RESTARTED in one of them?
void restart_acknowledged(struct delivery *c, struct arrived arrived);

/// When it should be said again without being asked; UINT64_MAX - 1: when the peer has been heard.
uint64_t restart_wake(const struct delivery_context *ctx, const struct delivery *c, uint64_t now);

// ---------------------------------------------------------------- the peer

/// Is there a RESTARTED of a process that we have not heard of among the messages of a datagram? It is heeded before all else.
/// @param lost  out: of each channel, how many ids were used by the process that died and never came
bool delivery_heed_restarted(struct delivery_context *ctx, struct delivery *c, const uint8_t *body, uint16_t length,
			     uint32_t lost[SESSION_CHANNELS], uint64_t now);

#endif

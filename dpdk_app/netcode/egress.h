// SPDX-License-Identifier: BSD-3-Clause
// netcode/egress.h: what the gateway sends to netcode clients on its own: keep-alives, payloads of game processes, and that it
// ends; and clients that are silent for too long.

#ifndef POLLGATE_NETCODE_EGRESS_H
#define POLLGATE_NETCODE_EGRESS_H

#include "netcode/shard.h"

/// Find the next client that is to be sent something.
/// @param looks  in and out: how many clients may still be looked at
/// @return its slot, or NETCODE_NONE
uint32_t netcode_next(struct netcode_shard *shard, unsigned *looks, uint64_t now);

/// Write what it is to be sent.
/// @return bytes
uint16_t netcode_write(struct netcode_shard *shard, uint32_t slot, uint8_t *payload, uint64_t now);

/// The way to it is not known: it waits for its next packet, and a payload is lost.
void netcode_put_off(struct netcode_shard *shard, uint32_t slot, uint64_t now);

#endif

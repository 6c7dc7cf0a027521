// SPDX-License-Identifier: BSD-3-Clause
// load/resolve.h: which MAC address has the target? The question and its answer: ARP, or neighbour discovery.

#ifndef POLLGATE_LOAD_RESOLVE_H
#define POLLGATE_LOAD_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/identity.h"
#include "pollgate.h"

/// Bytes that a question needs at most.
#define RESOLVE_MAX 86

/// Ask for the MAC of `target`, from the first address of its family. @return bytes of the frame
uint16_t resolve_ask(uint8_t *frame, const struct identity *id, const struct pg_address *target);

/// Is this frame, which parse_frame let through, the answer? @param mac  out: the target's
bool resolve_hear(const uint8_t *frame, uint16_t l3, uint16_t end, const struct identity *id,
		  const struct pg_address *target, uint8_t *mac);

#endif

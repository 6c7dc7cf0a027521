// SPDX-License-Identifier: BSD-3-Clause
// net/partial.h: frames of a sender on the same host, who left the UDP checksum to a device that is none.
//
// Between virtual machines and their host nothing can be damaged, so what the sender's kernel wrote for its device, the
// sum of the pseudo-header, comes along as the checksum. Answers are made from what was received, so it is completed
// before the frame is looked at.

#ifndef POLLGATE_NET_PARTIAL_H
#define POLLGATE_NET_PARTIAL_H

#include "net/identity.h"

/// Of a frame to one of our listeners whose device says that the datagram is whole and its checksum is not: complete it.
/// Leaves alone what is not for us, and a field in which something else than that sum stands: some drivers say the same
/// of what they did not look at.
void partial_complete(uint8_t *frame, uint16_t len, const struct identity *id, const struct listeners *listeners);

#endif

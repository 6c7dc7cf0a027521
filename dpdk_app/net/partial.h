// SPDX-License-Identifier: BSD-3-Clause
// net/partial.h: frames of a sender on the same host that left the UDP checksum to a virtual device, which computes none.
//
// Between virtual machines and their host nothing can be damaged, so what the sender's kernel wrote for its device, the
// sum of the pseudo-header, comes along as the checksum. Answers are made from what was received, so it is completed
// before the frame is looked at.

#ifndef POLLGATE_NET_PARTIAL_H
#define POLLGATE_NET_PARTIAL_H

#include "net/identity.h"

/// Complete the checksum of a frame to one of our listeners. Its device said that the datagram is whole and its checksum is
/// not. Frames for others are left alone, and so is a field that is not the sum of the pseudo-header: some drivers say the
/// same of frames that they did not look at.
void partial_complete(uint8_t *frame, uint16_t len, const struct identity *id, const struct listeners *listeners);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// replication/about.h: WORLD: which world somebody is in.

#ifndef POLLGATE_REPLICATION_ABOUT_H
#define POLLGATE_REPLICATION_ABOUT_H

#include "replication/replication.h"

/// Bytes of its body.
size_t about_bytes(const struct replica *replica);

/// Write the body.
/// @param at  about_bytes()
/// @return about_bytes()
size_t about_write(const struct replica *replica, uint8_t epoch, uint8_t *at);

#endif

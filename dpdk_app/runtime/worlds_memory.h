// SPDX-License-Identifier: BSD-3-Clause
// runtime/worlds_memory.h: how what a worker has of worlds lies in its memory.

#ifndef POLLGATE_RUNTIME_WORLDS_MEMORY_H
#define POLLGATE_RUNTIME_WORLDS_MEMORY_H

#include "pollgate_world.h"
#include "replication/replication.h"

/// Ticks are counted from before the first: what is younger than a baseline can be is not before 0.
#define WORLDS_TICKS_BEFORE 1024

/// Bytes of one worker's, but for what looks at all parts.
/// @param plain_capacity  sessions of profile plain
size_t worlds_memory_bytes(const struct pg_plan *plan, uint32_t plain_capacity);

/// Lay it out.
/// @param memory  of that size, zeroed
struct replication *worlds_lay_out(const struct pg_plan *plan, uint32_t plain_capacity, void *memory);

#endif

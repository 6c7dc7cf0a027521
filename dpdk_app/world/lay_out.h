// SPDX-License-Identifier: BSD-3-Clause
// world/lay_out.h: tables one behind the other in memory that the caller gives, each at a cache line.

#ifndef POLLGATE_WORLD_LAY_OUT_H
#define POLLGATE_WORLD_LAY_OUT_H

#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

/// Where the next table lies; of what is only measured, from 0 on.
struct lay_out {
	uintptr_t at;
};

ALWAYS_INLINE void *take(struct lay_out *lay_out, size_t bytes)
{
	const uintptr_t at = lay_out->at;

	lay_out->at += whole_lines(bytes);
	return (void *)at;
}

#endif

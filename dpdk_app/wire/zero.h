// SPDX-License-Identifier: BSD-3-Clause
// wire/zero.h: bytes that are to be zero.

#ifndef POLLGATE_WIRE_ZERO_H
#define POLLGATE_WIRE_ZERO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool all_zero(const uint8_t *bytes, size_t n)
{
	uint8_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= bytes[i];
	return any == 0;
}

#endif

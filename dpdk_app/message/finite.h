// SPDX-License-Identifier: BSD-3-Clause
// message/finite.h: refuse NaN and infinity before they reach any arithmetic.

#ifndef POLLGATE_MESSAGE_FINITE_H
#define POLLGATE_MESSAGE_FINITE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"

#define FLOAT_EXPONENT 0x7f800000U

/// Are `count` packed floats finite? IEEE 754: all ones in the exponent is infinity or NaN.
ALWAYS_INLINE bool floats_finite(const void *floats, unsigned count)
{
	bool finite = true;

	for (unsigned i = 0; i < count; i++) {
		uint32_t bits;

		memcpy(&bits, (const uint8_t *)floats + i * sizeof(bits), sizeof(bits));
		finite &= (bits & FLOAT_EXPONENT) != FLOAT_EXPONENT;
	}
	return finite;
}

#endif

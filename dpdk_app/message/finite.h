// SPDX-License-Identifier: BSD-3-Clause
// message/finite.h: refuse NaN and infinity before they reach any arithmetic.

#ifndef POLLGATE_MESSAGE_FINITE_H
#define POLLGATE_MESSAGE_FINITE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"

#define FLOAT_EXPONENT 0x7f800000U

/// Are these packed floats finite? IEEE 754: all ones in the exponent is infinity or NaN.
ALWAYS_INLINE bool floats3_finite(const void *floats)
{
	uint32_t bits[3];

	memcpy(bits, floats, sizeof(bits));
	return (bits[0] & FLOAT_EXPONENT) != FLOAT_EXPONENT && (bits[1] & FLOAT_EXPONENT) != FLOAT_EXPONENT &&
	       (bits[2] & FLOAT_EXPONENT) != FLOAT_EXPONENT;
}

/// Are six floats finite? Four at a time: the two loads overlap.
ALWAYS_INLINE bool floats6_finite(const void *floats)
{
	typedef uint32_t lanes __attribute__((vector_size(16)));
	typedef uint64_t halves __attribute__((vector_size(16)));
	lanes first, last;

	memcpy(&first, floats, sizeof(first));
	memcpy(&last, (const uint8_t *)floats + 2 * sizeof(float), sizeof(last));

	const halves special =
		(halves)(((first & FLOAT_EXPONENT) == FLOAT_EXPONENT) | ((last & FLOAT_EXPONENT) == FLOAT_EXPONENT));

	return (special[0] | special[1]) == 0;
}

#endif

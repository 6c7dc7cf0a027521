// SPDX-License-Identifier: BSD-3-Clause
// load/pace.h: which message is due when, at a steady rate or on a linear ramp. In closed form, so that no error adds up.

#ifndef POLLGATE_LOAD_PACE_H
#define POLLGATE_LOAD_PACE_H

#include <math.h>
#include <stdint.h>

#include "compiler.h"

#define SECOND_NS 1000000000ULL

/// Time is in TSC cycles from the first message.
struct pace {
	uint64_t total;    // messages of the whole trial
	uint64_t duration; // cycles
	double interval;   // cycles between messages at a steady rate; 0: a ramp
	double start_rate; // messages per cycle
	double growth;     // messages per cycle and cycle
};

/// Rates are not negative; with both 0 no message is ever due.
void pace_init(struct pace *pace, double start_pps, double end_pps, uint64_t duration_ns, uint64_t tsc_hz);

/// When message n is due. After t, a*t + b*t*t/2 messages were: solved for t in the form that loses no digits.
ALWAYS_INLINE uint64_t pace_due(const struct pace *pace, uint64_t n)
{
	const double number = (double)(int64_t)n; // the signed conversion is one instruction

	if (likely(pace->interval > 0))
		return (uint64_t)(int64_t)(number * pace->interval);
	if (n == 0)
		return 0;

	const double root = pace->start_rate * pace->start_rate + 2 * pace->growth * number;

	return (uint64_t)(int64_t)(2 * number / (pace->start_rate + sqrt(root > 0 ? root : 0)));
}

#endif

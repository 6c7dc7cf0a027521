// SPDX-License-Identifier: BSD-3-Clause
// load/pace.c: see pace.h.

#include "load/pace.h"

/// Rates and durations are decimal fractions: what ought to be a whole number may come out a little beside it.
static uint64_t round_up(double messages)
{
	const double whole = ceil(messages - messages * 1e-15 - 1e-6);

	return whole > 0 ? (uint64_t)whole : 0;
}

void pace_init(struct pace *pace, double start_pps, double end_pps, uint64_t duration_ns, uint64_t tsc_hz)
{
	const double duration_s = (double)duration_ns / (double)SECOND_NS, hz = (double)tsc_hz;
	const double messages = (start_pps + end_pps) / 2 * duration_s;

	*pace = (struct pace){
		// The first message is due at once: of 2.5 messages, three are.
		.total = round_up(messages),
		.duration = (uint64_t)(duration_s * hz),
		.start_rate = start_pps / hz,
	};
	if (start_pps == end_pps)
		pace->interval = start_pps > 0 ? hz / start_pps : 0;
	else
		pace->growth = (end_pps - start_pps) / hz / (duration_s * hz);
}

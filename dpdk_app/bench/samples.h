// SPDX-License-Identifier: BSD-3-Clause
// bench/samples.h: figures of which percentiles are asked for.

#ifndef POLLGATE_BENCH_SAMPLES_H
#define POLLGATE_BENCH_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

/// Of more than there is room for, the first.
struct samples {
	uint32_t count, room;
	float *at;
	double sum;
	bool sorted;
};

bool samples_make(struct samples *samples, uint32_t room);
void samples_free(struct samples *samples);
void samples_add(struct samples *samples, double figure);
void samples_clear(struct samples *samples);

/// @param quantile  0 to 1
/// @return 0: there are none
double samples_quantile(struct samples *samples, double quantile);
double samples_mean(const struct samples *samples);

#endif

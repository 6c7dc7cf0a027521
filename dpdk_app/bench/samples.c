// SPDX-License-Identifier: BSD-3-Clause
// bench/samples.c: see samples.h.

#include "bench/samples.h"

#include <stdlib.h>

bool samples_make(struct samples *samples, uint32_t room)
{
	*samples = (struct samples){.room = room, .at = calloc(room, sizeof(*samples->at))};
	return samples->at != NULL;
}

void samples_free(struct samples *samples)
{
	free(samples->at);
}

void samples_add(struct samples *samples, double figure)
{
	if (samples->count == samples->room)
		return;
	samples->at[samples->count++] = (float)figure;
	samples->sum += figure;
	samples->sorted = false;
}

void samples_clear(struct samples *samples)
{
	samples->count = 0;
	samples->sum = 0;
}

static int by_value(const void *a, const void *b)
{
	const float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

double samples_quantile(struct samples *samples, double quantile)
{
	if (samples->count == 0)
		return 0;
	if (!samples->sorted)
		qsort(samples->at, samples->count, sizeof(*samples->at), by_value);
	samples->sorted = true;
	return samples->at[(uint32_t)(quantile * (samples->count - 1))];
}

double samples_mean(const struct samples *samples)
{
	return samples->count == 0 ? 0 : samples->sum / samples->count;
}

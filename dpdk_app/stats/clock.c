// SPDX-License-Identifier: BSD-3-Clause
// stats/clock.c: the time-stamp counter and its rate, without EAL, so that the supervisor and tests can use them.

#include <cpuid.h>
#include <time.h>
#include <x86intrin.h>

#include "pollgate.h"

#define NS_PER_S 1000000000ULL
#define CALIBRATION_NS 20000000ULL

uint64_t pg_tsc(void)
{
	return __rdtsc();
}

/// CPUID leaf 0x15: TSC rate from the crystal's, where the CPU tells both.
static uint64_t tsc_hz_from_cpuid(void)
{
	unsigned denominator = 0, numerator = 0, crystal_hz = 0, unused = 0;

	if (!__get_cpuid_count(0x15, 0, &denominator, &numerator, &crystal_hz, &unused))
		return 0;
	if (denominator == 0 || numerator == 0 || crystal_hz == 0)
		return 0;
	return (uint64_t)crystal_hz * numerator / denominator;
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t tsc_hz_measured(void)
{
	const uint64_t ns = monotonic_ns(), tsc = pg_tsc();
	const struct timespec pause = {.tv_nsec = CALIBRATION_NS};

	nanosleep(&pause, NULL);

	const uint64_t elapsed_ns = monotonic_ns() - ns, elapsed = pg_tsc() - tsc;

	return (uint64_t)((unsigned __int128)elapsed * NS_PER_S / elapsed_ns);
}

uint64_t pg_tsc_hz(void)
{
	static uint64_t hz; // the same for every caller; a race measures it twice

	if (hz == 0) {
		const uint64_t told = tsc_hz_from_cpuid();

		hz = told ? told : tsc_hz_measured();
	}
	return hz;
}

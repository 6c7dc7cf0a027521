// SPDX-License-Identifier: BSD-3-Clause
// runtime/sweep.h: how often a worker looks through a table for sessions that are over: by time, however often its loop
// turns.
//
// A whole table is looked through in each round, evenly, a few slots in one turn. So a busy worker and an idle one notice
// equally soon, and the share of a worker's time that it costs depends on the sessions alone.

#ifndef POLLGATE_RUNTIME_SWEEP_H
#define POLLGATE_RUNTIME_SWEEP_H

#include <stdint.h>

/// Who is silent for too long is noticed this part of the idle time-out later, at the latest.
#define SWEEP_PRECISION 8

/// But who expired or was revoked, within a second; and nobody looks all the time because the time-out is short.
#define SWEEP_ROUND_MAX_MS 1000
#define SWEEP_ROUND_MIN_MS 50

/// Of more sessions than a worker looks at in one part in a hundred of its time, all are looked at less often: a million in
/// 4.2 seconds.
#define SWEEP_SLOTS_PER_S 250000

/// How long a worker has for a table of `used` slots, in TSC cycles as all else here.
static inline uint64_t sweep_round(uint64_t idle_timeout, uint64_t tsc_hz, uint32_t used)
{
	const uint64_t round = idle_timeout / SWEEP_PRECISION;
	const uint64_t most = tsc_hz / 1000 * SWEEP_ROUND_MAX_MS, least = tsc_hz / 1000 * SWEEP_ROUND_MIN_MS;
	const uint64_t cheap = tsc_hz / SWEEP_SLOTS_PER_S * used;
	const uint64_t precise = round > most ? most : round < least ? least : round;

	return precise > cheap ? precise : cheap;
}

/// When are the next `slots` due, after those that were due at `due`? Who could not keep up makes up for it, in the turns
/// that follow, but never for more than a round.
static inline uint64_t sweep_next(uint64_t due, uint64_t now, uint64_t round, uint32_t slots, uint32_t used)
{
	const uint64_t next = due + (used > slots ? round / used * slots : round);

	return (int64_t)(next - (now - round)) < 0 ? now - round : next;
}

#endif

// SPDX-License-Identifier: BSD-3-Clause
// appliance.h: an appliance with a socket engine in this process, on a free port of loopback, from pg_open to pg_close.

#ifndef POLLGATE_TESTS_APPLIANCE_H
#define POLLGATE_TESTS_APPLIANCE_H

#include "pollgate.h"
#include "unit.h"

#define SETTLE_MS 5000

/// An appliance in this process, and what outlives it.
struct appliance {
	struct pg_plan plan;
	struct pg_stats_page *page;
	void *state;
	size_t state_size;
	struct pg_gateway *gateway;
	struct pg_error error;
};

/// A UDP port that nobody has, and that no other process of a test run is given before this one ends.
uint16_t free_port(void);

/// What is to run: one listener of the plain profile, and room for so many of its sessions. To be changed before it is
/// prepared.
void appliance_plan(struct appliance *a, uint8_t engine, uint32_t workers, uint32_t capacity);

/// Make what outlives it, as large as the plan says. Freed by appliance_give_up().
void appliance_prepare(struct appliance *a);
void appliance_give_up(struct appliance *a);

/// Open and start, stop and close; the test fails when the appliance does.
void appliance_start(struct appliance *a);
void appliance_stop(struct appliance *a);

/// Of all workers: TOTAL(a, received).
#define TOTAL(a, counter) appliance_total(a, offsetof(struct pg_worker_stats, counter))
uint64_t appliance_total(const struct appliance *a, size_t counter);

uint64_t sum(const uint64_t *counters, unsigned n);

/// The laws, of each worker and of all, and what the port says. Holds when the appliance has stopped.
void appliance_assert_conserved(const struct appliance *a);

/// What a test was given: it runs once for each engine.
uint8_t engine_of(void **state);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// stand.h: a session table by itself, with its memory.

#ifndef POLLGATE_TESTS_STAND_H
#define POLLGATE_TESTS_STAND_H

#include "rig.h"
#include "table/table.h"

static const struct hash_secret secret = RIG_SECRET;

/// A table and what it stands on.
struct stand {
	struct plain_table table;
	struct plain_registry registry;
	uint64_t active;
	uint64_t other_active; // of a second worker
	struct plain_region *region;
	void *index;
};

uint32_t stand_adopt(struct stand *s, uint32_t capacity, uint64_t now);
struct stand *stand_open(uint32_t capacity);
void stand_close(struct stand *s);
struct peer peer_number(uint32_t n);
uint64_t passed_sum(const struct plain_table *table);

#endif

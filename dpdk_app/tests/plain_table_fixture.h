// SPDX-License-Identifier: BSD-3-Clause
// plain_table_fixture.h: a session table by itself, with its memory.

#ifndef POLLGATE_TESTS_PLAIN_TABLE_FIXTURE_H
#define POLLGATE_TESTS_PLAIN_TABLE_FIXTURE_H

#include "rig.h"
#include "table/table.h"

static const struct hash_secret secret = RIG_SECRET;

/// A table and what it stands on.
struct plain_table_fixture {
	struct plain_table table;
	struct plain_registry registry;
	uint64_t active;
	uint64_t other_active; // of a second worker
	struct plain_region *region;
	void *index;
};

uint32_t plain_table_fixture_adopt(struct plain_table_fixture *s, uint32_t capacity, uint64_t now);
struct plain_table_fixture *plain_table_fixture_open(uint32_t capacity);
void plain_table_fixture_close(struct plain_table_fixture *s);
struct peer peer_number(uint32_t n);
uint64_t passed_sum(const struct plain_table *table);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// plain_table_fixture.c: see plain_table_fixture.h.

#include "plain_table_fixture.h"

#include <stdlib.h>

#include "unit.h"

uint32_t plain_table_fixture_adopt(struct plain_table_fixture *s, uint32_t capacity, uint64_t now)
{
	free(s->index);
	s->index = zeroed_lines(plain_index_size(capacity));
	s->registry = (struct plain_registry){
		.capacity = capacity,
		.tables = 2,
		.active = {&s->active, &s->other_active},
	};
	return plain_table_init(&s->table, s->region, capacity, s->index, &s->registry, &s->active, &secret, now);
}

struct plain_table_fixture *plain_table_fixture_open(uint32_t capacity)
{
	struct plain_table_fixture *s = zeroed_lines(sizeof(*s));

	s->region = zeroed_lines(plain_region_size(capacity));
	assert_int_equal(plain_table_fixture_adopt(s, capacity, 0), 0);
	return s;
}

void plain_table_fixture_close(struct plain_table_fixture *s)
{
	free(s->region);
	free(s->index);
	free(s);
}

struct peer peer_number(uint32_t n)
{
	struct peer peer;

	peer_set4(&peer, 0x01000014 + n * 0x100);
	peer_set_channel(&peer, (be16)n, (uint8_t)(n % 2));
	return peer;
}

uint64_t passed_sum(const struct plain_table *table)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < table->bucket_count; i++)
		sum += table->buckets[i].passed;
	return sum;
}

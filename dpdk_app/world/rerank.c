// SPDX-License-Identifier: BSD-3-Clause
// world/rerank.c: new ranks along a Z-curve over the ground: sorted in slices over many ticks, carried over within one.

#include <string.h>

#include "world/journal.h"
#include "world/own.h"
#include "world/part.h"

#define CLEARED_PER_UNIT 16

bool world_rerank_begin(struct world_part *part)
{
	struct world_own *own = part->own;

	if (part->published - part->reranked < part->frames || own->writing != WRITING_NOTHING)
		return false;
	if (own->reranking != RERANK_NONE && own->reranking != RERANK_READY)
		return false;
	if (!world_readers_passed(part, part->reranked))
		return false;
	if (unlikely(own->journal))
		journal_rerank_begin(part);
	own->reranking = RERANK_CLEAR;
	own->sorted_tick = part->published;
	own->sorted = part->count;
	own->elements = own->keyed = 0;
	return true;
}

/// Nobody has a new rank yet, nor has who comes meanwhile.
static void clear(struct world_part *part, uint32_t *budget)
{
	struct world_own *own = part->own;
	const uint32_t left = part->capacity - own->keyed;
	const uint32_t units = (left + CLEARED_PER_UNIT - 1) / CLEARED_PER_UNIT;
	const uint32_t spent = units < *budget ? units : *budget;
	const uint32_t count = units <= *budget ? left : spent * CLEARED_PER_UNIT;

	memset(own->becomes + own->keyed, 0xff, count * sizeof(*own->becomes));
	own->keyed += count;
	*budget -= spent;
	if (own->keyed == part->capacity) {
		own->keyed = 0;
		own->reranking = RERANK_KEYS;
	}
}

/// Bit b of a number becomes bit 2b.
ALWAYS_INLINE uint32_t spread(uint32_t n)
{
	n = (n | n << 8) & 0x00ff00ff;
	n = (n | n << 4) & 0x0f0f0f0f;
	n = (n | n << 2) & 0x33333333;
	return (n | n << 1) & 0x55555555;
}

static void sort_by(struct world_own *own, unsigned half)
{
	own->pass = (struct world_pass){
		.from = own->element[half],
		.to = own->element[1 - half],
		.count = own->elements,
		.start = own->buckets,
		.buckets = WORLD_CURVE_BUCKETS,
		.shift = (uint8_t)(WORLD_RANK_BITS + half * WORLD_CURVE_BITS),
	};
	world_pass_begin(&own->pass);
}

static void key(struct world_part *part, uint32_t *budget)
{
	struct world_own *own = part->own;
	const struct world_frame *frame = world_frame_at(part, own->sorted_tick);

	for (; own->keyed < own->sorted && *budget != 0; own->keyed++, --*budget) {
		const uint32_t rank = own->keyed;
		const uint32_t x = (uint32_t)frame->x[rank] >> own->key_shift;
		const uint32_t y = (uint32_t)frame->y[rank] >> own->key_shift;

		if (part->number[rank] != WORLD_NOBODY)
			own->element[0][own->elements++] = world_element(rank, spread(x) | spread(y) << 1);
	}
	if (own->keyed == own->sorted) {
		own->reranking = RERANK_LOW;
		sort_by(own, 0);
	}
}

static void sort_on(struct world_part *part, uint32_t elements)
{
	struct world_own *own = part->own;

	if (own->reranking == RERANK_CLEAR)
		clear(part, &elements);
	if (own->reranking == RERANK_KEYS && elements != 0)
		key(part, &elements);
	if (own->reranking == RERANK_LOW && world_pass_step(&own->pass, &elements)) {
		own->reranking = RERANK_HIGH;
		sort_by(own, 1);
	}
	if (own->reranking == RERANK_HIGH && world_pass_step(&own->pass, &elements))
		own->reranking = RERANK_READY;
}

bool world_rerank_step(struct world_part *part, uint32_t elements)
{
	const struct world_own *own = part->own;

	sort_on(part, elements);
	if (unlikely(own->journal))
		journal_rerank_step(part, elements, own->reranking == RERANK_READY);
	return own->reranking == RERANK_READY;
}

static void copy(struct world_own *own, uint32_t before, uint32_t now)
{
	own->next.present[now] = own->now.present[before];
	own->next.number[now] = own->now.number[before];
	own->next.identity[now] = own->now.identity[before];
	own->next.came[now] = own->now.came[before];
	own->next.sort[now] = own->now.sort[before];
}

static void carry(struct world_part *part, uint32_t rank)
{
	struct world_own *own = part->own;

	if (own->now.number[rank] == WORLD_NOBODY)
		return;
	own->becomes[rank] = own->moved;
	own->was[own->moved] = rank < part->count ? rank : WORLD_NOBODY;
	copy(own, rank, own->moved++);
}

/// Those that were sorted first; then who came since.
bool world_carry(struct world_part *part, uint32_t *budget)
{
	struct world_own *own = part->own;

	for (; own->carried < own->elements && *budget != 0; own->carried++, --*budget)
		carry(part, world_element_rank(own->element[0][own->carried]));
	if (own->carried < own->elements)
		return false;
	for (; own->sorted < own->count && *budget != 0; own->sorted++, --*budget)
		carry(part, own->sorted);
	return own->sorted == own->count;
}

void world_carry_again(struct world_part *part, uint32_t rank)
{
	struct world_own *own = part->own;

	if (likely(!own->rerank))
		return;
	if (own->becomes[rank] != WORLD_NOBODY)
		copy(own, rank, own->becomes[rank]);
	else if (own->writing == WRITING_FRAME)
		carry(part, rank);
}

void world_rerank_apply(struct world_part *part)
{
	struct world_own *own = part->own;
	const struct world_tables tables = own->now;
	uint32_t *was = part->was, *becomes = part->becomes;

	own->now = own->next;
	own->next = tables;
	part->was = own->was;
	part->becomes = own->becomes;
	own->was = was;
	own->becomes = becomes;
	own->count = own->moved;
	own->reranking = RERANK_NONE;
	part->reranked_before = part->reranked;
	part->reranked = own->tick;
}

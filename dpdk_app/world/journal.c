// SPDX-License-Identifier: BSD-3-Clause
// world/journal.c: see journal.h.

#include "world/journal.h"

#include <string.h>

#include "world/game_state.h"
#include "world/own.h"

static_assert(JOURNAL_KINDS <= UINT8_MAX && sizeof(struct journal_word) == 4, "one word");
static_assert(sizeof(struct journal_move) == 32 && sizeof(struct journal_entity) == 40 &&
		      sizeof(struct journal_state) == 44,
	      "nothing between");

// ---------------------------------------------------------------- the ring

size_t journal_bytes(uint64_t ring)
{
	return sizeof(struct journal_head) + ring;
}

void journal_open(struct world_journal *journal, void *memory, uint64_t ring)
{
	struct journal_head *head = memory;
	const bool goes_on = head->magic == JOURNAL_MAGIC && head->version == JOURNAL_VERSION && head->bytes == ring;
	// A worker that died has left its last block as it is.
	const uint64_t written = goes_on ? journal_written(head) : 0;

	head->magic = JOURNAL_MAGIC;
	head->version = JOURNAL_VERSION;
	head->bytes = ring;
	*journal = (struct world_journal){.head = head, .bytes = ring, .written = written & ~(uint64_t)3};
	journal->at = journal->written % ring;
	__atomic_store_n(&head->written, journal->written, __ATOMIC_RELEASE);
}

/// The first block of which nothing has been written over when so many bytes were ever written. The one that is being written may be
/// ahead of that by a block.
static uint64_t oldest(uint64_t written, uint64_t ring)
{
	const uint64_t blocks = written / JOURNAL_BLOCK_BYTES + 2;
	const uint64_t room = ring / JOURNAL_BLOCK_BYTES;

	return blocks > room ? (blocks - room) * JOURNAL_BLOCK_BYTES : 0;
}

size_t journal_read(const void *memory, uint64_t ring, uint8_t *out, size_t *from)
{
	const struct journal_head *head = memory;
	const uint64_t to = journal_written(head), first = oldest(to, ring);
	const uint64_t before_end = ring - first % ring;
	uint64_t whole;

	*from = 0;
	if (head->magic != JOURNAL_MAGIC || head->version != JOURNAL_VERSION || head->bytes != ring || to <= first)
		return 0;
	if (to - first <= before_end) {
		memcpy(out, head->ring + first % ring, to - first);
	} else {
		memcpy(out, head->ring + first % ring, before_end);
		memcpy(out + before_end, head->ring, to - first - before_end);
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	whole = oldest(journal_written(head), ring); // meanwhile
	if (whole >= to)
		return 0;
	*from = whole > first ? whole - first : 0;
	return to - first - *from;
}

// ---------------------------------------------------------------- entries

static const uint8_t entry_bytes[JOURNAL_KINDS] = {
	[JOURNAL_PART] = sizeof(struct journal_part),
	[JOURNAL_ADD] = sizeof(struct journal_add),
	[JOURNAL_REMOVE] = sizeof(struct journal_remove),
	[JOURNAL_MOVE] = sizeof(struct journal_move),
	[JOURNAL_BEGIN] = sizeof(struct journal_begin),
	[JOURNAL_STEP] = sizeof(struct journal_step),
	[JOURNAL_RERANK_BEGIN] = sizeof(struct journal_rerank_begin),
	[JOURNAL_RERANK_STEP] = sizeof(struct journal_rerank_step),
	[JOURNAL_SLICES] = sizeof(struct journal_slices),
	[JOURNAL_ENTITY] = sizeof(struct journal_entity),
	[JOURNAL_WHOLE] = sizeof(struct journal_whole),
	[JOURNAL_STATE] = sizeof(struct journal_state),
};

size_t journal_entry_at(const uint8_t *bytes, size_t length, size_t at, union journal_entry *entry)
{
	const size_t left = length - at;
	size_t taken;

	if (left < sizeof(entry->word))
		return 0;
	memcpy(&entry->word, bytes + at, sizeof(entry->word));
	if (entry->word.kind == JOURNAL_PAD) {
		taken = JOURNAL_BLOCK_BYTES - at % JOURNAL_BLOCK_BYTES;
		return taken < left ? taken : left;
	}
	taken = entry->word.kind < JOURNAL_KINDS ? entry_bytes[entry->word.kind] : 0;
	if (taken > left)
		return 0;
	memcpy(entry, bytes + at, taken);
	return taken;
}

/// When the first frame was that was begun in a block, or after it.
/// @return microseconds since 1970; 0: none was
static uint64_t first_us(const uint8_t *bytes, size_t length, size_t at)
{
	union journal_entry entry;
	size_t taken;

	for (; (taken = journal_entry_at(bytes, length, at, &entry)) != 0; at += taken)
		if (entry.word.kind == JOURNAL_BEGIN)
			return entry.begin.at_us[0] | (uint64_t)entry.begin.at_us[1] << 32;
	return 0;
}

size_t journal_last(const uint8_t *bytes, size_t length, uint64_t us, uint64_t known_us)
{
	const size_t last = length == 0 ? 0 : (length - 1) / JOURNAL_BLOCK_BYTES * JOURNAL_BLOCK_BYTES;
	uint64_t newest = 0;
	size_t from = 0;

	for (size_t at = last; newest == 0 && at >= JOURNAL_BLOCK_BYTES; at -= JOURNAL_BLOCK_BYTES)
		newest = first_us(bytes, length, at);
	for (size_t at = JOURNAL_BLOCK_BYTES; at <= last; at += JOURNAL_BLOCK_BYTES) {
		const uint64_t then = first_us(bytes, length, at);

		if (then == 0 || then + us + known_us > newest)
			break;
		from = at;
	}
	return from;
}

// ---------------------------------------------------------------- writing

static void advance(struct world_journal *journal, uint64_t bytes)
{
	journal->written += bytes;
	journal->at += bytes;
	if (unlikely(journal->at == journal->bytes))
		journal->at = 0;
}

/// What is left of a block that the next entry does not fit is skipped, and begins with zeros.
static COLD void next_block(struct world_journal *journal)
{
	memset(journal->head->ring + journal->at, 0, sizeof(struct journal_word));
	advance(journal, JOURNAL_BLOCK_BYTES - journal->at % JOURNAL_BLOCK_BYTES);
}

ALWAYS_INLINE void append(const struct world_part *part, const void *entry, size_t bytes)
{
	struct world_journal *journal = part->own->journal;

	if (unlikely(JOURNAL_BLOCK_BYTES - journal->at % JOURNAL_BLOCK_BYTES < bytes))
		next_block(journal);
	memcpy(journal->head->ring + journal->at, entry, bytes);
	advance(journal, bytes);
	__atomic_store_n(&journal->head->written, journal->written, __ATOMIC_RELEASE);
}

ALWAYS_INLINE struct journal_word word(const struct world_part *part, enum journal_kind kind, uint16_t more)
{
	return (struct journal_word){.kind = (uint8_t)kind, .world = part->own->world, .more = more};
}

// ---------------------------------------------------------------- what is done

void journal_part(struct world_part *part, struct world_journal *journal, uint8_t world, uint64_t first_us,
		  double tick_us)
{
	struct world_own *own = part->own;

	own->journal = journal;
	own->world = world;
	own->first_us = first_us;
	own->tick_us = tick_us;

	const struct journal_part entry = {
		.word = word(part, JOURNAL_PART, (uint16_t)part->velocity_shift),
		.capacity = part->capacity,
		.frames = part->frames,
		.size = {own->size[0], own->size[1], own->size[2]},
		.late_max = (uint32_t)own->late_max,
		.first = part->first,
	};

	append(part, &entry, sizeof(entry));
}

void journal_add(const struct world_part *part, uint32_t number, uint32_t identity, enum world_sort sort)
{
	const struct journal_add entry = {
		.word = word(part, JOURNAL_ADD, (uint16_t)sort), .number = number, .identity = identity};

	append(part, &entry, sizeof(entry));
}

void journal_remove(const struct world_part *part, uint32_t rank)
{
	const struct journal_remove entry = {.word = word(part, JOURNAL_REMOVE, 0), .rank = rank};

	append(part, &entry, sizeof(entry));
}

/// Of a position in quanta, and so many units beyond it.
ALWAYS_INLINE int32_t in_units(int32_t quanta, int8_t beyond)
{
	return quanta * (1 << WORLD_UNIT_BITS) + (1 << (WORLD_UNIT_BITS - 1)) + beyond;
}

void journal_move(const struct world_part *part, uint32_t rank, const struct world_place *place, uint32_t told)
{
	const struct journal_move entry = {
		.word = word(part, JOURNAL_MOVE, 0),
		.rank = rank,
		.place = {in_units(place->x, place->beyond[0]), in_units(place->y, place->beyond[1]),
			  in_units(place->z, place->beyond[2]), told, place->vx, place->vy, place->vz, 0},
	};

	append(part, &entry, sizeof(entry));
}

void journal_begin(const struct world_part *part, uint32_t tick, bool rerank)
{
	const struct world_own *own = part->own;
	const uint64_t at_us = own->first_us + (uint64_t)((tick - part->first) * own->tick_us);
	const struct journal_begin entry = {.word = word(part, JOURNAL_BEGIN, rerank),
					    .tick = tick,
					    .at_us = {(uint32_t)at_us, (uint32_t)(at_us >> 32)}};

	append(part, &entry, sizeof(entry));
}

/// FNV-1a over words, in lanes that a compiler can take side by side.
uint32_t frame_sum(const struct world_part *part, uint32_t from, uint32_t to)
{
	enum { LANES = 8, PRIME = 16777619 };
	const struct world_own *own = part->own;
	const struct world_tables *tables = own->rerank ? &own->next : &own->now;
	const struct world_frame *frame = world_frame_at(part, own->tick);
	uint32_t lane[LANES] = {2166136261, 1, 2, 3, 4, 5, 6, 7}, sum = 0;

	for (uint32_t rank = from; rank < to; rank++) {
		lane[0] = (lane[0] ^ (uint32_t)frame->x[rank]) * PRIME;
		lane[1] = (lane[1] ^ (uint32_t)frame->y[rank]) * PRIME;
		lane[2] = (lane[2] ^ (uint32_t)frame->z[rank]) * PRIME;
		lane[3] = (lane[3] ^ (uint16_t)frame->vx[rank]) * PRIME;
		lane[4] = (lane[4] ^ (uint16_t)frame->vy[rank]) * PRIME;
		lane[5] = (lane[5] ^ (uint16_t)frame->vz[rank]) * PRIME;
		lane[6] = (lane[6] ^ tables->number[rank]) * PRIME;
		lane[7] = (lane[7] ^ tables->identity[rank]) * PRIME;
	}
	for (unsigned i = 0; i < LANES; i++)
		sum = (sum ^ lane[i]) * PRIME;
	return sum;
}

void journal_step(const struct world_part *part, uint32_t ranks, uint32_t from, bool published)
{
	const struct world_own *own = part->own;
	const struct journal_step entry = {
		.word = word(part, JOURNAL_STEP, published),
		.ranks = ranks,
		.from = from,
		.to = own->at,
		.sum = frame_sum(part, from, own->at),
	};

	append(part, &entry, sizeof(entry));
}

void journal_rerank_begin(const struct world_part *part)
{
	const struct journal_rerank_begin entry = {.word = word(part, JOURNAL_RERANK_BEGIN, 0)};

	part->own->slices_whole = false;
	append(part, &entry, sizeof(entry));
}

void journal_rerank_step(const struct world_part *part, uint32_t elements, bool ready)
{
	const struct journal_rerank_step entry = {.word = word(part, JOURNAL_RERANK_STEP, ready), .elements = elements};

	append(part, &entry, sizeof(entry));
}

void journal_state(const struct world_part *part, uint32_t number, uint32_t identity, const void *state, uint8_t length)
{
	struct journal_state entry = {
		.word = word(part, JOURNAL_STATE, length), .number = number, .identity = identity};

	memcpy(entry.state, state, sizeof(entry.state));
	append(part, &entry, sizeof(entry));
}

// ---------------------------------------------------------------- everybody

bool journal_slices_begin(struct world_part *part)
{
	struct world_own *own = part->own;

	if (own->writing != WRITING_NOTHING || own->reranking != RERANK_NONE)
		return false;

	const struct journal_slices entry = {
		.word = word(part, JOURNAL_SLICES, (uint16_t)part->velocity_shift),
		.capacity = part->capacity,
		.frames = part->frames,
		.size = {own->size[0], own->size[1], own->size[2]},
		.late_max = (uint32_t)own->late_max,
		.count = own->count,
		.in_frame = part->count,
		.published = part->published,
		.reranked = part->reranked,
		.first = part->first,
	};

	append(part, &entry, sizeof(entry));
	own->slice_at = 0;
	own->slices = own->count;
	own->slices_whole = true;
	return true;
}

static void write_state(const struct world_part *part, uint32_t number, uint32_t identity)
{
	struct world_game_said said;

	if (world_game_state_read(part, number, identity, &said) && said.length != 0)
		journal_state(part, number, identity, said.word, said.length);
}

static void write_entity(const struct world_part *part, uint32_t rank)
{
	const struct world_tables *now = &part->own->now;
	const struct world_present *present = &now->present[rank];
	const struct journal_entity entry = {
		.word = word(part, JOURNAL_ENTITY, now->sort[rank]),
		.rank = rank,
		.number = now->number[rank],
		.identity = now->identity[rank],
		.place = {in_units(present->x, present->beyond[0]), in_units(present->y, present->beyond[1]),
			  in_units(present->z, present->beyond[2]), present->told, present->vx, present->vy,
			  present->vz, 0},
	};

	append(part, &entry, sizeof(entry));
	if (entry.number != WORLD_NOBODY)
		write_state(part, entry.number, entry.identity);
}

bool journal_slices_step(struct world_part *part, uint32_t ranks)
{
	struct world_own *own = part->own;
	const uint32_t left = own->slices - own->slice_at;
	const uint32_t to = own->slice_at + (left < ranks ? left : ranks);

	if (!own->slices_whole)
		return true;
	while (own->slice_at < to)
		write_entity(part, own->slice_at++);
	if (own->slice_at < own->slices)
		return false;

	const struct journal_whole entry = {.word = word(part, JOURNAL_WHOLE, 0)};

	append(part, &entry, sizeof(entry));
	own->slices_whole = false;
	return true;
}

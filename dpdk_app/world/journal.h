// SPDX-License-Identifier: BSD-3-Clause
// world/journal.h: what was done to the parts of a worker's worlds, call by call, in a ring: whoever does the same to empty parts
// gets the same frames, to the bit (replay.h).
//
// The ring is memory that outlives its worker. It is cut into blocks, which begin with an entry, so that a reader finds one
// wherever the oldest block that is whole begins. Entries are of 32-bit words, little-endian; the lowest 16 bits of the first
// one are their kind and the world. What is written of a frame is summed up in each of its steps. Now and then all entities of a
// part are written down, a slice at a time while others move: a reader that knows none of them yet begins there.
//
// Source of the slices: C. Mohan et al., ARIES, ACM TODS 17(1), 1992 (fuzzy checkpoints).

#ifndef POLLGATE_WORLD_JOURNAL_H
#define POLLGATE_WORLD_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "wire/world.h"
#include "world/part.h"

#define JOURNAL_BLOCK_BYTES 65536
#define JOURNAL_BYTES_MIN (4 * JOURNAL_BLOCK_BYTES)

enum journal_kind {
	JOURNAL_PAD,  // nothing follows in this block
	JOURNAL_PART, // a part is made, with nobody in it
	JOURNAL_ADD,
	JOURNAL_REMOVE,
	JOURNAL_MOVE,
	JOURNAL_BEGIN, // of a frame
	JOURNAL_STEP,
	JOURNAL_RERANK_BEGIN,
	JOURNAL_RERANK_STEP,
	JOURNAL_SLICES, // all entities follow, each in a JOURNAL_ENTITY
	JOURNAL_ENTITY,
	JOURNAL_WHOLE, // these were all
	JOURNAL_STATE, // the game's own, of one; among the slices behind its JOURNAL_ENTITY, if there is one
	JOURNAL_KINDS,
};

/// The first word of each entry.
struct journal_word {
	uint8_t kind;  // enum journal_kind
	uint8_t world; // its index
	uint16_t more; // by kind; else 0
};

struct journal_part {
	struct journal_word word; // more: velocity_shift
	uint32_t capacity, frames;
	int32_t size[3];
	uint32_t late_max;
	uint32_t first; // tick
};

struct journal_place {
	int32_t x, y, z; // units
	uint32_t told;
	int16_t vx, vy, vz;
	uint16_t zero;
};

struct journal_add {
	struct journal_word word; // more: enum world_sort
	uint32_t number, identity;
};

struct journal_remove {
	struct journal_word word;
	uint32_t rank;
};

struct journal_move {
	struct journal_word word;
	uint32_t rank;
	struct journal_place place;
};

struct journal_begin {
	struct journal_word word; // more: 1: in new ranks
	uint32_t tick;
	uint32_t at_us[2]; // since 1970: when that tick was, lower half first
};

struct journal_step {
	struct journal_word word; // more: 1: the frame is published
	uint32_t ranks;           // at most
	uint32_t from, to;        // of the frame: those that were written
	uint32_t sum;             // of them: frame_sum()
};

struct journal_rerank_begin {
	struct journal_word word;
};

struct journal_rerank_step {
	struct journal_word word; // more: 1: they are ready
	uint32_t elements;        // at most
};

struct journal_slices {
	struct journal_word word; // more: velocity_shift
	uint32_t capacity, frames;
	int32_t size[3];
	uint32_t late_max;
	uint32_t count;     // ranks in use now
	uint32_t in_frame;  // ranks of the newest frame
	uint32_t published; // its tick
	uint32_t reranked;
	uint32_t first;
};

struct journal_entity {
	struct journal_word word; // more: enum world_sort
	uint32_t rank;
	uint32_t number, identity; // number WORLD_NOBODY: a hole
	struct journal_place place;
};

struct journal_whole {
	struct journal_word word;
};

struct journal_state {
	struct journal_word word; // more: bytes of it; 0: none any more
	uint32_t number, identity;
	uint8_t state[WORLD_STATE_BYTES_MAX];
};

union journal_entry {
	struct journal_word word;
	struct journal_part part;
	struct journal_add add;
	struct journal_remove remove;
	struct journal_move move;
	struct journal_begin begin;
	struct journal_step step;
	struct journal_rerank_step rerank_step;
	struct journal_slices slices;
	struct journal_entity entity;
	struct journal_state state;
};

/// Read the entry at an offset from the beginning of a block.
/// @return its bytes, with the rest of the block if nothing follows there; 0: the end, or nothing that can be read
size_t journal_entry_at(const uint8_t *bytes, size_t length, size_t at, union journal_entry *entry);

/// At the beginning of the ring's memory.
struct journal_head {
	uint32_t magic;   // JOURNAL_MAGIC
	uint32_t version; // JOURNAL_VERSION
	uint64_t bytes;   // of the ring
	uint64_t written
		CACHE_ALIGNED; // bytes, ever: the next goes to `written` modulo `bytes`; read with journal_written()
	uint8_t ring[] CACHE_ALIGNED;
};

#define JOURNAL_MAGIC 0x4a574750 // "PGWJ"
#define JOURNAL_VERSION 3

/// What its worker has of it: nobody can change where it writes.
struct world_journal {
	struct journal_head *head;
	uint64_t bytes;
	uint64_t written;
	uint64_t at; // `written` modulo `bytes`
};

/// Bytes of the memory of a ring of so many, a multiple of JOURNAL_BLOCK_BYTES.
size_t journal_bytes(uint64_t ring);

/// Go on in memory of that size: after what a worker before this one wrote, if the memory is of this version, else from the
/// beginning.
/// @param memory  zeroed, or of the worker before
void journal_open(struct world_journal *journal, void *memory, uint64_t ring);

/// Copy what a ring holds, from the beginning of its oldest block on, while its worker writes on.
/// @param ring  bytes of the ring, as the memory was made
/// @param out   so many
/// @return bytes from `*from` on that are whole; 0: nothing was ever written, or the memory says what cannot be
size_t journal_read(const void *memory, uint64_t ring, uint8_t *out, size_t *from);

/// Where the last so many microseconds begin, in what journal_read() gave, and what is needed to know everybody by then.
/// @param known_us  everybody is written down at least so often
/// @return offset of a block; 0: it holds no more than that
size_t journal_last(const uint8_t *bytes, size_t length, uint64_t us, uint64_t known_us);

ALWAYS_INLINE uint64_t journal_written(const struct journal_head *head)
{
	return __atomic_load_n(&head->written, __ATOMIC_ACQUIRE);
}

/// Of what a step wrote of the frame that is being written, and of who that is. Of two that differ anywhere, it is the same once in
/// 2^32.
uint32_t frame_sum(const struct world_part *part, uint32_t from, uint32_t to);

/// From now on, what is done to the part is written down. Before anybody comes.
/// @param first_us  what time it was at the part's first tick: microseconds since 1970
/// @param tick_us   from a tick to the next
void journal_part(struct world_part *part, struct world_journal *journal, uint8_t world, uint64_t first_us,
		  double tick_us);

// What part.c, rerank.c and game_state.c have written down, if the part has a journal. Before a frame's step, the first rank of it is in
// own->at.
void journal_add(const struct world_part *part, uint32_t number, uint32_t identity, enum world_sort sort);
void journal_remove(const struct world_part *part, uint32_t rank);
void journal_move(const struct world_part *part, uint32_t rank, const struct world_place *place, uint32_t told);
void journal_begin(const struct world_part *part, uint32_t tick, bool rerank);
void journal_step(const struct world_part *part, uint32_t ranks, uint32_t from, bool published);
void journal_rerank_begin(const struct world_part *part);
void journal_rerank_step(const struct world_part *part, uint32_t elements, bool ready);
/// @param state  of WORLD_STATE_BYTES_MAX
void journal_state(const struct world_part *part, uint32_t number, uint32_t identity, const void *state,
		   uint8_t length);

/// Begin to write all entities down; between two frames, and only while no re-rank is under way.
/// @return false: not now
bool journal_slices_begin(struct world_part *part);

/// Write up to so many more.
/// @return there are no more, or none were begun, or a re-rank has come between: the next ones will be whole
bool journal_slices_step(struct world_part *part, uint32_t ranks);

#endif

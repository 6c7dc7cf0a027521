// SPDX-License-Identifier: BSD-3-Clause
// model_memory.h: the memory of the model checker, as weak as C allows: what each side may find in it, and what a death leaves.

#ifndef POLLGATE_TESTS_MODEL_MEMORY_H
#define POLLGATE_TESTS_MODEL_MEMORY_H

#include "model.h"

#define MODEL_WORDS_MAX 24
#define MODEL_HISTORY_MAX 20 // values of a word
#define MODEL_PENDING_MAX 8  // stores of which it is open whether they were made: an older one was
#define MODEL_LOG_MAX 160

enum op_kind {
	OP_NONE, // the program has come to its end
	OP_LOAD,
	OP_STORE,
	OP_AWAIT,
	OP_FENCE,
	OP_ORDER,
	OP_FUTEX_WAIT,
	OP_FUTEX_WAKE,
	OP_NOTE,
	OP_NOTED,
};

/// The next access of a program.
struct op {
	uint64_t value;
	uint8_t kind;
	uint8_t word;
	bool is_plain;
	bool is_ordered; // acquires or releases
};

/// What a side knows of: the values of each word, and the stores of each side that happened before.
struct view {
	uint8_t seen[MODEL_WORDS_MAX];
	uint8_t time[MODEL_SIDES];
};

struct value {
	uint64_t value;
	uint64_t note;
	struct view view; // of whom released it
	uint8_t side;
	uint8_t time; // the number of the store among its side's
	bool is_plain;
	bool is_released;
};

/// A store that may have been made or not: nobody has found it yet.
struct pending {
	uint8_t word;
	uint8_t at; // in the word's history
	uint8_t epoch;
	bool is_released;
};

struct side {
	struct view view;
	struct op next;
	uint64_t note;
	uint8_t kills;
	uint8_t epoch;
	uint8_t is_asleep;
	uint8_t pending_n;
	uint8_t log_n;
	struct pending pending[MODEL_PENDING_MAX];
	uint64_t log[MODEL_LOG_MAX]; // results of its accesses so far
};

/// All that there is: hashed as it lies.
struct state {
	struct side side[MODEL_SIDES];
	struct view fences;                            // of all so far
	uint8_t last;                                  // who made the last step
	uint8_t values_n[MODEL_WORDS_MAX];             // stored
	uint8_t made_n[MODEL_WORDS_MAX];               // those that would outlive their side
	uint8_t read_at[MODEL_WORDS_MAX][MODEL_SIDES]; // the side's first store after its last load
	uint8_t plainly_read_at[MODEL_WORDS_MAX][MODEL_SIDES];
	_Alignas(uint64_t) struct value value[MODEL_WORDS_MAX][MODEL_HISTORY_MAX];
};

static inline enum model_side other_side(enum model_side who)
{
	return who == MODEL_WRITER ? MODEL_READER : MODEL_WRITER;
}

void memory_init(struct state *state, const struct model_scene *scene);
/// Forgets all but the last values, which both sides know of. Both are to begin anew.
void memory_settle(struct state *state);

/// @param at  which of the word's values is found
/// @return the value
/// @param race  out: set if the load meets a store that it is not ordered with
uint64_t memory_load(struct state *state, enum model_side who, struct op op, uint8_t at, bool *race);
/// @param may_die  it matters whether stores were made
void memory_store(struct state *state, enum model_side who, struct op op, bool may_die, bool *race);
void memory_fence(struct state *state, enum model_side who);

/// With each store of `made`, those that are made before it. Bits are pending stores.
unsigned memory_with_earlier(const struct side *side, unsigned made);
void memory_make(struct state *state, enum model_side who, unsigned made);
#define MEMORY_ALL UINT32_MAX
/// This value was found: it, and what must be before it, was made.
void memory_make_found(struct state *state, enum model_side who, uint8_t word, uint8_t at);
/// What is pending and not `made` never was. The next process of the name knows what the dead one knew.
void memory_kill(struct state *state, enum model_side who, unsigned made);

#endif

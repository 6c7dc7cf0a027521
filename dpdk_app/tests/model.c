// SPDX-License-Identifier: BSD-3-Clause
// model.c: see model.h. Here: programs, and all steps that they can make.

#include "model.h"

#include <assert.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "model_memory.h"

#define DEPTH_MAX 400
#define VISITED_BITS 23

static struct {
	const struct model_scene *scene;
	struct model_result result;
	const struct side *side; // whose program runs
	unsigned log_at;
	struct op op;
	jmp_buf out;
	uint64_t *visited; // hashes
	struct state stack[DEPTH_MAX];
} model;

static void fail(const char *what)
{
	if (!model.result.wrong)
		model.result.wrong = what;
}

// ---------------------------------------------------------------- programs

static uint8_t word_of(const void *address)
{
	unsigned word = 0;

	while (word < model.scene->words_n && (const void *)model.scene->word[word] != address)
		word++;
	assert(word < model.scene->words_n);
	return (uint8_t)word;
}

/// Nobody else stores to it.
static bool is_own(enum model_side who, uint8_t word)
{
	return (word < model.scene->writers_n) == (who == MODEL_WRITER) || word < model.scene->constants_n;
}

/// The result of an access: known, or that for which the program ends here.
static uint64_t access_memory(struct op op)
{
	if (model.log_at < model.side->log_n)
		return model.side->log[model.log_at++];
	model.op = op;
	longjmp(model.out, 1);
}

void model_require(bool right, const char *what)
{
	if (right)
		return;
	fail(what);
	model.op = (struct op){.kind = OP_NONE};
	longjmp(model.out, 1);
}

static uint64_t load(const void *word, bool is_plain)
{
	const bool is_ordered = !is_plain && model.scene->lack != MODEL_NO_ACQUIRE;

	return access_memory(
		(struct op){.kind = OP_LOAD, .word = word_of(word), .is_plain = is_plain, .is_ordered = is_ordered});
}

static void store(void *word, uint64_t value, bool is_plain, bool is_released)
{
	access_memory((struct op){.kind = OP_STORE,
				  .word = word_of(word),
				  .value = value,
				  .is_plain = is_plain,
				  .is_ordered = is_released && model.scene->lack != MODEL_NO_RELEASE});
}

uint64_t shared_acquire(const uint64_t *word)
{
	return load(word, false);
}

uint32_t shared_acquire32(const uint32_t *word)
{
	return (uint32_t)load(word, false);
}

void shared_release(uint64_t *word, uint64_t value)
{
	store(word, value, false, true);
}

void shared_store(uint64_t *word, uint64_t value)
{
	if (value != 0 || model.scene->lack != MODEL_NO_ZERO)
		store(word, value, false, false);
}

void shared_store32(uint32_t *word, uint32_t value)
{
	store(word, value, false, false);
}

void shared_fence(void)
{
	if (model.scene->lack != MODEL_NO_FENCE)
		access_memory((struct op){.kind = OP_FENCE});
}

void shared_keep_order(void)
{
	if (model.scene->lack != MODEL_NO_ORDER)
		access_memory((struct op){.kind = OP_ORDER});
}

void shared_wake(const uint32_t *word)
{
	if (model.scene->lack != MODEL_NO_WAKE)
		access_memory((struct op){.kind = OP_FUTEX_WAKE, .word = word_of(word)});
}

void model_plain_store(uint64_t *word, uint64_t value)
{
	store(word, value, true, false);
}

uint64_t model_plain_load(const uint64_t *word)
{
	return load(word, true);
}

void model_await(const uint64_t *word)
{
	access_memory((struct op){.kind = OP_AWAIT, .word = word_of(word)});
}

void model_futex_wait(const uint32_t *word, uint32_t value)
{
	access_memory((struct op){.kind = OP_FUTEX_WAIT, .word = word_of(word), .value = value});
}

void model_note(uint64_t note)
{
	access_memory((struct op){.kind = OP_NOTE, .value = note});
}

uint64_t model_noted(const uint64_t *word)
{
	return access_memory((struct op){.kind = OP_NOTED, .word = word_of(word)});
}

// ---------------------------------------------------------------- what a side does by itself

/// Runs a side's program up to its next access.
static void run_program(struct side *side, enum model_side who)
{
	model.side = side;
	model.log_at = 0;
	model.op = (struct op){.kind = OP_NONE};
	if (setjmp(model.out) == 0)
		model.scene->program[who]();
	side->next = model.op;
}

static bool may_die(const struct state *state, enum model_side who)
{
	return state->side[who].kills < model.scene->kills[who];
}

static uint64_t load_now(struct state *state, enum model_side who, uint8_t at)
{
	bool race;
	const uint64_t value = memory_load(state, who, state->side[who].next, at, &race);

	if (race)
		fail("a load meets a store that it is not ordered with");
	return value;
}

static void store_now(struct state *state, enum model_side who)
{
	bool race;

	memory_store(state, who, state->side[who].next, may_die(state, who), &race);
	if (race)
		fail("a store meets a load that it is not ordered with");
}

/// Does what makes no difference to the other side when it is done. Of plain accesses that is so unless they race, which is
/// found in either order.
/// @return false: the next access is nothing of the kind
static bool do_private(struct state *state, enum model_side who, uint64_t *result)
{
	struct side *side = &state->side[who];
	const struct op op = side->next;
	const uint8_t last = state->values_n[op.word] - 1;

	*result = 0;
	switch (op.kind) {
	case OP_LOAD:
		if (op.is_plain)
			*result = load_now(state, who, last);
		else
			*result = state->value[op.word][last].value;
		return op.is_plain || is_own(who, op.word);
	case OP_STORE:
		if (op.is_plain)
			store_now(state, who);
		return op.is_plain;
	case OP_ORDER:
		side->epoch++;
		return true;
	case OP_NOTE:
		side->note = op.value;
		return true;
	case OP_NOTED:
		*result = state->value[op.word][last].note;
		return true;
	default:
		return false;
	}
}

static void note_result(struct side *side, uint64_t result)
{
	assert(side->log_n < MODEL_LOG_MAX);
	side->log[side->log_n++] = result;
}

/// Up to the next access that the other side may have to do with.
static void advance(struct state *state, enum model_side who)
{
	struct side *side = &state->side[who];
	uint64_t result;

	run_program(side, who);
	while (do_private(state, who, &result)) {
		note_result(side, result);
		run_program(side, who);
	}
}

static void conclude(struct state *state, enum model_side who, uint64_t result)
{
	note_result(&state->side[who], result);
	advance(state, who);
}

// ---------------------------------------------------------------- steps

/// Wakes the other side, if it waits for this word.
static void do_futex_wake(struct state *state, enum model_side who)
{
	const enum model_side other = other_side(who);

	memory_make(state, who, MEMORY_ALL);
	if (state->side[other].is_asleep && state->side[other].next.word == state->side[who].next.word) {
		state->side[other].is_asleep = 0;
		conclude(state, other, 0);
	}
}

/// @param is_made  the last store to the word was made when the kernel looks
static void do_futex_wait(struct state *state, enum model_side who, bool is_made)
{
	const struct op op = state->side[who].next;

	memory_make(state, who, MEMORY_ALL);
	if (is_made)
		memory_make_found(state, other_side(who), op.word, state->values_n[op.word] - 1);
	state->side[who].view.seen[op.word] = state->made_n[op.word] - 1; // the kernel's look is one of this side
	if (state->value[op.word][state->made_n[op.word] - 1].value == op.value)
		state->side[who].is_asleep = 1;
	else
		conclude(state, who, 0);
}

/// @return false: there is no newer value
static bool do_await(struct state *state, enum model_side who)
{
	struct side *side = &state->side[who];
	const uint8_t word = side->next.word;

	if (state->values_n[word] <= side->view.seen[word] + 1)
		return false;
	side->view.seen[word]++; // not older than this is what it sees next
	memory_make_found(state, other_side(who), word, side->view.seen[word]);
	return true;
}

/// A step that has one outcome.
/// @return false: it cannot be made now
static bool do_step(struct state *state, enum model_side who)
{
	switch (state->side[who].next.kind) {
	case OP_STORE:
		store_now(state, who);
		break;
	case OP_FENCE:
		memory_fence(state, who);
		break;
	case OP_FUTEX_WAKE:
		do_futex_wake(state, who);
		break;
	case OP_AWAIT:
		if (!do_await(state, who))
			return false;
		break;
	default:
		return false;
	}
	conclude(state, who, 0);
	return true;
}

// ---------------------------------------------------------------- the explorer

static uint64_t hash_more(uint64_t hash, const void *bytes, size_t n)
{
	const uint64_t *words = bytes;

	assert(n % sizeof(uint64_t) == 0);
	for (size_t i = 0; i < n / sizeof(uint64_t); i++) {
		hash = (hash ^ words[i]) * 0xff51afd7ed558ccdULL;
		hash ^= hash >> 32;
	}
	return hash;
}

/// Of all that is in use.
static uint64_t hash_of(const struct state *state)
{
	uint64_t hash = 0x9e3779b97f4a7c15ULL;

	for (unsigned who = 0; who < MODEL_SIDES; who++)
		hash = hash_more(hash, &state->side[who],
				 offsetof(struct side, log) + state->side[who].log_n * sizeof(uint64_t));
	hash = hash_more(hash, (const uint8_t *)state + sizeof(state->side),
			 offsetof(struct state, value) - sizeof(state->side));
	for (unsigned word = 0; word < model.scene->words_n; word++)
		hash = hash_more(hash, state->value[word], state->values_n[word] * sizeof(struct value));
	return hash | 1;
}

static bool is_new(const struct state *state)
{
	const uint64_t hash = hash_of(state);
	size_t at = hash >> (64 - VISITED_BITS);

	while (model.visited[at] != 0 && model.visited[at] != hash)
		at = (at + 1) & ((1U << VISITED_BITS) - 1);
	if (model.visited[at] == hash)
		return false;
	assert(model.result.states < (3UL << VISITED_BITS) / 4);
	model.visited[at] = hash;
	model.result.states++;
	return true;
}

// NOLINTBEGIN(misc-no-recursion): as deep as the programs are long, and no deeper than the stack of states
static void explore(unsigned depth);

/// A copy to be changed.
static struct state *branch(unsigned depth)
{
	assert(depth + 1 < DEPTH_MAX);
	memcpy(&model.stack[depth + 1], &model.stack[depth], sizeof(struct state));
	return &model.stack[depth + 1];
}

static void explore_loads(unsigned depth, enum model_side who)
{
	const struct state *state = &model.stack[depth];
	const uint8_t word = state->side[who].next.word;

	for (uint8_t at = state->side[who].view.seen[word]; at < state->values_n[word]; at++) {
		struct state *next = branch(depth);

		conclude(next, who, load_now(next, who, at));
		explore(depth + 1);
	}
}

/// @return false: there was no step to make
static bool explore_side(unsigned depth, enum model_side who)
{
	const struct side *side = &model.stack[depth].side[who];

	switch (side->next.kind) {
	case OP_LOAD:
		explore_loads(depth, who);
		return true;
	case OP_FUTEX_WAIT:
		for (unsigned is_made = 0; !side->is_asleep && is_made < 2; is_made++) {
			do_futex_wait(branch(depth), who, is_made);
			explore(depth + 1);
		}
		return !side->is_asleep;
	default:
		if (!do_step(branch(depth), who))
			return false;
		explore(depth + 1);
		return true;
	}
}

/// With any of its stores made that may be. Only after a step of its own: those of the other side between that and its death
/// are as well made after its death.
static void explore_kills(unsigned depth, enum model_side who)
{
	const struct side *side = &model.stack[depth].side[who];

	if (model.stack[depth].last != who || side->next.kind == OP_NONE || !may_die(&model.stack[depth], who))
		return;
	for (unsigned made = 0; made < 1U << side->pending_n; made++) {
		struct state *next;

		if (memory_with_earlier(side, made) != made)
			continue;
		next = branch(depth);
		memory_kill(next, who, made);
		advance(next, who);
		explore(depth + 1);
	}
}

static void explore(unsigned depth)
{
	struct state *state = &model.stack[depth];
	bool any = false;

	if (model.result.wrong || !is_new(state))
		return;
	for (unsigned who = 0; who < MODEL_SIDES; who++)
		explore_kills(depth, (enum model_side)who);
	for (unsigned who = 0; who < MODEL_SIDES; who++) {
		state->last = (uint8_t)who; // of the states that follow
		any |= explore_side(depth, (enum model_side)who);
	}
	if (any)
		return;
	model.result.ends++;
	for (unsigned who = 0; who < MODEL_SIDES; who++)
		if (state->side[who].next.kind != OP_NONE)
			fail("a side waits for ever");
}

// NOLINTEND(misc-no-recursion)

/// One order: whoever can make a step makes one, and finds the newest.
static void run_once(struct state *state)
{
	bool any = true;

	for (unsigned who = 0; who < MODEL_SIDES; who++)
		advance(state, (enum model_side)who);
	while (any) {
		any = false;
		for (unsigned who = 0; who < MODEL_SIDES; who++) {
			const enum model_side side = (enum model_side)who;
			const struct op op = state->side[who].next;

			if (op.kind == OP_LOAD)
				conclude(state, side, load_now(state, side, state->values_n[op.word] - 1)), any = true;
			else
				any |= do_step(state, side);
		}
	}
}

struct model_result model_explore(const struct model_scene *scene)
{
	struct state *first = &model.stack[0];

	model.scene = scene;
	model.result = (struct model_result){0};
	model.visited = calloc(1U << VISITED_BITS, sizeof(uint64_t));
	assert(model.visited);
	memory_init(first, scene);
	if (scene->before) {
		scene->before(true);
		run_once(first);
		memory_settle(first);
		scene->before(false);
	}
	for (unsigned who = 0; who < MODEL_SIDES; who++)
		advance(first, (enum model_side)who);
	explore(0);
	free(model.visited);
	return model.result;
}

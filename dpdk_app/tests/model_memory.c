// SPDX-License-Identifier: BSD-3-Clause
// model_memory.c: see model_memory.h.

#include "model_memory.h"

#include <assert.h>
#include <string.h>

void memory_init(struct state *state, const struct model_scene *scene)
{
	assert(scene->words_n <= MODEL_WORDS_MAX);
	memset(state, 0, sizeof(*state));
	for (unsigned word = 0; word < scene->words_n; word++) {
		state->values_n[word] = state->made_n[word] = 1;
		state->value[word][0].value = *scene->word[word];
	}
}

void memory_settle(struct state *state)
{
	for (unsigned word = 0; word < MODEL_WORDS_MAX; word++) {
		const unsigned n = state->values_n[word];
		const struct value last = n > 0 ? state->value[word][n - 1] : (struct value){0};

		memset(state->value[word], 0, sizeof(state->value[word]));
		state->value[word][0] = (struct value){.value = last.value, .note = last.note};
		state->values_n[word] = state->made_n[word] = n > 0;
	}
	memset(state->side, 0, sizeof(state->side));
	memset(&state->fences, 0, sizeof(state->fences));
	memset(state->read_at, 0, sizeof(state->read_at));
	memset(state->plainly_read_at, 0, sizeof(state->plainly_read_at));
	state->last = 0;
}

// ---------------------------------------------------------------- which stores were made

/// Must the earlier of two stores be made before the later one is?
static bool is_bound(const struct pending *earlier, const struct pending *later)
{
	return later->is_released || later->word == earlier->word || earlier->epoch < later->epoch;
}

unsigned memory_with_earlier(const struct side *side, unsigned made)
{
	for (unsigned later = side->pending_n; later-- > 0;)
		for (unsigned earlier = 0; (made >> later & 1) && earlier < later; earlier++)
			if (is_bound(&side->pending[earlier], &side->pending[later]))
				made |= 1U << earlier;
	return made;
}

void memory_make(struct state *state, enum model_side who, unsigned made)
{
	struct side *side = &state->side[who];
	unsigned kept = 0;

	for (unsigned i = 0; i < side->pending_n; i++)
		if (made >> i & 1)
			state->made_n[side->pending[i].word] = side->pending[i].at + 1;
		else
			side->pending[kept++] = side->pending[i];
	memset(&side->pending[kept], 0, (side->pending_n - kept) * sizeof(struct pending));
	side->pending_n = (uint8_t)kept;
}

void memory_make_found(struct state *state, enum model_side who, uint8_t word, uint8_t at)
{
	const struct side *side = &state->side[who];

	for (unsigned i = 0; i < side->pending_n; i++)
		if (side->pending[i].word == word && side->pending[i].at == at) {
			memory_make(state, who, memory_with_earlier(side, 1U << i));
			return;
		}
}

static void keep_pending(struct state *state, enum model_side who, struct pending pending)
{
	struct side *side = &state->side[who];

	if (side->pending_n == MODEL_PENDING_MAX)
		memory_make(state, who, 1);
	side->pending[side->pending_n++] = pending;
	// Of a body, what is not committed is seen by nobody: that it was made is the worse case.
	if (state->value[pending.word][pending.at].is_plain)
		memory_make_found(state, who, pending.word, pending.at);
}

// ---------------------------------------------------------------- accesses

static void join(struct view *view, const struct view *other, bool with_time)
{
	for (unsigned word = 0; word < MODEL_WORDS_MAX; word++)
		if (view->seen[word] < other->seen[word])
			view->seen[word] = other->seen[word];
	for (unsigned who = 0; with_time && who < MODEL_SIDES; who++)
		if (view->time[who] < other->time[who])
			view->time[who] = other->time[who];
}

/// Is there a store by the other side, one of the two plain, that is not before what this side does now?
static bool is_race_of_load(const struct state *state, enum model_side who, const struct op *op)
{
	for (unsigned at = 0; at < state->values_n[op->word]; at++) {
		const struct value *value = &state->value[op->word][at];

		if (value->side != who && (value->is_plain || op->is_plain) &&
		    state->side[who].view.time[value->side] < value->time)
			return true;
	}
	return false;
}

static bool is_race_of_store(const struct state *state, enum model_side who, const struct op *op)
{
	const enum model_side other = other_side(who);
	const uint8_t *read_at = op->is_plain ? state->read_at[op->word] : state->plainly_read_at[op->word];

	return state->side[who].view.time[other] < read_at[other];
}

uint64_t memory_load(struct state *state, enum model_side who, struct op op, uint8_t at, bool *race)
{
	struct view *view = &state->side[who].view;
	const struct value *value = &state->value[op.word][at];

	*race = is_race_of_load(state, who, &op);
	state->read_at[op.word][who] = view->time[who] + 1;
	if (op.is_plain)
		state->plainly_read_at[op.word][who] = view->time[who] + 1;
	view->seen[op.word] = at;
	memory_make_found(state, other_side(who), op.word, at);
	if (op.is_ordered && value->is_released && value->side != who)
		join(view, &value->view, true);
	return value->value;
}

void memory_store(struct state *state, enum model_side who, struct op op, bool may_die, bool *race)
{
	struct side *side = &state->side[who];
	const uint8_t at = state->values_n[op.word]++;
	struct value *value = &state->value[op.word][at];

	assert(at < MODEL_HISTORY_MAX && side->view.time[who] < UINT8_MAX - 1);
	*race = is_race_of_store(state, who, &op);
	side->view.time[who]++;
	side->view.seen[op.word] = at;
	*value = (struct value){.value = op.value,
				.note = side->note,
				.side = (uint8_t)who,
				.time = side->view.time[who],
				.is_plain = op.is_plain,
				.is_released = op.is_ordered};
	if (op.is_ordered)
		value->view = side->view;
	keep_pending(state, who, (struct pending){op.word, at, side->epoch, op.is_ordered});
	if (!may_die)
		memory_make(state, who, MEMORY_ALL);
}

void memory_fence(struct state *state, enum model_side who)
{
	struct view *view = &state->side[who].view;

	memory_make(state, who, MEMORY_ALL);
	join(view, &state->fences, false);
	join(&state->fences, view, false);
}

// ---------------------------------------------------------------- deaths

/// How many of a side's stores up to one are left.
static uint8_t rank_of(const struct state *state, enum model_side who, unsigned time)
{
	uint8_t rank = 0;

	for (unsigned word = 0; word < MODEL_WORDS_MAX; word++)
		for (unsigned at = 1; at < state->values_n[word]; at++)
			rank += state->value[word][at].side == who && state->value[word][at].time <= time;
	return rank;
}

/// Numbers a side's stores anew, so that states which differ only in what was never stored are one.
static void renumber(struct state *state, enum model_side who)
{
	uint8_t rank[UINT8_MAX + 1];

	for (unsigned time = 0; time <= UINT8_MAX; time++)
		rank[time] = rank_of(state, who, time);
	for (unsigned word = 0; word < MODEL_WORDS_MAX; word++) {
		uint8_t *read_at[] = {&state->read_at[word][who], &state->plainly_read_at[word][who]};

		for (unsigned i = 0; i < 2; i++)
			*read_at[i] = *read_at[i] == 0 ? 0 : rank[*read_at[i] - 1] + 1;
		for (unsigned at = 0; at < state->values_n[word]; at++) {
			struct value *value = &state->value[word][at];

			value->view.time[who] = rank[value->view.time[who]];
			if (value->side == who)
				value->time = rank[value->time];
		}
	}
	for (unsigned side = 0; side < MODEL_SIDES; side++)
		state->side[side].view.time[who] = rank[state->side[side].view.time[who]];
}

void memory_kill(struct state *state, enum model_side who, unsigned made)
{
	struct side *side = &state->side[who];
	struct view view;
	uint8_t kills;

	memory_make(state, who, made);
	for (unsigned i = side->pending_n; i-- > 0;) {
		const struct pending pending = side->pending[i];

		state->value[pending.word][pending.at] = (struct value){0};
		state->values_n[pending.word] = pending.at;
		side->view.seen[pending.word] = pending.at - 1;
	}
	view = side->view;
	kills = side->kills;
	memset(side, 0, sizeof(*side));
	side->view = view;
	side->kills = kills + 1;
	renumber(state, who);
}

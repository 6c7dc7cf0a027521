// SPDX-License-Identifier: BSD-3-Clause
// world/game_state.c: see game_state.h.

#include "world/game_state.h"

#include <string.h>

#include "world/journal.h"
#include "world/own.h"

/// Room for `number`, or NULL: the part has no states, or none of it.
static struct world_game_state *state_of(const struct world_part *part, uint32_t number)
{
	const struct world_game_states *states = part->states;

	return states && number - states->first < states->count ? &states->of[number - states->first] : NULL;
}

/// Each word is stored after the odd number, and before the even one.
static void write(struct world_game_state *state, uint32_t identity, const uint64_t word[WORLD_STATE_WORDS],
		  uint8_t length)
{
	const uint32_t sequence = state->sequence + 2;

	__atomic_store_n(&state->sequence, sequence - 1, __ATOMIC_RELAXED);
	__atomic_store_n(&state->identity, identity, __ATOMIC_RELEASE);
	__atomic_store_n(&state->length, length, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < WORLD_STATE_WORDS; i++)
		__atomic_store_n(&state->word[i], word[i], __ATOMIC_RELEASE);
	__atomic_store_n(&state->sequence, sequence != 0 ? sequence : 2, __ATOMIC_RELEASE);
}

static void write_down(const struct world_part *part, uint32_t number, uint32_t identity,
		       const uint64_t word[WORLD_STATE_WORDS], uint8_t length)
{
	if (unlikely(part->own->journal))
		journal_state(part, number, identity, word, length);
}

/// 0 says that there never was one.
static void tell(struct world_part *part)
{
	const uint32_t stated = part->stated + 1;

	__atomic_store_n(&part->stated, stated != 0 ? stated : 1, __ATOMIC_RELEASE);
}

void world_game_state_set(struct world_part *part, uint32_t number, uint32_t identity, const uint8_t *bytes,
			  uint8_t length)
{
	struct world_game_state *state = state_of(part, number);
	uint64_t word[WORLD_STATE_WORDS] = {0};

	if (!state)
		return;
	memcpy(word, bytes, length);
	if (state->length == length && (length == 0 || state->identity == identity) &&
	    memcmp(state->word, word, sizeof(word)) == 0)
		return;
	write(state, identity, word, length);
	write_down(part, number, identity, word, length);
	tell(part);
}

void world_game_state_clear(struct world_part *part, uint32_t number)
{
	static const uint64_t nothing[WORLD_STATE_WORDS];
	struct world_game_state *state = state_of(part, number);

	if (!state || state->length == 0)
		return;
	write(state, 0, nothing, 0); // nobody asks for it any more: nothing is told
	write_down(part, number, 0, nothing, 0);
}

static uint32_t sequence_of(const struct world_game_state *state)
{
	return __atomic_load_n(&state->sequence, __ATOMIC_ACQUIRE);
}

/// Each word is loaded before the number is looked at again.
bool world_game_state_read(const struct world_part *part, uint32_t number, uint32_t identity,
			   struct world_game_said *said)
{
	const struct world_game_state *state = state_of(part, number);
	uint32_t sequence, of;

	*said = (struct world_game_said){0};
	if (!state)
		return true;
	sequence = sequence_of(state);
	of = __atomic_load_n(&state->identity, __ATOMIC_ACQUIRE);
	said->length = (uint8_t)__atomic_load_n(&state->length, __ATOMIC_ACQUIRE);
	for (unsigned i = 0; i < WORLD_STATE_WORDS; i++)
		said->word[i] = __atomic_load_n(&state->word[i], __ATOMIC_ACQUIRE);
	if (sequence % 2 != 0 || __atomic_load_n(&state->sequence, __ATOMIC_RELAXED) != sequence)
		return false;
	said->version = sequence / 2;
	return said->length == 0 || of == identity;
}

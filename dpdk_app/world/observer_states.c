// SPDX-License-Identifier: BSD-3-Clause
// world/observer_states.c: see observer_states.h.

#include "world/observer_states.h"

#define HEAD_BITS 21 // slot, kind, version, length

/// It can still be on its way, and its acknowledgement too.
static bool is_flying(const struct observer *observer, unsigned slot)
{
	const unsigned overdue = observer_newest(observer) + 3;

	return observer->state_age[slot] < (overdue < AGE_NONE ? overdue : AGE_NONE);
}

static void add(struct told_game_states *told, unsigned slot, const struct world_game_said *said)
{
	told->of[told->n++] = (struct told_game_state){(uint8_t)slot, *said};
	told->slots |= 1U << slot;
}

/// @param can  it can be told: with the FULL, or the client is known to have who is in the slot
static void look_at(struct observer *observer, const struct world_parts *parts, unsigned slot, bool can,
		    struct told_game_states *told)
{
	const world_reference who = observer->who[slot];
	const struct world_part *part = parts->part[world_part_of(who)];
	const uint32_t number = world_number(part, world_rank_of(who));
	struct world_game_said said;

	if (number == WORLD_NOBODY || !world_game_state_read(part, number, part->identity[world_rank_of(who)], &said))
		return; // it leaves, or the next tick tells
	if (said.version == 0 || (observer->state_heard >> slot & 1 && observer->state_version[slot] == said.version))
		observer->unsure &= ~(1U << slot);
	else if (can && (observer->state_version[slot] != said.version || !is_flying(observer, slot)))
		add(told, slot, &said);
}

/// Another slot is the first in each tick, so that none is always the last.
void observer_choose_states(struct observer *observer, const struct world_parts *parts, uint32_t can, uint32_t full,
			    struct told_game_states *told)
{
	const uint32_t known = ages_at_most(observer->base, AGE_NONE - 1);
	const uint32_t slots = observer->unsure & observer->occupied & can;

	for (unsigned i = 0; i < WORLD_SLOTS_MAX && told->n < OBSERVER_STATES_MAX; i++) {
		const unsigned slot = (observer->tick * OBSERVER_STATES_MAX + i) % WORLD_SLOTS_MAX;

		if (slots >> slot & 1)
			look_at(observer, parts, slot, (known | full) >> slot & 1, told);
	}
}

unsigned observer_state_bits(const struct told_game_state *told)
{
	return HEAD_BITS + 8 * told->said.length;
}

unsigned observer_fit_states(const struct observer *observer, uint32_t full, unsigned room,
			     struct told_game_states *told)
{
	const uint32_t can = full | ages_at_most(observer->base, AGE_NONE - 1);
	unsigned bits = 0, n = 0;

	told->slots = 0;
	for (unsigned i = 0; i < told->n; i++) {
		const struct told_game_state *one = &told->of[i];
		const unsigned more = observer_state_bits(one);

		if (!(can >> one->slot & 1) || bits + more > room)
			continue;
		bits += more;
		told->slots |= 1U << one->slot;
		told->of[n++] = *one;
	}
	told->n = n;
	return bits;
}

void observer_put_states(const struct told_game_states *told, struct bit_writer *writer)
{
	for (unsigned i = 0; i < told->n; i++) {
		const struct told_game_state *one = &told->of[i];
		unsigned left = one->said.length;

		bits_put(writer, one->slot | WORLD_GAMES << 5 | (one->said.version & 0xff) << 7 | (unsigned)left << 15,
			 HEAD_BITS);
		for (unsigned word = 0; left > 0; word++)
			for (unsigned half = 0; half < 2 && left > 0; half++) {
				const unsigned bytes = left < 4 ? left : 4;

				bits_put(writer, (uint32_t)(one->said.word[word] >> 32 * half), 8 * bytes);
				left -= bytes;
			}
	}
}

void observer_remember_states(struct observer *observer, const struct told_game_states *told)
{
	for (unsigned i = 0; i < told->n; i++) {
		const unsigned slot = told->of[i].slot;

		observer->state_age[slot] = 0;
		observer->state_version[slot] = told->of[i].said.version;
	}
	observer->state_heard &= ~told->slots;
}

/// What is older than the newest that was told, says nothing: the client takes the newest, whichever comes first.
void observer_hear_states(struct observer *observer, unsigned age)
{
	if (age < AGE_NONE)
		observer->state_heard |= observer->unsure & ages_equal(observer->state_age, age);
}

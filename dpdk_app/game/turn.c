// SPDX-License-Identifier: BSD-3-Clause
// game/turn.c: see turn.h.

#include "game/turn.h"

#include "game/orders.h"

/// Reading that takes so long for each of its units, turn after turn, is no reading: memory is taken away under it.
#define SLOW_US_PER_UNIT 20U
#define US_PER_S 1000000U
#define SLOW_TURNS_MAX 64
#define SOUND_TURNS_FOR_SLOW 8 // that make up for one: a process must not hide slow ones among a few others

/// Did the time that it took have nothing to do with what was read?
static void judge(struct game *game, unsigned process, uint64_t took, uint64_t units)
{
	struct game_link *link = game->link[process];

	if (took <= game->routes->read_budget || took <= units * (game->tsc_hz / US_PER_S * SLOW_US_PER_UNIT)) {
		link->slow -= link->slow > 0;
		return;
	}
	link->slow += SOUND_TURNS_FOR_SLOW;
	if (link->slow >= SLOW_TURNS_MAX * SOUND_TURNS_FOR_SLOW)
		game_give_up(game, process,
			     "its memory takes longer to read than game.read_budget_us allows, again and again");
}

/// @return false: it goes on in the next turn
static bool finish(struct game *game, unsigned process, enum pg_order_refusal became)
{
	if (became == PG_ORDER_REFUSALS)
		return false;
	game_count_order(game, process, became);
	return true;
}

/// @return is there something?
static bool next_order(struct game *game, unsigned process, struct ring_message *order)
{
	struct ring_reader *in = &game->link[process]->in;
	const int n = ring_peek(in, order, 1);

	if (n < 0)
		game_give_up(game, process, ring_fault_text(in->fault));
	return n > 0;
}

static unsigned obey_one_process(struct game *game, unsigned process, struct slice *slice, uint64_t now)
{
	struct game_link *link = game->link[process];
	const uint64_t began = pg_tsc(), units = slice->units;
	struct ring_message order;
	unsigned done = 0;

	if (link->many.unfinished && !finish(game, process, many_go_on(game, process, slice, now)))
		return 0;
	if (link->searching.unfinished && !finish(game, process, searches_go_on(game, process, slice)))
		return 0;
	while (!slice_is_over(slice) && next_order(game, process, &order)) {
		done++;
		if (order.kind == RING_GAP)
			slice_spend(slice, 1);
		else if (!finish(game, process, order_obey(game, process, &order, slice, now)))
			break;
	}
	if (link_is_broken(link) || done == 0)
		return done;
	ring_release(&link->in);
	judge(game, process, pg_tsc() - began, slice->units - units);
	return done;
}

/// Those from `first` on come first.
static uint32_t in_order(uint32_t processes, uint32_t first)
{
	const uint32_t from_first = processes & (uint32_t)(UINT64_MAX << first);

	return from_first != 0 ? from_first : processes;
}

unsigned turn_obey(struct game *game, uint64_t now)
{
	const uint64_t received = counter_get(&game->stats->received);
	struct slice slice = slice_of(turn_allowance(game, received, pg_tsc()));
	unsigned done = 0;

	for (uint32_t left = game->heard; left != 0 && !slice_is_over(&slice);) {
		const unsigned process = (unsigned)__builtin_ctz(in_order(left, game->first));

		left &= ~(1U << process);
		if (!turn_is_wanted(game, process))
			continue;
		game->first = (process + 1) % PG_GAME_PROCESSES_MAX;
		done += obey_one_process(game, process, &slice, now);
	}
	game->received = received;
	game->turn_ended = pg_tsc();
	return done;
}

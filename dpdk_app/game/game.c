// SPDX-License-Identifier: BSD-3-Clause
// game/game.c: see game.h. Here: links that come and go.

#include "game/game.h"

#include "game/clients.h"
#include "game/entities.h"
#include "game/events.h"

static const struct session_watcher watcher = {.joined = game_joined, .left = game_left};

void game_init(struct game *game)
{
	if (game->shard) {
		game->shard->game = game;
		game->shard->watcher = &watcher;
		game->first_client = game->shard->store->capacity;
	}
	if (game->netcode) {
		game->netcode->game = game;
		game->netcode->watcher = &game_client_watcher;
	}
}

/// Whoever is there is told anew who is in, as far as it is to hear of them.
static void list_anew(struct game *game, unsigned process)
{
	if (!(game->present >> process & 1))
		return;
	game->link[process]->cursor = 0;
	game->listing |= 1U << process;
}

static void set_bit(uint32_t *bits, unsigned bit, bool to)
{
	*bits = (*bits & ~(1U << bit)) | (uint32_t)to << bit;
}

/// The supervisor says whether somebody is at the other end.
static void look_at_wish(struct game *game, unsigned process)
{
	struct game_link *link = game->link[process];
	const struct game_wish wish = link_wish(link);
	const bool is_new = wish.present && wish.times != link->now.times;

	link->now = wish;
	set_bit(&game->linked, process, !link_is_broken(link));
	set_bit(&game->heard, process, link->hears && !link_is_broken(link));
	set_bit(&game->present, process, wish.present && !link_is_broken(link));
	set_bit(&game->movers, process, wish.present && wish.moves && !link_is_broken(link));
	if (is_new) {
		groups_clear(&link->groups);
		list_anew(game, process);
	}
	if (!wish.present) {
		game->listing &= ~(1U << process);
		link->cursor = LINK_LISTED;
	}
}

/// There is nothing to do for a process any more, so that a worker with nothing else to do sleeps.
static void leave_alone(struct game *game, unsigned process)
{
	const uint32_t others = ~(1U << process);

	game->linked &= others;
	game->present &= others;
	game->heard &= others;
	game->ending &= others;
	game->movers &= others;
	game->filled &= others;
	game->listing &= others;
}

void game_give_up(struct game *game, unsigned process, const char *why)
{
	many_give_up(game, process);
	searches_give_up(game, process);
	entities_end(game, process);
	link_give_up(game->link[process], why);
	leave_alone(game, process);
}

static void let_go(struct game *game, unsigned process)
{
	struct game_link *link = game->link[process];

	many_give_up(game, process);
	searches_give_up(game, process);
	entities_end(game, process);
	if (!link_is_broken(link))
		link_give_up(link, "");
	leave_alone(game, process);
	game->link[process] = NULL;
	atomic_store_explicit(&link->left, true, memory_order_release);
}

/// The supervisor says what is to be read of it, or that it is enough.
static void look_at_file(struct game *game, unsigned process)
{
	struct game_link *link = game->link[process];
	const struct bus_file *file = atomic_exchange_explicit(&link->file, NULL, memory_order_acquire);

	if (link_is_broken(link))
		return;
	if (file && !link_hear(link, file))
		game_give_up(game, process, ring_fault_text(link->in.fault));
	else if (atomic_exchange_explicit(&link->end, false, memory_order_acquire)) {
		game_publish_to(game, process);
		link_move(link);
		game->ending |= 1U << process;
	}
}

static void end(struct game *game, unsigned process)
{
	struct game_link *link = game->link[process];

	if (!link_is_at_end(link))
		return;
	if (!link_end(link)) {
		game_give_up(game, process, ring_fault_text(link->out.fault));
		return;
	}
	game->heard &= ~(1U << process);
	game->ending &= ~(1U << process);
	entities_end(game, process);
}

void game_end(struct game *game)
{
	for (uint32_t left = game->ending; left != 0; left &= left - 1)
		end(game, (unsigned)__builtin_ctz(left));
}

static void heed(struct game *game, unsigned process)
{
	struct game_link *arriving = atomic_exchange_explicit(&game->arriving[process], NULL, memory_order_acquire);

	if (arriving)
		game->link[process] = arriving;
	if (!game->link[process])
		return;
	if (atomic_load_explicit(&game->link[process]->leave, memory_order_acquire))
		let_go(game, process);
	else {
		look_at_file(game, process);
		look_at_wish(game, process);
	}
}

void game_heed(struct game *game)
{
	uint32_t changed = atomic_exchange_explicit(&game->changed, 0, memory_order_acquire);

	for (; changed != 0; changed &= changed - 1)
		heed(game, (unsigned)__builtin_ctz(changed));
}

void game_use_routes(struct game *game, const struct game_routes *routes)
{
	game_heed(game); // they may name a process whose rings have come just before
	game->routes = routes;
	for (unsigned process = 0; process < PG_GAME_PROCESSES_MAX; process++)
		list_anew(game, process);
}

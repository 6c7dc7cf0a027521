// SPDX-License-Identifier: BSD-3-Clause
// game/routes.h: which game process gets what a player says: by listener, type of message, and player.

#ifndef POLLGATE_GAME_ROUTES_H
#define POLLGATE_GAME_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "pollgate.h"

#define GAME_PROCESS_NONE PG_GAME_PROCESSES_MAX

/// Of a policy; immutable once published.
struct game_routes {
	uint64_t read_budget;                        // TSC that what processes say may take of a turn
	uint32_t routed;                             // bits: processes that a route names
	uint8_t of[PG_LISTENERS_MAX][PG_GAME_TYPES]; // 1 + index of the route that takes it; 0: none does
	uint64_t listeners[PG_GAME_ROUTES_MAX];      // bits, of each route
	uint8_t processes[PG_GAME_ROUTES_MAX];       // that share what it takes; 0: there is no such route
	uint8_t process[PG_GAME_ROUTES_MAX][PG_GAME_ROUTE_PROCESSES_MAX];
};

/// @param routes  zeroed
void game_routes_init(struct game_routes *routes, const struct pg_game_policy *from, uint64_t tsc_hz);

/// All that a player says goes to the same one of the processes that share a route.
ALWAYS_INLINE unsigned game_share(const struct game_routes *routes, unsigned route, uint32_t player)
{
	const unsigned processes = routes->processes[route];
	const uint32_t spread = player * 2654435769U; // consecutive numbers are far apart (Knuth, TAOCP 3, 6.4)

	return routes->process[route][processes == 1 ? 0 : (uint64_t)spread * processes >> 32];
}

/// @return an index, or GAME_PROCESS_NONE
ALWAYS_INLINE unsigned game_route(const struct game_routes *routes, unsigned listener, uint8_t type, uint32_t player)
{
	const unsigned route = routes->of[listener][type];

	return route == 0 ? GAME_PROCESS_NONE : game_share(routes, route - 1, player);
}

/// Does a process hear that this player comes, goes and moves? One that no route names hears of all.
bool game_hears(const struct game_routes *routes, unsigned process, unsigned listener, uint32_t player);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// game/routes.c: see routes.h.

#include "game/routes.h"

#include <string.h>

#define US_PER_S 1000000ULL

/// The first route that names a listener and a type has it.
static void add_route(struct game_routes *routes, unsigned number, const struct pg_game_route *from)
{
	routes->listeners[number] = from->listeners;
	routes->processes[number] = from->processes;
	memcpy(routes->process[number], from->process, sizeof(from->process));
	for (unsigned i = 0; i < from->processes; i++)
		routes->routed |= 1U << from->process[i];
	for (unsigned listener = 0; listener < PG_LISTENERS_MAX; listener++)
		for (unsigned type = 0; type < PG_GAME_TYPES; type++)
			if (from->listeners >> listener & 1 && from->types[type / 8] >> type % 8 & 1 &&
			    routes->of[listener][type] == 0)
				routes->of[listener][type] = (uint8_t)(number + 1);
}

void game_routes_init(struct game_routes *routes, const struct pg_game_policy *from, uint64_t tsc_hz)
{
	routes->read_budget = from->read_budget_us * tsc_hz / US_PER_S;
	for (unsigned i = 0; i < from->routes; i++)
		add_route(routes, i, &from->route[i]);
}

bool game_hears(const struct game_routes *routes, unsigned process, unsigned listener, uint32_t player)
{
	if (!(routes->routed >> process & 1))
		return true;
	for (unsigned route = 0; route < PG_GAME_ROUTES_MAX && routes->processes[route] != 0; route++)
		if (routes->listeners[route] >> listener & 1 && game_share(routes, route, player) == process)
			return true;
	return false;
}

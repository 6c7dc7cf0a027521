// SPDX-License-Identifier: BSD-3-Clause
// load/generator.c: the life of a generator, as pollgate_load.h tells it.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "load/impair.h"
#include "load/lookers.h"
#include "load/sessions.h"
#include "load/trial.h"
#include "pollgate_client.h"

static bool any_weight(const struct pg_load_plan *plan)
{
	for (unsigned i = 0; i < PG_LOAD_TYPES; i++)
		if (plan->weight[i] > 0)
			return true;
	return false;
}

static int check_addresses(const struct pg_load_plan *plan, struct pg_error *error)
{
	if (plan->target.family != 4 && plan->target.family != 6)
		return error_set(error, PG_ERROR_USAGE, "the target's address is of no family; give 4 or 6");
	if (plan->target_port == 0)
		return error_set(error, PG_ERROR_USAGE, "the target has UDP port 0; ports are 1 to 65535");
	if (plan->address_count > PG_ADDRESSES_MAX)
		return error_set(error, PG_ERROR_USAGE, "players have %u addresses; at most %u are possible",
				 plan->address_count, PG_ADDRESSES_MAX);
	for (uint32_t i = 0; i < plan->address_count; i++)
		if (plan->address[i].family != plan->target.family)
			return error_set(error, PG_ERROR_USAGE,
					 "address %u of the players is not of the target's family, IPv%u", i + 1,
					 plan->target.family);
	if (plan->address_count == 0)
		return PG_OK;
	if (plan->ports_per_address == 0 || plan->first_port + plan->ports_per_address > UINT16_MAX + 1)
		return error_set(error, PG_ERROR_USAGE, "%u ports from port %u on do not fit below 65536",
				 plan->ports_per_address, plan->first_port);
	if (plan->players > plan->address_count * (uint32_t)plan->ports_per_address)
		return error_set(error, PG_ERROR_USAGE,
				 "%u players need more than %u addresses of %u ports each; give more addresses",
				 plan->players, plan->address_count, plan->ports_per_address);
	return PG_OK;
}

static int check_plan(const struct pg_load_plan *plan, struct pg_error *error)
{
	if (plan->abi_version != PG_ABI_VERSION)
		return error_set(error, PG_ERROR_USAGE, "the plan is for ABI %u, this library has %u",
				 plan->abi_version, PG_ABI_VERSION);
	if (plan->players == 0 || plan->players > PG_LOAD_PLAYERS_MAX)
		return error_set(error, PG_ERROR_USAGE, "%u players are asked for; 1 to %u are possible", plan->players,
				 PG_LOAD_PLAYERS_MAX);
	if (plan->transport > PG_LOAD_DPDK || plan->motion > PG_LOAD_CROWD)
		return error_set(error, PG_ERROR_USAGE, "the plan names a transport or motion that this build lacks");
	if (plan->profile != PG_PROFILE_PLAIN && plan->profile != PG_PROFILE_SESSION)
		return error_set(error, PG_ERROR_USAGE, "the plan names profile %u, which players here do not speak",
				 plan->profile);
	if (plan->profile == PG_PROFILE_SESSION && !plan->tickets)
		return error_set(error, PG_ERROR_USAGE, "players of profile session need a ticket each");
	if (!any_weight(plan))
		return error_set(error, PG_ERROR_USAGE, "every message type has weight 0; give one at least 1");
	if (plan->chat_bytes == 0 || plan->chat_bytes > PLAIN_CHAT_TEXT_MAX)
		return error_set(error, PG_ERROR_USAGE, "a chat message of %u bytes is asked for; 1 to %u are possible",
				 plan->chat_bytes, PLAIN_CHAT_TEXT_MAX);
	if (plan->game_bytes > PG_LOAD_GAME_BYTES_MAX)
		return error_set(error, PG_ERROR_USAGE,
				 "a message of the game's own of %u bytes is asked for; 0 to %u are possible",
				 plan->game_bytes, PG_LOAD_GAME_BYTES_MAX);
	if (plan->weight[PG_LOAD_GAME - 1] != 0 &&
	    (plan->game_type < PGC_MESSAGE_GAME || plan->game_type > PGC_MESSAGE_GAME_LAST))
		return error_set(error, PG_ERROR_USAGE,
				 "messages of the game's own of type %u are asked for; 64 to 199 are possible",
				 plan->game_type);
	if (plan->weight[PG_LOAD_GAME - 1] != 0 && plan->profile != PG_PROFILE_SESSION)
		return error_set(error, PG_ERROR_USAGE,
				 "only players of profile session say messages of the game's own");
	if (plan->world.walk > PG_LOAD_ONE_CROWD)
		return error_set(error, PG_ERROR_USAGE, "the plan names a walk that this build lacks");
	if (plan->world.walk != PG_LOAD_NO_WORLD && plan->chat_bytes < PG_LOAD_CHAT_MARK)
		return error_set(error, PG_ERROR_USAGE, "a chat message in a world has at least %u bytes",
				 PG_LOAD_CHAT_MARK);
	if (!isfinite(plan->arena_m) || plan->arena_m <= 0)
		return error_set(error, PG_ERROR_USAGE, "the arena's side must be above 0 metres");
	return check_addresses(plan, error);
}

static bool is_impaired(const struct pg_load_impairment *impairment)
{
	return impairment->loss > 0 || impairment->duplicate > 0 || impairment->reorder > 0;
}

static int open_parts(struct pg_load *load, struct pg_error *error)
{
	const struct pg_load_plan *plan = &load->plan;
	struct pg_load_page *page = load->page;

	page->tsc_hz = pg_tsc_hz();
	if (!players_open(&load->players, plan) || !inflight_open(&load->inflight, plan->players, plan->first_player_id,
								  &page->counts, pg_tsc(), page->tsc_hz))
		return error_set(error, PG_ERROR_MEMORY, "no memory for %u players", plan->players);
	if (plan->world.walk != PG_LOAD_NO_WORLD) {
		load->world = world_play_open(plan, page);
		if (!load->world)
			return error_set(error, PG_ERROR_MEMORY, "no memory for the world of %u players",
					 plan->players);
		load->players.world = world_play_players(load->world);
	}
	load->transport = plan->transport == PG_LOAD_SOCKETS ? transport_over_sockets(plan, page, error) :
							       transport_over_device(plan, page, error);
	if (load->transport && is_impaired(&plan->impairment))
		load->transport = transport_impaired(plan, page, load->transport, error);
	if (load->transport && plan->profile == PG_PROFILE_SESSION)
		load->transport = transport_of_sessions(plan, page, load->transport, load->world, error);
	else if (load->transport && load->world)
		load->transport = transport_of_lookers(plan, page, load->transport, load->world, error);
	return load->transport ? PG_OK : error->code;
}

struct pg_load *pg_load_open(const struct pg_load_plan *plan, struct pg_load_page *page, struct pg_error *error)
{
	struct pg_load *load;

	if (check_plan(plan, error) != PG_OK)
		return NULL;
	load = calloc(1, sizeof(*load));
	if (!load) {
		error_set(error, PG_ERROR_MEMORY, "out of memory");
		return NULL;
	}
	load->plan = *plan;
	load->page = page;
	if (open_parts(load, error) == PG_OK)
		return load;
	pg_load_close(load);
	return NULL;
}

static int check_trial(const struct pg_load *load, const struct pg_load_trial *trial, struct pg_error *error)
{
	if (trial->players == 0 || trial->players > load->plan.players)
		return error_set(error, PG_ERROR_USAGE, "%u players are to play; this generator has 1 to %u",
				 trial->players, load->plan.players);
	if (trial->window > WINDOW_MAX)
		return error_set(error, PG_ERROR_USAGE, "a window of %u messages is asked for; at most %u are possible",
				 trial->window, WINDOW_MAX);
	if (trial->duration_ns == 0 || trial->drain_ns > DRAIN_MAX_NS)
		return error_set(error, PG_ERROR_USAGE, "a trial must last, and answers are awaited for 10 s at most");
	if (trial->window)
		return PG_OK;
	// Not "<", so that no number that is none passes.
	if (!(trial->start_pps >= 0 && trial->end_pps >= 0 && trial->start_pps + trial->end_pps > 0 &&
	      trial->start_pps < 1e9 && trial->end_pps < 1e9))
		return error_set(error, PG_ERROR_USAGE, "a rate from %g to %g messages a second is not possible",
				 trial->start_pps, trial->end_pps);
	return PG_OK;
}

int pg_load_run(struct pg_load *load, const struct pg_load_trial *trial, struct pg_error *error)
{
	int rc = check_trial(load, trial, error);

	if (rc != PG_OK)
		return rc;
	__atomic_store_n(&load->page->in_trial, 1, __ATOMIC_RELEASE);
	rc = trial_play(load, trial, error);
	if (load->world)
		world_play_turn(load->world, pg_tsc(), true);
	__atomic_store_n(&load->page->in_trial, 0, __ATOMIC_RELEASE);
	return rc;
}

void pg_load_close(struct pg_load *load)
{
	if (!load)
		return;
	if (load->transport)
		load->transport->ops->close(load->transport);
	world_play_close(load->world);
	inflight_close(&load->inflight);
	players_close(&load->players);
	free(load);
}

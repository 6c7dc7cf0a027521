// SPDX-License-Identifier: BSD-3-Clause
// stats/names.c: labels, as reasons.def and the lists of wire/ have them: metrics, tests and documents take
// their words from here.

#include <stddef.h>

#include "pollgate.h"

static const char *const message_names[PG_MESSAGES] = {
#define HANDLED(NAME, name) [PG_MESSAGE_##NAME] = #name,
#include "stats/reasons.def"
};

static const char *const drop_names[PG_DROPS] = {
#define DROP(NAME, name, ...) [PG_DROP_##NAME] = #name,
#include "stats/reasons.def"
};

static const char *const tx_drop_names[PG_TX_DROPS] = {
#define TX_DROP(NAME, name) [PG_TX_DROP_##NAME] = #name,
#include "stats/reasons.def"
};

static const char *const request_names[PG_REQUESTS] = {
#define OWN(NAME, name, ...) [PG_REQUEST_##NAME] = #name,
#define RELAYED(NAME, name, ...) [PG_REQUEST_##NAME] = #name,
#define GAME(NAME, name, ...) [PG_REQUEST_##NAME] = #name,
#include "wire/messages.def"
};

static const char *const event_names[PG_EVENTS] = {
#define RELAYED(NAME, name, ...) [PG_EVENT_##NAME] = #name,
#define GIVEN(NAME, name, ...) [PG_EVENT_##NAME] = #name,
#define GAME(NAME, name, ...) [PG_EVENT_##NAME] = #name,
#include "wire/messages.def"
};

static const char *const compressible_names[PG_COMPRESSIBLE] = {
#define COMPRESSED(NAME, name, ...) [PG_COMPRESS_##NAME] = #name,
#include "wire/messages.def"
};

static const char *const loss_names[PG_LOSSES] = {
#define LOSS(NAME, name) [PG_LOSS_##NAME] = #name,
#include "stats/reasons.def"
};

static const char *const process_loss_names[PG_PROCESS_LOSSES] = {
#define PROCESS_LOSS(NAME, name) [PG_PROCESS_LOSS_##NAME] = #name,
#include "stats/reasons.def"
};

static const char *const order_refusal_names[PG_ORDER_REFUSALS] = {
#define ORDER_REFUSED(NAME, name) [PG_ORDER_REFUSED_##NAME] = #name,
#include "stats/reasons.def"
};

static const char *const destination_names[PG_DESTINATIONS] = {
#define DESTINATION(NAME, name) [PG_DESTINATION_##NAME] = #name,
#include "stats/reasons.def"
};

static const char *const world_move_names[PG_WORLD_MOVES] = {
#define MOVE(NAME, name) [PG_WORLD_MOVE_##NAME] = #name,
#include "world_outcomes.def"
};

static const char *const world_judged_names[PG_WORLD_JUDGEMENTS] = {
#define JUDGEMENT(NAME, name) [PG_WORLD_JUDGED_##NAME] = #name,
#include "world_outcomes.def"
};

static const char *const world_search_names[PG_WORLD_SEARCHES] = {
#define SEARCH(NAME, name) [PG_WORLD_SEARCH_##NAME] = #name,
#include "world_outcomes.def"
};

static const char *const denial_names[PG_DENIALS] = {
#define DENIED(NAME, name, number) [PG_DENIED_##NAME] = #name,
#include "wire/closed.def"
};

static const char *const refusal_names[PG_REFUSALS] = {
#define REFUSED(NAME, name, number) [PG_REFUSED_##NAME] = #name,
#include "wire/closed.def"
};

static const char *const close_names[PG_CLOSE_REASONS] = {
#define CLOSED(NAME, name, number) [PG_CLOSED_##NAME] = #name,
#include "wire/closed.def"
};

static const char *const engine_names[PG_ENGINES] = {
#define ENGINE(NAME, name) [PG_ENGINE_##NAME] = #name,
#include "engines.def"
};

static const char *const profile_names[PG_PROFILES] = {
#define PROFILE(NAME, name, loops) [PG_PROFILE_##NAME] = #name,
#include "wire/profiles.def"
};

const char *pg_engine_name(unsigned engine)
{
	return engine < PG_ENGINES ? engine_names[engine] : NULL;
}

const char *pg_profile_name(unsigned profile)
{
	return profile < PG_PROFILES ? profile_names[profile] : NULL;
}

const char *pg_message_name(unsigned message)
{
	return message < PG_MESSAGES ? message_names[message] : NULL;
}

const char *pg_drop_name(unsigned drop)
{
	return drop < PG_DROPS ? drop_names[drop] : NULL;
}

const char *pg_tx_drop_name(unsigned drop)
{
	return drop < PG_TX_DROPS ? tx_drop_names[drop] : NULL;
}

const char *pg_request_name(unsigned request)
{
	return request < PG_REQUESTS ? request_names[request] : NULL;
}

const char *pg_event_name(unsigned event)
{
	return event < PG_EVENTS ? event_names[event] : NULL;
}

const char *pg_compressible_name(unsigned type)
{
	return type < PG_COMPRESSIBLE ? compressible_names[type] : NULL;
}

const char *pg_loss_name(unsigned loss)
{
	return loss < PG_LOSSES ? loss_names[loss] : NULL;
}

const char *pg_process_loss_name(unsigned loss)
{
	return loss < PG_PROCESS_LOSSES ? process_loss_names[loss] : NULL;
}

const char *pg_order_refusal_name(unsigned reason)
{
	return reason < PG_ORDER_REFUSALS ? order_refusal_names[reason] : NULL;
}

const char *pg_destination_name(unsigned destination)
{
	return destination < PG_DESTINATIONS ? destination_names[destination] : NULL;
}

const char *pg_world_move_name(unsigned move)
{
	return move < PG_WORLD_MOVES ? world_move_names[move] : NULL;
}

const char *pg_world_judged_name(unsigned judged)
{
	return judged < PG_WORLD_JUDGEMENTS ? world_judged_names[judged] : NULL;
}

const char *pg_world_search_name(unsigned became)
{
	return became < PG_WORLD_SEARCHES ? world_search_names[became] : NULL;
}

const char *pg_denial_name(unsigned reason)
{
	return reason < PG_DENIALS ? denial_names[reason] : NULL;
}

const char *pg_close_name(unsigned reason)
{
	return reason < PG_CLOSE_REASONS ? close_names[reason] : NULL;
}

const char *pg_refusal_name(unsigned reason)
{
	return reason < PG_REFUSALS ? refusal_names[reason] : NULL;
}

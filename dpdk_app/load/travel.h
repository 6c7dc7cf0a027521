// SPDX-License-Identifier: BSD-3-Clause
// load/travel.h: how players of the `session` profile say a message of each type.

#ifndef POLLGATE_LOAD_TRAVEL_H
#define POLLGATE_LOAD_TRAVEL_H

#include "load/transport.h"
#include "pollgate_client.h"

/// What a player would miss.
ALWAYS_INLINE bool travels_reliably(uint8_t type)
{
	return type == PLAIN_ATTACK || type == PLAIN_CHAT || type == PLAIN_SKILL || type == PG_LOAD_GAME;
}

/// On the channels on which the client sends it of its own accord.
ALWAYS_INLINE struct pgc_delivery travel_delivery(uint8_t type, uint32_t receipt)
{
	const bool reliable = travels_reliably(type);

	return (struct pgc_delivery){
		.reliable = reliable,
		.channel = type == PLAIN_CHAT ? 1 : 0,
		.priority = PGC_URGENT,
		.receipt = reliable ? receipt : 0,
	};
}
static_assert((int)PGC_MESSAGE_MOVE == PLAIN_MOVE && (int)PGC_MESSAGE_ATTACK == PLAIN_ATTACK &&
		      (int)PGC_MESSAGE_CHAT == PLAIN_CHAT && (int)PGC_MESSAGE_HEARTBEAT == PLAIN_HEARTBEAT &&
		      (int)PGC_MESSAGE_SKILL == PLAIN_SKILL,
	      "a type has one number");

/// On the wire.
ALWAYS_INLINE enum pgc_message travel_type(uint8_t type, uint8_t game_type)
{
	return (enum pgc_message)(type == PG_LOAD_GAME ? game_type : type);
}

#endif

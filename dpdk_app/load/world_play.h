// SPDX-License-Identifier: BSD-3-Clause
// load/world_play.h: players of a world: they walk, speak to each other, and what they see and hear is judged.

#ifndef POLLGATE_LOAD_WORLD_PLAY_H
#define POLLGATE_LOAD_WORLD_PLAY_H

#include "load/players.h"
#include "pollgate_client.h"
#include "pollgate_load.h"

struct world_play;

/// @return NULL: out of memory
struct world_play *world_play_open(const struct pg_load_plan *plan, struct pg_load_page *page);
void world_play_close(struct world_play *play);

/// How players walk and number what they say.
const struct players_world *world_play_players(struct world_play *play);

/// What a client needs to tell what it sees.
void world_play_ask(struct pgc_options *options);

/// A message left.
/// @param payload   as players_speak() wrote it
/// @param datagram  that it left in, of one that is not reliable
/// @return the number of an event in it; 0: it is none
uint32_t world_play_said(struct world_play *play, const struct message *message, const uint8_t *payload,
			 uint64_t datagram, uint64_t now);

/// The gateway has a datagram of a player.
void world_play_arrived(struct world_play *play, uint32_t player, uint64_t datagram, uint64_t now);

/// The gateway has taken an event, or nobody knows whether it did.
void world_play_taken(struct world_play *play, uint32_t number, bool taken, uint64_t now);

/// Something happened to a player's client.
void world_play_event(struct world_play *play, uint32_t player, const struct pgc_event *event, uint64_t now);

/// A datagram came to a player's client, which has told all that happened by it.
void world_play_received(struct world_play *play, uint32_t player, const pgc_client *client, size_t bytes,
			 uint64_t now);

/// A player of profile plain plays from now on.
void world_play_joined(struct world_play *play, uint32_t player, uint64_t now);

enum world_play_told {
	WORLD_PLAY_TOLD,
	WORLD_PLAY_NOT_TOLD, // nothing can be told just now
	WORLD_PLAY_NO_ANSWER // no gateway answers so
};

/// The answer to a question of a player of profile plain came.
/// @param asked_bytes  of the question
/// @param asked        when it was asked
enum world_play_told world_play_looked(struct world_play *play, uint32_t player, const uint8_t *answer, size_t bytes,
				       size_t asked_bytes, uint64_t asked, uint64_t now);

/// Now and then, and at the end.
void world_play_turn(struct world_play *play, uint64_t now, bool end);

#endif

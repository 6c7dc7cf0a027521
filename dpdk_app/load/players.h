// SPDX-License-Identifier: BSD-3-Clause
// load/players.h: the simulated players: where each is, and which message it sends next.
//
// One crowd, written by the generator's thread alone. The same plan and trial give the same messages in the same order,
// but for their timestamps.

#ifndef POLLGATE_LOAD_PLAYERS_H
#define POLLGATE_LOAD_PLAYERS_H

#include <stdint.h>

#include "load/random.h"
#include "pollgate_load.h"
#include "wire/plain.h"

#define MESSAGE_MAX (sizeof(struct plain_chat) + PLAIN_CHAT_TEXT_MAX)
#define HOT_SPOTS 8

/// Walkers lie in the order in which they speak, so that they are met one after the other in memory.
struct walker {
	float position[2];
	float velocity[2];   // metres per second
	uint32_t steps_left; // messages until the way point is reached
	uint32_t player;     // 0 … players-1
	uint32_t hot_spot;   // of a crowd: where this one is
};

/// Players of a world walk there, and number what they say to each other.
struct players_world {
	void *context;
	void (*walk)(void *context, uint32_t player, float motion[6]); // where the player is now, and how fast
	uint32_t (*number)(void *context);
};

struct players {
	// per message
	struct random random;
	struct walker *walker;
	uint32_t count;                    // of this trial
	uint32_t next;                     // index of the walker who speaks next
	float step_s;                      // from one message of a player to the next
	uint64_t below[PG_LOAD_TYPES - 1]; // a random word of 32 bits at or above below[i] is of a type after i
	uint32_t only;                     // type - 1 when no other is sent; else PG_LOAD_TYPES
	uint32_t first_player_id;
	uint16_t chat_bytes;
	uint16_t game_bytes;

	// at a way point
	enum pg_load_motion motion;
	float arena_m;
	float hot_spot[HOT_SPOTS][2];

	const struct players_world *world; // NULL: they play none
	uint64_t seed;
	uint32_t capacity;
};

struct message {
	uint32_t player;
	uint16_t length;
	uint8_t type; // enum plain_type, or PG_LOAD_GAME
};

/// Room for plan->players. False: out of memory.
bool players_open(struct players *players, const struct pg_load_plan *plan);
void players_close(struct players *players);

/// Begin a trial: `count` players, at random places and in an order shuffled by the seed; each sends every step_s.
void players_begin(struct players *players, uint32_t count, float step_s);

/// Write the next player's message.
/// @param out  MESSAGE_MAX bytes
struct message players_speak(struct players *players, uint64_t timestamp, uint8_t *out);

#endif

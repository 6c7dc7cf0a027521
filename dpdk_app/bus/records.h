// SPDX-License-Identifier: BSD-3-Clause
// bus/records.h: what a worker and a game process say to each other in their rings: the type of a ring's message, and its body.
//
// Little-endian, without padding. Positions in a body are multiples of four, and a body begins at a multiple of eight, so
// all of it can be read where it lies. Whoever reads takes a record's length from the ring and believes no count that does
// not fit it.

#ifndef POLLGATE_BUS_RECORDS_H
#define POLLGATE_BUS_RECORDS_H

#include <stdint.h>

#include "compiler.h"

/// Types of messages from here to GAME_TYPE_LAST are the game's own, both ways.
#define GAME_TYPE_FIRST 64
#define GAME_TYPE_LAST 199

/// What a client of profile netcode says is bytes without a type: it comes as this one, and this one alone goes there.
#define GAME_TYPE_PAYLOAD GAME_TYPE_FIRST
#define GAME_PAYLOAD_MAX 1200
#define GAME_USER_DATA 256

/// Of one record: a message's longest body is SESSION_MESSAGE_MAX.
#define GAME_LIST_MAX 4096 // players that one record names

// ---------------------------------------------------------------- from a worker

enum game_event_type {
	GAME_LISTING = 1, // whoever of this worker is in follows: forget those that are not named again
	GAME_LISTED = 2,  // that was everybody
	GAME_JOINED = 3,
	GAME_LEFT = 4,
	GAME_MESSAGE = 5,
	GAME_MOVED = 6,
	GAME_QUALITY = 7,
	GAME_REFUSED = 8, // an order about an entity was not done
	GAME_FOUND = 9,   // an answer to GAME_SEARCH
};

enum game_how {
	GAME_JOINED_NOW = 1,    // a new connection
	GAME_JOINED_BEFORE = 2, // was in when the listing was made
};

/// Of a LEFT: enum session_close_reason, or:
#define GAME_LEFT_UNKNOWN 0 // while the process or the worker was away

struct game_joined {
	uint32_t player;
	uint32_t session; // as issued
	uint16_t port;    // UDP port of the listener; 0: not known
	uint8_t profile;  // enum pg_profile
	uint8_t how;      // enum game_how
} PACKED;

/// A GAME_JOINED of profile netcode. Its `session` is the client's index.
struct game_joined_client {
	struct game_joined joined;
	uint32_t zero;
	uint64_t client; // id, of the connect token; `player` stands for it as long as it is connected
	uint8_t user_data[GAME_USER_DATA]; // of the connect token
} PACKED;

struct game_left {
	uint32_t player;
	uint32_t session;
	uint8_t why;
	uint8_t zero[3];
} PACKED;

#define GAME_RELIABLE 0x01

/// What a player says. The body follows.
struct game_message {
	uint32_t player;
	uint8_t type;     // as in wire/messages.def, or the game's own
	uint8_t channel;  // of a reliable one
	uint8_t flags;    // GAME_RELIABLE
	uint8_t priority; // enum priority
	uint8_t body[];
} PACKED;

/// Where players are who moved since the last one: as many as fit the record.
struct game_position {
	uint32_t player;
	float position[3];
	float velocity[3];
} PACKED;

/// Of each entity of an order that is not done, if there is room.
struct game_refused {
	uint32_t entity;
	uint8_t order; // enum game_order_type
	uint8_t why; // 1: the world has no room, 2: the identity is another process's, 3: no such entity, 4: no such place,
		     // 5: a state that is too long, 6: no such player
	uint8_t zero[2];
	char world[32];
} PACKED;

/// An answer to GAME_ASK.
struct game_quality {
	uint32_t player;
	uint32_t cookie;
	uint32_t round_trip_us; // smoothed; 0: not known yet
	uint32_t deviation_us;
	uint32_t sent; // reliable messages and pieces that left, first and repeated
	uint32_t lost; // of those, that were sent again
} PACKED;

enum game_found_became {
	GAME_FOUND_ANSWERED = 0,
	GAME_FOUND_CLAMPED = 1,    // answered as of `tick`, the newest: the moment of the question is still to come
	GAME_FOUND_TOO_OLD = 2,    // nobody remembers the moment
	GAME_FOUND_NO_COMBAT = 3,  // a ray, or a moment of the past, in a world without `combat`
	GAME_FOUND_BUSY = 4,       // begun anew too often: ask again
	GAME_FOUND_NO_WORLD = 255, // there is no world of this name
};

/// An answer to GAME_SEARCH. `count` of struct game_found_one follow, the nearest first.
struct game_found {
	uint32_t cookie; // of the question
	uint8_t became;  // enum game_found_became; all but the first two have found nobody
	uint8_t parts;   // of a tick, of 256: behind `tick`, the moment as of which it is
	uint16_t count;
	uint32_t tick;
	uint32_t newest; // tick as of which everybody's place is known
	uint32_t total;  // of those who were there
} PACKED;

struct game_found_one {
	uint32_t identity; // a player's id, or an entity
	float position[3];
	float distance; // from the middle of the sphere, or to where the ray enters the body, 0: begins in it; rounded down to quanta
	uint8_t sort; // 0: a player, 1: an entity
	uint8_t zero[3];
} PACKED;

// ---------------------------------------------------------------- from a process

enum game_order_type {
	GAME_SEND = 1,
	GAME_SEND_LIST = 2,
	GAME_SEND_GROUP = 3,
	GAME_GROUP_JOIN = 4,
	GAME_GROUP_LEAVE = 5,
	GAME_GROUP_END = 6,
	GAME_KICK = 7,
	GAME_PLACE = 8,
	GAME_ASK = 9,
	GAME_WORLD = 10,
	GAME_SPAWN = 11,
	GAME_MOVE_ENTITIES = 12,
	GAME_STATE = 13,
	GAME_DESPAWN = 14,
	GAME_SEARCH = 16,
};

/// How a message travels to whoever gets it.
struct game_outgoing {
	uint32_t sender; // of an event: the player who is named as its sender, 0: the game; of other types 0
	uint8_t type;    // an event (CHAT_EVENT), a given one (INVENTORY), or the game's own
	uint8_t channel; // of a reliable one
	uint8_t flags;   // GAME_RELIABLE
	uint8_t priority;
} PACKED;

/// The body follows.
struct game_send {
	uint32_t player;
	uint32_t zero;
	struct game_outgoing message;
	uint8_t body[];
} PACKED;

/// `count` players, of 4 bytes each; then, at a multiple of eight of the record, the body.
struct game_send_list {
	uint32_t count; // GAME_LIST_MAX at most
	uint32_t zero;
	struct game_outgoing message;
	uint32_t player[];
} PACKED;

/// Bytes of it before the body.
ALWAYS_INLINE uint32_t game_list_bytes(uint32_t count)
{
	return ((uint32_t)sizeof(struct game_send_list) + count * (uint32_t)sizeof(uint32_t) + 7) & ~7U;
}

/// To those in the group whom the worker who reads it serves. The body follows.
struct game_send_group {
	uint32_t group;
	uint32_t except; // a player; 0: nobody
	struct game_outgoing message;
	uint8_t body[];
} PACKED;

/// GAME_GROUP_JOIN, _LEAVE; of _END the player is 0. A player leaves all groups with the connection.
struct game_group {
	uint32_t group;
	uint32_t player;
} PACKED;

struct game_kick {
	uint32_t player;
	uint8_t reason; // the game's own, 0 to 127, told to the player
	uint8_t zero[3];
} PACKED;

/// The player is told (CORRECTION).
struct game_place {
	uint32_t player;
	float position[3];
	float velocity[3];
} PACKED;

#define GAME_WORLD_NAME 32
#define GAME_PLACED 0x01

/// Into another world, or into none. Without a place, who was somewhere is in the same place of the other one, or if that has no
/// such place, nowhere until it moves. The player is told.
struct game_world {
	uint32_t player;
	uint8_t flags; // GAME_PLACED: `position` and `velocity` are said; then the player is told of them (CORRECTION)
	uint8_t zero[3];
	char name[GAME_WORLD_NAME]; // zeros behind it; all zeros: out of all worlds
	float position[3];
	float velocity[3];
} PACKED;

#define GAME_ENTITIES_MAX 64 // of one record
#define GAME_STATE_MAX 32

/// Entities of the process: GAME_SPAWN: struct game_spawn each; GAME_MOVE_ENTITIES: struct game_position each, whose `player` is
/// the entity; GAME_STATE: struct game_state each; GAME_DESPAWN: u32 entity each. An entity is the worker's that
/// game_entity_worker() says.
struct game_entities {
	char world[GAME_WORLD_NAME]; // zeros behind it; of GAME_STATE all zeros: players, in whichever worlds they are
} PACKED;

/// A new entity; or one that the process has already is put there.
struct game_spawn {
	uint32_t entity; // unique in its world
	float position[3];
	float velocity[3];
	uint8_t length; // of the game's own state, GAME_STATE_MAX at most
	uint8_t zero[3];
	uint8_t state[GAME_STATE_MAX];
} PACKED;

/// The game's own state of one: everybody who sees it is told, once. A player has it until the connection ends.
struct game_state {
	uint32_t entity; // or player
	uint8_t length;  // GAME_STATE_MAX at most; 0: none
	uint8_t zero[3];
	uint8_t state[GAME_STATE_MAX];
} PACKED;

/// So that no two workers have one of the same identity.
ALWAYS_INLINE uint32_t game_entity_worker(uint32_t entity, uint32_t workers)
{
	return (uint32_t)((uint64_t)(entity * 0x9E3779B1U) * workers >> 32);
}

#define GAME_SEARCH_MOST 128

enum game_search_kind {
	GAME_SEARCH_SPHERE = 1, // whose position is in it
	GAME_SEARCH_RAY = 2,    // whose body, as `combat` of the world has it, is in its way
};

#define GAME_SEARCH_NOW 0x01 // as of the newest tick; `tick` and `parts` are not looked at
#define GAME_SEARCH_PLAYERS 0x02
#define GAME_SEARCH_ENTITIES 0x04
#define GAME_SEARCH_FLAGS 0x07

/// Who was where? GAME_FOUND follows. Any worker knows of all who are in the world.
struct game_search {
	char world[GAME_WORLD_NAME]; // zeros behind it
	uint32_t cookie;             // comes back
	uint8_t kind;                // enum game_search_kind
	uint8_t flags;
	uint16_t most; // answers, 1 to GAME_SEARCH_MOST
	uint32_t tick; // of the moment
	uint8_t parts; // and of a tick behind it, of 256
	uint8_t zero[3];
	uint32_t except;    // a player who is not told of; 0: nobody
	float position[3];  // in the world: the middle, or where the ray begins
	float direction[3]; // of the ray, of any length
	float reach;        // radius, or length; at most 2^21 quanta
} PACKED;

struct game_ask {
	uint32_t player;
	uint32_t cookie; // comes back
} PACKED;

static_assert(sizeof(struct game_joined) == 12 && sizeof(struct game_joined_client) == 280 &&
		      sizeof(struct game_left) == 12 && sizeof(struct game_message) == 8 &&
		      sizeof(struct game_position) == 28 && sizeof(struct game_quality) == 24 &&
		      sizeof(struct game_outgoing) == 8 && sizeof(struct game_send) == 16 &&
		      sizeof(struct game_send_list) == 16 && sizeof(struct game_send_group) == 16 &&
		      sizeof(struct game_group) == 8 && sizeof(struct game_kick) == 8 &&
		      sizeof(struct game_place) == 28 && sizeof(struct game_world) == 64 &&
		      sizeof(struct game_entities) == 32 && sizeof(struct game_spawn) == 64 &&
		      sizeof(struct game_state) == 40 && sizeof(struct game_refused) == 40 &&
		      sizeof(struct game_search) == 80 && sizeof(struct game_found) == 20 &&
		      sizeof(struct game_found_one) == 24 && sizeof(struct game_ask) == 8,
	      "what two processes agree on");

#endif

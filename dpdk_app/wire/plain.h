// SPDX-License-Identifier: BSD-3-Clause
// wire/plain.h: the `plain` profile, one message per datagram, as it lies in the packet.
//
// Little-endian and packed, so a received payload is read through these structures without a copy.

#ifndef POLLGATE_WIRE_PLAIN_H
#define POLLGATE_WIRE_PLAIN_H

#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

enum plain_type {
	PLAIN_MOVE = 1,
	PLAIN_ATTACK = 2,
	PLAIN_CHAT = 3,
	PLAIN_HEARTBEAT = 4,
	PLAIN_SKILL = 5,
	PLAIN_TYPE_LAST = PLAIN_SKILL, // of those that everybody may say
	PLAIN_LOOK = 6,
};

/// The acknowledgement of type t is t + PLAIN_ACK.
#define PLAIN_ACK 100
#define PLAIN_CHAT_TEXT_MAX 512
#define PLAIN_LOOK_MIN 192 // room for the world and one whom its player sees
#define PLAIN_LOOK_MAX 1232

struct plain_header {
	uint32_t packet_type;
	uint32_t packet_size; // bytes of the whole message, this header included
	uint64_t timestamp;   // the sender's clock, returned unchanged
} PACKED;

/// Where the player is and moves to: position in metres, velocity in metres per second.
struct motion {
	float position[3];
	float velocity[3];
} PACKED;

struct plain_move {
	struct plain_header header;
	uint32_t player_id;
	struct motion motion;
} PACKED;

struct plain_attack {
	struct plain_header header;
	uint32_t player_id;
	uint32_t target_id;
	uint32_t attack_id;
	float direction[3];
} PACKED;

struct plain_chat {
	struct plain_header header;
	uint32_t player_id;
	uint32_t target_id; // 0: everyone near
	uint8_t channel;
	uint8_t reserved; // 0
	uint16_t text_len;
	uint8_t text[]; // UTF-8
} PACKED;

struct plain_heartbeat {
	struct plain_header header;
	uint32_t player_id;
} PACKED;

struct plain_skill {
	struct plain_header header;
	uint32_t player_id;
	uint32_t skill_id;
	uint32_t target_id;
} PACKED;

/// Of who is in a world: what is seen there? The answer is a plain_sight in its place, and no longer. See PROTOCOL.md 19.
struct plain_look {
	struct plain_header header;
	uint32_t player_id;
	uint8_t epoch; // of the answer's WORLD_STATE: another one each time
	uint8_t zero[3];
	uint8_t padding[]; // anything, to as many bytes as the answer may have
} PACKED;

struct plain_sight {
	struct plain_header header;
	uint32_t player_id;
	uint8_t epoch;
	uint8_t is_there; // 1: the player is somewhere in the world
	uint16_t about;   // bytes of the WORLD; 0: the player is in none
	struct motion motion;
	uint8_t rest[]; // the body of the WORLD, then that of a WORLD_STATE, unless none can be told now
} PACKED;

/// What follows the player_id. The bodies of the session profile's messages of the same types.
struct attack_body {
	uint32_t target_id;
	uint32_t attack_id;
	float direction[3];
} PACKED;

struct chat_body {
	uint32_t target_id; // 0: everyone near
	uint8_t channel;
	uint8_t reserved; // 0
	uint16_t text_len;
	uint8_t text[]; // UTF-8
} PACKED;

struct skill_body {
	uint32_t skill_id;
	uint32_t target_id;
} PACKED;

#define PLAIN_PREFIX sizeof(struct plain_heartbeat) // bytes before a body

static_assert(sizeof(struct plain_header) == 16, "header");
static_assert(sizeof(struct plain_move) == 44, "PLAYER_MOVE");
static_assert(sizeof(struct plain_attack) == 40, "PLAYER_ATTACK");
static_assert(sizeof(struct plain_chat) == 28, "CHAT_MESSAGE without its text");
static_assert(sizeof(struct plain_heartbeat) == 20, "HEARTBEAT");
static_assert(sizeof(struct plain_skill) == 28, "SKILL");
static_assert(sizeof(struct plain_look) == 24, "LOOK without its padding");
static_assert(sizeof(struct plain_sight) == 48, "LOOK_ACK without the world");
static_assert(sizeof(struct plain_move) == PLAIN_PREFIX + sizeof(struct motion) &&
		      sizeof(struct plain_attack) == PLAIN_PREFIX + sizeof(struct attack_body) &&
		      sizeof(struct plain_chat) == PLAIN_PREFIX + sizeof(struct chat_body) &&
		      sizeof(struct plain_skill) == PLAIN_PREFIX + sizeof(struct skill_body),
	      "a message is a prefix and a body");
static_assert(offsetof(struct plain_move, player_id) == offsetof(struct plain_attack, player_id) &&
		      offsetof(struct plain_move, player_id) == offsetof(struct plain_chat, player_id) &&
		      offsetof(struct plain_move, player_id) == offsetof(struct plain_heartbeat, player_id) &&
		      offsetof(struct plain_move, player_id) == offsetof(struct plain_skill, player_id),
	      "every message names its player in the same place");

#endif

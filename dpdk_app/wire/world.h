// SPDX-License-Identifier: BSD-3-Clause
// wire/world.h: WORLD_STATE as it lies in a datagram, and the numbers that both ends must agree on (PROTOCOL.md).

#ifndef POLLGATE_WIRE_WORLD_H
#define POLLGATE_WIRE_WORLD_H

#include <stdint.h>

#include "compiler.h"

#define WORLD_SLOTS_MAX 32     // who a player can have in sight at once
#define WORLD_AGES 32          // a baseline is 1 to 31 ticks old
#define WORLD_NUMBER_BITS 20   // of an entity in its world
#define WORLD_POSITION_BITS 21 // quanta
#define WORLD_VELOCITY_BITS 16 // parts of a quantum per tick
#define WORLD_VELOCITY_PARTS 8 // of a quantum per tick, where ticks are short: world_velocity_shift()
#define WORLD_VELOCITY_SHIFT_MAX 3
#define WORLD_RECORD_BITS 57     // at most
#define WORLD_GLIMPSE_BITS 36    // number, x and y in the cell
#define WORLD_STATE_BYTES_MAX 32 // of a game's own state of an entity

/// The longer a tick, the further one goes in it, and the more a velocity changes: it is told in eighths of a quantum per tick from
/// 48 ticks a second on, in quarters from 24, in halves from 12, else in whole ones.
/// @return of WORLD_VELOCITY_PARTS
ALWAYS_INLINE unsigned world_velocity_shift(uint32_t tick_hz)
{
	return (tick_hz < 48) + (tick_hz < 24) + (tick_hz < 12);
}

enum world_sort {
	WORLD_PLAYER, // its identity is the player's id
	WORLD_OTHER,  // a game process's
};

/// What is said of a slot that is not in world_state.present.
enum world_exception {
	WORLD_OLDER, // u5 age, then a record
	WORLD_FULL,  // u20 number, u32 identity, u2 sort, u21 position[3], i16 velocity[3]
	WORLD_EMPTY, // nobody, from now on
	WORLD_GAMES, // u8 version, u6 n, n bytes of the game's own state
};

#define WORLD_NAME_MAX 31

/// WORLD: what WORLD_STATEs of an epoch are of.
struct world_about {
	uint8_t epoch;
	uint8_t tick_hz;
	uint8_t cell_shift; // of glimpses: a cell's side is 2^cell_shift quanta; 0: there are none
	uint8_t slots;
	uint32_t quantum_um;
	int32_t low_mm[3];     // the lowest corner
	uint32_t radius;       // quanta
	uint32_t leave_radius; // quanta
	uint32_t tick;         // of the WORLD_STATE behind it, whole
	uint16_t name_len;
	char name[]; // UTF-8
} PACKED;
static_assert(sizeof(struct world_about) == 34, "as in PROTOCOL.md");

/// In front of the records.
struct world_state {
	uint16_t tick;    // frame, modulo 2^16
	uint8_t epoch;    // another one: slots and baselines of before are void
	uint8_t base;     // age of the common baseline in ticks; 0: none
	uint32_t present; // bit s: slot s has a record against it
	uint8_t exceptions;
	uint8_t strips;
} PACKED;
static_assert(sizeof(struct world_state) == 10, "as in PROTOCOL.md");

/// In front of the glimpses of a cell.
struct world_strip {
	uint16_t cell_x, cell_y;
	uint8_t glimpses;
} PACKED;
static_assert(sizeof(struct world_strip) == 5, "as in PROTOCOL.md");

/// Behind a PLAYER_ATTACK: the moment of the world that its attacker saw.
struct attack_view {
	uint16_t tick; // modulo 2^16
	uint8_t parts; // of a tick, 256 of them
	uint8_t zero;
} PACKED;
static_assert(sizeof(struct attack_view) == 4, "as in PROTOCOL.md");

/// Behind an ATTACK_EVENT, in a world in which attacks are judged.
struct attack_judgement {
	uint32_t tick; // and parts: the moment that it was judged by
	uint8_t parts;
	uint8_t judged;    // JUDGEMENT of world_outcomes.def, in its order
	uint8_t clamped;   // 0: that is the moment that was said; 1: which was too old; 2: too new
	uint8_t sort;      // of `who`: enum world_sort
	uint32_t who;      // was judged, by identity; 0: nobody
	uint32_t distance; // to where a hit body begins; quanta
	uint32_t error;    // of the ray from the middle of the body; quanta
} PACKED;
static_assert(sizeof(struct attack_judgement) == 20, "as in PROTOCOL.md");

/// Behind a CORRECTION, where a movement of the player's was refused.
struct correction_refused {
	float position[3]; // that movement, as it was said
	float velocity[3];
	uint8_t why; // MOVE of world_outcomes.def, in its order: 1 bounds, 2 speed, 3 acceleration
	uint8_t zero[3];
} PACKED;
static_assert(sizeof(struct correction_refused) == 28, "as in PROTOCOL.md");

/// Bits of each value of a record, by its class in the shape.
#define WORLD_WIDTHS_VELOCITY \
	{                     \
		0, 4, 7, 9    \
	}
#define WORLD_WIDTHS_POSITION \
	{                     \
		0, 2, 4, 8    \
	}

/// A shape: the classes of velocity x and y, velocity z, position x and y, position z, two bits each, from the lowest.
#define WORLD_SHAPES 256
#define WORLD_SHAPE_BITS 12 // of the longest code

/// How long the code of each shape is, is in world_shapes.def; which code is whose follows from that (RFC 1951 3.2.2).
#endif

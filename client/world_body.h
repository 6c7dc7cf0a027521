// SPDX-License-Identifier: BSD-3-Clause
// world_body.h: what a WORLD and a WORLD_STATE say: bytes to values, or refused as a whole. Nothing is remembered.

#ifndef POLLGATE_CLIENT_WORLD_BODY_H
#define POLLGATE_CLIENT_WORLD_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/world.h"

#define CELL_SHIFT_MIN 9 // 256ths of a cell have a middle

/// The code of the shapes (RFC 1951 3.2.2): how many have each length, and whose they are, the shortest first.
struct world_code {
	uint16_t count[WORLD_SHAPE_BITS + 1];
	uint8_t shape[WORLD_SHAPES];
};

/// Where somebody is, and how fast.
struct world_spot {
	int32_t position[3]; // quanta
	int32_t velocity[3]; // parts of a quantum per tick, WORLD_VELOCITY_PARTS >> world_velocity_shift() of them
};

/// How far somebody is from what was predicted.
struct world_difference {
	int32_t velocity[3];
	int32_t position[3];
};

enum world_told {
	WORLD_TOLD_NOTHING,
	WORLD_TOLD_RECORD,
	WORLD_TOLD_FULL,
	WORLD_TOLD_EMPTY,
};

/// What is told of who is in a slot.
struct world_slot_told {
	uint8_t what; // enum world_told
	uint8_t age;  // of a record's baseline: 1 to 31 ticks
	uint8_t sort; // of FULL
	uint32_t number, identity;
	union {
		struct world_difference difference;
		struct world_spot spot;
	};
};

/// The game's own state of who is in a slot.
struct world_slot_game {
	bool told;
	uint8_t version;
	uint8_t bytes;
	uint8_t data[WORLD_STATE_BYTES_MAX];
};

/// All of a WORLD_STATE.
struct world_body {
	uint16_t tick;
	uint8_t epoch;
	uint8_t strips;
	const uint8_t *strips_at; // in the body; they are whole
	struct world_slot_told slot[WORLD_SLOTS_MAX];
	struct world_slot_game game[WORLD_SLOTS_MAX];
};

struct world_glimpse {
	uint32_t number;
	uint8_t x, y; // 256ths of a cell
};

/// What the WORLD_STATEs of an epoch are of.
struct world_known {
	bool any;
	uint8_t epoch;
	uint8_t tick_hz;
	uint8_t cell_shift; // of glimpses: a cell's side is 2 to this, in quanta; 0: there are none
	uint8_t slots;
	uint32_t quantum_um;
	int32_t low_mm[3];
	uint32_t radius; // quanta
	uint32_t tick;   // of the WORLD_STATE behind it
	char name[WORLD_NAME_MAX + 1];
};

/// @return false: no world is like that
bool world_known_read(const uint8_t *body, size_t length, struct world_known *out);

void world_code_make(struct world_code *code);

/// @return false: it is cut off, or says what no gateway says; `out` means nothing then
bool world_body_read(const struct world_code *code, const uint8_t *body, size_t length, struct world_body *out);

/// The strip at `at`, which is whole.
/// @return the one behind it
const uint8_t *world_strip_at(const uint8_t *at, struct world_strip *strip);

/// A glimpse of the strip at `at`.
struct world_glimpse world_glimpse_at(const uint8_t *at, unsigned index);

/// Where somebody is, from where he was `age` ticks before, so many of which are a second.
/// @return false: nobody can be there
bool world_spot_apply(const struct world_spot *base, const struct world_difference *difference, uint8_t age,
		      uint32_t tick_hz, struct world_spot *out);

#endif

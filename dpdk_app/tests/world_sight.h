// SPDX-License-Identifier: BSD-3-Clause
// tests/world_sight.h: a player in a world of two parts, with a network to their client that loses and overtakes.
//
// All that the client decodes is held to what was published. It also knows which datagrams it had: a record that it cannot
// decode although it had the datagram of its baseline is an error of the gateway's.

#ifndef POLLGATE_TESTS_WORLD_SIGHT_H
#define POLLGATE_TESTS_WORLD_SIGHT_H

#include "delivery/acknowledged.h"
#include "world/kernels.h"
#include "world_client.h"
#include "world_fixture.h"
#include "world_reader.h"

#define PARTS 2
#define NUMBERS (16 * WALKERS_NUMBERS)
#define KEPT 128 // ticks of what is true
#define FLYING 64
#define ROOM 700
#define FIRST 70

/// What happens on the way, and to whom is seen. In thousandths.
struct weather {
	uint32_t lost_down, lost_up;
	uint32_t delay, spread; // ticks each way; a spread lets datagrams overtake each other
	uint32_t changes;       // of slots a tick
	uint32_t comes;         // somebody new in a part, and somebody who leaves
	uint32_t rerank;        // every so many ticks; 0: never
	uint32_t epochs;        // ends of epochs
	uint32_t says;          // other states of games, of each part
	uint32_t skips;         // ticks in which the player is sent nothing
	uint32_t first;         // tick; 0: FIRST
	size_t room;
	unsigned slots;
	bool paces, lives; // slot 0 is never changed, nor its occupant
};

struct flying {
	uint32_t due, counter, tick;
	size_t length;
	uint8_t bytes[ROOM];
	bool there;
};

struct acknowledging {
	uint32_t due, newest, bits;
	bool there;
};

struct sight {
	struct walkers *walkers[PARTS];
	struct world_parts parts;
	const struct world_kernels *kernels;
	struct observer *observer;
	struct client client;
	struct world_reader *reader; // the client that games have: it has the same
	struct weather weather;
	uint32_t tick, counter;
	uint64_t random;
	uint32_t lasting; // number of who lives

	struct flying down[FLYING];
	struct acknowledging up[FLYING];
	struct acknowledged acknowledged; // at the gateway
	uint32_t had, had_bits;           // at the client: as an acknowledgement says it
	uint32_t had_tick[KEPT];          // tick and 1 of states that it had

	struct world_place true_place[KEPT][NUMBERS];
	uint32_t true_number[KEPT][WORLD_SLOTS_MAX];

	uint64_t states, decoded, skipped, overtaken, fulls, bytes, record_bits, left_out, game_states;
};

struct sight *open_sight(const char *isa, struct weather weather, uint64_t seed);
void close_sight(struct sight *sight);

/// What games say of somebody here begins with the number.
struct saying_of {
	uint32_t number, revision;
	uint8_t filler[24];
};

/// The next state of somebody.
/// @param length  at least 4
void say_state_of(struct sight *sight, world_reference who, uint8_t length);

/// What the client has of who is in a slot is what the game said last.
bool has_newest_state(const struct sight *sight, unsigned slot);

/// Number of somebody; WORLD_NOBODY: who has left.
uint32_t number_of(const struct sight *sight, world_reference who);

/// A tick of the world.
void go_on(struct sight *sight);
/// The observer's turn in it, and changes of slots.
void look(struct sight *sight);
/// The state of this tick.
void send_state(struct sight *sight);
/// What is due at both ends; then the client acknowledges.
void deliver(struct sight *sight);
/// All of it, for so many ticks.
void pass(struct sight *sight, unsigned ticks);

/// Nothing is lost or changed any more: after a while the client has whom the observer has, as of just now.
void comes_to_rest(struct sight *sight);

#endif

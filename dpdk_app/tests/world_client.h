// SPDX-License-Identifier: BSD-3-Clause
// tests/world_client.h: a client that reads WORLD_STATE, written from PROTOCOL.md alone, bit by bit: it shares no code with what
// writes it.

#ifndef POLLGATE_TESTS_WORLD_CLIENT_H
#define POLLGATE_TESTS_WORLD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_SLOTS 32
#define CLIENT_TICKS 64
#define CLIENT_NOBODY UINT32_MAX

struct client_place {
	int32_t position[3], velocity[3];
};

struct client_slot {
	uint32_t number, identity, sort;
	uint32_t told; // newest tick in which something was said of the slot
	bool was_told;
	uint32_t came; // tick of the first FULL of who is in it
	bool was_late; // it was, or was said to be, a player's who is in another slot
	uint32_t late; // since this tick
	bool has_state;
	uint32_t state_tick;
	uint8_t state_version, state_bytes, state[32];
	struct {
		bool there;
		uint32_t tick;
		struct client_place place;
	} in[CLIENT_TICKS];
};

/// A state that was decoded, or a record that was not, for want of a state in an older frame.
struct client_said {
	unsigned slot;
	uint32_t tick;
	bool decoded;
	uint32_t base; // tick of the frame that is wanting
	uint32_t number;
	struct client_place place;
};

struct client {
	struct client_slot slot[CLIENT_SLOTS];
	bool any; // a state was read
	uint32_t newest;
	uint8_t epoch;
	uint32_t counter; // greatest of a datagram with a state
	struct client_said said[CLIENT_SLOTS];
	unsigned says;
	unsigned bits;   // of records of this state
	unsigned oldest; // age of a baseline in it
	unsigned fulls;  // in it
	unsigned states; // of games, in it
};

/// A whole body. @return false: it is none that a gateway writes
bool client_read(struct client *client, const uint8_t *body, size_t length, uint32_t counter);

#endif

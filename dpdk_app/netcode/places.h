// SPDX-License-Identifier: BSD-3-Clause
// netcode/places.h: open addressing with linear probing, of slots by a key that lies in their records.

#ifndef POLLGATE_NETCODE_PLACES_H
#define POLLGATE_NETCODE_PLACES_H

#include <stddef.h>
#include <stdint.h>

/// Places of slots + 1; 0: free. At least twice as many as there can be slots, so that every search ends soon.
struct places {
	uint32_t *place;
	uint32_t mask; // places - 1

	/// Where the search for a slot's key begins, before it is masked.
	uint32_t (*home)(const void *of, uint32_t slot);
	const void *of;
};

/// How many places so many slots have: a power of two.
uint32_t places_count(uint32_t capacity);

/// Free a place, and move up what had to go on because of it.
void places_remove(struct places *places, uint32_t place);

#endif

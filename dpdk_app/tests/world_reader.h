// SPDX-License-Identifier: BSD-3-Clause
// tests/world_reader.h: the table of the C client, apart from the gateway's own structures, which have the same names.

#ifndef POLLGATE_TESTS_WORLD_READER_H
#define POLLGATE_TESTS_WORLD_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader;

/// What it counted: see client/world_view.h.
struct reader_counts {
	uint64_t other_epoch, malformed, decoded, undecodable, impossible, late;
};

/// Somebody in a slot.
struct reader_entity {
	uint32_t number, identity, sort;
};

/// @return NULL: out of memory
struct reader *reader_new(void);
void reader_free(struct reader *reader);

/// A WORLD of this epoch, and behind it the body of a WORLD_STATE, of the frame `tick`.
void reader_hear(struct reader *reader, const uint8_t *body, size_t length, uint32_t tick, uint32_t counter);

/// @return false: nobody is in the slot
bool reader_entity(const struct reader *reader, unsigned slot, struct reader_entity *out);

/// @return false: nothing is known of the slot in that frame
bool reader_place(const struct reader *reader, unsigned slot, uint32_t tick, int32_t position[3], int32_t velocity[3]);

struct reader_counts reader_counts(const struct reader *reader);

#endif

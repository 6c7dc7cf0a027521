// SPDX-License-Identifier: BSD-3-Clause
// tests/world_reader.h: the table of who is in sight that games have (client/world_view.h). Apart, because its header and those
// of the gateway have the same names for different things.

#ifndef POLLGATE_TESTS_WORLD_READER_H
#define POLLGATE_TESTS_WORLD_READER_H

#include <stddef.h>
#include <stdint.h>

struct world_reader;

struct world_reader *world_reader_make(void);
void world_reader_free(struct world_reader *reader);

/// A datagram with a WORLD of this tick and the body of a WORLD_STATE.
void world_reader_take(struct world_reader *reader, uint32_t tick, const uint8_t *body, size_t length,
		       uint32_t datagram);

/// Who is in a slot; UINT32_MAX: nobody.
uint32_t world_reader_number(const struct world_reader *reader, unsigned slot);
/// The game's own state of who is in a slot.
/// @return bytes
uint8_t world_reader_state(const struct world_reader *reader, unsigned slot, const uint8_t **state);
/// Position, then velocity; NULL: of that tick nothing is known.
const int32_t *world_reader_place(const struct world_reader *reader, unsigned slot, uint32_t tick);
/// Records and bodies that it had to refuse, though it has their baselines.
uint64_t world_reader_refused(const struct world_reader *reader);

#endif

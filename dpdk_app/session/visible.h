// SPDX-License-Identifier: BSD-3-Clause
// session/visible.h: under which numbers a connection is seen, and whose connection a number is that was given as a spare.
//
// PROTOCOL.md, "The visible number". A spare says nothing of its slot, so it is looked up: in a table of {number, slot} whose
// place is the number's low bits. Numbers are drawn at random until a place is free, so nothing is ever searched, and what is
// there is looked at with one load. Each slot has at most three numbers in a table of at least four places to a slot: a draw
// finds a place one time in four at worst.
//
// No number is a spare and an issued session's at once: who gives a spare looks at the session that would have its number after
// the spare is in the table, and who issues a session looks into the table after the number is in the record. So one of the two
// sees the other and takes another number. There are always some: beside the gateway's bits and those of the slots at least
// SESSION_GENERATION_BITS_MIN are left, so there are sixteen times as many numbers as slots.
//
// Lies in the state file. What is of a slot, its owner writes; all that it ever has in the table is in its `place`, also after a
// crash, so nothing is left behind there.

#ifndef POLLGATE_SESSION_VISIBLE_H
#define POLLGATE_SESSION_VISIBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "session/number.h"
#include "session/record.h"

#define VISIBLE_NOBODY UINT32_MAX

/// One is visible now, one was before, one is the spare.
#define VISIBLE_PLACES 3

struct visible_number {
	uint32_t number;    // 0: none
	uint32_t offset[2]; // of the counters in headers: from the client, from the gateway; 0 for the number issued
};

/// A connection's numbers. They stay when it ends, for whoever goes on under them, until the slot has another connection.
struct visible {
	uint32_t session;    // as issued; 0: nothing here is anybody's
	uint32_t connection; // record's `connections`: of which connection
	uint8_t at; // the visible number's place; the spare's is the next, that of the number before the one behind it
	uint8_t away; // the client changed its number elsewhere: where the connection still is, it has the number before
	uint8_t told; // the client is told of the spare
	uint8_t unused;
	struct visible_number place[VISIBLE_PLACES];
	uint64_t before_until; // TSC: then the number before is nobody's
} CACHE_ALIGNED;
static_assert(sizeof(struct visible) == CACHE_LINE, "one line to a slot");

struct visible_numbers {
	struct visible *of; // by slot; NULL: the state is of a release that gave no spares, and none is given
	uint64_t *table;    // slot + 1, or 0, in the upper half; number in the lower
	uint32_t mask;      // of places
};

/// Where a number is that a datagram may have, or the gateway writes.
struct visible_as {
	uint32_t session, offset;
};

/// Bytes of the section of so many slots, and what is in it.
size_t visible_size(uint32_t slots);
struct visible_numbers visible_numbers_in(void *section, uint32_t slots);

ALWAYS_INLINE struct visible_number *visible_now(struct visible *visible)
{
	return &visible->place[visible->at % VISIBLE_PLACES];
}

ALWAYS_INLINE struct visible_number *visible_spare(struct visible *visible)
{
	return &visible->place[(visible->at + 1U) % VISIBLE_PLACES];
}

ALWAYS_INLINE struct visible_number *visible_before(struct visible *visible)
{
	return &visible->place[(visible->at + 2U) % VISIBLE_PLACES];
}

/// Whose was it given to as a spare? By any worker; the slot's owner knows whether it still is.
/// @return a slot, or VISIBLE_NOBODY
COLD uint32_t visible_find(const struct visible_numbers *numbers, uint32_t number);

/// Is it in the table? The supervisor, of a number that it has just stored in a record.
COLD bool visible_is_given(const struct visible_numbers *numbers, uint32_t number);

/// May it be a spare? Random bits become a number of this gateway and a place of this slot, if they are of nobody else.
/// @param random  the number's bits, and the offsets
/// @return false: another one is to be tried
COLD bool visible_enter(const struct visible_numbers *numbers, const struct session_numbers *issued,
			const struct session_record *records, const uint32_t *used, uint32_t slot,
			struct visible_number *place, const uint32_t random[3]);

/// The number in this place is nobody's any more.
COLD void visible_remove(const struct visible_numbers *numbers, uint32_t slot, struct visible_number *place);

/// Is the number of this place in the table? A crash may have come between the two.
COLD bool visible_is_entered(const struct visible_numbers *numbers, uint32_t slot, const struct visible_number *place);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// runtime/mailbox.h: entries of any length from one thread to one other, without a lock.
//
// A ring of bytes. Each entry lies in one piece, so it is written and read where it is, and begins at a multiple of
// eight. Full is full: who writes is told, and nothing waits.

#ifndef POLLGATE_RUNTIME_MAILBOX_H
#define POLLGATE_RUNTIME_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

/// Bytes of a ring: a power of two. No entry is longer than half of it: with as much unused at the ring's end and as
/// much before it, an empty box takes any.
#define MAILBOX_MIN (256U * 1024)
#define MAILBOX_ENTRY_MAX (MAILBOX_MIN / 2 - 16)

struct mailbox {
	uint32_t size; // of the ring; set before anybody reads or writes

	// the writer's; what it has written up to
	_Atomic uint64_t written CACHE_ALIGNED;
	uint64_t next;       // and where the entry in hand ends
	uint64_t read_known; // `read`, when it was last looked at

	// the reader's
	_Atomic uint64_t read CACHE_ALIGNED;

	uint8_t ring[] CACHE_ALIGNED;
};

/// Bytes of a box with a ring of `size`, a power of two from MAILBOX_MIN. It is made of zeroed memory, the caller's.
size_t mailbox_bytes(uint32_t size);
void mailbox_init(struct mailbox *box, uint32_t size);

/// Writer: where an entry of `length` bytes is to be written. It is seen when it is committed; until then it may be
/// left.
/// @return NULL when there is no room
void *mailbox_begin(struct mailbox *box, size_t length);
void mailbox_commit(struct mailbox *box);

/// Reader: the oldest entry, which stays until mailbox_remove(); NULL when there is none.
const void *mailbox_oldest(struct mailbox *box, size_t *length);
void mailbox_remove(struct mailbox *box);

#endif

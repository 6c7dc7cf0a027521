// SPDX-License-Identifier: BSD-3-Clause
// game/link.h: a game process as one worker sees it: the ring that goes there, the ring that comes from there.
//
// Made and freed by the control thread, used by the worker alone in between. A link is there as long as the process's name is
// known: while nobody attached has the name, what is for it waits in the ring.

#ifndef POLLGATE_GAME_LINK_H
#define POLLGATE_GAME_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/file.h"
#include "bus/memory.h"
#include "bus/records.h"
#include "game/groups.h"
#include "game/many.h"
#include "game/searches.h"
#include "pollgate.h"

// What the process writes is read from when it has mapped it and nobody can spoil it any more, until the process is
// gone and what it wrote has been read to its end (link_end()). The next one has a file of its own.

/// What the control thread wants of a link.
struct game_wish {
	uint32_t times; // one more each time that a process attaches under the name: it is told who is in
	bool present;
	bool moves; // it wants to hear of them
};

struct game_link {
	// set by the control thread before the worker has it
	struct pg_process_counts *counts;
	struct memory_file own;   // what the worker writes
	struct memory_file other; // what the process writes; nothing: it is not read
	void *groups_memory;      // groups_size()
	struct memory_file next;  // what the worker writes from when an end is asked for; nothing: `own`
	uint32_t ring_bytes;
	bool told;     // the control thread's own: that it is broken
	int bell;      // eventfd that the process writes to when the worker sleeps; -1: it does not
	int next_bell; // of the next process; -1: the same

	// written by the control thread, any time
	_Atomic uint64_t wish CACHE_ALIGNED; // link_wish_pack()
	_Atomic(struct bus_file *) file;     // to be read from now on; NULL: the worker has taken it
	atomic_bool end;                     // what is there is to be read to its end; and write to `next`
	atomic_bool leave;                   // the worker is to let go of it

	// written by the worker, read by the control thread
	atomic_bool left CACHE_ALIGNED;
	atomic_bool ended;            // nothing is read any more
	uint64_t read;                // and up to here the process had read, when it was
	_Atomic(const char *) broken; // why it is given up; NULL: it is not

	// the worker's own
	struct ring_writer out CACHE_ALIGNED;
	struct ring_reader in;
	bool hears;              // `in` is there
	uint64_t ends_at;        // at this position the latest; 0: nobody asked for an end
	struct ring_read nobody; // how far the process has read, while `in` is not there
	struct game_wish now;    // what is so
	uint64_t delivered;      // messages, those in the ring that are not committed among them
	uint32_t cursor;         // of a listing: the slot at which it goes on; LINK_LISTED: it is done
	struct groups groups;
	uint32_t slow;              // of turns in which reading took longer than it may: see turn.c
	struct many many;           // the last thing read, if it is not done
	struct searching searching; // likewise
};
#define LINK_LISTED UINT32_MAX

ALWAYS_INLINE uint64_t link_wish_pack(struct game_wish wish)
{
	return (uint64_t)wish.times << 32 | (uint64_t)wish.moves << 1 | wish.present;
}

ALWAYS_INLINE struct game_wish link_wish(const struct game_link *link)
{
	const uint64_t word = atomic_load_explicit(&link->wish, memory_order_acquire);

	return (struct game_wish){.times = (uint32_t)(word >> 32), .moves = word >> 1 & 1, .present = word & 1};
}

/// Maps the files and goes on where the link before it ended, if there was one.
/// @param link  zeroed, cache-aligned
/// @param why   out: a sentence, if it cannot be
bool link_open(struct game_link *link, const struct pg_game_rings *rings, struct pg_process_counts *counts, char *why,
	       size_t why_bytes);
void link_close(struct game_link *link);

/// Reads what the process writes there from now on.
/// @return false: it is no ring, and the link is to be given up
bool link_hear(struct game_link *link, const struct bus_file *file);

/// Writes to the next file from now on, which the process that is gone does not have; nothing is reserved.
void link_move(struct game_link *link);

/// Has its ring been read to the end, as far as it is to be?
bool link_is_at_end(struct game_link *link);

/// Nothing of the process's memory is read any more.
/// @return false: it says what cannot be, and the link is to be given up
bool link_end(struct game_link *link);

/// Nothing is read from it or written to it from now on; what was not committed is lost. For game_give_up().
void link_give_up(struct game_link *link, const char *why);

/// Room for a record.
/// @return NULL: the ring is full, or the record longer than it takes, or the ring is broken: link->out.fault
void *link_reserve(struct game_link *link, uint32_t length, enum game_event_type type);

ALWAYS_INLINE bool link_is_broken(const struct game_link *link)
{
	return atomic_load_explicit(&link->broken, memory_order_relaxed) != NULL;
}

#endif

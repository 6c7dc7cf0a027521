// SPDX-License-Identifier: BSD-3-Clause
// bus/file.h: the memory file of one of two: the ring that it writes, and how far it has read the ring in the other's file.

#ifndef POLLGATE_BUS_FILE_H
#define POLLGATE_BUS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/ring.h"
#include "compiler.h"

struct bus_file {
	struct ring_read reader;    // of the other's file
	struct ring_written writer; // and its data
};

/// Bytes of a file with a ring of `size`.
ALWAYS_INLINE size_t bus_file_bytes(uint32_t size)
{
	return sizeof(struct bus_file) + size;
}

/// Makes a file that nobody can make shorter, and everybody write who has it.
/// @param size    of the ring, as ring_size_fits()
/// @param huge    in huge pages, if there are
/// @param before  the file of one who died, whose place the next one takes: positions go on, see ring_format_after(); -1: none
/// @param why     out: a sentence, if it could not be made
/// @return a descriptor, the caller's; -1
int bus_file_make(const char *name, uint32_t size, bool huge, int before, char *why, size_t why_bytes);

/// Makes a file that is to become the next one of a writer who goes on in it: all of it is zero.
/// @return a descriptor, the caller's; -1
int bus_file_make_blank(const char *name, uint32_t size, bool huge, char *why, size_t why_bytes);

/// Makes a file in place of those of several who died, for a reader who has read none of it: a gap of so many messages.
/// @param before  the last of them
/// @param end     where the next file of that side begins
/// @return a descriptor, the caller's; -1
int bus_file_make_gap(const char *name, uint32_t size, bool huge, int before, uint64_t end, uint32_t messages,
		      char *why, size_t why_bytes);

/// What lies in a file's ring from a position on.
/// @return false: it cannot be read, or not to its end; what was counted stands
bool bus_file_count_left(int fd, uint32_t size, uint64_t from, uint16_t type, struct ring_left *left, char *why,
			 size_t why_bytes);

/// Where two are who leave it to another process to go on: positions that are believed.
struct bus_place {
	uint64_t written; // up to here the ring of a file has been read
	uint64_t read;    // up to here its owner has read the other's
};

/// Makes a file for one who takes the place of another that may have left anything in its own: nothing there is believed.
/// @param before  the file of that one, for the count of messages that it had begun; -1: there was none
/// @return a descriptor, the caller's; -1
int bus_file_make_at(const char *name, uint32_t size, bool huge, struct bus_place place, int before, char *why,
		     size_t why_bytes);

#endif

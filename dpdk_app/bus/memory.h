// SPDX-License-Identifier: BSD-3-Clause
// bus/memory.h: memory files, which one process writes and another reads.
//
// A file is sealed before anybody else has it: nobody can make it shorter, which would kill who reads it. It is sealed
// against writing, too, when its writer has mapped it: nobody can map it for writing from then on, or punch holes in it,
// which would cost the other side a page fault for each page. That goes for who has mapped it, too.

#ifndef POLLGATE_BUS_MEMORY_H
#define POLLGATE_BUS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

struct memory_file {
	void *at;
	size_t bytes; // mapped: in whole pages of the file, if those are huge
	int fd;       // of a file that was made here; -1 of one that was mapped
};

/// Makes a file of zeros, mapped for writing. Its pages are not there yet: whoever maps it next takes the time for that.
/// @param name  seen in /proc/PID/maps
/// @param why   out: a sentence, if it could not be made
bool memory_file_make(struct memory_file *file, const char *name, size_t bytes, char *why, size_t why_bytes);

/// The same in huge pages of 2 MB if there are enough of them free now, else in ordinary ones: no failure, and no signal
/// later, because all its pages are taken at once.
bool memory_file_make_huge(struct memory_file *file, const char *name, size_t bytes, char *why, size_t why_bytes);

/// From now on nobody can map it for writing; who has goes on. Nor can seals be added.
bool memory_file_seal(int fd, char *why, size_t why_bytes);

/// Maps another's file for reading, all its pages. Refuses one that could be made shorter under the eyes of its reader.
/// @param fd   stays the caller's
bool memory_file_map(struct memory_file *file, int fd, size_t bytes, char *why, size_t why_bytes);

/// The same, for a few looks: pages come as they are looked at.
bool memory_file_glance(struct memory_file *file, int fd, size_t bytes, char *why, size_t why_bytes);

/// As memory_file_map(), and refuses one that is not sealed against writing: its writer could still punch holes in it.
bool memory_file_map_sealed(struct memory_file *file, int fd, size_t bytes, char *why, size_t why_bytes);

/// Maps another's file for writing.
bool memory_file_map_for_writing(struct memory_file *file, int fd, size_t bytes, char *why, size_t why_bytes);

void memory_file_close(struct memory_file *file);

#endif

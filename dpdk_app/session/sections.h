// SPDX-License-Identifier: BSD-3-Clause
// session/sections.h: the directory of the session state: which sections are in it, in which version, and where.
//
// A section is a piece of the memory file with a name and a version of its own. The supervisor writes the directory when it
// makes the file; a worker process, perhaps of another version, reads it and takes nothing in it for granted. Pure: bytes in,
// an answer out.

#ifndef POLLGATE_SESSION_SECTIONS_H
#define POLLGATE_SESSION_SECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

#define SECTIONS_MAX 15
#define SECTION_NAME_SIZE 16 // with the zero at its end

/// Who writes a section, and so may begin it anew.
enum section_keeper { SECTION_OF_SUPERVISOR, SECTION_OF_WORKERS };

/// In section.version: its content is nobody's any more, whatever it is.
#define SECTION_DROPPED 0

struct section {
	char name[SECTION_NAME_SIZE];
	uint32_t version; // of how its content is laid out, from 1; or SECTION_DROPPED
	uint32_t parts;   // pieces of one size, one behind the other
	uint32_t slots;   // what a piece has room for, in the section's own unit
	uint32_t keeper;  // enum section_keeper
	uint32_t untold;  // version of content that was dropped, of which the supervisor has not been told; 0: none
	uint32_t unused;
	uint64_t offset; // from the beginning of the state; of whole lines, as the size of each part is
	uint64_t size;   // bytes of all parts
};

/// At the beginning of the state. The magic is written last of all.
struct directory {
	uint64_t magic;
	uint64_t size; // bytes of the state, with the directory
	uint32_t count;
	uint32_t unused;
	struct section section[SECTIONS_MAX];
} CACHE_ALIGNED;

#define DIRECTORY_MAGIC 0x6574617473677003ULL

/// Make an empty one; its magic is left to the caller.
void directory_begin(struct directory *directory);

/// Lay one more section behind those that are there.
/// @param  wanted     its name, shorter than SECTION_NAME_SIZE and no other's, version, parts, slots and keeper
/// @param  part_size  bytes, rounded up to whole lines
void directory_add(struct directory *directory, const struct section *wanted, size_t part_size);

/// What is wrong with a directory that somebody else wrote? Without a fault, every section lies whole in the state, behind
/// the directory and apart from all others, in parts of whole lines, under a name that no other has.
/// @param  state_size  bytes that are there
/// @return a few words for a sentence, or NULL
const char *directory_fault(const struct directory *directory, size_t state_size);

/// Of a directory without a fault.
/// @return NULL: there is none
struct section *directory_find(struct directory *directory, const char *name);

/// Where a part of a section is.
ALWAYS_INLINE void *section_part(void *state, const struct section *section, uint32_t part)
{
	return (uint8_t *)state + section->offset + part * (section->size / section->parts);
}

#endif

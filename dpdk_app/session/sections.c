// SPDX-License-Identifier: BSD-3-Clause
// session/sections.c: see sections.h.

#include "session/sections.h"

#include <string.h>

static_assert(sizeof(struct section) == 56 && sizeof(struct directory) == 14 * CACHE_LINE,
	      "one layout for all versions");

void directory_begin(struct directory *directory)
{
	*directory = (struct directory){.size = sizeof(*directory)};
}

void directory_add(struct directory *directory, const struct section *wanted, size_t part_size)
{
	struct section *section = &directory->section[directory->count++];

	*section = *wanted;
	section->offset = directory->size;
	section->size = wanted->parts * (uint64_t)whole_lines(part_size);
	directory->size += section->size;
}

// ---------------------------------------------------------------- what others wrote

static bool is_named(const struct section *section)
{
	return section->name[0] != '\0' && memchr(section->name, '\0', SECTION_NAME_SIZE);
}

/// Within the state, behind the directory, in parts of whole lines. No sum here can overflow.
static bool lies_well(const struct directory *directory, const struct section *section)
{
	return section->offset >= sizeof(*directory) && section->offset % CACHE_LINE == 0 &&
	       section->offset <= directory->size && section->size <= directory->size - section->offset &&
	       section->parts > 0 && section->size % section->parts == 0 &&
	       section->size / section->parts % CACHE_LINE == 0;
}

static bool overlap(const struct section *one, const struct section *other)
{
	return one->offset < other->offset + other->size && other->offset < one->offset + one->size;
}

static const char *section_fault(const struct directory *directory, uint32_t i)
{
	const struct section *section = &directory->section[i];

	if (!is_named(section))
		return "a section has no name";
	if (!lies_well(directory, section))
		return "a section does not lie within it";
	for (uint32_t k = 0; k < i; k++) {
		if (strcmp(section->name, directory->section[k].name) == 0)
			return "two sections have the same name";
		if (overlap(section, &directory->section[k]))
			return "two sections overlap";
	}
	return NULL;
}

const char *directory_fault(const struct directory *directory, size_t state_size)
{
	const char *fault = NULL;

	if (state_size < sizeof(*directory) || directory->magic != DIRECTORY_MAGIC)
		return "it does not begin with a directory of sections";
	if (directory->size < sizeof(*directory) || directory->size > state_size)
		return "it is shorter than its directory says";
	if (directory->count > SECTIONS_MAX)
		return "its directory is too long";
	for (uint32_t i = 0; i < directory->count && !fault; i++)
		fault = section_fault(directory, i);
	return fault;
}

struct section *directory_find(struct directory *directory, const char *name)
{
	for (uint32_t i = 0; i < directory->count; i++)
		if (strcmp(directory->section[i].name, name) == 0)
			return &directory->section[i];
	return NULL;
}

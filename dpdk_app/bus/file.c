// SPDX-License-Identifier: BSD-3-Clause
// bus/file.c: see file.h.

#include "bus/file.h"

#include <stdio.h>
#include <unistd.h>

#include "bus/memory.h"

/// What the dead one had read stays read: what it executed is not executed again.
static bool go_on(struct bus_file *file, uint32_t size, int before, char *why, size_t why_bytes)
{
	struct memory_file old;
	enum ring_result result;

	if (!memory_file_map(&old, before, bus_file_bytes(size), why, why_bytes))
		return false;
	const struct bus_file *its = old.at;

	result = ring_format_after(&file->writer, size, &its->writer);
	shared_store(&file->reader.released, shared_acquire(&its->reader.released));
	memory_file_close(&old);
	if (result != RING_OK)
		snprintf(why, why_bytes, "the memory file of the one before says what cannot be");
	return result == RING_OK;
}

int bus_file_make(const char *name, uint32_t size, int before, char *why, size_t why_bytes)
{
	struct memory_file file;
	int fd;

	if (!ring_size_fits(size, why, why_bytes) ||
	    !memory_file_make(&file, name, bus_file_bytes(size), why, why_bytes))
		return -1;
	fd = file.fd;
	if (before < 0)
		ring_format(&((struct bus_file *)file.at)->writer, size);
	else if (!go_on(file.at, size, before, why, why_bytes)) {
		memory_file_close(&file);
		return -1;
	}
	file.fd = -1; // the caller's
	memory_file_close(&file);
	return fd;
}

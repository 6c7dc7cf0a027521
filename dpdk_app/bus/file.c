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

	if (!memory_file_glance(&old, before, bus_file_bytes(size), why, why_bytes))
		return false;
	const struct bus_file *its = old.at;

	result = ring_format_after(&file->writer, size, &its->writer);
	shared_store(&file->reader.released, shared_acquire(&its->reader.released));
	memory_file_close(&old);
	if (result != RING_OK)
		snprintf(why, why_bytes, "the memory file of the one before says what cannot be");
	return result == RING_OK;
}

static bool make_zeros(struct memory_file *file, const char *name, uint32_t size, bool huge, char *why,
		       size_t why_bytes)
{
	if (!ring_size_fits(size, why, why_bytes))
		return false;
	return huge ? memory_file_make_huge(file, name, bus_file_bytes(size), why, why_bytes) :
		      memory_file_make(file, name, bus_file_bytes(size), why, why_bytes);
}

/// The descriptor of a file that has been made; or none, where that went wrong.
static int hand_out(struct memory_file *file, bool done)
{
	const int fd = done ? file->fd : -1;

	if (done)
		file->fd = -1; // the caller's
	memory_file_close(file);
	return fd;
}

int bus_file_make(const char *name, uint32_t size, bool huge, int before, char *why, size_t why_bytes)
{
	struct memory_file file;

	if (!make_zeros(&file, name, size, huge, why, why_bytes))
		return -1;
	if (before >= 0)
		return hand_out(&file, go_on(file.at, size, before, why, why_bytes));
	ring_format(&((struct bus_file *)file.at)->writer, size);
	return hand_out(&file, true);
}

int bus_file_make_blank(const char *name, uint32_t size, bool huge, char *why, size_t why_bytes)
{
	struct memory_file file;

	if (!make_zeros(&file, name, size, huge, why, why_bytes))
		return -1;
	return hand_out(&file, true);
}

/// How far the last owner of a file had read the other's ring stays so.
static bool keep_released(struct bus_file *file, uint32_t size, int before, char *why, size_t why_bytes)
{
	struct memory_file old;

	if (!memory_file_glance(&old, before, bus_file_bytes(size), why, why_bytes))
		return false;
	shared_store(&file->reader.released, shared_acquire(&((const struct bus_file *)old.at)->reader.released));
	memory_file_close(&old);
	return true;
}

int bus_file_make_gap(const char *name, uint32_t size, bool huge, int before, uint64_t end, uint32_t messages,
		      char *why, size_t why_bytes)
{
	struct memory_file file;

	if (end < RING_WORD || end % RING_WORD != 0) {
		snprintf(why, why_bytes, "a gap that ends where no entry begins");
		return -1;
	}
	if (!make_zeros(&file, name, size, huge, why, why_bytes))
		return -1;
	ring_format_gap(&((struct bus_file *)file.at)->writer, size, end, messages);
	return hand_out(&file, keep_released(file.at, size, before, why, why_bytes));
}

bool bus_file_count_left(int fd, uint32_t size, uint64_t from, uint16_t type, struct ring_left *left, char *why,
			 size_t why_bytes)
{
	struct memory_file file;
	enum ring_result result;

	*left = (struct ring_left){0};
	if (!ring_size_fits(size, why, why_bytes) ||
	    !memory_file_glance(&file, fd, bus_file_bytes(size), why, why_bytes))
		return false;
	result = ring_count_left(&((const struct bus_file *)file.at)->writer, size, from, type, left);
	memory_file_close(&file);
	if (result != RING_OK)
		snprintf(why, why_bytes, "the memory file says what cannot be");
	return result == RING_OK;
}

/// Messages; 0 if it makes no sense what is there.
static uint32_t begun_in(int fd, uint32_t size)
{
	struct memory_file file;
	uint64_t messages = 0;
	char why[256];

	if (fd < 0 || !memory_file_glance(&file, fd, bus_file_bytes(size), why, sizeof(why)))
		return 0;
	if (ring_uncommitted(&((const struct bus_file *)file.at)->writer, size, &messages) != RING_OK)
		messages = 0;
	memory_file_close(&file);
	return (uint32_t)messages;
}

int bus_file_make_at(const char *name, uint32_t size, bool huge, struct bus_place place, int before, char *why,
		     size_t why_bytes)
{
	struct memory_file file;
	struct bus_file *its;

	if (!make_zeros(&file, name, size, huge, why, why_bytes))
		return -1;
	its = file.at;
	ring_format_at(&its->writer, size, place.written, begun_in(before, size));
	shared_store(&its->reader.released, place.read);
	return hand_out(&file, true);
}

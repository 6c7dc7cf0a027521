// SPDX-License-Identifier: BSD-3-Clause
// runtime/game_files.c: the memory between workers and game processes, as the supervisor makes it (pollgate_processes.h).

#include "bus/file.h"
#include "bus/memory.h"
#include "bus/records.h"
#include "pollgate.h"
#include "stats/error.h"

int pg_game_file(const char *name, uint32_t ring_bytes, bool huge, int before, struct pg_error *error)
{
	char why[256];
	const int fd = bus_file_make(name, ring_bytes, huge, before, why, sizeof(why));

	if (fd < 0)
		error_set(error, PG_ERROR_MEMORY, "the memory of game process %s: %s", name, why);
	return fd;
}

int pg_game_blank_file(const char *name, uint32_t ring_bytes, bool huge, struct pg_error *error)
{
	char why[256];
	const int fd = bus_file_make_blank(name, ring_bytes, huge, why, sizeof(why));

	if (fd < 0)
		error_set(error, PG_ERROR_MEMORY, "the memory of game process %s: %s", name, why);
	return fd;
}

int pg_game_gap_file(const char *name, uint32_t ring_bytes, bool huge, int before, uint64_t end, uint32_t messages,
		     struct pg_error *error)
{
	char why[256];
	const int fd = bus_file_make_gap(name, ring_bytes, huge, before, end, messages, why, sizeof(why));

	if (fd < 0)
		error_set(error, PG_ERROR_MEMORY, "the memory of game process %s: %s", name, why);
	return fd;
}

int pg_game_next_file(const char *name, uint32_t ring_bytes, bool huge, int before, uint64_t written, uint64_t read,
		      struct pg_error *error)
{
	char why[256];
	const struct bus_place place = {.written = written, .read = read};
	const int fd = bus_file_make_at(name, ring_bytes, huge, place, before, why, sizeof(why));

	if (fd < 0)
		error_set(error, PG_ERROR_MEMORY, "the memory of game process %s: %s", name, why);
	return fd;
}

int pg_game_left(int fd, uint32_t ring_bytes, uint64_t from, struct pg_game_left *left, struct pg_error *error)
{
	struct ring_left found;
	char why[256];
	const bool is_whole = bus_file_count_left(fd, ring_bytes, from, GAME_MESSAGE, &found, why, sizeof(why));

	*left = (struct pg_game_left){.records = found.messages, .messages = found.of_type};
	return is_whole ? PG_OK : error_set(error, PG_ERROR_SYSTEM, "%s", why);
}

int pg_game_seal(int fd, struct pg_error *error)
{
	char why[256];

	return memory_file_seal(fd, why, sizeof(why)) ? PG_OK : error_set(error, PG_ERROR_SYSTEM, "%s", why);
}

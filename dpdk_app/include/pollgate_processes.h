// SPDX-License-Identifier: BSD-3-Clause
// pollgate_processes.h: game processes, as the supervisor and the worker process have them. Part of pollgate.h.

#ifndef POLLGATE_PROCESSES_H
#define POLLGATE_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pg_gateway;
struct pg_error;

#define PG_GAME_NAME_MAX 32 // bytes, with the zero that ends it

/// Make a memory file of a worker, with a ring of so many bytes (a power of two from 4 KiB). The supervisor, which
/// outlives workers and processes, keeps it.
/// @param huge    in huge pages of 2 MB if so many are free, else in ordinary ones
/// @param before  that of the worker process that died, whose place the next one takes; else -1
/// @return a descriptor, the caller's; -1: PG_ERROR_MEMORY
int pg_game_file(const char *name, uint32_t ring_bytes, bool huge, int before, struct pg_error *error);

/// Make a file of a worker that is not one yet: the worker goes on in it when a process is gone, see pg_game_end().
int pg_game_blank_file(const char *name, uint32_t ring_bytes, bool huge, struct pg_error *error);

/// Make a file in place of those of several workers that died, which nobody has read: a gap of so many messages.
/// @param before  the last of those files
/// @param end     position at which the next file begins
int pg_game_gap_file(const char *name, uint32_t ring_bytes, bool huge, int before, uint64_t end, uint32_t messages,
		     struct pg_error *error);

/// What a process has not read of a worker's file.
struct pg_game_left {
	uint64_t records;
	uint64_t messages; // of players
};

/// @param from  position up to which it has read
/// @return PG_ERROR_SYSTEM: the file cannot be read to its end; what was counted until then stands
int pg_game_left(int fd, uint32_t ring_bytes, uint64_t from, struct pg_game_left *left, struct pg_error *error);

/// The same of a process that is about to attach.
/// @param before   that of the process before it, of which nothing is believed; -1: there was none
/// @param written  position up to which the worker has read what that one wrote
/// @param read     position up to which that one had read what the worker wrote: pg_game_ended()
int pg_game_next_file(const char *name, uint32_t ring_bytes, bool huge, int before, uint64_t written, uint64_t read,
		      struct pg_error *error);

/// Whoever writes a file has mapped it: from now on nobody else can for writing, and nobody can punch holes in it. Before the
/// other side has it.
int pg_game_seal(int fd, struct pg_error *error);

/// The rings of one worker and one game process.
struct pg_game_rings {
	uint32_t process; // index, below PG_GAME_PROCESSES_MAX; as routes name it
	uint32_t worker;
	uint32_t ring_bytes;
	int32_t worker_fd;   // the file that the worker writes, not sealed yet
	int32_t process_fd;  // and the one that the process writes, sealed; -1: nothing is read of one yet
	int32_t bell_fd;     // eventfd that wakes the worker; -1: it never sleeps
	uint8_t wants_moves; // of the process that is there
	uint8_t present;     // false: nobody is at the other end now
	uint64_t read;       // without a process_fd: up to where the process has read
};

/// Map the rings and have their worker use them. Before pg_start() or after. Descriptors stay the caller's.
int pg_game_attach(struct pg_gateway *gateway, const struct pg_game_rings *rings, struct pg_error *error);

/// A game process has attached under a name, and is told who is in; or nobody is there any more.
int pg_game_presence(struct pg_gateway *gateway, uint32_t process, bool present, bool wants_moves,
		     struct pg_error *error);

/// A process has mapped what it writes, and that is sealed: have a worker read it. The descriptor stays the caller's.
int pg_game_hear(struct pg_gateway *gateway, uint32_t process, uint32_t worker, int fd, struct pg_error *error);

/// The process is gone: have a worker read what it wrote to the end, and nothing that comes after it. What is said to the next
/// one is nothing that this one can read.
/// @param worker_fd  pg_game_blank_file(): from now on the worker writes there; the caller's
/// @param bell_fd    eventfd of the next process; -1: the worker never sleeps; the caller's
int pg_game_end(struct pg_gateway *gateway, uint32_t process, uint32_t worker, int worker_fd, int bell_fd,
		struct pg_error *error);

/// Have all of them? The files that they write now are to be sealed, and the rings of the next process can be made.
/// @param read  out: for each worker, up to where the process had read what that wrote
bool pg_game_ended(struct pg_gateway *gateway, uint32_t process, uint64_t *read);

/// Have all workers let go of a process's rings, and unmap them. Returns when they have, or PG_ERROR_TIMEOUT.
int pg_game_detach(struct pg_gateway *gateway, uint32_t process, struct pg_error *error);

/// The next process that a worker gave up, because of what it wrote. Each is said once.
/// @param size  of `text`, at least 1
/// @return false: there is none
bool pg_game_broken(struct pg_gateway *gateway, uint32_t *process, char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif

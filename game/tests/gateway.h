// SPDX-License-Identifier: BSD-3-Clause
// gateway.h: a gateway of this process for the tests: a supervisor on a socket in a thread of its own, and workers that do what
// the test says.

#ifndef POLLGATE_GAME_TESTS_GATEWAY_H
#define POLLGATE_GAME_TESTS_GATEWAY_H

#include "unit.h"

#include <pthread.h>
#include <stdbool.h>

#include "bus/attach.h"
#include "bus/file.h"
#include "bus/records.h"
#include "bus/ring.h"
#include "bus/wait.h"
#include "pollgate_game.h"
#include "wire/session.h"

#ifndef RING
#define RING 16384U
#endif
#define GATEWAY_WORKERS 3
#define GATEWAY_PROCESSES 5

/// A worker's end of what lies between it and one process.
struct gate_worker {
	int worker_fd;
	int process_fd;
	int bell;
	struct bus_file *own;          // as the worker has it
	const struct bus_file *theirs; // the process's, as the worker has it
	struct ring_writer writer;
	struct ring_reader reader;
	uint32_t incarnation;
};

struct gate_process {
	int socket; // -1: not attached
	char name[ATTACH_NAME_MAX];
	uint32_t wants;
	unsigned mapped; // how often it said so
	struct gate_worker worker[GATEWAY_WORKERS];
};

struct gateway {
	char directory[64];
	char path[96];
	int listener;
	int end; // a pipe: closed, the supervisor's thread ends
	pthread_t thread;
	unsigned workers;
	unsigned processes;
	struct gate_process process[GATEWAY_PROCESSES];
	uint32_t topic[GATEWAY_PROCESSES];                 // that each subscribes to; one is enough here
	int pair[GATEWAY_PROCESSES][GATEWAY_PROCESSES][2]; // writer's and reader's file; 0: not made

	// how it behaves
	uint16_t version;    // in its heads
	const char *refuses; // this sentence instead of a WELCOME
	bool is_silent;
	const char *token;
};

void gateway_start(struct gateway *gateway, unsigned workers);
void gateway_stop(struct gateway *gateway);

/// Attach a process, which must succeed.
pgg *gateway_attach(struct gateway *gateway, const char *name);

/// A next writer of a ring between two processes is there: the reader gets its files.
void gateway_pair_follows(struct gateway *gateway, unsigned from, unsigned to);

/// A next reader is there, which has read nothing: the writer gets its file.
void gateway_reader_follows(struct gateway *gateway, unsigned from, unsigned to);

/// Waits until all that a process said that has closed has been heard.
void gateway_hear_out(const struct gateway *gateway, unsigned process);

/// The next process to attach has the name of the one that is gone, and memory that goes on.
void gateway_follow(struct gateway *gateway, unsigned process);

/// Ends the supervisor: its sockets close.
void gateway_die(struct gateway *gateway);

/// The worker dies and another takes its place.
/// @param begun  messages that it had reserved when it died
void gateway_replace_worker(struct gateway *gateway, unsigned worker, unsigned begun);

/// What the worker writes to the first process.
void *gateway_record(struct gateway *gateway, unsigned worker, uint16_t type, uint32_t length);
void gateway_commit(struct gateway *gateway, unsigned worker);
void gateway_listing(struct gateway *gateway, unsigned worker, const uint32_t *players, unsigned n);
void gateway_join(struct gateway *gateway, unsigned worker, uint32_t player, uint8_t how);
void gateway_leave(struct gateway *gateway, unsigned worker, uint32_t player, uint8_t why);
void gateway_say(struct gateway *gateway, unsigned worker, uint32_t player, uint8_t type, const char *body);

/// The next record of the first process to this worker; its body.
const void *gateway_order(struct gateway *gateway, unsigned worker, uint16_t type, uint32_t length);
void gateway_no_order(struct gateway *gateway, unsigned worker);

/// The next event, which is of this type.
struct pgg_event next_event(pgg *game, enum pgg_event_type type);
void no_event(pgg *game);

/// A process has attached to a gateway that has just started, and was told of players 7 and 9 at the first worker.
pgg *gateway_begin(struct gateway *gateway, unsigned workers);

/// Both end.
static inline void gateway_end(struct gateway *gateway, pgg *game)
{
	pgg_close(game);
	gateway_stop(gateway);
}

#endif

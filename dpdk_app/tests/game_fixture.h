// SPDX-License-Identifier: BSD-3-Clause
// game_fixture.h: a worker's shard with players, its part of the game bus, and a game process at the other end of the rings.

#ifndef POLLGATE_TESTS_GAME_FIXTURE_H
#define POLLGATE_TESTS_GAME_FIXTURE_H

#include "unit.h"

#include "bus/wait.h"
#include "game/dispatch.h"
#include "game/turn.h"
#include "netcode_fixture.h"
#include "session_fixture.h"

#define GAME_RING RING_BYTES_MIN
#define GAME_PLAYERS 40

struct game_fixture {
	struct session_fixture *sessions;
	struct netcode_fixture *clients; // NULL: no listener has profile netcode
	struct game *game;               // of their shards 0
	struct pg_game_policy policy;
	struct game_routes routes;
	struct player player[GAME_PLAYERS]; // player_id 1 and so on
	int worker_fd, process_fd;          // of process 0; without one that is attached nothing is read of it
	int next_fd;                        // what the worker writes since process 0 is gone; 0: worker_fd
	bool heard;                         // the worker reads what it writes
	uint64_t read;                      // else: up to where the last one had read
	struct game_link *link;
	void *groups_memory;

	// of the process
	struct memory_file theirs, ours; // what the worker writes, what the process writes
	struct ring_reader reader;
	struct ring_writer writer;
	uint64_t record[GAME_RING / sizeof(uint64_t)]; // that it read last
	uint32_t length;
};

/// No process, no routes, nobody connected.
struct game_fixture *game_fixture_open(void);

/// The same with profile netcode, too, or with nothing else.
struct game_fixture *game_fixture_open_netcode(uint32_t capacity, bool alone);
void game_fixture_close(struct game_fixture *fixture);

/// A route for these types of all listeners, to process 0.
void game_fixture_route(struct game_fixture *fixture, uint8_t first, uint8_t last);

/// Process 0 attaches; the files stay.
void game_fixture_attach(struct game_fixture *fixture, bool wants_moves);

/// It is gone, and what it wrote is read to its end.
void game_fixture_leave(struct game_fixture *fixture);

/// The next one has its name, and files that go on.
void game_fixture_follow(struct game_fixture *fixture);

/// The worker process is gone: the next one has the same process, and files that go on.
void game_fixture_restart(struct game_fixture *fixture);

void game_fixture_connect(struct game_fixture *fixture, unsigned player);

/// A player says something, and the worker's turn ends.
void game_fixture_say(struct game_fixture *fixture, unsigned player, uint8_t type, const void *body, uint32_t length);

/// The end of a turn: orders, listings, and what was said is published.
void game_fixture_turn(struct game_fixture *fixture);

/// The process reads the next record, into `record` and `length`, and gives it back.
/// @return its type; -1: there is none; 0: a gap, of `length` messages
int game_fixture_read(struct game_fixture *fixture);

/// The next record is of this type.
void game_expect(struct game_fixture *fixture, int type);
void game_expect_nothing(struct game_fixture *fixture);
void game_expect_joined(struct game_fixture *fixture, uint32_t player, enum game_how how);

/// Of a process that has just attached, while nobody is in.
void game_expect_empty_listing(struct game_fixture *fixture);

/// The process has attached, and then player 1 comes.
void game_connect_first(struct game_fixture *fixture);

/// The process says something.
void game_fixture_order(struct game_fixture *fixture, enum game_order_type type, const void *body, uint32_t length);

#endif

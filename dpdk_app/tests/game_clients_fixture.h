// SPDX-License-Identifier: BSD-3-Clause
// game_clients_fixture.h: a game process, and clients of the netcode profile that it hears of.

#ifndef POLLGATE_TESTS_GAME_CLIENTS_FIXTURE_H
#define POLLGATE_TESTS_GAME_CLIENTS_FIXTURE_H

#include "game_fixture.h"

#define CAPACITY 16
#define CLIENTS 3

extern struct game_fixture *fixture;
extern struct netcode_player client[CLIENTS]; // none of them is in

/// For cmocka: with players of sessions, or without.
int clients_open_both(void **state);
int clients_open_alone(void **state);
int clients_close(void **state);

#define BOTH(name) cmocka_unit_test_setup_teardown(name, clients_open_both, clients_close)
#define ALONE(name) cmocka_unit_test_setup_teardown(name, clients_open_alone, clients_close)

/// Of the worker, and of its only process.
const struct pg_worker_stats *stats(void);
const struct pg_process_counts *counts(void);

const struct netcode_record *record(unsigned i);

void get_in(unsigned i);
struct netcode_outcome say(unsigned i, const void *body, uint16_t length);
void leave(unsigned i);

/// The process has this record next.
void expect_joined(unsigned i, enum game_how how);
void expect_left(uint32_t player, enum session_close_reason why);

/// Attached, and the first client is in, and known to the process.
void begin(void);

#endif

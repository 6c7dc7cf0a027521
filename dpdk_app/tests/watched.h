// SPDX-License-Identifier: BSD-3-Clause
// watched.h: a session fixture whose every sealing is logged, by whatever process, so that none repeats a key and
// nonce.

#ifndef POLLGATE_TESTS_WATCHED_H
#define POLLGATE_TESTS_WATCHED_H

#include "session/handshake.h"
#include "session_fixture.h"
#include "unit.h"

/// The session fixture of the test that runs. Nothing was sealed twice with the same nonce when it closes.
extern struct session_fixture *fixture;
int open_watched_fixture(void **state);
int close_watched_fixture(void **state);

#define fixture_test(name) cmocka_unit_test_setup_teardown(name, open_watched_fixture, close_watched_fixture)

/// As fixture_restart(); the log goes on.
uint32_t restart(void);

// ---------------------------------------------------------------- the log

/// Everything that was ever sealed by the gateway.
size_t sealings_logged(void);

/// Keep the log as it is now, and go back to the first `count` of what was kept.
void sealings_keep(void);
void sealings_go_back(size_t count);

/// Changes nothing.
void assert_no_nonce_was_used_twice(void);

// ---------------------------------------------------------------- players

uint32_t slot_of(const struct player *player);

/// Player 7, by the first worker.
struct player connected_player(void);

/// The outbox holds one CLOSE for this player, whose key opens it, sent to `where`; it is taken out.
void assert_told(struct player *player, const struct peer *where, uint8_t why);

void assert_nobody_is_connected(const struct player *player);

/// A control datagram of the player, as it is when it was opened, comes from somewhere.
struct handshake_outcome control(const struct player *player, const struct peer *from, enum session_kind kind,
				 const void *body, uint16_t body_len);

#endif

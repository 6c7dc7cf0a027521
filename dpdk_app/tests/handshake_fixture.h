// SPDX-License-Identifier: BSD-3-Clause
// handshake_fixture.h: what players say before they are connected to a session fixture, and that what is refused leaves
// no trace.

#ifndef POLLGATE_TESTS_HANDSHAKE_FIXTURE_H
#define POLLGATE_TESTS_HANDSHAKE_FIXTURE_H

#include "session_fixture.h"
#include "unit.h"

/// The session fixture of the test that runs.
extern struct session_fixture *fixture;
int open_fixture(void **state);
int close_fixture(void **state);

#define fixture_test(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

/// HELLO or CONFIRM for a worker; the answer is in its place.
struct handshake_outcome send_from(unsigned shard, const struct peer *peer, uint8_t *datagram, uint16_t length);

/// For the first worker, from where the player is.
struct handshake_outcome send_handshake(const struct player *player, uint8_t *datagram, uint16_t length);

/// What came is left alone and answered by nothing.
void assert_dropped(const struct player *player, const uint8_t *datagram, uint16_t length, enum pg_drop why);

/// A copy of all that outlives a worker process.
uint8_t *state_copy(void);

/// Nothing has changed since the copy, which is freed; and nobody waits to be told anything.
void assert_state_is(uint8_t *copy);

#endif

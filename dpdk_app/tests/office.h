// SPDX-License-Identifier: BSD-3-Clause
// office.h: where sessions are issued: a state that the test may look into, and what it does to sessions without packets.

#ifndef POLLGATE_TESTS_OFFICE_H
#define POLLGATE_TESTS_OFFICE_H

#include "session/state.h"

/// A state that the test may look into.
struct office {
	void *state;
	struct state_parts parts;
};

/// Why the last session was not issued.
extern struct pg_error office_error;

struct office office_open(uint32_t slots);
void office_close(struct office *o);

/// For 1000 s when it is not said. The key is made of the player's number.
/// @return 0 when there is none
uint32_t issue(const struct office *o, uint32_t player);
uint32_t issue_for(const struct office *o, uint32_t player, uint32_t ttl_s);

uint32_t slot_in(const struct office *o, uint32_t session);
struct session_record *record_of(const struct office *o, uint32_t session);

/// Time passes for one session.
void end_now(const struct office *o, uint32_t session);

/// As a worker does.
void connect_to(const struct office *o, uint32_t session, uint8_t worker);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// issuer.h: where sessions are issued: a state that the test may look into, and what it does to sessions without
// packets.

#ifndef POLLGATE_TESTS_ISSUER_H
#define POLLGATE_TESTS_ISSUER_H

#include "session/state.h"

/// A state that the test may look into.
struct issuer {
	void *state;
	struct state_parts parts; // as a worker process sees them
};

/// Why the last session was not issued.
extern struct pg_error issuer_error;

struct issuer issuer_open(uint32_t slots);
void issuer_close(struct issuer *o);

/// For 1000 s when it is not said. The key is made of the player's number.
/// @return 0 when there is none
uint32_t issue(const struct issuer *o, uint32_t player);
uint32_t issue_for(const struct issuer *o, uint32_t player, uint32_t ttl_s);

uint32_t slot_in(const struct issuer *o, uint32_t session);
struct session_record *record_of(const struct issuer *o, uint32_t session);

/// Time passes for one session.
void end_now(const struct issuer *o, uint32_t session);

/// As a worker does.
void connect_to(const struct issuer *o, uint32_t session, uint8_t worker);

#endif

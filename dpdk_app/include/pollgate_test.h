// SPDX-License-Identifier: BSD-3-Clause
// pollgate_test.h: one worker's core by itself, without devices, for tests: frames or datagrams in, answers out.
//
// It is built of the same parts as a worker of the gateway. No product links it: tests/core.c is compiled for the unit
// tests, and for the library that the Python tests load (tests/native/).

#ifndef POLLGATE_TEST_H
#define POLLGATE_TEST_H

#include "pollgate.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pg_core; // one identity and one session table, without devices

/// A core that answers for plan->port[0]; no EAL needed. Freed with pg_core_close. NULL: out of memory.
/// @param state  as of pg_open(), for one worker, the caller's; NULL: the core has its own
struct pg_core *pg_core_open(const struct pg_plan *plan, void *state);
void pg_core_close(struct pg_core *core);

/// Run frames through the core at time `now` (TSC), as one burst.
/// @param frame  n buffers, rewritten in place where there is an answer; one of profile session may be as long as its
///               longest datagram allows, so its buffer has room for a whole frame
/// @param length in: bytes of each frame; out: bytes of the answer, 0 when there is none
/// @param drop   out: enum pg_drop of each frame
/// @param n      at most 64
void pg_core_burst(struct pg_core *core, uint64_t now, uint8_t *const frame[], uint16_t length[], uint8_t drop[],
		   uint32_t n);

/// A datagram as a socket gives it: who sent it, to which of our listeners, and its bytes.
struct pg_datagram {
	struct pg_address source; // prefix_len is not looked at
	uint16_t source_port;
	uint8_t listener; // index into pg_plan.listener_port
	uint8_t drop;     // out: enum pg_drop
	uint16_t
		length; // bytes of payload, at most PG_DATAGRAM_MAX + 1: more is as good as one more; out: the answer's
	uint8_t *
		payload; // rewritten in place when there is an answer; of profile session, PG_DATAGRAM_MAX bytes of room
};

/// Run datagrams through the core at time `now` (TSC), as one burst, as the socket engines do. n is at most 64.
void pg_core_datagrams(struct pg_core *core, uint64_t now, struct pg_datagram *datagram, uint32_t n);

/// The counters that the core wrote; valid until pg_core_close.
const struct pg_worker_stats *pg_core_stats(const struct pg_core *core);

/// Free sessions that were silent for the policy's idle time at `now`. Returns how many.
uint32_t pg_core_expire(struct pg_core *core, uint64_t now);

/// Packets of the session profile that are due at `now`: flushed, repeated, acknowledged, closed. Of a plan whose engine has
/// sockets; none of others.
/// @param datagram  n of them, each with a payload of PG_DATAGRAM_MAX bytes; out: source is whom it goes to, and length
/// @return how many were written; call again while it is n
uint32_t pg_core_due(struct pg_core *core, uint64_t now, struct pg_datagram *datagram, uint32_t n);

/// The link is up, as at the start of a worker: announcements and what else is owed to neighbours become due.
void pg_core_link_up(struct pg_core *core, uint64_t now);

/// The next frame that the host owes its link at `now`, without being asked or some time after it was.
/// @param frame  room for an Ethernet frame
/// @return its length, 0 when none is due; call again while there is one
uint16_t pg_core_duty(struct pg_core *core, uint64_t now, uint8_t *frame);

/// As pg_send().
int pg_core_send(struct pg_core *core, uint64_t now, const struct pg_letter *letter, struct pg_error *error);

#ifdef __cplusplus
}
#endif

#endif

// SPDX-License-Identifier: BSD-3-Clause
// session/side.h: one worker's side of the `session` profile: everything that its sessions need and nobody else touches.

#ifndef POLLGATE_SESSION_SIDE_H
#define POLLGATE_SESSION_SIDE_H

#include "message/conversation.h"
#include "session/outbox.h"
#include "session/source_limit.h"
#include "session/vault.h"
#include "session/wheel.h"

/// The reloadable part that is not in struct delivery_rules. In the units of the fast path.
struct session_rules {
	uint64_t idle_timeout;                     // TSC
	struct rate handshake;                     // in cycles spent, not datagrams: session/handshake.c
	struct rate connections[PG_LISTENERS_MAX]; // HELLOs of a source
	struct rate session[PG_LISTENERS_MAX];     // datagrams of a session, once their tag proved right
	struct delivery_rules delivery;
};

struct session_side {
	// set before the worker starts
	struct vault *vault;
	struct cipher_code code;
	struct pg_worker_stats *stats;
	uint64_t tsc_hz;
	struct hash_secret secret; // of source addresses
	uint8_t worker;            // our index: what issued.owner says of ours

	// every turn
	const struct session_rules *rules;

	// the worker's own
	struct conversation_hall hall;
	struct random_source random;
	struct wheel wheel;   // when which session's next packet is due
	struct outbox outbox; // sealed datagrams that are no answers and not from a conversation: CLOSE, mostly
	struct source_limits connections; // HELLOs by source
	uint64_t handshake_conforms_at;
	uint32_t cursor; // next slot that the sweep looks at
};

#endif

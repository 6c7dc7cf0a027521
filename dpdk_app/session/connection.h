// SPDX-License-Identifier: BSD-3-Clause
// session/connection.h: the life of a confirmed session: begin, close, go on after a crash.

#ifndef POLLGATE_SESSION_CONNECTION_H
#define POLLGATE_SESSION_CONNECTION_H

#include "session/shard.h"

/// The parameters of a new connection, from an accepted CONFIRM.
struct connection_request {
	const struct peer *peer;
	const struct session_confirm *confirm;
	const uint8_t *agreed; // by the present exchange of the shard
	uint64_t cookie_time;
};

/// A new server nonce, secret and traffic keys; counters, windows, ids and delivery from the start. Of a slot that is ours;
/// whoever is connected is replaced, and told so if that is another address. Connections of older sessions of the player end
/// (older.h).
COLD void connection_begin(struct session_shard *shard, uint32_t slot, const struct connection_request *request,
			   uint64_t now);

/// The peer has proved to be at another address.
COLD void connection_move(struct session_shard *shard, uint32_t slot, const struct peer *peer, uint64_t now);

/// Seal a CLOSE for the peer into the outbox (unless the peer itself closed, `reason` SESSION_CLOSED_LEFT), forget the
/// delivery, give the slot up. The session may be confirmed again if it still stands.
COLD void connection_close(struct session_shard *shard, uint32_t slot, enum session_close_reason reason, uint64_t now);

/// The same, by the game.
/// @param why  the game's own, told to the player; of SESSION_KICK_REASONS and more only that the game did it
COLD void connection_kick(struct session_shard *shard, uint32_t slot, uint8_t why, uint64_t now);

/// If a connection of ours is idle, or its session is over, it is closed now.
COLD void connection_close_if_over(struct session_shard *shard, uint32_t slot, uint64_t now);

/// Look at the next `budget` slots: idle, expired and revoked connections of ours are closed. Also those
/// that cannot go on after a crash. It waits while the outbox is full.
/// @return how many were closed
uint32_t connection_sweep(struct session_shard *shard, uint64_t now, uint32_t budget);

/// First of all in the worker's thread: connections that a dead worker process left. Their keys are derived again, and their
/// clients hear what was delivered. Where that was being written, the sweep closes them as restarted.
/// @return connections that go on
uint32_t connection_adopt(struct session_shard *shard, uint64_t now);

/// The nonce and the token of a slot's latest connection.
COLD void connection_marks_of(const struct session_shard *shard, uint32_t slot, struct connection_marks *out);

/// The gateway's own clock, of path challenges.
ALWAYS_INLINE uint64_t shard_ms(const struct session_shard *shard, uint64_t now)
{
	return now / (shard->tsc_hz / 1000);
}

/// The counter of a packet that is about to be sealed. Nobody else gets it, not after a crash either.
ALWAYS_INLINE uint32_t connection_count(struct session_record *record)
{
	const uint32_t counter = record->tx_counter + 1;

	__atomic_store_n(&record->tx_counter, counter, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return counter;
}

/// A datagram is taken.
ALWAYS_INLINE void connection_take(struct session_record *record, uint32_t counter, uint64_t now)
{
	if (likely(taken_mark(&record->taken, counter)))
		record->taken_at = now;
}

/// @param as  renames_as()
ALWAYS_INLINE struct session_header connection_header(const struct session_record *record, enum session_kind kind,
						      uint16_t length, uint32_t counter, struct visible_as as)
{
	return (struct session_header){
		.kind = (uint8_t)kind,
		.flags = record->seal_flags,
		.length = length,
		.session = as.session,
		.counter = counter + as.offset,
	};
}

#endif

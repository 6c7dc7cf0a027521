// SPDX-License-Identifier: BSD-3-Clause
// pipeline/stages.h: what every game datagram meets, whoever took its frame off: us (burst.c) or the kernel (datagram.c).
//
// Inlined into both and compiled with -DISA=v2, v3 and v4, so that each specialised loop keeps a peer in registers.

#ifndef POLLGATE_PIPELINE_STAGES_H
#define POLLGATE_PIPELINE_STAGES_H

#include "game/effect.h"
#include "isa.h"
#include "pipeline/pipeline.h"
#include "replication/plain_players.h"

/// The part of this level that is in datagram.c; burst.c has the table of all parts.
datagram_run JOIN(run_datagrams, ISA);

/// A game datagram between the stages.
struct lookup {
	const struct plain_bucket *bucket;
	uint32_t slot;
	uint16_t tag;
	uint8_t at;   // index into the burst
	uint8_t lane; // enum lane
};

/// How a game datagram lies in its frame.
enum lane {
	LANE_OTHER,  // as plain_frames.packet says; or there is no frame
	LANE_COMMON, // as in a common frame
	LANE_MOVE,   // as in a common frame, which has a PLAYER_MOVE and nothing behind it
	LANE_LIMITED // not said: its source has sent too much
};

// ---------------------------------------------------------------- whose is it?

ALWAYS_INLINE struct lookup look_up(const struct plain_table *sessions, const struct peer *peer, unsigned i,
				    enum lane lane)
{
	const uint64_t hash = peer_hash(peer, &sessions->secret);
	const struct lookup lookup = {
		.bucket = &sessions->buckets[plain_home(sessions, hash)],
		.tag = plain_tag(hash),
		.at = (uint8_t)i,
		.lane = (uint8_t)lane,
	};

	prefetch(lookup.bucket);
	return lookup;
}

/// Prefetches the bucket of the datagram's source.
ALWAYS_INLINE struct source look_up_source(struct source_limits *sources, const struct plain_table *sessions,
					   const struct peer *peer)
{
	const struct source source = source_find(sources, source_hash(peer, &sessions->secret));

	prefetch_for_write(source.set);
	return source;
}

ALWAYS_INLINE void probe_one(const struct plain_table *sessions, struct lookup *lookup)
{
	lookup->slot = plain_probe(lookup->bucket, lookup->tag);
	if (likely(lookup->slot != PLAIN_NONE))
		prefetch_for_write(&sessions->records[lookup->slot]);
}

ALWAYS_INLINE void probe(const struct plain_table *sessions, struct lookup *lookup, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		probe_one(sessions, &lookup[k]);
}

/// The session of a datagram that the probe did not settle: a collision, an overflowed bucket, or a new peer.
/// Peers go to cold functions by value: a pointer would keep them out of registers in the loop.
/// @param owner  as in handle()
static COLD uint32_t settle(struct ingress *ingress, struct peer peer, uint32_t player_id, uint64_t now, uint8_t *owner)
{
	uint32_t slot = plain_find(ingress->sessions, &peer);

	if (slot != PLAIN_NONE)
		return slot;
	if (owner && !ingress->settles_here) {
		// A flow can change its queue: after a crash, or where a device balances load.
		const uint32_t other =
			plain_owner(ingress->sessions->registry, ingress->worker, ingress->port_bit, &peer);

		*owner = (uint8_t)other;
		if (other != PLAIN_NONE)
			return PLAIN_ELSEWHERE;
	}
	slot = plain_admit(ingress->sessions, &peer, player_id, now);
	if (slot != PLAIN_NONE) {
		counter_add(&ingress->stats->sessions_admitted, 1);
		counter_add(&ingress->stats->listener[peer_listener(&peer)].sessions, 1);
	}
	return slot;
}

// ---------------------------------------------------------------- has its source sent too much?

/// Mark the datagram if its source has sent too much.
/// @param rate  of the datagram's listener
ALWAYS_INLINE void limit_source(struct lookup *lookup, struct source source, struct rate rate, uint64_t now)
{
	if (unlikely(!source_conforms(source, rate, now)))
		lookup->lane = LANE_LIMITED;
}

// ---------------------------------------------------------------- what does it do?

/// A whole message of the profile?
ALWAYS_INLINE enum pg_drop plain_check_for(const struct ingress *ingress, const uint8_t *payload, uint16_t length)
{
	const enum pg_drop drop = plain_check(payload, length);

	return unlikely(drop == PG_DROP_MESSAGE_TYPE && ingress->has_worlds) ? look_check(payload, length) : drop;
}

/// Of a player who may be in a world: it moves there, or asks what it sees; the answer to that lies where the question did, and is
/// as long as its header says.
static COLD void reach_world(struct ingress *ingress, uint32_t slot, uint8_t *payload, uint64_t now)
{
	struct replication *replication = ingress->shard->replication;
	struct plain_session *session = &ingress->sessions->records[slot];

	if (plain_type(payload) == PLAIN_MOVE)
		plain_player_moved(replication, slot, session, now);
	else if (plain_type(payload) == PLAIN_LOOK)
		(void)plain_player_looks(replication, slot, session, payload);
}

/// Session or admission, and the message's effect.
/// @param slot   what the probe found
/// @param owner  out: of PACKET_ELSEWHERE; NULL: no other worker can have the session
/// @return enum pg_drop, or PACKET_ELSEWHERE
ALWAYS_INLINE unsigned handle(struct ingress *ingress, const struct peer *peer, uint32_t slot, uint8_t *payload,
			      uint64_t now, uint8_t *owner)
{
	if (unlikely(slot == PLAIN_NONE || !peer_equal(&ingress->sessions->records[slot].peer, peer))) {
		slot = settle(ingress, *peer, plain_player(payload), now, owner);
		if (slot == PLAIN_NONE)
			return PG_DROP_TABLE_FULL;
		if (slot == PLAIN_ELSEWHERE)
			return PACKET_ELSEWHERE;
	}

	struct plain_session *session = &ingress->sessions->records[slot];

	if (unlikely(session->player_id != plain_player(payload)))
		return PG_DROP_PLAYER_MISMATCH;
	plain_seen(session, now);
	plain_apply(session, payload);
	if (unlikely(ingress->has_worlds))
		reach_world(ingress, slot, payload, now);
	return PG_DROP_NONE;
}

#endif

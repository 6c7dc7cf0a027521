// SPDX-License-Identifier: BSD-3-Clause
// pipeline/burst.c: a burst, stage by stage. Compiled with -DISA=v2, v3 and v4.
//
// Each stage runs over the whole burst before the next begins, so that the memory the next stage needs is on its
// way: parse and hash everything (prefetch index buckets), probe everything (prefetch session records), handle
// everything. Frames that are not game datagrams are OR-ed into one flag and handled outside the loops.

#include <string.h>

#include "message/plain.h"
#include "net/parse.h"
#include "net/reply.h"
#include "pipeline/pipeline.h"

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define STRING_(a) #a
#define STRING(a) STRING_(a)

/// A game datagram between the stages.
struct work {
	struct packet packet;
	const struct session_bucket *bucket;
	uint32_t slot;
	uint16_t tag;
	uint8_t frame; // index into the burst
};

ALWAYS_INLINE uint8_t *payload_of(uint8_t *frame, const struct packet *p)
{
	return frame + p->l4 + sizeof(struct udp_header);
}

ALWAYS_INLINE void drop_frame(struct gate *gate, struct burst *burst, unsigned i, enum pg_drop reason)
{
	burst->drop[i] = (uint8_t)reason;
	counter_add(&gate->stats->dropped[reason], 1);
}

/// ARP, neighbour discovery, echo: rare, so one at a time.
static COLD void serve_host(struct gate *gate, struct burst *burst, const struct work *work, uint64_t now)
{
	const unsigned i = work->frame;
	const struct policy *policy = gate->policy;
	const struct host_request request = host_examine(burst->frame[i], &work->packet, gate->identity);

	if (request.drop != PG_DROP_NONE) {
		drop_frame(gate, burst, i, request.drop);
		return;
	}
	if (policy->host_silent || !rate_admit(gate->host_conforms_at, policy->host, now)) {
		drop_frame(gate, burst, i, PG_DROP_HOST_RATE_LIMITED);
		return;
	}
	burst->length[i] =
		host_answer(burst->frame[i], burst->length[i], &work->packet, gate->identity, request.message);
	burst->tx[i] = (struct tx_request){.checksums = TX_CHECKSUM_NONE};
	counter_add(&gate->stats->handled[request.message], 1);
}

ALWAYS_INLINE bool source_conforms(struct gate *gate, const struct peer *peer, uint64_t now)
{
	const struct rate rate = gate->policy->source[peer->listener];

	if (likely(rate.interval == 0))
		return true;
	return source_admit(gate->sources, source_hash(peer, &gate->sessions->secret), rate, now);
}

/// The session of a datagram that the probe did not settle: a collision, an overflowed bucket, or a new peer.
static COLD uint32_t settle(struct gate *gate, const struct peer *peer, uint32_t player_id, uint64_t now)
{
	uint32_t slot = session_find(gate->sessions, peer);

	if (slot != SESSION_NONE)
		return slot;
	slot = session_admit(gate->sessions, peer, player_id, now);
	if (slot != SESSION_NONE)
		counter_add(&gate->stats->sessions_admitted, 1);
	return slot;
}

ALWAYS_INLINE enum pg_drop handle(struct gate *gate, const struct work *work, const uint8_t *payload, uint64_t now)
{
	const struct peer *peer = &work->packet.peer;
	uint32_t slot = work->slot;

	if (unlikely(!source_conforms(gate, peer, now)))
		return PG_DROP_SOURCE_RATE_LIMITED;
	if (unlikely(slot == SESSION_NONE || !peer_equal(&gate->sessions->records[slot].peer, peer))) {
		slot = settle(gate, peer, plain_player(payload), now);
		if (slot == SESSION_NONE)
			return PG_DROP_TABLE_FULL;
	}

	struct session *session = &gate->sessions->records[slot];

	if (unlikely(session->player_id != plain_player(payload)))
		return PG_DROP_PLAYER_MISMATCH;
	session_seen(session, now);
	plain_apply(session, payload);
	return PG_DROP_NONE;
}

/// Turn the datagram into its acknowledgement.
ALWAYS_INLINE void acknowledge(struct gate *gate, struct burst *burst, const struct work *work, const bool tx_offload)
{
	const unsigned i = work->frame;
	const struct packet *p = &work->packet;
	uint8_t *frame = burst->frame[i];
	uint8_t *type = payload_of(frame, p); // little-endian and below 256: one byte
	const uint16_t old = *type, new = (uint16_t)(old + PLAIN_ACK);

	*type = (uint8_t)new;
	const unsigned checksums = reply_datagram(frame, p, gate->identity, old, new, tx_offload);

	if (tx_offload)
		burst->tx[i] = (struct tx_request){
			.checksums = (uint8_t)checksums,
			.l2_len = (uint8_t)p->l3,
			.l3_len = (uint8_t)(p->l4 - p->l3),
			.ipv6 = p->layer == LAYER_IPV6,
		};
	burst->length[i] = reply_length(burst->length[i], p->end);
	counter_add(&gate->stats->handled[old - 1], 1);
}

ALWAYS_INLINE void run(struct gate *gate, struct burst *burst, unsigned n, uint64_t now, const bool rx_offload,
		       const bool tx_offload)
{
	const struct session_table *sessions = gate->sessions;
	struct work games[BURST_MAX], hosts[BURST_MAX];
	unsigned game_count = 0, host_count = 0;

	counter_add(&gate->stats->received, n);

	// What is in each frame?
	for (unsigned i = 0; i < n; i++) {
		struct work *work = &games[game_count];
		struct packet *p = &work->packet;
		enum pg_drop drop = parse_frame(burst->frame[i], burst->length[i], gate->identity, gate->listeners,
						burst->rx[i], rx_offload, p);

		work->frame = (uint8_t)i;
		if (likely(drop == PG_DROP_NONE)) {
			if (unlikely(p->host != HOST_NONE)) {
				hosts[host_count++] = *work;
				continue;
			}
			drop = plain_check(payload_of(burst->frame[i], p),
					   (uint16_t)(p->end - p->l4 - sizeof(struct udp_header)));
		}
		if (unlikely(drop != PG_DROP_NONE)) {
			drop_frame(gate, burst, i, drop);
			continue;
		}

		const uint64_t hash = peer_hash(&p->peer, &sessions->secret);

		work->tag = session_tag(hash);
		work->bucket = &sessions->buckets[session_home(sessions, hash)];
		prefetch(work->bucket);
		game_count++;
	}

	// Whose is it?
	for (unsigned k = 0; k < game_count; k++) {
		games[k].slot = session_probe(games[k].bucket, games[k].tag);
		if (likely(games[k].slot != SESSION_NONE))
			prefetch_for_write(&sessions->records[games[k].slot]);
	}

	// What does it do?
	for (unsigned k = 0; k < game_count; k++) {
		const unsigned i = games[k].frame;
		const enum pg_drop drop = handle(gate, &games[k], payload_of(burst->frame[i], &games[k].packet), now);

		if (unlikely(drop != PG_DROP_NONE)) {
			drop_frame(gate, burst, i, drop);
			continue;
		}
		burst->drop[i] = PG_DROP_NONE;
		acknowledge(gate, burst, &games[k], tx_offload);
	}

	for (unsigned k = 0; k < host_count; k++) {
		burst->drop[hosts[k].frame] = PG_DROP_NONE;
		serve_host(gate, burst, &hosts[k], now);
	}
}

static void run_software(struct gate *gate, struct burst *burst, unsigned n, uint64_t now)
{
	run(gate, burst, n, now, false, false);
}

static void run_rx_offload(struct gate *gate, struct burst *burst, unsigned n, uint64_t now)
{
	run(gate, burst, n, now, true, false);
}

static void run_tx_offload(struct gate *gate, struct burst *burst, unsigned n, uint64_t now)
{
	run(gate, burst, n, now, false, true);
}

static void run_offload(struct gate *gate, struct burst *burst, unsigned n, uint64_t now)
{
	run(gate, burst, n, now, true, true);
}

extern const struct hot_path JOIN(hot_path, ISA);
const struct hot_path JOIN(hot_path, ISA) = {
	.isa = STRING(ISA),
	.run = {{run_software, run_tx_offload}, {run_rx_offload, run_offload}},
};

// SPDX-License-Identifier: BSD-3-Clause
// pipeline/pipeline.h: the way of a burst through the rooms: net, table or session, message, game, and back through net.
//
// Works on bytes and plain structures only, so that the poll loop, the unit tests, the fuzzers and the oracle
// tests all run this very code. burst.c (frames) and datagram.c are compiled once per micro-architecture level; isa.c
// chooses at start.

#ifndef POLLGATE_PIPELINE_H
#define POLLGATE_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "game/routes.h"
#include "limit/rate.h"
#include "limit/source_limit.h"
#include "net/host.h"
#include "net/identity.h"
#include "net/reply.h"
#include "pollgate.h"
#include "rules.h"
#include "session/shard.h"
#include "table/table.h"

#define BURST_MAX 64

/// Not an enum pg_drop: neither answered nor dropped here; the worker that gets it counts it.
#define PACKET_ELSEWHERE PG_DROPS

/// Not an enum pg_drop either: handled without an answer. The receiver has its buffer back.
#define PACKET_ABSORBED (PG_DROPS + 1)

/// Likewise: a game process has what was in it, as which it is counted.
#define PACKET_FORWARDED (PG_DROPS + 2)

/// What the device must know to complete an answer's checksums; only written by tx-offload variants.
struct tx_request {
	uint8_t checksums; // bits of enum tx_checksum
	uint8_t l2_len;
	uint8_t l3_len;
	uint8_t ipv6;
};

/// Frames on their way through. Each has HOST_ANSWER_ROOM writable bytes behind its length; where a listener speaks the
/// session profile, each is ETHERNET_MAX writable bytes at least.
struct burst {
	// written by the receiving side
	uint8_t *frame[BURST_MAX];
	uint16_t length[BURST_MAX]; // bytes received; the pipeline makes it the answer's length
	uint8_t rx[BURST_MAX];      // bits of enum rx_checksum; read by rx-offload variants

	// written by the pipeline
	unsigned unanswered;      // frames that are no answers
	bool resized;             // an answer's length differs from what was received
	uint8_t drop[BURST_MAX];  // enum pg_drop; PG_DROP_NONE: the frame is now an answer; or another PACKET_…
	uint8_t owner[BURST_MAX]; // of PACKET_ELSEWHERE: the worker whose session it is; the frame is as received
	struct tx_request tx[BURST_MAX];
};

/// Datagrams on their way through, from the kernel's sockets. An answer lies where its request lay and goes to the
/// sender of the request. An answer of the plain profile is as long as its request.
struct datagram_burst {
	// written by the receiving side
	struct peer peer[BURST_MAX];
	uint8_t *payload[BURST_MAX]; // where a listener speaks the session profile: PG_DATAGRAM_MAX writable bytes
	uint16_t length[BURST_MAX];  // bytes; what is longer than PG_DATAGRAM_MAX need not be there. Then the answer's
	uint8_t socket_index[BURST_MAX]; // the socket it came by, numbered as in egress; read for the session profile

	// written by the pipeline
	unsigned unanswered;      // datagrams that are no answers
	uint8_t drop[BURST_MAX];  // enum pg_drop; PG_DROP_NONE: the payload is now an answer; or PACKET_…
	uint8_t owner[BURST_MAX]; // of PACKET_ELSEWHERE: the worker whose session it is; the payload is as received
};

/// The reloadable part of the configuration in the units of the fast path. Immutable once published.
struct policy {
	uint64_t generation;
#define HOST RULE_FIELD // as configured
#include "settings.def"
	bool source_limited; // any listener limits its sources
	struct rate host;
	struct rate source[PG_LISTENERS_MAX];
	/// Of the session profile, but for the idle timeout, which is every profile's. A shard is given them by session_shard_use().
	struct session_rules sessions;
	struct game_routes game; // what players say, to game processes
};

void policy_init(struct policy *policy, const struct pg_policy *from, uint64_t generation, uint64_t tsc_hz);

/// Token buckets of the host's answers, in the terms of rate.h. Apart, so that a flood of echo requests does not keep
/// us from telling neighbours where we are.
struct host_buckets {
	uint64_t neighbors_conform_at; // ARP, neighbour discovery
	uint64_t echo_conforms_at;
};

struct netcode_shard;

/// One worker's view of one port.
struct ingress {
	// read-mostly: set at start, policy at every turn of the loop
	const struct identity *identity;
	const struct listeners *listeners;
	const struct policy *policy;
	uint32_t worker;   // our index in plain_registry
	uint32_t port_bit; // of plain_registry.ports
	bool settles_here; // what came from another worker is not given away again
	uint8_t port;      // as frame_egress name it
	uint8_t completes; // bits of enum tx_checksum: what the port's device computes; read by tx-offload variants
	uint8_t profile[PG_LISTENERS_MAX]; // enum pg_profile of each listener

	// the worker's own
	struct plain_table *sessions;
	struct source_limits *sources;
	struct host_buckets *host;
	struct announcer *announcer;
	struct session_shard *shard;   // of the session profile; NULL: no listener speaks it
	bool has_worlds;               // a listener of the plain profile has one
	struct netcode_shard *netcode; // of the netcode profile; likewise
	struct pg_worker_stats *stats;
	uint64_t *arrivals; // of stats: received, or handed_in
};

/// May the source of this peer send another datagram, by the limit of its listener? Of those that are limited one by one, not
/// burst by burst. Peers go to cold functions by value: a pointer would keep them out of registers in the loop.
COLD bool sender_conforms(struct ingress *ingress, struct peer peer, uint64_t now);

/// The same of this address and port alone: for what names a connection and comes from where it is not proved to be. Whoever
/// shares the address of a player who moves could keep the player's datagrams from being opened, if all were counted together.
COLD bool place_conforms(struct ingress *ingress, struct peer peer, uint64_t now);

/// Take a burst through. Every frame is answered in place or dropped, and counted as such, or goes to another worker.
typedef void burst_run(struct ingress *ingress, struct burst *burst, unsigned n, uint64_t now);

/// The same for datagrams. Of the ingress, what belongs to frames is not looked at: identity, listeners, host. The
/// kernel keeps a peer at one socket, so no datagram of the plain profile is another worker's; of the session profile,
/// one can be. Workers who can take it have the ingress's port_bit in plain_registry.ports.
typedef void datagram_run(struct ingress *ingress, struct datagram_burst *burst, unsigned n, uint64_t now);

/// The specialised loops of one micro-architecture level.
struct hot_path {
	const char *isa;
	burst_run *run[2][2]; // [device verifies checksums][device computes checksums]: all, or some of them
	datagram_run *run_datagrams;
};

/// @param isa  "auto": the best that this CPU has; else "v2", "v3" or "v4" (x86-64 psABI levels)
/// @return NULL when the CPU lacks it or the name is unknown
const struct hot_path *hot_path_select(const char *isa);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// pipeline_fixture.h: a session fixture behind a rig's ingress: datagrams of players, and what leaves, by every way
// through the whole pipeline.
//
// The players know the protocol and their keys (session_fixture.h); frames are built and judged by frames.h.

#ifndef POLLGATE_TESTS_PIPELINE_FIXTURE_H
#define POLLGATE_TESTS_PIPELINE_FIXTURE_H

#include "rig.h"
#include "session_fixture.h"

#define PIPELINE_FIXTURE_CAPACITY 64

/// How a datagram gets here.
enum way {
	WAY_COMMON,      // untagged IPv4 to the first listener
	WAY_TAGGED4,     // two tags, to the second listener
	WAY_IPV6,        // to the second listener
	WAY_OFFLOAD,     // the device verifies and computes checksums
	WAY_OFFLOAD_UDP, // only those of UDP
	WAY_KERNEL,      // a socket's
	WAYS
};

extern const unsigned fixture_paths[WAYS];

struct pipeline_fixture {
	enum way way;
	struct session_fixture *fixture;
	struct rig *rig;
	struct ingress ingress[FIXTURE_SHARDS]; // the same port, for each worker
	bool from_a_neighbour; // with another MAC address, or to another socket, whatever the player's address
};

/// Set up and torn down by cmocka; `*state` is a way before and the pipeline fixture then.
int pipeline_fixture_open(void **state);
int pipeline_fixture_close(void **state);

#define BY_WAY(test, name, way)                                                       \
	{                                                                             \
#test ", " name, test, pipeline_fixture_open, pipeline_fixture_close, \
			(void *)(uintptr_t)&fixture_paths[way]                        \
	}

/// Each test by each way.
#define BY_EVERY_WAY(test)                                                                \
	BY_WAY(test, "common frames", WAY_COMMON), BY_WAY(test, "two tags", WAY_TAGGED4), \
		BY_WAY(test, "IPv6", WAY_IPV6), BY_WAY(test, "offload", WAY_OFFLOAD),     \
		BY_WAY(test, "offload of UDP", WAY_OFFLOAD_UDP), BY_WAY(test, "datagrams", WAY_KERNEL)

/// The listener that speaks the session profile.
uint8_t listener_of(const struct pipeline_fixture *g);

/// Every packet ended in one counter, whatever the test did.
void check_conserved(const struct pipeline_fixture *g);

// ---------------------------------------------------------------- arrivals and egress

/// What became of a datagram; the payload of the answer, or as it is now.
struct reply {
	unsigned result;
	uint8_t owner;
	uint16_t length;
	uint8_t bytes[ETHERNET_MAX];
};

/// A burst for worker `shard`.
void deliver(struct pipeline_fixture *g, unsigned shard, const struct peer *peer, uint8_t (*payload)[1500],
	     const uint16_t *length, struct reply *reply, unsigned n);

/// One datagram for worker `shard`.
struct reply send_from(struct pipeline_fixture *g, unsigned shard, const struct peer *peer, const uint8_t *payload,
		       uint16_t length);

/// Dropped for this reason, and counted under it.
void check_dropped(struct pipeline_fixture *g, const struct reply *reply, enum pg_drop reason);

/// Something that leaves on its own.
struct left {
	struct peer peer;
	uint16_t length;
	uint8_t bytes[ETHERNET_MAX];
};

/// All that is due; nothing may be before egress_due() but for egress_ready().
unsigned drain_egress(struct pipeline_fixture *g, struct left left[BURST_MAX]);

/// As drain_egress(), millisecond after millisecond, until something leaves.
unsigned await_egress(struct pipeline_fixture *g, unsigned ms, struct left left[BURST_MAX]);

// ---------------------------------------------------------------- players

/// Where player number `n` is, by this way.
struct peer peer_number(const struct pipeline_fixture *g, uint32_t n);

/// As fixture_issue(), for an hour.
struct player issue(struct pipeline_fixture *g, uint32_t id);

/// HELLO, CHALLENGE, CONFIRM, WELCOME by one worker.
/// @return false when any of it did not go as it should
bool connect_by(struct pipeline_fixture *g, unsigned shard, struct player *player);

/// Issued, and connected by the first worker.
struct player connected(struct pipeline_fixture *g, uint32_t id);

// ---------------------------------------------------------------- messages

/// The inside of DATA.
struct message {
	uint8_t bytes[1500];
	uint16_t length;
};

extern const struct message nothing;
extern const struct motion a_motion;

void add_message(struct message *m, uint8_t type, uint8_t flags, uint16_t id, const void *body, uint16_t length);

struct message a_move(void);
struct message an_attack(uint32_t target, uint8_t flags, uint16_t id);

/// DATA, as it leaves the player.
uint16_t seal_data(struct pipeline_fixture *g, struct player *player, bool now, const struct message *m, uint8_t *out);

/// Seal it and send it to the first worker; `now` asks for an acknowledgement at once.
struct reply say(struct pipeline_fixture *g, struct player *player, bool now, const struct message *m);

struct session_header header_of(const uint8_t *bytes);

/// Of a DATA that was opened in place.
struct session_prefix prefix_of(const uint8_t *opened);

/// Open a DATA and tell what it acknowledges.
struct session_prefix acknowledged_by(struct pipeline_fixture *g, struct player *player, uint8_t *bytes,
				      uint16_t length);

/// Open an answer or datagram of egress of this kind.
struct session_header opened(struct pipeline_fixture *g, struct player *player, uint8_t *bytes, uint16_t length,
			     enum session_kind kind);

#endif

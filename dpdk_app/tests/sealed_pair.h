// SPDX-License-Identifier: BSD-3-Clause
// sealed_pair.h: the same ingress and session fixture twice. One has the fast lane of DATA, the other takes every frame
// the general path.
//
// Whatever comes to both must come of it in both. Both begin with the same players, cookies, random numbers and time.

#ifndef POLLGATE_TESTS_SEALED_PAIR_H
#define POLLGATE_TESTS_SEALED_PAIR_H

#include "rig.h"
#include "session_fixture.h"
#include "told.h"

/// Players of the pair. To each sender belongs one who only listens: what two senders say to one is in no order.
enum cast {
	SENDER, // the first of them
	SENDERS = 8,
	LISTENER = SENDER + SENDERS, // SENDER + n speaks to LISTENER + n
	SHORT = LISTENER + SENDERS,  // agreed on datagrams of SESSION_DATAGRAM_MIN bytes
	OF_ANOTHER,                  // connected by the other worker
	IDLE,                        // issued, never connected
	REVOKED,                     // while connected
	CAST,
};

#define PAIR_CAPACITY 32

/// Bytes of messages in the longest datagram.
#define LONGEST ((uint16_t)(SESSION_DATAGRAM_MAX - SESSION_DATA_MIN))

enum which { WITH, WITHOUT, VARIANTS };

struct pipeline_variant {
	struct session_fixture *fixture;
	struct rig *rig;
	struct ingress ingress;
	struct told_book told;
	struct acknowledged_listener listener;
};

/// What became of a frame, in both.
struct frame_outcome {
	unsigned result; // enum pg_drop, PACKET_…
	uint16_t length; // of the payload of an answer
	uint8_t payload[ETHERNET_MAX];
};

struct pipeline_pair {
	struct pipeline_variant variant[VARIANTS];
	struct player player[CAST];
	uint8_t token[CAST][SESSION_PATH_TOKEN_LEN]; // of each player's last PATH_CHALLENGE

	// the burst that is being made
	struct frame frame[BURST_MAX];
	uint8_t rx[BURST_MAX];
	unsigned n;

	struct frame_outcome outcome[BURST_MAX]; // of the last burst
	uint64_t in_lane, all_frames;            // so many of all frames took the lane
};

#define GOOD (RX_IP_CHECKSUM_GOOD | RX_L4_CHECKSUM_GOOD)

/// Call `check` on every level that this CPU has with every combination of offloads, each time with the pair as at
/// first.
void on_every_level(void (*check)(struct pipeline_pair *t));

/// Which listeners speak the session profile, as in struct ingress. At first it is the first one alone.
void pair_speak(struct pipeline_pair *t, uint32_t sealed);

/// Is it a frame for the lane, as the pipeline asks without offload?
bool takes_the_lane(const struct identity *identity, const struct frame *f);

// ---------------------------------------------------------------- frames

/// DATA or another sealed kind, before it is sealed.
struct plaintext {
	unsigned kind; // 0: DATA
	uint8_t flags; // beside that of the player's key phase
	uint8_t wants; // from here to `ack`: of DATA
	uint8_t reserved;
	uint16_t ack_delay;
	uint32_t ack_bits;
	uint32_t behind;  // of the newest that the player has seen: what is acknowledged
	bool ack;         // else 0
	uint32_t counter; // 0: the player's next
	bool astray;      // it names `session`, not the player's
	uint32_t session;
	uint16_t length;
	uint8_t body[SESSION_DATAGRAM_MAX];
};

/// @return bytes of the datagram
uint16_t write_plaintext(struct pipeline_pair *t, unsigned player, const struct plaintext *plaintext, uint8_t *out);

/// From where a player is proved to be, and from where not: each player has two places, which no other has.
struct flow flow_from(const struct pipeline_pair *t, unsigned player);
struct flow flow_from_elsewhere(const struct pipeline_pair *t, unsigned player);

/// A frame for the burst; for devices that verify checksums, those are as they are.
void add(struct pipeline_pair *t, const struct frame *f);
void add_with_flags(struct pipeline_pair *t, const struct frame *f, unsigned rx);
void add_plaintext(struct pipeline_pair *t, unsigned player, const struct plaintext *plaintext);
void add_from_elsewhere(struct pipeline_pair *t, unsigned player, struct plaintext plaintext);
void build_plaintext(struct pipeline_pair *t, unsigned player, struct plaintext plaintext,
		     struct frame *f); // as add_plaintext() does

/// By a frame that is none for the lane, but comes from where the player is proved to be.
enum general { WITHOUT_CHECKSUM, TAGGED, PADDED, OTHER_MAC, GENERAL };
void add_general(struct pipeline_pair *t, unsigned player, struct plaintext plaintext, enum general how);

/// A movement, different each time; that wants an answer at once, or not.
struct plaintext a_movement(bool now);

/// One message, or none, or a body of another kind; it wants an answer at once.
struct plaintext a_message(unsigned type, unsigned flags, unsigned id, const void *body, uint16_t length);
struct plaintext no_message(bool now);
struct plaintext a_plaintext(enum session_kind kind, const void *body, uint16_t length); // without
struct plaintext farewell(void);                                                         // CLOSE
struct plaintext an_violation(unsigned id);                                              // a fragment that follows none
struct plaintext path_response(const struct pipeline_pair *t, unsigned player);
struct plaintext a_blow(uint32_t target, unsigned flags, unsigned id); // ATTACK

// ---------------------------------------------------------------- what happens

/// Let both have the burst, and hold them to each other in all that can be seen.
void run(struct pipeline_pair *t);

/// run() of one frame.
const struct frame_outcome *run_plaintext(struct pipeline_pair *t, unsigned player, const struct plaintext *plaintext);

/// Milliseconds go by, what is due leaves, and connections are swept.
void let_pass(struct pipeline_pair *t, unsigned ms);

bool is_connected(const struct pipeline_pair *t, unsigned player);

/// HELLO and CONFIRM.
void connect(struct pipeline_pair *t, unsigned player);

/// Datagrams that were dropped for this reason.
uint64_t stat_of(const struct pipeline_pair *t, enum pg_drop reason);

/// All frames since the beginning took the lane.
void check_all_in_lane(const struct pipeline_pair *t);

/// `burst` at once, then one in so many seconds.
struct rate once_in(unsigned seconds, unsigned burst);

/// What unproved addresses may send.
void limit_sources(struct pipeline_pair *t, struct rate rate);

#endif

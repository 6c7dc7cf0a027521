// SPDX-License-Identifier: BSD-3-Clause
// pollgate_load.h: players for tests, benchmarks and capacity planning: what `pollgate load` can see of the generator.
//
// One generator plays one crowd of players from one thread, over kernel sockets or over a DPDK device. It is given
// trials: so many players at such a rate for so long. What it counts lies in a page that another process may read
// while a trial runs.

#ifndef POLLGATE_LOAD_H
#define POLLGATE_LOAD_H

#include "pollgate.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PG_LOAD_PLAYERS_MAX 1048576
#define PG_LOAD_TYPES 6 // of the plain profile, by packet_type - 1; and PG_LOAD_GAME, by that - 1
#define PG_LOAD_GAME 6  // of profile session: the first of the game's own types

#define PG_LOAD_GAME_BYTES_MAX 458 // of a body that no datagram is too short for
#define PG_LOAD_GAME_MARK \
	12 // with which a body begins that is so long: a reply begins with the same, and is timed by that

#define PG_LOAD_CHAT_MARK 16 // with which a chat begins in a world

/// Round-trip times are counted as HdrHistogram does with 3 significant digits (Tene): values below 2,048 ns each
/// have a bucket, above that every power of two has 1,024. The last bucket takes all above an hour's worth.
#define PG_LOAD_LATENCY_BUCKETS (2048 + 31 * 1024)

/// The value that stands for a bucket in ns: the highest that falls into it.
uint64_t pg_load_latency_ns(unsigned bucket);

enum pg_load_transport { PG_LOAD_SOCKETS, PG_LOAD_DPDK };

/// How players walk. Waypoint: everyone to random places, one after the other (random waypoint, Johnson and Maltz
/// 1996). Crowd: to places near a few that all players share.
enum pg_load_motion { PG_LOAD_WAYPOINT, PG_LOAD_CROWD };

/// How players of a world walk: everywhere on the ground; four of five in a twentieth of it; all within half a radius.
enum pg_load_walk { PG_LOAD_NO_WORLD, PG_LOAD_SPREAD, PG_LOAD_TOWN, PG_LOAD_ONE_CROWD };

/// A world that players play, and by what a model judges what they see.
struct pg_load_world {
	uint8_t walk;      // enum pg_load_walk
	float middle_m[3]; // of the ground, which is a square
	float ground_m;    // its side
	float radius_m;    // within which players see each other
	float leave_radius_m;
	float speed_mps;         // at which they walk on it
	float standing;          // share of players who do not
	float hysteresis;        // how many times as near who is seen counts
	uint32_t hearers;        // of what is said to everyone near, at most
	uint32_t extrapolate_ms; // so long the gateway lets a player go on of whom it hears nothing
	uint32_t glimpses;       // of a tick, of those who have no slot
	uint32_t budget_kbps;    // of all that a player is told
};

/// What becomes of datagrams in both directions, by chance.
struct pg_load_impairment {
	float loss, duplicate, reorder; // shares
	uint32_t reorder_ms;            // those are held back for so long at most
	uint32_t move_ms;               // every player goes to another UDP port so often; 0: never
};

/// What lets a player of the session profile in.
struct pg_load_ticket {
	uint32_t session;
	uint8_t key[32];
};

struct pg_load_plan {
	uint32_t abi_version; // PG_ABI_VERSION
	uint32_t players;     // most that any trial uses
	uint32_t first_player_id;
	uint8_t transport;                    // enum pg_load_transport
	uint8_t motion;                       // enum pg_load_motion
	uint16_t weight[PG_LOAD_TYPES];       // how often each type is sent; not all 0
	uint16_t chat_bytes;                  // text of a chat message, 1 to 512
	uint8_t game_type;                    // of those messages: 64 to 199
	uint16_t game_bytes;                  // body of a message of the game's own, 0 to PG_LOAD_GAME_BYTES_MAX
	float arena_m;                        // side of the square that players walk in
	uint64_t seed;                        // the same seed sends the same messages in the same order
	uint8_t profile;                      // PG_PROFILE_PLAIN or PG_PROFILE_SESSION
	const struct pg_load_ticket *tickets; // of profile session: one for each player; the caller's, until it is open
	struct pg_load_world world;
	struct pg_load_impairment impairment; // of profile session, or in a world

	struct pg_address target;
	uint16_t target_port;

	// Player p sends from address[p / ports_per_address], port first_port + p % ports_per_address.
	// Sockets: one socket per player; without an address the kernel chooses address and port.
	struct pg_address address[PG_ADDRESSES_MAX];
	uint32_t address_count;
	uint16_t first_port;
	uint16_t ports_per_address;

	// DPDK only
	uint8_t target_mac[6];
	bool has_target_mac; // false: asked for by ARP or neighbour discovery
	struct pg_port_plan port;
	struct pg_pool_plan pool;
};

/// One trial. Paced: messages leave at the times that the rate gives, late ones as soon as they can, and round trips
/// count from the time that was meant (so a stalled generator hides nothing: coordinated omission). Windowed: a new
/// message leaves whenever fewer than `window` are unanswered; one is given up after 20 ms.
struct pg_load_trial {
	uint32_t players;
	uint32_t window;  // 0: paced
	double start_pps; // of all players together
	double end_pps;   // reached linearly over the duration: a ramp; the same as start_pps: steady
	uint64_t duration_ns;
	uint64_t drain_ns; // answers are awaited for so long after the last message; 0 … 10 s
	bool storm;        // of profile session: all players connect anew at once, before it begins
};

/// Why a message was not sent.
enum pg_load_unsent {
	PG_LOAD_QUEUE_FULL,    // of the device, or a socket's send buffer
	PG_LOAD_REFUSED,       // by the kernel: no way leads there, a firewall, nobody listens
	PG_LOAD_NOT_CONNECTED, // of profile session: its player had no connection
	PG_LOAD_HELD_BACK,     // of profile session: its player's client waited, because too much was unacknowledged
	PG_LOAD_UNSENT         // how many reasons
};

/// What players of a world saw, and what a model of what they said makes of it.
struct pg_load_world_counts {
	uint64_t states;      // WORLD_STATEs
	uint64_t state_bytes; // of their datagrams
	uint64_t skipped;     // of them, or in them, that a player's client could not understand
	uint64_t checked;     // places of somebody in a tick, as a player was told them
	uint64_t strangers;   // places of others: of game processes, and of players who are none of ours
	uint64_t unchecked;   // of a world that is over, or too late to judge
	uint64_t wrong;       // of those checked: where nobody was, or another player was told something else
	uint64_t aged; // where the player was some more than 20 ms earlier or later: a worker had to wait for its CPU
	uint64_t entered, left;
	uint64_t looks;            // at all that a player sees, and should see
	uint64_t due;              // players who had to be in sight in those
	uint64_t missing;          // of them, who were not
	uint64_t beyond;           // in sight, though beyond the leave radius
	uint64_t corrections;      // players who were put back
	uint64_t worlds;           // that began: 1, and another one after each crash of the gateway
	uint64_t glimpses;         // of players who have no slot, as a player was shown them
	uint64_t glimpses_unknown; // of whom nobody knows who they are
	uint64_t glimpses_wrong;   // where nobody was, or of somebody who was not there any more
	uint64_t glimpses_beyond;  // farther than the radius and a cell's diagonal
	uint64_t unseen;           // times that it was asked for how long one in range, without a slot, went unseen
	uint64_t unseen_late;      // that was longer than may be
	uint64_t unseen_sum_ns, unseen_max_ns;
	uint64_t events_said;
	uint64_t events_due;        // to players who had to hear one, as far as it is known
	uint64_t events_heard;      // by players
	uint64_t events_lost;       // of those due
	uint64_t events_duplicated; // heard again
	uint64_t events_stray;      // heard by who is not meant, or is none
	uint64_t events_disordered; // heard before an earlier one of the same player in the same order
	uint64_t events_doubtful;   // of which nobody knows whether the gateway has them
	uint64_t events_given_up;   // messages to players which the gateway said to have lost
	uint64_t moved;             // players to another port
	uint64_t impaired[3];       // datagrams that were lost, doubled, held back
};

/// What became of a trial. One writer: the generator. Reset when a trial begins.
/// When a trial has ended: offered = sent + not_sent, and sent = acknowledged + lost.
struct pg_load_counts {
	uint64_t trial;        // number of the trial, from 1; written last when it begins
	uint64_t offered;      // messages that were due
	uint64_t sent;         // taken by the kernel or the device
	uint64_t not_sent;     // by reason below
	uint64_t acknowledged; // messages that were answered, each once
	uint64_t lost;         // sent and not answered by the end of the trial; 0 until then
	uint64_t duplicated;   // answers to a message that had been answered
	uint64_t reordered;    // answers that came after the answer to a later message of the same player
	uint64_t invalid;      // not an answer that the protocol allows: type, size, player, never sent
	uint64_t stray;        // answers to an earlier trial, and frames that are none of ours
	uint64_t host;         // ARP, neighbour discovery and echo answered; DPDK only
	uint64_t late;         // sent more than 1 ms after their time
	uint64_t worst_lag_ns; // of those
	uint64_t sent_bytes;   // of UDP payload
	uint64_t elapsed_ns;   // from the first message to the end of sending
	uint64_t busy_cycles;  // TSC cycles of turns that sent or received, until the end of sending
	uint64_t total_cycles; // TSC cycles until the end of sending
	uint64_t latency_sum_ns;
	uint64_t latency_max_ns;
	uint64_t unsent[PG_LOAD_UNSENT]; // not_sent, by enum pg_load_unsent
	uint64_t refusals;               // datagrams that the kernel, the network or the target said to have refused
	uint64_t refusal;                // errno of the last; 0: none
	// of profile session
	uint64_t connected;  // players who were when the trial began
	uint64_t connect_ns; // that it took until all were
	uint64_t handshakes; // connections that were made, also during the trial
	uint64_t closed;     // connections, or attempts, that ended
	uint64_t heard;      // messages of the game's own that came to players
	uint64_t replies;    // of those, which begin with the mark of a message that the player said
	uint64_t reply_sum_ns;
	uint64_t reply_max_ns;
	uint64_t sent_of_type[PG_LOAD_TYPES];
	uint64_t acknowledged_of_type[PG_LOAD_TYPES];
	uint64_t latency[PG_LOAD_LATENCY_BUCKETS];
	uint64_t reply[PG_LOAD_LATENCY_BUCKETS];  // of replies
	uint64_t unseen[PG_LOAD_LATENCY_BUCKETS]; // times that those in range went unseen
	struct pg_load_world_counts world;
};

/// Shared between the generator's process and the one that shows its progress.
struct pg_load_page {
	uint64_t tsc_hz;
	uint32_t stop;     // written by the reader: not 0 ends the trial at once
	uint32_t in_trial; // written by the generator
	struct pg_load_counts counts __attribute__((aligned(64)));
};

size_t pg_load_page_size(void);

struct pg_load; // a generator

/// Make a generator: open its sockets, or initialise its port. EAL must be initialised for PG_LOAD_DPDK (pg_eal_init)
/// with its main lcore as the only one. `page` is the caller's and must outlive the generator.
/// @return NULL on failure, with nothing left open
struct pg_load *pg_load_open(const struct pg_load_plan *plan, struct pg_load_page *page, struct pg_error *error);

/// Play one trial in the calling thread; returns when it has ended or page->stop was set. EAL's main thread for DPDK.
/// PG_ERROR_TIMEOUT: the target's MAC address could not be found within 3 s, or not all players got a connection within 30 s.
/// PG_ERROR_SYSTEM: the target refuses (ICMP unreachable), or the kernel does.
int pg_load_run(struct pg_load *load, const struct pg_load_trial *trial, struct pg_error *error);

void pg_load_close(struct pg_load *load);

#ifdef __cplusplus
}
#endif

#endif

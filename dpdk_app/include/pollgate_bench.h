// SPDX-License-Identifier: BSD-3-Clause
// pollgate_bench.h: what benchmarks that replay the session profile need, and nothing else does.
//
// A capture that is played for ever repeats its packets, and a repeated packet is a replay. So the connections of the
// capture are put into the state as a dead worker would have left them, and what a burst has shown is forgotten after it.
// All else is the gateway as it is.

#ifndef POLLGATE_BENCH_H
#define POLLGATE_BENCH_H

#include "pollgate.h"

#ifdef __cplusplus
extern "C" {
#endif

/// A connection of the capture.
struct pg_bench_connection {
	uint32_t session;   // as issued
	uint8_t secret[32]; // of the connection
	struct pg_address peer;
	uint16_t peer_port;
};

/// Before pg_open: worker 0 will find these connections, with listener 0.
/// @return PG_OK; PG_ERROR_USAGE when a session is not issued
int pg_bench_connect(void *state, const struct pg_bench_connection *connection, uint32_t n, struct pg_error *error);

/// Between pg_open and pg_start: these connections know their limits, as if it were this gateway that welcomed them. Nobody would
/// acknowledge being told.
void pg_bench_know_limits(const struct pg_gateway *gateway, void *state);

/// After pg_open: when a burst of port 0, queue 0 has been served, forget that its packets were seen, and have its
/// players acknowledge what they were told, as after the death of a worker. A capture must have one packet of each connection, so that none
/// is twice in a burst.
/// One gateway of a process can be treated so; `state` and the port live until it ends.
int pg_bench_rewind(const struct pg_gateway *gateway, void *state, struct pg_error *error);

struct pg_bench_run {
	uint64_t packets; // received, opened, sealed and sent
	uint64_t refused; // the tag was wrong
	uint64_t unsent;
	uint64_t cycles; // all
};

/// Cycles that rewinding has taken so far in this process: of the worker's busy ones, what is the harness's.
uint64_t pg_bench_rewinding_cycles(void);

/// Instead of pg_start: worker 0's lcore receives, opens, seals and sends for so long, and nothing else. Keys are those
/// of the connections in `state`.
/// @param answers  false: what was opened is sealed again; true: only as much as the gateway answers, an acknowledgement
int pg_bench_crypto_only(struct pg_gateway *gateway, void *state, bool answers, uint32_t duration_ms,
			 struct pg_bench_run *run, struct pg_error *error);

/// A packet of the player's, from Ethernet on.
struct pg_bench_frame {
	uint16_t length;
	uint8_t bytes[254];
};

#define PG_BENCH_ROUND_TRIPS 65536

/// Instead of pg_bench_rewind(), of a device that brings nothing (net_null with no-rx=1): these packets come one by one, in turn,
/// the next when the one before was answered, or 100 ms later. Measured is from when the loop gets a packet to when it hands the
/// answer to the device.
/// @param frame       one of each connection; lives as long as the port
/// @param answer_min  what is no answer is shorter: bytes of a payload
int pg_bench_converse(const struct pg_gateway *gateway, void *state, const struct pg_bench_frame *frame,
		      uint32_t frames, uint16_t answer_min, struct pg_error *error);

/// Of the last round trips, PG_BENCH_ROUND_TRIPS at most, in TSC cycles and in no order.
/// @param lost  out: packets without an answer
/// @return how many
uint32_t pg_bench_round_trips(uint32_t *cycles, uint64_t *lost);

/// Where players of a world are.
enum pg_bench_place {
	PG_BENCH_SPREAD, // everywhere
	PG_BENCH_TOWN,   // four of five in a twentieth of the area
	PG_BENCH_CROWD,  // in a disc of 32 m
};

struct pg_bench_world_plan {
	uint32_t players; // all sessions of the state, which are connected; of profile plain, as many
	uint32_t place;   // enum pg_bench_place
	double side_m;    // of the square; the first world of the plan has 64 m around it, and begins at 0, 0
	uint32_t standing_percent;
	bool ordered;              // players who are near logged in one after the other
	bool jitter;               // movements come at any time of their tick, else each player's at the same
	bool unsealed;             // nothing is encrypted, and tags are not looked at
	bool plain;                // of the first listener's profile, which is plain: they ask what they see
	uint32_t times_as_fast;    // the core, by the clock, and not by the cycles that are told; 1: as it is
	uint32_t round_trip_ticks; // and up to round_trip_spread more, by player
	uint32_t round_trip_spread;
	uint32_t lost_per_mille;   // datagrams, each way
	uint32_t attack_per_mille; // movements with an attack, at whoever is in its way
	uint32_t asked_per_tick;   // in turn: who was within the radius of the middle, who in a ray's way
	uint32_t readers;          // players who read what they are sent
	uint32_t warm_ticks;       // before what is measured
	uint32_t ticks;
	uint64_t seed;
};

/// Cycles are of the TSC; what is of a player is of all of them divided by their number.
struct pg_bench_world_run {
	double cycles; // of a player in a tick: all
#define PG_BENCH_STAGE(NAME, name, ...) double cycles_##name;
#include "bench_stages.def"
	// p99 of a stage's steps; of movements and of what sessions say: of bursts
#define PG_BENCH_STAGE(NAME, name, ...) double step_##name##_p99_s;
#include "bench_stages.def"
	double busy;                             // share of a core
	double tick_p50_s, tick_p99_s;           // from its begin to its last datagram
	double hold_p99_s, hold_longest_s;       // between two looks at what came
	double handling_p50_s, handling_p99_s;   // from a movement's arrival to its end
	double appears_p50_s, appears_p99_s;     // from a movement's arrival to the datagram with it, of readers
	double bytes_per_neighbour;              // and update: of WORLD_STATE without glimpses
	double bits_per_s;                       // that a player is sent, in UDP payloads
	double neighbours;                       // told of in a state
	double staleness_p50_s, staleness_p99_s; // of everybody in a reader's range, at a moment
	uint64_t states, fulls, looks, looks_capped, left_out, shed, overruns;
	uint64_t checked, wrong;                   // states that readers decoded
	uint64_t glimpses_checked, glimpses_wrong; // likewise
	uint64_t malformed;                        // bodies and records that no gateway sends
	double greatest_error;                     // of a state: quanta on an axis
	uint64_t sent, taken;                      // datagrams, movements
	uint64_t judged, found;                    // attacks; players in answers to questions
};

/// Instead of pg_start(), in a process of its own and on a device that brings nothing: worker 0's lcore serves the players of its
/// first world for some ticks, by a clock that goes on by the cycles that the worker needs. What players do takes no time. All of
/// the worker but the device's receive function is as it is.
int pg_bench_world(struct pg_gateway *gateway, void *state, const struct pg_bench_world_plan *plan,
		   struct pg_bench_world_run *run, struct pg_error *error);

/// Whom everybody sees, beside plain ways to know it. Calls are of one thread.
#define PG_BENCH_NEIGHBOURS 32

struct pg_bench_interest_plan {
	uint32_t players;
	uint32_t place; // enum pg_bench_place
	double side_m;  // as in struct pg_bench_world_plan
	uint32_t tick_hz;
	uint32_t cell_m; // of the world's grid
	uint64_t seed;
};

/// Of all who are among the nearest of somebody.
struct pg_bench_interest_check {
	uint64_t nearest, missing;
	uint64_t wrong; // missing, and nearer than a world's interest allows
};

struct pg_bench_interest;

/// @return NULL: no memory
struct pg_bench_interest *pg_bench_interest_open(const struct pg_bench_interest_plan *plan, struct pg_error *error);
void pg_bench_interest_close(struct pg_bench_interest *interest);

/// A tick passes: everybody walks on, and the frame of it is published.
void pg_bench_interest_walk(struct pg_bench_interest *interest);

/// As in each tick of a world: the grid, the turns of an eighth of the players, a share of the grid's next order.
/// @param grid  out: of the time, that of the grid
/// @return nanoseconds of the thread's CPU time, as of all of these
uint64_t pg_bench_interest_turns(struct pg_bench_interest *interest, uint64_t *grid);

/// A turn of everybody, after the turns of the tick; of onlookers of their own, who had one in the last tick, too.
uint64_t pg_bench_interest_all(struct pg_bench_interest *interest);

/// @param nearest  out: for each by rank, PG_BENCH_NEIGHBOURS others by rank; behind them UINT32_MAX
uint64_t pg_bench_interest_brute(struct pg_bench_interest *interest, uint32_t *nearest);
uint64_t pg_bench_interest_grid(struct pg_bench_interest *interest, uint32_t *nearest);

/// @param xyz  out: three for each, by rank, in quanta of a centimetre
void pg_bench_interest_places(const struct pg_bench_interest *interest, double *xyz);

/// @return players of whom two ways told others
uint32_t pg_bench_interest_differ(const struct pg_bench_interest *interest, const uint32_t *one, const uint32_t *other);

/// Of the onlookers of pg_bench_interest_turns(), or of pg_bench_interest_all().
void pg_bench_interest_check(struct pg_bench_interest *interest, bool all, const uint32_t *nearest,
			     struct pg_bench_interest_check *check);

#ifdef __cplusplus
}
#endif

#endif

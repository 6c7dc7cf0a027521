// SPDX-License-Identifier: BSD-3-Clause
// bench/movers.h: the other ends of a benchmark's sessions: who walks, says so in a sealed movement at each tick, and acknowledges
// what came a round trip ago. Players of profile plain say it in a PLAYER_MOVE.
//
// Movements are sealed some ticks ahead, so that in most ticks nothing but the gateway's work is in the CPU's cache.

#ifndef POLLGATE_BENCH_MOVERS_H
#define POLLGATE_BENCH_MOVERS_H

#include "crypto/cipher.h"
#include "load/walk.h"
#include "net/sealed_frame.h"
#include "pollgate_bench.h"
#include "session/state.h"
#include "wire/plain.h"

/// Around the square in which players walk.
#define WORLD_MARGIN_M 64

#define MOVERS_KEPT_TICKS 64 // of what was sent to each
#define MOVERS_AHEAD_MAX 6   // ticks; less than any round trip

#define MOVER_ATTACK_BYTES (sizeof(struct session_message) + sizeof(struct attack_body))

struct mover_frame {
	uint8_t bytes[SEALED_FRAME_MOVE + MOVER_ATTACK_BYTES];
	uint16_t length; // 0: it is lost on its way
};

/// Where a movement says that its player is.
struct mover_said {
	float position[3], velocity[3];
};

/// Where so many players walk.
struct movers_ground {
	uint32_t place; // enum pg_bench_place
	double side_m;
	uint32_t players, standing_percent;
	uint64_t seed;
};

/// What a player knows of the connection.
struct mover {
	uint32_t session;
	uint32_t sent; // counter
	struct taken taken;
	uint8_t round_trip; // ticks
};

struct movers {
	// set before
	const struct pg_bench_world_plan *plan;
	struct state_parts parts;
	uint8_t gateway_mac[6];
	be32 gateway_address;
	be16 gateway_port;
	struct walks walks;

	struct cipher_code code;
	struct cipher_key *key; // to the gateway; of profile plain: NULL
	struct mover *mover;
	uint32_t *sent[MOVERS_KEPT_TICKS]; // to each player, up to a tick: counter of the newest datagram
	double tick_s;
	uint32_t ahead;            // ticks that are made at once
	uint32_t *order;           // in which they come: by tick modulo `ahead`, n-th, who
	struct mover_frame *frame; // likewise
	struct mover_said *said;   // likewise
};

/// @param movers  plan, parts and the gateway are set
bool movers_make(struct movers *movers, uint32_t tick_hz);

/// Players walk in the middle of a world.
/// @return false: no memory
bool movers_let_walk(struct walks *walks, const struct movers_ground *ground);
void movers_free(struct movers *movers);

/// All movements of `ahead` ticks from this one on. What was sent up to the tick before is known.
void movers_say(struct movers *movers, uint32_t tick);

/// Everything of a frame of a player's but what is behind it, which is there.
/// @param length  of the frame
void movers_front(const struct movers *movers, uint32_t player, uint16_t length, uint8_t *frame);

/// A tick begins: what is sent from now on is sent in it.
void movers_tick(struct movers *movers, uint32_t tick);

/// Does this datagram not reach its player?
bool movers_lose(const struct movers *movers, uint32_t player, uint32_t counter);

ALWAYS_INLINE void movers_sent(struct movers *movers, uint32_t player, uint32_t counter, uint32_t tick)
{
	uint32_t *sent = &movers->sent[tick % MOVERS_KEPT_TICKS][player];

	if (counter > *sent)
		*sent = counter;
}

ALWAYS_INLINE size_t movers_nth(const struct movers *movers, uint32_t tick, uint32_t nth)
{
	return (size_t)(tick % movers->ahead) * movers->walks.players + nth;
}

/// Whose movement comes as the n-th of a tick?
ALWAYS_INLINE uint32_t movers_who(const struct movers *movers, uint32_t tick, uint32_t nth)
{
	return movers->order[movers_nth(movers, tick, nth)];
}

ALWAYS_INLINE const struct mover_frame *movers_frame(const struct movers *movers, uint32_t tick, uint32_t nth)
{
	return &movers->frame[movers_nth(movers, tick, nth)];
}

ALWAYS_INLINE const struct mover_said *movers_said(const struct movers *movers, uint32_t tick, uint32_t nth)
{
	return &movers->said[movers_nth(movers, tick, nth)];
}

#endif

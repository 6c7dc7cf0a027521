// SPDX-License-Identifier: BSD-3-Clause
// bench/movers.c: see movers.h.

#include "bench/movers.h"

#include <stdlib.h>
#include <string.h>

#include "bench/unsealed.h"
#include "crypto/keys.h"
#include "net/checksum.h"
#include "net/move_frame.h"

#define PER_MILLE 1000
#define SPEED_MPS 6
#define CROWD_M 32 // radius
#define UP 0x55    // tells losses of one way from those of the other
#define ATTACKS 0xaa

/// Of profile plain: 10.128.0.0, and of each player another one.
#define FIRST_ADDRESS 0x0a800000U
#define PLAYERS_PORT 40000

static const uint8_t players_mac[6] = {0x02, 0, 0, 0, 0, 0x01};

// ---------------------------------------------------------------- the network

static uint32_t mixed(uint64_t a, uint64_t b)
{
	uint64_t x = a * 0x9e3779b97f4a7c15ULL ^ b * 0xc2b2ae3d27d4eb4fULL;

	x = (x ^ x >> 32) * 0xd6e8feb86659fd93ULL;
	return (uint32_t)(x >> 32);
}

static bool is_lost(const struct movers *movers, uint64_t what, uint32_t counter)
{
	return (uint64_t)mixed(what, counter) * PER_MILLE >> 32 < movers->plan->lost_per_mille;
}

bool movers_lose(const struct movers *movers, uint32_t player, uint32_t counter)
{
	return is_lost(movers, player, counter);
}

// ---------------------------------------------------------------- make

static void make_keys(struct movers *movers)
{
	for (uint32_t i = 0; i < movers->walks.players; i++) {
		const struct session_record *record = &movers->parts.records[i];
		struct traffic_keys keys;

		traffic_keys_derive(&keys, record->secret);
		cipher_key_init(&movers->code, &movers->key[i], keys.to_gateway, keys.to_gateway_salt);
		movers->mover[i] = (struct mover){
			.session = record->session,
			.round_trip = (uint8_t)(movers->plan->round_trip_ticks +
						mixed(i, UP) % (movers->plan->round_trip_spread + 1)),
		};
	}
}

static void shuffle(struct movers *movers, uint32_t *order)
{
	for (uint32_t i = movers->walks.players; i > 1; i--) {
		const uint32_t other = random_to(&movers->walks.random, i), kept = order[i - 1];

		order[i - 1] = order[other];
		order[other] = kept;
	}
}

static void make_order(struct movers *movers)
{
	const uint32_t n = movers->walks.players;

	for (uint32_t i = 0; i < n; i++)
		movers->order[i] = i;
	shuffle(movers, movers->order);
	for (uint32_t i = 1; i < movers->ahead; i++)
		memcpy(movers->order + (size_t)i * n, movers->order, n * sizeof(*movers->order));
}

bool movers_let_walk(struct walks *walks, const struct movers_ground *ground)
{
	const float middle = (float)(WORLD_MARGIN_M + ground->side_m / 2);
	const struct walk_rules rules = {
		.place = (enum walk_place)ground->place,
		.middle_m = {middle, middle},
		.ground_m = (float)ground->side_m,
		.crowd_m = CROWD_M,
		.speed_mps = SPEED_MPS,
		.standing = (float)ground->standing_percent / 100,
	};

	static_assert((int)PG_BENCH_TOWN == WALK_TOWN && (int)PG_BENCH_CROWD == WALK_CROWD, "the same order");
	return walks_open(walks, &rules, ground->players, ground->seed);
}

static bool let_walk(struct movers *movers)
{
	const struct pg_bench_world_plan *plan = movers->plan;
	const struct movers_ground ground = {
		.place = plan->place,
		.side_m = plan->side_m,
		.players = plan->players,
		.standing_percent = plan->standing_percent,
		.seed = plan->seed,
	};

	if (!movers_let_walk(&movers->walks, &ground))
		return false;
	if (plan->ordered)
		walks_order(&movers->walks);
	return true;
}

bool movers_make(struct movers *movers, uint32_t tick_hz)
{
	const uint32_t n = movers->plan->players;
	uint32_t *sent = calloc((size_t)n * MOVERS_KEPT_TICKS, sizeof(*sent));
	bool whole = let_walk(movers) && sent != NULL;

	movers->tick_s = 1.0 / tick_hz;
	movers->ahead =
		movers->plan->round_trip_ticks < MOVERS_AHEAD_MAX ? movers->plan->round_trip_ticks : MOVERS_AHEAD_MAX;
	for (unsigned i = 0; i < MOVERS_KEPT_TICKS; i++)
		movers->sent[i] = sent ? sent + (size_t)i * n : NULL;
	movers->key = movers->plan->plain ? NULL : aligned_alloc(CACHE_LINE, n * sizeof(*movers->key));
	movers->mover = calloc(n, sizeof(*movers->mover));
	movers->order = calloc((size_t)n * movers->ahead, sizeof(*movers->order));
	movers->frame = calloc((size_t)n * movers->ahead, sizeof(*movers->frame));
	movers->said = calloc((size_t)n * movers->ahead, sizeof(*movers->said));
	whole = whole && (movers->key || movers->plan->plain) && movers->mover && movers->order && movers->frame &&
		movers->said;
	if (!whole || !cipher_code_init(&movers->code))
		return false;
	if (movers->plan->unsealed)
		unseal(&movers->code);
	if (!movers->plan->plain)
		make_keys(movers);
	make_order(movers);
	return true;
}

void movers_free(struct movers *movers)
{
	cipher_code_free(&movers->code);
	free(movers->sent[0]);
	free(movers->key);
	free(movers->mover);
	free(movers->order);
	free(movers->frame);
	free(movers->said);
	walks_close(&movers->walks);
}

// ---------------------------------------------------------------- a movement

/// What came in the tick that was a round trip before.
static void hear(struct movers *movers, uint32_t player, uint32_t tick)
{
	struct mover *mover = &movers->mover[player];
	const uint32_t then = tick - mover->round_trip;
	const uint32_t upto = movers->sent[then % MOVERS_KEPT_TICKS][player];
	uint32_t counter = movers->sent[(then - 1) % MOVERS_KEPT_TICKS][player];

	while (counter < upto)
		if (!movers_lose(movers, player, ++counter))
			taken_mark(&mover->taken, counter);
}

static struct mover_said say(struct movers *movers, uint32_t player)
{
	const struct walk *w = &movers->walks.walk[player];
	struct mover_said said;

	walks_step(&movers->walks, player, movers->tick_s);
	for (unsigned axis = 0; axis < 3; axis++) {
		said.position[axis] = (float)w->position[axis];
		said.velocity[axis] = w->velocity[axis];
	}
	return said;
}

/// Where a player is: who has a session, as it was connected.
static struct peer peer_of(const struct movers *movers, uint32_t player)
{
	struct peer peer;

	if (!movers->plan->plain)
		return movers->parts.records[player].peer;
	peer_set4(&peer, __builtin_bswap32(FIRST_ADDRESS + player));
	peer_set_channel(&peer, BE16(PLAYERS_PORT), 0);
	return peer;
}

/// @param length  of the frame
static void write_headers(const struct movers *movers, uint32_t player, uint16_t length, struct frame_front *front)
{
	const struct peer peer = peer_of(movers, player);
	const uint16_t udp_len = (uint16_t)(length - offsetof(struct frame_front, udp));

	memcpy(front->ethernet.destination, movers->gateway_mac, sizeof(front->ethernet.destination));
	memcpy(front->ethernet.source, players_mac, sizeof(front->ethernet.source));
	front->ethernet.type = BE16(ETHER_IPV4);
	front->ip = (struct ipv4_header){
		.version_ihl = IPV4_VERSION_IHL_PLAIN,
		.total_length = BE16((uint16_t)(sizeof(front->ip) + udp_len)),
		.ttl = ANSWER_HOP_LIMIT,
		.protocol = IP_UDP,
		.source = (be32)(peer.low >> 32),
		.destination = movers->gateway_address,
	};
	front->ip.checksum = (be16)~checksum_fold(checksum_sum((const uint8_t *)&front->ip, sizeof(front->ip)));
	front->udp = (struct udp_header){
		.source = peer_port(&peer),
		.destination = movers->gateway_port,
		.length = BE16(udp_len),
	};
}

/// UDP over IPv4 may have no checksum (RFC 768), but the fast lane wants one, and so does the benchmark.
static void write_checksum(struct frame_front *front, uint16_t length)
{
	const uint16_t udp_len = (uint16_t)(length - offsetof(struct frame_front, udp));
	uint64_t sum = pseudo_header4(&front->ip, front->udp.length);

	sum = add_around(sum, checksum_sum((const uint8_t *)&front->udp, udp_len));
	front->udp.checksum = (be16)~checksum_fold(sum);
	if (front->udp.checksum == 0)
		front->udp.checksum = UINT16_MAX;
}

void movers_front(const struct movers *movers, uint32_t player, uint16_t length, uint8_t *frame)
{
	struct frame_front *front = (struct frame_front *)frame;

	write_headers(movers, player, length, front);
	write_checksum(front, length);
}

/// Does it attack with this movement?
static bool attacks(const struct movers *movers, uint32_t player)
{
	return (uint64_t)mixed((uint64_t)player << 8 | ATTACKS, movers->mover[player].sent) * PER_MILLE >> 32 <
	       movers->plan->attack_per_mille;
}

/// In the direction in which its player goes.
/// @return bytes
static uint16_t add_attack(const struct mover *mover, const struct mover_said *said, uint8_t *at)
{
	const struct session_message head = {.type = SESSION_ATTACK, .body_len = sizeof(struct attack_body)};
	struct attack_body attack = {.attack_id = mover->sent, .direction = {1, 0, 0}};

	if (said->velocity[0] != 0 || said->velocity[1] != 0)
		memcpy(attack.direction, said->velocity, sizeof(attack.direction));
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), &attack, sizeof(attack));
	return MOVER_ATTACK_BYTES;
}

/// @return bytes
static uint16_t seal(struct movers *movers, uint32_t player, const struct mover_said *said, struct sealed_frame *frame)
{
	struct mover *mover = &movers->mover[player];
	uint16_t length = SEALED_FRAME_MOVE;
	const struct session_message head = {.type = SESSION_MOVE, .body_len = sizeof(*said)};

	static_assert(SEALED_FRAME_MOVE == SEALED_FRAME_MIN + sizeof(head) + sizeof(*said), "a movement");
	memcpy(frame->messages, &head, sizeof(head));
	memcpy(frame->messages + sizeof(head), said, sizeof(*said));
	if (attacks(movers, player))
		length = (uint16_t)(length + add_attack(mover, said, frame->messages + sizeof(head) + sizeof(*said)));
	write_headers(movers, player, length, &frame->front);
	frame->header = (struct session_header){
		.kind = SESSION_DATA,
		.length = (uint16_t)(length - sizeof(frame->front)),
		.session = mover->session,
		.counter = mover->sent,
	};
	frame->prefix = (struct session_prefix){.ack = mover->taken.newest, .ack_bits = mover->taken.bits};
	cipher_seal(&movers->code, &movers->key[player], mover->sent, (uint8_t *)&frame->header, sizeof(frame->header),
		    frame->header.length);
	write_checksum(&frame->front, length);
	return length;
}

/// In a PLAYER_MOVE.
/// @return bytes
static uint16_t say_plainly(const struct movers *movers, uint32_t player, const struct mover_said *said,
			    struct move_frame *frame)
{
	static_assert(sizeof(frame->move.motion) == sizeof(*said), "the same");
	static_assert(sizeof(*frame) <= sizeof(((struct mover_frame *)NULL)->bytes), "there is room");
	frame->move = (struct plain_move){
		.header = {.packet_type = PLAIN_MOVE, .packet_size = sizeof(frame->move)},
		.player_id = player + 1,
	};
	memcpy(&frame->move.motion, said, sizeof(*said));
	movers_front(movers, player, sizeof(*frame), (uint8_t *)frame);
	return sizeof(*frame);
}

static void say_all(struct movers *movers, uint32_t tick)
{
	const size_t row = movers_nth(movers, tick, 0);

	if (movers->plan->jitter)
		shuffle(movers, movers->order + row);
	for (uint32_t nth = 0; nth < movers->walks.players; nth++) {
		const uint32_t player = movers->order[row + nth];
		struct mover_frame *frame = &movers->frame[row + nth];

		if (!movers->plan->plain)
			hear(movers, player, tick);
		movers->said[row + nth] = say(movers, player);
		movers->mover[player].sent++;
		frame->length = movers->plan->plain ? say_plainly(movers, player, &movers->said[row + nth],
								  (struct move_frame *)frame->bytes) :
						      seal(movers, player, &movers->said[row + nth],
							   (struct sealed_frame *)frame->bytes);
		if (is_lost(movers, (uint64_t)player << 8 | UP, movers->mover[player].sent))
			frame->length = 0;
	}
}

void movers_say(struct movers *movers, uint32_t tick)
{
	for (uint32_t i = 0; i < movers->ahead; i++)
		say_all(movers, tick + i);
}

void movers_tick(struct movers *movers, uint32_t tick)
{
	memcpy(movers->sent[tick % MOVERS_KEPT_TICKS], movers->sent[(tick - 1) % MOVERS_KEPT_TICKS],
	       movers->walks.players * sizeof(uint32_t));
}

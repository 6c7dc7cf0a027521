// SPDX-License-Identifier: BSD-3-Clause
// test_sealed.c: datagrams of the session profile through the whole pipeline, in frames of every kind and without.
//
// The players know the protocol and their keys (house.h); frames are built and judged by frames.h.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "house.h"
#include "net/route.h"
#include "pipeline/departures.h"
#include "rig.h"

#define CAPACITY 64

/// How a datagram gets here.
enum way {
	WAY_COMMON,  // untagged IPv4 to the first listener
	WAY_TAGGED4, // two tags, to the second listener
	WAY_IPV6,    // to the second listener
	WAY_OFFLOAD, // the device verifies and computes checksums
	WAY_KERNEL,  // a socket's
	WAYS
};

static const unsigned ways[WAYS] = {WAY_COMMON, WAY_TAGGED4, WAY_IPV6, WAY_OFFLOAD, WAY_KERNEL};

struct world {
	enum way way;
	struct house *house;
	struct rig *rig;
	struct gate gate[HOUSE_SIDES]; // the same port, for each worker
	bool from_a_stranger;          // whose MAC address, or at whose socket, whatever address it says
};

/// What became of a datagram; the payload of the answer, or as it is now.
struct reply {
	unsigned result;
	uint8_t owner;
	uint16_t length;
	uint8_t bytes[ETHERNET_MAX];
};

static uint8_t listener_of(const struct world *w)
{
	return w->way == WAY_TAGGED4 || w->way == WAY_IPV6;
}

static int setup(void **state)
{
	struct world *w = zeroed_lines(sizeof(*w));

	w->way = *(const unsigned *)*state;
	w->house = house_open(CAPACITY);
	w->rig = rig_open("auto", 16);
	w->rig->rx_offload = w->rig->tx_offload = w->way == WAY_OFFLOAD;
	w->rig->census.tables = HOUSE_SIDES;
	w->rig->policy.sessions = w->house->rules;
	for (unsigned i = 0; i < HOUSE_SIDES; i++) {
		w->rig->census.ports[i] = 1;
		w->gate[i] = w->rig->gate;
		w->gate[i].worker = i;
		w->gate[i].port_bit = 1;
		w->gate[i].port = 5;
		w->gate[i].sealed = 1U << listener_of(w);
		w->gate[i].side = w->house->side[i];
		w->gate[i].stats = &w->house->stats[i];
		w->gate[i].arrivals = &w->house->stats[i].received;
		side_use_policy(w->house->side[i], &w->rig->policy);
	}
	w->rig->gate = w->gate[0];
	if (w->gate[0].sealed & 1)
		identity_expect_sealed(&w->rig->identity);
	*state = w;
	return 0;
}

/// Every packet ended in one counter, whatever the test did.
static void check_conserved(const struct world *w)
{
	for (unsigned k = 0; k < HOUSE_SIDES; k++) {
		const struct pg_worker_stats *s = &w->house->stats[k];
		uint64_t ended = s->handed_out;

		for (unsigned i = 0; i < PG_MESSAGES; i++)
			ended += s->handled[i];
		for (unsigned i = 0; i < PG_DROPS; i++)
			ended += s->dropped[i];
		assert_int_equal(ended, s->received);
		assert_int_equal(s->dropped[PG_DROP_NONE], 0);
	}
}

static int teardown(void **state)
{
	struct world *w = *state;

	check_conserved(w);
	house_close(w->house);
	rig_close(w->rig);
	free(w);
	return 0;
}

// ---------------------------------------------------------------- ways

static struct flow flow_of(const struct world *w, const struct peer *peer)
{
	struct flow flow = w->way == WAY_IPV6 ? flow6(0) : flow4(0);

	if (w->way == WAY_TAGGED4) {
		flow_tag(&flow, 0x88a8, 100);
		flow_tag(&flow, 0x8100, 7);
	}
	if (w->way == WAY_IPV6) {
		memcpy(flow.from, &peer->high, 8);
		memcpy(flow.from + 8, &peer->low, 8);
	} else {
		memcpy(flow.from, (const uint8_t *)&peer->low + 4, 4);
	}
	if (w->from_a_stranger)
		flow.mac_from[5] ^= 0x55;
	flow.port_from = BE16(peer_port(peer));
	flow.port_to = listener_of(w) ? 8081 : 8080;
	return flow;
}

/// The frame that should have come of it: frames.h builds it.
static void check_frame(const struct flow *flow, const uint8_t *frame, uint16_t length, const struct tx_request *tx,
			bool answer)
{
	const struct flow back = flow_back(flow);
	const uint16_t headers = (uint16_t)(14 + 4 * flow->tags + (flow->family == 4 ? 20 : 40) + 8);
	struct frame expected;
	uint8_t completed[ETHERNET_MAX];

	assert_true(length >= headers);
	build_udp(&expected, &back, frame + headers, length - headers);
	memcpy(completed, frame, length);
	if (tx && tx->checksums) { // what the device does
		assert_int_equal(tx->l2_len, expected.l3);
		assert_int_equal(tx->l3_len, expected.l4 - expected.l3);
		repair_checksums(completed, length);
	}
	if (flow->family == 4) {
		expected.bytes[expected.l3 + 6] = 0x40; // DF
		if (!answer)
			memset(expected.bytes + expected.l3 + 4, 0, 2);
		repair_checksums(expected.bytes, expected.len);
	} else if (!answer) {
		memcpy(expected.bytes + expected.l3, "\x60\0\0\0", 4);
	}
	assert_int_equal(length, expected.len);
	assert_memory_equal(completed, expected.bytes, length);
	assert_true(checksums_right(completed, length));
}

static void deliver_frames(struct world *w, struct gate *gate, const struct peer *peer, uint8_t (*payload)[1500],
			   const uint16_t *length, struct reply *reply, unsigned n)
{
	struct flow flow[BURST_MAX];
	struct frame f[BURST_MAX];
	struct burst burst;

	memset(&burst, 0, sizeof(burst));
	for (unsigned i = 0; i < n; i++) {
		flow[i] = flow_of(w, &peer[i]);
		build_udp(&f[i], &flow[i], payload[i], length[i]);
		burst.frame[i] = rig_buffer(w->rig, &f[i]);
		burst.length[i] = f[i].len;
		burst.rx[i] = RX_IP_CHECKSUM_GOOD | RX_L4_CHECKSUM_GOOD;
	}
	w->rig->path->run[w->rig->rx_offload][w->rig->tx_offload](gate, &burst, n, w->house->now);
	for (unsigned i = 0; i < n; i++) {
		const uint16_t headers = f[i].payload;

		reply[i].result = burst.drop[i];
		reply[i].owner = burst.owner[i];
		reply[i].length = (uint16_t)(burst.length[i] - headers);
		memcpy(reply[i].bytes, burst.frame[i] + headers, reply[i].length);
		if (burst.drop[i] == PG_DROP_NONE)
			check_frame(&flow[i], burst.frame[i], burst.length[i], w->rig->tx_offload ? &burst.tx[i] : NULL,
				    true);
		free(burst.frame[i]);
	}
}

static void deliver_datagrams(struct world *w, struct gate *gate, const struct peer *peer, uint8_t (*payload)[1500],
			      const uint16_t *length, struct reply *reply, unsigned n)
{
	struct datagram_burst burst;

	memset(&burst, 0, sizeof(burst));
	for (unsigned i = 0; i < n; i++) {
		burst.peer[i] = peer[i];
		burst.payload[i] = reply[i].bytes;
		burst.length[i] = length[i];
		burst.way[i] = w->from_a_stranger ? 8 : 9;
		memcpy(reply[i].bytes, payload[i], length[i]);
	}
	w->rig->path->run_datagrams(gate, &burst, n, w->house->now);
	for (unsigned i = 0; i < n; i++) {
		reply[i].result = burst.drop[i];
		reply[i].owner = burst.owner[i];
		reply[i].length = burst.length[i];
	}
}

/// A burst for worker `side`.
static void deliver(struct world *w, unsigned side, const struct peer *peer, uint8_t (*payload)[1500],
		    const uint16_t *length, struct reply *reply, unsigned n)
{
	memset(reply, 0, n * sizeof(*reply));
	if (w->way == WAY_KERNEL)
		deliver_datagrams(w, &w->gate[side], peer, payload, length, reply, n);
	else
		deliver_frames(w, &w->gate[side], peer, payload, length, reply, n);
}

static struct reply send_from(struct world *w, unsigned side, const struct peer *peer, const uint8_t *payload,
			      uint16_t length)
{
	static uint8_t room[1][1500];
	static struct reply reply;

	memcpy(room[0], payload, length);
	deliver(w, side, peer, room, &length, &reply, 1);
	return reply;
}

/// Something that leaves on its own.
struct left {
	struct peer peer;
	uint16_t length;
	uint8_t bytes[ETHERNET_MAX];
};

static unsigned depart_as_frames(struct world *w, struct left *left)
{
	static uint8_t room[BURST_MAX][ETHERNET_MAX];
	struct frame_departures out;
	unsigned n;

	for (unsigned i = 0; i < BURST_MAX; i++)
		out.frame[i] = room[i];
	n = depart_frames(w->house->side[0], &out, BURST_MAX, w->house->now);
	for (unsigned i = 0; i < n; i++) {
		const struct flow any = flow_of(w, &(struct peer){0});
		const unsigned l3 = 14 + 4 * any.tags, l4 = l3 + (any.family == 4 ? 20 : 40);
		const uint8_t *ip = room[i] + l3;
		struct flow flow;

		assert_int_equal(out.port[i], 5);
		if (any.family == 4)
			peer_set4(&left[i].peer, load32(ip + 16));
		else
			peer_set6(&left[i].peer, ip + 24);
		peer_set_channel(&left[i].peer, BE16(get16(room[i] + l4 + 2)), listener_of(w));
		left[i].length = (uint16_t)(out.length[i] - l4 - 8);
		memcpy(left[i].bytes, room[i] + l4 + 8, left[i].length);
		flow = flow_of(w, &left[i].peer);
		check_frame(&flow, room[i], out.length[i], NULL, false);
	}
	return n;
}

static unsigned depart_as_datagrams(struct world *w, struct left *left)
{
	struct datagram_departures out;
	unsigned n;

	for (unsigned i = 0; i < BURST_MAX; i++)
		out.payload[i] = left[i].bytes;
	n = depart_datagrams(w->house->side[0], &out, BURST_MAX, w->house->now);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(out.way[i], 9);
		left[i].peer = out.peer[i];
		left[i].length = out.length[i];
	}
	return n;
}

/// All that is due; nothing may be when departures_wait() says so.
static unsigned depart(struct world *w, struct left left[BURST_MAX])
{
	const uint64_t before = w->house->stats[0].tx_originated;
	const bool waits = departures_wait(w->house->side[0], w->house->now);
	const unsigned n = w->way == WAY_KERNEL ? depart_as_datagrams(w, left) : depart_as_frames(w, left);

	assert_true(waits || n == 0);
	assert_int_equal(w->house->stats[0].tx_originated, before + n);
	return n;
}

/// As depart(), millisecond after millisecond, until something leaves.
static unsigned await_departure(struct world *w, unsigned ms, struct left left[BURST_MAX])
{
	for (unsigned i = 0; i < ms; i++) {
		const unsigned n = depart(w, left);

		if (n > 0)
			return n;
		house_wait(w->house, 1);
	}
	return 0;
}

// ---------------------------------------------------------------- players

static struct peer peer_number(const struct world *w, uint32_t n)
{
	struct peer peer = peer_at(0x14000000 + n, 5000, listener_of(w));

	if (w->way == WAY_IPV6) {
		peer.high = 0x0000000000000120 | (uint64_t)n << 32; // 2001:... in network order, a /64 of its own
		peer.high = (peer.high & ~0xffffULL) | 0x0120;
		peer.low = 0x0100000000000000;
	}
	return peer;
}

static struct player issue(struct world *w, uint32_t id)
{
	struct player player = house_issue(w->house, id, 3600, false);

	player.peer = peer_number(w, id);
	return player;
}

static bool connect_by(struct world *w, unsigned side, struct player *player)
{
	uint8_t datagram[PLAYER_BUFFER];
	uint16_t length = player_hello(player, datagram);
	struct reply reply = send_from(w, side, &player->peer, datagram, length);

	if (reply.result != PG_DROP_NONE || reply.length > length ||
	    !player_take_challenge(player, reply.bytes, reply.length))
		return false;
	length = player_confirm(player, datagram);
	reply = send_from(w, side, &player->peer, datagram, length);
	return reply.result == PG_DROP_NONE && reply.length == length &&
	       player_take_welcome(w->house, player, reply.bytes, reply.length);
}

static struct player connected(struct world *w, uint32_t id)
{
	struct player player = issue(w, id);

	assert_true(connect_by(w, 0, &player));
	return player;
}

struct message {
	uint8_t bytes[1500];
	uint16_t length;
};

static void add_message(struct message *m, uint8_t type, uint8_t flags, uint16_t id, const void *body, uint16_t length)
{
	const struct session_message head = {.type = type, .flags = flags, .body_len = length};

	memcpy(m->bytes + m->length, &head, sizeof(head));
	m->length = (uint16_t)(m->length + sizeof(head));
	if (flags & SESSION_MESSAGE_RELIABLE) {
		memcpy(m->bytes + m->length, &id, sizeof(id));
		m->length = (uint16_t)(m->length + sizeof(id));
	}
	memcpy(m->bytes + m->length, body, length);
	m->length = (uint16_t)(m->length + length);
}

static const struct motion a_motion = {.position = {1, 2, 3}, .velocity = {4, 5, 6}};

static struct message a_move(void)
{
	struct message m = {.length = 0};

	add_message(&m, SESSION_MOVE, 0, 0, &a_motion, sizeof(a_motion));
	return m;
}

static struct message an_attack(uint32_t target, uint8_t flags, uint16_t id)
{
	uint8_t body[20] = {0};
	struct message m = {.length = 0};

	memcpy(body, &target, sizeof(target));
	body[4] = 77; // attack_id
	add_message(&m, SESSION_ATTACK, flags, id, body, sizeof(body));
	return m;
}

/// DATA, as it leaves the player.
static uint16_t seal_data(struct world *w, struct player *player, bool now, const struct message *m, uint8_t *out)
{
	const struct session_header header = {
		.kind = SESSION_DATA,
		.flags = now ? SESSION_FLAG_ACK_NOW : 0,
		.length = (uint16_t)(SESSION_SEALED_MIN + m->length),
		.session = player->session,
		.sequence = (uint32_t)++player->sent,
		.ack = (uint32_t)player->newest,
	};

	memcpy(out, &header, sizeof(header));
	memcpy(out + sizeof(header), m->bytes, m->length);
	cipher_seal(&w->house->side[0]->code, &player->cipher.seal, player->sent, out, sizeof(header), header.length);
	return header.length;
}

static struct reply say(struct world *w, struct player *player, bool now, const struct message *m)
{
	uint8_t datagram[PLAYER_BUFFER];

	return send_from(w, 0, &player->peer, datagram, seal_data(w, player, now, m, datagram));
}

static struct session_header header_of(const uint8_t *bytes)
{
	struct session_header header;

	memcpy(&header, bytes, sizeof(header));
	return header;
}

/// Open an answer or departure of this kind.
static struct session_header opened(struct world *w, struct player *player, uint8_t *bytes, uint16_t length,
				    enum session_kind kind)
{
	assert_true(player_open(w->house, player, bytes, length));
	assert_int_equal(bytes[0], kind);
	return header_of(bytes);
}

static const struct message nothing = {.length = 0};

// ---------------------------------------------------------------- answers

static void test_move_is_taken_and_acknowledged_in_place(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	const struct message move = a_move();
	struct reply reply = say(w, &player, true, &move);
	const struct issued *record = house_record(w->house, &player);
	const struct pg_worker_stats *stats = &w->house->stats[0];

	assert_int_equal(reply.result, PG_DROP_NONE);
	assert_int_equal(reply.length, SESSION_SEALED_MIN);
	assert_int_equal(opened(w, &player, reply.bytes, reply.length, SESSION_DATA).ack, 1);
	assert_memory_equal(&record->motion, &a_motion, sizeof(a_motion));
	assert_int_equal(record->motion_version % 2, 0);
	assert_int_equal(stats->handled[PG_MESSAGE_SESSION_HELLO], 1);
	assert_int_equal(stats->handled[PG_MESSAGE_SESSION_CONFIRM], 1);
	assert_int_equal(stats->handled[PG_MESSAGE_SESSION_DATA], 1);
	assert_int_equal(stats->messages.received[PG_REQUEST_MOVE], 1);
	assert_int_equal(stats->unanswered, 0);
}

static void test_acknowledgement_that_is_not_urgent_leaves_later(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	const struct message move = a_move();
	struct left left[BURST_MAX];

	assert_int_equal(say(w, &player, false, &move).result, PACKET_ABSORBED);
	assert_int_equal(w->house->stats[0].unanswered, 1);
	assert_int_equal(depart(w, left), 0);
	assert_int_equal(await_departure(w, 30, left), 1);
	assert_true(peer_equal(&left[0].peer, &player.peer));
	assert_int_equal(opened(w, &player, left[0].bytes, left[0].length, SESSION_DATA).ack, 1);
	assert_int_equal(await_departure(w, 2000, left), 0); // and once
}

static void test_data_without_messages_asks_for_nothing(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	struct left left[BURST_MAX];

	assert_int_equal(say(w, &player, false, &nothing).result, PACKET_ABSORBED);
	assert_int_equal(await_departure(w, 2000, left), 0);
}

static void test_bits_tell_which_were_taken(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	const struct message move = a_move();
	uint64_t seed = 7, taken = 0;
	uint64_t counters[200];

	// Within the window, in any order, a third of them never.
	for (unsigned i = 0; i < COUNT(counters); i++)
		counters[i] = i + 1;
	for (unsigned i = 0; i + 8 < COUNT(counters); i++) {
		const unsigned j = i + random_below(&seed, 8);
		const uint64_t counter = counters[j];

		counters[j] = counters[i];
		counters[i] = counter;
	}
	uint64_t newest = 0;
	bool seen[COUNT(counters) + 1] = {false};

	for (unsigned i = 0; i < COUNT(counters); i++) {
		struct reply reply;
		struct session_header header;

		if (random_below(&seed, 3) == 0)
			continue;
		player.sent = counters[i] - 1;
		reply = say(w, &player, true, &move);
		assert_int_equal(reply.result, PG_DROP_NONE);
		header = opened(w, &player, reply.bytes, reply.length, SESSION_DATA);
		seen[counters[i]] = true;
		newest = counters[i] > newest ? counters[i] : newest;
		taken++;
		assert_int_equal(header.ack, newest);
		for (unsigned bit = 0; bit < 32; bit++)
			assert_int_equal(header.ack_bits >> bit & 1, newest > bit + 1 && seen[newest - 1 - bit]);
	}
	assert_int_equal(w->house->stats[0].messages.received[PG_REQUEST_MOVE], taken);
}

static void test_counters_go_on_beyond_32_bits(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	struct issued *record = house_record(w->house, &player);
	const struct message move = a_move();

	player.sent = record->replay.newest = record->taken = (1ULL << 32) - 3;
	record->taken_bits = 0;
	for (unsigned i = 0; i < 6; i++) {
		const struct reply reply = say(w, &player, true, &move);

		assert_int_equal(reply.result, PG_DROP_NONE);
		assert_int_equal(header_of(reply.bytes).ack, (uint32_t)player.sent);
	}
	assert_int_equal(record->replay.newest, (1ULL << 32) + 3);
}

// ---------------------------------------------------------------- what is refused

static void check_dropped(struct world *w, const struct reply *reply, enum pg_drop reason)
{
	assert_string_equal(pg_drop_name(reply->result), pg_drop_name(reason));
	assert_true(w->house->stats[0].dropped[reason] > 0);
}

static void test_replay_is_dropped_before_its_tag(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	const struct message move = a_move();
	uint8_t datagram[PLAYER_BUFFER];
	const uint16_t length = seal_data(w, &player, true, &move, datagram);
	struct reply reply = send_from(w, 0, &player.peer, datagram, length);

	assert_int_equal(reply.result, PG_DROP_NONE);
	datagram[length - 1] ^= 1; // nobody looks
	reply = send_from(w, 0, &player.peer, datagram, length);
	check_dropped(w, &reply, PG_DROP_REPLAYED);
}

static void test_of_two_copies_in_a_burst_one_is_taken(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	const struct message move = a_move();
	const struct peer peers[2] = {player.peer, player.peer};
	static uint8_t payload[2][1500];
	static struct reply reply[2];
	uint16_t length[2];

	length[0] = length[1] = seal_data(w, &player, true, &move, payload[0]);
	memcpy(payload[1], payload[0], length[0]);
	deliver(w, 0, peers, payload, length, reply, 2);
	assert_int_equal(reply[0].result, PG_DROP_NONE);
	check_dropped(w, &reply[1], PG_DROP_REPLAYED);
	assert_int_equal(w->house->stats[0].messages.received[PG_REQUEST_MOVE], 1);
}

static void test_changed_bytes_are_found_out(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	const struct message move = a_move();
	uint8_t datagram[PLAYER_BUFFER];
	const uint16_t length = seal_data(w, &player, true, &move, datagram);
	struct reply reply;

	for (unsigned i = 8; i < length; i++) { // kind, length and session have reasons of their own
		datagram[i] ^= 0x10;
		reply = send_from(w, 0, &player.peer, datagram, length);
		assert_true(reply.result == PG_DROP_BAD_TAG || (i < 12 && reply.result == PG_DROP_REPLAYED));
		datagram[i] ^= 0x10;
	}
	reply = send_from(w, 0, &player.peer, datagram, length); // none of them moved the window
	assert_int_equal(reply.result, PG_DROP_NONE);
}

static void test_wrong_headers_are_named(void **state)
{
	static const struct {
		uint8_t kind, flags;
		int length, off_by;
		enum pg_drop drop;
	} cases[] = {
		{SESSION_DATA, 0, 100, -1, PG_DROP_SESSION_HEADER},
		{SESSION_DATA, 0, 100, 1, PG_DROP_SESSION_HEADER},
		{SESSION_DATA, 2, 100, 0, PG_DROP_SESSION_HEADER},
		{SESSION_DATA, 0x80, 100, 0, PG_DROP_SESSION_HEADER},
		{SESSION_DATA, 0, SESSION_SEALED_MIN - 1, 0, PG_DROP_SESSION_HEADER},
		{SESSION_DATA, 0, 20, 0, PG_DROP_SESSION_HEADER},
		{SESSION_DATA, 0, 19, 0, PG_DROP_TRUNCATED},
		{SESSION_DATA, 0, 0, 0, PG_DROP_TRUNCATED},
		{SESSION_DATA, 0, SESSION_DATAGRAM_MAX + 1, 0, PG_DROP_SESSION_HEADER},
		{SESSION_CLOSE, 0, 39, 0, PG_DROP_SESSION_HEADER},
		{SESSION_CLOSE, 0, 41, 0, PG_DROP_SESSION_HEADER},
		{SESSION_CLOSE, 1, 40, 0, PG_DROP_SESSION_HEADER},
		{SESSION_PATH_RESPONSE, 0, 43, 0, PG_DROP_SESSION_HEADER},
		{SESSION_PATH_RESPONSE, 0, 45, 0, PG_DROP_SESSION_HEADER},
		{SESSION_HELLO, 0, 63, 0, PG_DROP_SESSION_HEADER},
		{SESSION_HELLO, 0, 65, 0, PG_DROP_SESSION_HEADER},
		{SESSION_HELLO, 1, 64, 0, PG_DROP_SESSION_HEADER},
		{SESSION_CONFIRM, 0, 507, 0, PG_DROP_SESSION_HEADER},
		{0, 0, 100, 0, PG_DROP_SESSION_HEADER},
		{10, 0, 100, 0, PG_DROP_SESSION_HEADER},
		{255, 0, 100, 0, PG_DROP_SESSION_HEADER},
		{SESSION_CHALLENGE, 0, 60, 0, PG_DROP_SESSION_STATE},
		{SESSION_WELCOME, 0, 508, 0, PG_DROP_SESSION_STATE},
		{SESSION_PATH_CHALLENGE, 0, 44, 0, PG_DROP_SESSION_STATE},
		{SESSION_DENIED, 0, 56, 0, PG_DROP_SESSION_STATE},
	};
	struct world *w = *state;
	struct player player = connected(w, 1);

	for (unsigned i = 0; i < COUNT(cases); i++) {
		uint8_t datagram[1500] = {0};
		const struct session_header header = {
			.kind = cases[i].kind,
			.flags = cases[i].flags,
			.length = (uint16_t)(cases[i].length + cases[i].off_by),
			.session = player.session,
		};
		struct reply reply;

		memcpy(datagram, &header, sizeof(header));
		reply = send_from(w, 0, &player.peer, datagram, (uint16_t)cases[i].length);
		check_dropped(w, &reply, cases[i].drop);
	}
}

static void test_numbers_that_name_nobody_are_dropped(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1), idle = issue(w, 2);
	const uint32_t real = player.session;
	const uint32_t strange[] = {0, real ^ (1U << SESSION_SLOT_BITS), CAPACITY, SESSION_SLOTS_MAX - 1, 7};
	struct reply reply;

	for (unsigned i = 0; i < COUNT(strange); i++) {
		player.session = strange[i];
		reply = say(w, &player, true, &nothing);
		check_dropped(w, &reply, PG_DROP_SESSION_UNKNOWN);
	}
	player.session = real;
	idle.cipher = player.cipher;
	reply = say(w, &idle, true, &nothing);
	check_dropped(w, &reply, PG_DROP_SESSION_STATE);
	assert_true(pg_session_revoke(w->house->state, real));
	reply = say(w, &player, true, &nothing);
	check_dropped(w, &reply, PG_DROP_SESSION_OVER);
}

static void test_longer_than_agreed_is_dropped(void **state)
{
	struct world *w = *state;
	struct player player = issue(w, 1);
	struct message bulk = {.length = 0};
	uint8_t body[600] = {0};
	struct reply reply;

	player.max_datagram = SESSION_DATAGRAM_MIN;
	assert_true(connect_by(w, 0, &player));
	add_message(&bulk, SESSION_BULK, 0, 0, body, SESSION_DATAGRAM_MIN - SESSION_SEALED_MIN - 4);
	assert_int_equal(say(w, &player, true, &bulk).result, PG_DROP_NONE);
	bulk.length = 0;
	add_message(&bulk, SESSION_BULK, 0, 0, body, SESSION_DATAGRAM_MIN - SESSION_SEALED_MIN - 3);
	reply = say(w, &player, true, &bulk);
	check_dropped(w, &reply, PG_DROP_SESSION_HEADER);
}

static void test_session_has_a_rate_of_its_own(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1), other = connected(w, 2);
	unsigned answers = 0;
	struct reply reply;

	w->rig->policy.sessions.session[listener_of(w)] = rate_make(100, 10, pg_tsc_hz());
	for (unsigned i = 0; i < 20; i++)
		answers += say(w, &player, true, &nothing).result == PG_DROP_NONE;
	assert_int_equal(answers, 10);
	reply = say(w, &player, true, &nothing);
	check_dropped(w, &reply, PG_DROP_SESSION_RATE_LIMITED);
	assert_int_equal(say(w, &other, true, &nothing).result, PG_DROP_NONE);
	house_wait(w->house, 1000);
	assert_int_equal(say(w, &player, true, &nothing).result, PG_DROP_NONE);
}

static void test_forgeries_do_not_use_up_the_session_rate(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1), forger = player;

	w->rig->policy.sessions.session[listener_of(w)] = rate_make(100, 10, pg_tsc_hz());
	memset(&forger.cipher.seal.data, 0x5a, 64);
	for (unsigned i = 0; i < 50; i++) {
		const struct reply reply = say(w, &forger, true, &nothing);

		check_dropped(w, &reply, PG_DROP_BAD_TAG);
	}
	assert_int_equal(say(w, &player, true, &nothing).result, PG_DROP_NONE);
}

static void test_only_unproved_addresses_have_a_source_rate(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1), elsewhere = player;
	struct reply reply;

	rig_limit_sources(w->rig, listener_of(w), (struct rate){.interval = pg_tsc_hz(), .tolerance = 0});
	elsewhere.peer = peer_number(w, 9);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(say(w, &player, true, &nothing).result, PG_DROP_NONE);
	elsewhere.sent = player.sent;
	say(w, &elsewhere, true, &nothing);
	reply = say(w, &elsewhere, true, &nothing);
	check_dropped(w, &reply, PG_DROP_SOURCE_RATE_LIMITED);
	player.sent = elsewhere.sent;
	assert_int_equal(say(w, &player, true, &nothing).result, PG_DROP_NONE);
	assert_false(connect_by(w, 0, &elsewhere)); // a HELLO, too, is from nobody yet
}

static void test_one_bad_message_refuses_its_datagram(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	struct message two = a_move();
	static const float infinite[6] = {__builtin_inff()};
	struct reply reply;

	add_message(&two, SESSION_MOVE, 0, 0, infinite, sizeof(infinite));
	reply = say(w, &player, true, &two);
	check_dropped(w, &reply, PG_DROP_NOT_FINITE);
	assert_int_equal(house_record(w->house, &player)->motion_version, 0);
	reply = say(w, &player, true, &nothing);
	assert_int_equal(header_of(reply.bytes).ack, 2);
	assert_int_equal(header_of(reply.bytes).ack_bits, 0); // the first was not taken
}

// ---------------------------------------------------------------- relay

static void test_attack_reaches_its_target(void **state)
{
	struct world *w = *state;
	struct player attacker = connected(w, 1), target = connected(w, 2);
	const struct message attack = an_attack(2, 0, 0);
	struct left left[BURST_MAX];
	struct session_message head;

	assert_int_equal(say(w, &attacker, true, &attack).result, PG_DROP_NONE);
	assert_int_equal(await_departure(w, 10, left), 1);
	assert_true(peer_equal(&left[0].peer, &target.peer));
	opened(w, &target, left[0].bytes, left[0].length, SESSION_DATA);
	memcpy(&head, left[0].bytes + sizeof(struct session_header), sizeof(head));
	assert_int_equal(head.type, SESSION_ATTACK_EVENT);
	assert_int_equal(head.body_len, 24);
	assert_int_equal(get_le32(left[0].bytes + 24), 1); // whose blow it was
	assert_memory_equal(left[0].bytes + 28, attack.bytes + 4, 20);
}

static void test_player_may_write_to_himself(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	const struct message attack = an_attack(1, 0, 0);
	struct reply reply = say(w, &player, true, &attack);

	assert_int_equal(reply.result, PG_DROP_NONE);
	opened(w, &player, reply.bytes, reply.length, SESSION_DATA);
	assert_int_equal(reply.bytes[sizeof(struct session_header)], SESSION_ATTACK_EVENT);
}

static void test_message_for_nobody_is_counted_lost(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1), idle = issue(w, 2);
	const struct message absent = an_attack(99, 0, 0), away = an_attack(idle.id, 0, 0),
			     everyone = an_attack(0, 0, 0);

	assert_int_equal(say(w, &player, true, &absent).result, PG_DROP_NONE);
	assert_int_equal(say(w, &player, true, &away).result, PG_DROP_NONE);
	assert_int_equal(say(w, &player, true, &everyone).result, PG_DROP_NONE);
	assert_int_equal(w->house->stats[0].messages.lost[PG_LOSS_NO_PLAYER], 2);
}

struct taken_by_relay {
	struct relay relay;
	unsigned count;
	uint8_t owner;
	uint32_t session;
	bool busy;
};

static bool pass(struct relay *relay, uint8_t owner, uint32_t session, const struct outgoing *message)
{
	struct taken_by_relay *taken = (struct taken_by_relay *)relay;

	(void)message;
	if (taken->busy)
		return false;
	taken->count++;
	taken->owner = owner;
	taken->session = session;
	return true;
}

static void test_message_for_another_workers_player_is_passed_on(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1), other = issue(w, 2);
	struct taken_by_relay taken = {.relay.pass = pass};
	const struct message attack = an_attack(2, 0, 0);
	struct pg_message_stats *stats = &w->house->stats[0].messages;

	assert_true(connect_by(w, 1, &other));
	say(w, &player, true, &attack);
	assert_int_equal(stats->lost[PG_LOSS_OWNER_BUSY], 1); // nobody takes it
	w->house->side[0]->relay = &taken.relay;
	say(w, &player, true, &attack);
	assert_int_equal(taken.count, 1);
	assert_int_equal(taken.owner, 1);
	assert_int_equal(taken.session, other.session);
	taken.busy = true;
	say(w, &player, true, &attack);
	assert_int_equal(stats->lost[PG_LOSS_OWNER_BUSY], 2);
}

static void test_undelivered_messages_and_ids_are_kept_with_the_record(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	const struct issued *record = house_record(w->house, &player);
	const struct message attack = an_attack(1, SESSION_MESSAGE_RELIABLE, 0);
	struct reply reply = say(w, &player, true, &attack);

	assert_int_equal(reply.result, PG_DROP_NONE);
	assert_int_equal(record->undelivered, 1);
	assert_int_equal(record->rx_id[0], 1);
	opened(w, &player, reply.bytes, reply.length, SESSION_DATA);
	say(w, &player, false, &nothing); // acknowledges it
	assert_int_equal(record->undelivered, 0);
	assert_int_equal(record->tx_id[0], 1);
}

static void test_who_never_acknowledges_is_closed(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	const struct message attack = an_attack(1, SESSION_MESSAGE_RELIABLE, 0);
	struct left left[BURST_MAX];
	unsigned sent = 0;

	assert_int_equal(say(w, &player, true, &attack).result, PG_DROP_NONE);
	for (unsigned n = await_departure(w, 5000, left); n > 0; n = await_departure(w, 5000, left), sent++)
		if (left[0].bytes[0] == SESSION_CLOSE)
			break;
	assert_int_equal(sent, 3);
	opened(w, &player, left[0].bytes, left[0].length, SESSION_CLOSE);
	assert_int_equal(left[0].bytes[sizeof(struct session_header)], SESSION_CLOSED_UNDELIVERABLE);
	assert_int_equal(w->house->stats[0].closed[SESSION_CLOSED_UNDELIVERABLE], 1);
	assert_int_equal(w->house->stats[0].connected, 0);
}

static void test_offence_ends_the_connection(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	struct message second_first = {.length = 0};
	const uint8_t piece[] = {1, 0, 2, 0, 'x'}; // index 1 of 2, though none came before
	struct left left[BURST_MAX];

	add_message(&second_first, SESSION_BULK, SESSION_MESSAGE_RELIABLE | SESSION_MESSAGE_FRAGMENT, 0, piece,
		    sizeof(piece));
	assert_int_equal(say(w, &player, true, &second_first).result, PACKET_ABSORBED);
	assert_int_equal(depart(w, left), 1);
	opened(w, &player, left[0].bytes, left[0].length, SESSION_CLOSE);
	assert_int_equal(left[0].bytes[sizeof(struct session_header)], SESSION_CLOSED_PROTOCOL);
	assert_int_equal(w->house->stats[0].handled[PG_MESSAGE_SESSION_DATA], 1);
}

static void test_close_ends_it_also_for_what_follows_in_the_burst(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	const struct session_close_body leave = {.reason = SESSION_CLOSED_LEFT};
	const struct peer peers[2] = {player.peer, player.peer};
	static uint8_t payload[2][1500];
	static struct reply reply[2];
	uint16_t length[2];

	length[0] = player_seal(w->house, &player, SESSION_CLOSE, &leave, sizeof(leave), payload[0]);
	length[1] = seal_data(w, &player, true, &nothing, payload[1]);
	deliver(w, 0, peers, payload, length, reply, 2);
	assert_int_equal(reply[0].result, PACKET_ABSORBED);
	check_dropped(w, &reply[1], PG_DROP_SESSION_STATE);
	assert_int_equal(w->house->stats[0].handled[PG_MESSAGE_SESSION_CLOSE], 1);
	house_wait(w->house, 10);
	assert_true(connect_by(w, 0, &player)); // the session still stands
}

// ---------------------------------------------------------------- addresses

static void test_new_address_is_asked_before_it_is_believed(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	const struct peer before = player.peer;
	const struct message move = a_move();
	uint8_t token[SESSION_PATH_TOKEN_LEN], datagram[PLAYER_BUFFER];
	struct left left[BURST_MAX];
	struct reply reply;

	house_wait(w->house, 2000);
	player.peer = peer_number(w, 9);
	reply = say(w, &player, true, &move);
	assert_int_equal(reply.result, PG_DROP_NONE);
	opened(w, &player, reply.bytes, reply.length, SESSION_PATH_CHALLENGE);
	memcpy(token, reply.bytes + sizeof(struct session_header), sizeof(token));
	assert_int_equal(await_departure(w, 30, left), 1); // what is acknowledged goes where he is proved to be
	assert_true(peer_equal(&left[0].peer, &before));
	assert_int_equal(opened(w, &player, left[0].bytes, left[0].length, SESSION_DATA).ack, 1);
	reply = say(w, &player, true, &move); // not asked again within the second
	assert_int_equal(reply.result, PACKET_ABSORBED);

	reply = send_from(w, 0, &player.peer, datagram,
			  player_seal(w->house, &player, SESSION_PATH_RESPONSE, token, sizeof(token), datagram));
	assert_int_equal(reply.result, PACKET_ABSORBED);
	assert_int_equal(w->house->stats[0].path_changes, 1);
	assert_int_equal(w->house->stats[0].handled[PG_MESSAGE_SESSION_PATH_RESPONSE], 1);
	assert_int_equal(say(w, &player, false, &move).result, PACKET_ABSORBED);
	assert_int_equal(await_departure(w, 30, left), 1);
	assert_true(peer_equal(&left[0].peer, &player.peer));
}

static void test_old_packet_from_elsewhere_asks_nobody(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	uint8_t late[PLAYER_BUFFER];
	const uint16_t length = seal_data(w, &player, true, &nothing, late);
	const struct peer elsewhere = peer_number(w, 9);

	house_wait(w->house, 2000);
	assert_int_equal(say(w, &player, true, &nothing).result, PG_DROP_NONE);
	assert_int_equal(send_from(w, 0, &elsewhere, late, length).result, PACKET_ABSORBED);
}

static void test_who_is_replaced_is_told_at_his_address(void **state)
{
	struct world *w = *state;
	struct player first = connected(w, 1), again = first;
	struct left left[BURST_MAX];

	house_wait(w->house, 10);
	again.peer = peer_number(w, 9);
	assert_true(connect_by(w, 0, &again));
	assert_int_equal(depart(w, left), 1);
	assert_true(peer_equal(&left[0].peer, &first.peer));
	opened(w, &first, left[0].bytes, left[0].length, SESSION_CLOSE);
	assert_int_equal(left[0].bytes[sizeof(struct session_header)], SESSION_CLOSED_REPLACED);
}

/// A neighbour who has the player's address as his own, or sees what the player sends, but not his key.
static void test_no_confirm_that_anybody_can_send_teaches_a_way(void **state)
{
	struct world *w = *state;
	struct player player = issue(w, 1), neighbour;
	const struct message move = a_move();
	uint8_t confirm[PLAYER_BUFFER], datagram[PLAYER_BUFFER];
	uint16_t length = player_hello(&player, datagram);
	struct reply reply = send_from(w, 0, &player.peer, datagram, length);
	struct left left[BURST_MAX];

	assert_true(player_take_challenge(&player, reply.bytes, reply.length));
	length = player_confirm(&player, confirm);
	reply = send_from(w, 0, &player.peer, confirm, length);
	assert_true(player_take_welcome(w->house, &player, reply.bytes, reply.length));
	neighbour = player;
	w->from_a_stranger = true;
	reply = send_from(w, 0, &player.peer, confirm, length); // seen
	assert_int_equal(reply.result, PG_DROP_NONE);
	house_wait(w->house, 10);
	length = player_hello(&neighbour, datagram);
	reply = send_from(w, 0, &player.peer, datagram, length);
	assert_true(player_take_challenge(&neighbour, reply.bytes, reply.length));
	memset(neighbour.key, 0, sizeof(neighbour.key));
	length = player_confirm(&neighbour, datagram);
	((struct session_confirm *)datagram)->version++;
	assert_int_equal(send_from(w, 0, &player.peer, datagram, length).result, PG_DROP_NONE); // DENIED
	w->from_a_stranger = false;

	assert_int_equal(say(w, &player, false, &move).result, PACKET_ABSORBED);
	assert_int_equal(await_departure(w, 30, left), 1);
	opened(w, &player, left[0].bytes, left[0].length, SESSION_DATA);
}

static void test_whom_a_crash_made_lost_sight_of_is_reached_when_he_was_heard_however_soon(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	const struct message move = a_move();
	struct left left[BURST_MAX];

	assert_int_equal(house_restart(w->house), 1);
	for (unsigned i = 0; i < HOUSE_SIDES; i++) {
		w->gate[i].side = w->house->side[i];
		side_use_policy(w->house->side[i], &w->rig->policy);
	}
	assert_int_equal(say(w, &player, false, &move).result, PACKET_ABSORBED);
	assert_int_equal(await_departure(w, 30, left), 1);
	opened(w, &player, left[0].bytes, left[0].length, SESSION_DATA);
}

static void test_session_goes_on_after_a_crash_and_is_reached_when_it_was_heard(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	const struct message move = a_move();
	struct left left[BURST_MAX];

	assert_int_equal(say(w, &player, true, &move).result, PG_DROP_NONE);
	house_wait(w->house, 3000);
	assert_int_equal(house_restart(w->house), 1);
	for (unsigned i = 0; i < HOUSE_SIDES; i++) {
		w->gate[i].side = w->house->side[i];
		side_use_policy(w->house->side[i], &w->rig->policy);
	}
	assert_int_equal(say(w, &player, false, &move).result, PACKET_ABSORBED);
	assert_int_equal(await_departure(w, 30, left), 1);
	opened(w, &player, left[0].bytes, left[0].length, SESSION_DATA);
}

// ---------------------------------------------------------------- workers

static void test_packet_of_another_workers_session_is_handed_over_untouched(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	const struct message move = a_move();
	uint8_t datagram[PLAYER_BUFFER];
	const uint16_t length = seal_data(w, &player, true, &move, datagram);
	struct reply reply = send_from(w, 1, &player.peer, datagram, length);

	assert_int_equal(reply.result, PACKET_ELSEWHERE);
	assert_int_equal(reply.owner, 0);
	assert_memory_equal(reply.bytes, datagram, length);
	w->house->stats[1].handed_out++; // as the loop counts it
	w->gate[1].settles_here = true;
	assert_int_equal(send_from(w, 1, &player.peer, datagram, length).result, PG_DROP_SESSION_STATE);
	w->gate[1].settles_here = false;
	w->rig->census.ports[0] = 2; // its owner does not serve this port
	assert_int_equal(send_from(w, 1, &player.peer, datagram, length).result, PG_DROP_OWNER_BUSY);
	assert_int_equal(send_from(w, 0, &player.peer, datagram, length).result, PG_DROP_NONE);
}

static void test_confirm_of_another_workers_session_is_handed_over(void **state)
{
	struct world *w = *state;
	struct player player = connected(w, 1);
	uint8_t datagram[PLAYER_BUFFER], original[PLAYER_BUFFER];
	uint16_t length = player_hello(&player, datagram);
	struct reply reply;

	house_wait(w->house, 10);
	reply = send_from(w, 1, &player.peer, datagram, length);
	assert_int_equal(reply.result, PG_DROP_NONE); // anybody can bake a cookie
	assert_true(player_take_challenge(&player, reply.bytes, reply.length));
	length = player_confirm(&player, datagram);
	memcpy(original, datagram, length);
	reply = send_from(w, 1, &player.peer, datagram, length);
	assert_int_equal(reply.result, PACKET_ELSEWHERE);
	assert_int_equal(reply.owner, 0);
	assert_memory_equal(reply.bytes, original, length);
	w->house->stats[1].handed_out++;
	reply = send_from(w, 0, &player.peer, original, length);
	assert_true(player_take_welcome(w->house, &player, reply.bytes, reply.length));
}

// ---------------------------------------------------------------- bursts

static void test_burst_of_many_sessions_is_answered_one_by_one(void **state)
{
	struct world *w = *state;
	struct player player[BURST_MAX - 4];
	const struct message move = a_move();
	struct peer peers[BURST_MAX];
	static uint8_t payload[BURST_MAX][1500];
	static struct reply reply[BURST_MAX];
	uint16_t length[BURST_MAX];

	for (unsigned i = 0; i < COUNT(player); i++) {
		player[i] = connected(w, i + 1);
		peers[i] = player[i].peer;
		length[i] = seal_data(w, &player[i], true, &move, payload[i]);
		if (i % 7 == 3)
			payload[i][30] ^= 1;
	}
	deliver(w, 0, peers, payload, length, reply, COUNT(player));
	for (unsigned i = 0; i < COUNT(player); i++) {
		assert_int_equal(reply[i].result, i % 7 == 3 ? PG_DROP_BAD_TAG : PG_DROP_NONE);
		if (i % 7 != 3)
			assert_int_equal(opened(w, &player[i], reply[i].bytes, reply[i].length, SESSION_DATA).ack, 1);
	}
}

static void test_whatever_comes_ends_in_one_counter(void **state)
{
	struct world *w = *state;
	struct player player[8];
	const struct message move = a_move();
	static uint8_t payload[BURST_MAX][1500];
	static struct reply reply[BURST_MAX];
	struct peer peers[BURST_MAX];
	struct left left[BURST_MAX];
	uint16_t length[BURST_MAX];
	uint64_t seed = 5;

	for (unsigned i = 0; i < COUNT(player); i++)
		player[i] = connected(w, i + 1);
	for (unsigned round = 0; round < 300; round++) {
		for (unsigned i = 0; i < BURST_MAX; i++) {
			struct player *p = &player[random_below(&seed, COUNT(player))];

			peers[i] = random_below(&seed, 8) ? p->peer : peer_number(w, 30 + random_below(&seed, 4));
			length[i] = random_below(&seed, 8) ?
					    seal_data(w, p, random_below(&seed, 2), &move, payload[i]) :
					    player_hello(&(struct player){.session = p->session}, payload[i]);
			if (random_below(&seed, 3) == 0)
				payload[i][random_below(&seed, length[i])] ^= (uint8_t)(1U << random_below(&seed, 8));
			if (random_below(&seed, 9) == 0)
				length[i] = (uint16_t)random_below(&seed, length[i]);
		}
		deliver(w, 0, peers, payload, length, reply, BURST_MAX);
		check_conserved(w);
		house_wait(w->house, 5);
		depart(w, left);
	}
	assert_true(w->house->stats[0].handled[PG_MESSAGE_SESSION_DATA] > 1000);
}

/// Each test by each way.
#define BY_EVERY_WAY(test)                                                                          \
	{#test ", common frames", test, setup, teardown, (void *)(uintptr_t)&ways[WAY_COMMON]},     \
		{#test ", two tags", test, setup, teardown, (void *)(uintptr_t)&ways[WAY_TAGGED4]}, \
		{#test ", IPv6", test, setup, teardown, (void *)(uintptr_t)&ways[WAY_IPV6]},        \
		{#test ", offload", test, setup, teardown, (void *)(uintptr_t)&ways[WAY_OFFLOAD]},  \
	{                                                                                           \
#test ", datagrams", test, setup, teardown, (void *)(uintptr_t)&ways[WAY_KERNEL]    \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BY_EVERY_WAY(test_move_is_taken_and_acknowledged_in_place),
		BY_EVERY_WAY(test_acknowledgement_that_is_not_urgent_leaves_later),
		BY_EVERY_WAY(test_data_without_messages_asks_for_nothing),
		BY_EVERY_WAY(test_bits_tell_which_were_taken),
		BY_EVERY_WAY(test_counters_go_on_beyond_32_bits),
		BY_EVERY_WAY(test_replay_is_dropped_before_its_tag),
		BY_EVERY_WAY(test_of_two_copies_in_a_burst_one_is_taken),
		BY_EVERY_WAY(test_changed_bytes_are_found_out),
		BY_EVERY_WAY(test_wrong_headers_are_named),
		BY_EVERY_WAY(test_numbers_that_name_nobody_are_dropped),
		BY_EVERY_WAY(test_longer_than_agreed_is_dropped),
		BY_EVERY_WAY(test_session_has_a_rate_of_its_own),
		BY_EVERY_WAY(test_forgeries_do_not_use_up_the_session_rate),
		BY_EVERY_WAY(test_only_unproved_addresses_have_a_source_rate),
		BY_EVERY_WAY(test_one_bad_message_refuses_its_datagram),
		BY_EVERY_WAY(test_attack_reaches_its_target),
		BY_EVERY_WAY(test_player_may_write_to_himself),
		BY_EVERY_WAY(test_message_for_nobody_is_counted_lost),
		BY_EVERY_WAY(test_message_for_another_workers_player_is_passed_on),
		BY_EVERY_WAY(test_undelivered_messages_and_ids_are_kept_with_the_record),
		BY_EVERY_WAY(test_who_never_acknowledges_is_closed),
		BY_EVERY_WAY(test_offence_ends_the_connection),
		BY_EVERY_WAY(test_close_ends_it_also_for_what_follows_in_the_burst),
		BY_EVERY_WAY(test_new_address_is_asked_before_it_is_believed),
		BY_EVERY_WAY(test_old_packet_from_elsewhere_asks_nobody),
		BY_EVERY_WAY(test_who_is_replaced_is_told_at_his_address),
		BY_EVERY_WAY(test_no_confirm_that_anybody_can_send_teaches_a_way),
		BY_EVERY_WAY(test_whom_a_crash_made_lost_sight_of_is_reached_when_he_was_heard_however_soon),
		BY_EVERY_WAY(test_session_goes_on_after_a_crash_and_is_reached_when_it_was_heard),
		BY_EVERY_WAY(test_packet_of_another_workers_session_is_handed_over_untouched),
		BY_EVERY_WAY(test_confirm_of_another_workers_session_is_handed_over),
		BY_EVERY_WAY(test_burst_of_many_sessions_is_answered_one_by_one),
		BY_EVERY_WAY(test_whatever_comes_ends_in_one_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// pipeline_fixture.c: see pipeline_fixture.h.

#include "pipeline_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "net/return_headers.h"
#include "pipeline/egress.h"
#include "unit.h"

const unsigned fixture_paths[WAYS] = {WAY_COMMON, WAY_TAGGED4, WAY_IPV6, WAY_OFFLOAD, WAY_OFFLOAD_UDP, WAY_KERNEL};

uint8_t listener_of(const struct pipeline_fixture *g)
{
	return g->way == WAY_TAGGED4 || g->way == WAY_IPV6;
}

int pipeline_fixture_open(void **state)
{
	struct pipeline_fixture *g = zeroed_lines(sizeof(*g));

	g->way = *(const unsigned *)*state;
	g->fixture = fixture_open(PIPELINE_FIXTURE_CAPACITY, g->way == WAY_KERNEL ? STORE_SOCKETS : STORE_FRAMES);
	g->rig = rig_open("auto", 16);
	if (g->way == WAY_OFFLOAD || g->way == WAY_OFFLOAD_UDP)
		rig_offload(g->rig, 1 | (g->way == WAY_OFFLOAD ? TX_CHECKSUM_IP | TX_CHECKSUM_UDP : TX_CHECKSUM_UDP)
						    << 1);
	g->rig->registry.tables = FIXTURE_SHARDS;
	g->rig->policy.sessions = g->fixture->rules;
	for (unsigned i = 0; i < FIXTURE_SHARDS; i++) {
		g->rig->registry.ports[i] = 1;
		g->ingress[i] = g->rig->ingress;
		g->ingress[i].worker = i;
		g->ingress[i].port_bit = 1;
		g->ingress[i].port = 5;
		g->ingress[i].profile[listener_of(g)] = PG_PROFILE_SESSION;
		g->ingress[i].shard = g->fixture->shard[i];
		g->ingress[i].stats = &g->fixture->stats[i];
		g->ingress[i].arrivals = &g->fixture->stats[i].received;
		session_shard_use(g->fixture->shard[i], &g->rig->policy.sessions);
	}
	g->rig->ingress = g->ingress[0];
	if (g->ingress[0].profile[0] == PG_PROFILE_SESSION)
		identity_expect_sealed(&g->rig->identity);
	*state = g;
	return 0;
}

void check_conserved(const struct pipeline_fixture *g)
{
	for (unsigned k = 0; k < FIXTURE_SHARDS; k++)
		assert_true(stats_conserved(&g->fixture->stats[k]));
}

int pipeline_fixture_close(void **state)
{
	struct pipeline_fixture *g = *state;

	check_conserved(g);
	fixture_close(g->fixture);
	rig_close(g->rig);
	free(g);
	return 0;
}

// ---------------------------------------------------------------- ways

static struct flow flow_of(const struct pipeline_fixture *g, const struct peer *peer)
{
	// Of number 1: a MAC that ends in four zeros takes the longer way (net/fast_frame.h).
	struct flow flow = g->way == WAY_IPV6 ? flow6(0) : flow4(1);

	if (g->way == WAY_TAGGED4) {
		flow_tag(&flow, 0x88a8, 100);
		flow_tag(&flow, 0x8100, 7);
	}
	if (g->way == WAY_IPV6) {
		memcpy(flow.from, &peer->high, 8);
		memcpy(flow.from + 8, &peer->low, 8);
	} else {
		memcpy(flow.from, (const uint8_t *)&peer->low + 4, 4);
	}
	if (g->from_a_neighbour)
		flow.mac_from[5] ^= 0x55;
	flow.port_from = BE16(peer_port(peer));
	flow.port_to = listener_of(g) ? 8081 : 8080;
	return flow;
}

/// What a device is not asked for stands in the frame.
static void check_left(const uint8_t *frame, const struct frame *expected, unsigned checksums)
{
	uint8_t completed[ETHERNET_MAX];

	memcpy(completed, frame, expected->len);
	repair_checksums(completed, expected->len);
	if (!(checksums & TX_CHECKSUM_IP) && expected->l4 - expected->l3 == sizeof(struct ipv4_header))
		assert_memory_equal(frame + expected->l3 + 10, completed + expected->l3 + 10, 2);
	if (!(checksums & TX_CHECKSUM_UDP))
		assert_memory_equal(frame + expected->l4 + 6, completed + expected->l4 + 6, 2);
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
		check_left(completed, &expected, tx->checksums);
		assert_int_equal(tx->l2_len, expected.l3);
		assert_int_equal(tx->l3_len, expected.l4 - expected.l3);
		repair_checksums(completed, length);
	}
	if (flow->family == 4) {
		expected.bytes[expected.l3 + 6] = 0x40; // DF
		if (!answer)
			memset(expected.bytes + expected.l3 + 4, 0, 2);
		repair_checksums(expected.bytes, expected.len);
	}
	assert_int_equal(length, expected.len);
	assert_memory_equal(completed, expected.bytes, length);
	assert_true(checksums_right(completed, length));
}

static void deliver_frames(struct pipeline_fixture *g, struct ingress *ingress, const struct peer *peer,
			   uint8_t (*payload)[1500], const uint16_t *length, struct reply *reply, unsigned n)
{
	struct flow flow[BURST_MAX];
	struct frame f[BURST_MAX];
	struct burst burst;

	memset(&burst, 0, sizeof(burst));
	for (unsigned i = 0; i < n; i++) {
		flow[i] = flow_of(g, &peer[i]);
		build_udp(&f[i], &flow[i], payload[i], length[i]);
		burst.frame[i] = rig_buffer(g->rig, &f[i]);
		burst.length[i] = f[i].len;
		burst.rx[i] = RX_L4_CHECKSUM_GOOD | (g->way == WAY_OFFLOAD ? RX_IP_CHECKSUM_GOOD : 0);
	}
	g->rig->path->run[g->rig->rx_offload][g->rig->tx_offload](ingress, &burst, n, g->fixture->now);
	for (unsigned i = 0; i < n; i++) {
		const uint16_t headers = f[i].payload;

		reply[i].result = burst.drop[i];
		reply[i].owner = burst.owner[i];
		reply[i].length = (uint16_t)(burst.length[i] - headers);
		memcpy(reply[i].bytes, burst.frame[i] + headers, reply[i].length);
		if (burst.drop[i] == PG_DROP_NONE)
			check_frame(&flow[i], burst.frame[i], burst.length[i], g->rig->tx_offload ? &burst.tx[i] : NULL,
				    true);
		free(burst.frame[i]);
	}
}

static void deliver_datagrams(struct pipeline_fixture *g, struct ingress *ingress, const struct peer *peer,
			      uint8_t (*payload)[1500], const uint16_t *length, struct reply *reply, unsigned n)
{
	struct datagram_burst burst;

	memset(&burst, 0, sizeof(burst));
	for (unsigned i = 0; i < n; i++) {
		burst.peer[i] = peer[i];
		burst.payload[i] = reply[i].bytes;
		burst.length[i] = length[i];
		burst.socket_index[i] = g->from_a_neighbour ? 8 : 9;
		memcpy(reply[i].bytes, payload[i], length[i]);
	}
	g->rig->path->run_datagrams(ingress, &burst, n, g->fixture->now);
	for (unsigned i = 0; i < n; i++) {
		reply[i].result = burst.drop[i];
		reply[i].owner = burst.owner[i];
		reply[i].length = burst.length[i];
	}
}

void deliver(struct pipeline_fixture *g, unsigned shard, const struct peer *peer, uint8_t (*payload)[1500],
	     const uint16_t *length, struct reply *reply, unsigned n)
{
	memset(reply, 0, n * sizeof(*reply));
	if (g->way == WAY_KERNEL)
		deliver_datagrams(g, &g->ingress[shard], peer, payload, length, reply, n);
	else
		deliver_frames(g, &g->ingress[shard], peer, payload, length, reply, n);
}

struct reply send_from(struct pipeline_fixture *g, unsigned shard, const struct peer *peer, const uint8_t *payload,
		       uint16_t length)
{
	static uint8_t room[1][1500];
	static struct reply reply;

	memcpy(room[0], payload, length);
	deliver(g, shard, peer, room, &length, &reply, 1);
	return reply;
}

void check_dropped(struct pipeline_fixture *g, const struct reply *reply, enum pg_drop reason)
{
	assert_string_equal(pg_drop_name(reply->result), pg_drop_name(reason));
	assert_true(g->fixture->stats[0].dropped[reason] > 0);
}

// ---------------------------------------------------------------- egress

static unsigned egress_as_frames(struct pipeline_fixture *g, struct left *left)
{
	static uint8_t room[BURST_MAX][ETHERNET_MAX];
	struct frame_egress out;
	unsigned n;

	for (unsigned i = 0; i < BURST_MAX; i++)
		out.frame[i] = room[i];
	n = egress_frames(g->fixture->shard[0], &out, BURST_MAX, g->fixture->now);
	for (unsigned i = 0; i < n; i++) {
		const struct flow any = flow_of(g, &(struct peer){0});
		const unsigned l3 = 14 + 4 * any.tags, l4 = l3 + (any.family == 4 ? 20 : 40);
		const uint8_t *ip = room[i] + l3;
		struct flow flow;

		assert_int_equal(out.port[i], 5);
		if (any.family == 4)
			peer_set4(&left[i].peer, load32(ip + 16));
		else
			peer_set6(&left[i].peer, ip + 24);
		peer_set_channel(&left[i].peer, BE16(get16(room[i] + l4 + 2)), listener_of(g));
		left[i].length = (uint16_t)(out.length[i] - l4 - 8);
		memcpy(left[i].bytes, room[i] + l4 + 8, left[i].length);
		flow = flow_of(g, &left[i].peer);
		check_frame(&flow, room[i], out.length[i], NULL, false);
	}
	return n;
}

static unsigned egress_as_datagrams(struct pipeline_fixture *g, struct left *left)
{
	struct datagram_egress out;
	unsigned n;

	for (unsigned i = 0; i < BURST_MAX; i++)
		out.payload[i] = left[i].bytes;
	n = egress_datagrams(g->fixture->shard[0], &out, BURST_MAX, g->fixture->now);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(out.socket_index[i], 9);
		left[i].peer = out.peer[i];
		left[i].length = out.length[i];
	}
	return n;
}

unsigned drain_egress(struct pipeline_fixture *g, struct left left[BURST_MAX])
{
	const uint64_t before = g->fixture->stats[0].tx_originated;
	const struct session_shard *shard = g->fixture->shard[0];
	const bool waits = egress_ready(shard) || egress_due(shard) <= g->fixture->now;
	const unsigned n = g->way == WAY_KERNEL ? egress_as_datagrams(g, left) : egress_as_frames(g, left);

	assert_true(waits || n == 0);
	assert_int_equal(g->fixture->stats[0].tx_originated, before + n);
	return n;
}

unsigned await_egress(struct pipeline_fixture *g, unsigned ms, struct left left[BURST_MAX])
{
	for (unsigned i = 0; i < ms; i++) {
		const unsigned n = drain_egress(g, left);

		if (n > 0)
			return n;
		fixture_wait(g->fixture, 1);
	}
	return 0;
}

// ---------------------------------------------------------------- players

struct peer peer_number(const struct pipeline_fixture *g, uint32_t n)
{
	struct peer peer = peer_at(0x14000000 + n, 5000, listener_of(g));

	if (g->way == WAY_IPV6) {
		peer.high = 0x0000000000000120 | (uint64_t)n << 32; // 2001:... in network order, a /64 of its own
		peer.high = (peer.high & ~0xffffULL) | 0x0120;
		peer.low = 0x0100000000000000;
	}
	return peer;
}

struct player issue(struct pipeline_fixture *g, uint32_t id)
{
	struct player player = fixture_issue(g->fixture, id, 3600, false);

	player.peer = peer_number(g, id);
	return player;
}

bool connect_by(struct pipeline_fixture *g, unsigned shard, struct player *player)
{
	uint8_t datagram[PLAYER_BUFFER];
	uint16_t length = player_hello(player, datagram);
	struct reply reply = send_from(g, shard, &player->peer, datagram, length);

	if (reply.result != PG_DROP_NONE || reply.length > length ||
	    !player_take_challenge(player, reply.bytes, reply.length))
		return false;
	length = player_confirm(player, datagram);
	reply = send_from(g, shard, &player->peer, datagram, length);
	return reply.result == PG_DROP_NONE && reply.length == length &&
	       player_take_welcome(g->fixture, player, reply.bytes, reply.length);
}

struct player connected(struct pipeline_fixture *g, uint32_t id)
{
	struct player player = issue(g, id);

	assert_true(connect_by(g, 0, &player));
	return player;
}

// ---------------------------------------------------------------- messages

const struct message nothing = {.length = 0};
const struct motion a_motion = {.position = {1, 2, 3}, .velocity = {4, 5, 6}};

void add_message(struct message *m, uint8_t type, uint8_t flags, uint16_t id, const void *body, uint16_t length)
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

struct message a_move(void)
{
	struct message m = {.length = 0};

	add_message(&m, SESSION_MOVE, 0, 0, &a_motion, sizeof(a_motion));
	return m;
}

struct message an_attack(uint32_t target, uint8_t flags, uint16_t id)
{
	uint8_t body[20] = {0};
	struct message m = {.length = 0};

	memcpy(body, &target, sizeof(target));
	body[4] = 77; // attack_id
	add_message(&m, SESSION_ATTACK, flags, id, body, sizeof(body));
	return m;
}

uint16_t seal_data(struct pipeline_fixture *g, struct player *player, bool now, const struct message *m, uint8_t *out)
{
	const struct session_header header =
		player_header(player, SESSION_DATA, (uint16_t)(SESSION_DATA_MIN + m->length), ++player->sent);
	const struct session_prefix prefix = player_prefix(player, now);

	memcpy(out, &header, sizeof(header));
	memcpy(out + sizeof(header), &prefix, sizeof(prefix));
	memcpy(out + SESSION_BEFORE_MESSAGES, m->bytes, m->length);
	cipher_seal(&g->fixture->shard[0]->code, &player->cipher.seal, player->sent, out, sizeof(header),
		    header.length);
	return header.length;
}

struct reply say(struct pipeline_fixture *g, struct player *player, bool now, const struct message *m)
{
	uint8_t datagram[PLAYER_BUFFER];

	return send_from(g, 0, &player->peer, datagram, seal_data(g, player, now, m, datagram));
}

struct session_header header_of(const uint8_t *bytes)
{
	struct session_header header;

	memcpy(&header, bytes, sizeof(header));
	return header;
}

struct session_prefix prefix_of(const uint8_t *opened)
{
	struct session_prefix prefix;

	memcpy(&prefix, opened + sizeof(struct session_header), sizeof(prefix));
	return prefix;
}

struct session_header opened(struct pipeline_fixture *g, struct player *player, uint8_t *bytes, uint16_t length,
			     enum session_kind kind)
{
	assert_true(player_open(g->fixture, player, bytes, length));
	assert_int_equal(bytes[0], kind);
	return header_of(bytes);
}

struct session_prefix acknowledged_by(struct pipeline_fixture *g, struct player *player, uint8_t *bytes,
				      uint16_t length)
{
	opened(g, player, bytes, length, SESSION_DATA);
	return prefix_of(bytes);
}

// SPDX-License-Identifier: BSD-3-Clause
// fuzz_sealed.c: bursts of session datagrams through the whole pipeline, sealed rightly or not, on the lowest and best level.
//
// Input: records of flags, address, time (10 ms), length (u16, little-endian), bytes. Flags: bits 0 and 1 the player; bit 2 the
// bytes are sealed for that player: kind, flags, ack, what was sent so far and comes again, then what is encrypted; with bit 7 of
// the kind the player uses its spare from then on, with bit 6 it names the number before; bit 3 a
// HELLO or CONFIRM is made right for the player; bit 4 ends the burst; bit 5 the time goes by before it; bit 6 what is due
// leaves; bit 7 the worker process starts anew. Players 0 and 1 are connected at first, player 2 may once, player 3 was
// revoked. A PATH_RESPONSE that begins with T has the token of the last challenge.
//
// With -DFRAMES (fuzz_fast): the second world gets them in frames, most of which are DATA and take the lane made for
// them (pipeline/fast_data.h). A burst is then one player's, under one number: between players and between numbers, the lanes
// keep no order.

#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "heard.h"
#include "pipeline/egress.h"
#include "rig.h"
#include "session_fixture.h"

enum kind_flag { RENAMED = 0x80, BEFORE = 0x40 };
enum record_flag { SEAL = 4, HANDSHAKE = 8, END_BURST = 16, LATER = 32, EGRESS = 64, BREAK = 128 };

#define PLAYERS 4
#define CAPACITY 4
#define DATAGRAM_ROOM 1500
#define LEVELS 2
#ifndef FRAMES
#define FRAMES 0
#endif

/// One level's.
struct world {
	struct session_fixture *fixture;
	struct rig *rig;
	struct ingress ingress;
	struct datagram_burst burst;
	uint8_t bytes[BURST_MAX][DATAGRAM_ROOM];
};

struct table {
	struct world world[LEVELS];
	void *state;
	uint64_t now;
	struct player at_first[PLAYERS];
	struct player player[PLAYERS];
	struct heard heard[PLAYERS];
	unsigned speaker;                      // whose the burst is, with FRAMES
	uint8_t token[SESSION_PATH_TOKEN_LEN]; // of the last PATH_CHALLENGE
	uint8_t farewell[PLAYERS][FAREWELL_LEN];
	unsigned n;
	uint16_t asked[BURST_MAX];
	bool authentic; // something in the burst may change state
};

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

static void open_world(struct world *w, const char *isa)
{
	w->fixture = fixture_open(CAPACITY, FRAMES ? STORE_FRAMES | STORE_SOCKETS : STORE_SOCKETS);
	w->rig = rig_open(isa, 16);
	w->rig->policy.sessions = w->fixture->rules;
	for (unsigned i = 0; i < PG_REQUESTS; i++)
		w->rig->policy.sessions.delivery.message_rate[i] = rate_make(100, 64, pg_tsc_hz());
	for (unsigned listener = 0; listener < 2; listener++) {
		w->rig->policy.sessions.session[listener] = rate_make(400, 100, pg_tsc_hz());
		rig_limit_sources(w->rig, listener, rate_make(50, 20, pg_tsc_hz()));
	}
	w->ingress = w->rig->ingress;
	w->ingress.profile[0] = w->ingress.profile[1] = PG_PROFILE_SESSION;
	w->ingress.shard = w->fixture->shard[0];
	w->ingress.stats = &w->fixture->stats[0];
	w->ingress.arrivals = &w->fixture->stats[0].received;
	identity_expect_sealed(&w->rig->identity);
	session_shard_use(w->fixture->shard[0], &w->rig->policy.sessions);
}

static void prepare(struct table *t)
{
	struct session_fixture *fixture;

	open_world(&t->world[0], "v2");
	open_world(&t->world[1], "auto");
	fixture = t->world[0].fixture;
	for (uint32_t i = 0; i < PLAYERS; i++)
		t->at_first[i] = fixture_issue(fixture, i + 1, 60, i == 2);
	require(fixture_connect(fixture, 0, &t->at_first[0]) && fixture_connect(fixture, 0, &t->at_first[1]));
	require(pg_session_revoke(fixture->state, t->at_first[3].session));
	t->now = fixture->now;
	t->state = malloc(fixture->state_size);
	require(t->state != NULL);
	memcpy(t->state, fixture->state, fixture->state_size);
}

/// Both worlds are the same: state, cookies, random numbers.
static void start_again(struct table *t)
{
	memcpy(t->player, t->at_first, sizeof(t->player));
	memset(t->farewell, 0, sizeof(t->farewell));
	for (unsigned i = 0; i < PLAYERS; i++)
		t->heard[i] = (struct heard){t->player[i].newest, 1};
	t->n = 0;
	t->authentic = false;
	for (unsigned k = 0; k < LEVELS; k++) {
		struct world *w = &t->world[k];

		require(fixture_reset(w->fixture, t->state, t->now) == 2);
	}
}

// ---------------------------------------------------------------- what players see

static bool is_number_of(const struct player *player, uint32_t number)
{
	return number != 0 &&
	       (player_hears(player, number) || number == player->session || number == player->spare.number);
}

/// Of either world's, which are the same.
static void check_sealed(struct table *t, uint8_t *datagram, uint16_t length)
{
	struct session_header header;

	memcpy(&header, datagram, sizeof(header));
	require(header.length == length && length >= SESSION_AROUND && length <= SESSION_DATAGRAM_MAX);
	for (unsigned i = 0; i < PLAYERS; i++) {
		struct player *player = &t->player[i];

		if (!is_number_of(player, header.session))
			continue;
		if (header.kind == SESSION_CLOSE && length == FAREWELL_LEN)
			memcpy(t->farewell[i], datagram, FAREWELL_LEN);
		if (header.kind == SESSION_WELCOME) {
			t->farewell[i][0] = 0;
			require(player_take_welcome(t->world[0].fixture, player, datagram, length));
			t->heard[i] = (struct heard){player->newest, 1};
			return;
		}
		require(player_open(t->world[0].fixture, player, datagram, length));
		require(comes_first(&t->heard[i], player->newest));
		if (header.kind == SESSION_DATA)
			player_take_number(player, datagram, length);
		if (header.kind == SESSION_PATH_CHALLENGE)
			memcpy(t->token, datagram + sizeof(header), sizeof(t->token));
		return;
	}
	require(false);
}

/// What a session without connection is told: the CLOSE that was said, byte for byte, unless no way to the player was known
/// then; or the token of the last connection.
static void check_lost(struct table *t, uint8_t *datagram, uint16_t length, uint16_t asked)
{
	struct session_reset reset;

	require(length <= asked && length >= sizeof(reset));
	memcpy(&reset, datagram, sizeof(reset));
	for (unsigned i = 0; i < PLAYERS; i++) {
		const struct player *player = &t->player[i];

		if (!is_number_of(player, reset.header.session))
			continue;
		if (datagram[0] == SESSION_CLOSE && t->farewell[i][0] == 0)
			check_sealed(t, datagram, length);
		else if (datagram[0] == SESSION_CLOSE)
			require(length == FAREWELL_LEN && memcmp(datagram, t->farewell[i], FAREWELL_LEN) == 0);
		else
			require(length == sizeof(reset) && length < asked && reset.header.length == length &&
				memcmp(reset.token, player->welcome.reset_token, sizeof(reset.token)) == 0);
		return;
	}
	require(false);
}

static void check_answer(struct table *t, unsigned i)
{
	uint8_t *datagram = t->world[0].bytes[i];
	const uint16_t length = t->world[0].burst.length[i];

	switch (datagram[0]) {
	case SESSION_CHALLENGE:
		require(length == sizeof(struct session_challenge) && length <= t->asked[i]);
		for (unsigned k = 0; k < PLAYERS; k++)
			if (memcmp(&t->player[k].session, datagram + 4, 4) == 0) {
				const struct session_challenge *challenge = (const struct session_challenge *)datagram;

				memcpy(t->player[k].client_nonce, challenge->client_nonce, SESSION_NONCE_LEN);
				memcpy(t->player[k].cookie, challenge->cookie, SESSION_COOKIE_LEN);
			}
		return;
	case SESSION_DENIED:
		require(length == sizeof(struct session_denied) && length <= t->asked[i]);
		return;
	case SESSION_CLOSE:
	case SESSION_RESET:
		check_lost(t, datagram, length, t->asked[i]);
		return;
	default:
		require(datagram[0] == SESSION_WELCOME || datagram[0] == SESSION_DATA ||
			datagram[0] == SESSION_PATH_CHALLENGE);
		check_sealed(t, datagram, length);
	}
}

/// What departs is datagrams in both worlds, but frames teach return headers, not sockets: all sockets are known.
static void know_ways(struct table *t)
{
	for (unsigned k = 0; k < LEVELS; k++)
		memset(t->world[k].fixture->store.socket_indices, 1, CAPACITY);
}

static void drain_egress(struct table *t)
{
	if (FRAMES)
		know_ways(t);
	for (;;) {
		uint8_t bytes[LEVELS][BURST_MAX][SESSION_DATAGRAM_MAX];
		struct datagram_egress out[LEVELS];
		unsigned n[LEVELS];

		for (unsigned k = 0; k < LEVELS; k++) {
			for (unsigned i = 0; i < BURST_MAX; i++)
				out[k].payload[i] = bytes[k][i];
			n[k] = egress_datagrams(t->world[k].fixture->shard[0], &out[k], BURST_MAX,
						t->world[k].fixture->now);
		}
		require(n[0] == n[1]);
		for (unsigned i = 0; i < n[0]; i++) {
			require(out[0].length[i] == out[1].length[i]);
			require(memcmp(bytes[0][i], bytes[1][i], out[0].length[i]) == 0);
			check_sealed(t, bytes[0][i], out[0].length[i]);
		}
		if (n[0] < BURST_MAX)
			return;
	}
}

// ---------------------------------------------------------------- a burst

/// A frame around a datagram; number 0x5500 and not 0 or 2, whose MACs take the longer way.
static void frame_of(struct frame *f, const struct datagram_burst *burst, unsigned i)
{
	const struct peer *peer = &burst->peer[i];
	struct flow flow = flow4(0x5500);

	memcpy(flow.from, (const uint8_t *)&peer->low + 4, 4);
	flow.port_from = BE16(peer_port(peer));
	flow.port_to = peer_listener(peer) ? 8081 : 8080;
	build_udp(f, &flow, burst->payload[i], burst->length[i]);
}

/// As run_datagrams(), in frames; what came of it is taken out of them.
static void run_in_frames(struct world *w, unsigned n)
{
	static uint8_t room[BURST_MAX][ETHERNET_MAX];
	static struct burst burst;

	memset(&burst, 0, sizeof(burst));
	for (unsigned i = 0; i < n; i++) {
		struct frame f;

		frame_of(&f, &w->burst, i);
		memcpy(room[i], f.bytes, f.len);
		burst.frame[i] = room[i];
		burst.length[i] = f.len;
	}
	w->rig->path->run[0][0](&w->ingress, &burst, n, w->fixture->now);
	for (unsigned i = 0; i < n; i++) {
		w->burst.drop[i] = burst.drop[i];
		if (burst.drop[i] != PG_DROP_NONE)
			continue;
		require(checksums_right(room[i], burst.length[i]));
		w->burst.length[i] = (uint16_t)(burst.length[i] - 42);
		memcpy(w->bytes[i], room[i] + 42, w->burst.length[i]);
	}
}

static void run_level(struct table *t, unsigned level)
{
	struct world *w = &t->world[level];

	if (FRAMES && level == LEVELS - 1)
		run_in_frames(w, t->n);
	else
		w->rig->path->run_datagrams(&w->ingress, &w->burst, t->n, w->fixture->now);
	require(stats_conserved(&w->fixture->stats[0]));
}

static void run_burst(struct table *t)
{
	const size_t records = CAPACITY * sizeof(struct session_record);
	uint8_t before[CAPACITY * sizeof(struct session_record)];
	struct world *w = t->world;

	memcpy(before, w[0].fixture->store.records, records);
	for (unsigned k = 0; k < LEVELS; k++)
		run_level(t, k);
	require(memcmp(w[0].fixture->store.records, w[1].fixture->store.records, records) == 0);
	require(memcmp(&w[0].fixture->stats[0], &w[1].fixture->stats[0], sizeof(w[0].fixture->stats[0])) == 0);
	if (!t->authentic)
		require(memcmp(before, w[0].fixture->store.records, records) == 0);
	for (unsigned i = 0; i < t->n; i++) {
		require(w[0].burst.drop[i] == w[1].burst.drop[i]);
		if (w[0].burst.drop[i] != PG_DROP_NONE)
			continue;
		require(w[0].burst.length[i] == w[1].burst.length[i]);
		require(memcmp(w[0].bytes[i], w[1].bytes[i], w[0].burst.length[i]) == 0);
	}
	for (unsigned i = 0; i < t->n; i++)
		if (w[0].burst.drop[i] == PG_DROP_NONE)
			check_answer(t, i);
	t->n = 0;
	t->authentic = false;
}

/// @param kind  with enum kind_flag
static struct session_header numbered_header(struct player *player, uint8_t kind, uint32_t counter)
{
	struct player as;

	if (kind & RENAMED && player->spare.number != 0)
		player_rename(player);
	as = *player;
	if (kind & BEFORE && player->before.number != 0)
		as.now = player->before;
	return player_header(&as, kind & (uint8_t) ~(RENAMED | BEFORE), 0, counter);
}

/// Seal what the input says for a player, under the player's next counter or an earlier one. What a DATA wants is the lower half
/// of its flags. The lowest bit of the other half begins the next key phase, if the gateway was heard in the present one: who
/// goes on without would not know which phase the gateway's flag means.
static uint16_t seal(struct table *t, struct player *player, const uint8_t *bytes, uint16_t length, uint8_t *out)
{
	struct session_header header;
	struct session_prefix prefix = {.ack = 0};
	uint16_t before = 0;
	uint32_t counter;

	if (length < 4)
		return 0;
	counter = bytes[3] ? player->sent + 1 - (bytes[3] < player->sent ? bytes[3] : player->sent) : ++player->sent;
	if (bytes[1] >> 4 & SESSION_FLAG_PHASE && player->seal_phase == player->open_phase)
		player_seal_in(t->world[0].fixture, player, player->seal_phase + 1);
	header = numbered_header(player, bytes[0], counter);
	header.flags = (uint8_t)((bytes[1] >> 4 & ~SESSION_FLAG_PHASE) | player->seal_phase % 2);
	if (header.kind == SESSION_DATA) {
		prefix.ack = bytes[2] ? player->newest + 1 - bytes[2] : 0;
		prefix.ack_bits = bytes[2] ? 0xfffffff0U : 0;
		prefix.wants = bytes[1] & 15;
		before = sizeof(prefix);
	}
	header.length = (uint16_t)(SESSION_AROUND + before + length - 4);
	memcpy(out, &header, sizeof(header));
	memcpy(out + sizeof(header), &prefix, before);
	memcpy(out + sizeof(header) + before, bytes + 4, length - 4U);
	if (header.kind == SESSION_PATH_RESPONSE && length == 4 + sizeof(t->token) && bytes[4] == 'T')
		memcpy(out + sizeof(header), t->token, sizeof(t->token));
	cipher_seal(&t->world[0].fixture->shard[0]->code, &player->cipher.seal, counter, out, sizeof(header),
		    header.length);
	return header.length;
}

static uint16_t send_handshake(const struct player *player, const uint8_t *bytes, uint16_t length, uint8_t *out)
{
	struct session_confirm *confirm = (struct session_confirm *)out;

	memcpy(out, bytes, length);
	if (length < sizeof(confirm->header))
		return length;
	confirm->header = (struct session_header){.kind = out[0], .length = length, .session = player->session};
	if (out[0] != SESSION_CONFIRM || length < SESSION_DATAGRAM_MIN)
		return length;
	confirm->max_datagram = length;
	memcpy(confirm->client_nonce, player->client_nonce, SESSION_NONCE_LEN);
	memcpy(confirm->cookie, player->cookie, SESSION_COOKIE_LEN);
	memcpy(confirm->client_share, player->exchange.share, EXCHANGE_LEN);
	proof_write(PROOF_OF_CONFIRM, player->key, out, length);
	return length;
}

static void add(struct table *t, unsigned flags, uint8_t address, const uint8_t *bytes, uint16_t length)
{
	struct player *player = &t->player[flags & 3];
	const struct peer peer = address ? peer_at(0x14000000 + address / 2, 5000, address & 1) : player->peer;
	uint8_t *datagram = t->world[0].bytes[t->n];
	uint16_t made = length;

	if (flags & SEAL)
		made = seal(t, player, bytes, length, datagram);
	else if (flags & HANDSHAKE)
		made = send_handshake(player, bytes, length, datagram);
	else
		memcpy(datagram, bytes, length);
	t->authentic |= (flags & (SEAL | HANDSHAKE)) != 0;
	t->asked[t->n] = made;
	memcpy(t->world[1].bytes[t->n], datagram, made);
	for (unsigned k = 0; k < LEVELS; k++) {
		t->world[k].burst.peer[t->n] = peer;
		t->world[k].burst.payload[t->n] = t->world[k].bytes[t->n];
		t->world[k].burst.length[t->n] = made;
		t->world[k].burst.socket_index[t->n] = 0;
		t->world[k].burst.drop[t->n] = 0xee;
	}
	t->n++;
}

// ---------------------------------------------------------------- between bursts

static void pass_time(struct table *t, uint8_t tens_of_ms)
{
	for (unsigned k = 0; k < LEVELS; k++) {
		struct session_fixture *fixture = t->world[k].fixture;

		fixture_wait(fixture, 10ULL * tens_of_ms);
		connection_sweep(fixture->shard[0], fixture->now, CAPACITY);
	}
	drain_egress(t);
}

/// The messages of a dead process are gone, and its memory.
static void start_process(struct table *t)
{
	for (unsigned k = 0; k < LEVELS; k++) {
		struct session_fixture *fixture = t->world[k].fixture;
		struct session_shard *shard = fixture->shard[0];

		for (uint32_t slot = 0; slot < CAPACITY; slot++)
			delivery_end(&shard->ctx, store_delivery(&fixture->store, slot), PG_LOSS_CLOSED);
		require(shard->ctx.pool->used == 1 || shard->ctx.pool->used == 0);
		fixture_restart_in_place(fixture);
	}
}

/// Nothing that was kept for messages is lost.
static void end(struct table *t)
{
	for (unsigned k = 0; k < LEVELS; k++) {
		struct session_shard *shard = t->world[k].fixture->shard[0];

		for (uint32_t slot = 0; slot < CAPACITY; slot++)
			if (record_owner(&shard->store->records[slot]) == 0)
				connection_close(shard, slot, SESSION_CLOSED_SHUTDOWN, t->world[k].fixture->now);
		require(shard->ctx.pool->used == 1 || shard->ctx.pool->used == 0);
		require(t->world[k].fixture->stats[0].connected == 0 && shard->wheel.scheduled == 0);
	}
}

/// @param head  and its bytes behind it
static bool names_number(const uint8_t head[5], size_t length)
{
	return head[0] & SEAL && length > 0 && head[5] & (RENAMED | BEFORE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct table t;

	if (!t.state)
		prepare(&t);
	start_again(&t);
	while (size >= 5) {
		const uint8_t *head = data;
		size_t length = (size_t)(data[3] | data[4] << 8) % (PG_DATAGRAM_MAX - SESSION_DATA_MIN + 1);

		data += 5;
		size -= 5;
		length = length < size ? length : size;
		if (head[0] & (LATER | EGRESS | BREAK))
			run_burst(&t);
		if (FRAMES && ((head[0] & 3) != t.speaker || names_number(head, length)))
			run_burst(&t);
		t.speaker = head[0] & 3;
		if (head[0] & BREAK)
			start_process(&t);
		if (head[0] & (LATER | EGRESS))
			pass_time(&t, head[0] & LATER ? head[2] : 0);
		add(&t, head[0], head[1], data, (uint16_t)length);
		data += length;
		size -= length;
		if (head[0] & END_BURST || t.n == BURST_MAX || (FRAMES && names_number(head, length)))
			run_burst(&t);
	}
	run_burst(&t);
	end(&t);
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// sealed_twins.c: see sealed_twins.h.

#include "sealed_twins.h"

#include <stdlib.h>
#include <string.h>

#include "net/return_headers.h"
#include "net/sealed_frame.h"
#include "pipeline/egress.h"
#include "unit.h"

#define PLAIN_CAPACITY 16
#define FIRST_ID 10 // not 2: a MAC that ends like ours takes the longer way

static const char *const levels[] = {"v2", "v3", "v4"};

// ---------------------------------------------------------------- beginning and end

/// What both begin with: made once, because a connection costs more than a test.
struct beginning {
	struct house *house[2];
	struct player player[CAST];
	void *state;
	uint64_t now;
};

static struct beginning beginning_make(void)
{
	struct beginning b = {
		.house = {house_open(TWINS_CAPACITY, STORE_FRAMES), house_open(TWINS_CAPACITY, STORE_FRAMES)}};
	struct house *house = b.house[0];

	for (unsigned i = 0; i < CAST; i++) {
		b.player[i] = house_issue(house, FIRST_ID + i, 3600, false);
		if (i == SHORT)
			b.player[i].max_datagram = SESSION_DATAGRAM_MIN;
		if (i != IDLE)
			assert_true(house_connect(house, i == OF_ANOTHER, &b.player[i]));
	}
	assert_true(pg_session_revoke(house->state, b.player[REVOKED].session));
	b.now = house->now;
	b.state = malloc(house->state_size);
	assert_non_null(b.state);
	memcpy(b.state, house->state, house->state_size);
	return b;
}

static void beginning_free(struct beginning *b)
{
	house_close(b->house[0]);
	house_close(b->house[1]);
	free(b->state);
}

static void twin_open(struct twin *twin, struct house *house, const struct beginning *b, const char *level,
		      unsigned offload)
{
	struct rig *rig = rig_open(level, PLAIN_CAPACITY);

	house_reset(house, b->state, b->now);
	for (unsigned i = 0; i < HOUSE_SHARDS; i++)
		session_side_use(house->shard[i], &rig->policy.sessions);
	rig_offload(rig, offload);
	rig->registry.tables = HOUSE_SHARDS;
	rig->registry.active[1] = &house->stats[1].sessions_active;
	rig->registry.ports[0] = rig->registry.ports[1] = 1;
	rig->policy.sessions = house->rules;
	*twin = (struct twin){.house = house, .rig = rig, .ingress = rig->ingress};
	twin->ingress.port_bit = 1;
	twin->ingress.port = 5;
	twin->ingress.shard = house->shard[0];
	twin->ingress.stats = &house->stats[0];
	twin->ingress.arrivals = &house->stats[0].received;
	told_open(&twin->told, &house->store);
	twin->listener = (struct acknowledged_listener){told_write_down, &twin->told};
	house->shard[0]->ctx.listener = &twin->listener;
	house->shard[0]->ctx.listeners = 1;
}

void twins_speak(struct twins *t, uint32_t sealed)
{
	for (unsigned k = 0; k < TWINS; k++) {
		struct twin *twin = &t->twin[k];

		rig_identity(&twin->rig->identity);
		for (unsigned i = 0; i < PG_LISTENERS_MAX; i++)
			twin->ingress.profile[i] = sealed >> i & 1 ? PG_PROFILE_SESSION : PG_PROFILE_PLAIN;
		if (sealed & 1)
			identity_expect_sealed(&twin->rig->identity);
	}
	fast_frame_close(&t->twin[WITHOUT].rig->identity.fast);
}

/// Answers and egress go where players were heard: once after the beginning, all of them are.
static void be_heard(struct twins *t)
{
	let_pass(t, 3000);
	for (unsigned i = 0; i <= SHORT; i++) {
		const struct letter letter = no_message(true);

		add_letter(t, i, &letter);
	}
	run(t);
	for (unsigned i = 0; i <= SHORT; i++)
		assert_int_equal(t->fate[i].result, PG_DROP_NONE);
	let_pass(t, 10);
}

static void check_books(const struct twin *twin)
{
	const struct pg_worker_stats *s = &twin->house->stats[0];
	uint64_t ended = s->handed_out;

	for (unsigned i = 0; i < PG_MESSAGES; i++)
		ended += s->handled[i];
	for (unsigned i = 0; i < PG_DROPS; i++)
		ended += s->dropped[i];
	assert_int_equal(ended, s->received);
	assert_int_equal(s->dropped[PG_DROP_NONE], 0);
}

static void check_level(void (*check)(struct twins *t), const struct beginning *b, const char *level, unsigned offload)
{
	struct twins *t = zeroed_lines(sizeof(*t));

	memcpy(t->player, b->player, sizeof(t->player));
	twin_open(&t->twin[WITH], b->house[0], b, level, offload);
	twin_open(&t->twin[WITHOUT], b->house[1], b, level, offload);
	twins_speak(t, 1);
	be_heard(t);
	check(t);
	assert_memory_equal(&t->twin[WITH].rig->sources, &t->twin[WITHOUT].rig->sources,
			    sizeof(t->twin[WITH].rig->sources));
	assert_memory_equal(t->twin[WITH].rig->region, t->twin[WITHOUT].rig->region, plain_region_size(PLAIN_CAPACITY));
	for (unsigned k = 0; k < TWINS; k++) {
		struct twin *twin = &t->twin[k];

		check_books(twin);
		told_close(&twin->told);
		twin->house->shard[0]->ctx.listeners = 0;
		rig_close(twin->rig);
	}
	free(t);
}

void on_every_level(void (*check)(struct twins *t))
{
	struct beginning b = beginning_make();

	for (size_t level = 0; level < COUNT(levels); level++)
		for (unsigned offload = 0; offload < RIG_OFFLOADS && hot_path_select(levels[level]); offload++)
			check_level(check, &b, levels[level], offload);
	beginning_free(&b);
}

// ---------------------------------------------------------------- a burst

static void give(struct twin *twin, const struct twins *t, struct burst *burst, uint8_t behind)
{
	memset(burst, 0, sizeof(*burst));
	for (unsigned i = 0; i < t->n; i++) {
		uint8_t *buffer = malloc(ETHERNET_MAX); // as small as one can be

		assert_non_null(buffer);
		memset(buffer, behind, ETHERNET_MAX);
		memcpy(buffer, t->frame[i].bytes, t->frame[i].len);
		burst->frame[i] = buffer;
		burst->length[i] = t->frame[i].len;
		burst->rx[i] = t->rx[i];
	}
	twin->rig->path->run[twin->rig->rx_offload][twin->rig->tx_offload](&twin->ingress, burst, t->n,
									   twin->house->now);
}

/// All that players, the operator and another worker can ever see of a delivery.
static void check_conversations(const struct session_store *a, const struct session_store *b)
{
	for (uint32_t slot = 0; slot < TWINS_CAPACITY; slot++) {
		const struct delivery *x = store_delivery(a, slot), *y = store_delivery(b, slot);

		assert_int_equal(x->wake, y->wake);
		assert_int_equal(x->owed, y->owed);
		if (x->owed != 0) // else the next one starts to count
			assert_int_equal(x->owing, y->owing);
		assert_int_equal(x->hears, y->hears);
		assert_memory_equal(x->conforms_at, y->conforms_at, sizeof(x->conforms_at));
		assert_int_equal(delivery_undelivered(x), delivery_undelivered(y));
		assert_memory_equal(x->in.window, y->in.window, sizeof(x->in.window));
		assert_memory_equal(x->out.window, y->out.window, sizeof(x->out.window));
		assert_int_equal(a->links[slot].due, b->links[slot].due);
	}
}

static void check_alike(const struct twins *t)
{
	const struct house *a = t->twin[WITH].house, *b = t->twin[WITHOUT].house;
	const struct session_shard *x = a->shard[0], *y = b->shard[0];

	assert_memory_equal(a->stats, b->stats, sizeof(a->stats));
	assert_memory_equal(a->store.records, b->store.records, TWINS_CAPACITY * sizeof(struct session_record));
	assert_memory_equal(a->store.return_headers, b->store.return_headers,
			    TWINS_CAPACITY * sizeof(struct return_headers));
	check_conversations(&a->store, &b->store);
	assert_true(told_alike(&t->twin[WITH].told, &t->twin[WITHOUT].told));
	assert_int_equal(x->outbox.count, y->outbox.count);
	assert_int_equal(x->wheel.scheduled, y->wheel.scheduled);
	assert_int_equal(x->ctx.pool->used, y->ctx.pool->used);
}

/// An answer is a whole frame to who asked.
static void check_answer(const struct twins *t, const struct burst *burst, unsigned i)
{
	uint8_t completed[ETHERNET_MAX];

	if (!checksums_right(t->frame[i].bytes, t->frame[i].len)) // the device said they were
		return;
	memcpy(completed, burst->frame[i], burst->length[i]);
	if (burst->tx[i].checksums) // what the device does
		repair_checksums(completed, burst->length[i]);
	assert_true(checksums_right(completed, burst->length[i]));
	assert_memory_equal(completed, t->frame[i].bytes + 6, 6);
	assert_memory_equal(completed + 6, our_mac, 6);
}

static void check_frame(const struct twins *t, const struct burst *a, const struct burst *b, unsigned i)
{
	assert_int_equal(a->drop[i], b->drop[i]);
	assert_int_equal(a->owner[i], b->owner[i]);
	assert_int_equal(a->length[i], b->length[i]);
	assert_memory_equal(&a->tx[i], &b->tx[i], sizeof(a->tx[i]));
	if (a->drop[i] == PACKET_ELSEWHERE) { // untouched
		assert_memory_equal(a->frame[i], t->frame[i].bytes, t->frame[i].len);
		assert_memory_equal(b->frame[i], t->frame[i].bytes, t->frame[i].len);
	}
	if (a->drop[i] != PG_DROP_NONE)
		return;
	assert_memory_equal(a->frame[i], b->frame[i], a->length[i]);
	check_answer(t, a, i);
}

/// As far as it is for one of the players: what this player has seen, and the token of the challenge.
static void show(struct twins *t, const uint8_t *payload, uint16_t length)
{
	uint8_t copy[ETHERNET_MAX];
	struct session_header header;

	if (length < SESSION_SEALED_MIN)
		return;
	memcpy(copy, payload, length);
	memcpy(&header, copy, sizeof(header));
	for (unsigned i = 0; i < CAST; i++) {
		const uint64_t newest = t->player[i].newest;

		if (t->player[i].session != header.session ||
		    !player_open(t->twin[WITH].house, &t->player[i], copy, length))
			continue;
		assert_int_not_equal(t->player[i].newest, newest);
		if (header.kind == SESSION_PATH_CHALLENGE)
			memcpy(t->token[i], copy + sizeof(header), sizeof(t->token[i]));
	}
}

static void tell(struct twins *t, const struct burst *burst, unsigned i)
{
	struct fate *fate = &t->fate[i];
	const uint16_t headers = t->frame[i].payload;

	*fate = (struct fate){.result = burst->drop[i]};
	if (fate->result != PG_DROP_NONE || headers == 0 || burst->length[i] < headers)
		return;
	fate->length = (uint16_t)(burst->length[i] - headers);
	memcpy(fate->payload, burst->frame[i] + headers, fate->length);
	show(t, fate->payload, fate->length);
}

void run(struct twins *t)
{
	struct burst a, b;

	give(&t->twin[WITH], t, &a, 0x00);
	give(&t->twin[WITHOUT], t, &b, 0xff);
	assert_int_equal(a.unanswered, b.unanswered);
	assert_true(a.resized || !b.resized); // said once too often does no harm
	for (unsigned i = 0; i < t->n; i++) {
		check_frame(t, &a, &b, i);
		tell(t, &a, i);
		free(a.frame[i]);
		free(b.frame[i]);
	}
	check_alike(t);
	for (unsigned i = 0; i < CAST; i++)
		if (is_connected(t, i)) // where the player is proved to be by now
			t->player[i].peer = house_record(t->twin[WITH].house, &t->player[i])->peer;
	t->n = 0;
}

const struct fate *run_letter(struct twins *t, unsigned player, const struct letter *letter)
{
	assert_int_equal(t->n, 0);
	add_letter(t, player, letter);
	run(t);
	return &t->fate[0];
}

uint64_t stat_of(const struct twins *t, enum pg_drop reason)
{
	return t->twin[WITH].house->stats[0].dropped[reason];
}

void check_all_in_lane(const struct twins *t)
{
	assert_int_equal(t->in_lane, t->all_frames);
}

struct rate once_in(unsigned seconds, unsigned burst)
{
	return (struct rate){.interval = seconds * pg_tsc_hz(), .tolerance = (burst - 1) * seconds * pg_tsc_hz()};
}

void limit_sources(struct twins *t, struct rate rate)
{
	for (unsigned k = 0; k < TWINS; k++) {
		struct twin *twin = &t->twin[k];

		rig_limit_sources(twin->rig, 0, rate);
	}
}

// ---------------------------------------------------------------- between bursts

struct leaving_frame {
	unsigned ip; // where its IPv4 header is
	unsigned at; // in the order of leaving
	uint16_t length;
	uint8_t bytes[ETHERNET_MAX];
};

#define LEAVING_MAX (16 * BURST_MAX)

static unsigned leave(struct twin *twin, struct leaving_frame *leaving)
{
	static uint8_t room[BURST_MAX][ETHERNET_MAX];
	struct frame_egress out;
	unsigned total = 0, n;

	do {
		for (unsigned i = 0; i < BURST_MAX; i++)
			out.frame[i] = room[i];
		n = egress_frames(twin->house->shard[0], &out, BURST_MAX, twin->house->now);
		assert_true(total + n <= LEAVING_MAX);
		for (unsigned i = 0; i < n; i++, total++) {
			leaving[total].at = total;
			leaving[total].length = out.length[i];
			leaving[total].ip = get16(room[i] + 12) == 0x8100 ? 18 : 14;
			memcpy(leaving[total].bytes, room[i], out.length[i]);
		}
	} while (n == BURST_MAX);
	return total;
}

/// By whom it is for: the order between sessions says nothing.
static int compare_leaving(const void *a, const void *b)
{
	const struct leaving_frame *x = a, *y = b;
	const int to = memcmp(x->bytes + x->ip + 16, y->bytes + y->ip + 16, 4);

	return to != 0 ? to : (x->at > y->at) - (x->at < y->at);
}

static void drain_egress(struct twins *t)
{
	static struct leaving_frame a[LEAVING_MAX], b[LEAVING_MAX];
	const unsigned n = leave(&t->twin[WITH], a);

	assert_int_equal(leave(&t->twin[WITHOUT], b), n);
	qsort(a, n, sizeof(a[0]), compare_leaving);
	qsort(b, n, sizeof(b[0]), compare_leaving);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(a[i].length, b[i].length);
		assert_memory_equal(a[i].bytes, b[i].bytes, a[i].length);
		show(t, a[i].bytes + a[i].ip + 28, (uint16_t)(a[i].length - a[i].ip - 28));
	}
}

void let_pass(struct twins *t, unsigned ms)
{
	for (unsigned k = 0; k < TWINS; k++) {
		struct twin *twin = &t->twin[k];

		house_wait(twin->house, ms);
		connection_sweep(twin->house->shard[0], twin->house->now, TWINS_CAPACITY);
	}
	drain_egress(t);
	check_alike(t);
}

bool is_connected(const struct twins *t, unsigned player)
{
	const struct session_record *record = house_record(t->twin[WITH].house, &t->player[player]);

	return record_owner(record) == 0 && record->phase == RECORD_CONNECTED;
}

static const struct fate *run_handshake(struct twins *t, unsigned player, const uint8_t *payload, uint16_t length)
{
	const struct flow flow = flow_from(t, player);
	struct frame f;

	build_udp(&f, &flow, payload, length);
	add(t, &f);
	run(t);
	return &t->fate[0];
}

void connect(struct twins *t, unsigned player)
{
	struct player *p = &t->player[player];
	uint8_t payload[PLAYER_BUFFER];
	const struct fate *fate = run_handshake(t, player, payload, player_hello(p, payload));

	assert_int_equal(fate->result, PG_DROP_NONE);
	assert_true(player_take_challenge(p, fate->payload, fate->length));
	fate = run_handshake(t, player, payload, player_confirm(p, payload));
	if (fate->result != PG_DROP_NONE)
		fail_msg("player %u cannot connect: %s", player, pg_drop_name(fate->result));
	memcpy(payload, fate->payload, fate->length);
	assert_true(player_take_welcome(t->twin[WITH].house, p, payload, fate->length));
}

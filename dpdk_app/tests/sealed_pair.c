// SPDX-License-Identifier: BSD-3-Clause
// sealed_pair.c: see sealed_pair.h.

#include "sealed_pair.h"

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
	struct session_fixture *fixture[2];
	struct player player[CAST];
	void *state;
	uint64_t now;
};

static struct beginning beginning_make(void)
{
	struct beginning b = {
		.fixture = {fixture_open(PAIR_CAPACITY, STORE_FRAMES), fixture_open(PAIR_CAPACITY, STORE_FRAMES)}};
	struct session_fixture *fixture = b.fixture[0];

	for (unsigned i = 0; i < CAST; i++) {
		b.player[i] = fixture_issue(fixture, FIRST_ID + i, 3600, false);
		if (i == SHORT)
			b.player[i].max_datagram = SESSION_DATAGRAM_MIN;
		if (i != IDLE)
			assert_true(fixture_connect(fixture, i == OF_ANOTHER, &b.player[i]));
	}
	assert_true(pg_session_revoke(fixture->state, b.player[REVOKED].session));
	b.now = fixture->now;
	b.state = malloc(fixture->state_size);
	assert_non_null(b.state);
	memcpy(b.state, fixture->state, fixture->state_size);
	return b;
}

static void beginning_free(struct beginning *b)
{
	fixture_close(b->fixture[0]);
	fixture_close(b->fixture[1]);
	free(b->state);
}

static void variant_open(struct pipeline_variant *variant, struct session_fixture *fixture, const struct beginning *b,
			 const char *level, unsigned offload)
{
	struct rig *rig = rig_open(level, PLAIN_CAPACITY);

	fixture_reset(fixture, b->state, b->now);
	rig->policy.sessions = fixture->rules; // the same: nobody is told other limits
	for (unsigned i = 0; i < FIXTURE_SHARDS; i++)
		session_shard_use(fixture->shard[i], &rig->policy.sessions);
	rig_offload(rig, offload);
	rig->registry.tables = FIXTURE_SHARDS;
	rig->registry.active[1] = &fixture->stats[1].sessions_active;
	rig->registry.ports[0] = rig->registry.ports[1] = 1;
	*variant = (struct pipeline_variant){.fixture = fixture, .rig = rig, .ingress = rig->ingress};
	variant->ingress.port_bit = 1;
	variant->ingress.port = 5;
	variant->ingress.shard = fixture->shard[0];
	variant->ingress.stats = &fixture->stats[0];
	variant->ingress.arrivals = &fixture->stats[0].received;
	told_open(&variant->told, &fixture->store);
	variant->listener = told_listener(&variant->told);
	fixture->shard[0]->ctx.listener = &variant->listener;
	fixture->shard[0]->ctx.listeners = 1;
}

void pair_speak(struct pipeline_pair *t, uint32_t sealed)
{
	for (unsigned k = 0; k < VARIANTS; k++) {
		struct pipeline_variant *variant = &t->variant[k];

		rig_identity(&variant->rig->identity);
		for (unsigned i = 0; i < PG_LISTENERS_MAX; i++)
			variant->ingress.profile[i] = sealed >> i & 1 ? PG_PROFILE_SESSION : PG_PROFILE_PLAIN;
		if (sealed & 1)
			identity_expect_sealed(&variant->rig->identity);
	}
	fast_frame_close(&t->variant[WITHOUT].rig->identity.fast);
}

static void all_say(struct pipeline_pair *t, const struct plaintext *plaintext, unsigned result)
{
	for (unsigned i = 0; i <= SHORT; i++)
		add_plaintext(t, i, plaintext);
	run(t);
	for (unsigned i = 0; i <= SHORT; i++)
		assert_int_equal(t->outcome[i].result, result);
}

/// Answers and egress go where players were heard: once after the beginning, all of them are. What an answer brought is
/// acknowledged, so that nothing is on its way.
static void be_heard(struct pipeline_pair *t)
{
	const struct plaintext movement = a_movement(true);
	struct plaintext acknowledgement = no_message(false);

	acknowledgement.ack_bits = UINT32_MAX;
	let_pass(t, 3000);
	all_say(t, &movement, PG_DROP_NONE);
	let_pass(t, 10);
	all_say(t, &acknowledgement, PACKET_ABSORBED);
}

static void check_level(void (*check)(struct pipeline_pair *t), const struct beginning *b, const char *level,
			unsigned offload)
{
	struct pipeline_pair *t = zeroed_lines(sizeof(*t));

	memcpy(t->player, b->player, sizeof(t->player));
	variant_open(&t->variant[WITH], b->fixture[0], b, level, offload);
	variant_open(&t->variant[WITHOUT], b->fixture[1], b, level, offload);
	pair_speak(t, 1);
	be_heard(t);
	check(t);
	assert_memory_equal(&t->variant[WITH].rig->sources, &t->variant[WITHOUT].rig->sources,
			    sizeof(t->variant[WITH].rig->sources));
	assert_memory_equal(t->variant[WITH].rig->region, t->variant[WITHOUT].rig->region,
			    plain_region_size(PLAIN_CAPACITY));
	for (unsigned k = 0; k < VARIANTS; k++) {
		struct pipeline_variant *variant = &t->variant[k];

		assert_true(stats_conserved(&variant->fixture->stats[0]));
		told_close(&variant->told);
		variant->fixture->shard[0]->ctx.listeners = 0;
		rig_close(variant->rig);
	}
	free(t);
}

void on_every_level(void (*check)(struct pipeline_pair *t))
{
	struct beginning b = beginning_make();

	for (size_t level = 0; level < COUNT(levels); level++)
		for (unsigned offload = 0; offload < RIG_OFFLOADS && hot_path_select(levels[level]); offload++)
			check_level(check, &b, levels[level], offload);
	beginning_free(&b);
}

// ---------------------------------------------------------------- a burst

static void give(struct pipeline_variant *variant, const struct pipeline_pair *t, struct burst *burst, uint8_t behind)
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
	variant->rig->path->run[variant->rig->rx_offload][variant->rig->tx_offload](&variant->ingress, burst, t->n,
										    variant->fixture->now);
}

/// All that players, the operator and another worker can ever see of a delivery.
static void check_conversations(const struct session_store *a, const struct session_store *b)
{
	for (uint32_t slot = 0; slot < PAIR_CAPACITY; slot++) {
		const struct delivery *x = store_delivery(a, slot), *y = store_delivery(b, slot);

		assert_int_equal(x->wake, y->wake);
		assert_int_equal(x->owed, y->owed);
		assert_int_equal(x->next_fill, y->next_fill);
		if (x->owed != 0) // else the next one starts to count
			assert_int_equal(x->owing, y->owing);
		assert_int_equal(x->hears, y->hears);
		assert_memory_equal(x->conforms_at, y->conforms_at, sizeof(x->conforms_at));
		assert_int_equal(delivery_undelivered(x), delivery_undelivered(y));
		assert_memory_equal(x->in.oldest, y->in.oldest, sizeof(x->in.oldest));
		assert_memory_equal(&x->in.unordered, &y->in.unordered, sizeof(x->in.unordered));
		assert_memory_equal(x->out.oldest, y->out.oldest, sizeof(x->out.oldest));
		assert_memory_equal(x->out.next, y->out.next, sizeof(x->out.next));
		assert_int_equal(a->links[slot].due, b->links[slot].due);
	}
}

static void check_alike(const struct pipeline_pair *t)
{
	const struct session_fixture *a = t->variant[WITH].fixture, *b = t->variant[WITHOUT].fixture;
	const struct session_shard *x = a->shard[0], *y = b->shard[0];

	assert_memory_equal(a->stats, b->stats, sizeof(a->stats));
	assert_memory_equal(a->store.records, b->store.records, PAIR_CAPACITY * sizeof(struct session_record));
	assert_memory_equal(a->store.return_headers, b->store.return_headers,
			    PAIR_CAPACITY * sizeof(struct return_headers));
	check_conversations(&a->store, &b->store);
	assert_true(told_alike(&t->variant[WITH].told, &t->variant[WITHOUT].told));
	assert_int_equal(x->outbox.count, y->outbox.count);
	assert_int_equal(x->wheel.scheduled, y->wheel.scheduled);
	assert_int_equal(x->ctx.pool->used, y->ctx.pool->used);
}

/// An answer is a whole frame to who asked.
static void check_answer(const struct pipeline_pair *t, const struct burst *burst, unsigned i)
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

static void check_frame(const struct pipeline_pair *t, const struct burst *a, const struct burst *b, unsigned i)
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
/// @param answered  where it was heard, not where it is proved to be
static void show(struct pipeline_pair *t, const uint8_t *payload, uint16_t length, bool answered)
{
	uint8_t copy[ETHERNET_MAX];
	struct session_header header;

	if (length < SESSION_AROUND)
		return;
	memcpy(copy, payload, length);
	memcpy(&header, copy, sizeof(header));
	for (unsigned i = 0; i < CAST; i++) {
		const uint32_t newest = t->player[i].newest;

		if (t->player[i].session != header.session ||
		    !player_open(t->variant[WITH].fixture, &t->player[i], copy, length))
			continue;
		if (header.kind != SESSION_CLOSE) // which may be said again
			assert_int_not_equal(t->player[i].newest, newest);
		if (header.kind == SESSION_PATH_CHALLENGE && answered)
			memcpy(t->token[i], copy + sizeof(header), sizeof(t->token[i]));
	}
}

static void tell(struct pipeline_pair *t, const struct burst *burst, unsigned i)
{
	struct frame_outcome *outcome = &t->outcome[i];
	const uint16_t headers = t->frame[i].payload;

	*outcome = (struct frame_outcome){.result = burst->drop[i]};
	if (outcome->result != PG_DROP_NONE || headers == 0 || burst->length[i] < headers)
		return;
	outcome->length = (uint16_t)(burst->length[i] - headers);
	memcpy(outcome->payload, burst->frame[i] + headers, outcome->length);
	show(t, outcome->payload, outcome->length, true);
}

void run(struct pipeline_pair *t)
{
	struct burst a, b;

	give(&t->variant[WITH], t, &a, 0x00);
	give(&t->variant[WITHOUT], t, &b, 0xff);
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
			t->player[i].peer = fixture_record(t->variant[WITH].fixture, &t->player[i])->peer;
	t->n = 0;
}

const struct frame_outcome *run_plaintext(struct pipeline_pair *t, unsigned player, const struct plaintext *plaintext)
{
	assert_int_equal(t->n, 0);
	add_plaintext(t, player, plaintext);
	run(t);
	return &t->outcome[0];
}

uint64_t stat_of(const struct pipeline_pair *t, enum pg_drop reason)
{
	return t->variant[WITH].fixture->stats[0].dropped[reason];
}

void check_all_in_lane(const struct pipeline_pair *t)
{
	assert_int_equal(t->in_lane, t->all_frames);
}

struct rate once_in(unsigned seconds, unsigned burst)
{
	return (struct rate){.interval = seconds * pg_tsc_hz(), .tolerance = (burst - 1) * seconds * pg_tsc_hz()};
}

void limit_sources(struct pipeline_pair *t, struct rate rate)
{
	for (unsigned k = 0; k < VARIANTS; k++) {
		struct pipeline_variant *variant = &t->variant[k];

		rig_limit_sources(variant->rig, 0, rate);
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

static unsigned leave(struct pipeline_variant *variant, struct leaving_frame *leaving)
{
	static uint8_t room[BURST_MAX][ETHERNET_MAX];
	struct frame_egress out;
	unsigned total = 0, n;

	do {
		for (unsigned i = 0; i < BURST_MAX; i++)
			out.frame[i] = room[i];
		n = egress_frames(variant->fixture->shard[0], &out, BURST_MAX, variant->fixture->now);
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

static void drain_egress(struct pipeline_pair *t)
{
	static struct leaving_frame a[LEAVING_MAX], b[LEAVING_MAX];
	const unsigned n = leave(&t->variant[WITH], a);

	assert_int_equal(leave(&t->variant[WITHOUT], b), n);
	qsort(a, n, sizeof(a[0]), compare_leaving);
	qsort(b, n, sizeof(b[0]), compare_leaving);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(a[i].length, b[i].length);
		assert_memory_equal(a[i].bytes, b[i].bytes, a[i].length);
		show(t, a[i].bytes + a[i].ip + 28, (uint16_t)(a[i].length - a[i].ip - 28), false);
	}
}

void let_pass(struct pipeline_pair *t, unsigned ms)
{
	for (unsigned k = 0; k < VARIANTS; k++) {
		struct pipeline_variant *variant = &t->variant[k];

		fixture_wait(variant->fixture, ms);
		connection_sweep(variant->fixture->shard[0], variant->fixture->now, PAIR_CAPACITY);
	}
	drain_egress(t);
	check_alike(t);
}

bool is_connected(const struct pipeline_pair *t, unsigned player)
{
	const struct session_record *record = fixture_record(t->variant[WITH].fixture, &t->player[player]);

	return record_owner(record) == 0 && record->phase == RECORD_CONNECTED;
}

static const struct frame_outcome *run_handshake(struct pipeline_pair *t, unsigned player, const uint8_t *payload,
						 uint16_t length)
{
	const struct flow flow = flow_from(t, player);
	struct frame f;

	build_udp(&f, &flow, payload, length);
	add(t, &f);
	run(t);
	return &t->outcome[0];
}

void connect(struct pipeline_pair *t, unsigned player)
{
	struct player *p = &t->player[player];
	uint8_t payload[PLAYER_BUFFER];
	const struct frame_outcome *outcome = run_handshake(t, player, payload, player_hello(p, payload));

	assert_int_equal(outcome->result, PG_DROP_NONE);
	assert_true(player_take_challenge(p, outcome->payload, outcome->length));
	outcome = run_handshake(t, player, payload, player_confirm(p, payload));
	if (outcome->result != PG_DROP_NONE)
		fail_msg("player %u cannot connect: %s", player, pg_drop_name(outcome->result));
	memcpy(payload, outcome->payload, outcome->length);
	assert_true(player_take_welcome(t->variant[WITH].fixture, p, payload, outcome->length));
}

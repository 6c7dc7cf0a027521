// SPDX-License-Identifier: BSD-3-Clause
// tests/bench_sealed.c: what each stage of the session profile costs, in TSC cycles per packet, against opening and sealing
// alone. A benchmark, not a test.
//
//   bench_sealed [SESSIONS [ROUNDS]]
//
// A PLAYER_MOVE of every session in random order, that wants an answer at once, in common frames, which acknowledges all answers to those
// before it and is answered with an acknowledgement; limits are on. Each packet is played once in a round; before the next, all windows are emptied. As in bench_stages.c, the pipeline's own source
// is included, frames are copied in first, and figures are medians over the bursts.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ISA bench
#include "pipeline/burst.c"
#include "pipeline/datagram.c"

#include "rig.h"
#include "session_fixture.h"

#define PACKETS_EACH 8
#define FRAME_BYTES 128
#define BUFFER_BYTES 2304
#define HEADROOM 128
#define ACKNOWLEDGEMENT SESSION_DATA_MIN

/// So many packets ahead keys are brought where nothing else is done.
#ifndef CRYPTO_AHEAD
#define CRYPTO_AHEAD 4
#endif

enum stage {
	STAGE_COPY,
	STAGE_SORT,
	STAGE_LOOK_UP,
	STAGE_SERVE,
	STAGE_CONCLUDE,
	STAGE_DATAGRAMS,
	STAGE_CRYPTO,
	STAGES
};
static const char *const stage_names[STAGES] = {
	"copy in (stands for the device)",
	"sort: parse, checksums, header",
	"look up: record, window",
	"serve: open, messages, acknowledgement, seal",
	"conclude: the frame turned round",
	"datagrams: all of this without frames",
	"open and seal alone, keys on their way",
};

struct bench {
	struct rig *rig;
	struct session_fixture *fixture;
	struct player *player;
	uint8_t (*frame)[FRAME_BYTES];
	uint32_t *session; // of each frame
	uint32_t greeted;  // counter of every WELCOME
	uint32_t frames;
	uint16_t length;
	uint8_t buffer[BURST_MAX][BUFFER_BYTES] CACHE_ALIGNED;
};

static void fail(const char *what)
{
	(void)fprintf(stderr, "bench_sealed: %s\n", what);
	exit(1);
}

static uint16_t seal_move(const struct bench *b, struct player *player, uint8_t *out)
{
	const struct session_message head = {.type = SESSION_MOVE, .body_len = sizeof(struct motion)};
	const struct motion motion = {.position = {1, 2, 3}};
	struct session_header header = {
		.kind = SESSION_DATA,
		.length = SESSION_DATA_MIN + sizeof(head) + sizeof(motion),
		.session = player->session,
		.counter = ++player->sent,
	};
	const struct session_prefix prefix = {
		.ack = b->greeted + player->sent - 1,
		.ack_bits = UINT32_MAX,
		.wants = SESSION_WANTS_ANSWER,
	};

	memcpy(out, &header, sizeof(header));
	memcpy(out + sizeof(header), &prefix, sizeof(prefix));
	memcpy(out + SESSION_BEFORE_MESSAGES, &head, sizeof(head));
	memcpy(out + SESSION_BEFORE_MESSAGES + sizeof(head), &motion, sizeof(motion));
	cipher_seal(&b->fixture->shard[0]->code, &player->cipher.seal, player->sent, out, sizeof(header),
		    header.length);
	return header.length;
}

static void make_players(struct bench *b, uint32_t sessions)
{
	b->player = zeroed_lines(sessions * sizeof(*b->player));
	for (uint32_t i = 0; i < sessions; i++) {
		b->player[i] = fixture_issue(b->fixture, i + 1, 3600, false);
		if (!fixture_connect(b->fixture, 0, &b->player[i]))
			fail("a player could not connect");
	}
	b->greeted = fixture_record(b->fixture, &b->player[0])->tx_counter;
}

/// In a random order, the same in every round: each session's packets in theirs.
static void make_frames(struct bench *b, uint32_t sessions)
{
	uint64_t seed = 1;

	b->frames = sessions * PACKETS_EACH / BURST_MAX * BURST_MAX;
	b->frame = zeroed_lines((size_t)b->frames * FRAME_BYTES);
	b->session = zeroed_lines(b->frames * sizeof(uint32_t));
	for (uint32_t i = 0; i < b->frames; i++) {
		struct player *player = &b->player[random_below(&seed, sessions)];
		struct flow flow = flow4(1); // a MAC that does not end in zeros: nobody's does
		uint8_t payload[FRAME_BYTES];
		struct frame f;

		memcpy(flow.from, (const uint8_t *)&player->peer.low + 4, 4);
		flow.port_from = BE16(peer_port(&player->peer));
		build_udp(&f, &flow, payload, seal_move(b, player, payload));
		memcpy(b->frame[i], f.bytes, f.len);
		b->session[i] = fixture_slot(b->fixture, player);
		b->length = f.len;
	}
}

/// Of both directions: the same packets are fresh again, and so is what they acknowledge.
static void rewind_windows(struct bench *b)
{
	for (uint32_t i = 0; i < b->fixture->capacity; i++) {
		struct session_record *record = &b->fixture->store.records[i];

		store_delivery(&b->fixture->store, i)->acknowledged = (struct acknowledged){0};
		record->tx_counter = b->greeted;
		record->replay = (struct replay){0};
		record->taken = (struct taken){0};
	}
}

static void copy_in(struct bench *b, struct burst *burst, uint32_t next)
{
	for (unsigned i = 0; i < BURST_MAX; i++) {
		burst->frame[i] = b->buffer[i] + HEADROOM;
		burst->length[i] = b->length;
		memcpy(burst->frame[i], b->frame[next + i], FRAME_BYTES);
	}
}

/// The same order as run() and run_sealed(), with the clock read in between.
static void timed_burst(struct bench *b, uint32_t next, uint64_t *cycles)
{
	struct ingress *ingress = &b->rig->ingress;
	struct burst burst;
	struct lanes lanes;
	uint64_t now = pg_tsc(), then = now;
	unsigned left;

	copy_in(b, &burst, next);
	now = pg_tsc(), cycles[STAGE_COPY] += now - then, then = now;
	begin(ingress, &burst, &lanes, BURST_MAX);
	sort_burst(ingress, &burst, &lanes, BURST_MAX, false);
	now = pg_tsc(), cycles[STAGE_SORT] += now - then, then = now;
	left = look_up_fast(ingress, &lanes.sealed.fast, burst.frame, now);
	now = pg_tsc(), cycles[STAGE_LOOK_UP] += now - then, then = now;
	serve_fast(ingress, &lanes.sealed.fast, burst.frame, left, now);
	now = pg_tsc(), cycles[STAGE_SERVE] += now - then, then = now;
	conclude_all_fast(ingress, &burst, &lanes.sealed.fast);
	now = pg_tsc(), cycles[STAGE_CONCLUDE] += now - then;
}

static void timed_datagrams(struct bench *b, uint32_t next, uint64_t *cycles)
{
	struct burst burst;
	struct datagram_burst datagrams;

	copy_in(b, &burst, next);
	for (unsigned i = 0; i < BURST_MAX; i++) {
		const struct packet p = common_packet(burst.frame[i]);

		datagrams.peer[i] = p.peer;
		datagrams.payload[i] = payload_of(burst.frame[i], &p);
		datagrams.length[i] = payload_len(&p);
	}

	const uint64_t then = pg_tsc();

	hot_path_bench.run_datagrams(&b->rig->ingress, &datagrams, BURST_MAX, then);
	cycles[STAGE_DATAGRAMS] += pg_tsc() - then;
}

/// Inlined for certain: GCC drops calls of functions that do nothing but prefetch.
ALWAYS_INLINE void prefetch_keys(const struct bench *b, uint32_t frame, uint16_t length)
{
	const struct cipher_code *code = &b->fixture->shard[0]->code;
	const struct session_keys keys = store_keys(&b->fixture->store, b->session[frame]);

	cipher_prefetch(code, keys.open, length - SESSION_AROUND);
	cipher_prefetch(code, keys.seal, ACKNOWLEDGEMENT - SESSION_AROUND);
}

/// Nothing but what nobody can leave out: the same keys, as well prepared.
static void timed_crypto(struct bench *b, uint32_t next, uint64_t *cycles)
{
	const struct cipher_code *code = &b->fixture->shard[0]->code;
	const uint16_t length = (uint16_t)(b->length - COMMON_L4 - sizeof(struct udp_header));
	struct burst burst;
	uint64_t then;
	bool right = true;

	copy_in(b, &burst, next);
	then = pg_tsc();
	for (unsigned i = 0; i < CRYPTO_AHEAD; i++)
		prefetch_keys(b, next + i, length);
	for (unsigned i = 0; i < BURST_MAX; i++) {
		uint8_t *payload = burst.frame[i] + COMMON_L4 + sizeof(struct udp_header);
		const struct session_header *header = (const struct session_header *)payload;
		const struct session_keys keys = store_keys(&b->fixture->store, b->session[next + i]);

		if (i + CRYPTO_AHEAD < BURST_MAX)
			prefetch_keys(b, next + i + CRYPTO_AHEAD, length);
		right &= cipher_open(code, keys.open, header->counter, payload, sizeof(*header), length);
		cipher_seal(code, keys.seal, next + i, payload, sizeof(*header), ACKNOWLEDGEMENT);
	}
	cycles[STAGE_CRYPTO] += pg_tsc() - then;
	if (!right)
		fail("a tag was wrong");
}

/// As in `bench forward`: every datagram and every movement is charged, none is refused.
static void set_limits(struct session_rules *rules)
{
	const struct rate never_reached = rate_make(1000000, 10000, pg_tsc_hz());

	rules->session[0] = never_reached;
	rules->delivery.message_rate[PG_REQUEST_MOVE] = never_reached;
}

static struct bench *open_bench(uint32_t sessions)
{
	struct bench *b = zeroed_lines(sizeof(*b));

	b->rig = rig_open("auto", 16);
	b->fixture = fixture_open(sessions, STORE_FRAMES);
	set_limits(&b->fixture->rules);
	b->rig->policy.sessions = b->fixture->rules;
	b->rig->ingress.shard = b->fixture->shard[0];
	b->rig->ingress.profile[0] = PG_PROFILE_SESSION;
	identity_expect_sealed(&b->rig->identity);
	session_shard_use(b->fixture->shard[0], &b->rig->policy.sessions);
	make_players(b, sessions);
	make_frames(b, sessions);
	return b;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/// Of so many in a hundred bursts, cycles a packet were not more.
static double percentile(const uint64_t *sorted, uint32_t n, unsigned percent)
{
	const uint64_t at = (uint64_t)n * percent / 100;

	return (double)sorted[at] / BURST_MAX;
}

static void report(uint64_t *samples[STAGES], uint32_t n)
{
	double crypto, protocol, frames;

	for (unsigned s = 0; s < STAGES; s++) {
		qsort(samples[s], n, sizeof(uint64_t), by_value);
		printf("%-44s %6.1f cycles/packet (%.1f to %.1f in 8 of 10 bursts)\n", stage_names[s],
		       percentile(samples[s], n, 50), percentile(samples[s], n, 10), percentile(samples[s], n, 90));
	}
	crypto = percentile(samples[STAGE_CRYPTO], n, 50);
	protocol = percentile(samples[STAGE_LOOK_UP], n, 50) + percentile(samples[STAGE_SERVE], n, 50);
	frames = percentile(samples[STAGE_SORT], n, 50) + percentile(samples[STAGE_CONCLUDE], n, 50);
	printf("the protocol adds %.1f %% to open and seal alone; with frames, %.1f %%\n",
	       100 * (protocol / crypto - 1), 100 * ((protocol + frames) / crypto - 1));
}

/// The pipeline and what it is compared with in turn, so that both meet the same neighbours; half a round apart, so that
/// neither finds the other's keys.
static void run_round(struct bench *b, uint64_t *samples[STAGES], uint32_t at)
{
	const uint32_t half = b->frames / BURST_MAX / 2 * BURST_MAX;
	uint64_t cycles[STAGES];

	rewind_windows(b);
	for (uint32_t next = 0; next < b->frames; next += BURST_MAX) {
		memset(cycles, 0, sizeof(cycles));
		timed_burst(b, next, cycles);
		timed_crypto(b, next < half ? next + half : next - half, cycles);
		for (unsigned s = 0; s < STAGES; s++)
			samples[s][at + next / BURST_MAX] = cycles[s];
	}
	rewind_windows(b);
	for (uint32_t next = 0; next < b->frames; next += BURST_MAX) {
		cycles[STAGE_DATAGRAMS] = 0;
		timed_datagrams(b, next, cycles);
		samples[STAGE_DATAGRAMS][at + next / BURST_MAX] = cycles[STAGE_DATAGRAMS];
	}
}

int main(int argc, char **argv)
{
	const uint32_t sessions = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 10000;
	const unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 15;
	uint64_t *samples[STAGES];
	struct bench *b;
	uint32_t bursts;

	if (sessions < BURST_MAX || sessions > 1000000 || rounds == 0)
		fail("usage: bench_sealed [SESSIONS, 64 to 1000000 [ROUNDS]]");
	b = open_bench(sessions);
	bursts = b->frames / BURST_MAX;
	for (unsigned s = 0; s < STAGES; s++)
		samples[s] = zeroed_lines((size_t)rounds * bursts * sizeof(uint64_t));
	for (unsigned round = 0; round < rounds; round++)
		run_round(b, samples, round * bursts);
	report(samples, rounds * bursts);
	printf("answered %" PRIu64 " of %" PRIu64 "\n", b->rig->stats.handled[PG_MESSAGE_SESSION_DATA],
	       b->rig->stats.received);
	return 0;
}

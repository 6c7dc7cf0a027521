// SPDX-License-Identifier: BSD-3-Clause
// test_levels.c: every level gives the same answers, and keeps its books.

#include "unit.h"

#include <stdlib.h>

#include "batch.h"

static const char *const levels[] = {"v2", "v3", "v4"};

/// One of many kinds of frame: games of few peers, host requests, damaged ones.
static void random_frame(struct frame *f, uint64_t *seed)
{
	const uint32_t peer = random_below(seed, 40), kind = random_below(seed, 16);
	struct flow flow = random_below(seed, 2) ? flow4(peer) : flow6(peer);
	static const uint8_t nobody[6];

	if (random_below(seed, 4) == 0)
		flow_tag(&flow, 0x8100, (uint16_t)peer);
	if (random_below(seed, 8) == 0)
		flow.port_to = 8081;
	switch (kind) {
	case 0:
		build_arp(f, &flow, 1, flow.from, nobody, our_ip4);
		return;
	case 1:
		build_echo(f, &flow, flow.family == 4 ? 8 : 128, 0xabcd0001, our_ip6, random_below(seed, 17));
		return;
	case 2:
		flow.ttl = 255;
		if (flow.family == 6)
			build_neighbor(f, &flow, 135, 0, our_ip6, random_below(seed, 2));
		else
			build_game(f, &flow, 4, peer);
		return;
	default:
		build_game(f, &flow, 1 + random_below(seed, 5), random_below(seed, 8) ? peer : peer + 1);
		break;
	}
	if (kind == 3)
		f->bytes[random_below(seed, f->len)] ^= (uint8_t)(1 << random_below(seed, 8));
	if (kind == 4)
		f->len = (uint16_t)random_below(seed, f->len);
	if (kind == 5) {
		put_le32(f->bytes + f->payload + 4 * random_below(seed, 5), 0x7fc00000);
		repair_checksums(f->bytes, f->len);
	}
}

// ---------------------------------------------------------------- levels

static void an_unknown_level_is_refused(void **state UNUSED)
{
	assert_null(hot_path_select("v5"));
	assert_null(hot_path_select(""));
	assert_non_null(hot_path_select("auto"));
}

/// What the poll loop relies on to free and to resize: how many were dropped, and whether any length changed.
static void check_verdicts(const struct batch *b)
{
	unsigned dropped = 0;
	bool resized = false;

	for (unsigned i = 0; i < b->n; i++) {
		assert_true(b->burst.drop[i] < PG_DROPS);
		dropped += b->burst.drop[i] != PG_DROP_NONE;
		resized |= b->burst.length[i] != b->received[i];
	}
	assert_int_equal(b->burst.unanswered, dropped);
	assert_true(b->burst.resized || !resized);
}

static void batch_fill(struct batch *b, unsigned n, uint64_t *seed)
{
	batch_clear(b);
	while (b->n < n) {
		struct frame f;

		random_frame(&f, seed);
		batch_add(b, &f);
	}
}

static void run_random_bursts(const char *level, unsigned offload, struct batch *b)
{
	struct rig *rig = rig_open(level, 30);
	uint64_t seed = 99 + offload;

	rig_offload(rig, offload);
	rig_limit_sources(rig, 1, rate_make(1000, 2, RIG_HZ));
	for (unsigned round = 0; round < 100; round++) {
		batch_fill(b, random_below(&seed, BURST_MAX + 1), &seed);
		batch_run(b, rig);
		check_verdicts(b);
		assert_true(rig_conserved(rig));
		rig->now += random_below(&seed, 1000000);
	}
	assert_true(rig->stats.handled[PG_MESSAGE_MOVE] > 0);
	assert_true(rig->stats.dropped[PG_DROP_TABLE_FULL] > 0);
	rig_close(rig);
}

static void random_bursts_are_conserved_on_every_level(void **state UNUSED)
{
	struct batch *b = zeroed_lines(sizeof(*b));

	for (size_t level = 0; level < COUNT(levels); level++)
		for (unsigned offload = 0; offload < RIG_OFFLOADS && hot_path_select(levels[level]); offload++)
			run_random_bursts(levels[level], offload, b);
	free(b);
}

/// Two rigs, one burst: the same verdicts, bytes and counters.
static void compare_levels(const char *one, const char *other, unsigned offload)
{
	struct rig *rig[2] = {rig_open(one, 30), rig_open(other, 30)};
	struct batch *b[2] = {zeroed_lines(sizeof(struct batch)), zeroed_lines(sizeof(struct batch))};
	uint64_t seed = 4242 + offload;

	for (unsigned k = 0; k < 2; k++)
		rig_offload(rig[k], offload);
	for (unsigned round = 0; round < 100; round++) {
		batch_clear(b[0]);
		batch_clear(b[1]);
		for (unsigned n = 1 + random_below(&seed, BURST_MAX); n > 0; n--) {
			const uint8_t flags = (uint8_t)random_below(&seed, 16);
			struct frame f;

			random_frame(&f, &seed);
			for (unsigned k = 0; k < 2; k++) {
				batch_add(b[k], &f);
				b[k]->burst.rx[b[k]->n - 1] = flags;
			}
		}
		for (unsigned k = 0; k < 2; k++)
			batch_run(b[k], rig[k]);
		assert_memory_equal(b[0]->burst.drop, b[1]->burst.drop, b[0]->n);
		assert_memory_equal(b[0]->burst.length, b[1]->burst.length, b[0]->n * sizeof(uint16_t));
		assert_memory_equal(b[0]->burst.tx, b[1]->burst.tx, b[0]->n * sizeof(struct tx_request));
		assert_memory_equal(b[0]->memory, b[1]->memory, b[0]->n * FRAME_MAX);
	}
	assert_memory_equal(&rig[0]->stats, &rig[1]->stats, sizeof(rig[0]->stats));
	assert_memory_equal(rig[0]->region, rig[1]->region, plain_region_size(30));
	for (unsigned k = 0; k < 2; k++) {
		rig_close(rig[k]);
		free(b[k]);
	}
}

static void every_level_gives_the_same_bytes(void **state UNUSED)
{
	for (size_t level = 0; level < COUNT(levels); level++)
		if (hot_path_select(levels[level]))
			for (unsigned offload = 0; offload < RIG_OFFLOADS; offload++)
				compare_levels("v2", levels[level], offload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unknown_level_is_refused),
		cmocka_unit_test(random_bursts_are_conserved_on_every_level),
		cmocka_unit_test(every_level_gives_the_same_bytes),
	};

	return cmocka_run_group_tests_name("levels", tests, NULL, NULL);
}

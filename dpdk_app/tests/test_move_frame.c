// SPDX-License-Identifier: BSD-3-Clause
// test_move_frame.c: the lane of PLAYER_MOVEs answers as the other lanes would, to frames that are just right and to
// frames that just are not, on every micro-architecture level that this CPU has.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "net/move_frame.h"
#include "rig.h"

static const char *const levels[] = {"v2", "v3", "v4"};

#define GOOD (RX_IP_CHECKSUM_GOOD | RX_L4_CHECKSUM_GOOD)

/// The same ingress twice: one has the lane, the other takes every frame through frame_is_common and the parser.
struct pipeline_pair {
	struct rig *with, *without;
};

static struct pipeline_pair pair_open(const char *level, unsigned offload)
{
	const struct pipeline_pair t = {rig_open(level, 64), rig_open(level, 64)};

	fast_frame_close(&t.without->identity.fast);
	rig_offload(t.with, offload);
	rig_offload(t.without, offload);
	return t;
}

static void pair_close(struct pipeline_pair t)
{
	assert_memory_equal(&t.with->stats, &t.without->stats, sizeof(t.with->stats));
	assert_memory_equal(t.with->region, t.without->region, plain_region_size(64));
	assert_true(rig_conserved(t.with));
	rig_close(t.with);
	rig_close(t.without);
}

static struct outcome assert_same(struct pipeline_pair t, const struct frame *f, unsigned rx)
{
	const struct outcome a = rig_send_with_flags(t.with, f, rx), b = rig_send_with_flags(t.without, f, rx);

	assert_int_equal(a.drop, b.drop);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(&a.tx, &b.tx, sizeof(a.tx));
	assert_memory_equal(a.bytes, b.bytes, a.len);
	return a;
}

#define GROUP 8 // frames that a level looks at together, or one by one

/// Frames as one burst, with one frame of each kind of variant after the other.
static void assert_same_burst(struct pipeline_pair t, const struct frame *f, unsigned n, unsigned rx)
{
	struct burst burst[2];
	struct rig *rig[] = {t.with, t.without};
	static uint8_t memory[2][GROUP][FRAME_MAX];

	memset(burst, 0, sizeof(burst));
	for (unsigned k = 0; k < 2; k++) {
		for (unsigned i = 0; i < n; i++) {
			memcpy(memory[k][i], f[i].bytes, FRAME_MAX);
			burst[k].frame[i] = memory[k][i];
			burst[k].length[i] = f[i].len;
			burst[k].rx[i] = (uint8_t)rx;
		}
		rig[k]->path->run[rig[k]->rx_offload][rig[k]->tx_offload](&rig[k]->ingress, &burst[k], n, rig[k]->now);
	}
	assert_memory_equal(memory[0], memory[1], n * sizeof(memory[0][0]));
	assert_memory_equal(burst[0].length, burst[1].length, sizeof(burst[0].length));
	assert_memory_equal(burst[0].drop, burst[1].drop, sizeof(burst[0]) - offsetof(struct burst, drop));
}

/// In each place among seven that are right.
static void assert_same_in_group(struct pipeline_pair t, const struct frame *f, unsigned rx)
{
	static unsigned place;
	struct frame group[GROUP];

	for (unsigned i = 0; i < GROUP; i++) {
		const struct flow flow = flow4(20 + i);

		build_game(&group[i], &flow, 1, 7);
	}
	group[place++ % GROUP] = *f;
	assert_same_burst(t, group, GROUP, rx);
}

/// As it is, and as it would be with right checksums; alone, and among others.
static void assert_same_either_way(struct pipeline_pair t, struct frame *f)
{
	assert_same_in_group(t, f, 0);
	assert_same_in_group(t, f, GOOD);
	assert_same(t, f, 0);
	assert_same(t, f, GOOD);
	assert_same(t, f, RX_IP_CHECKSUM_GOOD);
	assert_same(t, f, RX_L4_CHECKSUM_GOOD);
	assert_same(t, f, RX_IP_CHECKSUM_GOOD | RX_L4_CHECKSUM_BAD);
	repair_checksums(f->bytes, f->len);
	assert_same_in_group(t, f, 0);
	assert_same(t, f, 0);
	assert_same(t, f, GOOD);
}

static void a_move(struct frame *f)
{
	const struct flow flow = flow4(1);

	build_game(f, &flow, 1, 7);
}

/// Call `check` on every level with every combination of offloads.
static void on_every_level(void (*check)(struct pipeline_pair t))
{
	for (size_t level = 0; level < COUNT(levels); level++)
		for (unsigned offload = 0; offload < RIG_OFFLOADS && hot_path_select(levels[level]); offload++) {
			const struct pipeline_pair t = pair_open(levels[level], offload);

			check(t);
			pair_close(t);
		}
}

static bool takes_the_lane(const struct identity *identity, const struct frame *f)
{
	const struct fast_spans spans = fast_spans(&identity->fast);

	return is_move_frame(f->bytes, f->len, &spans) && move_checksums_right(f->bytes, &spans, 0);
}

// ---------------------------------------------------------------- which frames take it

static void an_ordinary_move_takes_the_lane(void **state UNUSED)
{
	struct identity identity;
	struct flow flow = flow4(1);
	struct frame f;

	rig_identity(&identity);
	a_move(&f);
	assert_true(takes_the_lane(&identity, &f));
	f.bytes[f.l3 + 1] = 0xfc;  // type of service, but for what says that congestion was met
	f.bytes[f.l3 + 6] |= 0x40; // don't fragment
	f.bytes[f.l3 + 8] = 1;     // hop limit
	assert_false(takes_the_lane(&identity, &f));
	repair_checksums(f.bytes, f.len);
	assert_true(takes_the_lane(&identity, &f));
	flow.no_checksum = true;
	build_game(&f, &flow, 1, 7);
	assert_false(takes_the_lane(&identity, &f));
}

static void nothing_takes_the_lane_of_a_port_with_several_addresses_or_none(void **state UNUSED)
{
	static const uint8_t first[] = {172, 16, 0, 2};
	struct identity identity;
	struct flow flow = flow4(1);
	struct frame f;

	rig_identity_of_many(&identity);
	memcpy(flow.to, first, sizeof(first));
	build_game(&f, &flow, 1, 7);
	assert_false(takes_the_lane(&identity, &f));
	identity_init(&identity, NULL, 0, 8080);
	identity_set_mac(&identity, our_mac);
	memset(flow.to, 0, sizeof(flow.to));
	build_game(&f, &flow, 1, 7);
	assert_false(takes_the_lane(&identity, &f));
}

static void what_is_not_quite_a_move_does_not_take_the_lane(void **state UNUSED)
{
	// Offsets of what the frame must have; and where any other value is another right frame, or a wrong sum.
	static const uint8_t must[] = {0,  1,  2,  3,  4,  5,  12, 13, 14, 15, 16, 17, 20, 21, 23, 30,
				       31, 32, 33, 36, 37, 38, 39, 42, 43, 44, 45, 46, 47, 48, 49};
	struct identity identity;
	struct frame f;

	rig_identity(&identity);
	for (size_t i = 0; i < COUNT(must); i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			if ((must[i] == 20 && bit == 6) || (must[i] == 15 && bit >= 2)) // don't fragment; DSCP
				continue;
			a_move(&f);
			f.bytes[must[i]] ^= (uint8_t)(1 << bit);
			repair_checksums(f.bytes, f.len);
			// Where the frame can no longer be followed, its checksums can be right by accident only.
			assert_false(takes_the_lane(&identity, &f));
		}
}

// ---------------------------------------------------------------- as the other lanes would

static void check_changed_bits(struct pipeline_pair t)
{
	struct frame f;

	a_move(&f);
	assert_int_equal(assert_same(t, &f, 0).drop, PG_DROP_NONE);
	for (unsigned bit = 0; bit < f.len * 8; bit++) {
		a_move(&f);
		f.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_same_either_way(t, &f);
	}
}

static void a_move_with_any_one_bit_changed_is_treated_as_by_the_other_lanes(void **state UNUSED)
{
	on_every_level(check_changed_bits);
}

static void check_changed_bytes(struct pipeline_pair t)
{
	static const uint8_t values[] = {0, 1, 5, 0x46, 0x7f, 0x80, 0xe0, 0xff};
	struct frame f;

	for (unsigned at = 0; at < 86; at++)
		for (size_t v = 0; v < COUNT(values); v++) {
			a_move(&f);
			f.bytes[at] = values[v];
			assert_same_either_way(t, &f);
		}
}

static void a_move_with_any_one_byte_changed_is_treated_as_by_the_other_lanes(void **state UNUSED)
{
	on_every_level(check_changed_bytes);
}

static void check_lengths(struct pipeline_pair t)
{
	struct frame f;

	for (unsigned len = 0; len < 130; len++) {
		a_move(&f);
		memset(f.bytes + f.len, 0xff, 64);
		f.len = (uint16_t)len;
		assert_same_in_group(t, &f, 0);
		assert_same(t, &f, 0);
		assert_same(t, &f, GOOD);
	}
}

static void a_move_cut_short_or_padded_is_treated_as_by_the_other_lanes(void **state UNUSED)
{
	on_every_level(check_lengths);
}

static void check_sources(struct pipeline_pair t)
{
	static const uint8_t addresses[][4] = {
		{0, 0, 0, 0},      {0, 1, 2, 3},       {1, 0, 0, 0},        {126, 255, 255, 255}, {127, 0, 0, 1},
		{128, 0, 0, 0},    {223, 255, 255, 1}, {224, 0, 0, 1},      {239, 1, 1, 1},       {240, 0, 0, 1},
		{255, 0, 0, 1},    {10, 0, 0, 1},      {10, 0, 0, 255},     {10, 0, 0, 2},        {10, 0, 1, 255},
		{11, 127, 0, 224}, {192, 0, 2, 255},   {255, 255, 255, 255}};
	static const uint8_t macs[][6] = {{0}, {2, 0, 0, 0, 0, 0}, {1, 0, 0x5e, 0, 0, 1}, {0xff, 0xff, 0, 0, 0, 9}};
	struct flow flow = flow4(1);
	struct frame f;

	for (size_t i = 0; i < COUNT(addresses); i++) {
		flow = flow4(1);
		memcpy(flow.from, addresses[i], 4);
		build_game(&f, &flow, 1, 7);
		assert_same_either_way(t, &f);
	}
	for (size_t i = 0; i <= COUNT(macs) + 1; i++) {
		flow = flow4(1);
		memcpy(flow.mac_from, i < COUNT(macs) ? macs[i] : our_mac, 6);
		if (i > COUNT(macs))
			flow.mac_from[0] ^= 4; // ends like ours
		build_game(&f, &flow, 1, 7);
		assert_same_either_way(t, &f);
	}
	flow = flow4(1);
	flow.port_from = 0;
	build_game(&f, &flow, 1, 7);
	assert_same_either_way(t, &f);
	flow = flow4(1);
	flow.no_checksum = true;
	build_game(&f, &flow, 1, 7);
	assert_same(t, &f, 0);
	assert_same(t, &f, GOOD);
}

static void a_move_from_anybody_is_treated_as_by_the_other_lanes(void **state UNUSED)
{
	on_every_level(check_sources);
}

static void check_floats(struct pipeline_pair t)
{
	static const uint32_t floats[] = {0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffffffff,
					  0x7f7fffff, 0x80000000, 0x00000001, 0xff7fffff, 0};
	struct frame f;

	for (unsigned which = 0; which < 6; which++)
		for (size_t i = 0; i < COUNT(floats); i++) {
			a_move(&f);
			put_le32(f.bytes + f.payload + 20 + 4 * which, floats[i]);
			repair_checksums(f.bytes, f.len);

			const enum pg_drop drop = assert_same(t, &f, GOOD).drop;

			assert_same_in_group(t, &f, GOOD);
			assert_int_equal(drop, i < 5 ? PG_DROP_NOT_FINITE : PG_DROP_NONE);
		}
}

static void a_move_that_is_not_finite_is_refused_whichever_float_it_is(void **state UNUSED)
{
	on_every_level(check_floats);
}

/// Every value of both checksums, the ones that a carry makes among them, and every hop limit.
static void check_checksums(struct pipeline_pair t)
{
	struct frame group[GROUP];

	for (unsigned i = 0; i <= UINT16_MAX; i++) {
		struct frame *f = &group[i % GROUP];

		a_move(f);
		put16(f->bytes + f->l3 + 4, (uint16_t)i);      // IP id
		put16(f->bytes + f->payload + 8, (uint16_t)i); // of the timestamp
		f->bytes[f->l3 + 8] = (uint8_t)(i % 251);
		repair_checksums(f->bytes, f->len);
		assert_int_equal(assert_same(t, f, GOOD).drop, PG_DROP_NONE);
		if (i % GROUP == GROUP - 1)
			assert_same_burst(t, group, GROUP, 0);
	}
}

static void every_checksum_is_verified_and_updated_as_by_the_other_lanes(void **state UNUSED)
{
	on_every_level(check_checksums);
}

static void check_limits(struct pipeline_pair t)
{
	struct flow flow;
	struct frame f;

	rig_limit_sources(t.with, 0, (struct rate){.interval = RIG_HZ, .tolerance = RIG_HZ});
	rig_limit_sources(t.without, 0, (struct rate){.interval = RIG_HZ, .tolerance = RIG_HZ});
	for (unsigned i = 0; i < 200; i++) { // more than the table holds, and each twice
		flow = flow4(i / 2);
		build_game(&f, &flow, 1, i % 5 == 1 ? 8 : 7);
		assert_same(t, &f, GOOD);
	}
	flow = flow4(1); // has a session
	build_game(&f, &flow, 1, 7);
	for (unsigned i = 0; i < 8; i++)
		assert_same(t, &f, GOOD);
	assert_true(t.with->stats.dropped[PG_DROP_SOURCE_RATE_LIMITED] > 0);
	assert_true(t.with->stats.dropped[PG_DROP_TABLE_FULL] > 0);
	assert_true(t.with->stats.dropped[PG_DROP_PLAYER_MISMATCH] > 0);
}

static void limits_hold_for_moves_too(void **state UNUSED)
{
	on_every_level(check_limits);
}

/// MOVEs and others in turns of any length, of known and new players.
static void check_bursts(struct pipeline_pair t)
{
	struct batch {
		struct burst burst;
		uint8_t memory[BURST_MAX][FRAME_MAX];
	} *with = zeroed_lines(sizeof(*with)), *without = zeroed_lines(sizeof(*without));
	uint64_t seed = 3;

	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < BURST_MAX; i++) {
			const uint32_t peer = random_below(&seed, 80), kind = random_below(&seed, 10);
			const struct flow flow = kind == 9 ? flow6(peer) : flow4(peer);
			struct frame f;

			// Mostly moves in every second burst.
			const bool rare = round % 2 && random_below(&seed, 16) > 0;

			build_game(&f, &flow, rare || kind < 7 ? 1 : 4, kind == 6 ? 8 : 7);
			if (kind == 5 && !rare)
				f.bytes[random_below(&seed, f.len)] ^= 1;
			memcpy(with->memory[i], f.bytes, f.len);
			with->burst.frame[i] = with->memory[i];
			with->burst.length[i] = f.len;
			with->burst.rx[i] = (uint8_t)(GOOD & (random_below(&seed, 8) | RX_IP_CHECKSUM_BAD));
		}
		*without = *with;
		for (unsigned i = 0; i < BURST_MAX; i++)
			without->burst.frame[i] = without->memory[i];
		t.with->path->run[t.with->rx_offload][t.with->tx_offload](&t.with->ingress, &with->burst, BURST_MAX, 5);
		t.without->path->run[t.with->rx_offload][t.with->tx_offload](&t.without->ingress, &without->burst,
									     BURST_MAX, 5);
		assert_memory_equal(with->memory, without->memory, sizeof(with->memory));
		assert_memory_equal(&with->burst.length, &without->burst.length,
				    sizeof(with->burst) - offsetof(struct burst, length));
	}
	free(with);
	free(without);
}

static void bursts_of_moves_and_others_are_answered_as_by_the_other_lanes(void **state UNUSED)
{
	on_every_level(check_bursts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ordinary_move_takes_the_lane),
		cmocka_unit_test(nothing_takes_the_lane_of_a_port_with_several_addresses_or_none),
		cmocka_unit_test(what_is_not_quite_a_move_does_not_take_the_lane),
		cmocka_unit_test(a_move_with_any_one_bit_changed_is_treated_as_by_the_other_lanes),
		cmocka_unit_test(a_move_with_any_one_byte_changed_is_treated_as_by_the_other_lanes),
		cmocka_unit_test(a_move_cut_short_or_padded_is_treated_as_by_the_other_lanes),
		cmocka_unit_test(a_move_from_anybody_is_treated_as_by_the_other_lanes),
		cmocka_unit_test(a_move_that_is_not_finite_is_refused_whichever_float_it_is),
		cmocka_unit_test(every_checksum_is_verified_and_updated_as_by_the_other_lanes),
		cmocka_unit_test(limits_hold_for_moves_too),
		cmocka_unit_test(bursts_of_moves_and_others_are_answered_as_by_the_other_lanes),
	};

	return cmocka_run_group_tests_name("move_frame", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// test_limits.c: limits by source in random bursts, reached, nearly reached and never reached: in frames with and without the
// lane of PLAYER_MOVEs and as datagrams, on every level, all against buckets that are asked for one datagram after the other.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "rig.h"

#define LISTENERS 2
#define PEERS 24
#define NETWORKS 3 // of IPv6 peers
#define PORTS 3
#define ROUNDS 400
#define CAPACITY (LISTENERS * 2 * PEERS * PORTS)

static const char *const levels[] = {"v2", "v3", "v4"};

enum way { WITH_LANE, WITHOUT_LANE, DATAGRAMS, WAYS };

/// What sources do to their limit.
enum strength { REACHED, NEARLY, NEVER, STRENGTHS };

struct asked {
	struct flow flow;
	struct frame frame;
	bool conforms; // by the model
};

struct trial {
	struct rig *rig[WAYS];
	struct rate rate[LISTENERS];
	uint64_t bucket[LISTENERS][2][PEERS]; // of each source: IPv4 address, or IPv6 network
	uint64_t seed;
	struct asked asked[BURST_MAX];
	unsigned n;
	uint64_t refused, to_the_brim;
};

// ---------------------------------------------------------------- what is sent

static uint64_t *bucket_of(struct trial *t, const struct flow *flow, uint32_t peer)
{
	const unsigned listener = flow->port_to == 8081;

	return flow->family == 4 ? &t->bucket[listener][0][peer] : &t->bucket[listener][1][peer % NETWORKS];
}

static struct flow a_flow(struct trial *t, uint32_t peer)
{
	const bool six = random_below(&t->seed, 6) == 0;
	struct flow flow = six ? flow6(peer) : flow4(peer);

	if (six)
		flow.from[7] = (uint8_t)(1 + peer % NETWORKS);
	flow.port_from = (uint16_t)(5000 + random_below(&t->seed, PORTS));
	if (random_below(&t->seed, 6) == 0)
		flow.port_to = 8081;
	if (random_below(&t->seed, 8) == 0)
		flow_tag(&flow, 0x8100, 7);
	return flow;
}

/// One datagram, unless the source is to stay just within its limit and this would be one too many.
static void ask(struct trial *t, enum strength strength)
{
	const uint32_t peer = random_below(&t->seed, PEERS);
	struct asked *asked = &t->asked[t->n];
	const struct flow flow = a_flow(t, peer);
	const struct rate rate = t->rate[flow.port_to == 8081];
	uint64_t *bucket = bucket_of(t, &flow, peer), after = *bucket;
	const bool conforms = rate_admit(&after, rate, t->rig[0]->now);

	if (strength == NEARLY && !conforms)
		return;
	*bucket = after;
	t->refused += !conforms;
	t->to_the_brim += rate.interval != 0 && after - t->rig[0]->now > rate.tolerance;
	*asked = (struct asked){.flow = flow, .conforms = conforms};
	build_game(&asked->frame, &flow, random_below(&t->seed, 4) ? 1 : 1 + random_below(&t->seed, 5), 7);
	t->n++;
}

// ---------------------------------------------------------------- what comes of it

static void check_drop(const struct trial *t, unsigned i, unsigned drop)
{
	assert_int_equal(drop, t->asked[i].conforms ? PG_DROP_NONE : PG_DROP_SOURCE_RATE_LIMITED);
}

static void run_frames(struct trial *t, struct rig *rig)
{
	struct burst burst;

	memset(&burst, 0, sizeof(burst));
	for (unsigned i = 0; i < t->n; i++) {
		burst.frame[i] = rig_buffer(rig, &t->asked[i].frame);
		burst.length[i] = t->asked[i].frame.len;
	}
	rig->path->run[0][0](&rig->ingress, &burst, t->n, rig->now);
	for (unsigned i = 0; i < t->n; i++) {
		const uint32_t type = get_le32(burst.frame[i] + t->asked[i].frame.payload);

		check_drop(t, i, burst.drop[i]);
		assert_int_equal(type > 100, t->asked[i].conforms);
		free(burst.frame[i]);
	}
}

static void run_datagrams(struct trial *t, struct rig *rig)
{
	struct datagram_burst burst;

	memset(&burst, 0, sizeof(burst));
	for (unsigned i = 0; i < t->n; i++) {
		struct frame *f = &t->asked[i].frame;

		burst.peer[i] = rig_peer(&t->asked[i].flow);
		burst.payload[i] = f->bytes + f->payload;
		burst.length[i] = (uint16_t)get_le32(burst.payload[i] + 4);
	}
	rig->path->run_datagrams(&rig->ingress, &burst, t->n, rig->now);
	for (unsigned i = 0; i < t->n; i++)
		check_drop(t, i, burst.drop[i]);
}

static void run(struct trial *t)
{
	for (unsigned way = 0; way < WAYS; way++) {
		struct rig *rig = t->rig[way];

		if (way == DATAGRAMS)
			run_datagrams(t, rig);
		else
			run_frames(t, rig);
		assert_true(rig_conserved(rig));
		assert_int_equal(rig->stats.dropped[PG_DROP_SOURCE_RATE_LIMITED], t->refused);
		assert_memory_equal(&rig->sources, &t->rig[0]->sources, sizeof(rig->sources));
		assert_memory_equal(rig->region, t->rig[0]->region, plain_region_size(CAPACITY));
	}
	t->n = 0;
}

static void let_pass(struct trial *t, uint64_t cycles)
{
	for (unsigned way = 0; way < WAYS; way++) {
		struct rig *rig = t->rig[way];

		rig->now += cycles;
	}
}

// ---------------------------------------------------------------- on every level

/// Listeners that both limit, or one of them: as many of their sources as of others come in each burst.
static void set_rates(struct trial *t, enum strength strength, unsigned which)
{
	static const struct rate never = {.interval = 1, .tolerance = RIG_HZ};
	const struct rate slow = rate_make(50, 4, RIG_HZ), slower = rate_make(20, 2, RIG_HZ);

	memset(t->bucket, 0, sizeof(t->bucket));
	t->rate[0] = which == 1 ? (struct rate){0} : strength == NEVER ? never : slow;
	t->rate[1] = which == 0 ? (struct rate){0} : strength == NEVER ? never : slower;
	for (unsigned way = 0; way < WAYS; way++) {
		struct rig *rig = t->rig[way];

		rig_reset(rig);
		for (unsigned listener = 0; listener < LISTENERS; listener++)
			rig_limit_sources(rig, listener, t->rate[listener]);
	}
}

static void check_strength(struct trial *t, enum strength strength, unsigned which)
{
	set_rates(t, strength, which);
	t->refused = t->to_the_brim = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		const unsigned n = 1 + random_below(&t->seed, BURST_MAX);

		for (unsigned i = 0; i < n; i++)
			ask(t, strength);
		run(t);
		let_pass(t, random_below(&t->seed, RIG_HZ / 10));
	}
	assert_int_equal(t->refused > 0, strength == REACHED);
	assert_int_equal(t->to_the_brim > 0, strength != NEVER);
}

static void check_level(const char *level)
{
	struct trial *t = zeroed_lines(sizeof(*t));

	t->seed = 5;
	for (unsigned way = 0; way < WAYS; way++)
		t->rig[way] = rig_open(level, CAPACITY);
	fast_frame_close(&t->rig[WITHOUT_LANE]->identity.fast);
	for (enum strength strength = 0; strength < STRENGTHS; strength++)
		for (unsigned which = 0; which <= LISTENERS; which++)
			check_strength(t, strength, which);
	for (unsigned way = 0; way < WAYS; way++)
		rig_close(t->rig[way]);
	free(t);
}

static void each_datagram_of_a_burst_is_admitted_as_if_it_came_alone(void **state UNUSED)
{
	for (size_t level = 0; level < COUNT(levels); level++)
		if (hot_path_select(levels[level]))
			check_level(levels[level]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_datagram_of_a_burst_is_admitted_as_if_it_came_alone),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// test_gathered.c: profiles without loops of their own, in frames and in datagrams. This test is built with a list of its own
// (gathered/wire/profiles.def) and the stages that follow from it.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/profile.h"
#include "rig.h"

extern const struct hot_path hot_path_gathered; // burst.c as it is compiled for this test

#define DO_NOT_FRAGMENT 0x4000

/// What take() does to a datagram, as its first byte says; one without a second byte is sent back.
enum order {
	SEND_BACK,
	SHORTEN, // to as many bytes as the second byte says
	REFUSE,
	SAY_NOTHING,
	GIVE_AWAY, // to the worker that the second byte names
};

static unsigned groups; // that take() was called for

static void follow(struct ingress *ingress, struct arrival *arrival)
{
	const uint8_t *payload = arrival->payload;

	switch (arrival->length >= 2 ? payload[0] : SEND_BACK) {
	case REFUSE:
		arrival->result = PG_DROP_MESSAGE_TYPE;
		return;
	case GIVE_AWAY:
		arrival->result = PACKET_ELSEWHERE;
		arrival->owner = payload[1];
		return;
	case SAY_NOTHING:
		arrival->result = PACKET_ABSORBED;
		break;
	case SHORTEN:
		arrival->length = payload[1];
		break;
	default:
		break;
	}
	counter_add(&ingress->stats->handled[PG_MESSAGE_HEARTBEAT], 1);
}

static void take(struct ingress *ingress, struct arrival *arrival, unsigned n, uint64_t now UNUSED)
{
	groups++;
	for (unsigned k = 0; k < n; k++)
		follow(ingress, &arrival[k]);
}

const struct profile echo_profile = {.take = take};
const struct profile whole_profile = {.take = take, .unfragmented = true};
const struct profile mute_profile = {.take = NULL};

static struct rig *rig;

static int open_gathered(void **state UNUSED)
{
	rig = rig_open("auto", 16);
	rig->path = &hot_path_gathered;
	rig->ingress.profile[0] = PG_PROFILE_ECHO;
	rig->ingress.profile[1] = PG_PROFILE_WHOLE;
	rig->registry.tables = 3;
	rig->ingress.port_bit = 1;
	rig->registry.ports[0] = rig->registry.ports[1] = 1; // the third worker is at another port
	groups = 0;
	return 0;
}

/// Every datagram ended in one counter: those of other workers in that of who gives them away, which the tests count.
static int close_gathered(void **state UNUSED)
{
	assert_true(rig_conserved(rig));
	rig_close(rig);
	return 0;
}

// ---------------------------------------------------------------- frames

enum way { COMMON, TAGGED, IPV6, SECOND_LISTENER, WAYS };

static struct flow flow_by(enum way way)
{
	struct flow flow = way == IPV6 ? flow6(1) : flow4(1);

	if (way == TAGGED)
		flow_tag(&flow, 0x8100, 7);
	if (way == SECOND_LISTENER)
		flow.port_to = 8081;
	return flow;
}

/// By every path, with every combination of offloads.
static void by_every_way(void (*check)(const struct flow *flow))
{
	for (unsigned offload = 0; offload < RIG_OFFLOADS; offload++)
		for (unsigned way = COMMON; way < WAYS; way++) {
			const struct flow flow = flow_by((enum way)way);

			rig_offload(rig, offload);
			check(&flow);
		}
}

/// As a device pads it; behind a datagram may be anything.
static struct outcome send(struct flow flow, const uint8_t *payload, size_t length)
{
	struct frame f;

	flow.padded_to = 60;
	build_udp(&f, &flow, payload, length);
	memset(f.bytes + f.payload + length, 0xee, f.len - f.payload - length);
	return rig_send_with_flags(rig, &f, RX_IP_CHECKSUM_GOOD | RX_L4_CHECKSUM_GOOD);
}

/// The answer that should have come of it, to the last byte.
/// @param fragment  flags of its IPv4 header
static void check_answer(const struct flow *flow, uint16_t fragment, const struct outcome *outcome,
			 const uint8_t *payload, size_t length)
{
	struct flow back = flow_back(flow);
	uint8_t completed[FRAME_MAX];
	struct frame expected;

	back.padded_to = 60;
	back.fragment = fragment;
	build_udp(&expected, &back, payload, length);
	assert_int_equal(outcome->drop, PG_DROP_NONE);
	assert_int_equal(outcome->len, expected.len);
	memcpy(completed, outcome->bytes, outcome->len);
	if (outcome->tx.checksums) // what the device does
		repair_checksums(completed, outcome->len);
	assert_memory_equal(completed, expected.bytes, expected.len);
}

static uint16_t fragment_of_answer(const struct flow *flow)
{
	return flow->port_to == 8081 ? DO_NOT_FRAGMENT : flow->fragment;
}

static void check_lengths(const struct flow *flow)
{
	uint8_t payload[64] = {SEND_BACK, 1, 2, 3};

	for (size_t length = 0; length <= sizeof(payload); length++) {
		const struct outcome outcome = send(*flow, payload, length);

		check_answer(flow, fragment_of_answer(flow), &outcome, payload, length);
	}
}

static void an_answer_of_any_length_is_a_whole_frame(void **state UNUSED)
{
	by_every_way(check_lengths);
}

static void check_shortened(const struct flow *flow)
{
	uint8_t payload[200] = {SHORTEN};

	for (unsigned to = 2; to <= 200; to++) {
		payload[1] = (uint8_t)to;

		const struct outcome outcome = send(*flow, payload, sizeof(payload));

		check_answer(flow, fragment_of_answer(flow), &outcome, payload, to);
	}
}

static void an_answer_that_is_shorter_than_the_request_has_nothing_of_it_behind_it(void **state UNUSED)
{
	by_every_way(check_shortened);
}

/// A virtual device gives frames as short as they were sent, and sends them so.
static void a_frame_that_came_without_padding_leaves_without(void **state UNUSED)
{
	const struct flow flow = flow4(1);
	const uint8_t payload[4] = {SHORTEN, 2};
	struct frame f;

	build_udp(&f, &flow, payload, sizeof(payload));
	assert_int_equal(f.len, 46);
	assert_int_equal(rig_send(rig, &f).len, 46);
}

static void check_fragmentation(const struct flow *flow)
{
	const uint8_t payload[40] = {SEND_BACK, 1};

	for (unsigned asked = 0; asked <= DO_NOT_FRAGMENT; asked += DO_NOT_FRAGMENT) {
		struct flow asking = *flow;

		if (flow->family == 6)
			return;
		asking.fragment = (uint16_t)asked;

		const struct outcome outcome = send(asking, payload, sizeof(payload));

		check_answer(&asking, fragment_of_answer(&asking), &outcome, payload, sizeof(payload));
	}
}

static void whether_an_answer_may_be_cut_is_the_profiles_or_the_requests_to_say(void **state UNUSED)
{
	by_every_way(check_fragmentation);
}

static void check_unanswered(const struct flow *flow)
{
	uint8_t payload[2] = {REFUSE};
	const uint64_t before = rig->stats.unanswered;

	assert_int_equal(send(*flow, payload, 2).drop, PG_DROP_MESSAGE_TYPE);
	payload[0] = SAY_NOTHING;
	assert_int_equal(send(*flow, payload, 2).drop, PACKET_ABSORBED);
	assert_int_equal(rig->stats.unanswered, before + 1);
}

static void what_is_refused_or_not_answered_is_counted_as_that(void **state UNUSED)
{
	by_every_way(check_unanswered);
}

// ---------------------------------------------------------------- bursts

/// One after the other in one burst; in one profile's frames and in another's.
static void neighbours_of_one_profile_are_taken_together(void **state UNUSED)
{
	static const uint16_t ports[] = {8080, 8080, 8081, 8081, 8081, 8080};
	uint8_t memory[COUNT(ports)][128];
	struct burst burst;

	memset(&burst, 0, sizeof(burst));
	for (unsigned i = 0; i < COUNT(ports); i++) {
		const uint8_t payload[20] = {SEND_BACK, (uint8_t)i};
		struct flow flow = flow4(i);
		struct frame f;

		flow.port_to = ports[i];
		build_udp(&f, &flow, payload, sizeof(payload));
		memcpy(memory[i], f.bytes, f.len);
		burst.frame[i] = memory[i];
		burst.length[i] = f.len;
	}
	hot_path_gathered.run[0][0](&rig->ingress, &burst, COUNT(ports), rig->now);
	for (unsigned i = 0; i < COUNT(ports); i++) {
		assert_int_equal(burst.drop[i], PG_DROP_NONE);
		assert_int_equal(memory[i][42 + 1], i);
	}
	assert_int_equal(groups, 3);
}

static void whose_source_sends_too_much_is_not_taken(void **state UNUSED)
{
	const uint8_t payload[20] = {SEND_BACK, 1};
	const struct flow flow = flow4(1), other = flow4(2);

	rig_limit_sources(rig, 0, (struct rate){.interval = RIG_HZ, .tolerance = 0});
	assert_int_equal(send(flow, payload, sizeof(payload)).drop, PG_DROP_NONE);
	assert_int_equal(send(flow, payload, sizeof(payload)).drop, PG_DROP_SOURCE_RATE_LIMITED);
	assert_int_equal(send(other, payload, sizeof(payload)).drop, PG_DROP_NONE);
	assert_int_equal(groups, 2);
}

// ---------------------------------------------------------------- another worker's

/// The second worker can have it; the first is this one, the third is at another port, and a fourth there is not.
static const struct {
	uint8_t owner;
	unsigned result;
} owners[] = {
	{1, PACKET_ELSEWHERE},   {0, PG_DROP_OWNER_BUSY},   {2, PG_DROP_OWNER_BUSY},
	{3, PG_DROP_OWNER_BUSY}, {255, PG_DROP_OWNER_BUSY},
};

/// @return what became of it; the owner is the one that was asked for
static unsigned give_frame(uint8_t owner)
{
	const uint8_t payload[2] = {GIVE_AWAY, owner};
	const struct flow flow = flow4(1);
	struct burst burst;
	struct frame f;

	memset(&burst, 0, sizeof(burst));
	build_udp(&f, &flow, payload, sizeof(payload));

	uint8_t *buffer = rig_buffer(rig, &f);

	burst.frame[0] = buffer;
	burst.length[0] = f.len;
	hot_path_gathered.run[0][0](&rig->ingress, &burst, 1, rig->now);
	if (burst.drop[0] == PACKET_ELSEWHERE) {
		assert_int_equal(burst.owner[0], owner);
		assert_memory_equal(buffer, f.bytes, f.len); // as received
		rig->stats.handed_out++;                     // as the engine counts it
	}
	free(buffer);
	return burst.drop[0];
}

static unsigned give_datagram(uint8_t owner)
{
	uint8_t payload[PG_DATAGRAM_MAX] = {GIVE_AWAY, owner};
	struct datagram_burst burst;

	memset(&burst, 0, sizeof(burst));
	burst.payload[0] = payload;
	burst.length[0] = 2;
	peer_set4(&burst.peer[0], 0x01020304);
	peer_set_channel(&burst.peer[0], 5000, 0);
	hot_path_gathered.run_datagrams(&rig->ingress, &burst, 1, rig->now);
	if (burst.drop[0] == PACKET_ELSEWHERE) {
		assert_int_equal(burst.owner[0], owner);
		rig->stats.handed_out++;
	}
	return burst.drop[0];
}

static void a_frame_of_another_worker_is_given_to_that_one(void **state UNUSED)
{
	for (size_t i = 0; i < COUNT(owners); i++)
		assert_int_equal(give_frame(owners[i].owner), owners[i].result);
	rig->ingress.settles_here = true; // else two workers could give it to each other for ever
	assert_int_equal(give_frame(1), PG_DROP_OWNER_BUSY);
}

static void a_datagram_of_another_worker_is_given_to_that_one_where_workers_have_mail(void **state UNUSED)
{
	struct session_shard shard;

	assert_int_equal(give_datagram(1), PG_DROP_OWNER_BUSY);
	rig->ingress.shard = &shard;
	for (size_t i = 0; i < COUNT(owners); i++)
		assert_int_equal(give_datagram(owners[i].owner), owners[i].result);
	rig->ingress.settles_here = true;
	assert_int_equal(give_datagram(1), PG_DROP_OWNER_BUSY);
	rig->ingress.shard = NULL;
}

// ---------------------------------------------------------------- plans

static bool fits(uint8_t profile)
{
	static struct pg_plan plan;

	plan.listener_count = 1;
	plan.listener_profile[0] = profile;
	return profiles_fit(&plan);
}

static void a_profile_whose_datagrams_nobody_takes_is_refused(void **state UNUSED)
{
	assert_true(fits(PG_PROFILE_PLAIN));
	assert_true(fits(PG_PROFILE_ECHO));
	assert_true(fits(PG_PROFILE_WHOLE));
	assert_false(fits(PG_PROFILE_MUTE));
	assert_false(fits(PG_PROFILES));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_gathered, close_gathered)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_of_any_length_is_a_whole_frame),
		TEST(an_answer_that_is_shorter_than_the_request_has_nothing_of_it_behind_it),
		TEST(a_frame_that_came_without_padding_leaves_without),
		TEST(whether_an_answer_may_be_cut_is_the_profiles_or_the_requests_to_say),
		TEST(what_is_refused_or_not_answered_is_counted_as_that),
		TEST(neighbours_of_one_profile_are_taken_together),
		TEST(whose_source_sends_too_much_is_not_taken),
		TEST(a_frame_of_another_worker_is_given_to_that_one),
		TEST(a_datagram_of_another_worker_is_given_to_that_one_where_workers_have_mail),
		TEST(a_profile_whose_datagrams_nobody_takes_is_refused),
	};

	return cmocka_run_group_tests_name("gathered", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// test_mld.c: queries for multicast listeners and the reports that follow, against RFC 3810, 2710 and 4861.

#include "unit.h"

#include <string.h>

#include "querier.h"

#define SECOND RIG_HZ
#define QUERY_DELAY_MS 10000

static void ask(struct rig *rig, struct question q)
{
	const struct frame f = query(q);
	const struct outcome outcome = rig_send(rig, &f);

	assert_int_equal(outcome.drop, PACKET_ABSORBED);
}

/// The one frame that is due now.
static struct outcome told(struct rig *rig)
{
	struct outcome out = {0};

	assert_true(rig->announcer.due <= rig->now);
	out.len = announcer_next(&rig->announcer, &rig->identity, rig->now, out.bytes);
	return out;
}

static void assert_silent(struct rig *rig)
{
	uint8_t frame[ANNOUNCER_FRAME_MAX];

	assert_int_equal(announcer_next(&rig->announcer, &rig->identity, rig->now, frame), 0);
	assert_true(rig->announcer.due > rig->now);
}

/// To whom, and what: as a listener with a link-local address sends it.
static struct frame report(const uint8_t *to, const uint8_t *message, size_t len, unsigned tags)
{
	struct flow flow = flow6(1);
	struct frame f;

	memcpy(flow.mac_from, our_mac, 6);
	memcpy(flow.from, our_link_local, 16);
	memcpy(flow.to, to, 16);
	multicast_mac6(to, flow.mac_to);
	flow.ttl = 1;
	flow.tos = 0;
	for (unsigned i = 0; i < tags; i++)
		flow_tag(&flow, i ? 0x8100 : 0x88a8, (uint16_t)(0x6000 + i + tags));
	build_mld(&f, &flow, message, len);
	put32(f.bytes + f.l3, 0x60000000); // no flow label
	return f;
}

static void assert_told(struct rig *rig, const struct frame *expected)
{
	const struct outcome out = told(rig);

	assert_int_equal(out.len, expected->len);
	assert_memory_equal(out.bytes, expected->bytes, out.len);
}

/// Both addresses of the rig end alike: one group, one record.
static struct frame report2(uint8_t record, unsigned sources, unsigned tags)
{
	uint8_t message[28 + 16 * MLD_SOURCES_MAX] = {143, [7] = 1, [8] = record, [11] = (uint8_t)sources};

	solicited_node(our_ip6, message + 12);
	for (unsigned i = 0; i < sources; i++)
		source_of(message + 28 + 16 * (size_t)i, i);
	return report(all_mld2_routers, message, 28 + 16 * (size_t)sources, tags);
}

static struct frame report1(uint8_t type)
{
	uint8_t message[24] = {type}, group[16];

	solicited_node(our_ip6, group);
	memcpy(message + 8, group, 16);
	return report(type == 132 ? all_routers : group, message, 24, 0);
}

// ---------------------------------------------------------------- of our own accord

static void joining_is_reported_twice_within_a_second(void **state UNUSED)
{
	const struct frame expected = report2(MLD_TO_EXCLUDE, 0, 0);
	struct rig *rig = open_rig();

	membership_join(&rig->announcer.membership, rig->now);
	rig->announcer.due = rig->now;
	assert_told(rig, &expected);
	assert_silent(rig);
	assert_true(rig->announcer.due <= rig->now + SECOND + 1);
	rig->now = rig->announcer.due;
	assert_told(rig, &expected);
	assert_silent(rig);
	assert_true(rig->announcer.due == ANNOUNCER_NONE_DUE);
	close_rig(rig);
}

static void a_link_that_comes_up_is_joined_beside_the_announcements(void **state UNUSED)
{
	const struct frame expected = report2(MLD_TO_EXCLUDE, 0, 0);
	struct rig *rig = open_rig();

	announcer_begin(&rig->announcer, rig->now);
	for (unsigned i = 0; i < 3; i++) // addresses
		assert_int_not_equal(told(rig).len, 0);
	assert_told(rig, &expected);
	assert_silent(rig);
	close_rig(rig);
}

static void the_end_is_reported_and_nothing_after_it(void **state UNUSED)
{
	const struct frame expected = report2(MLD_TO_INCLUDE, 0, 0);
	struct rig *rig = open_rig();

	announcer_begin(&rig->announcer, rig->now);
	ask(rig, (struct question){.version = 2, .delay = QUERY_DELAY_MS});
	announcer_end(&rig->announcer, rig->now);
	assert_told(rig, &expected);
	assert_silent(rig);
	ask(rig, (struct question){.version = 2});
	assert_true(rig->announcer.due == ANNOUNCER_NONE_DUE);
	close_rig(rig);
}

static void each_group_has_a_record(void **state UNUSED)
{
	struct rig *rig = open_rig();
	struct outcome out;

	rig->identity.v6[1][14] = 0x55; // another last three bytes
	assert_int_equal(mld_groups(&rig->identity), 3);
	membership_join(&rig->announcer.membership, rig->now);
	rig->announcer.due = rig->now;
	out = told(rig);
	assert_int_equal(out.len, 14 + 40 + 8 + 8 + 2 * 20);
	assert_int_equal(get16(out.bytes + 62 + 6), 2);
	close_rig(rig);
}

static void without_a_link_local_address_the_source_is_unspecified(void **state UNUSED)
{
	struct rig *rig = open_rig();

	rig->identity.v6_count = 1;
	membership_join(&rig->announcer.membership, rig->now);
	rig->announcer.due = rig->now;
	assert_memory_equal(told(rig).bytes + 14 + 8, none, 16);
	close_rig(rig);
}

static void without_ipv6_nothing_is_reported_and_no_query_heard(void **state UNUSED)
{
	const struct frame f = query((struct question){.version = 2});
	struct rig *rig = open_rig();

	rig->identity.v6_count = 0;
	membership_join(&rig->announcer.membership, rig->now);
	rig->announcer.due = rig->now;
	assert_silent(rig);
	assert_int_equal(rig_send(rig, &f).drop, PG_DROP_NOT_FOR_US);
	close_rig(rig);
}

// ---------------------------------------------------------------- when asked

static void a_general_query_is_answered_within_its_delay_and_once(void **state UNUSED)
{
	const struct frame expected = report2(MLD_IS_EXCLUDE, 0, 0);
	struct rig *rig = open_rig();

	for (unsigned i = 0; i < 100; i++) {
		const uint64_t asked = rig->now;

		ask(rig, (struct question){.version = 2, .delay = QUERY_DELAY_MS});
		assert_true(rig->announcer.due >= asked);
		ask(rig, (struct question){.version = 2, .delay = QUERY_DELAY_MS}); // another querier
		rig->now = rig->announcer.due;
		assert_true(rig->now <= asked + 10 * SECOND);
		assert_told(rig, &expected);
		assert_silent(rig);
		assert_true(rig->announcer.due == ANNOUNCER_NONE_DUE);
	}
	assert_int_equal(rig->stats.handled[PG_MESSAGE_MLD_QUERY], 200);
	assert_int_equal(rig->stats.unanswered, 200);
	close_rig(rig);
}

static void delays_differ(void **state UNUSED)
{
	struct rig *rig = open_rig();
	unsigned early = 0;

	for (unsigned i = 0; i < 1000; i++) {
		ask(rig, (struct question){.version = 2, .delay = QUERY_DELAY_MS});
		early += rig->announcer.due < rig->now + 5 * SECOND;
		rig->now = rig->announcer.due;
		told(rig);
		assert_silent(rig);
	}
	assert_uint_in_range(early, 400, 600); // the sequence is the same in every run
	close_rig(rig);
}

static void a_delay_from_32768_on_is_a_floating_point_number(void **state UNUSED)
{
	struct rig *rig = open_rig();
	uint64_t longest = 0;

	for (unsigned i = 0; i < 200; i++) {
		ask(rig, (struct question){.version = 2, .delay = 0x8000}); // 0x1000 << 3
		if (rig->announcer.due - rig->now > longest)
			longest = rig->announcer.due - rig->now;
		rig->now = rig->announcer.due;
		told(rig);
		assert_silent(rig);
	}
	assert_true(longest <= 32768 * (SECOND / 1000));
	assert_true(longest > 16 * SECOND);
	close_rig(rig);
}

static void a_query_for_our_group_is_answered_for_it(void **state UNUSED)
{
	const struct frame expected = report2(MLD_IS_EXCLUDE, 0, 0);
	struct rig *rig = open_rig();

	ask(rig, (struct question){.version = 2, .group = our_group()});
	assert_told(rig, &expected);
	assert_silent(rig);
	close_rig(rig);
}

static void a_query_for_sources_is_answered_with_those_that_were_asked_for(void **state UNUSED)
{
	struct rig *rig = open_rig();

	for (unsigned n = 1; n <= MLD_SOURCES_MAX; n++) {
		const struct frame expected = report2(MLD_IS_INCLUDE, n, 0);

		ask(rig, (struct question){.version = 2, .group = our_group(), .sources = n});
		assert_told(rig, &expected);
		assert_silent(rig);
	}
	close_rig(rig);
}

static void more_sources_than_fit_are_answered_with_all_of_them(void **state UNUSED)
{
	const struct frame expected = report2(MLD_IS_EXCLUDE, 0, 0);
	struct rig *rig = open_rig();

	ask(rig, (struct question){.version = 2, .group = our_group(), .sources = MLD_SOURCES_MAX + 1});
	assert_told(rig, &expected);
	for (unsigned i = 0; i < 2; i++) // or added up, while they wait
		ask(rig, (struct question){.version = 2, .group = our_group(), .sources = 9, .delay = QUERY_DELAY_MS});
	rig->now += 10 * SECOND;
	assert_told(rig, &expected);
	assert_silent(rig);
	close_rig(rig);
}

static void a_query_for_the_whole_group_makes_one_report_of_what_waits(void **state UNUSED)
{
	const struct frame expected = report2(MLD_IS_EXCLUDE, 0, 0);
	struct rig *rig = open_rig();

	ask(rig, (struct question){.version = 2, .group = our_group(), .sources = 1, .delay = QUERY_DELAY_MS});
	ask(rig, (struct question){.version = 2, .group = our_group(), .delay = QUERY_DELAY_MS});
	rig->now += 10 * SECOND;
	assert_told(rig, &expected);
	assert_silent(rig);
	close_rig(rig);
}

static void a_report_takes_the_tags_of_its_query(void **state UNUSED)
{
	struct rig *rig = open_rig();

	for (unsigned tags = 0; tags <= 2; tags++)
		ask(rig, (struct question){.version = 2, .delay = QUERY_DELAY_MS, .tags = tags});
	rig->now += 10 * SECOND;
	for (unsigned seen = 0; seen != 7;) {
		const struct outcome out = told(rig);
		const unsigned tags = (out.len - 90U) / 4;
		const struct frame expected = report2(MLD_IS_EXCLUDE, 0, tags);

		assert_int_equal(out.len, expected.len);
		assert_memory_equal(out.bytes, expected.bytes, out.len);
		seen |= 1U << tags;
	}
	assert_silent(rig);
	close_rig(rig);
}

static void when_many_vlans_ask_nobody_waits_and_the_rest_is_counted(void **state UNUSED)
{
	struct rig *rig = open_rig();
	unsigned taken = 0;

	for (unsigned vlan = 1; vlan <= 2 * MEMBERSHIP_RESPONSES_MAX; vlan++) {
		struct frame f = query((struct question){.version = 2, .delay = QUERY_DELAY_MS, .tags = 1});

		put16(f.bytes + 14, (uint16_t)vlan);
		taken += rig_send(rig, &f).drop == PACKET_ABSORBED;
	}
	assert_int_equal(taken, MEMBERSHIP_RESPONSES_MAX);
	assert_int_equal(rig->stats.dropped[PG_DROP_HOST_RATE_LIMITED], MEMBERSHIP_RESPONSES_MAX);
	for (unsigned i = 0; i < MEMBERSHIP_RESPONSES_MAX / 2; i++)
		assert_int_not_equal(told(rig).len, 0);
	close_rig(rig);
}

static void queries_are_limited_like_other_questions(void **state UNUSED)
{
	const struct frame f = query((struct question){.version = 2, .delay = QUERY_DELAY_MS});
	struct rig *rig = open_rig();

	rig->policy.host = rate_make(10, 2, RIG_HZ);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(rig_send(rig, &f).drop, i < 2 ? PACKET_ABSORBED : PG_DROP_HOST_RATE_LIMITED);
	close_rig(rig);
}

// ---------------------------------------------------------------- version 1

static void a_querier_of_version_1_gets_reports_of_version_1(void **state UNUSED)
{
	const struct frame expected = report1(131);
	struct rig *rig = open_rig();

	ask(rig, (struct question){.version = 1, .delay = QUERY_DELAY_MS});
	rig->now = rig->announcer.due;
	assert_told(rig, &expected);
	assert_silent(rig);
	ask(rig, (struct question){.version = 1, .group = our_group()});
	assert_told(rig, &expected);
	assert_silent(rig);
	close_rig(rig);
}

static void beside_a_querier_of_version_1_everything_is_version_1_for_260_seconds(void **state UNUSED)
{
	const struct frame older = report1(131), newer = report2(MLD_IS_EXCLUDE, 0, 0), done = report1(132);
	struct rig *rig = open_rig();

	ask(rig, (struct question){.version = 2, .delay = QUERY_DELAY_MS}); // forgotten with the change
	ask(rig, (struct question){.version = 1});
	assert_told(rig, &older);
	assert_silent(rig);
	assert_true(rig->announcer.due == ANNOUNCER_NONE_DUE);
	rig->now += 260 * SECOND - 1;
	ask(rig, (struct question){.version = 2});
	assert_told(rig, &older);
	membership_join(&rig->announcer.membership, rig->now);
	rig->announcer.due = rig->now;
	assert_told(rig, &older);
	announcer_end(&rig->announcer, rig->now);
	assert_told(rig, &done);
	announcer_init(&rig->announcer, RIG_HZ, 1);
	ask(rig, (struct question){.version = 1});
	rig->now += 260 * SECOND;
	told(rig);
	ask(rig, (struct question){.version = 2});
	assert_told(rig, &newer);
	close_rig(rig);
}

static void workers_of_a_port_know_of_each_others_querier(void **state UNUSED)
{
	const struct frame older = report1(131);
	struct rig *rig = open_rig();
	_Atomic uint64_t until = rig->now + SECOND;

	rig->announcer.membership.older_until = &until;
	ask(rig, (struct question){.version = 2});
	assert_told(rig, &older);
	close_rig(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joining_is_reported_twice_within_a_second),
		cmocka_unit_test(a_link_that_comes_up_is_joined_beside_the_announcements),
		cmocka_unit_test(the_end_is_reported_and_nothing_after_it),
		cmocka_unit_test(each_group_has_a_record),
		cmocka_unit_test(without_a_link_local_address_the_source_is_unspecified),
		cmocka_unit_test(without_ipv6_nothing_is_reported_and_no_query_heard),
		cmocka_unit_test(a_general_query_is_answered_within_its_delay_and_once),
		cmocka_unit_test(delays_differ),
		cmocka_unit_test(a_delay_from_32768_on_is_a_floating_point_number),
		cmocka_unit_test(a_query_for_our_group_is_answered_for_it),
		cmocka_unit_test(a_query_for_sources_is_answered_with_those_that_were_asked_for),
		cmocka_unit_test(more_sources_than_fit_are_answered_with_all_of_them),
		cmocka_unit_test(a_query_for_the_whole_group_makes_one_report_of_what_waits),
		cmocka_unit_test(a_report_takes_the_tags_of_its_query),
		cmocka_unit_test(when_many_vlans_ask_nobody_waits_and_the_rest_is_counted),
		cmocka_unit_test(queries_are_limited_like_other_questions),
		cmocka_unit_test(a_querier_of_version_1_gets_reports_of_version_1),
		cmocka_unit_test(beside_a_querier_of_version_1_everything_is_version_1_for_260_seconds),
		cmocka_unit_test(workers_of_a_port_know_of_each_others_querier),
	};

	return cmocka_run_group_tests_name("mld", tests, NULL, NULL);
}

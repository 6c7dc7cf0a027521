// SPDX-License-Identifier: BSD-3-Clause
// test_announcer.c: when a host announces and defends its addresses (RFC 5227 2.3 and 2.4, RFC 4861 7.2.6).

#include "unit.h"

#include <string.h>

#include "rig.h"

#define SECOND RIG_HZ

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t nobody[6] = {0};

/// @return how many frames are due at rig->now
static unsigned perform(struct rig *rig)
{
	uint8_t frame[ANNOUNCER_FRAME_MAX];
	unsigned n = 0;

	while (announcer_next(&rig->announcer, &rig->identity, rig->now, frame) != 0)
		n++;
	assert_true(rig->announcer.due > rig->now);
	return n;
}

/// A host at 06:00:00:00:00:n says that it is 10.0.0.1.
static void claim4(struct rig *rig, uint8_t n)
{
	struct flow flow = flow4(n);
	struct frame f;

	memcpy(flow.mac_to, broadcast, 6);
	build_arp(&f, &flow, 1, our_ip4, nobody, our_ip4);
	assert_int_equal(rig_send(rig, &f).drop, PG_DROP_ADDRESS_CONFLICT);
}

static void claim6(struct rig *rig)
{
	static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
	struct flow flow = flow6(1);
	struct frame f;

	memcpy(flow.to, all_nodes, 16);
	flow.ttl = 255;
	build_neighbor(&f, &flow, 136, 0x20000000, our_ip6, true);
	assert_int_equal(rig_send(rig, &f).drop, PG_DROP_ADDRESS_CONFLICT);
}

static void nothing_is_due_before_the_link_is_up(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 4);

	assert_true(rig->announcer.due == ANNOUNCER_NONE_DUE);
	assert_int_equal(perform(rig), 0);
	rig_close(rig);
}

static void every_address_is_announced_twice_two_seconds_apart(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 4);

	for (unsigned ups = 0; ups < 2; ups++) { // and again each time that the link comes up
		announcer_begin(&rig->announcer, rig->now);
		membership_init(&rig->announcer.membership, RIG_HZ, 1); // test_mld.c
		assert_int_equal(perform(rig), 3);
		assert_true(rig->announcer.due == rig->now + 2 * SECOND);
		rig->now += 2 * SECOND - 1;
		assert_int_equal(perform(rig), 0);
		rig->now++;
		assert_int_equal(perform(rig), 3);
		rig->now += 1000 * SECOND;
		assert_int_equal(perform(rig), 0);
	}
	rig_close(rig);
}

static void an_address_that_another_host_has_is_defended_once_in_ten_seconds(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 4);
	uint8_t frame[ANNOUNCER_FRAME_MAX], expected[ANNOUNCER_FRAME_MAX];

	claim4(rig, 1);
	assert_true(rig->announcer.due == rig->now);
	assert_int_equal(announcer_next(&rig->announcer, &rig->identity, rig->now, frame), 60);
	assert_int_equal(announce_arp(expected, &rig->identity, 0), 60);
	assert_memory_equal(frame, expected, 60);
	assert_int_equal(perform(rig), 0);
	rig->now += 10 * SECOND - 1;
	claim4(rig, 1);
	assert_int_equal(perform(rig), 0);
	rig->now++;
	claim4(rig, 1);
	claim4(rig, 2);
	assert_int_equal(perform(rig), 1);
	assert_int_equal(rig->stats.dropped[PG_DROP_ADDRESS_CONFLICT], 4);
	assert_true(rig_conserved(rig));
	rig_close(rig);
}

static void an_ipv6_address_is_defended_by_itself(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 4);
	uint8_t frame[ANNOUNCER_FRAME_MAX], expected[ANNOUNCER_FRAME_MAX];
	uint16_t len;

	claim4(rig, 1);
	assert_int_equal(perform(rig), 1);
	claim6(rig);
	len = announce_neighbor(expected, &rig->identity, 0);
	assert_int_equal(announcer_next(&rig->announcer, &rig->identity, rig->now, frame), len);
	assert_memory_equal(frame, expected, len);
	claim6(rig);
	assert_int_equal(perform(rig), 0);
	rig_close(rig);
}

static void the_last_conflict_is_told_once(void **state UNUSED)
{
	static const uint8_t second[6] = {0x06, 0, 0, 0, 0, 2};
	struct rig *rig = rig_open("auto", 4);
	struct conflict conflict = announcer_take_conflict(&rig->announcer);

	assert_int_equal(conflict.family, 0);
	claim4(rig, 1);
	claim4(rig, 2);
	conflict = announcer_take_conflict(&rig->announcer);
	assert_int_equal(conflict.family, 4);
	assert_int_equal(conflict.index, 0);
	assert_memory_equal(conflict.mac, second, 6);
	assert_int_equal(announcer_take_conflict(&rig->announcer).family, 0);
	claim6(rig);
	assert_int_equal(announcer_take_conflict(&rig->announcer).family, 6);
	rig_close(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_due_before_the_link_is_up),
		cmocka_unit_test(every_address_is_announced_twice_two_seconds_apart),
		cmocka_unit_test(an_address_that_another_host_has_is_defended_once_in_ten_seconds),
		cmocka_unit_test(an_ipv6_address_is_defended_by_itself),
		cmocka_unit_test(the_last_conflict_is_told_once),
	};

	return cmocka_run_group_tests_name("announcer", tests, NULL, NULL);
}

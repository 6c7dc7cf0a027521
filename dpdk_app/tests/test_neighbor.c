// SPDX-License-Identifier: BSD-3-Clause
// test_neighbor.c: neighbour discovery: what is answered, what is refused, what a host announces of its own accord
// (RFC 4861, 5227).

#include "unit.h"

#include <string.h>

#include "host_requests.h"

// ---------------------------------------------------------------- neighbour discovery

/// The header of an advertisement is a new one: class and flow label are zero.
static void build_advertisement_from_us(struct frame *f, const struct flow *to, uint32_t flags)
{
	struct flow back = flow_back(to);

	memcpy(back.from, our_ip6, 16);
	back.ttl = 255;
	build_neighbor(f, &back, 136, flags, our_ip6, true);
	put32(f->bytes + f->l3, 0x60000000);
}

static void a_solicitation_is_answered_with_our_mac(void **state UNUSED)
{
	const struct flow flow = solicitation_flow();
	const struct frame request = solicitation(true);
	struct frame expected;

	build_advertisement_from_us(&expected, &flow, 0x60000000);
	assert_answered(&request, &expected, PG_MESSAGE_NEIGHBOR_SOLICITATION);
}

static void a_solicitation_sent_straight_to_us_is_answered(void **state UNUSED)
{
	struct flow flow = flow6(1);
	struct frame request, expected;

	flow.ttl = 255;
	build_neighbor(&request, &flow, 135, 0, our_ip6, true);
	build_advertisement_from_us(&expected, &flow, 0x60000000);
	assert_answered(&request, &expected, PG_MESSAGE_NEIGHBOR_SOLICITATION);
}

static void a_solicitation_without_option_is_answered_eight_bytes_longer(void **state UNUSED)
{
	struct flow flow = solicitation_flow();
	struct frame request, expected;

	flow_tag(&flow, 0x88a8, 1);
	flow_tag(&flow, 0x8100, 2);
	build_neighbor(&request, &flow, 135, 0, our_ip6, false);
	build_advertisement_from_us(&expected, &flow, 0x60000000);
	assert_int_equal(expected.len, request.len + HOST_ANSWER_ROOM);
	assert_answered(&request, &expected, PG_MESSAGE_NEIGHBOR_SOLICITATION);
}

static void duplicate_address_detection_is_answered_to_all_nodes(void **state UNUSED)
{
	struct flow flow = solicitation_flow(), to;
	struct frame request, expected;

	memcpy(flow.from, any6, 16);
	build_neighbor(&request, &flow, 135, 0, our_ip6, false);
	to = flow;
	memcpy(to.from, all_nodes, 16);
	multicast_mac6(all_nodes, to.mac_from);
	build_advertisement_from_us(&expected, &to, 0x20000000); // override, not solicited
	memcpy(expected.bytes + expected.l4 + 26, our_mac, 6);
	assert_answered(&request, &expected, PG_MESSAGE_NEIGHBOR_SOLICITATION);
}

static void a_solicitation_that_crossed_a_router_is_bad(void **state UNUSED)
{
	for (unsigned hops = 0; hops < 255; hops++) {
		struct frame f = solicitation(true);

		f.bytes[f.l3 + 7] = (uint8_t)hops;
		assert_int_equal(drop_of(&f), PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	}
}

static void a_malformed_solicitation_is_bad(void **state UNUSED)
{
	struct flow flow = solicitation_flow();
	struct frame f = solicitation(true);

	f.bytes[f.l4 + 1] = 1; // code
	assert_int_equal(drop_of_repaired(&f), PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	build_neighbor(&f, &flow, 135, 0, all_nodes, true); // multicast target
	assert_int_equal(drop_of(&f), PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	for (unsigned length = 0; length <= 0xff; length++) { // of its option, in units of 8 bytes
		f = solicitation(true);
		f.bytes[f.l4 + 25] = (uint8_t)length;
		assert_int_equal(drop_of_repaired(&f), length == 1 ? PG_DROP_NONE : PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	}
	for (size_t len = 8; len < 32; len++) { // too short, or with a piece of an option
		const uint8_t segment[32] = {135, [8] = 0xfd, [23] = 1, [24] = 1, 1};

		build_ip(&f, &flow, PROTOCOL_ICMPV6, segment, len);
		assert_int_equal(drop_of(&f), len == 24 ? PG_DROP_NONE : PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	}
}

static void duplicate_address_detection_has_rules_of_its_own(void **state UNUSED)
{
	struct flow flow = solicitation_flow();
	struct frame f;

	memcpy(flow.from, any6, 16);
	build_neighbor(&f, &flow, 135, 0, our_ip6, true); // no address, but a link-layer address
	assert_int_equal(drop_of(&f), PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	memcpy(flow.to, our_ip6, 16); // not to the group
	memcpy(flow.mac_to, our_mac, 6);
	build_neighbor(&f, &flow, 135, 0, our_ip6, false);
	assert_int_equal(drop_of(&f), PG_DROP_BAD_NEIGHBOR_DISCOVERY);
}

static void a_solicitation_is_answered_to_its_option_whoever_sent_the_frame(void **state UNUSED)
{
	static const uint8_t group[6] = {0, 0, 0x5e, 0, 2, 0x0a}; // VRRP over IPv6
	struct flow flow = solicitation_flow();
	struct frame request = solicitation(true), expected;

	memcpy(request.bytes + request.l4 + 26, group, 6);
	repair_checksums(request.bytes, request.len);
	memcpy(flow.mac_from, group, 6);
	build_advertisement_from_us(&expected, &flow, 0x60000000);
	assert_answered(&request, &expected, PG_MESSAGE_NEIGHBOR_SOLICITATION);
}

static void a_solicitation_from_a_mac_that_nobody_else_can_have_is_refused(void **state UNUSED)
{
	struct frame f = solicitation(true);

	memset(f.bytes + f.l4 + 26, 0, 6);
	assert_int_equal(drop_of_repaired(&f), PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	memset(f.bytes + f.l4 + 26, 0xff, 6);
	assert_int_equal(drop_of_repaired(&f), PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	memcpy(f.bytes + f.l4 + 26, our_mac, 6);
	assert_int_equal(drop_of_repaired(&f), PG_DROP_BAD_SOURCE);
}

/// To all nodes, from a peer: unsolicited, overriding.
static struct frame advertisement(const uint8_t *target, uint32_t flags, bool with_option)
{
	struct flow flow = flow6(1);
	struct frame f;

	memcpy(flow.to, all_nodes, 16);
	multicast_mac6(flow.to, flow.mac_to);
	memcpy(flow.from, target, 16);
	flow.ttl = 255;
	build_neighbor(&f, &flow, 136, flags, target, with_option);
	return f;
}

static void an_advertisement_of_our_address_by_another_host_is_a_conflict(void **state UNUSED)
{
	static const uint8_t other[16] = {0xfd, [15] = 0x09};
	struct frame f = advertisement(our_ip6, 0x20000000, true);

	assert_int_equal(drop_of(&f), PG_DROP_ADDRESS_CONFLICT);
	f = advertisement(our_link_local, 0, false);
	assert_int_equal(drop_of(&f), PG_DROP_ADDRESS_CONFLICT);
	f = advertisement(other, 0x20000000, true);
	assert_int_equal(drop_of(&f), PG_DROP_NOT_FOR_US);
	f = advertisement(our_ip6, 0x20000000, true);
	memcpy(f.bytes + f.l4 + 26, our_mac, 6); // ours, sent back
	assert_int_equal(drop_of_repaired(&f), PG_DROP_BAD_SOURCE);
}

static void a_malformed_advertisement_is_bad(void **state UNUSED)
{
	struct frame f = advertisement(our_ip6, 0x20000000, true);

	f.bytes[f.l3 + 7] = 254;
	assert_int_equal(drop_of(&f), PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	f = advertisement(our_ip6, 0x60000000, true); // solicited by everybody
	assert_int_equal(drop_of(&f), PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	f = advertisement(our_ip6, 0x20000000, true);
	f.bytes[f.l4 + 1] = 1;
	assert_int_equal(drop_of_repaired(&f), PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	f = advertisement(our_ip6, 0x20000000, true);
	f.bytes[f.l4 + 25] = 0;
	assert_int_equal(drop_of_repaired(&f), PG_DROP_BAD_NEIGHBOR_DISCOVERY);
	f = advertisement(our_ip6, 0x20000000, true);
	f.bytes[f.l4 + 26] |= 1;
	assert_int_equal(drop_of_repaired(&f), PG_DROP_BAD_NEIGHBOR_DISCOVERY);
}

static void a_host_that_solicits_from_our_address_is_a_conflict(void **state UNUSED)
{
	struct flow flow = solicitation_flow();
	struct frame f;

	memcpy(flow.from, our_link_local, 16);
	build_neighbor(&f, &flow, 135, 0, our_ip6, true);
	assert_int_equal(drop_of(&f), PG_DROP_ADDRESS_CONFLICT);
	build_echo(&f, &flow, 128, 1, NULL, 0);
	assert_int_equal(drop_of(&f), PG_DROP_BAD_SOURCE); // anything else from it
}

static void a_solicitation_for_a_stranger_is_not_for_us(void **state UNUSED)
{
	const struct flow flow = solicitation_flow();
	uint8_t target[16];
	struct frame f;

	memcpy(target, our_ip6, 16);
	target[4] = 9; // shares the group with us
	build_neighbor(&f, &flow, 135, 0, target, true);
	assert_int_equal(drop_of(&f), PG_DROP_NOT_FOR_US);
}

// ---------------------------------------------------------------- announcements

static void a_gratuitous_arp_asks_for_our_own_address(void **state UNUSED)
{
	struct identity identity;
	struct flow flow = flow4(1);
	struct frame expected;
	uint8_t frame[ANNOUNCEMENT_MAX];

	rig_identity(&identity);
	memcpy(flow.mac_to, broadcast, 6);
	memcpy(flow.mac_from, our_mac, 6);
	flow.padded_to = 60;
	build_arp(&expected, &flow, 1, our_ip4, nobody, our_ip4);
	memset(frame, 0xee, sizeof(frame)); // a used mbuf
	assert_int_equal(announce_arp(frame, &identity, 0), expected.len);
	assert_memory_equal(frame, expected.bytes, expected.len);
}

static void an_unsolicited_advertisement_tells_all_nodes(void **state UNUSED)
{
	struct identity identity;
	struct flow to = flow6(1);
	struct frame expected;
	uint8_t frame[ANNOUNCEMENT_MAX];

	rig_identity(&identity);
	memcpy(to.from, all_nodes, 16);
	multicast_mac6(all_nodes, to.mac_from);
	build_advertisement_from_us(&expected, &to, 0x20000000);
	memset(frame, 0xee, sizeof(frame));
	assert_int_equal(announce_neighbor(frame, &identity, 0), expected.len);
	assert_true(expected.len <= ANNOUNCEMENT_MAX);
	assert_memory_equal(frame, expected.bytes, expected.len);
	assert_true(checksums_right(frame, expected.len));
}

static void groups_and_their_macs_follow_the_rfcs(void **state UNUSED)
{
	static const uint8_t address[16] = {0x20, 0x01, 0x0d, 0xb8, [12] = 0xaa, 0xbb, 0xcc, 0xdd};
	static const uint8_t expected[16] = {0xff, 0x02, [11] = 1, 0xff, 0xbb, 0xcc, 0xdd};
	static const uint8_t expected_mac[6] = {0x33, 0x33, 0xff, 0xbb, 0xcc, 0xdd};
	uint8_t group[16], mac[6];

	solicited_node(address, group);
	multicast_mac6(group, mac);
	assert_memory_equal(group, expected, 16);
	assert_memory_equal(mac, expected_mac, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_solicitation_is_answered_with_our_mac),
		cmocka_unit_test(a_solicitation_sent_straight_to_us_is_answered),
		cmocka_unit_test(a_solicitation_without_option_is_answered_eight_bytes_longer),
		cmocka_unit_test(duplicate_address_detection_is_answered_to_all_nodes),
		cmocka_unit_test(a_solicitation_that_crossed_a_router_is_bad),
		cmocka_unit_test(a_malformed_solicitation_is_bad),
		cmocka_unit_test(duplicate_address_detection_has_rules_of_its_own),
		cmocka_unit_test(a_solicitation_is_answered_to_its_option_whoever_sent_the_frame),
		cmocka_unit_test(a_solicitation_from_a_mac_that_nobody_else_can_have_is_refused),
		cmocka_unit_test(an_advertisement_of_our_address_by_another_host_is_a_conflict),
		cmocka_unit_test(a_malformed_advertisement_is_bad),
		cmocka_unit_test(a_host_that_solicits_from_our_address_is_a_conflict),
		cmocka_unit_test(a_solicitation_for_a_stranger_is_not_for_us),
		cmocka_unit_test(a_gratuitous_arp_asks_for_our_own_address),
		cmocka_unit_test(an_unsolicited_advertisement_tells_all_nodes),
		cmocka_unit_test(groups_and_their_macs_follow_the_rfcs),
	};

	return cmocka_run_group_tests_name("neighbor", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// test_host.c: ARP and echo, cut short or too many, against RFC 826, 792, 4443 and 5227.

#include "unit.h"

#include <string.h>

#include "host_requests.h"

// ---------------------------------------------------------------- ARP

static struct frame arp_request(void)
{
	struct flow flow = flow4(1);
	struct frame f;

	memcpy(flow.mac_to, broadcast, 6);
	build_arp(&f, &flow, 1, flow.from, nobody, our_ip4);
	return f;
}

static void an_arp_request_for_our_address_is_answered(void **state UNUSED)
{
	struct flow flow = flow4(1);
	const struct flow back = flow_back(&flow);
	const struct frame request = arp_request();
	struct frame expected;

	build_arp(&expected, &back, 2, our_ip4, flow.mac_from, flow.from);
	assert_answered(&request, &expected, PG_MESSAGE_ARP);
}

static void an_arp_answer_keeps_vlan_tags_and_ethernet_padding(void **state UNUSED)
{
	struct flow flow = flow4(1);
	struct frame request, expected;

	flow_tag(&flow, 0x88a8, 3);
	flow_tag(&flow, 0x8100, 4);
	flow.padded_to = 60;

	const struct flow back = flow_back(&flow);

	build_arp(&request, &flow, 1, flow.from, nobody, our_ip4);
	build_arp(&expected, &back, 2, our_ip4, flow.mac_from, flow.from);
	assert_answered(&request, &expected, PG_MESSAGE_ARP);
}

static void an_arp_probe_without_an_address_is_answered(void **state UNUSED)
{
	const struct flow flow = flow4(1), back = flow_back(&flow);
	const uint8_t none[4] = {0};
	struct frame request, expected;

	build_arp(&request, &flow, 1, none, nobody, our_ip4);
	build_arp(&expected, &back, 2, our_ip4, flow.mac_from, none);
	assert_answered(&request, &expected, PG_MESSAGE_ARP);
}

static void arp_for_another_address_is_not_for_us(void **state UNUSED)
{
	struct frame f = arp_request();

	f.bytes[f.l3 + 27] ^= 2;
	assert_int_equal(drop_of(&f), PG_DROP_NOT_FOR_US);
}

static void an_arp_reply_is_not_for_us(void **state UNUSED)
{
	for (unsigned operation = 0; operation < 10; operation++) {
		struct frame f = arp_request();

		put16(f.bytes + f.l3 + 6, (uint16_t)operation);
		assert_int_equal(drop_of(&f), operation == 1 ? PG_DROP_NONE : PG_DROP_NOT_FOR_US);
	}
}

static void arp_that_is_not_ethernet_and_ipv4_is_bad(void **state UNUSED)
{
	for (unsigned byte = 0; byte < 6; byte++) {
		struct frame f = arp_request();

		f.bytes[f.l3 + byte] ^= 1;
		assert_int_equal(drop_of(&f), PG_DROP_BAD_ARP);
	}
}

/// VRRP and HSRP routers ask from the MAC of a group of theirs, or send from it; proxies ask for others.
static void arp_is_answered_to_its_sender_whoever_sent_the_frame(void **state UNUSED)
{
	static const uint8_t group[6] = {0, 0, 0x5e, 0, 1, 0x0a};
	const struct flow flow = flow4(1);
	struct flow back = flow_back(&flow);
	struct frame request = arp_request(), expected;

	memcpy(request.bytes + request.l3 + 8, group, 6);
	memcpy(back.mac_to, group, 6);
	build_arp(&expected, &back, 2, our_ip4, group, flow.from);
	assert_answered(&request, &expected, PG_MESSAGE_ARP);
}

static void arp_from_a_mac_that_nobody_has_is_bad(void **state UNUSED)
{
	static const uint8_t macs[][6] = {{0}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x01, 0, 0x5e, 0, 0, 1}};

	for (size_t i = 0; i < COUNT(macs); i++) {
		struct frame f = arp_request();

		memcpy(f.bytes + f.l3 + 8, macs[i], 6);
		assert_int_equal(drop_of(&f), PG_DROP_BAD_ARP);
	}
}

static void arp_that_says_it_is_ours_is_a_bad_source(void **state UNUSED)
{
	struct frame f = arp_request();

	memcpy(f.bytes + f.l3 + 8, our_mac, 6);
	assert_int_equal(drop_of(&f), PG_DROP_BAD_SOURCE);
	memcpy(f.bytes + f.l3 + 14, our_ip4, 4); // an announcement of ours that somebody sends back
	assert_int_equal(drop_of(&f), PG_DROP_BAD_SOURCE);
}

static void arp_that_lies_about_its_sender_is_bad(void **state UNUSED)
{
	static const uint8_t senders[][4] = {{127, 0, 0, 1}, {224, 0, 0, 1}, {255, 255, 255, 255}, {0, 0, 0, 9}};
	struct frame f;

	for (size_t i = 0; i < COUNT(senders); i++) {
		f = arp_request();
		memcpy(f.bytes + f.l3 + 14, senders[i], 4);
		assert_int_equal(drop_of(&f), PG_DROP_BAD_ARP);
	}
}

static void arp_of_another_host_with_our_address_is_a_conflict(void **state UNUSED)
{
	for (uint16_t operation = 0; operation < 10; operation++) {
		const bool conflicts = operation == 1 || operation == 2;
		struct frame f = arp_request();

		put16(f.bytes + f.l3 + 6, operation);
		memcpy(f.bytes + f.l3 + 14, our_ip4, 4);
		assert_int_equal(drop_of(&f), conflicts ? PG_DROP_ADDRESS_CONFLICT : PG_DROP_NOT_FOR_US);
	}
}

// ---------------------------------------------------------------- echo

static void check_echo(const struct flow *flow, uint32_t id_and_sequence, const uint8_t *data, size_t len)
{
	const struct flow back = flow_back(flow);
	const bool v4 = flow->family == 4;
	struct frame request, expected;

	build_echo(&request, flow, v4 ? 8 : 128, id_and_sequence, data, len);
	build_echo(&expected, &back, v4 ? 0 : 129, id_and_sequence, data, len);
	assert_answered(&request, &expected, v4 ? PG_MESSAGE_ICMP_ECHO : PG_MESSAGE_ICMPV6_ECHO);
}

static void an_echo_of_any_length_returns_its_data(void **state UNUSED)
{
	struct flow a = flow4(1), b = flow6(1);
	uint8_t data[1452];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t len = 0; len <= sizeof(data); len += len < 70 ? 1 : 691) {
		check_echo(&a, 0xbeef0001, data, len);
		check_echo(&b, 0xbeef0001, data, len);
	}
}

static void an_echo_of_any_checksum_is_answered_with_the_right_one(void **state UNUSED)
{
	const struct flow a = flow4(1), b = flow6(1);

	for (uint32_t id = 1; id <= 0xffff; id += 13) {
		check_echo(&a, id << 16, NULL, 0);
		check_echo(&b, id << 16, NULL, 0);
	}
	check_echo(&a, 0xf7ff0000, NULL, 0); // the request's checksum is 0000
	check_echo(&a, 0xffff0000, NULL, 0); // the answer's is
}

static void an_echo_of_nothing_but_zeros_is_answered_with_a_right_checksum(void **state UNUSED)
{
	// The only sum that is +0: RFC 1624 section 3 gives 0000 where a receiver wants FFFF.
	static const uint8_t zeros[56];
	const struct flow flow = flow4(1);

	check_echo(&flow, 0, zeros, sizeof(zeros));
}

static void an_echo_keeps_its_vlan_tags(void **state UNUSED)
{
	struct flow a = flow4(1), b = flow6(1);

	flow_tag(&a, 0x8100, 77);
	flow_tag(&b, 0x88a8, 77);
	flow_tag(&b, 0x8100, 78);
	check_echo(&a, 1, (const uint8_t *)"x", 1);
	check_echo(&b, 1, (const uint8_t *)"x", 1);
}

static void an_echo_with_a_bad_checksum_is_bad_icmp(void **state UNUSED)
{
	const struct flow flows[] = {flow4(1), flow6(1)};

	for (size_t i = 0; i < COUNT(flows); i++) {
		struct frame f;

		build_echo(&f, &flows[i], i ? 128 : 8, 1, (const uint8_t *)"abc", 3);
		f.bytes[f.len - 1] ^= 1;
		assert_int_equal(drop_of(&f), PG_DROP_BAD_ICMP);
	}
}

static void other_icmp_messages_are_not_for_us(void **state UNUSED)
{
	const struct flow a = flow4(1), b = flow6(1);

	for (unsigned type = 0; type <= 0xff; type++) {
		struct frame f;

		build_echo(&f, &a, (uint8_t)type, 1, NULL, 0);
		assert_int_equal(drop_of(&f), type == 8 ? PG_DROP_NONE : PG_DROP_NOT_FOR_US);
		build_echo(&f, &b, (uint8_t)type, 1, NULL, 0);
		if (type != 135 && type != 136)
			assert_int_equal(drop_of(&f), type == 128 ? PG_DROP_NONE : PG_DROP_NOT_FOR_US);
	}
}

static void an_echo_with_a_code_is_not_for_us(void **state UNUSED)
{
	const struct flow flows[] = {flow4(1), flow6(1)};

	for (size_t i = 0; i < COUNT(flows); i++) {
		struct frame f;

		build_echo(&f, &flows[i], i ? 128 : 8, 1, NULL, 0);
		f.bytes[f.l4 + 1] = 1;
		assert_int_equal(drop_of_repaired(&f), PG_DROP_NOT_FOR_US);
	}
}

static void an_icmp_message_shorter_than_its_header_is_truncated(void **state UNUSED)
{
	const struct flow a = flow4(1), b = flow6(1);

	for (size_t len = 0; len < 8; len++) {
		const uint8_t echo4[8] = {8}, echo6[8] = {128};
		struct frame f;

		build_ip(&f, &a, PROTOCOL_ICMP, echo4, len);
		assert_int_equal(drop_of(&f), PG_DROP_TRUNCATED);
		build_ip(&f, &b, PROTOCOL_ICMPV6, echo6, len);
		assert_int_equal(drop_of(&f), PG_DROP_TRUNCATED);
	}
}

static void an_icmpv6_echo_to_a_group_or_from_nowhere_is_not_answered(void **state UNUSED)
{
	struct flow flow = flow6(1);
	struct frame f;

	solicited_node(our_ip6, flow.to);
	build_echo(&f, &flow, 128, 1, NULL, 0);
	assert_int_equal(drop_of(&f), PG_DROP_NOT_FOR_US);
	flow = flow6(1);
	memcpy(flow.from, any6, 16);
	build_echo(&f, &flow, 128, 1, NULL, 0);
	assert_int_equal(drop_of(&f), PG_DROP_BAD_SOURCE);
}

// ---------------------------------------------------------------- truncation

static void a_host_frame_cut_short_anywhere_is_never_answered(void **state UNUSED)
{
	const struct flow a = flow4(1), b = flow6(1);
	struct frame frames[5];
	struct rig *rig = rig_open("auto", 4);

	frames[0] = arp_request();
	frames[1] = solicitation(true);
	frames[2] = solicitation(false);
	build_echo(&frames[3], &a, 8, 1, (const uint8_t *)"hello", 5);
	build_echo(&frames[4], &b, 128, 1, (const uint8_t *)"hello", 5);
	for (size_t i = 0; i < COUNT(frames); i++)
		for (uint16_t len = 0; len < frames[i].len; len++) {
			struct frame cut = frames[i];

			cut.len = len;
			assert_int_equal(rig_send(rig, &cut).drop, PG_DROP_TRUNCATED);
		}
	assert_true(rig_conserved(rig));
	rig_close(rig);
}

// ---------------------------------------------------------------- rate

static void answers_beyond_the_rate_are_dropped_and_counted(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 4);
	const struct frame arp = arp_request(), ns = solicitation(true);

	rig->policy.host = rate_make(10, 3, RIG_HZ);
	assert_int_equal(rig_send(rig, &arp).drop, PG_DROP_NONE);
	assert_int_equal(rig_send(rig, &ns).drop, PG_DROP_NONE); // one bucket for both
	assert_int_equal(rig_send(rig, &arp).drop, PG_DROP_NONE);
	assert_int_equal(rig_send(rig, &ns).drop, PG_DROP_HOST_RATE_LIMITED);
	rig->now += RIG_HZ / 10;
	assert_int_equal(rig_send(rig, &arp).drop, PG_DROP_NONE);
	assert_int_equal(rig_send(rig, &arp).drop, PG_DROP_HOST_RATE_LIMITED);
	assert_true(rig_conserved(rig));
	rig_close(rig);
}

static void a_flood_of_echo_requests_does_not_keep_neighbors_from_an_answer(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 4);
	const struct flow flow = flow4(1);
	const struct frame arp = arp_request(), ns = solicitation(true);
	struct frame echo;

	rig->policy.host = rate_make(10, 2, RIG_HZ);
	build_echo(&echo, &flow, 8, 1, (const uint8_t *)"hello", 5);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(rig_send(rig, &echo).drop, i < 2 ? PG_DROP_NONE : PG_DROP_HOST_RATE_LIMITED);
	assert_int_equal(rig_send(rig, &arp).drop, PG_DROP_NONE);
	assert_int_equal(rig_send(rig, &ns).drop, PG_DROP_NONE);
	assert_true(rig_conserved(rig));
	rig_close(rig);
}

static void a_refused_request_takes_no_token(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 4);
	struct frame bad = arp_request();
	const struct frame good = arp_request();

	rig->policy.host = rate_make(1, 1, RIG_HZ);
	bad.bytes[bad.l3 + 27] ^= 2;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(rig_send(rig, &bad).drop, PG_DROP_NOT_FOR_US);
	assert_int_equal(rig_send(rig, &good).drop, PG_DROP_NONE);
	rig_close(rig);
}

static void a_rate_of_zero_answers_nothing(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 4);
	const struct pg_policy silent = {.host_reply_pps = 0, .host_reply_burst = 128};
	const struct flow flow = flow4(1);
	const struct frame arp = arp_request();
	struct frame f;

	policy_init(&rig->policy, &silent, 2, RIG_HZ);
	assert_int_equal(rig_send(rig, &arp).drop, PG_DROP_HOST_RATE_LIMITED);
	build_game(&f, &flow, 1, 1);
	assert_int_equal(rig_send(rig, &f).drop, PG_DROP_NONE); // games go on
	rig_close(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_arp_request_for_our_address_is_answered),
		cmocka_unit_test(an_arp_answer_keeps_vlan_tags_and_ethernet_padding),
		cmocka_unit_test(an_arp_probe_without_an_address_is_answered),
		cmocka_unit_test(arp_for_another_address_is_not_for_us),
		cmocka_unit_test(an_arp_reply_is_not_for_us),
		cmocka_unit_test(arp_that_is_not_ethernet_and_ipv4_is_bad),
		cmocka_unit_test(arp_that_lies_about_its_sender_is_bad),
		cmocka_unit_test(arp_of_another_host_with_our_address_is_a_conflict),
		cmocka_unit_test(arp_is_answered_to_its_sender_whoever_sent_the_frame),
		cmocka_unit_test(arp_from_a_mac_that_nobody_has_is_bad),
		cmocka_unit_test(arp_that_says_it_is_ours_is_a_bad_source),
		cmocka_unit_test(an_echo_of_any_length_returns_its_data),
		cmocka_unit_test(an_echo_of_any_checksum_is_answered_with_the_right_one),
		cmocka_unit_test(an_echo_of_nothing_but_zeros_is_answered_with_a_right_checksum),
		cmocka_unit_test(an_echo_keeps_its_vlan_tags),
		cmocka_unit_test(an_echo_with_a_bad_checksum_is_bad_icmp),
		cmocka_unit_test(other_icmp_messages_are_not_for_us),
		cmocka_unit_test(an_echo_with_a_code_is_not_for_us),
		cmocka_unit_test(an_icmp_message_shorter_than_its_header_is_truncated),
		cmocka_unit_test(an_icmpv6_echo_to_a_group_or_from_nowhere_is_not_answered),
		cmocka_unit_test(a_host_frame_cut_short_anywhere_is_never_answered),
		cmocka_unit_test(answers_beyond_the_rate_are_dropped_and_counted),
		cmocka_unit_test(a_flood_of_echo_requests_does_not_keep_neighbors_from_an_answer),
		cmocka_unit_test(a_refused_request_takes_no_token),
		cmocka_unit_test(a_rate_of_zero_answers_nothing),
	};

	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}

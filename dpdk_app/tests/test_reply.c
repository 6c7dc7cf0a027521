// SPDX-License-Identifier: BSD-3-Clause
// test_reply.c: an acknowledgement, byte for byte against the same message built as an answer from scratch.

#include "unit.h"

#include <string.h>

#include "rig.h"

static void assert_answer(const struct outcome *outcome, const struct frame *expected)
{
	assert_int_equal(outcome->drop, PG_DROP_NONE);
	assert_int_equal(outcome->len, expected->len);
	assert_memory_equal(outcome->bytes, expected->bytes, expected->len);
}

/// Send each of the five messages on this flow.
static void check_flow(struct flow flow, uint32_t player)
{
	const struct flow back = flow_back(&flow);
	struct rig *rig = rig_open("auto", 16);

	for (uint32_t type = 1; type <= 5; type++) {
		struct frame request, expected;

		build_game(&request, &flow, type, player);
		build_game(&expected, &back, type + 100, player);

		const struct outcome outcome = rig_send(rig, &request);

		assert_answer(&outcome, &expected);
		if (!flow.no_checksum)
			assert_true(checksums_right(outcome.bytes, outcome.len));
	}
	rig_close(rig);
}

static void every_message_over_ipv4_returns_acknowledged(void **state UNUSED)
{
	check_flow(flow4(7), 70);
}

static void every_message_over_ipv6_returns_acknowledged(void **state UNUSED)
{
	check_flow(flow6(7), 70);
}

static void vlan_tags_return_as_they_came(void **state UNUSED)
{
	struct flow one = flow4(1), two = flow4(2), six = flow6(3);

	flow_tag(&one, 0x8100, 0xe123); // priority and drop bit are kept, too
	flow_tag(&two, 0x88a8, 0x0064);
	flow_tag(&two, 0x8100, 0x00c8);
	flow_tag(&six, 0x9100, 0x0001);
	flow_tag(&six, 0x8100, 0x0002);
	check_flow(one, 1);
	check_flow(two, 2);
	check_flow(six, 3);
}

static void a_message_without_udp_checksum_returns_without_one(void **state UNUSED)
{
	struct flow flow = flow4(1);

	flow.no_checksum = true;
	check_flow(flow, 1);
}

static void every_ttl_becomes_64_with_a_right_header_checksum(void **state UNUSED)
{
	for (unsigned ttl = 0; ttl <= 255; ttl++) {
		struct flow flow = flow4(1), flow_6 = flow6(1);

		flow.ttl = (uint8_t)ttl;
		flow_6.ttl = (uint8_t)ttl;
		check_flow(flow, 1);
		check_flow(flow_6, 1);
	}
}

static void every_ip_identification_gives_a_right_header_checksum(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 16);
	struct flow flow = flow4(1);

	for (uint32_t id = 0; id <= 0xffff; id++) { // every header checksum there is, the zeros among them
		struct frame request, expected;

		flow.ip_id = (uint16_t)id;

		const struct flow back = flow_back(&flow);

		build_game(&request, &flow, 4, 1);
		build_game(&expected, &back, 104, 1);

		const struct outcome outcome = rig_send(rig, &request);

		assert_answer(&outcome, &expected);
	}
	rig_close(rig);
}

static void every_udp_checksum_is_updated_right_and_never_to_none(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 16);
	const struct flow flow = flow4(1), back = flow_back(&flow);
	uint8_t message[20];

	build_message(message, 4, 1);
	for (uint32_t clock = 0; clock <= 0xffff; clock++) {
		struct frame request, expected;

		put_le16(message + 8, (uint16_t)clock);
		put_le32(message, 4);
		build_udp(&request, &flow, message, sizeof(message));
		put_le32(message, 104);
		build_udp(&expected, &back, message, sizeof(message));
		assert_int_not_equal(get16(expected.bytes + expected.l4 + 6), 0);

		const struct outcome outcome = rig_send(rig, &request);

		assert_answer(&outcome, &expected);
	}
	rig_close(rig);
}

static void congestion_and_reserved_bits_do_not_return_but_the_rest_of_the_header_does(void **state UNUSED)
{
	static const uint16_t fragments[] = {0, 0x4000, 0x8000, 0xc000};

	for (unsigned tos = 0; tos <= 0xff; tos++)
		for (size_t i = 0; i < COUNT(fragments); i++) {
			struct flow a = flow4(1), b = flow6(1);

			a.tos = b.tos = (uint8_t)tos;
			a.fragment = fragments[i];
			check_flow(a, 1);
			check_flow(b, 1);
		}
}

static void padding_beyond_the_ethernet_minimum_is_not_returned(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 16);
	struct flow flow = flow4(1);
	struct frame f;

	build_game(&f, &flow, 1, 1); // 86 bytes
	flow.padded_to = 300;
	build_game(&f, &flow, 1, 1);
	assert_int_equal(rig_send(rig, &f).len, 86);
	rig_close(rig);
}

static void answers_are_as_short_as_the_device_delivers_and_never_longer(void **state UNUSED)
{
	// A heartbeat over IPv4 is 62 bytes; reply_length covers datagrams below the Ethernet minimum.
	assert_int_equal(reply_length(60, 42), 60);
	assert_int_equal(reply_length(42, 42), 42);
	assert_int_equal(reply_length(64, 42), 60);
	assert_int_equal(reply_length(62, 62), 62);
	assert_int_equal(reply_length(100, 62), 62);
}

// ---------------------------------------------------------------- left to the device

static uint16_t folded_pseudo_sum(const struct outcome *o, const struct frame *f)
{
	const size_t len = get16(o->bytes + f->l4 + 4);

	return (uint16_t)~naive_checksum(NULL, 0, naive_pseudo_sum(o->bytes + f->l3, PROTOCOL_UDP, len));
}

/// A device puts its checksums into `outcome`; is it then the answer that software makes?
static void complete_and_compare(struct outcome *outcome, const struct frame *expected)
{
	repair_checksums(outcome->bytes, outcome->len);
	assert_answer(outcome, expected);
}

static void check_offloaded(struct flow flow, unsigned checksums)
{
	const struct flow back = flow_back(&flow);
	struct rig *rig = rig_open("auto", 16);
	struct frame request, expected;

	rig->tx_offload = true;
	for (unsigned rx = 0; rx < 2; rx++) {
		rig->rx_offload = rx;
		build_game(&request, &flow, 1, 5);
		build_game(&expected, &back, 101, 5);

		struct outcome outcome = rig_send(rig, &request);

		assert_int_equal(outcome.drop, PG_DROP_NONE);
		assert_int_equal(outcome.tx.checksums, checksums);
		assert_int_equal(outcome.tx.l2_len, request.l3);
		assert_int_equal(outcome.tx.l3_len, request.l4 - request.l3);
		assert_int_equal(outcome.tx.ipv6, flow.family == 6);
		if (flow.family == 4)
			assert_int_equal(get16(outcome.bytes + request.l3 + 10), 0);
		if (!flow.no_checksum)
			assert_int_equal(get16(outcome.bytes + request.l4 + 6), folded_pseudo_sum(&outcome, &request));
		else
			assert_int_equal(get16(outcome.bytes + request.l4 + 6), 0);
		if (!flow.no_checksum)
			complete_and_compare(&outcome, &expected);
	}
	rig_close(rig);
}

static void a_device_that_computes_checksums_is_left_the_pseudo_header_sum(void **state UNUSED)
{
	check_offloaded(flow4(1), TX_CHECKSUM_IP | TX_CHECKSUM_UDP);
	check_offloaded(flow6(1), TX_CHECKSUM_UDP);
}

static void a_device_is_told_where_the_headers_are_behind_vlan_tags(void **state UNUSED)
{
	struct flow flow = flow4(1), six = flow6(1);

	flow_tag(&flow, 0x8100, 3);
	flow_tag(&six, 0x88a8, 3);
	flow_tag(&six, 0x8100, 4);
	check_offloaded(flow, TX_CHECKSUM_IP | TX_CHECKSUM_UDP);
	check_offloaded(six, TX_CHECKSUM_UDP);
}

static void a_device_is_not_asked_for_a_udp_checksum_that_nobody_sent(void **state UNUSED)
{
	struct flow flow = flow4(1);

	flow.no_checksum = true;
	check_offloaded(flow, TX_CHECKSUM_IP);
}

/// The part that a device does not compute is right in the frame that it is given.
static void check_shared(struct flow flow, unsigned completes)
{
	const struct flow back = flow_back(&flow);
	struct rig *rig = rig_open("auto", 16);
	struct frame request, expected;

	rig_offload(rig, completes << 1);
	build_game(&request, &flow, 1, 5);
	build_game(&expected, &back, 101, 5);

	struct outcome outcome = rig_send(rig, &request);
	const bool ip_left = flow.family == 4 && (completes & TX_CHECKSUM_IP), udp_left = completes & TX_CHECKSUM_UDP;

	assert_int_equal(outcome.drop, PG_DROP_NONE);
	assert_int_equal(outcome.tx.checksums, (ip_left ? TX_CHECKSUM_IP : 0) | (udp_left ? TX_CHECKSUM_UDP : 0));
	if (flow.family == 4)
		assert_int_equal(get16(outcome.bytes + request.l3 + 10),
				 ip_left ? 0 : get16(expected.bytes + expected.l3 + 10));
	assert_int_equal(get16(outcome.bytes + request.l4 + 6),
			 udp_left ? folded_pseudo_sum(&outcome, &request) : get16(expected.bytes + expected.l4 + 6));
	complete_and_compare(&outcome, &expected);
	rig_close(rig);
}

static void a_device_that_computes_one_checksum_is_left_that_one(void **state UNUSED)
{
	struct flow tagged = flow4(1);

	flow_tag(&tagged, 0x8100, 3);
	for (unsigned completes = TX_CHECKSUM_IP; completes <= TX_CHECKSUM_UDP; completes++) {
		check_shared(flow4(1), completes);
		check_shared(tagged, completes);
		check_shared(flow6(1), completes);
	}
}

static void host_answers_are_complete_without_the_device(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 16);
	const struct flow flow = flow4(1);
	struct frame f;

	rig->tx_offload = true;
	build_echo(&f, &flow, 8, 0x00010002, (const uint8_t *)"ping", 4);

	const struct outcome outcome = rig_send(rig, &f);

	assert_int_equal(outcome.drop, PG_DROP_NONE);
	assert_int_equal(outcome.tx.checksums, TX_CHECKSUM_NONE);
	assert_true(checksums_right(outcome.bytes, outcome.len));
	rig_close(rig);
}

static void a_device_that_only_verifies_leaves_the_answer_to_software(void **state UNUSED)
{
	const struct flow flow = flow4(1), back = flow_back(&flow);
	struct rig *rig = rig_open("auto", 16);
	struct frame request, expected;

	rig->rx_offload = true;
	build_game(&request, &flow, 2, 5);
	build_game(&expected, &back, 102, 5);

	const struct outcome outcome = rig_send_with_flags(rig, &request, RX_IP_CHECKSUM_GOOD | RX_L4_CHECKSUM_GOOD);

	assert_answer(&outcome, &expected);
	assert_int_equal(outcome.tx.checksums, TX_CHECKSUM_NONE);
	rig_close(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_over_ipv4_returns_acknowledged),
		cmocka_unit_test(every_message_over_ipv6_returns_acknowledged),
		cmocka_unit_test(vlan_tags_return_as_they_came),
		cmocka_unit_test(a_message_without_udp_checksum_returns_without_one),
		cmocka_unit_test(every_ttl_becomes_64_with_a_right_header_checksum),
		cmocka_unit_test(every_ip_identification_gives_a_right_header_checksum),
		cmocka_unit_test(every_udp_checksum_is_updated_right_and_never_to_none),
		cmocka_unit_test(congestion_and_reserved_bits_do_not_return_but_the_rest_of_the_header_does),
		cmocka_unit_test(padding_beyond_the_ethernet_minimum_is_not_returned),
		cmocka_unit_test(answers_are_as_short_as_the_device_delivers_and_never_longer),
		cmocka_unit_test(a_device_that_computes_checksums_is_left_the_pseudo_header_sum),
		cmocka_unit_test(a_device_is_told_where_the_headers_are_behind_vlan_tags),
		cmocka_unit_test(a_device_is_not_asked_for_a_udp_checksum_that_nobody_sent),
		cmocka_unit_test(a_device_that_computes_one_checksum_is_left_that_one),
		cmocka_unit_test(host_answers_are_complete_without_the_device),
		cmocka_unit_test(a_device_that_only_verifies_leaves_the_answer_to_software),
	};

	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// test_parse_ip.c: what an IP header may say, in either version: every refusal by a frame of its own.

#include "unit.h"

#include <string.h>

#include "parsing.h"

static enum pg_drop from4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	struct flow flow = flow4(1);
	const uint8_t source[4] = {a, b, c, d};

	memcpy(flow.from, source, 4);

	const struct frame f = game(&flow);

	return parse_as_is(&f);
}

static enum pg_drop from6(const uint8_t *source)
{
	struct flow flow = flow6(1);

	memcpy(flow.from, source, 16);

	const struct frame f = game(&flow);

	return parse_as_is(&f);
}

// ---------------------------------------------------------------- IPv4

static void a_wrong_version_or_header_length_is_a_bad_ip_header(void **state UNUSED)
{
	for (unsigned byte = 0; byte <= 0xff; byte++) {
		struct frame f = game4();
		const bool options = byte >> 4 == 4 && (byte & 15) > 5;

		f.bytes[f.l3] = (uint8_t)byte;
		if (byte != 0x45)
			assert_int_equal(parse_as_is(&f), options ? PG_DROP_IP_OPTIONS : PG_DROP_BAD_IP_HEADER);
	}
}

static void an_ip_total_length_that_is_off_is_never_believed(void **state UNUSED)
{
	static const struct {
		int length;
		enum pg_drop drop;
	} cases[] = {{0, PG_DROP_BAD_IP_HEADER}, {19, PG_DROP_BAD_IP_HEADER}, {20, PG_DROP_TRUNCATED},
		     {27, PG_DROP_TRUNCATED},    {28, PG_DROP_UDP_LENGTH},    {71, PG_DROP_UDP_LENGTH},
		     {72, PG_DROP_NONE},         {73, PG_DROP_TRUNCATED},     {65535, PG_DROP_TRUNCATED}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct frame f = game4();

		put16(f.bytes + f.l3 + 2, (uint16_t)cases[i].length);
		put16(f.bytes + f.l3 + 10, 0);
		put16(f.bytes + f.l3 + 10, naive_checksum(f.bytes + f.l3, 20, 0));
		assert_int_equal(parse_as_is(&f), cases[i].drop);
	}
}

static void any_single_bit_error_in_an_ip_header_is_noticed(void **state UNUSED)
{
	for (unsigned bit = 0; bit < 160; bit++) {
		struct frame f = game4();

		f.bytes[f.l3 + bit / 8] ^= (uint8_t)(1 << bit % 8);

		const enum pg_drop drop = parse_as_is(&f);

		if (bit < 8) // version and header length
			assert_true(drop == PG_DROP_BAD_IP_HEADER || drop == PG_DROP_IP_OPTIONS);
		else if (bit / 8 == 2 || bit / 8 == 3) // total length
			assert_true(drop == PG_DROP_BAD_IP_HEADER || drop == PG_DROP_TRUNCATED ||
				    drop == PG_DROP_IP_CHECKSUM);
		else
			assert_int_equal(drop, PG_DROP_IP_CHECKSUM);
	}
}

static void first_middle_and_last_fragments_are_dropped_as_fragments(void **state UNUSED)
{
	static const uint16_t fields[] = {0x2000, 0x2001, 0x0001, 0x1fff, 0x3fff};

	for (size_t i = 0; i < COUNT(fields); i++) {
		struct frame f = game4();

		put16(f.bytes + f.l3 + 6, fields[i]);
		assert_int_equal(parse_repaired(&f), PG_DROP_IP_FRAGMENT);
	}
}

static void another_destination_is_not_for_us(void **state UNUSED)
{
	assert_int_equal(to4(10, 0, 0, 2), PG_DROP_NOT_FOR_US);
	assert_int_equal(to4(10, 0, 0, 255), PG_DROP_NOT_FOR_US); // directed broadcast
	assert_int_equal(to4(255, 255, 255, 255), PG_DROP_NOT_FOR_US);
	assert_int_equal(to4(224, 0, 0, 1), PG_DROP_NOT_FOR_US);
	assert_int_equal(to4(127, 0, 0, 1), PG_DROP_NOT_FOR_US);
}

static void addresses_that_nobody_has_are_bad_sources(void **state UNUSED)
{
	assert_int_equal(from4(0, 0, 0, 0), PG_DROP_BAD_SOURCE);
	assert_int_equal(from4(0, 1, 2, 3), PG_DROP_BAD_SOURCE);
	assert_int_equal(from4(1, 0, 0, 0), PG_DROP_NONE);
	assert_int_equal(from4(126, 255, 255, 255), PG_DROP_NONE);
	assert_int_equal(from4(127, 0, 0, 1), PG_DROP_BAD_SOURCE);
	assert_int_equal(from4(128, 0, 0, 0), PG_DROP_NONE);
	assert_int_equal(from4(223, 255, 255, 254), PG_DROP_NONE);
	assert_int_equal(from4(224, 0, 0, 1), PG_DROP_BAD_SOURCE);
	assert_int_equal(from4(240, 0, 0, 1), PG_DROP_BAD_SOURCE);
	assert_int_equal(from4(255, 255, 255, 255), PG_DROP_BAD_SOURCE);
}

static void our_own_addresses_are_bad_sources(void **state UNUSED)
{
	assert_int_equal(from4(10, 0, 0, 1), PG_DROP_BAD_SOURCE);
	assert_int_equal(from4(172, 16, 0, 2), PG_DROP_BAD_SOURCE);
	assert_int_equal(from4(172, 16, 1, 1), PG_DROP_BAD_SOURCE);
}

static void ordinary_frames_take_the_short_cut(void **state UNUSED)
{
	struct identity identity;
	const struct frame f = game4();

	rig_identity(&identity);
	assert_true(frame_is_common(f.bytes, f.len, &identity, 0, false));
	assert_true(frame_is_common(f.bytes, f.len, &identity, RX_IP_CHECKSUM_GOOD | RX_L4_CHECKSUM_GOOD, true));
}

static void a_port_without_an_ipv4_address_reads_no_ipv4(void **state UNUSED)
{
	static const struct pg_address only6 = {6, 64, {0xfd, [15] = 0x01}};
	struct flow flow = flow4(1);
	struct identity identity;

	identity_init(&identity, &only6, 1, 8080);
	identity_set_mac(&identity, our_mac);

	struct frame f = game(&flow);

	assert_int_equal(parse_as(f.bytes, f.len, &identity, 0, false), PG_DROP_NOT_FOR_US);
	memset(flow.to, 0, 4); // what stands where an address would
	f = game(&flow);
	assert_int_equal(parse_as(f.bytes, f.len, &identity, 0, false), PG_DROP_NOT_FOR_US);
}

static void a_directed_broadcast_is_a_bad_source_only_where_the_prefix_has_one(void **state UNUSED)
{
	assert_int_equal(from4(10, 0, 0, 255), PG_DROP_BAD_SOURCE);
	assert_int_equal(from4(10, 0, 1, 255), PG_DROP_NONE);
	assert_int_equal(from4(172, 16, 0, 3), PG_DROP_NONE); // the other end of our /31
	assert_int_equal(from4(172, 16, 1, 2), PG_DROP_NONE);
}

static void other_ip_protocols_are_not_for_us(void **state UNUSED)
{
	for (unsigned protocol = 0; protocol <= 0xff; protocol++) {
		struct frame f = game4();

		if (protocol == PROTOCOL_UDP || protocol == PROTOCOL_ICMP)
			continue;
		f.bytes[f.l3 + 9] = (uint8_t)protocol;
		assert_int_equal(parse_repaired(&f), PG_DROP_NOT_FOR_US);
	}
}

// ---------------------------------------------------------------- IPv6

static void a_wrong_ipv6_version_is_a_bad_ip_header(void **state UNUSED)
{
	for (unsigned version = 0; version < 16; version++) {
		struct frame f = game6();

		f.bytes[f.l3] = (uint8_t)(version << 4);
		assert_int_equal(parse_as_is(&f), version == 6 ? PG_DROP_NONE : PG_DROP_BAD_IP_HEADER);
	}
}

static void an_ipv6_payload_length_that_is_off_is_never_believed(void **state UNUSED)
{
	static const struct {
		int length;
		enum pg_drop drop;
	} cases[] = {{0, PG_DROP_TRUNCATED},    {7, PG_DROP_TRUNCATED}, {8, PG_DROP_UDP_LENGTH},
		     {51, PG_DROP_UDP_LENGTH},  {52, PG_DROP_NONE},     {53, PG_DROP_TRUNCATED},
		     {65535, PG_DROP_TRUNCATED}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct frame f = game6();

		put16(f.bytes + f.l3 + 4, (uint16_t)cases[i].length);
		assert_int_equal(parse_as_is(&f), cases[i].drop);
	}
}

static void ipv6_extension_headers_are_refused_by_name(void **state UNUSED)
{
	for (unsigned next = 0; next <= 0xff; next++) {
		struct frame f = game6();
		enum pg_drop expected = PG_DROP_NOT_FOR_US;

		f.bytes[f.l3 + 6] = (uint8_t)next;
		if (next == PROTOCOL_UDP || next == PROTOCOL_ICMPV6)
			expected = PG_DROP_NONE;
		else if (next == 44)
			expected = PG_DROP_IP_FRAGMENT;
		else if (next == 0 || next == 43 || next == 60)
			expected = PG_DROP_IP_OPTIONS;
		assert_int_equal(parse_repaired(&f), expected);
	}
}

static void ipv6_addresses_that_nobody_has_are_bad_sources(void **state UNUSED)
{
	static const uint8_t any[16], loopback[16] = {[15] = 1}, multicast[16] = {0xff, 0x02, [15] = 1},
				      mapped[16] = {[10] = 0xff, 0xff, 20, 0, 0, 1};
	static const uint8_t link_local[16] = {0xfe, 0x80, [15] = 9}, unique_local[16] = {0xfd, [15] = 9};

	assert_int_equal(from6(any), PG_DROP_BAD_SOURCE);
	assert_int_equal(from6(loopback), PG_DROP_BAD_SOURCE);
	assert_int_equal(from6(multicast), PG_DROP_BAD_SOURCE);
	assert_int_equal(from6(mapped), PG_DROP_BAD_SOURCE);
	assert_int_equal(from6(our_ip6), PG_DROP_BAD_SOURCE);
	assert_int_equal(from6(our_link_local), PG_DROP_BAD_SOURCE);
	assert_int_equal(from6(link_local), PG_DROP_NONE);
	assert_int_equal(from6(unique_local), PG_DROP_NONE);
}

static void a_game_datagram_to_a_multicast_group_is_not_for_us(void **state UNUSED)
{
	struct flow flow = flow6(1);
	uint8_t group[16];

	solicited_node(our_ip6, group);
	memcpy(flow.to, group, 16);

	const struct frame f = game(&flow);

	assert_int_equal(parse_as_is(&f), PG_DROP_NOT_FOR_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_version_or_header_length_is_a_bad_ip_header),
		cmocka_unit_test(an_ip_total_length_that_is_off_is_never_believed),
		cmocka_unit_test(any_single_bit_error_in_an_ip_header_is_noticed),
		cmocka_unit_test(first_middle_and_last_fragments_are_dropped_as_fragments),
		cmocka_unit_test(another_destination_is_not_for_us),
		cmocka_unit_test(addresses_that_nobody_has_are_bad_sources),
		cmocka_unit_test(our_own_addresses_are_bad_sources),
		cmocka_unit_test(ordinary_frames_take_the_short_cut),
		cmocka_unit_test(a_port_without_an_ipv4_address_reads_no_ipv4),
		cmocka_unit_test(a_directed_broadcast_is_a_bad_source_only_where_the_prefix_has_one),
		cmocka_unit_test(other_ip_protocols_are_not_for_us),
		cmocka_unit_test(a_wrong_ipv6_version_is_a_bad_ip_header),
		cmocka_unit_test(an_ipv6_payload_length_that_is_off_is_never_believed),
		cmocka_unit_test(ipv6_extension_headers_are_refused_by_name),
		cmocka_unit_test(ipv6_addresses_that_nobody_has_are_bad_sources),
		cmocka_unit_test(a_game_datagram_to_a_multicast_group_is_not_for_us),
	};

	return cmocka_run_group_tests_name("parse_ip", tests, NULL, NULL);
}

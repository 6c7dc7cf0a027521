// SPDX-License-Identifier: BSD-3-Clause
// test_parse.c: what is in a frame, is it whole, and is it for us: every refusal by a frame of its own.

#include "unit.h"

#include <string.h>

#include "parsing.h"

static enum pg_drop tagged(unsigned tags, const uint16_t *type)
{
	struct flow flow = flow4(1);

	for (unsigned i = 0; i < tags; i++)
		flow_tag(&flow, type[i], (uint16_t)(0x2000 + i));

	const struct frame f = game(&flow);

	return parse_as_is(&f);
}

// ---------------------------------------------------------------- good frames

static void whole_frames_of_both_families_are_accepted(void **state UNUSED)
{
	struct frame f = game4();

	assert_int_equal(parse_as_is(&f), PG_DROP_NONE);
	f = game6();
	assert_int_equal(parse_as_is(&f), PG_DROP_NONE);
}

static void padding_behind_the_datagram_is_not_part_of_it(void **state UNUSED)
{
	struct flow flow = flow4(1);

	flow.padded_to = 200;

	struct frame f = game(&flow);

	memset(f.bytes + 90, 0xee, 110);
	assert_int_equal(parse_as_is(&f), PG_DROP_NONE);
}

static void a_datagram_to_us_in_a_frame_to_many_is_a_group_frame(void **state UNUSED)
{
	static const uint8_t groups[][6] = {
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {1, 0, 0x5e, 0, 0, 1}, {0x33, 0x33, 0xff, 0, 0, 1}};

	for (size_t i = 0; i < COUNT(groups); i++) {
		struct flow a = flow4(1), b = flow6(1);
		struct frame f;

		memcpy(a.mac_to, groups[i], 6);
		memcpy(b.mac_to, groups[i], 6);
		f = game(&a);
		assert_int_equal(parse_as_is(&f), PG_DROP_GROUP_FRAME);
		f = game(&b);
		assert_int_equal(parse_as_is(&f), PG_DROP_GROUP_FRAME);
		build_echo(&f, &a, 8, 1, NULL, 0);
		assert_int_equal(parse_as_is(&f), PG_DROP_GROUP_FRAME);
		build_echo(&f, &b, 128, 1, NULL, 0);
		assert_int_equal(parse_as_is(&f), PG_DROP_GROUP_FRAME);
	}
}

static void every_one_of_our_addresses_is_ours(void **state UNUSED)
{
	struct flow flow = flow6(1);

	assert_int_equal(to4(172, 16, 0, 2), PG_DROP_NONE);
	assert_int_equal(to4(172, 16, 1, 1), PG_DROP_NONE);
	memcpy(flow.to, our_link_local, 16);

	const struct frame f = game(&flow);

	assert_int_equal(parse_as_is(&f), PG_DROP_NONE);
}

static void one_and_two_vlan_tags_are_stepped_over(void **state UNUSED)
{
	assert_int_equal(tagged(1, (const uint16_t[]){0x8100}), PG_DROP_NONE);
	assert_int_equal(tagged(1, (const uint16_t[]){0x88a8}), PG_DROP_NONE);
	assert_int_equal(tagged(2, (const uint16_t[]){0x88a8, 0x8100}), PG_DROP_NONE);
	assert_int_equal(tagged(2, (const uint16_t[]){0x8100, 0x8100}), PG_DROP_NONE);
	assert_int_equal(tagged(2, (const uint16_t[]){0x9100, 0x8100}), PG_DROP_NONE);
}

static void a_zero_udp_checksum_is_accepted_over_ipv4(void **state UNUSED)
{
	struct flow flow = flow4(1);

	flow.no_checksum = true;

	const struct frame f = game(&flow);

	assert_int_equal(parse_as_is(&f), PG_DROP_NONE);
}

// ---------------------------------------------------------------- Ethernet

static void a_third_vlan_tag_is_not_for_us(void **state UNUSED)
{
	assert_int_equal(tagged(3, (const uint16_t[]){0x88a8, 0x8100, 0x8100}), PG_DROP_NOT_FOR_US);
}

static void a_service_tag_inside_another_is_not_for_us(void **state UNUSED)
{
	assert_int_equal(tagged(2, (const uint16_t[]){0x8100, 0x88a8}), PG_DROP_NOT_FOR_US);
}

static void an_802_3_length_is_not_ethernet_ii(void **state UNUSED)
{
	struct frame f = game4();

	for (uint32_t type = 0; type < 0x600; type++) {
		put16(f.bytes + 12, (uint16_t)type);
		assert_int_equal(parse_as_is(&f), PG_DROP_NOT_ETHERNET_II);
	}
}

static void every_unknown_ether_type_is_not_for_us(void **state UNUSED)
{
	struct frame f = game4();

	for (uint32_t type = 0x600; type <= 0xffff; type++) {
		if (type == 0x0800 || type == 0x0806 || type == 0x86dd || type == 0x8100 || type == 0x88a8 ||
		    type == 0x9100)
			continue;
		put16(f.bytes + 12, (uint16_t)type);
		assert_int_equal(parse_as_is(&f), PG_DROP_NOT_FOR_US);
	}
}

static void a_frame_for_another_station_is_not_for_us(void **state UNUSED)
{
	for (unsigned i = 0; i < 6; i++) {
		struct frame f = game4();

		f.bytes[i] ^= 0x04;
		assert_int_equal(parse_as_is(&f), PG_DROP_NOT_FOR_US);
	}
}

static void a_station_that_cannot_send_is_a_bad_source(void **state UNUSED)
{
	static const uint8_t sources[][6] = {
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {1, 0, 0x5e, 0, 0, 1}, {0}, {0x02, 0, 0, 0, 0, 0x02}};

	for (size_t i = 0; i < COUNT(sources); i++) {
		struct frame f = game4();

		memcpy(f.bytes + 6, sources[i], 6);
		assert_int_equal(parse_as_is(&f), PG_DROP_BAD_SOURCE);
	}
}

static void a_frame_longer_than_ethernet_allows_is_too_long(void **state UNUSED)
{
	struct flow flow = flow4(1);

	flow.padded_to = ETHERNET_MAX;

	struct frame f = game(&flow);

	assert_int_equal(parse_as_is(&f), PG_DROP_NONE);
	f.len++;
	assert_int_equal(parse_as_is(&f), PG_DROP_TOO_LONG);
}

// ---------------------------------------------------------------- UDP

static void a_udp_length_that_differs_from_the_ip_length_is_refused(void **state UNUSED)
{
	static const uint16_t lengths[] = {0, 1, 7, 8, 51, 53, 0xffff};

	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct frame a = game4(), b = game6();

		put16(a.bytes + a.l4 + 4, lengths[i]);
		put16(b.bytes + b.l4 + 4, lengths[i]);
		assert_int_equal(parse_repaired(&a), PG_DROP_UDP_LENGTH);
		assert_int_equal(parse_repaired(&b), PG_DROP_UDP_LENGTH);
	}
}

static void any_single_bit_error_in_a_datagram_is_noticed(void **state UNUSED)
{
	const struct frame whole[] = {game4(), game6()};

	for (size_t i = 0; i < COUNT(whole); i++)
		for (unsigned bit = whole[i].l4 * 8U; bit < whole[i].len * 8U; bit++) {
			struct frame f = whole[i];

			f.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_not_equal(parse_as_is(&f), PG_DROP_NONE);
			if (bit / 8 >= f.payload)
				assert_int_equal(parse_as_is(&f), PG_DROP_UDP_CHECKSUM);
		}
}

static void a_missing_udp_checksum_is_refused_over_ipv6(void **state UNUSED)
{
	struct flow flow = flow6(1);

	flow.no_checksum = true;

	const struct frame f = game(&flow);

	assert_int_equal(parse_as_is(&f), PG_DROP_UDP_CHECKSUM_MISSING);
}

static void only_the_ports_that_we_listen_on_are_ours(void **state UNUSED)
{
	for (uint32_t port = 0; port <= 0xffff; port++) {
		struct frame f = game4();

		put16(f.bytes + f.l4 + 2, (uint16_t)port);
		put16(f.bytes + f.l4 + 6, 0); // no checksum: only the port is in question
		assert_int_equal(parse_as_is(&f), port == 8080 || port == 8081 ? PG_DROP_NONE : PG_DROP_NOT_FOR_US);
	}
}

static void source_port_zero_cannot_be_answered(void **state UNUSED)
{
	struct flow flow = flow4(1);

	flow.port_from = 0;

	const struct frame f = game(&flow);

	assert_int_equal(parse_as_is(&f), PG_DROP_BAD_SOURCE);
}

// ---------------------------------------------------------------- truncation

static void truncate_everywhere(const struct frame *whole)
{
	assert_int_equal(parse_as_is(whole), PG_DROP_NONE);
	for (size_t len = 0; len < whole->len; len++)
		assert_int_equal(parse(whole->bytes, len), PG_DROP_TRUNCATED);
}

static void a_frame_cut_short_anywhere_is_truncated(void **state UNUSED)
{
	struct flow v4 = flow4(1), v6 = flow6(1), tagged4 = flow4(1), tagged6 = flow6(1);
	const uint8_t nobody[6] = {0};
	struct frame f;

	flow_tag(&tagged4, 0x8100, 5);
	flow_tag(&tagged6, 0x88a8, 5);
	flow_tag(&tagged6, 0x8100, 6);

	const struct flow *flows[] = {&v4, &v6, &tagged4, &tagged6};

	for (size_t i = 0; i < COUNT(flows); i++)
		for (uint32_t type = 1; type <= 5; type++) {
			build_game(&f, flows[i], type, 1);
			truncate_everywhere(&f);
		}
	build_arp(&f, &v4, 1, v4.from, nobody, our_ip4);
	truncate_everywhere(&f);
	build_echo(&f, &v4, 8, 1, (const uint8_t *)"abcde", 5);
	truncate_everywhere(&f);
	build_echo(&f, &v6, 128, 1, (const uint8_t *)"abcde", 5);
	truncate_everywhere(&f);
	build_neighbor(&f, &v6, 135, 0, our_ip6, true);
	truncate_everywhere(&f);
}

// ---------------------------------------------------------------- what the device says

static enum pg_drop parse_offloaded(const struct frame *f, unsigned rx)
{
	struct identity one, many;

	rig_identity(&one);
	rig_identity_of_many(&many);

	const enum pg_drop drop = parse_as(f->bytes, f->len, &one, rx, true);

	assert_int_equal(parse_as(f->bytes, f->len, &many, rx, true), drop);
	return drop;
}

static void what_the_device_found_good_is_not_verified_again(void **state UNUSED)
{
	struct frame f = game4();

	put16(f.bytes + f.l3 + 10, 0x1111);
	put16(f.bytes + f.l4 + 6, 0x2222);
	assert_int_equal(parse_offloaded(&f, RX_IP_CHECKSUM_GOOD | RX_L4_CHECKSUM_GOOD), PG_DROP_NONE);
	assert_int_equal(parse_offloaded(&f, RX_IP_CHECKSUM_GOOD), PG_DROP_UDP_CHECKSUM);
	assert_int_equal(parse_offloaded(&f, RX_L4_CHECKSUM_GOOD), PG_DROP_IP_CHECKSUM);
}

static bool is_common(const struct frame *f, unsigned rx)
{
	struct identity identity;

	rig_identity(&identity);
	return frame_is_common(f->bytes, f->len, &identity, rx, true);
}

static void a_device_that_knows_one_checksum_does_not_cost_the_short_cut(void **state UNUSED)
{
	struct frame f = game4();

	assert_true(is_common(&f, RX_L4_CHECKSUM_GOOD));
	assert_true(is_common(&f, RX_IP_CHECKSUM_GOOD));
	assert_true(is_common(&f, 0));
	put16(f.bytes + f.l4 + 6, 0x2222);
	assert_true(is_common(&f, RX_L4_CHECKSUM_GOOD));
	assert_false(is_common(&f, RX_IP_CHECKSUM_GOOD));
	put16(f.bytes + f.l3 + 10, 0x1111);
	assert_false(is_common(&f, RX_L4_CHECKSUM_GOOD));
}

static void what_the_device_found_bad_is_dropped(void **state UNUSED)
{
	const struct frame f = game4(), f6 = game6();

	assert_int_equal(parse_offloaded(&f, RX_IP_CHECKSUM_BAD | RX_L4_CHECKSUM_GOOD), PG_DROP_IP_CHECKSUM);
	assert_int_equal(parse_offloaded(&f, RX_IP_CHECKSUM_GOOD | RX_L4_CHECKSUM_BAD), PG_DROP_UDP_CHECKSUM);
	assert_int_equal(parse_offloaded(&f6, RX_L4_CHECKSUM_BAD), PG_DROP_UDP_CHECKSUM);
}

static void what_the_device_does_not_know_is_verified_here(void **state UNUSED)
{
	struct frame f = game4();

	assert_int_equal(parse_offloaded(&f, 0), PG_DROP_NONE);
	f.bytes[f.payload + 9] ^= 1;
	assert_int_equal(parse_offloaded(&f, 0), PG_DROP_UDP_CHECKSUM);
	f.bytes[f.l3 + 8] ^= 1;
	assert_int_equal(parse_offloaded(&f, 0), PG_DROP_IP_CHECKSUM);
}

static void flags_of_the_device_mean_nothing_where_it_does_not_verify(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 16);
	struct frame f = game4();

	assert_int_equal(rig_send_with_flags(rig, &f, RX_IP_CHECKSUM_BAD | RX_L4_CHECKSUM_BAD).drop, PG_DROP_NONE);
	f.bytes[f.payload + 9] ^= 1;
	assert_int_equal(rig_send_with_flags(rig, &f, RX_IP_CHECKSUM_GOOD | RX_L4_CHECKSUM_GOOD).drop,
			 PG_DROP_UDP_CHECKSUM);
	rig_close(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_frames_of_both_families_are_accepted),
		cmocka_unit_test(padding_behind_the_datagram_is_not_part_of_it),
		cmocka_unit_test(a_datagram_to_us_in_a_frame_to_many_is_a_group_frame),
		cmocka_unit_test(every_one_of_our_addresses_is_ours),
		cmocka_unit_test(one_and_two_vlan_tags_are_stepped_over),
		cmocka_unit_test(a_zero_udp_checksum_is_accepted_over_ipv4),
		cmocka_unit_test(a_third_vlan_tag_is_not_for_us),
		cmocka_unit_test(a_service_tag_inside_another_is_not_for_us),
		cmocka_unit_test(an_802_3_length_is_not_ethernet_ii),
		cmocka_unit_test(every_unknown_ether_type_is_not_for_us),
		cmocka_unit_test(a_frame_for_another_station_is_not_for_us),
		cmocka_unit_test(a_station_that_cannot_send_is_a_bad_source),
		cmocka_unit_test(a_frame_longer_than_ethernet_allows_is_too_long),
		cmocka_unit_test(a_udp_length_that_differs_from_the_ip_length_is_refused),
		cmocka_unit_test(any_single_bit_error_in_a_datagram_is_noticed),
		cmocka_unit_test(a_missing_udp_checksum_is_refused_over_ipv6),
		cmocka_unit_test(only_the_ports_that_we_listen_on_are_ours),
		cmocka_unit_test(source_port_zero_cannot_be_answered),
		cmocka_unit_test(a_frame_cut_short_anywhere_is_truncated),
		cmocka_unit_test(what_the_device_found_good_is_not_verified_again),
		cmocka_unit_test(a_device_that_knows_one_checksum_does_not_cost_the_short_cut),
		cmocka_unit_test(what_the_device_found_bad_is_dropped),
		cmocka_unit_test(what_the_device_does_not_know_is_verified_here),
		cmocka_unit_test(flags_of_the_device_mean_nothing_where_it_does_not_verify),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}

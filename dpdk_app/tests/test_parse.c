// SPDX-License-Identifier: BSD-3-Clause
// test_parse.c: what is in a frame, is it whole, and is it for us: every refusal by a frame of its own.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "net/move_frame.h"
#include "net/parse.h"
#include "rig.h"

/// The short cut of common frames may doubt, but never say yes to what the parser refuses or sees otherwise.
static void assert_short_cut_agrees(const uint8_t *bytes, uint16_t len, const struct identity *identity, unsigned rx,
				    bool rx_offload, enum pg_drop drop, const struct packet *parsed)
{
	const struct usual_spans spans = usual_spans(&identity->usual);

	if (is_move_frame(bytes, len, &spans) && move_checksums_right(bytes, &spans, 0))
		assert_true(frame_is_common(bytes, len, identity, 0, false));
	if (!(rx_offload ? frame_is_common(bytes, len, identity, rx, true) :
			   frame_is_common(bytes, len, identity, rx, false)))
		return;

	const struct packet p = common_packet(bytes);

	if (drop != PG_DROP_NONE)
		fail_msg("the short cut accepts what the parser drops as %s", pg_drop_name(drop));
	assert_true(peer_equal(&p.peer, &parsed->peer));
	assert_true(p.layer == parsed->layer && p.host == parsed->host);
	assert_true(p.l3 == parsed->l3 && p.l4 == parsed->l4 && p.end == parsed->end);
}

/// From a buffer of exactly its size: ASan sees a byte too many.
static enum pg_drop parse_as(const uint8_t *bytes, size_t len, const struct identity *identity, unsigned rx,
			     bool rx_offload)
{
	static struct listeners listeners;
	static const uint16_t ports[] = RIG_PORTS;
	struct packet packet = {0};
	uint8_t *exact = malloc(len ? len : 1);

	assert_non_null(exact);
	memcpy(exact, bytes, len);
	listeners_init(&listeners, ports, 2);

	const enum pg_drop drop = rx_offload ?
					  parse_frame(exact, (uint16_t)len, identity, &listeners, rx, true, &packet) :
					  parse_frame(exact, (uint16_t)len, identity, &listeners, rx, false, &packet);

	assert_short_cut_agrees(exact, (uint16_t)len, identity, rx, rx_offload, drop, &packet);
	free(exact);
	return drop;
}

static enum pg_drop parse(const uint8_t *bytes, size_t len)
{
	struct identity one, many;

	rig_identity(&one);
	parse_as(bytes, len, &one, 0, false); // for the short cut: it is made for ports with one address
	rig_identity_of_many(&many);
	return parse_as(bytes, len, &many, 0, false);
}

static enum pg_drop parse_as_is(const struct frame *f)
{
	return parse(f->bytes, f->len);
}

static enum pg_drop parse_repaired(struct frame *f)
{
	repair_checksums(f->bytes, f->len);
	return parse(f->bytes, f->len);
}

static struct frame game(const struct flow *flow)
{
	struct frame f;

	build_game(&f, flow, 1, 42);
	return f;
}

static struct frame game4(void)
{
	const struct flow flow = flow4(1);

	return game(&flow);
}

static struct frame game6(void)
{
	const struct flow flow = flow6(1);

	return game(&flow);
}

static enum pg_drop from4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	struct flow flow = flow4(1);
	const uint8_t source[4] = {a, b, c, d};

	memcpy(flow.from, source, 4);

	const struct frame f = game(&flow);

	return parse_as_is(&f);
}

static enum pg_drop to4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	struct flow flow = flow4(1);
	const uint8_t destination[4] = {a, b, c, d};

	memcpy(flow.to, destination, 4);

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

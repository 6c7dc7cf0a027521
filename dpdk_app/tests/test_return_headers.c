// SPDX-License-Identifier: BSD-3-Clause
// test_return_headers.c: a frame that leaves on its own reaches whoever sent the frame that it was learned from.

#include "unit.h"

#include <string.h>

#include "frames.h"
#include "net/return_headers.h"
#include "rig.h"

#define PORT 3

static const uint8_t payload[] = "some sealed bytes, of an odd length";

static struct packet parsed(const struct identity *identity, const struct listeners *listeners, const struct frame *f)
{
	struct packet p = {0};

	assert_int_equal(parse_frame(f->bytes, f->len, identity, listeners, 0, false, &p), PG_DROP_NONE);
	return p;
}

static void learn(struct return_headers *return_headers, const struct flow *flow)
{
	static const uint16_t ports[] = RIG_PORTS;
	static struct listeners listeners;
	struct identity identity;
	struct packet p;
	struct frame f;

	rig_identity(&identity);
	listeners_init(&listeners, ports, 2);
	build_udp(&f, flow, (const uint8_t *)"a request", 9);
	p = parsed(&identity, &listeners, &f);
	return_headers_learn(return_headers, f.bytes, &p, &identity, PORT);
}

/// What the peer gets is what frames.c builds for the way back, byte for byte, with DF over IPv4.
static void check_arrives(const struct return_headers *return_headers, const struct flow *flow)
{
	const struct flow back = flow_back(flow);
	const struct peer peer = rig_peer(flow);
	const struct path *path = return_headers_to(return_headers, &peer);
	struct frame expected;
	uint8_t frame[ETHERNET_MAX];
	uint16_t length;

	assert_non_null(path);
	assert_int_equal(path->port, PORT);
	memset(frame, 0xa5, sizeof(frame));
	memcpy(frame + path->length, payload, sizeof(payload));
	length = return_headers_write(path, frame, sizeof(payload));
	build_udp(&expected, &back, payload, sizeof(payload));
	if (flow->family == 4) {
		expected.bytes[expected.l3 + 6] = 0x40;
		repair_checksums(expected.bytes, expected.len);
	}
	assert_int_equal(length, expected.len);
	assert_memory_equal(frame, expected.bytes, expected.len);
	assert_true(checksums_right(frame, length));
	assert_int_equal(frame[length], 0xa5); // and nothing behind it
}

static void test_frame_over_ipv4_finds_its_peer(void **state UNUSED)
{
	struct return_headers return_headers = {0};
	struct flow flow = flow4(1);

	flow.ip_id = 0; // ours has none
	learn(&return_headers, &flow);
	check_arrives(&return_headers, &flow);
}

static void test_frame_over_ipv6_finds_its_peer(void **state UNUSED)
{
	struct return_headers return_headers = {0};
	const struct flow flow = flow6(2);

	learn(&return_headers, &flow);
	check_arrives(&return_headers, &flow);
}

static void test_dscp_and_flow_label_are_the_peers_and_congestion_is_not(void **state UNUSED)
{
	for (unsigned tos = 0; tos <= 0xff; tos++)
		for (unsigned family = 4; family <= 6; family += 2) {
			struct return_headers return_headers = {0};
			struct flow flow = family == 4 ? flow4(3) : flow6(3);

			flow.ip_id = 0;
			flow.tos = (uint8_t)tos;
			flow.fragment = 0x8000;
			learn(&return_headers, &flow);
			check_arrives(&return_headers, &flow);
		}
}

static void test_tags_are_kept(void **state UNUSED)
{
	for (unsigned family = 4; family <= 6; family += 2) {
		struct return_headers return_headers = {0};
		struct flow flow = family == 4 ? flow4(3) : flow6(3);

		flow.ip_id = 0;
		flow_tag(&flow, 0x88a8, 100);
		flow_tag(&flow, 0x8100, 0x6005);
		learn(&return_headers, &flow);
		check_arrives(&return_headers, &flow);
	}
}

static void test_who_moved_is_known_at_both_places(void **state UNUSED)
{
	struct return_headers return_headers = {0};
	struct flow before = flow4(4), after = flow4(5), stranger = flow4(6);
	const struct peer unknown = rig_peer(&stranger);

	before.ip_id = after.ip_id = 0;
	flow_tag(&after, 0x8100, 7);
	learn(&return_headers, &before);
	learn(&return_headers, &after);
	learn(&return_headers, &after); // again: the one before is still remembered
	check_arrives(&return_headers, &before);
	check_arrives(&return_headers, &after);
	assert_null(return_headers_to(&return_headers, &unknown));
}

static void test_nothing_is_known_at_first(void **state UNUSED)
{
	const struct return_headers return_headers = {0};
	const struct flow flow = flow4(7);
	const struct peer peer = rig_peer(&flow), zero = {0};

	assert_null(return_headers_to(&return_headers, &peer));
	assert_null(return_headers_to(&return_headers, &zero));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame_over_ipv4_finds_its_peer),
		cmocka_unit_test(test_frame_over_ipv6_finds_its_peer),
		cmocka_unit_test(test_dscp_and_flow_label_are_the_peers_and_congestion_is_not),
		cmocka_unit_test(test_tags_are_kept),
		cmocka_unit_test(test_who_moved_is_known_at_both_places),
		cmocka_unit_test(test_nothing_is_known_at_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

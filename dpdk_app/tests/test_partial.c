// SPDX-License-Identifier: BSD-3-Clause
// tests/test_partial.c: UDP checksums that a sender on the same host left to a device.

#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "frames.h"
#include "net/partial.h"
#include "rig.h"

static void complete(struct frame *f)
{
	static const uint16_t ports[] = RIG_PORTS;
	static struct listeners listeners;
	struct identity identity;
	uint8_t *exact = malloc(f->len); // ASan sees a byte too many

	assert_non_null(exact);
	rig_identity(&identity);
	listeners_init(&listeners, ports, 2);
	memcpy(exact, f->bytes, f->len);
	partial_complete(exact, f->len, &identity, &listeners);
	memcpy(f->bytes, exact, f->len);
	free(exact);
}

/// What the kernel of the sender writes: the sum of the pseudo-header, not inverted.
static struct frame left_to_the_device(const struct flow *flow)
{
	struct frame f;

	build_game(&f, flow, 1, 5);
	put16(f.bytes + f.l4 + 6,
	      (uint16_t)~naive_checksum(NULL, 0,
					naive_pseudo_sum(f.bytes + f.l3, PROTOCOL_UDP, get16(f.bytes + f.l4 + 4))));
	return f;
}

static void check_completed(const struct flow *flow)
{
	struct frame f = left_to_the_device(flow), expected;

	build_game(&expected, flow, 1, 5);
	complete(&f);
	assert_memory_equal(f.bytes, expected.bytes, f.len);
}

static void what_was_left_to_a_device_is_completed(void **state UNUSED)
{
	struct flow tagged = flow4(3);

	flow_tag(&tagged, 0x88a8, 7);
	flow_tag(&tagged, 0x8100, 8);
	check_completed(&tagged);
	for (unsigned peer = 0; peer < 50; peer++) {
		const struct flow four = flow4(peer), six = flow6(peer);

		check_completed(&four);
		check_completed(&six);
	}
}

static void anything_else_stays_as_it_is(void **state UNUSED)
{
	struct flow flow = flow4(1);
	struct frame f, before;

	build_game(&f, &flow, 1, 5);
	before = f;
	complete(&f); // right already
	assert_memory_equal(f.bytes, before.bytes, f.len);

	f.bytes[f.payload + 3] ^= 1; // damaged on a wire, whatever a driver says of it
	before = f;
	complete(&f);
	assert_memory_equal(f.bytes, before.bytes, f.len);

	flow.no_checksum = true;
	build_game(&f, &flow, 1, 5);
	before = f;
	complete(&f);
	assert_memory_equal(f.bytes, before.bytes, f.len);
}

static void frames_cut_anywhere_stay_as_they_are(void **state UNUSED)
{
	const struct flow flow = flow4(1);
	const struct frame whole = left_to_the_device(&flow);

	for (uint16_t len = 1; len < whole.len; len++) {
		struct frame f = whole;

		f.len = len;
		complete(&f);
		assert_memory_equal(f.bytes, whole.bytes, len);
	}
}

static void what_is_not_for_us_stays_as_it_is(void **state UNUSED)
{
	const struct flow flow = flow4(1);
	struct frame f = left_to_the_device(&flow);

	f.bytes[f.l4 + 3] ^= 0x40; // another port
	const struct frame before = f;

	complete(&f);
	assert_memory_equal(f.bytes, before.bytes, f.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_left_to_a_device_is_completed),
		cmocka_unit_test(anything_else_stays_as_it_is),
		cmocka_unit_test(frames_cut_anywhere_stay_as_they_are),
		cmocka_unit_test(what_is_not_for_us_stays_as_it_is),
	};

	return cmocka_run_group_tests_name("partial", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// test_mld_refused.c: which queries for multicast listeners are none of ours, and why.

#include "unit.h"

#include <string.h>

#include "querier.h"

// ---------------------------------------------------------------- what is no query of ours

static void assert_dropped(const struct frame *f, enum pg_drop drop)
{
	struct rig *rig = open_rig();

	assert_int_equal(rig_send(rig, f).drop, drop);
	assert_true(rig->announcer.due == ANNOUNCER_NONE_DUE);
	close_rig(rig);
}

static void a_query_that_a_querier_cannot_have_sent_is_bad_mld(void **state UNUSED)
{
	struct frame f = query((struct question){.version = 2});

	f.bytes[f.l3 + 7] = 2;
	assert_dropped(&f, PG_DROP_BAD_MLD);
	f = query((struct question){.version = 2});
	f.bytes[f.l3 + 8] = 0x20; // not link-local
	repair_behind_options(&f, 28);
	assert_dropped(&f, PG_DROP_BAD_MLD);
	f = query((struct question){.version = 2, .group = our_group(), .sources = 2});
	put16(f.bytes + f.l4 + 8 + 26, 3); // more than there are
	repair_behind_options(&f, 28 + 32);
	assert_dropped(&f, PG_DROP_BAD_MLD);
	f = query((struct question){.version = 2});
	memset(f.bytes + f.l3 + 8, 0, 16); // from nowhere (RFC 3810 5.1.14)
	repair_behind_options(&f, 28);
	assert_dropped(&f, PG_DROP_BAD_MLD);
	f = query((struct question){.version = 2});
	memcpy(f.bytes + f.l3 + 8, our_link_local, 16);
	repair_behind_options(&f, 28);
	assert_dropped(&f, PG_DROP_BAD_SOURCE);
	f = query((struct question){.version = 2});
	f.bytes[f.l4 + 8 + 27] ^= 1;
	assert_dropped(&f, PG_DROP_BAD_ICMP);
}

static void a_query_of_another_length_is_neither_version(void **state UNUSED)
{
	for (size_t len = 0; len <= 28; len++) {
		const uint8_t message[28] = {130};
		struct flow flow = flow6(1);
		struct frame f;

		memcpy(flow.from, querier, 16);
		memcpy(flow.to, all_nodes, 16);
		flow.ttl = 1;
		build_mld(&f, &flow, message, len);
		if (len < 4)
			assert_dropped(&f, PG_DROP_TRUNCATED);
		else if (len != 24 && len != 28)
			assert_dropped(&f, PG_DROP_BAD_MLD);
	}
}

static void a_query_for_another_group_is_not_for_us(void **state UNUSED)
{
	static const uint8_t other[16] = {0xff, 0x02, [15] = 0xfb};
	struct frame f = query((struct question){.version = 2, .group = other});

	assert_dropped(&f, PG_DROP_NOT_FOR_US);
	memcpy(f.bytes + f.l3 + 24, all_nodes, 16);
	repair_behind_options(&f, 28);
	assert_dropped(&f, PG_DROP_NOT_FOR_US);
}

static void reports_of_other_listeners_are_not_for_us(void **state UNUSED)
{
	static const uint8_t types[] = {131, 132, 143};

	for (size_t i = 0; i < COUNT(types); i++) {
		struct frame f = query((struct question){.version = 2});

		f.bytes[f.l4 + 8] = types[i];
		repair_behind_options(&f, 28);
		assert_dropped(&f, PG_DROP_NOT_FOR_US);
	}
}

static void without_a_router_alert_and_nothing_unknown_beside_it_options_are_refused(void **state UNUSED)
{
	static const struct {
		uint8_t bytes[8];
		bool taken;
	} headers[] = {
		{{58, 0, 5, 2, 0, 0, 1, 0}, true},
		{{58, 0, 1, 0, 5, 2, 0, 0}, true},
		{{58, 0, 0, 0, 5, 2, 0, 0}, true},
		{{58, 0, 5, 2, 0, 0, 0x1e, 0}, true},  // an option that may be skipped
		{{58, 0, 5, 2, 0, 0, 0x5e, 0}, false}, // and one that may not
		{{58, 0, 5, 2, 0, 1, 1, 0}, false},    // of RSVP
		{{58, 0, 1, 4, 0, 0, 0, 0}, false},    // padding alone
		{{58, 0, 5, 2, 0, 0, 1, 1}, false},    // beyond the header
		{{58, 0, 1, 3, 0, 0, 0, 5}, false},    // a type and nothing more
		{{58, 9, 5, 2, 0, 0, 1, 0}, false},    // longer than the packet
		{{17, 0, 5, 2, 0, 0, 1, 0}, false},
		{{0, 0, 5, 2, 0, 0, 1, 0}, false},
	};

	for (size_t i = 0; i < COUNT(headers); i++) {
		struct frame f = query((struct question){.version = 2});
		struct rig *rig = open_rig();

		memcpy(f.bytes + f.l4, headers[i].bytes, 8);
		assert_int_equal(rig_send(rig, &f).drop, headers[i].taken ? PACKET_ABSORBED : PG_DROP_IP_OPTIONS);
		close_rig(rig);
	}
}

static void an_echo_with_a_router_alert_is_refused(void **state UNUSED)
{
	const uint8_t message[8] = {128};
	struct flow flow = flow6(1);
	struct frame f;

	build_mld(&f, &flow, message, 8);
	assert_dropped(&f, PG_DROP_IP_OPTIONS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_that_a_querier_cannot_have_sent_is_bad_mld),
		cmocka_unit_test(a_query_of_another_length_is_neither_version),
		cmocka_unit_test(a_query_for_another_group_is_not_for_us),
		cmocka_unit_test(reports_of_other_listeners_are_not_for_us),
		cmocka_unit_test(without_a_router_alert_and_nothing_unknown_beside_it_options_are_refused),
		cmocka_unit_test(an_echo_with_a_router_alert_is_refused),
	};

	return cmocka_run_group_tests_name("mld_refused", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// test_source_limit.c: a datagram rate per source address, in a table that never grows.

#include "unit.h"

#include <stdlib.h>

#include "limit/source_limit.h"
#include "rig.h"

static const struct hash_secret secret = RIG_SECRET;

static struct peer peer4(uint32_t address, uint16_t port, uint8_t listener)
{
	struct peer peer;

	peer_set4(&peer, BE32(address));
	peer_set_channel(&peer, port, listener);
	return peer;
}

/// @param first  byte of the address
static struct peer peer6_at(uint8_t first, uint8_t network, uint8_t host)
{
	const uint8_t address[16] = {first, [7] = network, [15] = host};
	struct peer peer;

	peer_set6(&peer, address);
	peer_set_channel(&peer, 1, 0);
	return peer;
}

static struct peer peer6(uint8_t network, uint8_t host)
{
	return peer6_at(0x20, network, host);
}

static uint64_t hash_of(struct peer peer)
{
	return source_hash(&peer, &secret);
}

/// A fingerprint of set 0: those are the small ones.
static uint64_t in_first_set(uint32_t n)
{
	return 1 + n;
}

static void changing_the_port_evades_nothing(void **state UNUSED)
{
	assert_true(hash_of(peer4(0x14000001, 1000, 0)) == hash_of(peer4(0x14000001, 2000, 0)));
}

static void another_address_or_listener_has_a_limit_of_its_own(void **state UNUSED)
{
	assert_true(hash_of(peer4(0x14000001, 1000, 0)) != hash_of(peer4(0x14000002, 1000, 0)));
	assert_true(hash_of(peer4(0x14000001, 1000, 0)) != hash_of(peer4(0x14000001, 1000, 1)));
}

static void ipv6_is_limited_by_its_64_bit_network(void **state UNUSED)
{
	assert_true(hash_of(peer6(1, 1)) == hash_of(peer6(1, 2)));
	assert_true(hash_of(peer6(1, 1)) != hash_of(peer6(2, 1)));
}

/// An IPv4 address has 64 zero bits there, too, and is limited by itself.
static void an_ipv6_network_of_zeros_is_one_and_no_ipv4_address_is_in_it(void **state UNUSED)
{
	assert_true(hash_of(peer6_at(0, 0, 1)) == hash_of(peer6_at(0, 0, 2)));
	assert_true(hash_of(peer6_at(0, 0, 1)) != hash_of(peer6_at(0, 1, 1)));
	assert_true(hash_of(peer6_at(0, 0, 1)) != hash_of(peer4(1, 1, 0)));
	assert_true(hash_of(peer4(1, 1, 0)) != hash_of(peer4(2, 1, 0)));
}

static uint64_t place_of(struct peer peer)
{
	return place_hash(&peer, &secret);
}

static void a_place_is_an_address_a_port_and_a_listener(void **state UNUSED)
{
	const uint64_t place = place_of(peer4(0x14000001, 1000, 0));

	assert_true(place == place_of(peer4(0x14000001, 1000, 0)));
	assert_true(place != place_of(peer4(0x14000002, 1000, 0)));
	assert_true(place != place_of(peer4(0x14000001, 1001, 0)));
	assert_true(place != place_of(peer4(0x14000001, 1000, 1)));
	assert_true(place != hash_of(peer4(0x14000001, 1000, 0)));
	assert_true(place_of(peer6(1, 1)) == place_of(peer6(1, 1)));
	assert_true(place_of(peer6(1, 1)) != place_of(peer6(1, 2)));
	assert_true(place_of(peer6(1, 1)) != place_of(peer6(2, 1)));
}

static void a_source_gets_its_burst_and_others_are_untouched(void **state UNUSED)
{
	struct source_limits *limits = zeroed_lines(sizeof(*limits));
	const struct rate rate = rate_make(10, 5, RIG_HZ);
	unsigned loud = 0;

	for (unsigned i = 0; i < 100; i++)
		loud += source_admit(limits, hash_of(peer4(0x14000001, 1, 0)), rate, RIG_HZ);
	assert_int_equal(loud, 5);
	for (unsigned i = 2; i < 1000; i++)
		assert_true(source_admit(limits, hash_of(peer4(0x14000000 + i, 1, 0)), rate, RIG_HZ));
	free(limits);
}

static void four_sources_of_one_set_are_each_remembered(void **state UNUSED)
{
	struct source_limits *limits = zeroed_lines(sizeof(*limits));
	const struct rate rate = rate_make(1, 1, RIG_HZ);

	for (uint32_t n = 0; n < SOURCE_WAYS; n++)
		assert_true(source_admit(limits, in_first_set(n), rate, RIG_HZ + n));
	for (uint32_t n = 0; n < SOURCE_WAYS; n++)
		assert_false(source_admit(limits, in_first_set(n), rate, RIG_HZ + 10));
	free(limits);
}

static void the_quietest_source_gives_way_to_a_fifth(void **state UNUSED)
{
	struct source_limits *limits = zeroed_lines(sizeof(*limits));
	const struct rate rate = rate_make(1, 1, RIG_HZ);

	for (uint32_t n = 0; n < SOURCE_WAYS; n++)
		source_admit(limits, in_first_set(n), rate, RIG_HZ + n);
	assert_true(source_admit(limits, in_first_set(100), rate, RIG_HZ + 10));
	for (uint32_t n = 1; n < SOURCE_WAYS; n++)
		assert_false(source_admit(limits, in_first_set(n), rate, RIG_HZ + 20));
	assert_false(source_admit(limits, in_first_set(100), rate, RIG_HZ + 20));
	assert_true(source_admit(limits, in_first_set(0), rate, RIG_HZ + 20)); // forgotten: starts over
	free(limits);
}

static void a_limited_source_of_the_rig_is_dropped_under_its_own_reason(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 16);
	struct flow flow = flow4(1);
	struct frame f;

	rig_limit_sources(rig, 0, rate_make(10, 3, RIG_HZ));
	for (unsigned i = 0; i < 5; i++) {
		flow.port_from++; // evades nothing
		build_game(&f, &flow, 4, 1);
		assert_int_equal(rig_send(rig, &f).drop, i < 3 ? PG_DROP_NONE : PG_DROP_SOURCE_RATE_LIMITED);
	}
	flow.port_to = 8081; // the other listener has no limit
	build_game(&f, &flow, 4, 1);
	assert_int_equal(rig_send(rig, &f).drop, PG_DROP_NONE);
	rig->now += RIG_HZ / 10; // one more token
	flow.port_to = 8080;
	build_game(&f, &flow, 4, 1);
	assert_int_equal(rig_send(rig, &f).drop, PG_DROP_NONE);
	assert_int_equal(rig_send(rig, &f).drop, PG_DROP_SOURCE_RATE_LIMITED);
	assert_true(rig_conserved(rig));
	rig_close(rig);
}

static void a_limited_stranger_makes_no_session(void **state UNUSED)
{
	struct rig *rig = rig_open("auto", 16);
	struct flow flow = flow4(1);
	struct frame f;

	rig_limit_sources(rig, 0, rate_make(1, 1, RIG_HZ));
	build_game(&f, &flow, 4, 1);
	rig_send(rig, &f);
	flow.port_from++;
	build_game(&f, &flow, 4, 1);
	assert_int_equal(rig_send(rig, &f).drop, PG_DROP_SOURCE_RATE_LIMITED);
	assert_int_equal(rig->stats.sessions_active, 1);
	rig_close(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changing_the_port_evades_nothing),
		cmocka_unit_test(another_address_or_listener_has_a_limit_of_its_own),
		cmocka_unit_test(ipv6_is_limited_by_its_64_bit_network),
		cmocka_unit_test(a_place_is_an_address_a_port_and_a_listener),
		cmocka_unit_test(an_ipv6_network_of_zeros_is_one_and_no_ipv4_address_is_in_it),
		cmocka_unit_test(a_source_gets_its_burst_and_others_are_untouched),
		cmocka_unit_test(four_sources_of_one_set_are_each_remembered),
		cmocka_unit_test(the_quietest_source_gives_way_to_a_fifth),
		cmocka_unit_test(a_limited_source_of_the_rig_is_dropped_under_its_own_reason),
		cmocka_unit_test(a_limited_stranger_makes_no_session),
	};

	return cmocka_run_group_tests_name("source_limit", tests, NULL, NULL);
}

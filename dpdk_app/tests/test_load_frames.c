// SPDX-License-Identifier: BSD-3-Clause
// test_load_frames.c: the generator's frames are right in every bit that a receiver looks at; so is how it asks for MACs.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "load/frames.h"
#include "load/players.h"
#include "load/resolve.h"
#include "message/plain.h"
#include "net/host.h"
#include "net/parse.h"

#define PORTS 3 // of each address
#define FIRST_PORT 20001

static const uint8_t target_mac[6] = {0x02, 0, 0, 0, 0, 0x01};
static const uint8_t source_mac[6] = {0x02, 0, 0, 0, 0, 0x99};

static struct pg_load_plan plan_of(uint8_t family)
{
	struct pg_load_plan plan = {
		.players = 2 * PORTS,
		.first_player_id = 50,
		.weight = {1, 1, 1, 1, 1},
		.chat_bytes = 33, // odd, for the checksum's last byte
		.arena_m = 100,
		.target = {4, 24, {10, 1, 0, 1}},
		.target_port = 8080,
		.address = {{4, 24, {10, 1, 0, 2}}, {4, 24, {10, 1, 0, 77}}},
		.address_count = 2,
		.first_port = FIRST_PORT,
		.ports_per_address = PORTS,
	};

	if (family == 6) {
		plan.target = (struct pg_address){6, 64, {0xfd, [15] = 1}};
		plan.address[0] = (struct pg_address){6, 64, {0xfd, [15] = 2}};
		plan.address[1] = (struct pg_address){6, 64, {0xfd, [15] = 0x77}};
	}
	memcpy(plan.target_mac, target_mac, 6);
	memcpy(plan.port.mac, source_mac, 6);
	return plan;
}

/// What the target is, as a gateway sees itself.
struct gateway {
	struct identity identity;
	struct listeners listeners;
};

static struct gateway *gateway_of(const struct pg_load_plan *plan)
{
	struct gateway *gateway = calloc(1, sizeof(*gateway));

	identity_init(&gateway->identity, &plan->target, 1, plan->target_port);
	identity_set_mac(&gateway->identity, target_mac);
	listeners_init(&gateway->listeners, &plan->target_port, 1);
	return gateway;
}

/// A gateway takes this frame for a message of that address and port.
static void check_frame(const struct gateway *gateway, const struct pg_load_plan *plan, const uint8_t *frame,
			uint16_t length, unsigned address, uint16_t port)
{
	struct peer expected;
	struct packet p;

	assert_true(checksums_right(frame, length));
	assert_int_equal(parse_frame(frame, length, &gateway->identity, &gateway->listeners, 0, false, &p),
			 PG_DROP_NONE);
	assert_int_equal(p.host, HOST_NONE);
	assert_int_equal(p.end, length);
	if (plan->target.family == 4)
		peer_set4(&expected, load32(plan->address[address].bytes));
	else
		peer_set6(&expected, plan->address[address].bytes);
	peer_set_channel(&expected, BE16(port), 0);
	assert_true(peer_equal(&p.peer, &expected));
	assert_int_equal(plain_check(frame + p.l4 + 8, (uint16_t)(p.end - p.l4 - 8)), PG_DROP_NONE);
	assert_memory_equal(frame + 6, source_mac, 6);
}

static void check_every_type(uint8_t family)
{
	const struct pg_load_plan plan = plan_of(family);
	struct gateway *gateway = gateway_of(&plan);
	struct frame_maker maker;
	struct players players;
	unsigned seen[PG_LOAD_TYPES] = {0};

	frame_maker_init(&maker, &plan, source_mac, target_mac);
	assert_true(players_open(&players, &plan));
	players_begin(&players, plan.players, 0.1F);
	for (unsigned i = 0; i < 2000; i++) {
		uint8_t *frame = malloc(maker.header_len + MESSAGE_MAX);
		const struct message m = players_speak(&players, i * 77777ULL, frame + maker.header_len);
		const unsigned address = m.player / PORTS;
		const uint16_t port = (uint16_t)(FIRST_PORT + m.player % PORTS);
		const uint16_t length = frame_finish(&maker, address, BE16(port), frame, m.length);

		assert_int_equal(length, maker.header_len + m.length);
		check_frame(gateway, &plan, frame, length, address, port);
		seen[m.type - 1]++;
		free(frame);
	}
	for (unsigned i = 0; i < PG_LOAD_TYPES; i++)
		assert_int_equal(seen[i] > 0, i != PG_LOAD_GAME - 1); // which is not of this profile
	players_close(&players);
	free(gateway);
}

static void a_gateway_accepts_every_frame_over_ipv4(void **state UNUSED)
{
	check_every_type(4);
}

static void a_gateway_accepts_every_frame_over_ipv6(void **state UNUSED)
{
	check_every_type(6);
}

static void a_checksum_of_zero_is_sent_as_all_ones(void **state UNUSED)
{
	const struct pg_load_plan plan = plan_of(6);
	struct frame_maker maker;
	uint8_t frame[FRAME_HEADERS6 + sizeof(struct plain_heartbeat)] = {0};
	unsigned all_ones = 0;

	frame_maker_init(&maker, &plan, source_mac, target_mac);
	// Counting up, the sum passes every value of 16 bits.
	for (uint32_t i = 0; i < 0x10000; i++) {
		memcpy(frame + FRAME_HEADERS6, &i, sizeof(i));
		frame_finish(&maker, 0, BE16(FIRST_PORT), frame, sizeof(struct plain_heartbeat));
		assert_int_not_equal(get16(frame + FRAME_HEADERS6 - 2), 0);
		if (get16(frame + FRAME_HEADERS6 - 2) == 0xffff) {
			all_ones++;
			assert_true(checksums_right(frame, sizeof(frame)));
		}
	}
	assert_int_equal(all_ones, 1);
}

// ---------------------------------------------------------------- resolving

static void ask_and_hear(uint8_t family)
{
	const struct pg_load_plan plan = plan_of(family);
	struct gateway *gateway = gateway_of(&plan);
	struct identity us;
	struct pg_address other = plan.target;
	uint8_t frame[RESOLVE_MAX + HOST_ANSWER_ROOM], mac[6] = {0};
	struct host_request request;
	struct packet p = {0};
	uint16_t length;

	identity_init(&us, plan.address, 2, FIRST_PORT);
	identity_set_mac(&us, source_mac);
	other.bytes[1] = 99;
	length = resolve_ask(frame, &us, &plan.target);
	assert_int_equal(parse_frame(frame, length, &gateway->identity, &gateway->listeners, 0, false, &p),
			 PG_DROP_NONE);
	request = host_examine(frame, &p, &gateway->identity);
	assert_int_equal(request.drop, PG_DROP_NONE);
	assert_false(resolve_hear(frame, p.l3, p.end, &us, &plan.target, mac)); // a question is no answer
	length = host_answer(frame, length, &p, &gateway->identity, request.message);

	assert_int_equal(parse_frame(frame, length, &us, &gateway->listeners, 0, false, &p), PG_DROP_NONE);
	assert_false(resolve_hear(frame, p.l3, p.end, &us, &other, mac));
	assert_true(resolve_hear(frame, p.l3, p.end, &us, &plan.target, mac));
	assert_memory_equal(mac, target_mac, 6);
	if (family == 6) {
		frame[p.l4 + 24]++; // into the option: the checksum is wrong
		assert_false(resolve_hear(frame, p.l3, p.end, &us, &plan.target, mac));
	}
	free(gateway);
}

static void a_gateway_tells_its_mac_when_asked_by_arp(void **state UNUSED)
{
	ask_and_hear(4);
}

static void a_gateway_tells_its_mac_when_asked_by_neighbour_discovery(void **state UNUSED)
{
	ask_and_hear(6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gateway_accepts_every_frame_over_ipv4),
		cmocka_unit_test(a_gateway_accepts_every_frame_over_ipv6),
		cmocka_unit_test(a_checksum_of_zero_is_sent_as_all_ones),
		cmocka_unit_test(a_gateway_tells_its_mac_when_asked_by_arp),
		cmocka_unit_test(a_gateway_tells_its_mac_when_asked_by_neighbour_discovery),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

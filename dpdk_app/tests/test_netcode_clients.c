// SPDX-License-Identifier: BSD-3-Clause
// test_netcode_clients.c: packets of connected clients, what is sent to them, how they end, and what a crash leaves.

#include "unit.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "netcode_fixture.h"

#define CAPACITY 16
#define KEEP_ALIVE_S 0.101 // a tick of the wheel later than it is due

static struct netcode_fixture *fixture;
static struct netcode_player player;
static const struct netcode_keep_alive nothing = {0, 0};

static int open_all(void **state UNUSED)
{
	fixture = netcode_open_fixture(CAPACITY);
	netcode_player_init(&player, 77, 4000);
	netcode_get_in(fixture, 0, &player);
	return 0;
}

static int close_all(void **state UNUSED)
{
	netcode_close_fixture(fixture);
	return 0;
}

static struct netcode_record *record(void)
{
	return &fixture->records[player.told.client_index];
}

static struct netcode_outcome say(enum netcode_kind kind, const void *body, uint16_t length)
{
	return netcode_say(fixture, 0, &player, kind, body, length).outcome;
}

static struct netcode_outcome stay(void)
{
	return say(NETCODE_KEEP_ALIVE, &nothing, sizeof(nothing));
}

static unsigned keep_alives(void)
{
	return netcode_egress_of(fixture, 0, &player, 1, NETCODE_KEEP_ALIVE);
}

// ---------------------------------------------------------------- what clients send

static void payload_ends_in_one_counter_as_nobodys(void **state UNUSED)
{
	const uint8_t payload[NETCODE_PAYLOAD_MAX] = {1, 2, 3};

	for (unsigned i = 0; i < 3; i++) {
		const struct netcode_outcome outcome = say(NETCODE_PAYLOAD, payload, i == 0 ? 1 : sizeof(payload));

		assert_int_equal(outcome.drop, PG_DROP_NONE);
		assert_int_equal(outcome.message, PG_MESSAGE_NETCODE_PAYLOAD);
		assert_int_equal(outcome.answer, 0);
	}
	assert_int_equal(fixture->stats[0].netcode_payloads_lost, 3);
}

static void client_that_says_something_is_confirmed(void **state UNUSED)
{
	assert_false(record()->confirmed);
	assert_int_equal(stay().message, PG_MESSAGE_NETCODE_KEEP_ALIVE);
	assert_true(record()->confirmed);
}

static void empty_and_too_long_payloads_are_ignored(void **state UNUSED)
{
	const uint8_t payload[NETCODE_PAYLOAD_MAX + 1] = {0};

	assert_int_equal(say(NETCODE_PAYLOAD, payload, 0).drop, PG_DROP_MESSAGE_SIZE);
	assert_int_equal(say(NETCODE_PAYLOAD, payload, sizeof(payload)).drop, PG_DROP_MESSAGE_SIZE);
	assert_int_equal(say(NETCODE_KEEP_ALIVE, payload, 7).drop, PG_DROP_MESSAGE_SIZE);
	assert_int_equal(say(NETCODE_DISCONNECT, payload, 1).drop, PG_DROP_MESSAGE_SIZE);
	assert_int_equal(fixture->stats[0].netcode_payloads_lost, 0);
	assert_int_equal(record()->phase, NETCODE_CONNECTED);
}

static void packet_that_is_replayed_is_ignored_whatever_its_kind(void **state UNUSED)
{
	const enum netcode_kind kinds[] = {NETCODE_KEEP_ALIVE, NETCODE_PAYLOAD};

	for (unsigned i = 0; i < COUNT(kinds); i++) {
		assert_int_equal(say(kinds[i], &nothing, sizeof(nothing)).drop, PG_DROP_NONE);
		player.sequence--;
		assert_int_equal(say(kinds[i], &nothing, sizeof(nothing)).drop, PG_DROP_REPLAYED);
	}
	player.sequence--;
	assert_int_equal(say(NETCODE_DISCONNECT, NULL, 0).drop, PG_DROP_REPLAYED);
	assert_int_equal(record()->phase, NETCODE_CONNECTED);
}

static void packets_are_taken_out_of_order_within_the_window_and_not_behind_it(void **state UNUSED)
{
	player.sequence = 1000;
	assert_int_equal(stay().drop, PG_DROP_NONE);
	player.sequence = 1000 - 255;
	assert_int_equal(stay().drop, PG_DROP_NONE);
	player.sequence = 1000 - 256;
	assert_int_equal(stay().drop, PG_DROP_REPLAYED);
}

static void sequences_beyond_32_bits_are_whole(void **state UNUSED)
{
	player.sequence = (1ULL << 32) + 5;
	assert_int_equal(stay().drop, PG_DROP_NONE);
	player.sequence = 5 + 200; // another, although the low half would be ahead
	assert_int_equal(stay().drop, PG_DROP_REPLAYED);
	player.sequence = (1ULL << 33) + 5;
	assert_int_equal(stay().drop, PG_DROP_NONE);
	player.sequence = UINT64_MAX - 1;
	assert_int_equal(stay().drop, PG_DROP_NONE);
	player.sequence = UINT64_MAX;
	assert_int_equal(stay().drop, PG_DROP_REPLAYED);
}

static void what_a_jump_passes_over_was_not_seen(void **state UNUSED)
{
	for (unsigned jump = 1; jump < 600; jump += 7) {
		player.sequence += jump;
		assert_int_equal(stay().drop, PG_DROP_NONE);
		for (unsigned back = 1; back < 256 && back <= jump; back++) {
			player.sequence -= 1 + back;
			assert_int_equal(stay().drop, PG_DROP_NONE);
			player.sequence--;
			assert_int_equal(stay().drop, PG_DROP_REPLAYED);
			player.sequence += back;
		}
	}
}

static void forgery_moves_no_window(void **state UNUSED)
{
	const uint64_t before = record()->window.next;

	player.sequence = 1000;
	player.to_server[0] ^= 1;
	assert_int_equal(stay().drop, PG_DROP_BAD_TAG);
	assert_true(record()->window.next == before);
	assert_false(record()->confirmed);
}

static void packet_of_a_stranger_is_of_nobody(void **state UNUSED)
{
	struct netcode_player other = player;

	peer_set_channel(&other.peer, htons(4001), 0);
	assert_int_equal(netcode_say(fixture, 0, &other, NETCODE_PAYLOAD, &nothing, 8).outcome.drop,
			 PG_DROP_SESSION_UNKNOWN);
}

static void what_a_client_may_not_send_is_ignored(void **state UNUSED)
{
	const enum netcode_kind kinds[] = {NETCODE_DENIED, NETCODE_CHALLENGE, NETCODE_KINDS};

	for (unsigned i = 0; i < COUNT(kinds); i++)
		assert_int_equal(say(kinds[i], &nothing, sizeof(nothing)).drop, PG_DROP_NETCODE_HEADER);
}

static void packets_beyond_the_limit_of_a_client_are_dropped(void **state UNUSED)
{
	fixture->rules.session[0] = rate_make(1, 2, FIXTURE_HZ);
	assert_int_equal(stay().drop, PG_DROP_NONE);
	assert_int_equal(stay().drop, PG_DROP_NONE);
	assert_int_equal(stay().drop, PG_DROP_SESSION_RATE_LIMITED);
}

// ---------------------------------------------------------------- what clients are sent

static void client_is_kept_alive_ten_times_a_second(void **state UNUSED)
{
	unsigned sent = 0;

	for (unsigned i = 0; i < 100; i++) {
		netcode_wait(fixture, 0.01);
		stay();
		sent += keep_alives();
	}
	assert_uint_in_range(sent, 9, 10);
}

static void client_is_sent_no_sequence_twice(void **state UNUSED)
{
	uint64_t last = player.heard;

	for (unsigned i = 0; i < 20; i++) {
		netcode_wait(fixture, KEEP_ALIVE_S);
		stay();
		if (i % 5 == 4)
			netcode_restart(fixture);
		fixture->store.sockets[player.told.client_index] = 1;
		if (keep_alives() == 0)
			continue;
		assert_true(player.heard > last);
		last = player.heard;
	}
}

static void challenges_have_other_sequences_than_clients(void **state UNUSED)
{
	struct netcode_player other;

	netcode_player_init(&other, 78, 4001);
	netcode_ask(fixture, 0, &other);
	assert_true(other.heard >> 63 == 1);
	assert_true(player.heard >> 63 == 0);
}

static void client_whose_way_is_not_known_waits_for_its_next_packet(void **state UNUSED)
{
	unsigned looks = 1;

	netcode_wait(fixture, KEEP_ALIVE_S);
	assert_int_equal(netcode_next(fixture->shard[0], &looks, fixture->now), player.told.client_index);
	netcode_put_off(fixture->shard[0], player.told.client_index, fixture->now);
	assert_int_equal(keep_alives(), 0);
	netcode_wait(fixture, KEEP_ALIVE_S);
	assert_int_equal(keep_alives(), 1);
}

// ---------------------------------------------------------------- how they end

static void client_that_disconnects_is_gone(void **state UNUSED)
{
	assert_int_equal(say(NETCODE_DISCONNECT, NULL, 0).message, PG_MESSAGE_NETCODE_DISCONNECT);
	assert_int_equal(fixture->stats[0].connected, 0);
	assert_int_equal(record()->phase, NETCODE_FREE);
	assert_int_equal(stay().drop, PG_DROP_SESSION_UNKNOWN); // the redundant ones that follow
	netcode_wait(fixture, 1);
	assert_int_equal(keep_alives(), 0);
}

static void client_that_disconnects_while_another_worker_has_the_lock_is_gone_soon(void **state UNUSED)
{
	assert_true(netcode_lock(&fixture->store.clients));
	assert_int_equal(say(NETCODE_DISCONNECT, NULL, 0).drop, PG_DROP_NONE);
	assert_int_equal(stay().drop, PG_DROP_SESSION_STATE);
	netcode_unlock(&fixture->store.clients);
	netcode_wait(fixture, 0.01);
	assert_int_equal(keep_alives(), 0);
	assert_int_equal(fixture->stats[0].connected, 0);
	assert_int_equal(fixture->stats[0].sessions_expired, 0);
}

static void client_that_is_silent_for_its_timeout_is_gone(void **state UNUSED)
{
	netcode_wait(fixture, 4.9);
	assert_int_equal(keep_alives(), 1);
	netcode_wait(fixture, KEEP_ALIVE_S);
	assert_int_equal(keep_alives(), 0);
	assert_int_equal(fixture->stats[0].connected, 0);
	assert_int_equal(fixture->stats[0].sessions_expired, 1);
}

static void client_that_keeps_itself_alive_stays(void **state UNUSED)
{
	for (unsigned i = 0; i < 100; i++) {
		netcode_wait(fixture, 1);
		assert_int_equal(stay().drop, PG_DROP_NONE);
		assert_int_equal(keep_alives(), 1);
	}
	assert_int_equal(fixture->stats[0].connected, 1);
}

static void replays_do_not_keep_a_silent_client_alive(void **state UNUSED)
{
	stay();
	for (unsigned i = 0; i < 6; i++) {
		netcode_wait(fixture, 1);
		player.sequence--;
		stay();
		keep_alives();
	}
	assert_int_equal(fixture->stats[0].connected, 0);
}

static void client_without_a_timeout_stays(void **state UNUSED)
{
	struct netcode_player other;

	netcode_player_init(&other, 78, 4001);
	other.grant.timeout_s = -1;
	netcode_player_regrant(&other);
	netcode_get_in(fixture, 1, &other);
	netcode_wait(fixture, 1e6);
	assert_int_equal(netcode_egress_of(fixture, 1, &other, 1, NETCODE_KEEP_ALIVE), 1);
	assert_int_equal(fixture->stats[1].connected, 1);
}

static void clients_are_told_that_the_gateway_ends(void **state UNUSED)
{
	unsigned told = 0;

	assert_false(netcode_dismiss(fixture->shard[0], fixture->now, 4096));
	for (unsigned i = 0; i < 100; i++) {
		netcode_wait(fixture, 0.01);
		told += netcode_egress_of(fixture, 0, &player, 1, NETCODE_DISCONNECT);
	}
	assert_int_equal(told, NETCODE_DISCONNECTS);
	assert_true(netcode_dismiss(fixture->shard[0], fixture->now, 4096));
	assert_int_equal(fixture->stats[0].connected, 0);
}

// ---------------------------------------------------------------- a crash

static void clients_go_on_after_a_crash(void **state UNUSED)
{
	struct netcode_player players[CAPACITY];

	for (unsigned i = 1; i < CAPACITY; i++) {
		netcode_player_init(&players[i], 100 + i, (uint16_t)(5000 + i));
		netcode_get_in(fixture, i % FIXTURE_WORKERS, &players[i]);
	}
	netcode_restart(fixture);
	assert_int_equal(fixture->stats[0].connected + fixture->stats[1].connected, CAPACITY);
	for (unsigned i = 1; i < CAPACITY; i++)
		assert_int_equal(netcode_say(fixture, i % FIXTURE_WORKERS, &players[i], NETCODE_PAYLOAD, &nothing, 8)
					 .outcome.drop,
				 PG_DROP_NONE);
	netcode_player_init(&players[0], 100, 5000);
	assert_int_equal(netcode_ask(fixture, 0, &players[0]).bytes[0] & 0x0f, NETCODE_DENIED); // it is full still
}

static void packet_of_before_a_crash_is_a_replay_after_it(void **state UNUSED)
{
	stay();
	netcode_restart(fixture);
	player.sequence--;
	assert_int_equal(stay().drop, PG_DROP_REPLAYED);
	player.sequence++;
	assert_int_equal(stay().drop, PG_DROP_NONE);
}

static void client_that_was_being_written_in_a_crash_is_none(void **state UNUSED)
{
	record()->phase = NETCODE_FREE;
	netcode_restart(fixture);
	assert_int_equal(fixture->stats[0].connected, 0);
	assert_int_equal(stay().drop, PG_DROP_SESSION_UNKNOWN);
	netcode_get_in(fixture, 0, &player);
}

static void records_that_cannot_be_are_freed(void **state UNUSED)
{
	struct netcode_record twin = *record();

	fixture->history->used = 4;
	fixture->records[1] = twin; // with the same client id
	fixture->records[2] = twin;
	fixture->records[2].phase = NETCODE_LEAVING + 1;
	fixture->records[3] = twin;
	fixture->records[3].owner = PG_WORKERS_MAX;
	netcode_restart(fixture);
	assert_int_equal(fixture->stats[0].connected, 1);
	for (unsigned slot = 1; slot < 4; slot++)
		assert_int_equal(fixture->records[slot].phase, NETCODE_FREE);
}

// ---------------------------------------------------------------- tables

static void many_come_and_go_and_everybody_is_found(void **state UNUSED)
{
	enum { ROUNDS = 2000 };
	struct netcode_player players[CAPACITY] = {player};
	bool in[CAPACITY] = {true};
	unsigned count = 1;

	for (unsigned round = 0; round < ROUNDS; round++) {
		const unsigned i = (unsigned)((round * 0x9e3779b97f4a7c15ULL) >> 60); // as if drawn

		if (in[i]) {
			assert_int_equal(netcode_say(fixture, 0, &players[i], NETCODE_DISCONNECT, NULL, 0).outcome.drop,
					 PG_DROP_NONE);
			count--;
		} else {
			netcode_player_init(&players[i], 1000ULL * round + i, (uint16_t)(5000 + round));
			netcode_get_in(fixture, 0, &players[i]);
			count++;
		}
		in[i] = !in[i];
		assert_int_equal(fixture->stats[0].connected, count);
		for (unsigned k = 0; k < CAPACITY; k++)
			if (in[k])
				assert_int_equal(netcode_client_at(fixture->shard[0], &players[k].peer),
						 players[k].told.client_index);
	}
}

static void token_that_will_be_over_first_gives_way_when_too_many_are_kept(void **state UNUSED)
{
	struct netcode_clients *clients = &fixture->store.clients;
	uint8_t token[NETCODE_TAG_LEN] = {0};

	memset(clients->history->use, 0, netcode_history_uses(CAPACITY) * sizeof(struct netcode_use)); // of our player
	// All in one set: the first byte is the same.
	for (uint8_t i = 0; i < NETCODE_USE_WAYS + 1; i++) {
		token[15] = i;
		assert_non_null(netcode_use(clients, token, 2000ULL + (i == 3 ? 0 : i + 1), &player.peer, 1000));
	}
	for (uint8_t i = 0; i < NETCODE_USE_WAYS + 1; i++) {
		token[15] = i;
		assert_int_equal(netcode_use_of(clients, token) != NULL, i != 3);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(payload_ends_in_one_counter_as_nobodys),
		TEST(client_that_says_something_is_confirmed),
		TEST(empty_and_too_long_payloads_are_ignored),
		TEST(packet_that_is_replayed_is_ignored_whatever_its_kind),
		TEST(packets_are_taken_out_of_order_within_the_window_and_not_behind_it),
		TEST(sequences_beyond_32_bits_are_whole),
		TEST(what_a_jump_passes_over_was_not_seen),
		TEST(forgery_moves_no_window),
		TEST(packet_of_a_stranger_is_of_nobody),
		TEST(what_a_client_may_not_send_is_ignored),
		TEST(packets_beyond_the_limit_of_a_client_are_dropped),
		TEST(client_is_kept_alive_ten_times_a_second),
		TEST(client_is_sent_no_sequence_twice),
		TEST(challenges_have_other_sequences_than_clients),
		TEST(client_whose_way_is_not_known_waits_for_its_next_packet),
		TEST(client_that_disconnects_is_gone),
		TEST(client_that_disconnects_while_another_worker_has_the_lock_is_gone_soon),
		TEST(client_that_is_silent_for_its_timeout_is_gone),
		TEST(client_that_keeps_itself_alive_stays),
		TEST(replays_do_not_keep_a_silent_client_alive),
		TEST(client_without_a_timeout_stays),
		TEST(clients_are_told_that_the_gateway_ends),
		TEST(clients_go_on_after_a_crash),
		TEST(packet_of_before_a_crash_is_a_replay_after_it),
		TEST(client_that_was_being_written_in_a_crash_is_none),
		TEST(records_that_cannot_be_are_freed),
		TEST(many_come_and_go_and_everybody_is_found),
		TEST(token_that_will_be_over_first_gives_way_when_too_many_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

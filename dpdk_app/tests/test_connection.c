// SPDX-License-Identifier: BSD-3-Clause
// test_connection.c: the life of a connection: replaced, moved, closed, swept, found after a crash; and no nonce twice.

#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "house.h"
#include "rig.h"

static struct house *house;

// ---------------------------------------------------------------- (key, nonce)

/// Everything that was ever sealed by the gateway, of whatever process.
struct sealing {
	uint8_t key[CIPHER_KEY_LEN];
	uint8_t nonce[12];
};
static struct sealing *sealings;
static size_t sealing_count, sealing_room;
static aes_gcm_enc_dec_t real_encrypt;

static void encrypt_and_log(const struct gcm_key_data *key, struct gcm_context_data *context, uint8_t *out,
			    const uint8_t *in, uint64_t len, const uint8_t *nonce, const uint8_t *clear,
			    uint64_t clear_len, uint8_t *tag, uint64_t tag_len)
{
	struct sealing *sealing;

	if (sealing_count == sealing_room)
		abort();
	sealing = &sealings[sealing_count++];
	memcpy(sealing->key, key->expanded_keys, sizeof(sealing->key)); // the first round key of AES is the key
	memcpy(sealing->nonce, nonce, sizeof(sealing->nonce));
	real_encrypt(key, context, out, in, len, nonce, clear, clear_len, tag, tag_len);
}

static void log_sealings(void)
{
	real_encrypt = house->side[0]->code.encrypt;
	for (unsigned side = 0; side < HOUSE_SIDES; side++)
		house->side[side]->code.encrypt = encrypt_and_log;
}

static int compare_sealings(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct sealing));
}

/// Sorts a copy, so that the log can be cut back.
static void assert_no_nonce_was_used_twice(void)
{
	struct sealing *sorted = malloc((sealing_count + 1) * sizeof(*sorted));

	assert_non_null(sorted);
	memcpy(sorted, sealings, sealing_count * sizeof(*sorted));
	qsort(sorted, sealing_count, sizeof(*sorted), compare_sealings);
	for (size_t i = 1; i < sealing_count; i++)
		if (compare_sealings(&sorted[i - 1], &sorted[i]) == 0)
			fail_msg("one of %zu sealings repeats another's key and nonce", sealing_count);
	free(sorted);
}

static int open_house(void **state UNUSED)
{
	house = house_open(16);
	sealing_count = 0;
	sealing_room = 100000;
	sealings = malloc(sealing_room * sizeof(*sealings));
	assert_non_null(sealings);
	log_sealings();
	return 0;
}

static int close_house(void **state UNUSED)
{
	assert_no_nonce_was_used_twice();
	house_close(house);
	free(sealings);
	return 0;
}

static uint32_t restart(void)
{
	const uint32_t going_on = house_restart(house);

	log_sealings();
	return going_on;
}

// ---------------------------------------------------------------- what is said

static uint32_t slot_of(const struct player *player)
{
	return session_slot(player->session);
}

static struct handshake_outcome control(const struct player *player, const struct peer *from, enum session_kind kind,
					const void *body, uint16_t body_len)
{
	uint8_t opened[PLAYER_BUFFER] = {(uint8_t)kind};
	uint8_t *copy = malloc(SESSION_SEALED_MIN + body_len); // of exactly its size
	struct handshake_outcome outcome;

	assert_non_null(copy);
	memcpy(opened + sizeof(struct session_header), body, body_len);
	memcpy(copy, opened, SESSION_SEALED_MIN + body_len);
	outcome = handshake_control(house->side[0], slot_of(player), from, copy,
				    (uint16_t)(SESSION_SEALED_MIN + body_len), house->now);
	free(copy);
	return outcome;
}

/// The outbox holds one CLOSE for this player, which he can read, sent to `where`; it is taken out.
static void assert_told(struct player *player, const struct peer *where, enum session_close_reason why)
{
	struct outbox *outbox = &house->side[0]->outbox;
	const struct parting *parting = outbox_oldest(outbox);
	uint8_t datagram[OUTBOX_PAYLOAD];

	assert_int_equal(outbox->count, 1);
	assert_true(peer_equal(&parting->peer, where));
	memcpy(datagram, parting->payload, sizeof(datagram));
	assert_true(player_open(house, player, datagram, parting->length));
	assert_int_equal(datagram[0], SESSION_CLOSE);
	assert_int_equal(datagram[20], why);
	assert_int_equal(datagram[21] | datagram[22] | datagram[23], 0);
	outbox_remove(outbox);
}

static void assert_nobody_is_connected(const struct player *player)
{
	const struct issued *record = house_record(house, player);

	assert_int_equal(record->phase, ISSUED_IDLE);
	assert_int_equal(record->owner, ISSUED_NO_OWNER);
	assert_int_equal(house->stats[0].connected, 0);
}

static struct player connected_player(void)
{
	struct player player = house_issue(house, 7, 600, false);

	assert_true(house_connect(house, 0, &player));
	return player;
}

// ---------------------------------------------------------------- replaced

static void who_confirms_from_elsewhere_replaces_who_was_there(void **state UNUSED)
{
	struct player before = connected_player(), after = before;

	house_wait(house, 50);
	after.peer = peer_at(0x14000063, 7000, 0);
	assert_true(house_connect(house, 0, &after));
	assert_memory_not_equal(before.server_nonce, after.server_nonce, SESSION_NONCE_LEN);
	assert_true(peer_equal(&house_record(house, &after)->peer, &after.peer));
	assert_told(&before, &before.peer, SESSION_CLOSED_REPLACED); // under the old keys
	assert_int_equal(house->stats[0].closed[SESSION_CLOSED_REPLACED], 1);
	assert_int_equal(house->stats[0].connected, 1);
	assert_int_equal(house->stats[0].connections, 2);
}

static void who_starts_again_at_the_same_address_is_not_told_of_himself(void **state UNUSED)
{
	struct player player = connected_player();

	house_wait(house, 50);
	assert_true(house_connect(house, 0, &player));
	assert_int_equal(house->side[0]->outbox.count, 0);
	assert_int_equal(house->stats[0].closed[SESSION_CLOSED_REPLACED], 1);
}

static void a_new_connection_remembers_nothing_of_the_last(void **state UNUSED)
{
	struct player player = connected_player();
	struct issued *record = house_record(house, &player);

	replay_mark(&record->replay, 1000);
	record->taken = 1000;
	record->taken_bits = 7;
	record->tx_counter = 5000;
	record->tx_id[1] = 9;
	record->rx_id[2] = 8;
	record->undelivered = 1;
	house_wait(house, 50);
	assert_true(house_connect(house, 0, &player));
	assert_int_equal(player.welcome.header.sequence, 1);
	assert_int_equal(player.welcome.header.ack, 0);
	assert_int_equal(player.welcome.header.ack_bits, 0);
	assert_true(replay_fresh(&record->replay, 1));
	assert_int_equal(record->tx_id[1] | record->rx_id[2] | record->undelivered, 0);
}

// ---------------------------------------------------------------- moved

#define PATH_CHALLENGE_LEN (SESSION_SEALED_MIN + SESSION_PATH_TOKEN_LEN)

/// The token of a challenge that was just sent to `where`.
static void challenge(struct player *player, const struct peer *where, uint8_t token[SESSION_PATH_TOKEN_LEN])
{
	uint8_t datagram[PLAYER_BUFFER];
	const uint16_t length = handshake_challenge_path(house->side[0], slot_of(player), where, datagram,
							 PATH_CHALLENGE_LEN, house->now);

	assert_int_equal(length, PATH_CHALLENGE_LEN);
	assert_true(player_open(house, player, datagram, length));
	assert_int_equal(datagram[0], SESSION_PATH_CHALLENGE);
	memcpy(token, datagram + 20, SESSION_PATH_TOKEN_LEN);
}

static void an_answered_path_challenge_moves_the_connection(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer there = peer_at(0x14000063, 7000, 0);
	uint8_t token[SESSION_PATH_TOKEN_LEN];
	struct handshake_outcome outcome;

	challenge(&player, &there, token);
	assert_true(peer_equal(&house_record(house, &player)->peer, &player.peer)); // not before
	outcome = control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token));
	assert_int_equal(outcome.drop, PG_DROP_NONE);
	assert_int_equal(outcome.message, PG_MESSAGE_SESSION_PATH_RESPONSE);
	assert_int_equal(outcome.answer, 0);
	assert_true(outcome.moved);
	assert_true(peer_equal(&house_record(house, &player)->peer, &there));
	assert_int_equal(house_record(house, &player)->phase, ISSUED_CONNECTED);
	assert_int_equal(house->stats[0].path_changes, 1);
	outcome = control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)); // sent twice
	assert_int_equal(outcome.drop, PG_DROP_NONE);
	assert_false(outcome.moved);
	assert_int_equal(house->stats[0].path_changes, 1);
}

static void a_path_response_from_anywhere_else_is_refused(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer there = peer_at(0x14000063, 7000, 0);
	const struct peer others[] = {player.peer, peer_at(0x14000064, 7000, 0), peer_at(0x14000063, 7001, 0),
				      peer_at(0x14000063, 7000, 1)};
	uint8_t token[SESSION_PATH_TOKEN_LEN];

	challenge(&player, &there, token);
	for (size_t i = 0; i < COUNT(others); i++)
		assert_int_equal(control(&player, &others[i], SESSION_PATH_RESPONSE, token, sizeof(token)).drop,
				 PG_DROP_BAD_PATH_RESPONSE);
	assert_true(peer_equal(&house_record(house, &player)->peer, &player.peer));
}

static void a_path_response_with_another_token_is_refused(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer there = peer_at(0x14000063, 7000, 0);
	uint8_t token[SESSION_PATH_TOKEN_LEN] = {0}, newer[SESSION_PATH_TOKEN_LEN];

	// nobody was challenged
	assert_int_equal(control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)).drop,
			 PG_DROP_BAD_PATH_RESPONSE);
	challenge(&player, &there, token);
	for (size_t bit = 0; bit < sizeof(token) * 8; bit++) {
		token[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)).drop,
				 PG_DROP_BAD_PATH_RESPONSE);
		token[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	house_wait(house, 1000);
	challenge(&player, &there, newer); // only the last one counts
	assert_int_equal(control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)).drop,
			 PG_DROP_BAD_PATH_RESPONSE);
	house_wait(house, 4001); // and not for ever
	assert_int_equal(control(&player, &there, SESSION_PATH_RESPONSE, newer, sizeof(newer)).drop,
			 PG_DROP_BAD_PATH_RESPONSE);
	assert_true(peer_equal(&house_record(house, &player)->peer, &player.peer));
}

/// Is a path challenged, for so many bytes from there?
static bool challenged(const struct player *player, const struct peer *where, uint16_t received)
{
	uint8_t datagram[PLAYER_BUFFER];

	return handshake_challenge_path(house->side[0], slot_of(player), where, datagram, received, house->now) != 0;
}

static void a_path_is_challenged_once_a_second_at_most(void **state UNUSED)
{
	const struct player player = connected_player();
	const struct peer there = peer_at(0x14000063, 7000, 0);
	unsigned sent = 0;

	for (unsigned ms = 0; ms < 5000; ms += 10) {
		sent += challenged(&player, &there, 1400);
		house_wait(house, 10);
	}
	assert_in_range(sent, 4, 5);
}

static void one_path_after_another_is_challenged_at_once(void **state UNUSED)
{
	struct player player = connected_player();

	for (unsigned i = 0; i < 50; i++) { // he has another port every 200 ms
		const struct peer there = peer_at(0x14000063, (uint16_t)(7000 + i), 0);
		uint8_t token[SESSION_PATH_TOKEN_LEN];

		challenge(&player, &there, token);
		assert_false(challenged(&player, &there, 1400));
		assert_int_equal(control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)).drop,
				 PG_DROP_NONE);
		assert_true(peer_equal(&house_record(house, &player)->peer, &there));
		house_wait(house, 200);
	}
	assert_int_equal(house->stats[0].path_changes, 50);
}

static void whoever_copies_datagrams_to_many_paths_makes_the_gateway_send_no_more_than_he_does(void **state UNUSED)
{
	const struct player player = connected_player();
	unsigned sent = 0;

	for (unsigned ms = 0; ms < 5000; ms += 10) { // too short to be answered in full
		const struct peer there = peer_at(0x14000063 + ms, 7000, 0);

		sent += challenged(&player, &there, PATH_CHALLENGE_LEN - 1);
		house_wait(house, 10);
	}
	assert_in_range(sent, 4, 5);
}

static void a_late_path_response_does_not_keep_a_player_from_where_he_is(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer before = peer_at(0x14000063, 7000, 0), there = peer_at(0x14000063, 7001, 0);
	uint8_t early[SESSION_PATH_TOKEN_LEN], token[SESSION_PATH_TOKEN_LEN];

	house_wait(house, 1000);
	challenge(&player, &before, early);
	challenge(&player, &there, token);
	assert_true(control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)).moved);
	assert_true(control(&player, &before, SESSION_PATH_RESPONSE, early, sizeof(early)).moved); // was held up
	challenge(&player, &there, token);
	assert_true(control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)).moved);
}

static void nobody_takes_his_challenge_away_from_a_player(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer there = peer_at(0x14000063, 7000, 0);
	uint8_t token[SESSION_PATH_TOKEN_LEN];

	house_wait(house, 1000);
	challenge(&player, &there, token);
	for (unsigned i = 0; i < 100; i++) { // copies of his datagrams, from everywhere, within a round trip
		const struct peer copied_to = peer_at(0x0a000000 + i, 9000, 0);

		assert_true(challenged(&player, &copied_to, 1400));
		house_wait(house, 1);
	}
	assert_int_equal(control(&player, &there, SESSION_PATH_RESPONSE, token, sizeof(token)).drop, PG_DROP_NONE);
	assert_true(peer_equal(&house_record(house, &player)->peer, &there));
}

static void a_challenge_is_never_three_times_what_came(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer there = peer_at(0x14000063, 7000, 0);
	uint8_t datagram[PLAYER_BUFFER];

	for (uint16_t received = 0; received <= 1400; received++) {
		const uint16_t sent = handshake_challenge_path(house->side[0], slot_of(&player), &there, datagram,
							       received, house->now);

		assert_true(sent <= 3 * received);
		assert_true(sent != 0 || received < SESSION_SEALED_MIN);
		house_wait(house, 1001);
	}
}

static void control_datagrams_of_any_other_length_are_refused(void **state UNUSED)
{
	struct player player = connected_player();
	const struct peer there = peer_at(0x14000063, 7000, 0);
	uint8_t body[64] = {0};

	challenge(&player, &there, body);
	for (uint16_t length = 0; length <= (uint16_t)sizeof(body); length++) {
		if (length != SESSION_PATH_TOKEN_LEN)
			assert_int_equal(control(&player, &there, SESSION_PATH_RESPONSE, body, length).drop,
					 PG_DROP_SESSION_HEADER);
	}
	memset(body, 0, sizeof(body));
	body[0] = SESSION_CLOSED_LEFT;
	for (uint16_t length = 0; length <= (uint16_t)sizeof(body); length++) {
		if (length != sizeof(struct session_close_body))
			assert_int_equal(control(&player, &player.peer, SESSION_CLOSE, body, length).drop,
					 PG_DROP_SESSION_HEADER);
	}
	assert_int_equal(house_record(house, &player)->phase, ISSUED_CONNECTED);
	assert_true(peer_equal(&house_record(house, &player)->peer, &player.peer));
}

static void kinds_that_no_client_sends_are_refused_sealed_too(void **state UNUSED)
{
	struct player player = connected_player();
	uint8_t body[8] = {SESSION_CLOSED_LEFT};

	for (unsigned kind = 0; kind < 256; kind++)
		if (kind != SESSION_CLOSE && kind != SESSION_PATH_RESPONSE)
			assert_int_equal(control(&player, &player.peer, (enum session_kind)kind, body, 8).drop,
					 PG_DROP_SESSION_STATE);
	assert_int_equal(house_record(house, &player)->phase, ISSUED_CONNECTED);
}

// ---------------------------------------------------------------- closed

static void who_leaves_is_gone_and_may_come_again(void **state UNUSED)
{
	struct player player = connected_player();
	const struct session_close_body body = {.reason = SESSION_CLOSED_LEFT};
	const struct handshake_outcome outcome = control(&player, &player.peer, SESSION_CLOSE, &body, sizeof(body));
	static const struct cipher nothing;

	assert_int_equal(outcome.drop, PG_DROP_NONE);
	assert_int_equal(outcome.message, PG_MESSAGE_SESSION_CLOSE);
	assert_int_equal(outcome.answer, 0);
	assert_nobody_is_connected(&player);
	assert_int_equal(house->side[0]->outbox.count, 0); // he knows
	assert_int_equal(house->stats[0].closed[SESSION_CLOSED_LEFT], 1);
	assert_memory_equal(&house->vault.lockers[slot_of(&player)].cipher, &nothing, sizeof(nothing));
	house_wait(house, 1);
	assert_true(house_connect(house, 1, &player)); // by another worker, even
	assert_int_equal(house_record(house, &player)->owner, 1);
}

static void a_close_with_no_reason_or_with_rubbish_behind_it_is_refused(void **state UNUSED)
{
	static const uint8_t bad[][4] = {{0, 0, 0, 0}, {10, 0, 0, 0}, {255, 0, 0, 0}, {1, 1, 0, 0}, {1, 0, 0, 1}};
	struct player player = connected_player();

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(control(&player, &player.peer, SESSION_CLOSE, bad[i], sizeof(bad[i])).drop,
				 PG_DROP_SESSION_HEADER);
	assert_int_equal(house_record(house, &player)->phase, ISSUED_CONNECTED);
}

static void the_silent_are_closed_as_idle(void **state UNUSED)
{
	struct player player = connected_player();

	house_wait(house, 29999);
	assert_int_equal(connection_sweep(house->side[0], house->now, 16), 0);
	house_wait(house, 2);
	assert_int_equal(connection_sweep(house->side[1], house->now, 16), 0); // not his
	assert_int_equal(connection_sweep(house->side[0], house->now, 16), 1);
	assert_told(&player, &player.peer, SESSION_CLOSED_IDLE);
	assert_nobody_is_connected(&player);
}

static void the_expired_are_closed_as_expired(void **state UNUSED)
{
	struct player player = house_issue(house, 7, 5, false);

	assert_true(house_connect(house, 0, &player));
	house_wait(house, 4900);
	assert_int_equal(connection_sweep(house->side[0], house->now, 16), 0);
	house_wait(house, 200);
	assert_int_equal(connection_sweep(house->side[0], house->now, 16), 1);
	assert_told(&player, &player.peer, SESSION_CLOSED_EXPIRED);
	assert_nobody_is_connected(&player);
}

static void the_revoked_are_closed_as_revoked(void **state UNUSED)
{
	struct player player = connected_player();

	assert_true(pg_session_revoke(house->state, player.session));
	assert_int_equal(connection_sweep(house->side[0], house->now, 16), 1);
	assert_told(&player, &player.peer, SESSION_CLOSED_REVOKED);
	assert_nobody_is_connected(&player);
}

static void a_sweep_looks_at_no_more_than_its_budget(void **state UNUSED)
{
	for (uint32_t id = 1; id <= 10; id++) {
		struct player player = house_issue(house, id, 600, false);

		assert_true(house_connect(house, 0, &player));
	}
	house_wait(house, 31000);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(connection_sweep(house->side[0], house->now, 2), 2);
	assert_int_equal(connection_sweep(house->side[0], house->now, 2), 0);
}

static void a_sweep_waits_for_room_in_the_outbox(void **state UNUSED)
{
	struct player player = connected_player();
	struct outbox *outbox = &house->side[0]->outbox;

	outbox->count = OUTBOX_SIZE;
	house_wait(house, 31000);
	assert_int_equal(connection_sweep(house->side[0], house->now, 16), 0);
	outbox->count = 0;
	assert_int_equal(connection_sweep(house->side[0], house->now, 16), 1);
	assert_told(&player, &player.peer, SESSION_CLOSED_IDLE);
}

// ---------------------------------------------------------------- a crash

static void a_connection_goes_on_after_a_restart(void **state UNUSED)
{
	struct player player = connected_player();
	struct issued *record = house_record(house, &player);
	uint8_t datagram[PLAYER_BUFFER];
	uint16_t length;

	for (unsigned i = 0; i < 5; i++)
		player_seal(house, &player, SESSION_DATA, "before", 6, datagram);
	replay_mark(&record->replay, player.sent);
	assert_int_equal(restart(), 1);
	assert_int_equal(house->stats[0].connected, 1);
	assert_false(replay_fresh(&record->replay, player.sent)); // the same again
	assert_false(replay_fresh(&record->replay, 2));           // and what may have been seen
	length = player_seal(house, &player, SESSION_DATA, "after", 5, datagram);
	assert_true(replay_fresh(&record->replay, player.sent));
	assert_true(cipher_open(&house->side[0]->code, &house->vault.lockers[slot_of(&player)].cipher.open, player.sent,
				datagram, 20, length));
	connection_close(house->side[0], slot_of(&player), SESSION_CLOSED_SHUTDOWN, house->now);
	assert_told(&player, &player.peer, SESSION_CLOSED_SHUTDOWN);
	assert_int_equal(player.newest, 2); // after the WELCOME's
}

static void confirms_from_before_a_restart_are_worth_nothing_after_it(void **state UNUSED)
{
	struct player player = house_issue(house, 7, 600, false), was;
	uint8_t old[PLAYER_BUFFER];
	const uint16_t length = house_ask(house, 0, &player, old);

	was = player;
	house_wait(house, 1);
	assert_true(house_connect(house, 0, &player));
	restart();
	assert_int_equal(handshake_greet(house->side[0], &was.peer, old, length, house->now).drop, PG_DROP_COOKIE_OLD);
}

static void a_confirm_repeated_after_a_restart_gets_the_same_keys(void **state UNUSED)
{
	struct player player = connected_player();
	uint8_t datagram[PLAYER_BUFFER], nonce[SESSION_NONCE_LEN];
	const uint16_t length = player_confirm(&player, datagram);
	struct handshake_outcome outcome;

	memcpy(nonce, player.server_nonce, sizeof(nonce));
	restart();
	outcome = handshake_greet(house->side[0], &player.peer, datagram, length, house->now);
	assert_true(player_take_welcome(house, &player, datagram, outcome.answer));
	assert_memory_equal(nonce, player.server_nonce, sizeof(nonce));
	assert_int_equal(player.welcome.header.sequence, 2);
}

static void a_connection_whose_messages_died_is_closed_as_restarted(void **state UNUSED)
{
	struct player player = connected_player();
	uint8_t datagram[PLAYER_BUFFER];
	const uint16_t length = player_confirm(&player, datagram);

	house_record(house, &player)->undelivered = 1;
	assert_int_equal(restart(), 0);
	assert_int_equal(house_record(house, &player)->phase, ISSUED_LOST);
	assert_int_equal(handshake_greet(house->side[0], &player.peer, datagram, length, house->now).drop,
			 PG_DROP_COOKIE_OLD);
	assert_int_equal(restart(), 0); // once more, before it was closed
	assert_int_equal(connection_sweep(house->side[0], house->now, 16), 1);
	assert_told(&player, &player.peer, SESSION_CLOSED_RESTARTED);
	assert_nobody_is_connected(&player);
	house_wait(house, 1);
	assert_true(house_connect(house, 0, &player));
}

static void a_session_revoked_while_no_worker_ran_is_closed_as_revoked(void **state UNUSED)
{
	struct player player = connected_player();

	assert_true(pg_session_revoke(house->state, player.session));
	restart();
	assert_int_equal(connection_sweep(house->side[0], house->now, 16), 1);
	assert_told(&player, &player.peer, SESSION_CLOSED_REVOKED);
}

// ---------------------------------------------------------------- a crash, anywhere

#define CRASHES_MAX 1024

/// The record as each store of an interrupted call left it, and what was sealed by then.
static struct crash {
	struct issued record;
	size_t sealings;
} crashes[CRASHES_MAX];
static volatile size_t crash_count;
static const struct issued *watched;
static struct sealing sealed_before[CRASHES_MAX]; // by the time of the last crash

static void after_an_instruction(int signal UNUSED)
{
	if (memcmp(&crashes[crash_count - 1].record, watched, sizeof(*watched)) == 0 &&
	    crashes[crash_count - 1].sealings == sealing_count)
		return;
	if (crash_count == CRASHES_MAX)
		abort();
	crashes[crash_count++] = (struct crash){.record = *watched, .sealings = sealing_count};
}

/// The CPU traps after every instruction while TF is set.
__attribute__((noinline)) static void trap_on(void)
{
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
}

__attribute__((noinline)) static void trap_off(void)
{
	__asm__ volatile("pushfq; andq $-0x101, (%%rsp); popfq" ::: "memory", "cc");
}

static void watch(const struct issued *record)
{
	const struct sigaction action = {.sa_handler = after_an_instruction};

	assert_int_equal(sigaction(SIGTRAP, &action, NULL), 0);
	watched = record;
	crashes[0] = (struct crash){.record = *record, .sealings = sealing_count};
	crash_count = 1;
}

/// What is done with a record that was found: all that seals.
static void go_on_after(const struct crash *crash, struct player *player, const uint8_t *confirm, uint16_t length)
{
	const struct peer there = peer_at(0x14000077, 7000, 0);
	struct issued *record = house_record(house, player);
	uint8_t datagram[PLAYER_BUFFER];

	*record = crash->record;
	sealing_count = crash->sealings;
	memcpy(sealings, sealed_before, sealing_count * sizeof(*sealings));
	restart();
	if (record->phase == ISSUED_IDLE)
		assert_int_equal(record->owner, ISSUED_NO_OWNER);
	if (record->phase == ISSUED_CONNECTED)
		handshake_challenge_path(house->side[0], slot_of(player), &there, datagram, 1400, house->now);
	memcpy(datagram, confirm, length); // repeated
	handshake_greet(house->side[0], &player->peer, datagram, length, house->now);
	connection_sweep(house->side[0], house->now, 16);
	house_wait(house, 5);
	assert_true(house_connect(house, 0, player)); // anew
	connection_close(house->side[0], slot_of(player), SESSION_CLOSED_SHUTDOWN, house->now);
	assert_no_nonce_was_used_twice();
}

static void go_on_after_each(struct player *player, const uint8_t *confirm, uint16_t length)
{
	memcpy(sealed_before, sealings, sealing_count * sizeof(*sealings));
	for (size_t i = 0; i < crash_count; i++)
		go_on_after(&crashes[i], player, confirm, length);
}

/// Interrupt the second CONFIRM of a session (of another address, so that it seals a CLOSE, too) after each of its stores.
static void a_crash_after_any_store_of_a_confirm_repeats_no_nonce(void **state UNUSED)
{
	struct player player = connected_player();
	struct issued *record = house_record(house, &player);
	uint8_t confirm[PLAYER_BUFFER], datagram[PLAYER_BUFFER];
	uint16_t length;

	player.max_datagram = 508;
	house_wait(house, 5);
	player.peer = peer_at(0x14000063, 7000, 0);
	length = house_ask(house, 0, &player, confirm);
	memcpy(datagram, confirm, length);
	watch(record);
	trap_on();
	handshake_greet(house->side[0], &player.peer, datagram, length, house->now);
	trap_off();
	assert_true(crash_count > 20);
	go_on_after_each(&player, confirm, length);
}

static void a_crash_after_any_store_of_a_close_repeats_no_nonce(void **state UNUSED)
{
	struct player player = connected_player();
	struct issued *record = house_record(house, &player);
	uint8_t confirm[PLAYER_BUFFER];
	const uint16_t length = player_confirm(&player, confirm);

	watch(record);
	trap_on();
	connection_close(house->side[0], slot_of(&player), SESSION_CLOSED_IDLE, house->now);
	trap_off();
	assert_true(crash_count > 3);
	go_on_after_each(&player, confirm, length);
}

static void nothing_is_ever_sent_to_half_of_an_address(void **state UNUSED)
{
	struct player player = connected_player();
	struct issued *record = house_record(house, &player);
	const struct peer there = peer_at(0x15000063, 7000, 1), here = player.peer;

	watch(record);
	trap_on();
	connection_move(house->side[0], slot_of(&player), &there);
	trap_off();
	assert_true(crash_count > 2);
	for (size_t i = 0; i < crash_count; i++) {
		*record = crashes[i].record;
		restart();
		if (record->phase == ISSUED_CONNECTED)
			assert_true(peer_equal(&record->peer, &here) || peer_equal(&record->peer, &there));
		else
			assert_int_equal(record->owner, ISSUED_NO_OWNER);
	}
}

// ---------------------------------------------------------------- all of it, for long

/// What may happen to a session, in any order.
static void happen(struct player *player, uint64_t *seed)
{
	struct session_side *side = house->side[0];
	const struct issued *record = house_record(house, player);
	const struct peer there = peer_at(0x14000000 + random_below(seed, 4), 5000, 0);
	uint8_t datagram[PLAYER_BUFFER];

	switch (random_below(seed, 8)) {
	case 0:
	case 1:
		player->peer = there;
		house_connect(house, random_below(seed, 2), player);
		break;
	case 2:
	case 3: // a CONFIRM again: the last, of this connection or a former one
		player_confirm(player, datagram);
		handshake_greet(side, &player->peer, datagram, player->max_datagram, house->now);
		break;
	case 4:
		if (record->owner == 0 && record->phase == ISSUED_CONNECTED)
			handshake_challenge_path(side, slot_of(player), &there, datagram, 1400, house->now);
		break;
	case 5:
		if (record->owner == 0 && record->phase == ISSUED_CONNECTED)
			connection_close(side, slot_of(player), SESSION_CLOSED_IDLE, house->now);
		break;
	case 6:
		if (random_below(seed, 4) == 0)
			house_record(house, player)->undelivered = 1;
		restart();
		break;
	default:
		connection_sweep(side, house->now, 4);
		break;
	}
}

static void no_nonce_is_used_twice_whatever_happens(void **state UNUSED)
{
	struct player player[3];
	uint64_t seed = 5;

	for (uint32_t i = 0; i < COUNT(player); i++)
		player[i] = house_issue(house, i + 1, 100000, false);
	for (unsigned i = 0; i < 5000; i++) {
		happen(&player[random_below(&seed, COUNT(player))], &seed);
		house->side[0]->outbox.count = house->side[1]->outbox.count = 0;
		house_wait(house, random_below(&seed, 600));
	}
	assert_true(sealing_count > 1000);
	assert_true(house->stats[0].connections + house->stats[1].connections > 500);
	assert_no_nonce_was_used_twice();
}

#define house_test(name) cmocka_unit_test_setup_teardown(name, open_house, close_house)

int main(void)
{
	const struct CMUnitTest tests[] = {
		house_test(who_confirms_from_elsewhere_replaces_who_was_there),
		house_test(who_starts_again_at_the_same_address_is_not_told_of_himself),
		house_test(a_new_connection_remembers_nothing_of_the_last),
		house_test(an_answered_path_challenge_moves_the_connection),
		house_test(a_path_response_from_anywhere_else_is_refused),
		house_test(a_path_response_with_another_token_is_refused),
		house_test(a_path_is_challenged_once_a_second_at_most),
		house_test(one_path_after_another_is_challenged_at_once),
		house_test(whoever_copies_datagrams_to_many_paths_makes_the_gateway_send_no_more_than_he_does),
		house_test(a_late_path_response_does_not_keep_a_player_from_where_he_is),
		house_test(nobody_takes_his_challenge_away_from_a_player),
		house_test(a_challenge_is_never_three_times_what_came),
		house_test(control_datagrams_of_any_other_length_are_refused),
		house_test(kinds_that_no_client_sends_are_refused_sealed_too),
		house_test(who_leaves_is_gone_and_may_come_again),
		house_test(a_close_with_no_reason_or_with_rubbish_behind_it_is_refused),
		house_test(the_silent_are_closed_as_idle),
		house_test(the_expired_are_closed_as_expired),
		house_test(the_revoked_are_closed_as_revoked),
		house_test(a_sweep_looks_at_no_more_than_its_budget),
		house_test(a_sweep_waits_for_room_in_the_outbox),
		house_test(a_connection_goes_on_after_a_restart),
		house_test(confirms_from_before_a_restart_are_worth_nothing_after_it),
		house_test(a_confirm_repeated_after_a_restart_gets_the_same_keys),
		house_test(a_connection_whose_messages_died_is_closed_as_restarted),
		house_test(a_session_revoked_while_no_worker_ran_is_closed_as_revoked),
		house_test(a_crash_after_any_store_of_a_confirm_repeats_no_nonce),
		house_test(a_crash_after_any_store_of_a_close_repeats_no_nonce),
		house_test(nothing_is_ever_sent_to_half_of_an_address),
		house_test(no_nonce_is_used_twice_whatever_happens),
	};

	return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// test_game_waiting.c: what takes a look through a world waits in order, in a bounded ring, and each ends once.

#include "game_fixture.h"

#include <string.h>

#include "delivery/lists.h"
#include "game/waiting.h"
#include "message/attack.h"
#include "replication_fixture.h"
#include "session/connection.h"

#define NEAR 8 // players 0 to 7 stand in a row along y, one metre apart
#define FAR 8  // and this one out of sight

static struct game_fixture *fixture;
static struct replication_fixture *world;

static uint32_t slot_of(unsigned player)
{
	return fixture_slot(fixture->sessions, &fixture->player[player]);
}

static struct session_shard *shard(void)
{
	return fixture->sessions->shard[0];
}

static void pass_ticks(unsigned ticks)
{
	for (unsigned i = 0; i < ticks; i++) {
		for (unsigned player = 0; player <= FAR; player++)
			replication_fixture_move(world, slot_of(player), player == FAR ? 90 : 0,
						 player == FAR ? 90 : (float)player);
		replication_fixture_tick(world, false);
	}
}

static int open_fixture(void **state UNUSED)
{
	fixture = game_fixture_open();
	world = replication_fixture_open(fixture->sessions);
	for (unsigned player = 0; player <= FAR; player++) {
		game_fixture_connect(fixture, player);
		replication_fixture_enter(world, slot_of(player), player == FAR ? 90 : 0,
					  player == FAR ? 90 : (float)player);
	}
	pass_ticks(30);
	return 0;
}

static int close_fixture(void **state UNUSED)
{
	replication_fixture_close(world);
	game_fixture_close(fixture);
	return 0;
}

static void finish(void)
{
	while (waiting_has_some(world->waiting))
		waiting_step(shard(), fixture->sessions->now);
}

static const struct outbound *outbound_of(unsigned player)
{
	return &store_delivery(shard()->store, slot_of(player))->out;
}

/// Messages of a player that wait to be sent, the first first.
static unsigned told(unsigned player, const struct stored *out[64])
{
	const struct outbound *outbound = outbound_of(player);
	unsigned count = 0;

	for (unsigned queue = 0; queue < PRIORITIES * OUTBOUND_QUEUES; queue++) {
		const uint32_t head = outbound_lists(&shard()->ctx, outbound)->waiting_in[queue];
		uint32_t index = head;

		if (!(outbound->waiting_mask >> queue & 1))
			continue;
		do {
			out[count] = stored_at(shard()->ctx.pool, index);
			index = out[count++]->next;
		} while (index != head && index != POOL_NONE && count < 64);
	}
	return count;
}

static uint64_t dispatched(enum pg_destination to)
{
	return fixture->sessions->stats[0].messages.dispatched[to];
}

static uint64_t ended(void)
{
	uint64_t ended = 0;

	for (unsigned i = 0; i < PG_DESTINATIONS; i++)
		ended += dispatched(i);
	return ended;
}

static void nobody_waits(void)
{
	assert_false(waiting_has_some(world->waiting));
	for (unsigned player = 0; player <= FAR; player++)
		assert_int_equal(world->replication->members[slot_of(player)].waits, 0);
}

static void chat(unsigned player, uint32_t target, uint32_t bytes)
{
	uint8_t body[sizeof(struct chat_body) + PLAIN_CHAT_TEXT_MAX];
	const struct chat_body head = {.target_id = target, .text_len = (uint16_t)bytes};

	memset(body, 'x', sizeof(body));
	memcpy(body, &head, sizeof(head));
	game_fixture_say(fixture, player, SESSION_CHAT, body, (uint32_t)sizeof(head) + bytes);
}

/// Along the row. With a moment as the newest frame has it, or without.
static void attack(unsigned player, uint32_t target, uint32_t number, bool says_view)
{
	const struct attack_body head = {target, number, {0, 1, 0}};
	const struct attack_view view = {.tick = (uint16_t)world_published(world->replica->part)};
	uint8_t body[ATTACK_VIEWED];

	memcpy(body, &head, sizeof(head));
	memcpy(body + sizeof(head), &view, sizeof(view));
	game_fixture_say(fixture, player, SESSION_ATTACK, body, says_view ? sizeof(body) : sizeof(head));
}

// ---------------------------------------------------------------- tests

static void everyone_near_hears_it_and_nobody_else(void **state UNUSED)
{
	const struct stored *first[64];

	chat(0, 0, 5);
	assert_true(waiting_has_some(world->waiting));
	assert_int_equal(ended(), 0);
	finish();
	nobody_waits();
	for (unsigned player = 1; player < NEAR; player++) {
		assert_int_equal(told(player, first), 1);
		assert_int_equal(first[0]->type, SESSION_CHAT_EVENT);
	}
	assert_int_equal(told(0, first), 0);
	assert_int_equal(told(FAR, first), 0);
	assert_int_equal(dispatched(PG_DESTINATION_NEAR), 1);
	assert_int_equal(ended(), 1);
}

static void an_attack_is_told_with_its_judgement(void **state UNUSED)
{
	const struct stored *first[64];
	struct attack_judgement judgement;

	attack(0, 3, 77, true); // player 3, who is the third in the row
	attack(0, 3, 78, false);
	finish();
	nobody_waits();
	assert_int_equal(world->replica->counts->judged[PG_WORLD_JUDGED_HIT], 2);
	assert_int_equal(told(2, first), 2);
	assert_int_equal(first[0]->type, SESSION_ATTACK_EVENT);
	assert_int_equal(first[0]->length, sizeof(uint32_t) + ATTACK_JUDGED);
	memcpy(&judgement, first[0]->body + sizeof(uint32_t) + sizeof(struct attack_body), sizeof(judgement));
	assert_int_equal(judgement.tick, world_published(world->replica->part));
	assert_int_equal(judgement.judged, PG_WORLD_JUDGED_HIT);
	assert_int_equal(judgement.who, 3);
	assert_int_equal(judgement.clamped, WORLD_VIEW_KEPT);
	assert_int_equal(judgement.distance,
			 171);               // quanta: 2 m, less the body, which is round at the height of the eye
	assert_int_equal(told(0, first), 2); // the attacker hears, too
	assert_int_equal(ended(), 2);
}

static void who_aims_at_itself_hears_it_once(void **state UNUSED)
{
	const struct stored *first[64];

	attack(0, 1, 77, true);
	finish();
	nobody_waits();
	assert_int_equal(told(0, first), 1);
	assert_int_equal(first[0]->length, sizeof(uint32_t) + ATTACK_JUDGED);
	assert_int_equal(ended(), 1);
}

static void what_is_said_behind_it_is_heard_behind_it(void **state UNUSED)
{
	const struct stored *all[64];

	chat(0, 0, 5);
	chat(0, 2, 6); // for one player: waits behind the other all the same
	attack(0, 2, 9, false);
	chat(1, 2, 7); // of somebody for whom nothing waits
	finish();
	nobody_waits();
	assert_int_equal(ended(), 4);
	assert_int_equal(told(1, all), 4);
	assert_int_equal(all[0]->length, sizeof(uint32_t) + sizeof(struct chat_body) + 7);
	assert_int_equal(all[1]->length, sizeof(uint32_t) + sizeof(struct chat_body) + 5);
	assert_int_equal(all[2]->length, sizeof(uint32_t) + sizeof(struct chat_body) + 6);
	assert_int_equal(all[3]->length, sizeof(uint32_t) + ATTACK_JUDGED);
}

static void what_does_not_fit_is_lost_and_counted_and_an_attack_at_somebody_is_told(void **state UNUSED)
{
	uint64_t said = 0;

	// The shortest there are: what does not fit any more fits nobody else.
	while (world->replica->counts->waits_full == 0) {
		chat(0, 0, 1);
		said++;
		assert_true(said < WAITING_BYTES / 64);
	}
	assert_true(said > WAITING_BYTES / 512);
	assert_int_equal(ended(), 1);
	assert_int_equal(fixture->sessions->stats[0].messages.lost[PG_LOSS_WORLD_BUSY], 1);
	attack(1, 3, 1, false); // of somebody who has said nothing else: as where nobody judges
	assert_int_equal(dispatched(PG_DESTINATION_PLAYER), 1);
	assert_int_equal(world->replica->counts->judged[PG_WORLD_JUDGED_NOT_JUDGED], 1);
	attack(0, 3, 2, false); // it would be heard in another order
	assert_int_equal(fixture->sessions->stats[0].messages.lost[PG_LOSS_WORLD_BUSY], 2);
	finish();
	nobody_waits();
	assert_int_equal(ended(), said + 2);
}

static void ranks_that_change_meanwhile_change_nothing(void **state UNUSED)
{
	const struct stored *all[64];

	pass_ticks(64);
	chat(0, 0, 5);
	waiting_step(shard(), fixture->sessions->now); // begun
	replication_fixture_tick(world, true);
	assert_int_equal(world->replica->part->reranked, world->replica->tick);
	attack(3, 5, 6, true);
	finish();
	nobody_waits();
	for (unsigned player = 1; player < NEAR; player++)
		assert_int_equal(told(player, all), player == 4 || player == 3 ? 2 : 1);
	assert_int_equal(world->replica->counts->judged[PG_WORLD_JUDGED_HIT], 1);
	assert_int_equal(ended(), 2);
}

static void who_is_gone_before_its_turn_is_told_of_as_nobody_near(void **state UNUSED)
{
	const struct stored *all[64];

	chat(0, 0, 5);
	connection_close(shard(), slot_of(0), SESSION_CLOSED_IDLE, fixture->sessions->now);
	finish();
	assert_false(waiting_has_some(world->waiting));
	assert_int_equal(ended(), 1);
	assert_true(told(1, all) <= 1);
}

/// As often as there are epochs: what was said in another stay is not taken for one of this.
static void who_comes_and_goes_meanwhile_is_not_taken_for_who_it_was(void **state UNUSED)
{
	chat(0, 0, 5);
	chat(0, 0, 6);
	for (unsigned i = 0; i < 16; i++) {
		assert_true(replication_enter(world->replication, slot_of(0), 0, NULL, fixture->sessions->now));
		replication_fixture_enter(world, slot_of(0), 0, 0);
	}
	chat(0, 0, 7);
	assert_int_equal(world->replication->members[slot_of(0)].waits, 1);
	finish();
	nobody_waits();
	assert_int_equal(ended(), 3);
}

static void everything_ends_once_however_it_comes(void **state UNUSED)
{
	uint64_t seed = 5, said = 0;

	for (unsigned i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005U + 1442695040888963407U;

		const unsigned what = (unsigned)(seed >> 40) % 16, player = (unsigned)(seed >> 50) % NEAR;

		if (what < 4)
			chat(player, 0, 1 + (unsigned)(seed >> 32) % 500);
		else if (what < 5)
			chat(player, 1 + (unsigned)(seed >> 32) % 12, 9);
		else if (what < 7)
			attack(player, (unsigned)(seed >> 32) % 12, i, what & 1);
		said += what < 7;
		if (what == 7)
			replication_fixture_tick(world, (seed >> 33) & 1);
		if (what > 7)
			waiting_step(shard(), fixture->sessions->now);
	}
	finish();
	nobody_waits();
	assert_true(said > 5000);
	assert_int_equal(ended(), said);
}

#define WAITING_TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WAITING_TEST(everyone_near_hears_it_and_nobody_else),
		WAITING_TEST(an_attack_is_told_with_its_judgement),
		WAITING_TEST(who_aims_at_itself_hears_it_once),
		WAITING_TEST(what_is_said_behind_it_is_heard_behind_it),
		WAITING_TEST(what_does_not_fit_is_lost_and_counted_and_an_attack_at_somebody_is_told),
		WAITING_TEST(ranks_that_change_meanwhile_change_nothing),
		WAITING_TEST(who_is_gone_before_its_turn_is_told_of_as_nobody_near),
		WAITING_TEST(who_comes_and_goes_meanwhile_is_not_taken_for_who_it_was),
		WAITING_TEST(everything_ends_once_however_it_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

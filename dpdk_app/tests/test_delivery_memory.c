// SPDX-License-Identifier: BSD-3-Clause
// test_delivery_memory.c: what deliveries keep of messages that are not complete is shared fairly, and given up in time.

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "delivery/holding.h"
#include "talk.h"

#define T 1000000U         // a moment
#define MEMORY (12U << 20) // a share of its half is the longest message
#define ATTACKERS 40

/// Many deliveries of one context, as in a worker.
static struct talk_end gateway;
static struct player {
	struct delivery c;
	uint64_t counter;
	struct intake intake;
	uint32_t got, bytes;
} * players;
static unsigned robbed;

static void note_robbed(UNUSED void *context, UNUSED uint32_t who)
{
	robbed++;
}

static int open_all(UNUSED void **state)
{
	talk_open(&gateway, true, MEMORY, 1400);
	gateway.ctx.robbed = note_robbed;
	robbed = 0;
	players = aligned_alloc(CACHE_LINE, (ATTACKERS + 2) * sizeof(*players));
	memset(players, 0, (ATTACKERS + 2) * sizeof(*players));
	for (uint32_t i = 0; i < ATTACKERS + 2; i++)
		delivery_begin(&gateway.ctx, &players[i].c, i, gateway.room);
	return 0;
}

static int close_all(UNUSED void **state)
{
	for (uint32_t i = 0; i < ATTACKERS + 2; i++)
		delivery_end(&gateway.ctx, &players[i].c, PG_LOSS_CLOSED);
	assert_int_equal(message_pool_free_bytes(gateway.ctx.pool), MEMORY);
	assert_int_equal(gateway.ctx.pool->held, 0);
	talk_close(&gateway);
	free(players);
	return 0;
}

/// A datagram of one piece.
/// @return was it taken?
static bool piece(struct player *from, uint8_t channel, uint16_t id, uint16_t index, uint16_t count, uint64_t now)
{
	uint8_t body[4 + SESSION_PIECE] = {0}, datagram[SESSION_DATAGRAM_MAX];
	const uint32_t length = index + 1 < count ? SESSION_PIECE : 38;
	struct delivered message;
	uint16_t bytes;

	memcpy(body, (const uint16_t[]){index, count}, 4);
	bytes = talk_write(datagram,
			   (struct talk_raw){.type = SESSION_BULK,
					     .flags = (uint8_t)(SESSION_MESSAGE_RELIABLE | SESSION_MESSAGE_FRAGMENT |
								channel << SESSION_MESSAGE_CHANNEL_SHIFT),
					     .id = id,
					     .body = body,
					     .length = 4 + length});
	intake_begin(&from->intake, datagram, bytes, (uint32_t)++from->counter, now);
	while (intake_next(&gateway.ctx, &from->c, &from->intake, &message)) {
		from->got++;
		from->bytes += message.length;
	}
	assert_false(from->intake.violation);
	if (from->intake.refused)
		delivery_refuse(&gateway.ctx, &from->c, &from->intake);
	return !from->intake.refused;
}

/// Everyone takes what he can get: pieces that never are a whole, on every channel.
static void attack(uint64_t now)
{
	for (uint16_t id = 0; id < 143; id++)
		for (uint32_t i = 0; i < ATTACKERS; i++)
			for (uint8_t channel = 0; channel < 3; channel++)
				piece(&players[i], channel, id, id, 144, now);
}

static void test_who_comes_after_the_attackers_finds_room_for_the_longest_message(UNUSED void **state)
{
	struct player *good = &players[ATTACKERS];

	gateway.rules.queue_bytes = 256 << 10;
	attack(T);
	assert_true(gateway.ctx.pool->held < gateway.ctx.pool->blocks / 2);
	for (uint16_t id = 0; id < 144; id++) {
		uint64_t now = T + id * TALK_MS;

		while (!piece(good, 2, id, id, 144, now)) { // it says when, and that is obeyed
			assert_true(now < T + 60000 * TALK_MS);
			now += 250 * TALK_MS;
		}
	}
	assert_int_equal(good->got, 1);
	assert_int_equal(good->bytes, 143 * SESSION_PIECE + 38);
}

/// While all of them make progress, so that nobody gives up anything.
static void test_who_comes_after_the_attackers_has_a_share_at_once(UNUSED void **state)
{
	struct player *good = &players[ATTACKERS];
	uint16_t taken = 0;

	gateway.rules.queue_bytes = 256 << 10;
	attack(T);
	while (taken < 144 && piece(good, 2, taken, taken, 144, T))
		taken++;
	assert_int_equal(robbed, 0);
	assert_uint_in_range(taken, 64, 144); // of 144 pieces, where each attacker wants three times as many
}

static void test_half_of_the_memory_is_left_for_what_is_sent(UNUSED void **state)
{
	uint32_t sent = 0;

	attack(T);
	while (delivery_queue(&gateway.ctx, &players[ATTACKERS].c,
			      &(struct outgoing){.type = SESSION_INVENTORY, .body = (const uint8_t *)"x", .length = 1},
			      T) == PG_LOSS_NONE &&
	       sent < 2000)
		sent++;
	assert_int_equal(sent, 2000);
}

static void test_pieces_that_make_no_progress_for_five_seconds_are_given_up_and_the_peer_is_told(UNUSED void **state)
{
	struct player *idle = &players[0], *busy = &players[1];
	struct talk_packet packet;
	struct session_busy said;

	assert_true(piece(idle, 0, 0, 0, 3, T));
	assert_true(piece(busy, 0, 0, 0, 3, T));
	holding_expire(&gateway.ctx, T + 4000 * TALK_MS);
	assert_true(piece(busy, 0, 1, 1, 3, T + 4000 * TALK_MS));
	holding_expire(&gateway.ctx, T + 5001 * TALK_MS);
	assert_int_equal(robbed, 1);
	assert_int_equal(idle->c.busy.reason, PG_REFUSED_FORGOTTEN);
	assert_true(delivery_due(&idle->c) <= T + 5001 * TALK_MS);
	packet.length = delivery_fill(&gateway.ctx, &idle->c, 1, T + 5001 * TALK_MS, packet.body, gateway.room);
	memcpy(&said, packet.body + sizeof(struct session_message), sizeof(said));
	assert_int_equal(said.reason, PG_REFUSED_FORGOTTEN);
	assert_int_equal(said.counter, 1);
	assert_true(piece(busy, 0, 2, 2, 3, T + 5002 * TALK_MS));
	assert_int_equal(busy->got, 1);
}

static void test_when_all_is_given_up_a_block_of_each_is_left_that_names_what_is_to_come_again(UNUSED void **state)
{
	attack(T);
	holding_expire(&gateway.ctx, T + 5001 * TALK_MS);
	assert_int_equal(robbed, ATTACKERS);
	assert_int_equal(gateway.ctx.pool->held, 0);
	assert_int_equal(gateway.ctx.pool->used, ATTACKERS);
}

static void test_what_was_given_up_comes_again_before_anything_else_of_its_channel(UNUSED void **state)
{
	struct player *p = &players[0];
	uint64_t now = T + 6000 * TALK_MS;

	assert_true(piece(p, 0, 0, 0, 3, T));
	assert_true(piece(p, 0, 1, 1, 3, T));
	assert_true(piece(p, 0, 3, 0, 3, T)); // waits
	holding_expire(&gateway.ctx, now);
	assert_false(piece(p, 0, 2, 2, 3, now)); // its acknowledgement would let the peer forget the others
	assert_int_equal(p->intake.refused, PG_REFUSED_FORGOTTEN);
	assert_true(piece(p, 1, 0, 0, 2, now)); // of another channel
	assert_true(piece(p, 0, 1, 1, 3, now));
	assert_true(piece(p, 0, 0, 0, 3, now));
	assert_false(piece(p, 0, 2, 2, 3, now));
	assert_true(piece(p, 0, 3, 0, 3, now));
	assert_true(piece(p, 0, 2, 2, 3, now));
	assert_int_equal(p->got, 1);
	assert_true(piece(p, 0, 4, 1, 3, now));
	assert_true(piece(p, 0, 5, 2, 3, now));
	assert_int_equal(p->got, 2);
}

static void test_under_pressure_who_waited_longest_gives_up_first(UNUSED void **state)
{
	struct player *good = &players[ATTACKERS];

	gateway.rules.queue_bytes = UINT32_MAX;
	attack(T);
	gateway.ctx.pool->held += gateway.ctx.pool->blocks / 2 - gateway.ctx.pool->held - 4; // nearly all of it
	const uint32_t lent = gateway.ctx.pool->held;

	assert_false(piece(good, 0, 0, 0, 3, T + 100 * TALK_MS)); // nobody waits for long yet
	assert_int_equal(robbed, 0);
	assert_true(piece(good, 0, 0, 0, 3, T + 600 * TALK_MS));
	assert_uint_in_range(robbed, 1, ATTACKERS - 1);
	assert_true(gateway.ctx.pool->held < lent);
	gateway.ctx.pool->held = 0;
	for (uint32_t i = 0; i < ATTACKERS + 2; i++)
		if (players[i].c.in.holding != POOL_NONE)
			gateway.ctx.pool->held += holding_at(gateway.ctx.pool, players[i].c.in.holding)->blocks;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_who_comes_after_the_attackers_finds_room_for_the_longest_message),
		TEST(test_who_comes_after_the_attackers_has_a_share_at_once),
		TEST(test_half_of_the_memory_is_left_for_what_is_sent),
		TEST(test_pieces_that_make_no_progress_for_five_seconds_are_given_up_and_the_peer_is_told),
		TEST(test_when_all_is_given_up_a_block_of_each_is_left_that_names_what_is_to_come_again),
		TEST(test_what_was_given_up_comes_again_before_anything_else_of_its_channel),
		TEST(test_under_pressure_who_waited_longest_gives_up_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

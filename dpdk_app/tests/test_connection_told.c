// SPDX-License-Identifier: BSD-3-Clause
// test_connection_told.c: who writes into datagrams and who hears of acknowledgements is told that a connection begins and
// ends, each once and in that order: a slot, and counters from 1 on, are soon another player's.

#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "watched.h"

/// What somebody was told, in its order: b begun, e ended, t told of an acknowledgement, each with its `who`.
struct journal {
	char text[256];
};

static struct journal filler_journal, listener_journal;

static void write_down(struct journal *journal, char what, uint32_t who)
{
	const size_t length = strlen(journal->text);

	snprintf(journal->text + length, sizeof(journal->text) - length, "%c%u ", what, who);
}

static void write_begun(void *context, uint32_t who)
{
	write_down(context, 'b', who);
}

static void write_ended(void *context, uint32_t who)
{
	write_down(context, 'e', who);
}

static void write_told(void *context, uint32_t who, struct arrived arrived UNUSED, uint64_t now UNUSED)
{
	write_down(context, 't', who);
}

static bool fill_nothing(void *context UNUSED, uint32_t who UNUSED, struct leaving *leaving UNUSED)
{
	return false;
}

static uint64_t never_due(void *context UNUSED, uint32_t who UNUSED)
{
	return UINT64_MAX;
}

/// Those of the first worker; the second filler asks for nothing.
static void attend(void)
{
	static const struct filler filler[] = {
		{fill_nothing, never_due, &filler_journal, write_begun, write_ended},
		{.fill = fill_nothing, .due = never_due},
	};
	static const struct acknowledged_listener listener[] = {
		{write_told, &listener_journal, write_begun, write_ended},
	};
	struct delivery_context *ctx = &fixture->shard[0]->ctx;

	filler_journal = listener_journal = (struct journal){""};
	ctx->filler = filler;
	ctx->fillers = COUNT(filler);
	ctx->listener = listener;
	ctx->listeners = COUNT(listener);
}

/// Compare with what both were told since, and forget it. A filler does not hear of acknowledgements.
static void assert_journals(const char *filler, const char *listener)
{
	assert_string_equal(filler_journal.text, filler);
	assert_string_equal(listener_journal.text, listener);
	filler_journal = listener_journal = (struct journal){""};
}

static void assert_sweep_closes(unsigned connections)
{
	assert_int_equal(connection_sweep(fixture->shard[0], fixture->now, fixture->capacity), connections);
}

/// The player has the newest of our datagrams.
static void acknowledge_newest(const struct player *player)
{
	struct session_shard *shard = fixture->shard[0];
	const uint32_t sent = fixture_record(fixture, player)->tx_counter;
	const struct session_prefix prefix = {.ack = sent};

	delivery_acknowledged(&shard->ctx, store_delivery(&fixture->store, slot_of(player)), sent, &prefix,
			      fixture->now);
}

static void a_connection_is_told_of_once_when_it_begins_and_when_it_ends(void **state UNUSED)
{
	attend();

	struct player player = connected_player();

	assert_journals("b0 ", "b0 ");
	connection_close(fixture->shard[0], slot_of(&player), SESSION_CLOSED_LEFT, fixture->now);
	assert_journals("e0 ", "e0 ");
	fixture_wait(fixture, 50);
	assert_true(fixture_connect(fixture, 0, &player));
	assert_journals("b0 ", "b0 ");
}

static void who_is_replaced_ends_before_the_next_begins(void **state UNUSED)
{
	attend();

	struct player player = connected_player();

	fixture_wait(fixture, 50);
	assert_true(fixture_connect(fixture, 0, &player));
	assert_journals("b0 e0 b0 ", "b0 e0 b0 ");
}

/// It is the same connection, though its datagrams are shorter from now on.
static void a_repeated_confirm_begins_nothing(void **state UNUSED)
{
	uint8_t confirm[PLAYER_BUFFER];

	attend();

	struct player player = connected_player();

	player.max_datagram = 1232;
	assert_int_equal(handshake_receive(fixture->shard[0], &player.peer, confirm, player_confirm(&player, confirm),
					   true, fixture->now)
				 .answer,
			 1232);
	assert_int_equal(fixture_record(fixture, &player)->max_datagram, 1232);
	assert_int_equal(store_delivery(&fixture->store, 0)->out.room, 1232 - SESSION_DATA_MIN);
	assert_journals("b0 ", "b0 ");
}

static void the_next_player_of_a_slot_is_another(void **state UNUSED)
{
	attend();

	struct player player = connected_player(), others, next;

	for (uint32_t i = 1; i < fixture->capacity; i++)
		others = fixture_issue(fixture, 100 + i, 600, false);
	acknowledge_newest(&player);
	assert_int_not_equal(slot_of(&others), slot_of(&player));
	assert_true(pg_session_revoke(fixture->state, player.session));
	assert_sweep_closes(1);
	next = fixture_issue(fixture, 8, 600, false);
	assert_int_equal(slot_of(&next), slot_of(&player));
	assert_true(fixture_connect(fixture, 0, &next));
	acknowledge_newest(&next); // of the same counter
	assert_journals("b0 e0 b0 ", "b0 t0 e0 b0 t0 ");
}

static void a_connection_that_goes_on_after_a_crash_begins_in_the_new_process(void **state UNUSED)
{
	struct player player = connected_player();

	attend();
	assert_int_equal(fixture_restart_in_place(fixture), 1);
	assert_journals("b0 ", "b0 ");
	acknowledge_newest(&player); // that the dead one sent
	assert_journals("", "t0 ");
}

static void a_connection_that_a_crash_costs_begins_and_ends(void **state UNUSED)
{
	struct player player = connected_player();

	fixture_record(fixture, &player)->seen = RECORD_SEEN_WRITING;
	attend();
	assert_int_equal(fixture_restart_in_place(fixture), 0);
	assert_sweep_closes(1);
	assert_journals("b0 e0 ", "b0 e0 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(a_connection_is_told_of_once_when_it_begins_and_when_it_ends),
		fixture_test(who_is_replaced_ends_before_the_next_begins),
		fixture_test(a_repeated_confirm_begins_nothing),
		fixture_test(the_next_player_of_a_slot_is_another),
		fixture_test(a_connection_that_goes_on_after_a_crash_begins_in_the_new_process),
		fixture_test(a_connection_that_a_crash_costs_begins_and_ends),
	};

	return cmocka_run_group_tests_name("connection_told", tests, NULL, NULL);
}

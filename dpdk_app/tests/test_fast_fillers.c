// SPDX-License-Identifier: BSD-3-Clause
// test_fast_fillers.c: a filler of the context beside the fast lane of DATA: what it writes leaves alike by either path, and
// while it waits for its time a player's movements are handled in the lane and nothing is held for the player.

#include "unit.h"

#include <string.h>

#include "sealed_pair.h"

/// One message for one player, every so many milliseconds.
struct clockwork {
	uint32_t who;
	uint64_t next, every; // TSC
	unsigned written;
};

static bool clockwork_fill(void *context, uint32_t who, struct leaving *leaving)
{
	static const struct session_message head = {.type = SESSION_INVENTORY, .body_len = 4};
	struct clockwork *clockwork = context;
	uint8_t *at;

	if (who != clockwork->who || leaving->now < clockwork->next)
		return false;
	at = leaving_room(leaving, sizeof(head) + 4);
	if (!at)
		return true;
	memcpy(at, &head, sizeof(head));
	memset(at + sizeof(head), 'w', 4);
	clockwork->next = leaving->now + clockwork->every;
	clockwork->written++;
	return false;
}

static uint64_t clockwork_due(void *context, uint32_t who)
{
	const struct clockwork *clockwork = context;

	return who == clockwork->who ? clockwork->next : UINT64_MAX;
}

static struct clockwork clockwork[VARIANTS];
static struct filler filler[VARIANTS];

/// The first sender is written to, for the first time in so many milliseconds.
static void wind_up(struct pipeline_pair *t, unsigned every_ms)
{
	const uint32_t slot = fixture_slot(t->variant[WITH].fixture, &t->player[SENDER]);

	for (unsigned k = 0; k < VARIANTS; k++) {
		struct session_fixture *fixture = t->variant[k].fixture;
		struct session_shard *shard = fixture->shard[0];
		const uint64_t every = every_ms * pg_tsc_hz() / 1000;

		clockwork[k] = (struct clockwork){.who = slot, .next = fixture->now + every, .every = every};
		filler[k] = (struct filler){.fill = clockwork_fill, .due = clockwork_due, .context = &clockwork[k]};
		shard->ctx.filler = &filler[k];
		shard->ctx.fillers = 1;
		delivery_refill(&shard->ctx, store_delivery(&fixture->store, slot));
		session_note(shard, slot, false);
	}
}

static void run_down(struct pipeline_pair *t)
{
	for (unsigned k = 0; k < VARIANTS; k++)
		t->variant[k].fixture->shard[0]->ctx.fillers = 0;
}

/// Did the last answer have a message in it?
static bool says_something(const struct frame_outcome *outcome)
{
	return outcome->result == PG_DROP_NONE && outcome->length > SESSION_DATA_MIN;
}

static void check_answers(struct pipeline_pair *t)
{
	const struct plaintext movement = a_movement(true);

	wind_up(t, 50);
	assert_false(says_something(run_plaintext(t, SENDER, &movement)));
	let_pass(t, 49);
	assert_false(says_something(run_plaintext(t, SENDER, &movement)));
	for (unsigned k = 0; k < VARIANTS; k++)
		t->variant[k].fixture->now = clockwork[k].next;
	assert_true(says_something(run_plaintext(t, SENDER, &movement)));
	assert_false(says_something(run_plaintext(t, SENDER, &movement)));
	assert_int_equal(clockwork[WITH].written, 1);
	check_all_in_lane(t);
	run_down(t);
}

static void an_answer_takes_along_what_a_filler_has_when_it_is_due(void **state UNUSED)
{
	on_every_level(check_answers);
}

static void check_egress(struct pipeline_pair *t)
{
	wind_up(t, 20);
	for (unsigned ms = 0; ms < 210; ms++)
		let_pass(t, 1);
	assert_uint_in_range(clockwork[WITH].written, 9, 10);
	assert_int_equal(clockwork[WITHOUT].written, clockwork[WITH].written);
	run_down(t);
}

static void without_requests_it_leaves_by_itself(void **state UNUSED)
{
	on_every_level(check_egress);
}

/// Or every player who is written to would have left the lane.
static void check_notes(struct pipeline_pair *t)
{
	const struct session_fixture *fixture = t->variant[WITH].fixture;
	const struct delivery *c = store_delivery(&fixture->store, fixture_slot(fixture, &t->player[SENDER]));
	uint64_t seed = 3;

	wind_up(t, 30);
	for (unsigned round = 0; round < 200; round++) {
		const struct plaintext movement = a_movement(random_below(&seed, 2));

		assert_false(delivery_holds_messages(c));
		run_plaintext(t, SENDER, &movement);
		let_pass(t, random_below(&seed, 12));
	}
	assert_false(delivery_holds_messages(c));
	assert_true(clockwork[WITH].written > 20);
	check_all_in_lane(t);
	run_down(t);
}

static void nothing_is_held_for_a_player_who_is_written_to(void **state UNUSED)
{
	on_every_level(check_notes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_takes_along_what_a_filler_has_when_it_is_due),
		cmocka_unit_test(without_requests_it_leaves_by_itself),
		cmocka_unit_test(nothing_is_held_for_a_player_who_is_written_to),
	};

	return cmocka_run_group_tests_name("fast_fillers", tests, NULL, NULL);
}

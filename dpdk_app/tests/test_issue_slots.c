// SPDX-License-Identifier: BSD-3-Clause
// test_issue_slots.c: slots of issued sessions: when each is used again, and that what stands is what a plain model
// says.

#include "unit.h"

#include <string.h>

#include "issuer.h"
#include "rig.h"

#define PLAYERS 40  // of the model
#define STEPS 60000 // of the model

// ---------------------------------------------------------------- slots

static void the_slot_that_rested_longest_is_used_again_first(void **state UNUSED)
{
	struct issuer o = issuer_open(3);
	const uint32_t a = issue(&o, 1), b = issue(&o, 2);

	assert_true(pg_session_revoke(o.state, b));
	assert_true(pg_session_revoke(o.state, a));
	assert_int_equal(slot_in(&o, issue(&o, 3)), 2); // never used: before any that was
	assert_int_equal(slot_in(&o, issue(&o, 4)), slot_in(&o, b));
	assert_int_equal(slot_in(&o, issue(&o, 5)), slot_in(&o, a));
	issuer_close(&o);
}

static void when_every_slot_is_taken_nothing_is_issued_until_one_ends(void **state UNUSED)
{
	struct issuer o = issuer_open(2);
	const uint32_t a = issue(&o, 1);

	issue(&o, 2);
	assert_int_equal(issue(&o, 3), 0);
	assert_int_equal(issuer_error.code, PG_ERROR_MEMORY);
	assert_int_equal(pg_session_count(o.state), 2);
	end_now(&o, a);
	assert_int_not_equal(issue(&o, 3), 0);
	assert_int_equal(issue(&o, 1), 0);
	assert_int_not_equal(issue(&o, 3), 0); // the player's own slot comes free
	issuer_close(&o);
}

static void a_slot_whose_connection_lives_is_not_used_again(void **state UNUSED)
{
	struct issuer o = issuer_open(2);
	const uint32_t a = issue(&o, 1), b = issue(&o, 2);

	connect_to(&o, a, 0);
	assert_true(pg_session_revoke(o.state, a));
	assert_int_equal(issue(&o, 3), 0);
	assert_true(pg_session_revoke(o.state, b));
	assert_int_equal(slot_in(&o, issue(&o, 4)), slot_in(&o, b)); // though the other rested longer
	record_release(record_of(&o, a));
	assert_int_equal(slot_in(&o, issue(&o, 5)), slot_in(&o, a));
	issuer_close(&o);
}

static void a_slot_used_again_remembers_nothing_of_its_last_player(void **state UNUSED)
{
	struct issuer o = issuer_open(1);
	const uint32_t first = issue(&o, 1);
	struct session_record *record = record_of(&o, first), want;

	connect_to(&o, first, 0);
	memset(&record->tx_counter, 0xee,
	       offsetof(struct session_record, key) - offsetof(struct session_record, tx_counter));
	record_release(record);
	assert_true(pg_session_revoke(o.state, first));
	memset(&want, 0, sizeof(want));

	const uint32_t second = issue_for(&o, 2, 50);

	want.session = want.number = second;
	want.owner = RECORD_NO_OWNER;
	want.expires_at = record->expires_at;
	want.player_id = 2;
	memset(want.key, 2, sizeof(want.key));
	assert_memory_equal(record, &want, offsetof(struct session_record, expired_or_revoked));
	assert_int_equal(record->expired_or_revoked, 0);
	issuer_close(&o);
}

static void generations_go_round_and_no_session_is_0(void **state UNUSED)
{
	struct issuer o = issuer_open(1);
	const uint32_t generations = 0xffff; // beside 16 bits of a gateway, and none of slots
	uint32_t first, session;

	assert_int_equal(pg_state_gateway(o.state, 16, 0, &issuer_error), PG_OK);
	first = session = issue(&o, 1);
	for (uint32_t n = 0; n < generations; n++) {
		const uint32_t next = issue(&o, 1);

		assert_int_not_equal(next, 0);
		assert_int_not_equal(next, session);
		assert_int_equal(record_of(&o, next)->session, next);
		assert_true(n + 1 == generations || next != first);
		session = next;
	}
	assert_int_equal(session, first);
	issuer_close(&o);
}

/// A worker that was about to claim when the session ended.
static void a_claim_of_a_session_that_is_over_fails_and_leaves_the_slot(void **state UNUSED)
{
	struct issuer o = issuer_open(1);
	const uint32_t first = issue(&o, 1), second = issue(&o, 1);

	assert_false(record_claim(record_of(&o, first), first, 7));
	assert_int_equal(record_owner(record_of(&o, first)), RECORD_NO_OWNER);
	assert_true(record_claim(record_of(&o, second), second, 7));
	assert_false(record_claim(record_of(&o, second), second, 8));
	assert_int_equal(record_owner(record_of(&o, second)), 7);
	issuer_close(&o);
}

static void a_packet_that_names_session_0_finds_nothing(void **state UNUSED)
{
	struct issuer o = issuer_open(1);

	assert_false(record_stands(&o.parts.records[0], 0));
	issuer_close(&o);
}

// ---------------------------------------------------------------- against a model

/// What stands, by player; who is connected; what was said of the numbers.
struct model {
	uint32_t session[PLAYERS];   // 0: none
	uint32_t connected[PLAYERS]; // session that an owner has, standing or not
	uint32_t standing;
};

static uint32_t connections_of_the_dead(const struct model *m)
{
	uint32_t n = 0;

	for (uint32_t p = 0; p < PLAYERS; p++)
		n += m->connected[p] != 0 && m->connected[p] != m->session[p];
	return n;
}

static void forget(struct model *m, uint32_t player)
{
	m->standing -= m->session[player] != 0;
	m->session[player] = 0;
}

static void model_issue(const struct issuer *o, struct model *m, uint32_t player)
{
	forget(m, player);

	const bool room = m->standing + connections_of_the_dead(m) < o->parts.issued_capacity;
	const uint32_t session = issue(o, player + 1);

	assert_int_equal(session != 0, room);
	m->session[player] = session;
	m->standing += session != 0;
}

static void model_connect(const struct issuer *o, struct model *m, uint32_t player)
{
	if (m->connected[player]) {
		record_release(record_of(o, m->connected[player]));
		m->connected[player] = 0;
	} else if (m->session[player]) {
		connect_to(o, m->session[player], (uint8_t)(player % 32));
		m->connected[player] = m->session[player];
	}
}

static void assert_model(const struct issuer *o, const struct model *m)
{
	assert_int_equal(pg_session_count(o->state), m->standing);
	for (uint32_t p = 0; p < PLAYERS; p++) {
		assert_int_equal(pg_session_of_player(o->state, p + 1), m->session[p]);
		if (m->connected[p])
			assert_int_equal(record_owner(record_of(o, m->connected[p])), p % 32);
	}
}

static void what_stands_is_what_a_model_says(void **state UNUSED)
{
	const uint32_t capacities[] = {1, 3, 16, 25, 64};

	for (unsigned c = 0; c < COUNT(capacities); c++) {
		struct issuer o = issuer_open(capacities[c]);
		struct model m = {0};
		uint64_t seed = c + 1;

		for (int step = 0; step < STEPS / (int)COUNT(capacities); step++) {
			const uint32_t player = random_below(&seed, PLAYERS);

			switch (random_below(&seed, 4)) {
			case 0:
				model_issue(&o, &m, player);
				break;
			case 1:
				assert_int_equal(pg_session_revoke(o.state, m.session[player]), m.session[player] != 0);
				forget(&m, player);
				break;
			case 2:
				if (m.session[player])
					end_now(&o, m.session[player]);
				forget(&m, player);
				break;
			default:
				model_connect(&o, &m, player);
			}
			assert_model(&o, &m);
		}
		issuer_close(&o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_slot_that_rested_longest_is_used_again_first),
		cmocka_unit_test(when_every_slot_is_taken_nothing_is_issued_until_one_ends),
		cmocka_unit_test(a_slot_whose_connection_lives_is_not_used_again),
		cmocka_unit_test(a_slot_used_again_remembers_nothing_of_its_last_player),
		cmocka_unit_test(generations_go_round_and_no_session_is_0),
		cmocka_unit_test(a_claim_of_a_session_that_is_over_fails_and_leaves_the_slot),
		cmocka_unit_test(a_packet_that_names_session_0_finds_nothing),
		cmocka_unit_test(what_stands_is_what_a_model_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

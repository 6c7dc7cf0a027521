// SPDX-License-Identifier: BSD-3-Clause
// test_load_trial.c: trials over a transport that loses, duplicates and reorders a known set: counts are exact.

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/trial.h"

#define PLAYERS 11
#define QUEUE (1U << 16)
#define MS 1000000ULL

/// What becomes of message k, by k modulo 10. PLAYERS is 1 more than 10: the next message of the player of a held one,
/// whose fate is 8, has fate 9, and is answered.
enum frame_outcome { FATE_REFUSED = 3, FATE_LOST = 5, FATE_TWICE = 7, FATE_HELD = 8, FATE_MANGLED = 1 };

struct held_answer {
	uint8_t payload[MESSAGE_MAX];
	uint32_t player;
	uint16_t length;
};

/// One player's network, gateway and clock.
struct fake {
	struct transport transport;
	const struct inflight *inflight;

	// what it is to do
	bool perfect;          // every message is answered at once
	bool hold_all;         // answer nothing, but keep the answers
	uint64_t answer_at;    // answer nothing until so many wait; 0: at once
	int refuse_with;       // errno of every send
	uint64_t refuse_after; // messages; 0: from the first on

	// what it did
	uint64_t offered, refused, lost, twice, mangled;
	uint64_t held_at[QUEUE]; // numbers of held messages
	uint64_t held, released;
	uint64_t overtaken;    // of them, when a later one had been answered
	uint64_t most_waiting; // in the table

	// on their way
	uint8_t out[LOAD_BURST][MESSAGE_MAX];
	struct held_answer *answer; // QUEUE of them
	uint32_t head, tail;
	struct held_answer *late; // of held messages
	struct held_answer in[LOAD_BURST];
};

static int fake_begin(struct transport *t, const struct pg_load_trial *trial, struct pg_error *error)
{
	(void)t;
	(void)trial;
	(void)error;
	return PG_OK;
}

static unsigned fake_room(struct transport *t, struct outgoing_message *outgoing, unsigned n)
{
	struct fake *fake = (struct fake *)t;

	for (unsigned i = 0; i < n; i++)
		outgoing[i].payload = fake->out[i];
	return n;
}

static struct held_answer answer_of(const struct outgoing_message *outgoing)
{
	struct held_answer a = {.player = outgoing->message.player, .length = outgoing->message.length};

	memcpy(a.payload, outgoing->payload, a.length);
	((struct plain_header *)a.payload)->packet_type += PLAIN_ACK;
	return a;
}

static void put(struct fake *fake, const struct held_answer *a)
{
	fake->answer[fake->tail++ % QUEUE] = *a;
	assert_true(fake->tail - fake->head <= QUEUE);
}

static void put_mangled(struct fake *fake, struct held_answer a)
{
	((struct plain_header *)a.payload)->packet_type++;
	put(fake, &a);
	fake->mangled++;
}

/// Held ones go out once the next message of their player was answered; the last ones never do.
static void release(struct fake *fake, uint64_t now_at)
{
	while (fake->released < fake->held && fake->held_at[fake->released] + PLAYERS <= now_at) {
		put(fake, &fake->late[fake->released++]);
		fake->overtaken++;
	}
}

static bool carry(struct fake *fake, const struct outgoing_message *outgoing)
{
	const uint64_t k = fake->offered++;
	const struct held_answer a = answer_of(outgoing);
	const unsigned fate = fake->perfect ? 0 : (unsigned)(k % 10);

	switch (fate) {
	case FATE_REFUSED:
		fake->refused++;
		return false;
	case FATE_LOST:
		fake->lost++;
		return true;
	case FATE_HELD:
		assert_true(fake->held < QUEUE);
		fake->held_at[fake->held] = k;
		fake->late[fake->held++] = a;
		return true;
	case FATE_TWICE:
		put(fake, &a);
		fake->twice++;
		break;
	case FATE_MANGLED:
		put_mangled(fake, a);
		break;
	default:
		break;
	}
	put(fake, &a);
	release(fake, k);
	return true;
}

static uint64_t fake_send(struct transport *t, struct outgoing_message *outgoing, unsigned n)
{
	struct fake *fake = (struct fake *)t;
	uint64_t taken = 0;

	for (unsigned i = 0; i < n; i++) {
		if (fake->refuse_with && fake->offered >= fake->refuse_after) {
			transport_refused(t, fake->refuse_with);
			outgoing[i].unsent = PG_LOAD_REFUSED;
			fake->offered++;
			fake->refused++;
		} else {
			taken |= (uint64_t)carry(fake, &outgoing[i]) << i;
		}
	}
	return taken;
}

static unsigned fake_receive(struct transport *t, struct answer *answer)
{
	struct fake *fake = (struct fake *)t;
	unsigned n = 0;

	if (fake->inflight->waiting > fake->most_waiting)
		fake->most_waiting = fake->inflight->waiting;
	if (fake->hold_all || fake->tail - fake->head < fake->answer_at)
		return 0;
	for (; n < LOAD_BURST && fake->head != fake->tail; n++) {
		fake->in[n] = fake->answer[fake->head++ % QUEUE];
		answer[n] = (struct answer){.payload = fake->in[n].payload,
					    .when = pg_tsc(),
					    .player = fake->in[n].player,
					    .length = fake->in[n].length};
	}
	return n;
}

static void fake_wait(struct transport *t, uint64_t until)
{
	(void)t;
	(void)until;
}

static int fake_explain(const struct transport *t, int refusal, struct pg_error *error)
{
	(void)t;
	error->code = refusal;
	return PG_ERROR_SYSTEM;
}

static void fake_close(struct transport *t)
{
	struct fake *fake = (struct fake *)t;

	free(fake->answer);
	free(fake->late);
	free(fake);
}

static const struct transport_ops fake_ops = {
	.begin = fake_begin,
	.room = fake_room,
	.send = fake_send,
	.receive = fake_receive,
	.wait = fake_wait,
	.explain = fake_explain,
	.close = fake_close,
};

struct stage {
	struct pg_load load;
	struct pg_load_page page;
	struct fake *fake;
	struct pg_error error;
};

static struct stage *stage_open(void)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	struct pg_load *load = &stage->load;

	load->plan = (struct pg_load_plan){
		.players = PLAYERS, .first_player_id = 1, .weight = {6, 1, 1, 1, 1}, .chat_bytes = 9, .arena_m = 10};
	load->page = &stage->page;
	stage->page.tsc_hz = pg_tsc_hz();
	stage->fake = calloc(1, sizeof(*stage->fake));
	stage->fake->answer = calloc(QUEUE, sizeof(struct held_answer));
	stage->fake->late = calloc(QUEUE, sizeof(struct held_answer));
	stage->fake->transport = (struct transport){.ops = &fake_ops, .page = &stage->page, .burst = LOAD_BURST};
	stage->fake->inflight = &load->inflight;
	load->transport = &stage->fake->transport;
	assert_true(players_open(&load->players, &load->plan));
	assert_true(inflight_open(&load->inflight, PLAYERS, 1, &stage->page.counts, pg_tsc(), stage->page.tsc_hz));
	return stage;
}

static void stage_close(struct stage *stage)
{
	stage->fake->transport.ops->close(&stage->fake->transport);
	players_close(&stage->load.players);
	inflight_close(&stage->load.inflight);
	free(stage);
}

static int play_one(struct stage *stage, double pps, uint32_t window)
{
	const struct pg_load_trial trial = {
		.players = PLAYERS,
		.window = window,
		.start_pps = pps,
		.end_pps = pps,
		.duration_ns = 50 * MS,
		.drain_ns = 20 * MS,
	};

	return trial_play(&stage->load, &trial, &stage->error);
}

static void assert_conserved(const struct pg_load_counts *c)
{
	uint64_t sent = 0, acknowledged = 0, latencies = 0, unsent = 0;

	for (unsigned i = 0; i < PG_LOAD_UNSENT; i++)
		unsent += c->unsent[i];
	assert_int_equal(c->not_sent, unsent);
	assert_int_equal(c->offered, c->sent + c->not_sent);
	assert_int_equal(c->sent, c->acknowledged + c->lost);
	for (unsigned i = 0; i < PG_LOAD_TYPES; i++) {
		sent += c->sent_of_type[i];
		acknowledged += c->acknowledged_of_type[i];
	}
	for (unsigned i = 0; i < PG_LOAD_LATENCY_BUCKETS; i++)
		latencies += c->latency[i];
	assert_int_equal(sent, c->sent);
	assert_int_equal(acknowledged, c->acknowledged);
	assert_int_equal(latencies, c->acknowledged);
	assert_true(c->busy_cycles <= c->total_cycles);
	assert_true(c->late <= c->sent);
}

/// The fake's own books, not the clock, say what is right: a machine under load may offer less.
static void assert_as_the_fake_did(const struct stage *stage)
{
	const struct pg_load_counts *c = &stage->page.counts;
	const struct fake *fake = stage->fake;

	assert_conserved(c);
	assert_int_equal(c->offered, fake->offered);
	assert_int_equal(c->not_sent, fake->refused);
	assert_int_equal(c->unsent[PG_LOAD_QUEUE_FULL], fake->refused);
	assert_int_equal(c->lost, fake->lost + fake->held - fake->released);
	assert_int_equal(c->duplicated, fake->twice);
	assert_int_equal(c->invalid, fake->mangled);
	assert_int_equal(c->reordered, fake->overtaken);
	assert_int_equal(c->stray, 0);
}

static void what_is_lost_duplicated_reordered_mangled_or_refused_is_counted_exactly(void **state UNUSED)
{
	struct stage *stage = stage_open();

	assert_int_equal(play_one(stage, 100000, 0), PG_OK);
	assert_as_the_fake_did(stage);
	assert_int_equal(stage->page.counts.trial, 1);
	assert_true(stage->fake->offered > 100);
	assert_true(stage->fake->overtaken > 0);
	stage_close(stage);
}

static void the_same_holds_for_a_window(void **state UNUSED)
{
	struct stage *stage = stage_open();

	assert_int_equal(play_one(stage, 0, 32), PG_OK);
	assert_as_the_fake_did(stage);
	assert_true(stage->fake->offered > 32); // losses did not use the window up
	stage_close(stage);
}

static void a_slow_rate_offers_every_message_that_was_due(void **state UNUSED)
{
	struct stage *stage = stage_open();

	stage->fake->perfect = true;
	assert_int_equal(play_one(stage, 2000, 0), PG_OK);
	assert_int_equal(stage->page.counts.offered, 100);
	assert_int_equal(stage->page.counts.acknowledged, 100);
	assert_true(stage->page.counts.elapsed_ns >= 49 * MS);
	assert_conserved(&stage->page.counts);
	stage_close(stage);
}

static void a_window_is_filled_and_never_exceeded(void **state UNUSED)
{
	struct stage *stage = stage_open();

	stage->fake->perfect = true;
	stage->fake->answer_at = 100;
	assert_int_equal(play_one(stage, 0, 100), PG_OK);
	assert_int_equal(stage->fake->most_waiting, 100);
	assert_true(stage->page.counts.acknowledged >= 100);
	assert_conserved(&stage->page.counts);
	stage_close(stage);
}

static void a_window_without_answers_goes_on_when_messages_are_given_up(void **state UNUSED)
{
	struct stage *stage = stage_open();

	stage->fake->perfect = true;
	stage->fake->hold_all = true;
	// 50 ms hold two periods of 20 ms, and the beginning; fewer where the machine was busy with something else.
	for (unsigned i = 0; i < 100 && stage->page.counts.sent < 20; i++)
		assert_int_equal(play_one(stage, 0, 10), PG_OK);
	assert_uint_in_range(stage->page.counts.sent, 20, 30);
	assert_int_equal(stage->page.counts.lost, stage->page.counts.sent);
	assert_conserved(&stage->page.counts);
	stage_close(stage);
}

static void answers_to_the_last_trial_are_strays_in_the_next(void **state UNUSED)
{
	struct stage *stage = stage_open();
	uint64_t first;

	stage->fake->perfect = true;
	stage->fake->hold_all = true;
	assert_int_equal(play_one(stage, 10000, 0), PG_OK);
	first = stage->page.counts.sent;
	assert_int_equal(stage->page.counts.lost, first);
	stage->fake->hold_all = false;
	assert_int_equal(play_one(stage, 10000, 0), PG_OK);
	assert_int_equal(stage->page.counts.trial, 2);
	assert_int_equal(stage->page.counts.stray, first);
	assert_int_equal(stage->page.counts.lost, 0);
	assert_conserved(&stage->page.counts);
	stage_close(stage);
}

static void a_trial_that_is_stopped_ends_at_once_with_its_books_in_order(void **state UNUSED)
{
	struct stage *stage = stage_open();
	const struct pg_load_trial trial = {
		.players = PLAYERS, .start_pps = 100, .end_pps = 100, .duration_ns = 3600 * SECOND_NS, .drain_ns = 0};

	stage->page.stop = 1;
	assert_int_equal(trial_play(&stage->load, &trial, &stage->error), PG_OK);
	assert_int_equal(stage->page.counts.offered, 0);
	assert_conserved(&stage->page.counts);
	stage_close(stage);
}

static void a_target_that_refuses_everything_ends_the_trial_with_a_sentence(void **state UNUSED)
{
	struct stage *stage = stage_open();

	stage->fake->refuse_with = ECONNREFUSED;
	assert_int_equal(play_one(stage, 1000, 0), PG_ERROR_SYSTEM);
	assert_int_equal(stage->error.code, ECONNREFUSED);
	assert_uint_in_range(stage->page.counts.offered, 1, LOAD_BURST);
	assert_conserved(&stage->page.counts);
	// The next trial is not refused because the last one was.
	stage->fake->refuse_with = 0;
	stage->fake->perfect = true;
	assert_int_equal(play_one(stage, 1000, 0), PG_OK);
	assert_int_equal(stage->page.counts.acknowledged, 50);
	stage_close(stage);
}

static void messages_that_the_kernel_refuses_later_on_are_counted_apart_and_end_nothing(void **state UNUSED)
{
	struct stage *stage = stage_open();
	const struct pg_load_counts *c = &stage->page.counts;

	stage->fake->perfect = true;
	stage->fake->refuse_with = EPERM;
	stage->fake->refuse_after = 60;
	assert_int_equal(play_one(stage, 2000, 0), PG_OK);
	assert_conserved(c);
	assert_int_equal(c->offered, 100);
	assert_int_equal(c->acknowledged, 60);
	assert_int_equal(c->unsent[PG_LOAD_REFUSED], 40);
	assert_int_equal(c->not_sent, 40);
	assert_int_equal(c->refusals, 40);
	assert_int_equal(c->refusal, EPERM);
	stage_close(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_lost_duplicated_reordered_mangled_or_refused_is_counted_exactly),
		cmocka_unit_test(the_same_holds_for_a_window),
		cmocka_unit_test(a_slow_rate_offers_every_message_that_was_due),
		cmocka_unit_test(a_window_is_filled_and_never_exceeded),
		cmocka_unit_test(a_window_without_answers_goes_on_when_messages_are_given_up),
		cmocka_unit_test(answers_to_the_last_trial_are_strays_in_the_next),
		cmocka_unit_test(a_trial_that_is_stopped_ends_at_once_with_its_books_in_order),
		cmocka_unit_test(a_target_that_refuses_everything_ends_the_trial_with_a_sentence),
		cmocka_unit_test(messages_that_the_kernel_refuses_later_on_are_counted_apart_and_end_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

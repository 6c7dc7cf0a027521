// SPDX-License-Identifier: BSD-3-Clause
// phases_talk.c: see phases_talk.h.

#include "phases_talk.h"

#include "session/connection.h"
#include "unit.h"

const struct message *a_request(void)
{
	static struct message move;

	move = a_move();
	return &move;
}

void check_answered_in(struct pipeline_fixture *g, struct player *player, unsigned phase)
{
	struct reply reply = say(g, player, true, a_request());

	assert_int_equal(reply.result, PG_DROP_NONE);
	assert_int_equal(header_of(reply.bytes).flags, phase % 2);
	assert_int_equal(acknowledged_by(g, player, reply.bytes, reply.length).ack, player->sent);
	assert_int_equal(player->open_phase, phase);
}

struct late a_late_one(struct pipeline_fixture *g, struct player *player)
{
	struct late late;

	late.length = seal_data(g, player, true, a_request(), late.bytes);
	return late;
}

struct reply arrives(struct pipeline_fixture *g, const struct player *player, const struct late *late)
{
	return send_from(g, 0, &player->peer, late->bytes, late->length);
}

struct session_record *record_of(const struct pipeline_fixture *g, const struct player *player)
{
	return fixture_record(g->fixture, player);
}

void sweep(struct pipeline_fixture *g)
{
	connection_sweep(g->fixture->shard[0], g->fixture->now, PIPELINE_FIXTURE_CAPACITY);
}

void make_due(struct pipeline_fixture *g, const struct player *player)
{
	struct session_record *record = record_of(g, player);

	record->phase_began_at -= PHASE_SECONDS / PHASE_TICK_S;
	sweep(g);
}

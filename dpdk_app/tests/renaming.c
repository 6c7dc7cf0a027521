// SPDX-License-Identifier: BSD-3-Clause
// renaming.c: see renaming.h.

#include "renaming.h"

#include "unit.h"

uint32_t slot_of(const struct pipeline_fixture *g, const struct player *player)
{
	return fixture_slot(g->fixture, player);
}

uint32_t answered_under(struct pipeline_fixture *g, struct player *player)
{
	const struct message move = a_move();
	struct reply reply = say(g, player, true, &move);

	assert_int_equal(reply.result, PG_DROP_NONE);
	opened(g, player, reply.bytes, reply.length, SESSION_DATA);
	player_take_number(player, reply.bytes, reply.length);
	return player->heard_under;
}

void await_spare(struct pipeline_fixture *g, struct player *player)
{
	struct left left[BURST_MAX];

	for (unsigned i = 0; i < 100 && player->spare.number == 0; i++) {
		answered_under(g, player);
		if (player->spare.number != 0 || await_egress(g, 10, left) == 0)
			continue;
		assert_true(player_open(g->fixture, player, left[0].bytes, left[0].length));
		if (left[0].bytes[0] == SESSION_DATA) // or a PROBE
			player_take_number(player, left[0].bytes, left[0].length);
	}
	assert_int_not_equal(player->spare.number, 0);
}

struct reply say_before(struct pipeline_fixture *g, struct player *player)
{
	const struct visible_number now = player->now;
	const struct message move = a_move();
	struct reply reply;

	player->now = player->before;
	reply = say(g, player, true, &move);
	player->now = now;
	return reply;
}

void use_shards(struct pipeline_fixture *g)
{
	for (unsigned i = 0; i < FIXTURE_SHARDS; i++) {
		g->ingress[i].shard = g->fixture->shard[i];
		session_shard_use(g->fixture->shard[i], &g->rig->policy.sessions);
	}
}

void restart_workers(struct pipeline_fixture *g)
{
	assert_int_equal(fixture_restart(g->fixture), 1);
	use_shards(g);
}

unsigned entries(const struct pipeline_fixture *g)
{
	unsigned n = 0;

	for (uint32_t i = 0; i <= g->fixture->store.visible.mask; i++)
		n += g->fixture->store.visible.table[i] != 0;
	return n;
}

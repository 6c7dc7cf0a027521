// SPDX-License-Identifier: BSD-3-Clause
// load/world_play.c: see world_play.h.

#include "load/world_play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h" // the client's own: what a view holds
#include "load/walk.h"
#include "load/world_events.h"
#include "load/world_model.h"
#include "load/world_sight.h"

#define CROWD_SHARE 0.5F // of the radius within which all see each other
#define ORDER_OF_CHAT 1  // as travel.h has its channel; all else is on channel 0

struct world_play {
	struct walks walks;
	double tsc_hz;
	struct world_model *model;
	struct world_events *events;
	struct players_world players;
	uint64_t *states; // of each player: how many its view had
	uint64_t *skipped;
	struct world_view *view; // what one player of profile plain was told
	struct pg_load_world_counts *counts;
};

static void walk(void *context, uint32_t player, float motion[6])
{
	struct world_play *play = context;
	const struct walk *walk = &play->walks.walk[player];

	walks_step_until(&play->walks, player, pg_tsc(), play->tsc_hz);
	for (unsigned axis = 0; axis < 3; axis++) {
		motion[axis] = (float)walk->position[axis];
		motion[3 + axis] = walk->velocity[axis];
	}
}

static uint32_t number(void *context)
{
	return world_events_number(((struct world_play *)context)->events);
}

static bool let_walk(struct world_play *play, const struct pg_load_plan *plan)
{
	const struct pg_load_world *world = &plan->world;
	struct walk_rules rules = {
		.place = (enum walk_place)(world->walk - PG_LOAD_SPREAD),
		.ground_m = world->ground_m,
		.crowd_m = world->radius_m * CROWD_SHARE,
		.speed_mps = world->speed_mps,
		.standing = world->standing,
	};

	static_assert(PG_LOAD_TOWN - PG_LOAD_SPREAD == WALK_TOWN && PG_LOAD_ONE_CROWD - PG_LOAD_SPREAD == WALK_CROWD,
		      "the same order");
	memcpy(rules.middle_m, world->middle_m, sizeof(rules.middle_m));
	play->tsc_hz = (double)pg_tsc_hz();
	return world->walk == PG_LOAD_NO_WORLD || walks_open(&play->walks, &rules, plan->players, plan->seed);
}

/// Of an answer that is whole by itself, no more than that is held.
static struct world_view *make_view(void)
{
	const struct world_view_rules rules = {0};
	struct world_view *view = malloc(world_view_size(&rules));

	if (view)
		world_view_make(view, &rules);
	return view;
}

struct world_play *world_play_open(const struct pg_load_plan *plan, struct pg_load_page *page)
{
	struct world_play *play = calloc(1, sizeof(*play));
	bool opened = play && let_walk(play, plan);

	opened = opened && (play->model = world_model_open(plan, page, &play->walks));
	opened = opened && (play->events = world_events_open(plan, page, play->model));
	opened = opened && (play->states = calloc(plan->players, sizeof(*play->states)));
	opened = opened && (play->skipped = calloc(plan->players, sizeof(*play->skipped)));
	opened = opened && (play->view = make_view());
	if (!opened) {
		world_play_close(play);
		return NULL;
	}
	play->counts = &page->counts.world;
	play->players = (struct players_world){.context = play, .walk = walk, .number = number};
	return play;
}

void world_play_close(struct world_play *play)
{
	if (!play)
		return;
	world_events_close(play->events);
	world_model_close(play->model);
	walks_close(&play->walks);
	free(play->states);
	free(play->skipped);
	free(play->view);
	free(play);
}

const struct players_world *world_play_players(struct world_play *play)
{
	return &play->players;
}

void world_play_ask(struct pgc_options *options)
{
	options->world = true;
	options->world_glimpses = 0;     // kept: the model reads them as they come
	options->answer_at_once = false; // what comes at each tick acknowledges
}

// ---------------------------------------------------------------- said

#define DIGITS 8 // of a number in a chat

/// @return 0: none is there
static uint32_t number_at(const char *text)
{
	char digits[DIGITS + 1] = "";

	memcpy(digits, text, DIGITS);
	return (uint32_t)strtoul(digits, NULL, 16);
}

uint32_t world_play_said(struct world_play *play, const struct message *message, const uint8_t *payload,
			 uint64_t datagram, uint64_t now)
{
	const struct plain_attack *attack = (const struct plain_attack *)payload;
	const struct plain_chat *chat = (const struct plain_chat *)payload;
	const struct plain_skill *skill = (const struct plain_skill *)payload;
	const uint32_t player = message->player;
	uint32_t event = 0;

	switch (message->type) {
	case PLAIN_MOVE: {
		const struct plain_move *move = (const struct plain_move *)payload;
		float motion[6];

		memcpy(motion, &move->motion, sizeof(motion));
		world_model_said(play->model, player, motion, datagram, now);
		break;
	}
	case PLAIN_ATTACK:
		world_events_said(play->events, event = attack->attack_id, player, attack->target_id, 0, now);
		break;
	case PLAIN_CHAT:
		world_events_said(play->events, event = number_at((const char *)chat->text), player, chat->target_id,
				  ORDER_OF_CHAT, now);
		break;
	case PLAIN_SKILL:
		world_events_said(play->events, event = skill->skill_id, player, skill->target_id, 0, now);
		break;
	default:
		break;
	}
	return event;
}

void world_play_arrived(struct world_play *play, uint32_t player, uint64_t datagram, uint64_t now)
{
	world_model_arrived(play->model, player, datagram, now);
}

void world_play_taken(struct world_play *play, uint32_t number, bool taken, uint64_t now)
{
	if (taken)
		world_events_taken(play->events, number, now);
	else
		world_events_doubted(play->events, number);
}

// ---------------------------------------------------------------- heard and seen

static void hear_chat(struct world_play *play, uint32_t player, const struct pgc_event *event, uint64_t now)
{
	static_assert(PG_LOAD_CHAT_MARK == 2 * DIGITS, "its number, and who said it");
	const char *text = (const char *)event->as.chat.text;
	uint32_t number = 0;

	if (event->as.chat.bytes >= PG_LOAD_CHAT_MARK && number_at(text + DIGITS) == event->player_id)
		number = number_at(text);
	world_events_heard(play->events, number, player, event->player_id, event->as.chat.target_id, now);
}

static uint64_t lost_of(const struct pgc_event *event)
{
	uint64_t lost = 0;

	for (unsigned channel = 0; channel < PGC_CHANNELS; channel++)
		lost += event->as.restarted.lost[channel];
	return lost;
}

/// Where attacks are judged, who said one hears what became of it, and so does who was hit, from however far away.
static bool is_judgement(const struct world_play *play, uint32_t player, const struct pgc_event *event)
{
	const uint32_t player_id = player + play->model->first_player_id;

	if (event->as.attack.judged == 0 || player_id == event->as.attack.target_id)
		return false;
	return player_id == event->player_id || (event->as.attack.is_player && player_id == event->as.attack.who);
}

void world_play_event(struct world_play *play, uint32_t player, const struct pgc_event *event, uint64_t now)
{
	switch (event->type) {
	case PGC_EVENT_CONNECTED:
		world_model_connected(play->model, player, true, now);
		break;
	case PGC_EVENT_CLOSED:
		world_model_connected(play->model, player, false, now);
		break;
	case PGC_EVENT_RESTARTED:
		world_events_given_up(play->events, lost_of(event));
		break;
	case PGC_EVENT_CORRECTION:
		world_model_put_back(play->model, player, event->as.correction.position, now);
		break;
	case PGC_EVENT_ATTACK:
		if (is_judgement(play, player, event))
			world_events_may(play->events, event->as.attack.attack_id, player);
		world_events_heard(play->events, event->as.attack.attack_id, player, event->player_id,
				   event->as.attack.target_id, now);
		break;
	case PGC_EVENT_SKILL:
		world_events_heard(play->events, event->as.skill.skill_id, player, event->player_id,
				   event->as.skill.target_id, now);
		break;
	case PGC_EVENT_CHAT:
		hear_chat(play, player, event, now);
		break;
	case PGC_EVENT_ENTER:
		counter_add(&play->counts->entered, 1);
		break;
	case PGC_EVENT_LEAVE:
		counter_add(&play->counts->left, 1);
		break;
	default:
		break;
	}
}

void world_play_received(struct world_play *play, uint32_t player, const pgc_client *client, size_t bytes, uint64_t now)
{
	const struct world_view *view = client->world;
	struct pgc_statistics statistics;

	if (view->counts.states == play->states[player])
		return;
	play->states[player] = view->counts.states;
	counter_add(&play->counts->state_bytes, bytes);
	pgc_read_statistics(client, &statistics);
	counter_add(&play->counts->skipped, statistics.world_skipped - play->skipped[player]);
	play->skipped[player] = statistics.world_skipped;
	world_model_told(play->model, player, view, bytes, now);
}

void world_play_joined(struct world_play *play, uint32_t player, uint64_t now)
{
	world_model_connected(play->model, player, true, now);
}

enum world_play_told world_play_looked(struct world_play *play, uint32_t player, const uint8_t *answer, size_t bytes,
				       size_t asked_bytes, uint64_t asked, uint64_t now)
{
	struct world_sight sight = {.asked = asked, .came = now};

	if (!world_sight_read(answer, bytes, asked_bytes, play->view, &sight))
		return WORLD_PLAY_NO_ANSWER;
	if (sight.view)
		counter_add(&play->counts->state_bytes, bytes);
	world_model_looked(play->model, player, &sight);
	return sight.view ? WORLD_PLAY_TOLD : WORLD_PLAY_NOT_TOLD;
}

void world_play_turn(struct world_play *play, uint64_t now, bool end)
{
	world_model_turn(play->model, now, end);
	world_events_turn(play->events, now, end);
}

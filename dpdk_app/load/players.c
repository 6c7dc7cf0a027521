// SPDX-License-Identifier: BSD-3-Clause
// load/players.c: see players.h.

#include "load/players.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Walking to running. Never near 0: a random way point model with such speeds comes to a halt (Yoon et al., 2003).
#define SPEED_MIN 1.5F
#define SPEED_MAX 6.0F

/// A crowd spreads over this part of the arena around each of its places, and one way in so many leads to another.
#define CROWD_SPREAD 0.03F
#define CROWD_STAYS 64

#define STEPS_MAX 1000000.0F

static const char chatter[] =
	"group up at the north gate, two of them are on the bridge and one is behind the mill. who has a spare potion? "
	"thanks! push now, their healer is down. careful, they are back. I will take the left side, cover me from the "
	"roof. nice shot! does anybody know where the blacksmith went? wait for the others before you open that door. ";

#define CHATTER_LEN ((unsigned)sizeof(chatter) - 1)

bool players_open(struct players *players, const struct pg_load_plan *plan)
{
	uint64_t sum = 0, below = 0;

	*players = (struct players){
		.capacity = plan->players,
		.first_player_id = plan->first_player_id,
		.chat_bytes = plan->chat_bytes,
		.game_bytes = plan->game_bytes,
		.motion = plan->motion,
		.arena_m = plan->arena_m,
		.seed = plan->seed,
		.only = PG_LOAD_TYPES,
	};
	for (unsigned i = 0; i < PG_LOAD_TYPES; i++)
		sum += plan->weight[i];
	for (unsigned i = 0; i < PG_LOAD_TYPES; i++) {
		if (plan->weight[i] == sum)
			players->only = i;
		below += plan->weight[i];
		if (i < PG_LOAD_TYPES - 1) // 2^32, which no word reaches, once all that are sent are below
			players->below[i] = (below << 32) / sum;
	}
	players->walker = calloc(plan->players, sizeof(*players->walker));
	return players->walker != NULL;
}

void players_close(struct players *players)
{
	free(players->walker);
	players->walker = NULL;
}

// ---------------------------------------------------------------- motion

static float clamp(float value, float most)
{
	return value < 0 ? 0 : value > most ? most : value;
}

/// Nearly normal, mean 0, standard deviation 1: twelve uniform numbers less 6 would be the classic; four do.
static float bell(struct random *r)
{
	float sum = 0;

	for (unsigned i = 0; i < 4; i++)
		sum += random_fraction(r);
	return (sum - 2.0F) * 1.7320508F; // the variance of the sum is 4/12
}

static void choose_place(struct players *players, struct walker *w, float *place)
{
	struct random *r = &players->random;

	if (players->motion == PG_LOAD_WAYPOINT) {
		place[0] = random_fraction(r) * players->arena_m;
		place[1] = random_fraction(r) * players->arena_m;
		return;
	}

	if (random_to(r, CROWD_STAYS) == 0)
		w->hot_spot = random_to(r, HOT_SPOTS);

	const float *centre = players->hot_spot[w->hot_spot];

	for (unsigned i = 0; i < 2; i++)
		place[i] = clamp(centre[i] + bell(r) * CROWD_SPREAD * players->arena_m, players->arena_m);
}

/// The last step ends on the way point: the speed is rounded to a whole number of steps.
static COLD void set_out(struct players *players, struct walker *w)
{
	float place[2];

	choose_place(players, w, place);

	const float x = place[0] - w->position[0], y = place[1] - w->position[1];
	const float speed = SPEED_MIN + random_fraction(&players->random) * (SPEED_MAX - SPEED_MIN);
	const float steps = ceilf(sqrtf(x * x + y * y) / (speed * players->step_s));

	w->steps_left = steps < 1 ? 1 : steps > STEPS_MAX ? (uint32_t)STEPS_MAX : (uint32_t)steps;

	const float walk_s = (float)w->steps_left * players->step_s;

	w->velocity[0] = x / walk_s;
	w->velocity[1] = y / walk_s;
}

static inline void step(struct players *players, struct walker *w)
{
	if (unlikely(w->steps_left == 0))
		set_out(players, w);
	w->steps_left--;
	w->position[0] += w->velocity[0] * players->step_s;
	w->position[1] += w->velocity[1] * players->step_s;
}

/// Fisher and Yates.
static void shuffle(struct players *players)
{
	for (uint32_t i = players->count - 1; i > 0; i--) {
		const uint32_t other = random_to(&players->random, i + 1), player = players->walker[i].player;

		players->walker[i].player = players->walker[other].player;
		players->walker[other].player = player;
	}
}

void players_begin(struct players *players, uint32_t count, float step_s)
{
	players->count = count;
	players->step_s = step_s;
	players->next = 0;
	random_seed(&players->random, players->seed);
	for (unsigned i = 0; i < HOT_SPOTS; i++)
		for (unsigned axis = 0; axis < 2; axis++)
			players->hot_spot[i][axis] = random_fraction(&players->random) * players->arena_m;
	for (uint32_t i = 0; i < count; i++) {
		struct walker *w = &players->walker[i];

		*w = (struct walker){.player = i, .hot_spot = i % HOT_SPOTS};
		choose_place(players, w, w->position);
	}
	shuffle(players);
}

// ---------------------------------------------------------------- messages

ALWAYS_INLINE struct plain_header header(enum plain_type type, uint32_t size, uint64_t timestamp)
{
	return (struct plain_header){.packet_type = type, .packet_size = size, .timestamp = timestamp};
}

static uint16_t say_move_in_world(const struct players *players, const struct walker *w, uint32_t id,
				  uint64_t timestamp, uint8_t *out)
{
	float motion[6];

	players->world->walk(players->world->context, w->player, motion);
	*(struct plain_move *)out = (struct plain_move){
		.header = header(PLAIN_MOVE, sizeof(struct plain_move), timestamp),
		.player_id = id,
		.motion = {.position = {motion[0], motion[1], motion[2]},
			   .velocity = {motion[3], motion[4], motion[5]}},
	};
	return sizeof(struct plain_move);
}

ALWAYS_INLINE uint16_t say_move(struct players *players, struct walker *w, uint32_t id, uint64_t timestamp,
				uint8_t *out)
{
	if (unlikely(players->world != NULL))
		return say_move_in_world(players, w, id, timestamp, out);
	step(players, w);
	*(struct plain_move *)out = (struct plain_move){
		.header = header(PLAIN_MOVE, sizeof(struct plain_move), timestamp),
		.player_id = id,
		.motion = {.position = {w->position[0], w->position[1], 0},
			   .velocity = {w->velocity[0], w->velocity[1], 0}},
	};
	return sizeof(struct plain_move);
}

/// In a world, as often as not everyone near.
static uint32_t somebody(struct players *players)
{
	if (players->world && random_to(&players->random, 2) == 0)
		return 0;
	return players->first_player_id + random_to(&players->random, players->count);
}

/// What is said in a world has a number of its own, others one of some.
static uint32_t number_of(struct players *players, uint32_t some)
{
	return players->world ? players->world->number(players->world->context) : 1 + random_to(&players->random, some);
}

static uint16_t say_attack(struct players *players, uint32_t id, uint64_t timestamp, uint8_t *out)
{
	const float angle = random_fraction(&players->random) * 6.2831853F;

	*(struct plain_attack *)out = (struct plain_attack){
		.header = header(PLAIN_ATTACK, sizeof(struct plain_attack), timestamp),
		.player_id = id,
		.target_id = somebody(players),
		.attack_id = number_of(players, 16),
		.direction = {cosf(angle), sinf(angle), 0},
	};
	return sizeof(struct plain_attack);
}

/// It begins with its number and its sender's.
static void number_chat(struct players *players, uint32_t id, struct plain_chat *chat)
{
	char text[PG_LOAD_CHAT_MARK + 1];

	chat->target_id = somebody(players);
	(void)snprintf(text, sizeof(text), "%08x%08x", number_of(players, 1), id);
	memcpy(chat->text, text, PG_LOAD_CHAT_MARK);
}

static uint16_t say_chat(struct players *players, uint32_t id, uint64_t timestamp, uint8_t *out)
{
	struct plain_chat *chat = (struct plain_chat *)out;
	const uint16_t size = (uint16_t)(sizeof(*chat) + players->chat_bytes);
	unsigned at = random_to(&players->random, CHATTER_LEN);

	*chat = (struct plain_chat){
		.header = header(PLAIN_CHAT, size, timestamp),
		.player_id = id,
		.text_len = players->chat_bytes,
	};
	for (unsigned i = 0; i < players->chat_bytes; i++) {
		chat->text[i] = (uint8_t)chatter[at];
		at = at + 1 < CHATTER_LEN ? at + 1 : 0;
	}
	if (players->world)
		number_chat(players, id, chat);
	return size;
}

static uint16_t say_heartbeat(uint32_t id, uint64_t timestamp, uint8_t *out)
{
	*(struct plain_heartbeat *)out = (struct plain_heartbeat){
		.header = header(PLAIN_HEARTBEAT, sizeof(struct plain_heartbeat), timestamp), .player_id = id};
	return sizeof(struct plain_heartbeat);
}

static uint16_t say_skill(struct players *players, uint32_t id, uint64_t timestamp, uint8_t *out)
{
	*(struct plain_skill *)out = (struct plain_skill){
		.header = header(PLAIN_SKILL, sizeof(struct plain_skill), timestamp),
		.player_id = id,
		.skill_id = number_of(players, 32),
		.target_id = somebody(players),
	};
	return sizeof(struct plain_skill);
}

/// Behind a prefix as the others have: what leaves is the body.
static uint16_t say_game(struct players *players, uint32_t id, uint64_t timestamp, uint8_t *out)
{
	const uint16_t size = (uint16_t)(PLAIN_PREFIX + players->game_bytes);
	uint8_t mark[PG_LOAD_GAME_MARK];

	*(struct plain_heartbeat *)out =
		(struct plain_heartbeat){.header = header(PG_LOAD_GAME, size, timestamp), .player_id = id};
	memcpy(mark, &timestamp, sizeof(timestamp));
	memcpy(mark + sizeof(timestamp), &id, sizeof(id));
	memset(out + PLAIN_PREFIX, (int)random_to(&players->random, UINT8_MAX + 1), players->game_bytes);
	memcpy(out + PLAIN_PREFIX, mark, players->game_bytes < sizeof(mark) ? players->game_bytes : sizeof(mark));
	return size;
}
static_assert(PLAIN_PREFIX + PG_LOAD_GAME_BYTES_MAX <= MESSAGE_MAX, "there is room for it");

/// Types are few: counting the bounds that a random word reaches needs no branch and loses no weight to rounding.
ALWAYS_INLINE unsigned choose_type(struct players *players)
{
	if (likely(players->only < PG_LOAD_TYPES))
		return players->only + 1;

	const uint64_t word = random_word(&players->random) >> 32;
	unsigned type = PLAIN_MOVE;

	for (unsigned i = 0; i < PG_LOAD_TYPES - 1; i++)
		type += word >= players->below[i];
	return type;
}

struct message players_speak(struct players *players, uint64_t timestamp, uint8_t *out)
{
	struct walker *w = &players->walker[players->next];
	const uint32_t id = players->first_player_id + w->player;
	struct message message = {.player = w->player, .type = (uint8_t)choose_type(players)};

	players->next = players->next + 1 < players->count ? players->next + 1 : 0;
	switch (message.type) {
	case PLAIN_MOVE:
		message.length = say_move(players, w, id, timestamp, out);
		break;
	case PLAIN_ATTACK:
		message.length = say_attack(players, id, timestamp, out);
		break;
	case PLAIN_CHAT:
		message.length = say_chat(players, id, timestamp, out);
		break;
	case PLAIN_HEARTBEAT:
		message.length = say_heartbeat(id, timestamp, out);
		break;
	case PG_LOAD_GAME:
		message.length = say_game(players, id, timestamp, out);
		break;
	default:
		message.length = say_skill(players, id, timestamp, out);
		break;
	}
	return message;
}

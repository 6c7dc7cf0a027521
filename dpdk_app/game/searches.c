// SPDX-License-Identifier: BSD-3-Clause
// game/searches.c: see searches.h.

#include "game/searches.h"

#include <math.h>
#include <string.h>

#include "game/events.h"
#include "game/said.h"
#include "message/finite.h"
#include "replication/replication.h"

#define UNITS_PER_STEP SLICE_UNITS_PER_LOOK // the clock is looked at after each
#define REACH_MAX (1 << WORLD_POSITION_BITS)

static_assert(GAME_SEARCH_MOST == WORLD_ANSWERS_MAX, "as many as are kept");
static_assert(WORLD_MOMENT_PARTS == UINT8_MAX + 1, "parts of a tick are any byte");
static_assert(1 << WORLD_PLAYER == GAME_SEARCH_PLAYERS >> 1 && 1 << WORLD_OTHER == GAME_SEARCH_ENTITIES >> 1,
	      "flags behind the first are bits of sorts");
static_assert((int)PG_WORLD_SEARCH_ANSWERED == GAME_FOUND_ANSWERED &&
		      (int)PG_WORLD_SEARCH_CLAMPED == GAME_FOUND_CLAMPED &&
		      (int)PG_WORLD_SEARCH_TOO_OLD == GAME_FOUND_TOO_OLD &&
		      (int)PG_WORLD_SEARCH_NO_COMBAT == GAME_FOUND_NO_COMBAT &&
		      (int)PG_WORLD_SEARCH_BUSY == GAME_FOUND_BUSY,
	      "as in bus/records.h");

// ---------------------------------------------------------------- the question

/// @return false: there is no such place in this world
static bool quanta_of(const struct world_rules *rules, const float place[3], int32_t quanta[3])
{
	for (unsigned axis = 0; axis < 3; axis++) {
		const double units = ((double)place[axis] - rules->low[axis]) * rules->units_per_metre +
				     (1 << (WORLD_UNIT_BITS - 1));

		if (!(units >= 0 && units < rules->end[axis]))
			return false;
		quanta[axis] = (int32_t)units >> WORLD_UNIT_BITS;
	}
	return true;
}

/// @return false: no number, or further than any world goes
static bool reach_of(const struct world_rules *rules, float reach, int32_t *quanta)
{
	const double found = floor((double)reach * rules->units_per_metre / (1 << WORLD_UNIT_BITS));

	if (!(found >= 0 && found <= REACH_MAX))
		return false;
	*quanta = (int32_t)found;
	return true;
}

/// @return false: it points nowhere
static bool point(const float direction[3], double out[3])
{
	const double x = (double)direction[0], y = (double)direction[1], z = (double)direction[2];
	const double length = sqrt(x * x + y * y + z * z);

	if (!floats3_finite(direction) || length <= 0)
		return false;
	out[0] = x / length;
	out[1] = y / length;
	out[2] = z / length;
	return true;
}

/// @return false: it is none
static bool question_of(const struct world_rules *rules, const struct game_search *search,
			struct world_question *question)
{
	float position[3], direction[3];
	int32_t from[3], reach;

	memcpy(position, search->position, sizeof(position));
	memcpy(direction, search->direction, sizeof(direction));
	if ((search->flags & ~GAME_SEARCH_FLAGS) != 0 || search->most == 0 || search->most > GAME_SEARCH_MOST ||
	    !quanta_of(rules, position, from) || !reach_of(rules, search->reach, &reach))
		return false;
	*question = (struct world_question){
		.is_ray = search->kind == GAME_SEARCH_RAY,
		.now = search->flags & GAME_SEARCH_NOW,
		.when = {search->tick, search->parts},
		.sorts = search->flags >> 1,
		.except = search->except,
		.most = search->most,
	};
	if (search->kind == GAME_SEARCH_SPHERE) {
		question->of.sphere = (struct world_sphere){{from[0], from[1], from[2]}, reach};
		return true;
	}
	question->of.ray = (struct world_ray){
		.from = {from[0], from[1], from[2]},
		.length = reach,
		.body = rules->body,
	};
	return search->kind == GAME_SEARCH_RAY && point(direction, question->of.ray.direction);
}

// ---------------------------------------------------------------- the answer

/// As the record has it.
static void write_item(struct game_found_one *item, const struct world_rules *rules, const struct world_answer *answer)
{
	const double quantum = rules->metres_per_unit * (1 << WORLD_UNIT_BITS);

	*item = (struct game_found_one){
		.identity = answer->identity,
		.distance = (float)(answer->distance * quantum),
		.sort = answer->sort,
	};
	for (unsigned axis = 0; axis < 3; axis++)
		item->position[axis] = (float)(rules->low[axis] + answer->position[axis] * quantum);
}

/// @return is it heard?
static bool tell(struct game *game, unsigned process, const struct world_rules *rules, const struct game_found *head,
		 const struct world_answer *answer)
{
	struct game_found *record;
	struct game_found_one *item;

	if (game->ending >> process & 1) // who asked is gone: whoever comes has asked nothing
		return false;
	record = game_reserve(game, process, (uint32_t)(sizeof(*record) + head->count * sizeof(struct game_found_one)),
			      GAME_FOUND);
	if (!record)
		return false;
	*record = *head;
	item = (struct game_found_one *)(void *)(record + 1);
	for (uint32_t i = 0; i < head->count; i++)
		write_item(&item[i], rules, &answer[i]);
	return true;
}

static void answer(struct game *game, unsigned process, const struct replica *replica, enum pg_world_search became)
{
	struct searching *searching = &game->link[process]->searching;
	struct world_asking *asking = &searching->asking;
	struct world_answer answer[WORLD_ANSWERS_MAX];
	struct game_found head = {.cookie = searching->cookie, .became = (uint8_t)became};

	if (became == PG_WORLD_SEARCH_ANSWERED || became == PG_WORLD_SEARCH_CLAMPED) {
		head.count = (uint16_t)world_ask_answers(asking, replica->parts, answer);
		head.total = asking->total;
		head.tick = asking->search.when.tick;
		head.parts = (uint8_t)asking->search.when.parts;
	}
	if (became != PG_WORLD_SEARCH_NO_COMBAT)
		head.newest = asking->newest;
	if (!tell(game, process, &replica->rules, &head, answer))
		became = PG_WORLD_SEARCH_UNHEARD;
	counter_add(&replica->counts->searches[became], 1);
}

// ---------------------------------------------------------------- the order

static struct replica *replica_of(const struct game *game, const struct searching *searching)
{
	return &game->shard->replication->replica[searching->world];
}

enum pg_order_refusal searches_go_on(struct game *game, unsigned process, struct slice *slice)
{
	struct searching *searching = &game->link[process]->searching;
	const struct replica *replica = replica_of(game, searching);
	enum pg_world_search became;
	bool over = false;

	do {
		over = world_ask_step(&searching->asking, replica->parts, &became);
		slice_spend(slice, UNITS_PER_STEP);
	} while (!over && !slice_is_over(slice));
	searching->unfinished = !over;
	if (!over)
		return PG_ORDER_REFUSALS;
	answer(game, process, replica, became);
	return PG_ORDER_REFUSED_NONE;
}

enum pg_order_refusal searches_obey(struct game *game, unsigned process, const struct ring_message *order,
				    struct slice *slice)
{
	struct searching *searching = &game->link[process]->searching;
	struct world_question question;
	const struct replica *replica;
	struct game_search search;
	uint8_t world;

	if (order->length != sizeof(search))
		return PG_ORDER_REFUSED_LENGTH;
	memcpy(&search, order->body, sizeof(search));
	if (sizeof(struct game_found) + search.most * sizeof(struct game_found_one) > game->link[process]->out.longest)
		return PG_ORDER_REFUSED_RECEIVERS;
	searching->cookie = search.cookie;
	if (!said_world(game, search.world, &world) || world == 0) {
		const struct game_found head = {.cookie = search.cookie, .became = GAME_FOUND_NO_WORLD};

		(void)tell(game, process, NULL, &head, NULL);
		return PG_ORDER_REFUSED_NO_WORLD;
	}
	searching->world = (uint8_t)(world - 1);
	replica = replica_of(game, searching);
	if (!question_of(&replica->rules, &search, &question))
		return PG_ORDER_REFUSED_BODY;
	if (!replica->plan->combat.judged && (question.is_ray || !question.now)) {
		answer(game, process, replica, PG_WORLD_SEARCH_NO_COMBAT);
		return PG_ORDER_REFUSED_NONE;
	}
	world_ask(&searching->asking, replica->parts, &question);
	return searches_go_on(game, process, slice);
}

void searches_give_up(struct game *game, unsigned process)
{
	struct searching *searching = &game->link[process]->searching;

	if (!searching->unfinished)
		return;
	searching->unfinished = false;
	counter_add(&replica_of(game, searching)->counts->searches[PG_WORLD_SEARCH_UNHEARD], 1);
	game_count_order(game, process, PG_ORDER_REFUSED_NONE);
}

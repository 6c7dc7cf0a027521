// SPDX-License-Identifier: BSD-3-Clause
// tests/world_sight.c: a player in a world, and the way to their client.

#include "world_sight.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "world/bits.h"

#define WALKERS 120
#define CAPACITY 192

static uint32_t draw(struct sight *sight, uint32_t below)
{
	sight->random = sight->random * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)((sight->random >> 33) % below);
}

static bool happens(struct sight *sight, uint32_t thousandths)
{
	return draw(sight, 1000) < thousandths;
}

static const struct world_part *part_of(const struct sight *sight, world_reference who)
{
	return sight->parts.part[world_part_of(who)];
}

uint32_t number_of(const struct sight *sight, world_reference who)
{
	return part_of(sight, who)->number[world_rank_of(who)];
}

struct sight *open_sight(const char *isa, struct weather weather, uint64_t seed)
{
	const uint32_t first = weather.first != 0 ? weather.first : FIRST;
	struct sight *sight = calloc(1, sizeof(*sight));

	assert_non_null(sight);
	sight->kernels = world_kernels_select(isa);
	sight->weather = weather;
	sight->random = seed;
	sight->tick = sight->client.newest = first;
	sight->lasting = WORLD_NOBODY;
	sight->parts.count = PARTS;
	for (unsigned i = 0; i < PARTS; i++) {
		sight->walkers[i] = walkers_make(CAPACITY, WALKERS, first, 16 + i);
		sight->parts.part[i] = &sight->walkers[i]->part;
		walkers_publish(sight->walkers[i], first);
	}
	sight->observer = aligned_alloc(CACHE_LINE, sizeof(*sight->observer));
	assert_non_null(sight->observer);
	observer_begin(sight->observer, 1, first);
	sight->reader = world_reader_make();
	return sight;
}

void close_sight(struct sight *sight)
{
	for (unsigned i = 0; i < PARTS; i++)
		walkers_free(sight->walkers[i]);
	world_reader_free(sight->reader);
	free(sight->observer);
	free(sight);
}

// ---------------------------------------------------------------- the world

void say_state_of(struct sight *sight, world_reference who, uint8_t length)
{
	const struct saying_of of = {.number = number_of(sight, who), .revision = sight->tick};

	walkers_say(sight->walkers[world_part_of(who)], world_rank_of(who), &of, length);
}

static bool says_nothing(const struct client_slot *has)
{
	return !has->has_state || has->state_bytes == 0;
}

bool has_newest_state(const struct sight *sight, unsigned slot)
{
	const world_reference who = sight->observer->who[slot];
	const struct client_slot *has = &sight->client.slot[slot];
	struct world_game_said said;

	assert_true(world_game_state_read(part_of(sight, who), number_of(sight, who),
					  part_of(sight, who)->identity[world_rank_of(who)], &said));
	if (said.length == 0)
		return says_nothing(has);
	return !says_nothing(has) && has->state_bytes == said.length && has->state_version == (uint8_t)said.version &&
	       memcmp(has->state, said.word, said.length) == 0;
}

static void say_something(struct sight *sight, uint32_t part)
{
	const uint32_t rank = draw(sight, sight->parts.part[part]->count);
	const world_reference who = world_refer(part, rank);

	if (number_of(sight, who) == WORLD_NOBODY)
		return;
	if (draw(sight, 4) == 0)
		walkers_say(sight->walkers[part], rank, "", 0);
	else
		say_state_of(sight, who, (uint8_t)(4 + draw(sight, 29)));
}

static void come_and_go(struct sight *sight, struct walkers *walkers)
{
	const uint32_t rank = draw(sight, walkers->part.count);

	if (walkers->part.count < CAPACITY)
		walkers_add(walkers);
	if (walkers->part.number[rank] != sight->lasting)
		walkers_remove(walkers, rank);
}

void go_on(struct sight *sight)
{
	const struct weather *weather = &sight->weather;

	sight->tick++;
	for (unsigned i = 0; i < PARTS; i++) {
		struct walkers *walkers = sight->walkers[i];
		struct world_part *part = &walkers->part;
		const struct world_frame *frame = world_frame_at(part, sight->tick);

		if (weather->rerank != 0 && sight->tick % weather->rerank == 0)
			walkers_rerank(walkers, sight->tick);
		if (happens(sight, weather->comes))
			come_and_go(sight, walkers);
		if (weather->says != 0 && happens(sight, weather->says))
			say_something(sight, i);
		if (happens(sight, weather->comes)) // a jump, farther than records reach
			walkers->of[draw(sight, part->count)].x = draw(sight, 1 << 17);
		walkers_publish(walkers, sight->tick);
		walkers_tell(walkers, sight->kernels, 0x7fe);
		for (uint32_t rank = 0; rank < part->count; rank++)
			if (part->number[rank] != WORLD_NOBODY)
				sight->true_place[sight->tick % KEPT][part->number[rank]] = world_place_at(frame, rank);
	}
}

static bool is_seen(const struct sight *sight, world_reference who)
{
	for (unsigned slot = 0; slot < sight->weather.slots; slot++)
		if (sight->observer->occupied >> slot & 1 && sight->observer->who[slot] == who)
			return true;
	return false;
}

static void change_slot(struct sight *sight, unsigned slot)
{
	const uint32_t part = draw(sight, PARTS);
	const world_reference who = world_refer(part, draw(sight, sight->parts.part[part]->count));

	if (sight->weather.lives && slot == 0 && sight->lasting != WORLD_NOBODY)
		return;
	if (sight->observer->occupied >> slot & 1 && draw(sight, 2) != 0) {
		observer_leave(sight->observer, slot);
	} else if (number_of(sight, who) != WORLD_NOBODY && !is_seen(sight, who)) {
		observer_enter(sight->observer, &sight->parts, slot, who);
		if (sight->weather.paces)
			observer_pace(sight->observer, slot, slot % OBSERVER_PACES, (uint8_t)draw(sight, 256));
		if (slot == 0)
			sight->lasting = number_of(sight, who);
	}
}

void look(struct sight *sight)
{
	observer_turn(sight->observer, &sight->parts, sight->tick);
	if (happens(sight, sight->weather.epochs))
		observer_begin(sight->observer, sight->observer->epoch + 1, sight->tick);
	for (unsigned slot = 0; slot < sight->weather.slots; slot++)
		if (happens(sight, sight->weather.changes))
			change_slot(sight, slot);
}

// ---------------------------------------------------------------- the way

void send_state(struct sight *sight)
{
	struct flying *flying = &sight->down[sight->tick % FLYING];
	struct world_told told;
	uint8_t body[ROOM];

	sight->counter += 1 + draw(sight, 2);
	memset(body, 0xa5, sizeof(body));
	told = sight->kernels->state(sight->observer, &sight->parts, sight->counter, body, sight->weather.room);
	assert_true(told.bytes + BITS_SLACK <= sight->weather.room);
	for (size_t i = sight->weather.room; i < ROOM; i++)
		assert_int_equal(body[i], 0xa5);
	sight->left_out += told.left_out;
	sight->game_states += told.states;
	sight->bytes += told.bytes;
	sight->states++;
	for (unsigned slot = 0; slot < WORLD_SLOTS_MAX; slot++)
		sight->true_number[sight->tick % KEPT][slot] = sight->observer->occupied >> slot & 1 ?
								       number_of(sight, sight->observer->who[slot]) :
								       WORLD_NOBODY;
	assert_false(flying->there);
	flying->there = !happens(sight, sight->weather.lost_down);
	flying->due = sight->tick + sight->weather.delay + draw(sight, sight->weather.spread + 1);
	flying->counter = sight->counter;
	flying->tick = sight->tick;
	flying->length = told.bytes;
	memcpy(flying->bytes, body, told.bytes);
}

static void is_true(struct sight *sight, const struct client_said *said)
{
	const struct world_place *place = &sight->true_place[said->tick % KEPT][said->number];

	assert_int_equal(said->number, sight->true_number[said->tick % KEPT][said->slot]);
	assert_int_equal(said->place.position[0], place->x);
	assert_int_equal(said->place.position[1], place->y);
	assert_int_equal(said->place.position[2], place->z);
	assert_int_equal(said->place.velocity[0], place->vx);
	assert_int_equal(said->place.velocity[1], place->vy);
	assert_int_equal(said->place.velocity[2], place->vz);
}

static void check_said(struct sight *sight, const struct client_said *said)
{
	const struct client_slot *slot = &sight->client.slot[said->slot];

	if (said->decoded) {
		is_true(sight, said);
		sight->decoded++;
	} else if ((slot->was_told && (int32_t)(said->tick - slot->told) < 0) ||
		   (slot->was_late && (int32_t)(said->tick - slot->late) < 0)) {
		sight->overtaken++; // by who is in the slot now, or by the player's next slot
	} else {
		assert_int_not_equal(sight->had_tick[said->base % KEPT], said->base + 1); // else it could be decoded
		sight->skipped++;
	}
}

/// Of who is in the slot, and of nobody else.
static void state_is_of_who_is_there(const struct sight *sight, unsigned slot)
{
	const struct client_slot *has = &sight->client.slot[slot];
	const uint8_t *state;
	uint32_t number;

	assert_int_equal(world_reader_state(sight->reader, slot, &state), says_nothing(has) ? 0 : has->state_bytes);
	if (says_nothing(has))
		return;
	memcpy(&number, has->state, sizeof(number));
	assert_int_equal(number, has->number);
	assert_memory_equal(state, has->state, has->state_bytes);
}

static void reader_has_the_same(struct sight *sight)
{
	for (unsigned slot = 0; slot < CLIENT_SLOTS; slot++)
		if (sight->client.slot[slot].was_told)
			assert_int_equal(world_reader_number(sight->reader, slot), sight->client.slot[slot].number);
	for (unsigned slot = 0; slot < CLIENT_SLOTS; slot++)
		state_is_of_who_is_there(sight, slot);
	for (unsigned i = 0; i < sight->client.says; i++) {
		const struct client_said *said = &sight->client.said[i];
		const int32_t *place = world_reader_place(sight->reader, said->slot, said->tick);

		assert_int_equal(place != NULL, said->decoded);
		if (place)
			assert_memory_equal(place, &said->place, sizeof(said->place));
	}
	assert_int_equal(world_reader_refused(sight->reader), 0);
}

static void receive(struct sight *sight, struct flying *flying)
{
	struct client *client = &sight->client;
	const uint32_t ahead = flying->counter - sight->had;

	flying->there = false;
	assert_true(client_read(client, flying->bytes, flying->length, flying->counter));
	assert_uint_in_range(client->oldest, 0, 30);
	for (unsigned i = 0; i < client->says; i++)
		check_said(sight, &client->said[i]);
	world_reader_take(sight->reader, flying->tick, flying->bytes, flying->length, flying->counter);
	reader_has_the_same(sight);
	sight->record_bits += client->bits;
	sight->fulls += client->fulls;
	sight->had_tick[flying->tick % KEPT] = flying->tick + 1;
	if ((int32_t)ahead > 0) {
		sight->had_bits = ahead <= 32 ? (uint32_t)(((uint64_t)sight->had_bits << 1 | 1) << (ahead - 1)) : 0;
		sight->had = flying->counter;
	} else if (ahead != 0 && 0 - ahead <= 32) {
		sight->had_bits |= 1U << (0 - ahead - 1);
	}
}

static void acknowledge(struct sight *sight)
{
	struct acknowledging *up = &sight->up[sight->tick % FLYING];

	up->there = sight->had != 0 && !happens(sight, sight->weather.lost_up);
	up->due = sight->tick + sight->weather.delay + draw(sight, sight->weather.spread + 1);
	up->newest = sight->had;
	up->bits = sight->had_bits;
}

void deliver(struct sight *sight)
{
	for (unsigned i = 0; i < FLYING; i++) {
		struct flying *down = &sight->down[i];
		struct acknowledging *up = &sight->up[i];

		if (down->there && down->due == sight->tick)
			receive(sight, down);
		if (up->there && up->due == sight->tick) {
			const struct arrived arrived = acknowledged_take(&sight->acknowledged, up->newest, up->bits);

			up->there = false;
			observer_acknowledged(sight->observer, arrived.newest, arrived.packets);
		}
	}
	acknowledge(sight);
}

void pass(struct sight *sight, unsigned ticks)
{
	for (unsigned i = 0; i < ticks; i++) {
		go_on(sight);
		look(sight);
		if (!happens(sight, sight->weather.skips))
			send_state(sight);
		deliver(sight);
	}
}

/// Nothing is lost or changed any more: after a while the client has whom the observer has, as of just now.
void comes_to_rest(struct sight *sight)
{
	sight->weather = (struct weather){.delay = 3, .room = ROOM, .slots = sight->weather.slots};
	pass(sight, 120);
	for (unsigned slot = 0; slot < WORLD_SLOTS_MAX; slot++) {
		const struct client_slot *has = &sight->client.slot[slot];
		const uint32_t number = sight->observer->occupied >> slot & 1 ?
						number_of(sight, sight->observer->who[slot]) :
						WORLD_NOBODY;

		if (has->was_told)
			assert_int_equal(has->number, number);
		else
			assert_int_equal(number, WORLD_NOBODY);
		if (number != WORLD_NOBODY)
			assert_true(sight->tick - has->told <= 3 + 8);
		if (number != WORLD_NOBODY)
			assert_true(has_newest_state(sight, slot));
	}
	assert_int_equal(sight->observer->leaving, 0);
}

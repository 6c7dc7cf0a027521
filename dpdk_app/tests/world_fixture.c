// SPDX-License-Identifier: BSD-3-Clause
// tests/world_fixture.c: entities that walk about.

#include "world_fixture.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "world/own.h"

#define FRAMES 32        // as few as there may be
#define GROUND (1 << 17) // quanta
#define SPEED 10.0       // quanta a tick
#define TURN 0.05236     // 180 degrees a second
#define TURNS_EVERY 90   // ticks
#define FULL_TURN 6.283185307179586

static void *zeroed(size_t bytes)
{
	void *memory = aligned_alloc(CACHE_LINE, whole_lines(bytes));

	assert(memory);
	return memset(memory, 0, whole_lines(bytes));
}

/// SplitMix64.
uint64_t walkers_random(struct walkers *walkers)
{
	uint64_t z = walkers->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static double fraction(struct walkers *walkers)
{
	return (double)(walkers_random(walkers) >> 11) * 0x1p-53;
}

static void make_frame(struct world_frame *frame, uint32_t capacity)
{
	frame->x = zeroed(capacity * sizeof(*frame->x));
	frame->y = zeroed(capacity * sizeof(*frame->y));
	frame->z = zeroed(capacity * sizeof(*frame->z));
	frame->vx = zeroed(capacity * sizeof(*frame->vx));
	frame->vy = zeroed(capacity * sizeof(*frame->vy));
	frame->vz = zeroed(capacity * sizeof(*frame->vz));
}

struct walkers *walkers_make(uint32_t capacity, uint32_t count, uint32_t first, uint64_t seed)
{
	struct walkers *walkers = zeroed(sizeof(*walkers));
	struct world_part *part = &walkers->part;

	walkers->random = seed;
	walkers->first_number = (uint32_t)seed % 16 * WALKERS_NUMBERS;
	walkers->of = zeroed(capacity * sizeof(*walkers->of));
	*part = (struct world_part){.capacity = capacity, .frames = FRAMES, .first = first, .published = first - 1};
	part->reranked = part->reranked_before = first;
	part->window = FRAMES - 1;
	part->records = zeroed(2 * sizeof(*part->records));
	part->ring = zeroed(FRAMES * sizeof(*part->ring));
	for (unsigned i = 0; i < FRAMES; i++)
		make_frame(&part->ring[i], capacity);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned age = 1; age < WORLD_AGES; age++)
			part->records[i].of[age] = zeroed(capacity * sizeof(uint64_t));
	part->number = zeroed(capacity * sizeof(*part->number));
	part->identity = zeroed(capacity * sizeof(*part->identity));
	part->sort = zeroed(capacity);
	part->was = zeroed(capacity * sizeof(*part->was));
	part->becomes = zeroed(capacity * sizeof(*part->becomes));
	walkers->states = (struct world_game_states){
		.first = walkers->first_number,
		.count = WALKERS_NUMBERS,
		.of = zeroed(WALKERS_NUMBERS * sizeof(*walkers->states.of)),
	};
	part->states = &walkers->states;
	part->own = zeroed(sizeof(*part->own)); // nothing is written down
	for (uint32_t rank = 0; rank < capacity; rank++)
		part->number[rank] = part->was[rank] = part->becomes[rank] = WORLD_NOBODY;
	for (uint32_t i = 0; i < count; i++)
		walkers_add(walkers);
	return walkers;
}

void walkers_free(struct walkers *walkers)
{
	struct world_part *part = &walkers->part;

	for (unsigned i = 0; i < FRAMES; i++) {
		const struct world_frame *frame = &part->ring[i];

		free(frame->x), free(frame->y), free(frame->z);
		free(frame->vx), free(frame->vy), free(frame->vz);
	}
	for (unsigned i = 0; i < 2; i++)
		for (unsigned age = 1; age < WORLD_AGES; age++)
			free(part->records[i].of[age]);
	free(part->ring);
	free(part->records);
	free(part->number), free(part->identity), free(part->sort);
	free(part->was), free(part->becomes);
	free(part->own);
	free(walkers->states.of);
	free(walkers->of);
	free(walkers);
}

/// The next one that nobody has: numbers come again as late as can be.
static uint32_t free_number(struct walkers *walkers)
{
	if (walkers->part.capacity > WALKERS_NUMBERS) // one part alone, from which nobody leaves
		return walkers->next_number++;
	for (;;) {
		const uint32_t number = walkers->first_number + walkers->next_number++ % WALKERS_NUMBERS;
		bool taken = false;

		for (uint32_t rank = 0; rank < walkers->part.count; rank++)
			taken |= walkers->of[rank].number == number;
		if (!taken)
			return number;
	}
}

uint32_t walkers_add(struct walkers *walkers)
{
	struct world_part *part = &walkers->part;
	const uint32_t rank = part->count++;

	assert(rank < part->capacity);
	walkers->of[rank].number = WORLD_NOBODY;
	walkers->of[rank] = (struct walker){
		.x = fraction(walkers) * GROUND,
		.y = fraction(walkers) * GROUND,
		.heading = fraction(walkers) * FULL_TURN,
		.number = free_number(walkers),
	};
	part->number[rank] = walkers->of[rank].number;
	part->identity[rank] = 1000 + part->number[rank];
	part->sort[rank] = part->number[rank] % 5 == 0 ? WORLD_OTHER : WORLD_PLAYER;
	part->was[rank] = WORLD_NOBODY;
	return rank;
}

void walkers_say(struct walkers *walkers, uint32_t rank, const void *state, uint8_t length)
{
	struct world_part *part = &walkers->part;

	world_game_state_set(part, part->number[rank], part->identity[rank], state, length);
}

void walkers_remove(struct walkers *walkers, uint32_t rank)
{
	world_game_state_clear(&walkers->part, walkers->part.number[rank]);
	walkers->of[rank].number = walkers->part.number[rank] = WORLD_NOBODY;
}

void walkers_rerank(struct walkers *walkers, uint32_t tick)
{
	struct world_part *part = &walkers->part;
	const uint32_t before = part->count;
	uint32_t *order = zeroed(before * sizeof(*order)), count = 0;
	struct walker *of = zeroed(before * sizeof(*of));

	for (uint32_t rank = 0; rank < before; rank++) {
		part->becomes[rank] = WORLD_NOBODY;
		if (walkers->of[rank].number != WORLD_NOBODY)
			order[count++] = rank;
	}
	for (uint32_t i = count; i > 1; i--) {
		const uint32_t other = (uint32_t)(walkers_random(walkers) % i), kept = order[i - 1];

		order[i - 1] = order[other], order[other] = kept;
	}
	memcpy(of, walkers->of, before * sizeof(*of));
	for (uint32_t rank = 0; rank < before; rank++) {
		part->was[rank] = rank < count ? order[rank] : WORLD_NOBODY;
		part->number[rank] = rank < count ? of[order[rank]].number : WORLD_NOBODY;
		part->identity[rank] = 1000 + part->number[rank];
		part->sort[rank] = part->number[rank] % 5 == 0 ? WORLD_OTHER : WORLD_PLAYER;
		if (rank >= count)
			continue;
		walkers->of[rank] = of[order[rank]];
		part->becomes[order[rank]] = rank;
	}
	part->count = count;
	part->reranked_before = part->reranked;
	part->reranked = tick;
	free(order), free(of);
}

static void walk(struct walkers *walkers, struct walker *walker)
{
	if (walkers_random(walkers) % TURNS_EVERY == 0) {
		walker->wanted = fraction(walkers) * FULL_TURN;
		walker->stands = !walkers->restless && walkers_random(walkers) % 4 == 0;
	}
	walker->heading += fmax(-TURN, fmin(TURN, remainder(walker->wanted - walker->heading, FULL_TURN)));
	if (walker->stands)
		return;
	walker->x = fmin(fmax(walker->x + cos(walker->heading) * SPEED, 0), GROUND);
	walker->y = fmin(fmax(walker->y + sin(walker->heading) * SPEED, 0), GROUND);
}

static double height(double x, double y)
{
	return 1000 + 500 * sin(x / 3000) + 500 * cos(y / 4000);
}

static void place(const struct world_frame *frame, uint32_t rank, const struct walker *walker)
{
	const double vx = walker->stands ? 0 : cos(walker->heading) * SPEED;
	const double vy = walker->stands ? 0 : sin(walker->heading) * SPEED;
	const double z = height(walker->x, walker->y);

	frame->x[rank] = (int32_t)lrint(walker->x), frame->y[rank] = (int32_t)lrint(walker->y);
	frame->z[rank] = (int32_t)lrint(z);
	frame->vx[rank] = (int16_t)lrint(8 * vx), frame->vy[rank] = (int16_t)lrint(8 * vy);
	frame->vz[rank] = (int16_t)lrint(8 * (height(walker->x + vx, walker->y + vy) - z));
}

/// The frame that is written next may be under the pen already.
static void spoil(const struct world_frame *frame, uint32_t count)
{
	for (uint32_t rank = 0; rank < count; rank++)
		frame->x[rank] = frame->y[rank] = (int32_t)(rank * 7 + 1);
}

void walkers_publish(struct walkers *walkers, uint32_t tick)
{
	struct world_part *part = &walkers->part;
	struct world_frame *frame = &part->ring[tick & (part->frames - 1)];

	assert(tick == part->published + 1);
	frame->tick = tick;
	for (uint32_t rank = 0; rank < part->count; rank++) {
		walk(walkers, &walkers->of[rank]);
		place(frame, rank, &walkers->of[rank]);
	}
	world_records_begin(part, tick);
	__atomic_store_n(&part->published, tick, __ATOMIC_RELEASE);
	spoil(&part->ring[(tick + 1) % FRAMES], part->count);
}

void walkers_tell(struct walkers *walkers, const struct world_kernels *kernels, uint32_t ages)
{
	struct world_part *part = &walkers->part;

	for (uint32_t age = 1; age < WORLD_AGES; age++) {
		if (!(ages >> age & 1) || !world_has_frame(part, part->published - age))
			continue;
		for (uint32_t from = 0; from < part->count; from += 4 * WORLD_BLOCK) {
			const uint32_t to = from + 4 * WORLD_BLOCK;

			kernels->records(part, part->published, age, from, to < part->count ? to : part->count);
		}
		world_records_done(part, part->published, age);
	}
}

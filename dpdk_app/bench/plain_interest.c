// SPDX-License-Identifier: BSD-3-Clause
// bench/plain_interest.c: see plain_interest.h.

#include "bench/plain_interest.h"

#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#define LANES 16
#define CELLS_PER_RADIUS 2 // as good as 1, and better than 4

/// Of the n-th of some places.
struct spot {
	float x, y, z;
};

// ---------------------------------------------------------------- make

static bool make_places(struct plain_places *places, uint32_t count)
{
	const size_t room = count + LANES;

	*places = (struct plain_places){calloc(room, sizeof(float)), calloc(room, sizeof(float)),
					calloc(room, sizeof(float)), calloc(room, sizeof(uint32_t))};
	return places->x && places->y && places->z && places->who;
}

static void free_places(struct plain_places *places)
{
	free(places->x);
	free(places->y);
	free(places->z);
	free(places->who);
}

bool plain_interest_make(struct plain_interest *plain, uint32_t count, const int32_t size[2], uint32_t radius,
			 uint32_t neighbours)
{
	const size_t room = count + LANES;
	bool whole;

	*plain = (struct plain_interest){.count = count, .neighbours = neighbours, .radius = (float)radius};
	plain->columns = (uint32_t)size[0] * CELLS_PER_RADIUS / radius + 1;
	plain->rows = (uint32_t)size[1] * CELLS_PER_RADIUS / radius + 1;
	whole = make_places(&plain->now, count);
	whole = make_places(&plain->sorted, count) && whole;
	plain->cell = calloc(count, sizeof(*plain->cell));
	plain->start = calloc((size_t)plain->columns * plain->rows + 1, sizeof(*plain->start));
	plain->distance2 = calloc(room, sizeof(*plain->distance2));
	plain->who = calloc(room, sizeof(*plain->who));
	plain->found = calloc(room, sizeof(*plain->found));
	return whole && plain->cell && plain->start && plain->distance2 && plain->who && plain->found;
}

void plain_interest_free(struct plain_interest *plain)
{
	free_places(&plain->now);
	free_places(&plain->sorted);
	free(plain->cell);
	free(plain->start);
	free(plain->distance2);
	free(plain->who);
	free(plain->found);
}

void plain_interest_take(struct plain_interest *plain, const struct world_frame *frame)
{
	for (uint32_t i = 0; i < plain->count; i++) {
		plain->now.x[i] = (float)frame->x[i];
		plain->now.y[i] = (float)frame->y[i];
		plain->now.z[i] = (float)frame->z[i];
		plain->now.who[i] = i;
	}
}

// ---------------------------------------------------------------- who is near

__attribute__((target("avx512f,popcnt"))) static void
near_wide(struct plain_interest *plain, const struct plain_places *of, struct spot at, uint32_t from, uint32_t to)
{
	const __m512 x = _mm512_set1_ps(at.x), y = _mm512_set1_ps(at.y), z = _mm512_set1_ps(at.z);
	const __m512 most = _mm512_set1_ps(plain->radius * plain->radius);
	uint32_t near = plain->near;

	for (uint32_t i = from; i < to; i += LANES) {
		const __m512 dx = _mm512_sub_ps(_mm512_loadu_ps(of->x + i), x);
		const __m512 dy = _mm512_sub_ps(_mm512_loadu_ps(of->y + i), y);
		const __m512 dz = _mm512_sub_ps(_mm512_loadu_ps(of->z + i), z);
		const __m512 distance2 = _mm512_add_ps(_mm512_add_ps(_mm512_mul_ps(dx, dx), _mm512_mul_ps(dy, dy)),
						       _mm512_mul_ps(dz, dz));
		const __mmask16 there = to - i >= LANES ? UINT16_MAX : (__mmask16)((1U << (to - i)) - 1);
		const __mmask16 in = _mm512_mask_cmp_ps_mask(there, distance2, most, _CMP_LT_OQ);

		if (in == 0)
			continue;
		_mm512_storeu_ps(plain->distance2 + near, _mm512_maskz_compress_ps(in, distance2));
		_mm512_storeu_si512(plain->who + near,
				    _mm512_maskz_compress_epi32(in, _mm512_loadu_si512(of->who + i)));
		near += (uint32_t)__builtin_popcount(in);
	}
	plain->near = near;
}

static void near_narrow(struct plain_interest *plain, const struct plain_places *of, struct spot at, uint32_t from,
			uint32_t to)
{
	const float most = plain->radius * plain->radius;

	for (uint32_t i = from; i < to; i++) {
		const float dx = of->x[i] - at.x, dy = of->y[i] - at.y, dz = of->z[i] - at.z;
		const float distance2 = dx * dx + dy * dy + dz * dz;

		plain->distance2[plain->near] = distance2;
		plain->who[plain->near] = of->who[i];
		plain->near += distance2 < most;
	}
}

static void look(struct plain_interest *plain, const struct plain_places *of, struct spot at, uint32_t from,
		 uint32_t to)
{
	if (__builtin_cpu_supports("avx512f"))
		near_wide(plain, of, at, from, to);
	else
		near_narrow(plain, of, at, from, to);
}

// ---------------------------------------------------------------- the nearest of them

/// Hoare's selection: the `wanted` smallest come first.
static void select_smallest(uint64_t *found, uint32_t count, uint32_t wanted)
{
	uint32_t low = 0, high = count - 1;

	while (low < high) {
		const uint64_t pivot = found[low + (high - low) / 2];
		uint32_t i = low, j = high;

		for (;;) {
			while (found[i] < pivot)
				i++;
			while (found[j] > pivot)
				j--;
			if (i >= j)
				break;

			const uint64_t kept = found[i];

			found[i++] = found[j];
			found[j--] = kept;
		}
		if (wanted - 1 <= j)
			high = j;
		else
			low = j + 1;
	}
}

/// Distances that are not negative are in the order of their bits.
static void tell_nearest(struct plain_interest *plain, uint32_t self, uint32_t *nearest)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < plain->near; i++) {
		uint32_t bits;

		memcpy(&bits, &plain->distance2[i], sizeof(bits));
		plain->found[count] = (uint64_t)bits << 32 | plain->who[i];
		count += plain->who[i] != self;
	}
	if (count > plain->neighbours) {
		select_smallest(plain->found, count, plain->neighbours);
		count = plain->neighbours;
	}
	for (uint32_t i = 0; i < plain->neighbours; i++)
		nearest[i] = i < count ? (uint32_t)plain->found[i] : PLAIN_NOBODY;
}

void plain_interest_brute(struct plain_interest *plain, uint32_t *nearest)
{
	for (uint32_t i = 0; i < plain->count; i++) {
		const struct spot at = {plain->now.x[i], plain->now.y[i], plain->now.z[i]};

		plain->near = 0;
		look(plain, &plain->now, at, 0, plain->count);
		tell_nearest(plain, i, nearest + (size_t)i * plain->neighbours);
	}
}

// ---------------------------------------------------------------- a grid

static uint32_t cell_along(const struct plain_interest *plain, float at)
{
	return (uint32_t)(at * CELLS_PER_RADIUS / plain->radius);
}

static void count_cells(struct plain_interest *plain)
{
	const size_t cells = (size_t)plain->columns * plain->rows;

	memset(plain->start, 0, (cells + 1) * sizeof(*plain->start));
	for (uint32_t i = 0; i < plain->count; i++) {
		plain->cell[i] =
			cell_along(plain, plain->now.y[i]) * plain->columns + cell_along(plain, plain->now.x[i]);
		plain->start[plain->cell[i] + 1]++;
	}
	for (size_t cell = 0; cell < cells; cell++)
		plain->start[cell + 1] += plain->start[cell];
}

/// Counting sort, from behind: what is counted for a cell ends as where it begins.
static void sort_by_cell(struct plain_interest *plain)
{
	count_cells(plain);
	for (uint32_t i = plain->count; i-- > 0;) {
		const uint32_t to = --plain->start[plain->cell[i] + 1];

		plain->sorted.x[to] = plain->now.x[i];
		plain->sorted.y[to] = plain->now.y[i];
		plain->sorted.z[to] = plain->now.z[i];
		plain->sorted.who[to] = i;
	}
	memmove(plain->start, plain->start + 1, (size_t)plain->columns * plain->rows * sizeof(*plain->start));
	plain->start[(size_t)plain->columns * plain->rows] = plain->count;
}

static void look_in_cells(struct plain_interest *plain, struct spot at)
{
	const uint32_t x = cell_along(plain, at.x), y = cell_along(plain, at.y);
	const uint32_t left = x < CELLS_PER_RADIUS ? 0 : x - CELLS_PER_RADIUS;
	const uint32_t right = x + CELLS_PER_RADIUS < plain->columns ? x + CELLS_PER_RADIUS : plain->columns - 1;
	const uint32_t last = y + CELLS_PER_RADIUS < plain->rows ? y + CELLS_PER_RADIUS : plain->rows - 1;

	for (uint32_t row = y < CELLS_PER_RADIUS ? 0 : y - CELLS_PER_RADIUS; row <= last; row++) {
		const uint32_t *start = plain->start + (size_t)row * plain->columns;

		look(plain, &plain->sorted, at, start[left], start[right + 1]);
	}
}

/// Cell by cell: what a query reads was read by the one before.
void plain_interest_grid(struct plain_interest *plain, uint32_t *nearest)
{
	sort_by_cell(plain);
	for (uint32_t i = 0; i < plain->count; i++) {
		const struct spot at = {plain->sorted.x[i], plain->sorted.y[i], plain->sorted.z[i]};
		const uint32_t self = plain->sorted.who[i];

		plain->near = 0;
		look_in_cells(plain, at);
		tell_nearest(plain, self, nearest + (size_t)self * plain->neighbours);
	}
}

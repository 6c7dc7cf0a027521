// SPDX-License-Identifier: BSD-3-Clause
// world/kernels.c: the records of all entities of a part for one age. Compiled with -DISA=v2, v3 and v4.
//
// The same as world_record(), without a branch, for as many entities at once as a vector has 32-bit lanes.

#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "isa.h"
#include "world/kernels.h"
#include "world/record.h"

world_state_write JOIN(world_state, ISA);

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#define LANES (VECTOR_BYTES / 4)
#define HALF (LANES / 2)

typedef int32_t signed_lanes __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t lanes __attribute__((vector_size(VECTOR_BYTES)));
typedef int16_t short_lanes __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef uint32_t half_lanes __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef uint64_t long_lanes __attribute__((vector_size(VECTOR_BYTES)));
static_assert(WORLD_BLOCK % LANES == 0, "a block is whole vectors");

/// Of LANES entities.
struct places {
	signed_lanes x, y, z, vx, vy, vz;
};

static const uint8_t velocity_widths[4] = WORLD_WIDTHS_VELOCITY;
static const uint8_t position_widths[4] = WORLD_WIDTHS_POSITION;

// ---------------------------------------------------------------- where they are

ALWAYS_INLINE signed_lanes load(const int32_t *from)
{
	signed_lanes loaded;

	memcpy(&loaded, from, sizeof(loaded));
	return loaded;
}

/// As __builtin_convertvector(), which GCC 12 does in halves.
ALWAYS_INLINE signed_lanes widen_short(const int16_t *from)
{
#if VECTOR_BYTES == 64
	return (signed_lanes)_mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)from));
#elif VECTOR_BYTES == 32
	return (signed_lanes)_mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(const void *)from));
#else
	short_lanes loaded;

	memcpy(&loaded, from, sizeof(loaded));
	return __builtin_convertvector(loaded, signed_lanes);
#endif
}

ALWAYS_INLINE long_lanes widen(half_lanes half)
{
#if VECTOR_BYTES == 64
	return (long_lanes)_mm512_cvtepu32_epi64((__m256i)half);
#elif VECTOR_BYTES == 32
	return (long_lanes)_mm256_cvtepu32_epi64((__m128i)half);
#else
	return __builtin_convertvector(half, long_lanes);
#endif
}

ALWAYS_INLINE struct places load_places(const struct world_frame *frame, uint32_t rank)
{
	return (struct places){load(frame->x + rank),         load(frame->y + rank),
			       load(frame->z + rank),         widen_short(frame->vx + rank),
			       widen_short(frame->vy + rank), widen_short(frame->vz + rank)};
}

/// Of a frame from before the last re-rank. Who was not there yet is nowhere.
static struct places load_moved(const struct world_frame *frame, const uint32_t *was)
{
	struct places places;

	for (unsigned i = 0; i < LANES; i++) {
		const struct world_place place =
			was[i] == WORLD_NOBODY ? (struct world_place){0} : world_place_at(frame, was[i]);

		places.x[i] = place.x, places.y[i] = place.y, places.z[i] = place.z;
		places.vx[i] = place.vx, places.vy[i] = place.vy, places.vz[i] = place.vz;
	}
	return places;
}

/// All bits of the lanes with nobody.
ALWAYS_INLINE lanes nobody(const uint32_t *number)
{
	lanes loaded;

	memcpy(&loaded, number, sizeof(loaded));
	return (lanes)(loaded == WORLD_NOBODY);
}

// ---------------------------------------------------------------- how it is told

ALWAYS_INLINE lanes zigzag(signed_lanes n)
{
	return (lanes)n << 1 ^ (lanes)(n >> 31);
}

/// What is to be told of one axis of a position.
ALWAYS_INLINE lanes unexpected(signed_lanes now, signed_lanes base, signed_lanes velocities, uint32_t age,
			       unsigned shift)
{
	const signed_lanes moved = (velocities * (int32_t)age + (WORLD_VELOCITY_PARTS >> shift)) >> (int)(4 - shift);

	return zigzag((signed_lanes)((lanes)now - (lanes)base - (lanes)moved));
}

/// Of the six values of LANES entities.
struct shapes {
	lanes shape;
	lanes velocity_width, position_width; // of x and y
	lanes velocity_length, length;        // of all three, and of all six
	lanes too_wide;                       // all bits: of those whom no shape has room for
};

#if VECTOR_BYTES == 64
/// Of each group, by the zeros before its values: its class, where that is in a shape; bits of all its values, from bit 8; is it
/// too wide, at bit 16; bits of each value, from bit 24. No value is zeros before none, so that 32 zeros are found at 0.
static uint32_t groups[4][32] CACHE_ALIGNED;

static __attribute__((constructor)) void make_groups(void)
{
	for (unsigned group = 0; group < 4; group++) {
		const uint8_t *widths = group < 2 ? velocity_widths : position_widths;

		for (unsigned zeros = 0; zeros < 32; zeros++) {
			const unsigned class = world_class_of(zeros == 0 ? 0 : UINT32_MAX >> zeros, widths);
			const uint32_t width = class < 4 ? widths[class] : 0;

			groups[group][zeros] = (class & 3) << 2 * group | (group % 2 == 0 ? 2 * width : width) << 8 |
					       (class >> 2) << 16 | width << 24;
		}
	}
}

ALWAYS_INLINE lanes group_of(lanes zigzags, const uint32_t group[32])
{
	return (lanes)_mm512_permutex2var_epi32(_mm512_load_si512(group), _mm512_lzcnt_epi32((__m512i)zigzags),
						_mm512_load_si512(group + 16));
}

ALWAYS_INLINE struct shapes shapes_of(lanes v, lanes v_up, lanes p, lanes p_up)
{
	const lanes velocity = group_of(v, groups[0]), velocity_up = group_of(v_up, groups[1]);
	const lanes position = group_of(p, groups[2]), position_up = group_of(p_up, groups[3]);
	const lanes velocities = velocity + velocity_up, all = velocities + position + position_up;

	return (struct shapes){
		.shape = all & 0xff,
		.velocity_width = velocity >> 24,
		.position_width = position >> 24,
		.velocity_length = velocities >> 8 & 0xff,
		.length = all >> 8 & 0xff,
		.too_wide = (lanes)((all & 0xff0000) != 0),
	};
}
#else
/// Of values in one group.
struct classes {
	lanes class, width, too_wide;
};

ALWAYS_INLINE struct classes classes_of(lanes zigzags, const uint8_t widths[4])
{
	const lanes first = (lanes)(zigzags > 0), second = (lanes)(zigzags >= 1U << widths[1]),
		    third = (lanes)(zigzags >= 1U << widths[2]);

	return (struct classes){
		.class = 0 - first - second - third,
		.width = (first & widths[1]) + (second & (uint32_t)(widths[2] - widths[1])) +
			 (third & (uint32_t)(widths[3] - widths[2])),
		.too_wide = (lanes)(zigzags >= 1U << widths[3]),
	};
}

ALWAYS_INLINE struct shapes shapes_of(lanes v, lanes v_up, lanes p, lanes p_up)
{
	const struct classes velocity = classes_of(v, velocity_widths), velocity_up = classes_of(v_up, velocity_widths);
	const struct classes position = classes_of(p, position_widths), position_up = classes_of(p_up, position_widths);
	const lanes velocities = velocity.width + velocity.width + velocity_up.width;

	return (struct shapes){
		.shape = velocity.class | velocity_up.class << 2 | position.class << 4 | position_up.class << 6,
		.velocity_width = velocity.width,
		.position_width = position.width,
		.velocity_length = velocities,
		.length = velocities + position.width + position.width + position_up.width,
		.too_wide = velocity.too_wide | velocity_up.too_wide | position.too_wide | position_up.too_wide,
	};
}
#endif

/// Three values, the first two as wide as each other.
ALWAYS_INLINE lanes joined(lanes x, lanes y, lanes z, lanes width)
{
	static_assert(3 * 10 <= 32, "three values of a class fit a lane");
	return x | y << width | z << (width + width);
}

/// Shapes to their codes.
ALWAYS_INLINE lanes codes_of(lanes shapes)
{
#if VECTOR_BYTES == 64
	__m512i quarter[4]; // of the table: the lower six bits of a shape are a place in it
	const __m512i all = (__m512i)shapes;

	for (unsigned i = 0; i < 4; i++)
		quarter[i] = _mm512_permutex2var_epi16(_mm512_loadu_si512(world_codes + i * 64), all,
						       _mm512_loadu_si512(world_codes + i * 64 + 32));

	const __mmask16 sixth = _mm512_test_epi32_mask(all, _mm512_set1_epi32(1 << 6));
	const __mmask16 seventh = _mm512_test_epi32_mask(all, _mm512_set1_epi32(1 << 7));
	const __m512i low = _mm512_mask_mov_epi32(quarter[0], sixth, quarter[1]);
	const __m512i high = _mm512_mask_mov_epi32(quarter[2], sixth, quarter[3]);

	return (lanes)_mm512_mask_mov_epi32(low, seventh, high) & 0xffff;
#elif VECTOR_BYTES == 32
	return (lanes)_mm256_i32gather_epi32((const int *)(const void *)world_codes, (__m256i)shapes, 2) & 0xffff;
#else
	lanes codes;

	for (unsigned i = 0; i < LANES; i++)
		codes[i] = world_codes[shapes[i]];
	return codes;
#endif
}

ALWAYS_INLINE long_lanes low_half(lanes all)
{
	half_lanes half;

	memcpy(&half, &all, sizeof(half));
	return widen(half);
}

ALWAYS_INLINE long_lanes high_half(lanes all)
{
	half_lanes half;

	memcpy(&half, (const char *)&all + sizeof(half), sizeof(half));
	return widen(half);
}

ALWAYS_INLINE void store(uint64_t *to, long_lanes head, long_lanes velocity_at, long_lanes velocity,
			 long_lanes position_at, long_lanes position, long_lanes length)
{
	const long_lanes records =
		head | velocity << velocity_at | position << (position_at & 63) | length << WORLD_RECORD_BITS;

	memcpy(to, &records, sizeof(records));
}

/// @param shift  of velocities
/// @param none   all bits of those who have no record in any case
ALWAYS_INLINE void tell(const struct places *now, const struct places *base, uint32_t age, unsigned shift, lanes none,
			uint64_t *to)
{
	const lanes vx = zigzag(now->vx - base->vx), vy = zigzag(now->vy - base->vy), vz = zigzag(now->vz - base->vz);
	const lanes x = unexpected(now->x, base->x, now->vx + base->vx, age, shift);
	const lanes y = unexpected(now->y, base->y, now->vy + base->vy, age, shift);
	const lanes z = unexpected(now->z, base->z, now->vz + base->vz, age, shift);
	const struct shapes shapes = shapes_of(vx | vy, vz, x | y, z);
	const lanes velocity = joined(vx, vy, vz, shapes.velocity_width),
		    position = joined(x, y, z, shapes.position_width);
	const lanes changed = (lanes)(shapes.shape != 0), codes = codes_of(shapes.shape);
	const lanes head_length = (codes >> WORLD_SHAPE_BITS) + 1, length = head_length + shapes.length;
	const lanes told = ~(shapes.too_wide | none) & (lanes)(length <= WORLD_RECORD_BITS);
	const lanes head = (((codes & WORLD_CODE_MASK) << 1) | 1) & changed & told;
	const lanes lengths = length & told, velocity_bits = velocity & told, position_bits = position & told;
	const lanes position_at = head_length + shapes.velocity_length;

	store(to, low_half(head), low_half(head_length), low_half(velocity_bits), low_half(position_at),
	      low_half(position_bits), low_half(lengths));
	store(to + HALF, high_half(head), high_half(head_length), high_half(velocity_bits), high_half(position_at),
	      high_half(position_bits), high_half(lengths));
}

static void records(const struct world_part *part, uint32_t tick, uint32_t age, uint32_t from, uint32_t to)
{
	const struct world_frame *frame = world_frame_at(part, tick), *before = world_frame_at(part, tick - age);
	const bool moved = (int32_t)(tick - age - part->reranked) < 0;
	const unsigned shift = part->velocity_shift;
	uint64_t *table = frame->records->of[age];

	for (uint32_t rank = from; rank < to; rank += LANES) {
		const struct places now = load_places(frame, rank);
		const struct places base = moved ? load_moved(before, part->was + rank) : load_places(before, rank);
		const lanes none =
			moved ? nobody(part->number + rank) | nobody(part->was + rank) : nobody(part->number + rank);

		tell(&now, &base, age, shift, none, table + rank);
	}
}

bool JOIN(world_choose, ISA)(const struct world_interest *interest, const struct world_turn *turn,
			     struct world_choice *choice);

extern const struct world_kernels JOIN(world_kernels, ISA);
const struct world_kernels JOIN(world_kernels, ISA) = {
	.isa = STRING(ISA),
	.records = records,
	.state = JOIN(world_state, ISA),
	.choose = JOIN(world_choose, ISA),
};

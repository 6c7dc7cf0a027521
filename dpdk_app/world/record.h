// SPDX-License-Identifier: BSD-3-Clause
// world/record.h: one entity in one frame, told to whoever has it in another: what it is beside what was to be expected.
//
// Expected is that it went on with the mean of its velocities in both frames. Kernels write the same for many (kernels.h).

#ifndef POLLGATE_WORLD_RECORD_H
#define POLLGATE_WORLD_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "world/bits.h"
#include "world/place.h"
#include "world/shapes.h"

/// In the order of the wire: velocity x, y, z, then position.
struct world_change {
	int32_t velocity[3], position[3];
};

/// The record of nobody: it has no bits, not even the one that says that nothing changed.
#define WORLD_NO_RECORD 0ULL
#define WORLD_RECORD_MASK ((1ULL << WORLD_RECORD_BITS) - 1)

ALWAYS_INLINE unsigned world_record_length(uint64_t record)
{
	return (unsigned)(record >> WORLD_RECORD_BITS);
}

static const uint8_t world_velocity_widths[4] = WORLD_WIDTHS_VELOCITY;
static const uint8_t world_position_widths[4] = WORLD_WIDTHS_POSITION;

/// Where it would be after so many ticks with the mean of two velocities, to half a quantum; one axis.
/// @param shift  of velocities, as in struct world_part_plan
ALWAYS_INLINE int32_t world_expected(int32_t position, int32_t velocity, int32_t velocity_now, uint32_t age,
				     unsigned shift)
{
	const int32_t twice = 2 * WORLD_VELOCITY_PARTS >> shift; // as two velocities are added
	const int32_t way = ((velocity + velocity_now) * (int32_t)age + twice / 2) >> (4 - shift);

	static_assert(2 * WORLD_VELOCITY_PARTS == 1 << 4, "a shift divides by it");
	return (int32_t)((uint32_t)position + (uint32_t)way);
}

ALWAYS_INLINE uint32_t world_zigzag(int32_t n)
{
	return (uint32_t)n << 1 ^ (uint32_t)(n >> 31);
}

ALWAYS_INLINE int32_t world_unzigzag(uint32_t z)
{
	return (int32_t)(z >> 1 ^ (0 - (z & 1)));
}

ALWAYS_INLINE struct world_change world_change_of(const struct world_place *now, const struct world_place *base,
						  uint32_t age, unsigned shift)
{
	const int32_t x = world_expected(base->x, base->vx, now->vx, age, shift);
	const int32_t y = world_expected(base->y, base->vy, now->vy, age, shift);
	const int32_t z = world_expected(base->z, base->vz, now->vz, age, shift);

	return (struct world_change){
		.velocity = {now->vx - base->vx, now->vy - base->vy, now->vz - base->vz},
		.position = {(int32_t)((uint32_t)now->x - (uint32_t)x), (int32_t)((uint32_t)now->y - (uint32_t)y),
			     (int32_t)((uint32_t)now->z - (uint32_t)z)},
	};
}

ALWAYS_INLINE struct world_place world_place_after(const struct world_place *base, uint32_t age, unsigned shift,
						   const struct world_change *change)
{
	struct world_place now = {
		.vx = (int16_t)(base->vx + change->velocity[0]),
		.vy = (int16_t)(base->vy + change->velocity[1]),
		.vz = (int16_t)(base->vz + change->velocity[2]),
	};

	now.x = world_expected(base->x, base->vx, now.vx, age, shift) + change->position[0];
	now.y = world_expected(base->y, base->vy, now.vy, age, shift) + change->position[1];
	now.z = world_expected(base->z, base->vz, now.vz, age, shift) + change->position[2];
	return now;
}

/// @return 4: none is wide enough
ALWAYS_INLINE unsigned world_class_of(uint32_t zigzags, const uint8_t widths[4])
{
	unsigned class = 0;

	while (class < 4 && zigzags >> widths[class] != 0)
		class ++;
	return class;
}

/// @return as in struct world_records
static inline uint64_t world_record(const struct world_place *now, const struct world_place *base, uint32_t age,
				    unsigned shift)
{
	const struct world_change change = world_change_of(now, base, age, shift);
	uint32_t value[6], any = 0;

	for (unsigned i = 0; i < 3; i++) {
		value[i] = world_zigzag(change.velocity[i]);
		value[3 + i] = world_zigzag(change.position[i]);
		any |= value[i] | value[3 + i];
	}
	if (any == 0)
		return 1ULL << WORLD_RECORD_BITS;

	const unsigned class[4] = {
		world_class_of(value[0] | value[1], world_velocity_widths),
		world_class_of(value[2], world_velocity_widths),
		world_class_of(value[3] | value[4], world_position_widths),
		world_class_of(value[5], world_position_widths),
	};

	if ((class[0] | class[1] | class[2] | class[3]) & 4)
		return WORLD_NO_RECORD;

	const uint16_t code = world_codes[class[0] | class[1] << 2 | class[2] << 4 | class[3] << 6];
	unsigned length = 1 + (code >> WORLD_SHAPE_BITS);
	uint64_t record = 1 | (uint64_t)(code & WORLD_CODE_MASK) << 1;

	for (unsigned i = 0; i < 6; i++) {
		const unsigned width =
			i < 3 ? world_velocity_widths[class[i / 2]] : world_position_widths[class[2 + (i - 3) / 2]];

		record |= length <= WORLD_RECORD_BITS ? (uint64_t)value[i] << length : 0;
		length += width;
	}
	return length > WORLD_RECORD_BITS ? WORLD_NO_RECORD : record | (uint64_t)length << WORLD_RECORD_BITS;
}

/// @return false: it is no record, and nothing behind it can be read
static inline bool world_read_record(struct bit_reader *reader, struct world_change *change)
{
	*change = (struct world_change){.velocity = {0}};
	if (bits_get(reader, 1) == 0)
		return !bits_exceeded(reader);

	const uint16_t found = world_shapes[bits_peek(reader, WORLD_SHAPE_BITS)];
	const unsigned shape = found & 0xff;
	const unsigned widths[4] = {world_velocity_widths[shape & 3], world_velocity_widths[shape >> 2 & 3],
				    world_position_widths[shape >> 4 & 3], world_position_widths[shape >> 6]};

	if (found == 0)
		return false;
	reader->at += found >> 8;
	for (unsigned i = 0; i < 3; i++)
		change->velocity[i] = world_unzigzag((uint32_t)bits_get(reader, widths[i / 2]));
	for (unsigned i = 0; i < 3; i++)
		change->position[i] = world_unzigzag((uint32_t)bits_get(reader, widths[2 + i / 2]));
	return !bits_exceeded(reader);
}

#endif

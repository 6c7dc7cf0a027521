// SPDX-License-Identifier: BSD-3-Clause
// world/shapes.c: makes the code of shapes from the lengths of its words.

#include "world/shapes.h"

uint16_t world_codes[WORLD_SHAPES + 1];
uint16_t world_shapes[1U << WORLD_SHAPE_BITS];

static const uint8_t lengths[WORLD_SHAPES] = {
#include "wire/world_shapes.def"
};

static unsigned reversed(unsigned code, unsigned length)
{
	unsigned from_behind = 0;

	for (unsigned i = 0; i < length; i++)
		from_behind |= (code >> i & 1) << (length - 1 - i);
	return from_behind;
}

static void enter(unsigned shape, unsigned code, unsigned length)
{
	world_codes[shape] = (uint16_t)(code | length << WORLD_SHAPE_BITS);
	for (unsigned bits = code; bits <= WORLD_CODE_MASK; bits += 1U << length)
		world_shapes[bits] = (uint16_t)(shape | length << 8);
}

/// By length, then by shape, each code is one more than the one before, and wider by as many zeros as it is longer.
static __attribute__((constructor)) void make(void)
{
	unsigned code = 0;

	for (unsigned length = 1; length <= WORLD_SHAPE_BITS; length++) {
		code <<= 1;
		for (unsigned shape = 0; shape < WORLD_SHAPES; shape++)
			if (lengths[shape] == length)
				enter(shape, reversed(code++, length), length);
	}
}

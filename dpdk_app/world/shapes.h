// SPDX-License-Identifier: BSD-3-Clause
// world/shapes.h: the prefix code of a record's shape: how wide its values are.
//
// Which shapes are frequent is known beforehand (wire/world_shapes.def), so that the code is the same everywhere and for good.
//
// Source of the code from the lengths alone: RFC 1951, DEFLATE, 3.2.2.

#ifndef POLLGATE_WORLD_SHAPES_H
#define POLLGATE_WORLD_SHAPES_H

#include <stdint.h>

#include "wire/world.h"

/// A code in the lower WORLD_SHAPE_BITS, its first bit the lowest, and its length above.
#define WORLD_CODE_MASK ((1U << WORLD_SHAPE_BITS) - 1)

/// Made before main(). Of a shape; one more, so that 32 bits can be read at each.
extern uint16_t world_codes[WORLD_SHAPES + 1];

/// Of the next WORLD_SHAPE_BITS bits: the shape in the lower 8, the length of its code above; 0: they are no code.
extern uint16_t world_shapes[1U << WORLD_SHAPE_BITS];

#endif

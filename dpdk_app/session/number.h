// SPDX-License-Identifier: BSD-3-Clause
// session/number.h: what is in the number of an issued session: of which gateway it is, and of which slot.
//
//   bit 31                                 0
//       gateway | generation | slot
//
// To clients it is a number. The gateway is at the top, which a datagram has in its eighth byte: whatever stands in front of
// several gateways finds it there without knowing anything else. The slot takes the bits that the capacity needs, and the
// generation, which tells the sessions of one slot apart, all that are left.

#ifndef POLLGATE_SESSION_NUMBER_H
#define POLLGATE_SESSION_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

#define SESSION_SLOTS_MAX (1U << 20)
/// Fewest bits that may tell the sessions of one slot apart: what is left by the default of 8 for a gateway beside the largest
/// capacity. A larger minimum would refuse that; nothing but how soon a number comes again depends on it, since a session has
/// a key of its own.
#define SESSION_GENERATION_BITS_MIN 4
#define SESSION_GATEWAY_BITS_MAX 16

/// Of a state of which nobody said another: with them any capacity fits.
#define SESSION_GATEWAY_BITS 8
#define SESSION_GATEWAY_ID 0

/// How the sessions of one state are numbered. Each mask has its bits where they are in a number.
struct session_numbers {
	uint32_t slot_mask;
	uint32_t gateway_mask;
	uint32_t gateway; // ours
};

/// Bits that so many slots need.
ALWAYS_INLINE uint32_t session_slot_bits(uint32_t slots)
{
	return slots < 2 ? 0 : 32 - (uint32_t)__builtin_clz(slots - 1);
}

/// Most bits that are left for a gateway beside so many slots.
ALWAYS_INLINE uint32_t session_gateway_bits_most(uint32_t slots)
{
	const uint32_t left = 32 - SESSION_GENERATION_BITS_MIN - session_slot_bits(slots);

	return left < SESSION_GATEWAY_BITS_MAX ? left : SESSION_GATEWAY_BITS_MAX;
}

/// Are there numbers for so many slots of this gateway?
ALWAYS_INLINE bool session_numbers_fit(uint32_t slots, uint32_t gateway_bits, uint32_t gateway_id)
{
	return slots <= SESSION_SLOTS_MAX && gateway_bits <= session_gateway_bits_most(slots) &&
	       gateway_id >> gateway_bits == 0;
}

/// Of numbers that fit.
ALWAYS_INLINE struct session_numbers session_numbers(uint32_t slots, uint32_t gateway_bits, uint32_t gateway_id)
{
	const uint32_t below_gateway = (uint32_t)(UINT64_C(0xffffffff) >> gateway_bits);

	return (struct session_numbers){
		.slot_mask = (1U << session_slot_bits(slots)) - 1,
		.gateway_mask = ~below_gateway,
		.gateway = (uint32_t)((uint64_t)gateway_id << (32 - gateway_bits)),
	};
}

ALWAYS_INLINE uint32_t session_slot(const struct session_numbers *numbers, uint32_t session)
{
	return session & numbers->slot_mask;
}

/// Is it of another gateway? Asked of numbers under which nobody was found: one of ours is never.
ALWAYS_INLINE bool session_is_foreign(const struct session_numbers *numbers, uint32_t session)
{
	return (session & numbers->gateway_mask) != numbers->gateway;
}

/// The number that follows in a slot. No generation is 0, so that no session is.
/// @param last  of this slot, or 0 when there was none
ALWAYS_INLINE uint32_t session_number_next(const struct session_numbers *numbers, uint32_t slot, uint32_t last)
{
	const uint32_t generation_mask = ~(numbers->gateway_mask | numbers->slot_mask);
	const uint32_t first = numbers->slot_mask + 1, next = ((last & generation_mask) + first) & generation_mask;

	return numbers->gateway | (next == 0 ? first : next) | slot;
}

#endif

// SPDX-License-Identifier: BSD-3-Clause
// replication/numbers.h: the numbers that a worker gives to the entities of its part of a world.
//
// Each worker has a range of its own, so that none needs a lock. A number that was given back comes again as late as can be:
// what is on its way to players still speaks of who had it.

#ifndef POLLGATE_REPLICATION_NUMBERS_H
#define POLLGATE_REPLICATION_NUMBERS_H

#include <stdint.h>

#include "compiler.h"

#define NUMBERS_NONE UINT32_MAX

struct numbers {
	uint32_t first;
	uint32_t count;
	uint32_t never;   // how many of them were given at least once: all below it
	uint32_t waiting; // that were given back
	uint32_t oldest;  // of those, in `back`
	uint32_t *back;   // a ring of `count`; pages of it exist once touched
};

ALWAYS_INLINE uint32_t numbers_take(struct numbers *numbers)
{
	uint32_t number;

	if (numbers->never < numbers->count)
		return numbers->first + numbers->never++;
	if (numbers->waiting == 0)
		return NUMBERS_NONE;
	number = numbers->back[numbers->oldest];
	numbers->oldest = numbers->oldest + 1 == numbers->count ? 0 : numbers->oldest + 1;
	numbers->waiting--;
	return number;
}

ALWAYS_INLINE void numbers_give_back(struct numbers *numbers, uint32_t number)
{
	const uint32_t at = numbers->oldest + numbers->waiting++;

	numbers->back[at < numbers->count ? at : at - numbers->count] = number;
}

#endif

// SPDX-License-Identifier: BSD-3-Clause
// heard.h: which counters of the gateway a player heard, so that none comes twice.

#ifndef POLLGATE_TESTS_HEARD_H
#define POLLGATE_TESTS_HEARD_H

#include <stdbool.h>
#include <stdint.h>

/// Counters that a player heard under the keys of now.
struct heard {
	uint32_t newest;
	uint64_t before; // bit n: newest - n
};

/// No nonce comes twice. What waits in the outbox leaves after what is answered at once, though its counter is less.
static inline bool comes_first(struct heard *heard, uint32_t counter)
{
	const uint32_t ahead = counter - heard->newest, back = heard->newest - counter;
	bool first;

	if (counter > heard->newest) {
		heard->before = (ahead < 64 ? heard->before << ahead : 0) | 1;
		heard->newest = counter;
		return true;
	}
	first = back < 64 && !(heard->before >> back & 1);
	heard->before |= back < 64 ? 1ULL << back : 0;
	return first;
}

#endif

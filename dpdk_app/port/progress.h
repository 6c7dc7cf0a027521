// SPDX-License-Identifier: BSD-3-Clause
// port/progress.h: does what a queue accepts also leave?
//
// A ring that the kernel sends from can stand still: a frame that the far end of a veth refuses stays at its head, and
// is tried again for ever, while the driver says that what lies behind it was sent.

#ifndef POLLGATE_PORT_PROGRESS_H
#define POLLGATE_PORT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/// Totals; they never go back.
struct transmit_totals {
	uint64_t accepted; // by the driver, of one queue
	uint64_t refused;  // by the driver: its ring is full
	uint64_t left;     // says the kernel, of the whole interface
	uint64_t lost;     // likewise
};

struct progress {
	bool known;
	struct transmit_totals moved; // when something last left
	uint64_t moved_ns;
	struct transmit_totals seen; // last
	uint64_t refused_ns;         // first refusal since the driver last accepted something; 0: none
};

/// Compare the totals with those of the last call. `up` is the link's state.
/// @return true: nothing leaves any more
bool progress_stands(struct progress *p, const struct transmit_totals *now, bool up, uint64_t now_ns);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// batch.h: frames for one burst, and what became of them.

#ifndef POLLGATE_TESTS_BATCH_H
#define POLLGATE_TESTS_BATCH_H

#include "rig.h"

/// Buffers of a burst, each of FRAME_MAX bytes.
struct batch {
	struct burst burst;
	unsigned n;
	uint16_t received[BURST_MAX];
	uint8_t memory[BURST_MAX][FRAME_MAX];
};

void batch_clear(struct batch *b);
void batch_add(struct batch *b, const struct frame *f);
void batch_run(struct batch *b, struct rig *rig);

#endif

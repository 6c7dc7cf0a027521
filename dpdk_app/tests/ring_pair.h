// SPDX-License-Identifier: BSD-3-Clause
// ring_pair.h: a ring of the bus with both its sides, in this process, in memory files as two processes would have them.

#ifndef POLLGATE_TESTS_RING_PAIR_H
#define POLLGATE_TESTS_RING_PAIR_H

#include "unit.h"

#include "bus/memory.h"
#include "bus/ring.h"
#include "bus/wait.h"

struct ring_pair {
	uint32_t size;
	struct memory_file written; // as the writer has it
	struct memory_file read;    // as the reader has it
	struct memory_file written_there;
	struct memory_file read_there;
	struct ring_writer writer;
	struct ring_reader reader;
};

void pair_make(struct ring_pair *pair, uint32_t size);
void pair_close(struct ring_pair *pair);
void pair_attach_writer(struct ring_pair *pair);
void pair_attach_reader(struct ring_pair *pair);

/// The writer's own memory, and what only the reader may change.
struct ring_written *pair_written(struct ring_pair *pair);
struct ring_read *pair_read(struct ring_pair *pair);

/// A message of this number: its type and all its bytes follow from it.
enum ring_result pair_reserve(struct ring_pair *pair, uint64_t number, uint32_t length);
void pair_say(struct ring_pair *pair, uint64_t number, uint32_t length);
/// The next message is of this number and length.
void pair_expect(struct ring_pair *pair, uint64_t number, uint32_t length);
void pair_expect_gap(struct ring_pair *pair, uint32_t messages);
void pair_expect_nothing(struct ring_pair *pair);

#endif

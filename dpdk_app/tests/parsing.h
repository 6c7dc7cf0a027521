// SPDX-License-Identifier: BSD-3-Clause
// parsing.h: frames of a game for the parser, and what it makes of them.

#ifndef POLLGATE_TESTS_PARSING_H
#define POLLGATE_TESTS_PARSING_H

#include "net/move_frame.h"
#include "net/parse.h"
#include "rig.h"

/// From a buffer of exactly its size: ASan sees a byte too many.
enum pg_drop parse_as(const uint8_t *bytes, size_t len, const struct identity *identity, unsigned rx, bool rx_offload);
enum pg_drop parse(const uint8_t *bytes, size_t len);
enum pg_drop parse_as_is(const struct frame *f);
enum pg_drop parse_repaired(struct frame *f);
struct frame game(const struct flow *flow);
struct frame game4(void);
struct frame game6(void);
enum pg_drop to4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// querier.h: a querier for multicast listeners at the port of a rig, and the reports that it is told.

#ifndef POLLGATE_TESTS_QUERIER_H
#define POLLGATE_TESTS_QUERIER_H

#include "net/membership.h"
#include "rig.h"

static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
static const uint8_t all_routers[16] = {0xff, 0x02, [15] = 2};
static const uint8_t all_mld2_routers[16] = {0xff, 0x02, [15] = 0x16};
static const uint8_t none[16] = {0};
static const uint8_t querier[16] = {0xfe, 0x80, [15] = 0x99};
static const uint8_t router_alert[8] = {58, 0, 5, 2, 0, 0, 1, 0};

/// A source of 16 bytes for each n.
void source_of(uint8_t *source, unsigned n);
void repair_behind_options(struct frame *f, size_t len);
void build_mld(struct frame *f, const struct flow *flow, const uint8_t *message, size_t len);

struct question {
	unsigned version;
	const uint8_t *group; // NULL: general
	uint16_t delay;
	unsigned sources;
	unsigned tags;
};

struct frame query(struct question q);
struct rig *open_rig(void);
void close_rig(struct rig *rig);
const uint8_t *our_group(void);

#endif

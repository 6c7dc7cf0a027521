// SPDX-License-Identifier: BSD-3-Clause
// host_requests.h: requests to a host, and what becomes of them.

#ifndef POLLGATE_TESTS_HOST_REQUESTS_H
#define POLLGATE_TESTS_HOST_REQUESTS_H

#include "rig.h"

static const uint8_t nobody[6] = {0};
static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
static const uint8_t any6[16] = {0};

enum pg_drop drop_of(const struct frame *f);
enum pg_drop drop_of_repaired(struct frame *f);
void assert_answered(const struct frame *request, const struct frame *expected, enum pg_message message);
struct flow solicitation_flow(void);
struct frame solicitation(bool with_option);

#endif

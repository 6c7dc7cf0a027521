// SPDX-License-Identifier: BSD-3-Clause
// compressing_ends.h: two ends that compress, and what the last one to hear heard.

#ifndef POLLGATE_TESTS_COMPRESSING_ENDS_H
#define POLLGATE_TESTS_COMPRESSING_ENDS_H

#include "talk.h"

#define T 1000000U // a moment

/// Those of the test that runs; chats of 33 bytes and more are compressed, and inventories and bulk of 101.
extern struct talk_end ingress, player;

/// Messages that were delivered, and the last of them.
struct heard {
	uint32_t n, length;
	uint8_t type;
	uint8_t body[SESSION_MESSAGE_MAX];
};
extern struct heard got;

/// For a test to write to.
extern uint8_t body[SESSION_MESSAGE_MAX];

/// Write into it a chat message of so many letters that compress well, or of none that do.
/// @return its bytes
uint32_t chat(uint32_t letters, bool noise);

/// All memory has come back when they close.
int open_ends(void **state);
int close_ends(void **state);

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_ends, close_ends)

#endif

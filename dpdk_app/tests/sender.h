// SPDX-License-Identifier: BSD-3-Clause
// sender.h: a gateway's end of a delivery, with what it is given to say, and the packet that it fills.

#ifndef POLLGATE_TESTS_SENDER_H
#define POLLGATE_TESTS_SENDER_H

#include "talk.h"
#include "unit.h"

#define T 1000000U // a moment

extern struct talk_end ingress;
extern struct talk_packet packet; // the last one
extern const uint8_t zeros[SESSION_MESSAGE_MAX];

/// All memory has come back when it closes.
int open_ingress(void **state);
int close_ingress(void **state);

#define ingress_test(name) cmocka_unit_test_setup_teardown(name, open_ingress, close_ingress)

/// Say something unreliable, of this first byte and zeros.
enum pg_loss inventory(enum priority priority, uint8_t first, uint32_t length, uint64_t now);

/// Say zeros reliably.
enum pg_loss reliable(uint8_t channel, uint32_t length, uint64_t now);

void fill(uint64_t now);

/// Messages in the packet.
uint32_t count(void);

/// First byte of the body of message n of unreliable ones.
uint8_t first_byte(uint32_t n);

void acknowledge(uint64_t newest, uint32_t bits, uint64_t now);

/// @param delay  as it travels
void acknowledge_after(uint32_t newest, uint16_t delay, uint64_t now);

#endif

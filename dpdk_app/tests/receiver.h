// SPDX-License-Identifier: BSD-3-Clause
// receiver.h: both ends of a delivery, datagrams that are written to them by hand, and what they deliver.

#ifndef POLLGATE_TESTS_RECEIVER_H
#define POLLGATE_TESTS_RECEIVER_H

#include "talk.h"
#include "unit.h"

#define T 1000000U // a moment
#define DELIVERED_MAX 400

extern struct talk_end ingress, player;

/// What either has delivered: the type, the last byte and the length of each message.
struct delivered_messages {
	uint32_t n;
	uint8_t type[DELIVERED_MAX];
	uint8_t first[DELIVERED_MAX];
	uint32_t length[DELIVERED_MAX];
};
extern struct delivered_messages got;

/// All memory has come back when they close.
int open_ends(void **state);
int close_ends(void **state);

#define ends_test(name) cmocka_unit_test_setup_teardown(name, open_ends, close_ends)

/// A datagram in hand.
struct datagram_in_hand {
	uint8_t bytes[4096];
	uint16_t length;
};
extern struct datagram_in_hand datagram;

/// When take() takes; T at first.
extern uint64_t now_of_takes;

extern const uint8_t zeros[SESSION_MESSAGE_MAX];

/// Write a message behind those that are in it.
void put(struct talk_raw raw);

/// What became of a datagram: the worst that became of its messages.
enum fate { TAKEN, SKIPPED, OVER_LIMIT, REFUSED, CLOSES };

/// Of the datagram in hand, as the next packet.
enum fate take(struct talk_end *end);

/// Who takes messages of this type.
struct talk_end *receiver(uint8_t type);

/// Of a datagram with this message alone.
enum fate take_one(struct talk_raw raw);

/// A short reliable message, whose last byte tells its id.
struct talk_raw bulk(uint8_t channel, uint16_t id);

/// A piece of a message: put() it, or take() it alone. PIECE is as long as all but the last are.
#define PIECE SESSION_PIECE
void put_piece(uint8_t channel, uint16_t id, uint16_t index, uint16_t count, uint32_t length);
enum fate take_piece(uint8_t channel, uint16_t id, uint16_t index, uint16_t count, uint32_t length);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// talk.h: two ends that talk over a network made of numbers: packets as structures, time as a counter, a seed for all chance.

#ifndef POLLGATE_TESTS_TALK_H
#define POLLGATE_TESTS_TALK_H

#include "crypto/replay.h"
#include "delivery/delivery.h"
#include "delivery/taken.h"

#define TALK_HZ 1000000U // a cycle is a microsecond
#define TALK_MS 1000U

#define TALK_DATAGRAM 1400

struct talk_packet {
	uint32_t counter;
	struct session_prefix prefix;
	uint16_t length;
	uint16_t probe; // bytes of it, if it is a PROBE
	uint8_t body[TALK_DATAGRAM];
};

/// One end: what lane or client keep beside a delivery, and the delivery.
struct talk_end {
	struct delivery_rules rules;
	struct pg_message_stats stats;
	struct delivery_context ctx;
	struct delivery c;
	void *memory;
	size_t memory_bytes;
	uint16_t room;
	uint32_t counter;
	struct replay replay;
	struct taken taken;
	uint64_t taken_at;
	struct delay_clock delays;
	struct intake intake; // of the last packet
	bool violation;

	/// Every message that is delivered.
	void (*deliver)(void *context, struct talk_end *end, const struct delivered *message);
	void *context;
};

/// @param gateway  else a client
/// @param memory   bytes of its pool
void talk_open(struct talk_end *end, bool gateway, size_t memory, uint16_t max_datagram);
void talk_open_without_compressor(struct talk_end *end, bool gateway, size_t memory, uint16_t max_datagram);
void talk_close(struct talk_end *end);

/// The next packet of this end, filled.
void talk_fill(struct talk_end *end, struct talk_packet *packet, uint64_t now);

/// A packet arrives: acknowledgements, messages.
/// @return false when it was refused or seen
bool talk_take(struct talk_end *end, const struct talk_packet *packet, uint64_t now);

/// Queue a message; the defaults are an unreliable BULK of the gateway's or the client's.
struct talk_say {
	uint8_t type;
	bool reliable;
	uint8_t channel;
	enum priority priority;
	uint32_t receipt;
	const void *body;
	uint32_t length;
};
enum pg_loss talk_say(struct talk_end *end, struct talk_say say, uint64_t now);

/// A message into a datagram by hand.
struct talk_raw {
	uint8_t type;
	uint8_t flags;
	uint16_t id;
	const void *body;
	uint32_t length;
};
uint16_t talk_write(uint8_t *out, struct talk_raw raw);

uint64_t talk_random(uint64_t *seed);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// sender.c: see sender.h.

#include "sender.h"

#include <string.h>

struct talk_end ingress;
struct talk_packet packet;
const uint8_t zeros[SESSION_MESSAGE_MAX];

int open_ingress(UNUSED void **state)
{
	talk_open(&ingress, true, 1 << 20, 1400);
	return 0;
}

int close_ingress(UNUSED void **state)
{
	delivery_end(&ingress.ctx, &ingress.c, PG_LOSS_CLOSED);
	assert_int_equal(message_pool_free_bytes(ingress.ctx.pool), 1 << 20);
	talk_close(&ingress);
	return 0;
}

enum pg_loss inventory(enum priority priority, uint8_t first, uint32_t length, uint64_t now)
{
	uint8_t body[2000] = {first};

	return talk_say(
		&ingress,
		(struct talk_say){.type = SESSION_INVENTORY, .priority = priority, .body = body, .length = length},
		now);
}

enum pg_loss reliable(uint8_t channel, uint32_t length, uint64_t now)
{
	return talk_say(&ingress,
			(struct talk_say){.type = SESSION_INVENTORY,
					  .reliable = true,
					  .channel = channel,
					  .body = zeros,
					  .length = length},
			now);
}

uint32_t count(void)
{
	uint32_t n = 0;

	for (uint32_t at = 0; at < packet.length; n++) {
		struct session_message head;

		memcpy(&head, packet.body + at, sizeof(head));
		at += (uint32_t)sizeof(head) + (head.flags & SESSION_MESSAGE_RELIABLE ? 2 : 0) + head.body_len;
		assert_uint_in_range(at, 0, packet.length);
	}
	return n;
}

uint8_t first_byte(uint32_t n)
{
	uint32_t at = 0;

	while (n-- > 0) {
		struct session_message head;

		memcpy(&head, packet.body + at, sizeof(head));
		at += (uint32_t)sizeof(head) + head.body_len;
	}
	return packet.body[at + sizeof(struct session_message)];
}

void fill(uint64_t now)
{
	talk_fill(&ingress, &packet, now);
}

void acknowledge_after(uint32_t newest, uint16_t delay, uint64_t now)
{
	const struct session_prefix prefix = {.ack = newest, .ack_delay = delay};

	delivery_acknowledged(&ingress.ctx, &ingress.c, ingress.counter, &prefix, now);
}

void acknowledge(uint64_t newest, uint32_t bits, uint64_t now)
{
	const struct session_prefix prefix = {.ack = (uint32_t)newest, .ack_bits = bits};

	delivery_acknowledged(&ingress.ctx, &ingress.c, ingress.counter, &prefix, now);
}

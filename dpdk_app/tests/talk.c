// SPDX-License-Identifier: BSD-3-Clause
// talk.c: two ends that talk: what surrounds a delivery, without cryptography.

#include "talk.h"

#include <stdlib.h>
#include <string.h>

void talk_open_without_compressor(struct talk_end *end, bool gateway, size_t memory, uint16_t max_datagram)
{
	*end = (struct talk_end){
		.rules =
			{
				.millisecond = TALK_MS,
				.flush_after = 5 * TALK_MS,
				.acknowledge_after = 25 * TALK_MS,
				.resend_after_min = 10 * TALK_MS,
				.ack_delay_unit = TALK_HZ / SESSION_ACK_DELAY_HZ,
				.queue_bytes = 256 * 1024,
				.compress_min = {UINT32_MAX, UINT32_MAX, UINT32_MAX},
			},
		.delays = delay_clock_of(TALK_HZ),
		.memory_bytes = memory,
		.room = (uint16_t)(max_datagram - SESSION_DATA_MIN),
	};
	end->memory = aligned_alloc(CACHE_LINE, message_pool_size(memory));
	end->ctx = (struct delivery_context){
		.rules = &end->rules,
		.pool = message_pool_init(end->memory, memory),
		.stats = &end->stats,
		.gateway = gateway,
	};
	delivery_begin(&end->ctx, &end->c, 0, end->room);
}

void talk_open(struct talk_end *end, bool gateway, size_t memory, uint16_t max_datagram)
{
	talk_open_without_compressor(end, gateway, memory, max_datagram);
	end->ctx.compressor = compressor_new(6);
}

void talk_close(struct talk_end *end)
{
	compressor_free(end->ctx.compressor);
	free(end->memory);
}

void talk_fill(struct talk_end *end, struct talk_packet *packet, uint64_t now)
{
	packet->counter = ++end->counter;
	packet->probe = delivery_probe(&end->ctx, &end->c, now);
	packet->length = 0;
	if (packet->probe != 0) {
		delivery_probed(&end->ctx, &end->c, packet->counter, now);
		return;
	}
	taken_write(&end->taken, taken_delay(now - end->taken_at, &end->delays), (uint8_t *)&packet->prefix);
	packet->length =
		delivery_fill(&end->ctx, &end->c, packet->counter, now, packet->body, TALK_DATAGRAM - SESSION_DATA_MIN);
}

bool talk_take(struct talk_end *end, const struct talk_packet *packet, uint64_t now)
{
	struct intake *intake = &end->intake;
	struct delivered message;

	if (!replay_fresh(&end->replay, packet->counter))
		return false;
	replay_mark(&end->replay, packet->counter);
	if (packet->probe != 0) {
		if (taken_mark(&end->taken, packet->counter))
			end->taken_at = now;
		end->c.owed = now;
		return true;
	}
	delivery_heed_busy(&end->ctx, &end->c, packet->body, packet->length, now);
	delivery_acknowledged(&end->ctx, &end->c, end->counter, &packet->prefix, now);
	intake_begin(intake, packet->body, packet->length, packet->counter, now);
	while (intake_next(&end->ctx, &end->c, intake, &message)) {
		if (end->deliver)
			end->deliver(end->context, end, &message);
	}
	end->violation |= intake->violation;
	if (intake->refused)
		delivery_refuse(&end->ctx, &end->c, intake);
	if (intake->refused || intake->drop != PG_DROP_NONE)
		return false;
	if (taken_mark(&end->taken, packet->counter))
		end->taken_at = now;
	if (packet->length != 0)
		delivery_owe(&end->ctx, &end->c, now);
	return true;
}

enum pg_loss talk_say(struct talk_end *end, struct talk_say say, uint64_t now)
{
	const uint8_t bulk = end->ctx.gateway ? SESSION_BULK_EVENT : SESSION_BULK;

	return delivery_queue(&end->ctx, &end->c,
			      &(struct outgoing){
				      .type = say.type != 0 ? say.type : bulk,
				      .channel = say.channel,
				      .reliable = say.reliable,
				      .priority = say.priority,
				      .receipt = say.receipt,
				      .sender = 7,
				      .body = say.body,
				      .length = say.length,
			      },
			      now);
}

uint16_t talk_write(uint8_t *out, struct talk_raw raw)
{
	const struct session_message head = {.type = raw.type, .flags = raw.flags, .body_len = (uint16_t)raw.length};
	uint8_t *at = out;

	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	if (raw.flags & SESSION_MESSAGE_RELIABLE) {
		memcpy(at, &raw.id, sizeof(raw.id));
		at += sizeof(raw.id);
	}
	if (raw.length != 0)
		memcpy(at, raw.body, raw.length);
	return (uint16_t)(at + raw.length - out);
}

uint64_t talk_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15; // splitmix64 (Steele, Lea and Flood, 2014)

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

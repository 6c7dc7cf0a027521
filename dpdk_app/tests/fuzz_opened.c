// SPDX-License-Identifier: BSD-3-Clause
// fuzz_opened.c: any messages and acknowledgements against one delivery: nothing is delivered that is not valid,
// all memory is accounted for, and it ends only for what is no message at all.
//
// Input: a byte of settings (bit 0 client, bit 1 little memory, bit 2 small datagrams, bit 3 ids about to wrap), then records of
// a step and its bytes: TAKE u16 length, bytes; TOLD u8 how far behind, u32 bits; SAY u8 type, u8 how, u16 length; FILL
// u16 room; WAIT u16 milliseconds; OVER. All little-endian; the last record may be short.

#include <stdlib.h>
#include <string.h>

#include "delivery/holding.h"
#include "delivery/piece.h"
#include "delivery/restart.h"
#include "message/session_check.h"
#include "talk.h"

enum setting { CLIENT = 1, LITTLE_MEMORY = 2, SMALL_DATAGRAMS = 4, LAST_IDS = 8 };
enum step { TAKE, TOLD, SAY, FILL, WAIT, OVER, STEPS };

struct input {
	const uint8_t *at, *end;
};

static struct talk_end end;
static uint32_t peer_counter;
static uint64_t now;

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

// ---------------------------------------------------------------- input

static uint32_t number(struct input *in, size_t bytes)
{
	uint32_t value = 0;
	const size_t n = (size_t)(in->end - in->at) < bytes ? (size_t)(in->end - in->at) : bytes;

	if (n != 0)
		memcpy(&value, in->at, n);
	in->at += n;
	return value;
}

// ---------------------------------------------------------------- form

/// Has the datagram nothing but whole messages that can be, as many as may be?
static bool is_well_formed(const uint8_t *at, const uint8_t *stop)
{
	struct piece piece;

	for (uint32_t messages = 0; at != stop; messages++)
		if (messages == SESSION_MESSAGES_MAX || !piece_read(&at, stop, &piece) || !piece_can_be(&piece))
			return false;
	return true;
}

/// What became of all messages that came: each is counted once.
static uint64_t accounted(const struct pg_message_stats *stats)
{
	uint64_t n = stats->duplicates + stats->skipped + stats->over_limit;

	for (unsigned i = 0; i < PG_REFUSALS; i++)
		n += stats->refused[i];
	for (unsigned i = 0; i < PG_REQUESTS; i++)
		n += stats->received[i];
	return n;
}

// ---------------------------------------------------------------- what must always be

static uint32_t held_blocks(void)
{
	const struct inbound *in = &end.c.in;

	return (in->holding != POOL_NONE ? holding_at(end.ctx.pool, in->holding)->blocks : 0);
}

static void check_always(void)
{
	const struct delivery *c = &end.c;
	const bool nothing = c->out.messages == 0 && c->busy.reason == 0 && c->path.search != PATH_SEARCHING;

	require(end.ctx.pool->held == held_blocks());
	require(end.ctx.pool->used == c->out.blocks + (c->out.lists != POOL_NONE ? 1 : 0) + held_blocks() +
					      (c->in.dropped != POOL_NONE ? 1 : 0));
	require(end.stats.memory_used == (uint64_t)end.ctx.pool->used * POOL_BLOCK);
	require(delivery_quiet(c) == nothing);
	require((c->out.messages == 0) == (c->out.blocks == 0) &&
		(c->out.messages == 0) == (c->out.lists == POOL_NONE));
	require((delivery_due(c) == UINT64_MAX) == (nothing && c->owed == 0));
	require(end.ctx.pool->held <= end.ctx.pool->blocks / 2);
	require(c->out.flights <= CONGESTION_MOST);
}

// ---------------------------------------------------------------- steps

static void begin(uint8_t settings)
{
	const uint16_t first = settings & LAST_IDS ? 65500 : 0;
	const struct delivery_ids ids = {.tx = {first, first, first, first}, .rx = {first, first, first, first}};

	delivery_begin(&end.ctx, &end.c, 0, end.room);
	delivery_resume(&end.c, &ids, NULL);
}

static void finish(void)
{
	delivery_end(&end.ctx, &end.c, PG_LOSS_CLOSED);
	require(message_pool_free_bytes(end.ctx.pool) == end.memory_bytes);
}

/// @return false when the connection is to be closed
static bool opened(struct input *in)
{
	const uint32_t asked = number(in, 2), rest = (uint32_t)(in->end - in->at);
	const uint16_t length = (uint16_t)(asked % (SESSION_DATAGRAM_MAX - SESSION_DATA_MIN + 1) < rest ?
						   asked % (SESSION_DATAGRAM_MAX - SESSION_DATA_MIN + 1) :
						   rest);
	uint8_t *copy = malloc(length != 0 ? length : 1); // exactly: a byte too many is seen
	const uint64_t before = accounted(&end.stats);
	struct intake intake;
	struct delivered message;
	uint32_t n = 0;

	if (length != 0)
		memcpy(copy, in->at, length);
	in->at += length;
	holding_expire(&end.ctx, now);
	intake_begin(&intake, copy, length, ++peer_counter, now);
	for (; intake_next(&end.ctx, &end.c, &intake, &message); n++)
		require(message.length <= SESSION_MESSAGE_MAX &&
			session_body_check(message.type, message.body, message.length) == PG_DROP_NONE);
	require(intake.violation || is_well_formed(copy, copy + length));
	require(n <= SESSION_MESSAGES_MAX + SESSION_CHANNEL_WINDOW * INBOUND_ORDERED);
	require(accounted(&end.stats) >= before);
	if (intake.refused)
		delivery_refuse(&end.ctx, &end.c, &intake);
	else if (length != 0 && intake.drop == PG_DROP_NONE)
		delivery_owe(&end.ctx, &end.c, now);
	free(copy);
	return !intake.violation;
}

static void acknowledged(struct input *in)
{
	const uint32_t behind = number(in, 1);
	const struct session_prefix prefix = {.ack = end.counter - behind, .ack_bits = number(in, 4)};

	delivery_acknowledged(&end.ctx, &end.c, end.counter, &prefix, now);
}

static void queue(struct input *in)
{
	static const uint8_t zeros[SESSION_MESSAGE_MAX + 16];
	const uint8_t type = (uint8_t)number(in, 1), how = (uint8_t)number(in, 1);
	const uint32_t length = number(in, 2);
	const struct outgoing message = {
		.type = type,
		.reliable = how & 1,
		.channel = how >> 1 & 3,
		.priority = (enum priority)((how >> 3) % PRIORITIES),
		.sender = 5,
		.body = zeros,
		.length = length,
	};
	const uint32_t before = end.c.out.messages;
	const enum pg_loss loss = delivery_queue(&end.ctx, &end.c, &message, now);

	require(end.c.out.messages == before + (loss == PG_LOSS_NONE));
	require(loss == PG_LOSS_NONE || end.stats.lost[loss] != 0);
}

static void check_packet(const uint8_t *at, const uint8_t *stop)
{
	for (uint32_t messages = 0; at != stop; messages++) {
		struct session_message head;

		require(messages < SESSION_MESSAGES_MAX);
		memcpy(&head, at, sizeof(head));
		at += sizeof(head);
		if (head.flags & SESSION_MESSAGE_RELIABLE) {
			uint16_t id;

			memcpy(&id, at, sizeof(id));
			require(id_ahead(end.c.out.oldest[(head.flags & SESSION_MESSAGE_CHANNEL_MASK) >>
							  SESSION_MESSAGE_CHANNEL_SHIFT],
					 id) < SESSION_CHANNEL_WINDOW);
			at += sizeof(id);
		}
		at += head.body_len;
		require(at <= stop);
	}
}

static void fill(struct input *in)
{
	const uint32_t asked = number(in, 2);
	const uint16_t room = asked < end.room ? (uint16_t)asked : end.room;

	if (delivery_probe(&end.ctx, &end.c, now) != 0) {
		delivery_probed(&end.ctx, &end.c, ++end.counter, now);
		return;
	}

	uint8_t *body = malloc(room != 0 ? room : 1);
	const bool owed = end.c.owed != 0, due = delivery_due(&end.c) <= now, flying = end.c.out.flights != 0;
	const uint16_t length = delivery_fill(&end.ctx, &end.c, ++end.counter, now, body, room);

	require(length <= room && end.c.owed == 0);
	check_packet(body, body + length);
	if (due && !owed && room == end.room)
		require(length != 0 || flying); // nobody is called for nothing, but to see that something is lost
	free(body);
}

static bool step(struct input *in)
{
	switch (number(in, 1) % STEPS) {
	case TAKE:
		return opened(in);
	case TOLD:
		acknowledged(in);
		return true;
	case SAY:
		queue(in);
		return true;
	case FILL:
		fill(in);
		return true;
	case WAIT:
		now += number(in, 2) * (uint64_t)TALK_MS;
		return true;
	default:
		return false;
	}
}

/// Compressors take long to make: one end is enough for all inputs.
static void open_end(uint8_t settings)
{
	static struct compressor *compressor;

	talk_open_without_compressor(&end, !(settings & CLIENT), settings & LITTLE_MEMORY ? 40 * POOL_BLOCK : 256 << 10,
				     settings & SMALL_DATAGRAMS ? SESSION_DATAGRAM_MIN : SESSION_DATAGRAM_MAX);
	if (!compressor)
		compressor = compressor_new(6);
	end.ctx.compressor = compressor;
	end.rules.queue_bytes = settings & LITTLE_MEMORY ? 30 * POOL_BLOCK : 256 * 1024;
	end.rules.message_rate[PG_REQUEST_SKILL] = rate_make(1, 3, TALK_HZ);
	for (unsigned type = 0; type < PG_COMPRESSIBLE; type++)
		end.rules.compress_min[type] = settings & LITTLE_MEMORY ? UINT32_MAX : 40;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	const uint8_t settings = (uint8_t)number(&in, 1);

	now = 1000;
	open_end(settings);
	begin(settings);
	while (in.at != in.end) {
		const bool goes_on = step(&in);

		check_always();
		if (!goes_on) {
			finish();
			begin(settings);
		}
	}
	finish();
	end.ctx.compressor = NULL;
	talk_close(&end);
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// fuzz_opened.c: any messages and acknowledgements against one delivery, held to a plain model of what must come of
// them.
//
// Input: a byte of settings (bit 0 client, bit 1 little memory, bit 2 small datagrams, bit 3 ids about to wrap), then records of
// a step and its bytes: TAKE u16 length, bytes; TOLD u8 how far behind, u32 bits; SAY u8 type, u8 how, u16 length; FILL
// u16 room; WAIT u16 milliseconds; OVER. All little-endian; the last record may be short.

#include <stdlib.h>
#include <string.h>

#include "message/session_check.h"
#include "talk.h"

enum setting { CLIENT = 1, LITTLE_MEMORY = 2, SMALL_DATAGRAMS = 4, LAST_IDS = 8 };
enum step { TAKE, TOLD, SAY, FILL, WAIT, OVER, STEPS };

#define ARENA (64 << 20)
#define EXPECTED_MAX 1024 // a datagram's messages, and windows that waited for them

/// A message that must be delivered next, as the model sees it.
struct copy {
	uint8_t type, flags;
	uint8_t channel;
	uint32_t length;
	const uint8_t *body;
};

/// What must come of the datagrams so far: every message that was taken and not delivered, in memory without bounds.
struct model {
	struct {
		uint16_t oldest;
		bool here[SESSION_CHANNEL_WINDOW];
		struct copy kept[SESSION_CHANNEL_WINDOW];
		struct copy joined; // length: so far; no body: none
		uint16_t next, count;
	} channel[SESSION_CHANNELS];
	struct copy expected[EXPECTED_MAX];
	uint32_t n;
	bool violation;
};

struct input {
	const uint8_t *at, *end;
};

static struct talk_end end;
static struct model model;
static uint8_t arena[ARENA];
static size_t arena_used;
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

static uint8_t *arena_take(size_t bytes)
{
	require(arena_used + bytes <= sizeof(arena));
	arena_used += bytes;
	return arena + arena_used - bytes;
}

// ---------------------------------------------------------------- model

static void expect(struct copy message)
{
	require(model.n < EXPECTED_MAX);
	if (model.violation)
		return;
	// A whole that came in pieces, or compressed, is looked at when it is whole.
	if (message.flags & SESSION_MESSAGE_FRAGMENT) {
		struct compressor *compressor = end.ctx.compressor;
		enum pg_drop drop;

		expand_forget(compressor);
		if (!(message.flags & SESSION_MESSAGE_COMPRESSED))
			drop = session_body_check(message.type, message.body, message.length);
		else if (!expand_body(compressor, message.body, message.length))
			drop = PG_DROP_MESSAGE_COMPRESSION;
		else
			drop = session_body_check(message.type, compressor->expanded, compressor->expanded_length);
		expand_forget(compressor);
		if (drop != PG_DROP_NONE) {
			model.violation = true;
			return;
		}
	}
	model.expected[model.n++] = message;
}

static void model_join(const struct copy *message)
{
	const uint8_t channel = message->channel;
	struct copy *joined = &model.channel[channel].joined;
	uint16_t index, count;

	memcpy(&index, message->body, sizeof(index));
	memcpy(&count, message->body + 2, sizeof(count));
	if (index == 0 && !joined->body) {
		*joined = *message;
		joined->length = 0;
		joined->body = arena_take(SESSION_MESSAGE_MAX);
		model.channel[channel].next = 0;
		model.channel[channel].count = count;
	}
	if (!joined->body || index != model.channel[channel].next || count != model.channel[channel].count ||
	    joined->type != message->type || joined->flags != message->flags ||
	    joined->length + message->length - 4 > SESSION_MESSAGE_MAX) {
		model.violation = true;
		return;
	}
	memcpy((uint8_t *)(uintptr_t)joined->body + joined->length, message->body + 4, message->length - 4);
	joined->length += message->length - 4;
	if (++model.channel[channel].next != count)
		return;
	expect(*joined);
	joined->body = NULL;
}

static void model_in_order(const struct copy *message)
{
	if (message->flags & SESSION_MESSAGE_FRAGMENT)
		model_join(message);
	else if (model.channel[message->channel].joined.body)
		model.violation = true;
	else
		expect(*message);
}

static void model_reliable(const struct copy *message, uint16_t id)
{
	const uint8_t channel = message->channel;
	uint16_t *oldest = &model.channel[channel].oldest;
	const uint16_t ahead = (uint16_t)(id - *oldest);
	bool *here = model.channel[channel].here;

	if (ahead >= 0x8000 || here[id % SESSION_CHANNEL_WINDOW])
		return;
	require(ahead < SESSION_CHANNEL_WINDOW);
	here[id % SESSION_CHANNEL_WINDOW] = true;
	model.channel[channel].kept[id % SESSION_CHANNEL_WINDOW] = *message;
	if (channel == SESSION_CHANNEL_UNORDERED)
		expect(*message);
	while (here[*oldest % SESSION_CHANNEL_WINDOW] && !model.violation) {
		here[*oldest % SESSION_CHANNEL_WINDOW] = false;
		if (channel != SESSION_CHANNEL_UNORDERED)
			model_in_order(&model.channel[channel].kept[*oldest % SESSION_CHANNEL_WINDOW]);
		(*oldest)++;
	}
}

/// A datagram that was admitted, so it is well-formed.
static void model_datagram(const uint8_t *at, const uint8_t *stop)
{
	uint32_t messages = 0;

	model.n = 0;
	while (at != stop && !model.violation) {
		struct session_message head;
		struct copy message;
		uint16_t id = 0;

		require(++messages <= SESSION_MESSAGES_MAX && (size_t)(stop - at) >= sizeof(head));
		memcpy(&head, at, sizeof(head));
		at += sizeof(head);
		require((head.flags & SESSION_MESSAGE_UNUSED) == 0 && session_type_known(head.type, end.ctx.gateway));
		if (head.flags & SESSION_MESSAGE_RELIABLE) {
			memcpy(&id, at, sizeof(id));
			at += sizeof(id);
		}
		require(at + head.body_len <= stop);
		message = (struct copy){head.type, head.flags, head.flags >> SESSION_MESSAGE_CHANNEL_SHIFT,
					head.body_len, at};
		at += head.body_len;
		if (head.flags & SESSION_MESSAGE_RELIABLE)
			model_reliable(&message, id);
		else
			expect(message);
	}
}

// ---------------------------------------------------------------- what must always be

static uint32_t reassembly_blocks(void)
{
	const uint32_t piece = sizeof(((struct pool_piece *)0)->bytes);
	uint32_t blocks = 0;

	for (unsigned channel = 0; channel < INBOUND_ORDERED; channel++)
		blocks += (end.c.in.reassembly[channel].length + piece - 1) / piece;
	return blocks;
}

static void check_always(void)
{
	const struct delivery *c = &end.c;
	const bool nothing = c->out.messages == 0;

	require(end.ctx.pool->used == c->out.blocks + c->in.waiting_blocks + reassembly_blocks());
	require(end.ctx.pool->reserved == 0);
	require(end.stats.memory_used == (uint64_t)end.ctx.pool->used * POOL_BLOCK);
	require(delivery_quiet(c) == nothing);
	require(nothing == (c->out.blocks == 0));
	require((delivery_due(c) == UINT64_MAX) == (nothing && c->owed == 0));
	require((uint64_t)c->in.waiting_blocks * POOL_BLOCK <= end.rules.queue_bytes);
	for (unsigned channel = 0; channel < SESSION_CHANNELS; channel++)
		require(c->in.window[channel].oldest == model.channel[channel].oldest || model.violation);
}

// ---------------------------------------------------------------- steps

static void begin(uint8_t settings)
{
	const uint16_t first = settings & LAST_IDS ? 65500 : 0;
	const uint16_t ids[SESSION_CHANNELS] = {first, first, first, first};

	memset(&model, 0, sizeof(model));
	arena_used = 0;
	for (unsigned channel = 0; channel < SESSION_CHANNELS; channel++)
		model.channel[channel].oldest = first;
	delivery_begin(&end.ctx, &end.c, 0, end.room);
	delivery_resume(&end.c, ids, ids);
}

static void finish(void)
{
	delivery_end(&end.ctx, &end.c, PG_LOSS_CLOSED);
	require(message_pool_free_bytes(end.ctx.pool) == end.memory_bytes);
}

static void deliver_expected(const struct delivered *message, uint32_t i)
{
	const struct copy *expected = &model.expected[i];

	require(i < model.n);
	require(message->type == expected->type);
	require(message->reliable == ((expected->flags & SESSION_MESSAGE_RELIABLE) != 0));
	require(!message->reliable || message->channel == expected->channel);
	require(message->length <= SESSION_MESSAGE_MAX);
	require(session_body_check(message->type, message->body, message->length) == PG_DROP_NONE);
	if (!(expected->flags & SESSION_MESSAGE_COMPRESSED))
		require(message->length == expected->length &&
			memcmp(message->body, expected->body, message->length) == 0);
}

/// @return false when the connection is to be closed
static bool opened(struct input *in)
{
	const uint32_t asked = number(in, 2), rest = (uint32_t)(in->end - in->at);
	const uint16_t length = (uint16_t)(asked % (SESSION_DATAGRAM_MAX - SESSION_DATA_MIN + 1) < rest ?
						   asked % (SESSION_DATAGRAM_MAX - SESSION_DATA_MIN + 1) :
						   rest);
	uint8_t *copy = malloc(length != 0 ? length : 1); // exactly: a byte too many is seen
	uint8_t *kept = arena_take(length);
	const struct delivery before = end.c;
	struct intake intake;
	struct delivered message;
	uint32_t n = 0;

	if (length != 0) {
		memcpy(copy, in->at, length);
		memcpy(kept, in->at, length);
	}
	in->at += length;
	const enum pg_drop drop = delivery_admit(&end.ctx, &end.c, copy, length, now);
	if (drop != PG_DROP_NONE) {
		require(drop < PG_DROPS && memcmp(&before, &end.c, sizeof(before)) == 0);
		free(copy);
		return true;
	}
	model_datagram(kept, kept + length);
	intake_begin(&intake, copy, length);
	while (intake_next(&end.ctx, &end.c, &intake, &message))
		deliver_expected(&message, n++);
	require(n == model.n && intake.violation == model.violation);
	if (length != 0)
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
			require(window_ahead(&end.c.out.window[head.flags >> SESSION_MESSAGE_CHANNEL_SHIFT], id) <
				SESSION_CHANNEL_WINDOW);
			at += sizeof(id);
		}
		at += head.body_len;
		require(at <= stop);
	}
}

/// @return false when the connection is to be closed
static bool fill(struct input *in)
{
	const uint32_t asked = number(in, 2);
	const uint16_t room = asked < end.room ? (uint16_t)asked : end.room;
	uint8_t *body = malloc(room != 0 ? room : 1);
	const bool owed = end.c.owed != 0, due = delivery_due(&end.c) <= now;
	const uint16_t length = delivery_fill(&end.ctx, &end.c, ++end.counter, now, body, room);
	const bool gave_up = delivery_gave_up(&end.c);

	require(length <= room && end.c.owed == 0);
	check_packet(body, body + length);
	if (due && !owed && room == end.room)
		require(length != 0 || gave_up); // nobody is called for nothing
	free(body);
	return !gave_up;
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
		return fill(in);
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
	while (in.at != in.end && arena_used < sizeof(arena) / 2) {
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

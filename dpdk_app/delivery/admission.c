// SPDX-License-Identifier: BSD-3-Clause
// delivery/admission.c: a datagram's messages are all checked before any is taken: form, rates, room.

#include "delivery/inbound.h"

#include <string.h>

#include "delivery/piece.h"
#include "delivery/stored.h"
#include "message/session_check.h"

/// What the datagram would change, if all of it is admitted.
struct admission {
	struct delivery_context *ctx;
	const struct inbound *in;
	uint64_t conforms_at[PG_REQUESTS];
	uint64_t now;
	uint16_t next[INBOUND_ORDERED]; // id that the messages so far leave a channel waiting for
	uint32_t waiting;               // blocks for messages that must wait
	uint32_t reassembly;            // blocks for fragments
	uint32_t messages;
	bool compressed;
	bool expanded; // a body was expanded, which costs time even if the datagram is refused
};

static enum pg_drop flags_check(const struct piece *piece)
{
	if (piece->flags & SESSION_MESSAGE_UNUSED)
		return PG_DROP_MESSAGE_RESERVED;
	if (!is_reliable(piece) && piece->channel != 0)
		return PG_DROP_MESSAGE_RESERVED;
	if (is_fragment(piece) && (!is_reliable(piece) || piece->channel == SESSION_CHANNEL_UNORDERED))
		return PG_DROP_MESSAGE_ORDER;
	if (piece->flags & SESSION_MESSAGE_COMPRESSED && session_compressible(piece->type) == PG_COMPRESSIBLE)
		return PG_DROP_MESSAGE_COMPRESSION;
	return PG_DROP_NONE;
}

static enum pg_drop fragment_check(const struct piece *piece)
{
	struct session_fragment fragment;

	if (piece->length < sizeof(fragment))
		return PG_DROP_MESSAGE_SIZE;
	fragment = fragment_of(piece);
	if (fragment.count < 2 || fragment.count > SESSION_FRAGMENTS_MAX || fragment.index >= fragment.count)
		return PG_DROP_MESSAGE_ORDER;
	return PG_DROP_NONE;
}

static enum pg_drop piece_check(const struct piece *piece, bool gateway)
{
	enum pg_drop drop;

	if (!session_type_known(piece->type, gateway))
		return PG_DROP_MESSAGE_TYPE;
	drop = flags_check(piece);
	if (drop != PG_DROP_NONE)
		return drop;
	if (is_fragment(piece))
		return fragment_check(piece);
	if (piece->flags & SESSION_MESSAGE_COMPRESSED)
		return PG_DROP_NONE; // checked later: cheap checks come first
	return session_body_check(piece->type, piece->body, piece->length);
}

/// How many messages of its type a piece counts as. A message counts as one, in however many pieces it comes, and as
/// one more for every datagram that it says it expands to.
static uint32_t weight(const struct piece *piece)
{
	const uint32_t from = is_fragment(piece) ? (uint32_t)sizeof(struct session_fragment) : 0;
	struct session_compressed head = {.original_len = SESSION_MESSAGE_MAX};

	if (is_fragment(piece) && fragment_of(piece).index != 0)
		return 0;
	if (!(piece->flags & SESSION_MESSAGE_COMPRESSED))
		return 1;
	if (piece->length >= from + sizeof(head))
		memcpy(&head, piece->body + from, sizeof(head));
	if (head.original_len > SESSION_MESSAGE_MAX) // refused when it is looked at
		return 1;
	return 1 + head.original_len / SESSION_DATAGRAM_MAX;
}

static bool charge(struct admission *a, const struct piece *piece)
{
	const enum pg_request request = session_request(piece->type);
	const uint32_t counts = weight(piece);

	return request == PG_REQUESTS || counts == 0 ||
	       rate_admit_many(&a->conforms_at[request], a->ctx->rules->message_rate[request], counts, a->now);
}

/// Blocks that a message on a channel in order needs until it can be delivered.
static void claim(struct admission *a, const struct piece *piece)
{
	const struct id_window *window = &a->in->window[piece->channel];
	uint16_t *next = &a->next[piece->channel];

	if (piece->id != *next) {
		const bool named = a->in->page[piece->channel][(piece->id & WINDOW_MASK) / INBOUND_PAGE] != POOL_NONE;

		a->waiting += stored_blocks(piece->length) + (named ? 0 : 1);
		return;
	}
	if (is_fragment(piece))
		a->reassembly += pieces_of(piece->length);
	(*next)++;
	// Messages that waited for this one follow it. At most one lap around the ring: this id's own bit is not set.
	while (window_ahead(window, *next) < SESSION_CHANNEL_WINDOW && window_done(window, *next))
		(*next)++;
}

/// Was the message delivered before, or does it wait already? Then it is only acknowledged, and no rate is charged.
static bool seen_before(const struct inbound *in, const struct piece *piece)
{
	const struct id_window *window = &in->window[piece->channel];

	return is_reliable(piece) && (window_behind(window, piece->id) || window_done(window, piece->id));
}

static enum pg_drop admit_reliable(struct admission *a, const struct piece *piece)
{
	const struct id_window *window = &a->in->window[piece->channel];

	if (!window_behind(window, piece->id) && window_ahead(window, piece->id) >= SESSION_CHANNEL_WINDOW)
		return PG_DROP_MESSAGE_ORDER;
	if (seen_before(a->in, piece))
		return PG_DROP_NONE;
	if (!charge(a, piece))
		return PG_DROP_MESSAGE_RATE_LIMITED;
	if (piece->channel != SESSION_CHANNEL_UNORDERED)
		claim(a, piece);
	return PG_DROP_NONE;
}

static enum pg_drop admit_piece(struct admission *a, const struct piece *piece)
{
	const enum pg_drop drop = piece_check(piece, a->ctx->gateway);

	if (drop != PG_DROP_NONE)
		return drop;
	if (++a->messages > SESSION_MESSAGES_MAX)
		return PG_DROP_MESSAGE_SIZE;
	if (piece->flags & SESSION_MESSAGE_COMPRESSED && !is_fragment(piece))
		a->compressed = true;
	if (is_reliable(piece))
		return admit_reliable(a, piece);
	return charge(a, piece) ? PG_DROP_NONE : PG_DROP_MESSAGE_RATE_LIMITED;
}

/// Messages that wait for others are bounded per session. A message that others wait for is bounded by the pool alone,
/// or it could never be taken. Each channel joins one message at a time, whose length is bounded.
static bool admit_room(const struct admission *a)
{
	const uint64_t waiting = a->in->waiting_blocks + (uint64_t)a->waiting;

	if (a->waiting == 0 && a->reassembly == 0)
		return true;
	if (a->waiting != 0 && waiting * POOL_BLOCK > a->ctx->rules->queue_bytes)
		return false;
	return pool_has(a->ctx->pool, a->waiting + a->reassembly);
}

static enum pg_drop expand_check(struct delivery_context *ctx, const struct piece *piece)
{
	struct compressor *compressor = ctx->compressor;

	expand_forget(compressor);
	if (!expand_body(compressor, piece->body, piece->length))
		return PG_DROP_MESSAGE_COMPRESSION;
	return session_body_check(piece->type, compressor->expanded, compressor->expanded_length);
}

/// Bodies that came compressed and whole, and are new.
static enum pg_drop admit_compressed(struct admission *a, const uint8_t *at, const uint8_t *end)
{
	struct piece piece;

	while (at != end && piece_read(&at, end, &piece) == PG_DROP_NONE) {
		enum pg_drop drop;

		if (!(piece.flags & SESSION_MESSAGE_COMPRESSED) || is_fragment(&piece) || seen_before(a->in, &piece))
			continue;
		a->expanded = true;
		drop = expand_check(a->ctx, &piece);
		if (drop != PG_DROP_NONE)
			return drop;
	}
	return PG_DROP_NONE;
}

static enum pg_drop admit_all(struct admission *a, const uint8_t *at, const uint8_t *end)
{
	const uint8_t *begin = at;

	while (at != end) {
		struct piece piece;
		enum pg_drop drop = piece_read(&at, end, &piece);

		if (drop == PG_DROP_NONE)
			drop = admit_piece(a, &piece);
		if (drop != PG_DROP_NONE)
			return drop;
	}
	if (!admit_room(a))
		return PG_DROP_NO_ROOM;
	return a->compressed ? admit_compressed(a, begin, end) : PG_DROP_NONE;
}

enum pg_drop inbound_admit(struct delivery_context *ctx, const struct inbound *in, uint64_t conforms_at[PG_REQUESTS],
			   const uint8_t *body, uint16_t length, uint64_t now)
{
	struct admission a = {.ctx = ctx, .in = in, .now = now};
	enum pg_drop drop;

	ctx->pool->reserved = 0;
	memcpy(a.conforms_at, conforms_at, sizeof(a.conforms_at));
	for (unsigned channel = 0; channel < INBOUND_ORDERED; channel++)
		a.next[channel] = in->window[channel].oldest;
	drop = admit_all(&a, body, body + length);
	if (drop == PG_DROP_NONE || a.expanded)
		memcpy(conforms_at, a.conforms_at, sizeof(a.conforms_at));
	if (drop != PG_DROP_NONE)
		return drop;
	ctx->pool->reserved = a.waiting + a.reassembly;
	return PG_DROP_NONE;
}

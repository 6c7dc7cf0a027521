// SPDX-License-Identifier: BSD-3-Clause
// delivery/inbound.c: a datagram's messages are all checked before any is taken; what is taken is delivered once, in order.

#include "delivery/inbound.h"

#include <string.h>

#include "delivery/stored.h"
#include "message/session_check.h"

/// A message as it lies in a datagram.
struct piece {
	uint8_t type;
	uint8_t flags;
	uint8_t channel;
	uint16_t id;
	uint16_t length;
	const uint8_t *body;
};

static bool is_reliable(const struct piece *piece)
{
	return piece->flags & SESSION_MESSAGE_RELIABLE;
}

static bool is_fragment(const struct piece *piece)
{
	return piece->flags & SESSION_MESSAGE_FRAGMENT;
}

static struct session_fragment fragment_of(const struct piece *piece)
{
	struct session_fragment fragment;

	memcpy(&fragment, piece->body, sizeof(fragment));
	return fragment;
}

/// Read the message at *at and go behind it.
static enum pg_drop piece_read(const uint8_t **at, const uint8_t *end, struct piece *piece)
{
	struct session_message head;
	size_t length = sizeof(head);

	if ((size_t)(end - *at) < sizeof(head))
		return PG_DROP_TRUNCATED;
	memcpy(&head, *at, sizeof(head));
	*piece = (struct piece){
		.type = head.type,
		.flags = head.flags,
		.channel = (head.flags & SESSION_MESSAGE_CHANNEL_MASK) >> SESSION_MESSAGE_CHANNEL_SHIFT,
		.length = head.body_len,
	};
	if (is_reliable(piece))
		length += sizeof(piece->id);
	if ((size_t)(end - *at) < length)
		return PG_DROP_TRUNCATED;
	if ((size_t)(end - *at) - length < head.body_len)
		return PG_DROP_MESSAGE_SIZE;
	if (is_reliable(piece))
		memcpy(&piece->id, *at + sizeof(head), sizeof(piece->id));
	piece->body = *at + length;
	*at = piece->body + head.body_len;
	return PG_DROP_NONE;
}

// ---------------------------------------------------------------- admit

/// What the datagram would change, if all of it is admitted.
struct admission {
	struct conversation_hall *hall;
	const struct inbound *in;
	uint64_t conforms_at[PG_REQUESTS];
	uint64_t now;
	uint16_t next[INBOUND_ORDERED]; // id that the messages so far leave a channel waiting for
	uint32_t waiting;               // blocks for messages that must wait
	uint32_t joining;               // and for fragments
	uint32_t messages;
	bool compressed;
	bool expanded; // work was done for it
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
		return PG_DROP_NONE; // later: what is cheap to find comes first
	return session_body_check(piece->type, piece->body, piece->length);
}

/// How many messages of its type a piece counts as: a message as one, however many pieces it comes in, and as one more
/// for every datagram that it says it expands to.
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
	       rate_admit_many(&a->conforms_at[request], a->hall->rules->message_rate[request], counts, a->now);
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
		a->joining += pieces_of(piece->length);
	(*next)++;
	// Those that waited for it follow it. One lap around the ring at most: this id's own bit is not set.
	while (window_ahead(window, *next) < SESSION_CHANNEL_WINDOW && window_done(window, *next))
		(*next)++;
}

/// Was it delivered before, or does it wait already? Then it is only acknowledged, and charged to nobody.
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
	const enum pg_drop drop = piece_check(piece, a->hall->gateway);

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

/// Those that wait for others have a bound; what they wait for has none but the pool's, or it could never come. Each
/// channel joins one message at a time, and that has a length.
static bool admit_room(const struct admission *a)
{
	const uint64_t waiting = a->in->waiting_blocks + (uint64_t)a->waiting;

	if (a->waiting == 0 && a->joining == 0)
		return true;
	if (a->waiting != 0 && waiting * POOL_BLOCK > a->hall->rules->queue_bytes)
		return false;
	return pool_has(a->hall->pool, a->waiting + a->joining);
}

static enum pg_drop expand_check(struct conversation_hall *hall, const struct piece *piece)
{
	struct compressor *compressor = hall->compressor;

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
		drop = expand_check(a->hall, &piece);
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

enum pg_drop inbound_admit(struct conversation_hall *hall, const struct inbound *in, uint64_t conforms_at[PG_REQUESTS],
			   const uint8_t *body, uint16_t length, uint64_t now)
{
	struct admission a = {.hall = hall, .in = in, .now = now};
	enum pg_drop drop;

	hall->pool->reserved = 0;
	memcpy(a.conforms_at, conforms_at, sizeof(a.conforms_at));
	for (unsigned channel = 0; channel < INBOUND_ORDERED; channel++)
		a.next[channel] = in->window[channel].oldest;
	drop = admit_all(&a, body, body + length);
	if (drop == PG_DROP_NONE || a.expanded)
		memcpy(conforms_at, a.conforms_at, sizeof(a.conforms_at));
	if (drop != PG_DROP_NONE)
		return drop;
	hall->pool->reserved = a.waiting + a.joining;
	return PG_DROP_NONE;
}

// ---------------------------------------------------------------- deliver

/// Hand a whole body over.
/// @return false when it is not what its type says: an offence, for a sender knows what it cuts
static bool deliver(struct conversation_hall *hall, const struct piece *piece, const uint8_t *body, uint32_t length,
		    struct delivered *out)
{
	const enum pg_request request = session_request(piece->type);

	if (piece->flags & SESSION_MESSAGE_COMPRESSED) {
		if (!expand_body(hall->compressor, body, length))
			return false;
		counter_add(&hall->stats->expand_in, length);
		counter_add(&hall->stats->expand_out, hall->compressor->expanded_length);
		body = hall->compressor->expanded;
		length = hall->compressor->expanded_length;
	}
	if (is_fragment(piece) && session_body_check(piece->type, body, length) != PG_DROP_NONE)
		return false;
	if (request != PG_REQUESTS)
		counter_add(&hall->stats->received[request], 1);
	*out = (struct delivered){
		.type = piece->type,
		.channel = piece->channel,
		.reliable = is_reliable(piece),
		.body = body,
		.length = length,
	};
	return true;
}

static uint32_t take_promised(struct message_pool *pool)
{
	const uint32_t index = pool_take(pool);

	if (index != POOL_NONE && pool->reserved != 0)
		pool->reserved--;
	return index;
}

// ---------------------------------------------------------------- fragments

/// Put bytes behind those of a message that is being joined.
/// @return false when there is no memory, though it was promised
static bool join_bytes(struct conversation_hall *hall, struct joining *joining, const uint8_t *from, uint32_t length)
{
	const uint32_t size = sizeof(((struct pool_piece *)0)->bytes);

	while (length != 0) {
		const uint32_t used = joining->length % size;
		const uint32_t n = length < size - used ? length : size - used;
		struct pool_piece *last;

		if (used == 0) {
			const uint32_t index = take_promised(hall->pool);

			if (index == POOL_NONE)
				return false;
			((struct pool_piece *)pool_block(hall->pool, index))->more = POOL_NONE;
			if (joining->first == POOL_NONE)
				joining->first = index;
			else
				((struct pool_piece *)pool_block(hall->pool, joining->last))->more = index;
			joining->last = index;
		}
		last = pool_block(hall->pool, joining->last);
		memcpy(last->bytes + used, from, n);
		joining->length += n;
		from += n;
		length -= n;
	}
	return true;
}

static void join_end(struct conversation_hall *hall, struct joining *joining)
{
	pool_give_pieces(hall->pool, joining->first);
	*joining = (struct joining){0};
}

static bool fragment_follows(const struct joining *joining, const struct piece *piece, struct session_fragment fragment)
{
	if (fragment.index != joining->next)
		return false;
	if (fragment.index == 0)
		return joining->count == 0;
	return fragment.count == joining->count && piece->type == joining->type && piece->flags == joining->flags;
}

enum verdict { VERDICT_DELIVERED, VERDICT_MORE, VERDICT_OFFENCE };

static enum verdict join(struct conversation_hall *hall, struct inbound *in, const struct piece *piece,
			 struct delivered *out)
{
	const struct session_fragment fragment = fragment_of(piece);
	struct joining *joining = &in->joining[piece->channel];
	const uint32_t length = piece->length - (uint32_t)sizeof(fragment);
	uint32_t whole;

	if (!fragment_follows(joining, piece, fragment) || joining->length + length > SESSION_MESSAGE_MAX ||
	    !join_bytes(hall, joining, piece->body + sizeof(fragment), length))
		return VERDICT_OFFENCE;
	joining->count = fragment.count;
	joining->type = piece->type;
	joining->flags = piece->flags;
	joining->next++;
	if (joining->next != joining->count)
		return VERDICT_MORE;
	whole = joining->length;
	pool_copy_pieces(hall->pool, joining->first, hall->compressor->joined, whole);
	expand_forget(hall->compressor);
	join_end(hall, joining);
	return deliver(hall, piece, hall->compressor->joined, whole, out) ? VERDICT_DELIVERED : VERDICT_OFFENCE;
}

/// The next message of a channel in order.
static enum verdict take_in_order(struct conversation_hall *hall, struct inbound *in, const struct piece *piece,
				  struct delivered *out)
{
	if (is_fragment(piece))
		return join(hall, in, piece, out);
	if (in->joining[piece->channel].count != 0)
		return VERDICT_OFFENCE;
	return deliver(hall, piece, piece->body, piece->length, out) ? VERDICT_DELIVERED : VERDICT_OFFENCE;
}

// ---------------------------------------------------------------- messages that wait

struct page {
	uint32_t message[INBOUND_PAGE];
};
static_assert(sizeof(struct page) == POOL_BLOCK, "a page is a block");

static uint32_t *page_of(struct inbound *in, unsigned channel, uint16_t id)
{
	return &in->page[channel][(id & WINDOW_MASK) / INBOUND_PAGE];
}

/// Keep a message until those before it came.
static bool keep(struct conversation_hall *hall, struct inbound *in, const struct piece *piece)
{
	uint32_t *page = page_of(in, piece->channel, piece->id);
	const uint32_t blocks = stored_blocks(piece->length);
	uint32_t index;
	struct stored *stored;

	if (*page == POOL_NONE) {
		*page = take_promised(hall->pool);
		if (*page == POOL_NONE)
			return false;
		in->waiting_blocks++;
	}
	index = stored_make(hall->pool, NULL, 0, piece->body, piece->length);
	if (index == POOL_NONE)
		return false;
	hall->pool->reserved -= blocks < hall->pool->reserved ? blocks : hall->pool->reserved;
	in->waiting_blocks += blocks;
	stored = stored_at(hall->pool, index);
	stored->type = piece->type;
	stored->flags = piece->flags;
	((struct page *)pool_block(hall->pool, *page))->message[piece->id % INBOUND_PAGE] = index;
	window_mark(&in->window[piece->channel], piece->id);
	return true;
}

/// The message that waited and is next on its channel, out of the pool.
static struct piece unkeep(struct conversation_hall *hall, struct inbound *in, unsigned channel)
{
	struct id_window *window = &in->window[channel];
	const uint16_t id = window->oldest++;
	uint32_t *page = page_of(in, channel, id);
	const uint32_t index = ((struct page *)pool_block(hall->pool, *page))->message[id % INBOUND_PAGE];
	const struct stored *stored = stored_at(hall->pool, index);
	const struct piece piece = {
		.type = stored->type,
		.flags = stored->flags,
		.channel = (uint8_t)channel,
		.id = id,
		.length = stored->length,
		.body = hall->compressor->piece,
	};

	stored_copy(hall->pool, stored, hall->compressor->piece);
	expand_forget(hall->compressor);
	in->waiting_blocks -= stored_free(hall->pool, index);
	window_clear(window, id);
	if (window->done[(id & WINDOW_MASK) / INBOUND_PAGE] == 0) {
		pool_give(hall->pool, *page);
		*page = POOL_NONE;
		in->waiting_blocks--;
	}
	return piece;
}
static_assert(INBOUND_PAGE == 32, "a word of the window says whether a page is in use");

// ---------------------------------------------------------------- take

static enum verdict take_unordered(struct conversation_hall *hall, struct inbound *in, const struct piece *piece,
				   struct delivered *out)
{
	struct id_window *window = &in->window[SESSION_CHANNEL_UNORDERED];

	window_mark(window, piece->id);
	in->ahead++;
	while (window_done(window, window->oldest)) {
		window_clear(window, window->oldest++);
		in->ahead--;
	}
	return deliver(hall, piece, piece->body, piece->length, out) ? VERDICT_DELIVERED : VERDICT_OFFENCE;
}

static enum verdict take(struct conversation_hall *hall, struct inbound *in, struct intake *intake,
			 const struct piece *piece, struct delivered *out)
{
	struct id_window *window = &in->window[piece->channel];

	if (!is_reliable(piece))
		return deliver(hall, piece, piece->body, piece->length, out) ? VERDICT_DELIVERED : VERDICT_OFFENCE;
	if (window_behind(window, piece->id) || window_done(window, piece->id)) {
		counter_add(&hall->stats->duplicates, 1);
		return VERDICT_MORE;
	}
	if (piece->channel == SESSION_CHANNEL_UNORDERED)
		return take_unordered(hall, in, piece, out);
	if (piece->id != window->oldest)
		return keep(hall, in, piece) ? VERDICT_MORE : VERDICT_OFFENCE;
	window->oldest++;
	intake->state = INTAKE_CHANNEL + piece->channel;
	return take_in_order(hall, in, piece, out);
}

/// The next message: one that waited in the channel that just went on, else the datagram's next.
static enum verdict take_next(struct conversation_hall *hall, struct inbound *in, struct intake *intake,
			      struct delivered *out)
{
	struct piece piece;

	if (intake->state >= INTAKE_CHANNEL) {
		const unsigned channel = intake->state - INTAKE_CHANNEL;

		if (window_done(&in->window[channel], in->window[channel].oldest)) {
			piece = unkeep(hall, in, channel);
			return take_in_order(hall, in, &piece, out);
		}
		intake->state = INTAKE_DATAGRAM;
	}
	if (intake->at == intake->end || piece_read(&intake->at, intake->end, &piece) != PG_DROP_NONE) {
		intake->state = INTAKE_OVER;
		return VERDICT_MORE;
	}
	return take(hall, in, intake, &piece, out);
}

bool inbound_next(struct conversation_hall *hall, struct inbound *in, struct intake *intake, struct delivered *out)
{
	while (intake->state != INTAKE_OVER) {
		const enum verdict verdict = take_next(hall, in, intake, out);

		if (verdict == VERDICT_DELIVERED)
			return true;
		if (verdict == VERDICT_OFFENCE) {
			intake->offence = true;
			intake->state = INTAKE_OVER;
		}
	}
	hall->pool->reserved = 0;
	return false;
}

bool inbound_holds(const struct inbound *in)
{
	return in->waiting_blocks != 0 || in->ahead != 0 || in->joining[0].count != 0 || in->joining[1].count != 0 ||
	       in->joining[2].count != 0;
}

// ---------------------------------------------------------------- end

static void pages_end(struct conversation_hall *hall, struct inbound *in, unsigned channel)
{
	struct id_window *window = &in->window[channel];

	for (unsigned bit = 0; bit < SESSION_CHANNEL_WINDOW; bit++) {
		const uint32_t page = in->page[channel][bit / INBOUND_PAGE];

		if (window->done[bit / INBOUND_PAGE] >> bit % INBOUND_PAGE & 1)
			stored_free(hall->pool,
				    ((struct page *)pool_block(hall->pool, page))->message[bit % INBOUND_PAGE]);
		if (bit % INBOUND_PAGE == INBOUND_PAGE - 1 && page != POOL_NONE)
			pool_give(hall->pool, page);
	}
}

void inbound_end(struct conversation_hall *hall, struct inbound *in)
{
	for (unsigned channel = 0; channel < INBOUND_ORDERED; channel++) {
		pages_end(hall, in, channel);
		join_end(hall, &in->joining[channel]);
	}
}

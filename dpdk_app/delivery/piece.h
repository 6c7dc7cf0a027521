// SPDX-License-Identifier: BSD-3-Clause
// delivery/piece.h: a message, or a fragment of one, as it lies in a datagram, and what it costs.

#ifndef POLLGATE_DELIVERY_PIECE_H
#define POLLGATE_DELIVERY_PIECE_H

#include <stdbool.h>
#include <string.h>

#include "pollgate.h"
#include "wire/session.h"

struct piece {
	uint8_t type;
	uint8_t flags;
	uint8_t channel;
	uint16_t id;
	uint16_t length;
	const uint8_t *body;
};

/// It waits for those before it, though it will be skipped: of no type.
#define PIECE_SKIPPED 0

static inline bool is_reliable(const struct piece *piece)
{
	return piece->flags & SESSION_MESSAGE_RELIABLE;
}

static inline bool is_fragment(const struct piece *piece)
{
	return piece->flags & SESSION_MESSAGE_FRAGMENT;
}

static inline struct session_fragment fragment_of(const struct piece *piece)
{
	struct session_fragment fragment;

	memcpy(&fragment, piece->body, sizeof(fragment));
	return fragment;
}

/// Read the message at *at and go behind it.
/// @return false when it is no whole one
static inline bool piece_read(const uint8_t **at, const uint8_t *end, struct piece *piece)
{
	struct session_message head;
	size_t length = sizeof(head);

	if ((size_t)(end - *at) < sizeof(head))
		return false;
	memcpy(&head, *at, sizeof(head));
	*piece = (struct piece){
		.type = head.type,
		.flags = head.flags,
		.channel = (head.flags & SESSION_MESSAGE_CHANNEL_MASK) >> SESSION_MESSAGE_CHANNEL_SHIFT,
		.length = head.body_len,
	};
	if (is_reliable(piece))
		length += sizeof(piece->id);
	if ((size_t)(end - *at) < length || (size_t)(end - *at) - length < head.body_len)
		return false;
	if (is_reliable(piece))
		memcpy(&piece->id, *at + sizeof(head), sizeof(piece->id));
	piece->body = *at + length;
	*at = piece->body + head.body_len;
	return true;
}

/// All pieces but the last are full, so their places in the whole are known, and what they cost.
static inline bool piece_length_can_be(struct session_fragment fragment, uint32_t length)
{
	if (fragment.index + 1U < fragment.count)
		return length == SESSION_PIECE;
	return length >= 1 && length <= SESSION_PIECE && fragment.index * SESSION_PIECE + length <= SESSION_MESSAGE_MAX;
}

/// Can these flags be, and if it is a fragment, its index and count? What cannot be is no message at all.
static inline bool piece_can_be(const struct piece *piece)
{
	struct session_fragment fragment;

	if (piece->flags & SESSION_MESSAGE_UNUSED || (!is_reliable(piece) && piece->channel != 0))
		return false;
	if (!is_fragment(piece))
		return true;
	if (!is_reliable(piece) || piece->channel == SESSION_CHANNEL_UNORDERED || piece->length < sizeof(fragment))
		return false;
	fragment = fragment_of(piece);
	if (fragment.count < 2 || fragment.count > SESSION_FRAGMENTS_MAX || fragment.index >= fragment.count)
		return false;
	return piece_length_can_be(fragment, piece->length - (uint32_t)sizeof(fragment));
}

/// Beginnings of 1,400 bytes before byte `at` of a body, of which no more count than the burst of its limit is.
static inline uint32_t costs_before(uint32_t at, uint32_t burst)
{
	const uint32_t costs = (at + SESSION_COST_BYTES - 1) / SESSION_COST_BYTES;

	return costs < burst ? costs : burst;
}

/// How much of its type's limit a message costs, or a piece of one: all pieces together cost what the whole does. Compressed,
/// the first piece costs all.
static inline uint32_t piece_cost(const struct piece *piece, uint32_t burst)
{
	const uint32_t head = is_fragment(piece) ? (uint32_t)sizeof(struct session_fragment) : 0;
	const uint32_t from = is_fragment(piece) ? fragment_of(piece).index * SESSION_PIECE : 0;
	struct session_compressed compressed;
	uint32_t cost;

	if (!(piece->flags & SESSION_MESSAGE_COMPRESSED)) {
		cost = costs_before(from + piece->length - head, burst) - costs_before(from, burst);
		return cost == 0 && from == 0 ? 1 : cost;
	}
	if (from != 0)
		return 0;
	if (piece->length < head + sizeof(compressed))
		return 1;
	memcpy(&compressed, piece->body + head, sizeof(compressed));
	if (compressed.original_len > SESSION_MESSAGE_MAX) // is skipped when it is looked at
		return 1;
	cost = costs_before(compressed.original_len, burst);
	return cost != 0 ? cost : 1;
}

#endif

// SPDX-License-Identifier: BSD-3-Clause
// delivery/piece.h: a message, or a fragment of one, as it lies in a datagram.

#ifndef POLLGATE_DELIVERY_PIECE_H
#define POLLGATE_DELIVERY_PIECE_H

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
static inline enum pg_drop piece_read(const uint8_t **at, const uint8_t *end, struct piece *piece)
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

#endif

// SPDX-License-Identifier: BSD-3-Clause
// message/chat.h: CHAT_MESSAGE: text for one player or for everyone near.

#ifndef POLLGATE_MESSAGE_CHAT_H
#define POLLGATE_MESSAGE_CHAT_H

#include "pollgate.h"
#include "wire/plain.h"
#include "wire/utf8.h"

ALWAYS_INLINE enum pg_drop chat_body_check(const struct chat_body *chat, uint32_t len)
{
	if (unlikely(len < sizeof(*chat)))
		return PG_DROP_MESSAGE_SIZE;
	if (unlikely(chat->text_len == 0 || chat->text_len > PLAIN_CHAT_TEXT_MAX ||
		     chat->text_len != len - sizeof(*chat)))
		return PG_DROP_MESSAGE_SIZE;
	if (unlikely(chat->reserved != 0))
		return PG_DROP_MESSAGE_RESERVED;
	if (unlikely(!utf8_valid(chat->text, chat->text_len)))
		return PG_DROP_BAD_UTF8;
	return PG_DROP_NONE;
}

ALWAYS_INLINE enum pg_drop chat_check(const struct plain_chat *chat, uint16_t len)
{
	if (unlikely(len < sizeof(*chat)))
		return PG_DROP_MESSAGE_SIZE;
	return chat_body_check((const struct chat_body *)&chat->target_id, len - (uint32_t)PLAIN_PREFIX);
}

#endif

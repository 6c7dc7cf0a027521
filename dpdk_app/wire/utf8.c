// SPDX-License-Identifier: BSD-3-Clause
// wire/utf8.c: see utf8.h.

#include "wire/utf8.h"

#include <string.h>

#include "compiler.h"

#define HIGH_BITS 0x8080808080808080ULL

/// What may follow a lead byte: RFC 3629 section 4 narrows only the second byte.
struct sequence {
	uint8_t length; // 0: not a lead byte
	uint8_t second_min;
	uint8_t second_max;
};

static struct sequence sequence_of(uint8_t lead)
{
	if (lead < 0x80)
		return (struct sequence){1, 0, 0};
	if (lead < 0xc2) // continuation bytes; C0 and C1 would be overlong
		return (struct sequence){0, 0, 0};
	if (lead < 0xe0)
		return (struct sequence){2, 0x80, 0xbf};
	if (lead < 0xf0)
		return (struct sequence){3, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf};
	if (lead < 0xf5)
		return (struct sequence){4, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf};
	return (struct sequence){0, 0, 0};
}

static bool continuation(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

static bool sequence_valid(const uint8_t *text, size_t len, struct sequence s)
{
	if (s.length == 0 || s.length > len)
		return false;
	if (s.length > 1 && (text[1] < s.second_min || text[1] > s.second_max))
		return false;
	for (size_t i = 2; i < s.length; i++)
		if (!continuation(text[i]))
			return false;
	return true;
}

bool utf8_valid(const uint8_t *text, size_t len)
{
	while (len > 0) {
		// Chat is mostly ASCII: eight bytes at a time while it is.
		while (len >= sizeof(uint64_t)) {
			uint64_t word;

			memcpy(&word, text, sizeof(word));
			if (word & HIGH_BITS)
				break;
			text += sizeof(word);
			len -= sizeof(word);
		}
		if (len == 0)
			break;

		const struct sequence s = sequence_of(*text);

		if (!sequence_valid(text, len, s))
			return false;
		text += s.length;
		len -= s.length;
	}
	return true;
}

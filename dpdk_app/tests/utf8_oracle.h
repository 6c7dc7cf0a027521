// SPDX-License-Identifier: BSD-3-Clause
// utf8_oracle.h: UTF-8 by decoding: take the code point out of the bits, encode it again, compare.
//
// Another way to the same answer than wire/utf8.c, which tells byte ranges.

#ifndef POLLGATE_TESTS_UTF8_ORACLE_H
#define POLLGATE_TESTS_UTF8_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/// Code points up to 1FFFFF, surrogates too. @return bytes written, 1 … 4
static inline size_t utf8_encode(uint8_t *to, uint32_t code)
{
	const size_t more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
	static const uint8_t lead[4] = {0x00, 0xc0, 0xe0, 0xf0};

	for (size_t i = more; i > 0; i--, code >>= 6)
		to[i] = (uint8_t)(0x80 | (code & 0x3f));
	to[0] = (uint8_t)(lead[more] | code);
	return more + 1;
}

static inline bool utf8_oracle(const uint8_t *text, size_t len)
{
	while (len > 0) {
		unsigned ones = 0; // at the top of the lead byte
		uint8_t again[4];

		while (ones < 8 && text[0] & 0x80 >> ones)
			ones++;
		if (ones == 1 || ones > 4)
			return false;

		const size_t n = ones ? ones : 1;
		uint32_t code = text[0] & (0xff >> (ones ? ones + 1 : 1));

		if (n > len)
			return false;
		for (size_t i = 1; i < n; i++) {
			if (text[i] >> 6 != 2)
				return false;
			code = code << 6 | (text[i] & 0x3f);
		}
		if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
			return false;
		if (utf8_encode(again, code) != n || memcmp(again, text, n) != 0) // overlong
			return false;
		text += n;
		len -= n;
	}
	return true;
}

#endif

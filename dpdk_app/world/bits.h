// SPDX-License-Identifier: BSD-3-Clause
// world/bits.h: numbers of any width, one behind the other in bytes: the first bit is the lowest of the first byte.

#ifndef POLLGATE_WORLD_BITS_H
#define POLLGATE_WORLD_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"

#define BITS_AT_ONCE 57 // so that with 7 that wait they are 64
#define BITS_SLACK 8    // bytes behind what is written that are overwritten

struct bit_writer {
	uint8_t *at;
	uint64_t waiting; // the lowest bits of *at
	unsigned count;   // of them; below 8
};

struct bit_reader {
	const uint8_t *bytes;
	size_t at, end; // in bits; beyond the end everything is 0
};

ALWAYS_INLINE struct bit_writer bits_write(uint8_t *at)
{
	return (struct bit_writer){.at = at};
}

/// @param n      at most BITS_AT_ONCE
/// @param value  below 2^n
ALWAYS_INLINE void bits_put(struct bit_writer *writer, uint64_t value, unsigned n)
{
	const uint64_t waiting = writer->waiting | value << writer->count;
	const unsigned count = writer->count + n;

	memcpy(writer->at, &waiting, sizeof(waiting));
	writer->at += count >> 3;
	writer->waiting = count == 64 ? 0 : waiting >> (count & 56);
	writer->count = count & 7;
}

/// Likewise, all 64.
ALWAYS_INLINE void bits_put_word(struct bit_writer *writer, uint64_t word)
{
	const uint64_t waiting = writer->waiting | word << writer->count;

	memcpy(writer->at, &waiting, sizeof(waiting));
	writer->at += sizeof(waiting);
	writer->waiting = word >> 1 >> (63 - writer->count); // nothing, where none waited
}

/// @return the first byte that is free
ALWAYS_INLINE uint8_t *bits_end(const struct bit_writer *writer)
{
	return writer->at + (writer->count != 0);
}

ALWAYS_INLINE struct bit_reader bits_read(const uint8_t *bytes, size_t length)
{
	return (struct bit_reader){.bytes = bytes, .end = 8 * length};
}

/// The next bits, which stay.
/// @param n  at most BITS_AT_ONCE
ALWAYS_INLINE uint64_t bits_peek(const struct bit_reader *reader, unsigned n)
{
	const size_t first = reader->at / 8, bytes = reader->end / 8;
	uint64_t value = 0;

	if (first < bytes)
		memcpy(&value, reader->bytes + first, bytes - first < 8 ? bytes - first : 8);
	return value >> reader->at % 8 & ((1ULL << n) - 1);
}

ALWAYS_INLINE uint64_t bits_get(struct bit_reader *reader, unsigned n)
{
	const uint64_t value = bits_peek(reader, n);

	reader->at += n;
	return value;
}

/// Was more read than there is?
ALWAYS_INLINE bool bits_exceeded(const struct bit_reader *reader)
{
	return reader->at > reader->end;
}

#endif

// SPDX-License-Identifier: BSD-3-Clause
// delivery/compress.h: zlib streams (RFC 1950) of message bodies, by libdeflate, and the scratch space that whole bodies need.

#ifndef POLLGATE_DELIVERY_COMPRESS_H
#define POLLGATE_DELIVERY_COMPRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "wire/session.h"

struct libdeflate_compressor;
struct libdeflate_decompressor;

/// Made once per worker; nothing is allocated after that. No area is longer than a body may be.
struct compressor {
	struct libdeflate_compressor *deflate;
	struct libdeflate_decompressor *inflate;
	uint32_t expanded_length;
	uint8_t joined[SESSION_MESSAGE_MAX];   // fragments of a body that arrived
	uint8_t expanded[SESSION_MESSAGE_MAX]; // a body that arrived compressed
	uint8_t whole[SESSION_MESSAGE_MAX];    // a body to send, behind its sender
	uint8_t packed[SESSION_MESSAGE_MAX];   // and compressed
	uint8_t piece[SESSION_DATAGRAM_MAX];   // a message that waited for those before it
};

/// @param level  1 to 12, of libdeflate
/// @return NULL: out of memory
struct compressor *compressor_new(int level);
void compressor_free(struct compressor *compressor);

/// Compress a body into `packed`, its length before it.
/// @return bytes, or 0 when that saves less than a tenth
uint32_t compress_body(struct compressor *compressor, const uint8_t *body, uint32_t length);

/// Expand a body into `expanded`.
/// @return false when it is not exactly one stream that expands to exactly the length that it says
bool expand_body(struct compressor *compressor, const uint8_t *body, uint32_t length);

#endif

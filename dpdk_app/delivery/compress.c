// SPDX-License-Identifier: BSD-3-Clause
// delivery/compress.c: libdeflate, bounded: neither direction writes more than its area holds.

#include "delivery/compress.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

/// Bytes of room that libdeflate 1.14 wants beyond the stream, or it gives up: it writes whole words of eight bytes,
/// and takes an area that they fill to its end for one that was too small.
#define DEFLATE_SLACK 9

struct compressor *compressor_new(int level)
{
	struct compressor *compressor = calloc(1, sizeof(*compressor));

	if (!compressor)
		return NULL;
	compressor->deflate = libdeflate_alloc_compressor(level);
	compressor->inflate = libdeflate_alloc_decompressor();
	if (compressor->deflate && compressor->inflate)
		return compressor;
	compressor_free(compressor);
	return NULL;
}

void compressor_free(struct compressor *compressor)
{
	if (!compressor)
		return;
	libdeflate_free_compressor(compressor->deflate);
	libdeflate_free_decompressor(compressor->inflate);
	free(compressor);
}

uint32_t compress_body(struct compressor *compressor, const uint8_t *body, uint32_t length)
{
	const struct session_compressed head = {.original_len = length};
	const uint32_t worth = length - (length + 9) / 10; // it saves a tenth, the length before it included

	if (worth <= sizeof(head))
		return 0;

	// At most sizeof(packed): a tenth less than a body, and the slack.
	const size_t stream =
		libdeflate_zlib_compress(compressor->deflate, body, length, compressor->packed + sizeof(head),
					 worth - sizeof(head) + DEFLATE_SLACK);

	if (stream == 0 || stream > worth - sizeof(head))
		return 0;
	memcpy(compressor->packed, &head, sizeof(head));
	return (uint32_t)(sizeof(head) + stream);
}

bool expand_body(struct compressor *compressor, const uint8_t *body, uint32_t length)
{
	struct session_compressed head;
	size_t consumed = 0;

	if (length <= sizeof(head))
		return false;
	memcpy(&head, body, sizeof(head));
	if (head.original_len == 0 || head.original_len > sizeof(compressor->expanded))
		return false;
	if (libdeflate_zlib_decompress_ex(compressor->inflate, body + sizeof(head), length - sizeof(head),
					  compressor->expanded, head.original_len, &consumed,
					  NULL) != LIBDEFLATE_SUCCESS ||
	    consumed != length - sizeof(head))
		return false;
	compressor->expanded_length = head.original_len;
	return true;
}

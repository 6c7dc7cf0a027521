// SPDX-License-Identifier: BSD-3-Clause
// netcode/payloads.c: see payloads.h.

#include "netcode/payloads.h"

#include <string.h>

size_t payloads_size(void)
{
	return PAYLOADS_MAX * sizeof(struct payload) + PAYLOADS_BYTES;
}

void payloads_init(struct payloads *payloads, void *memory)
{
	*payloads = (struct payloads){
		.queue = memory,
		.bodies = (uint8_t *)memory + PAYLOADS_MAX * sizeof(struct payload),
	};
}

static struct payload *place(const struct payloads *payloads, uint32_t n)
{
	return &payloads->queue[(payloads->first + n) % PAYLOADS_MAX];
}

/// Where a body of this length begins: it does not go round the end of the ring.
static uint64_t whole_from(uint64_t at, uint32_t length)
{
	const uint64_t left = PAYLOADS_BYTES - at % PAYLOADS_BYTES;

	return left < length ? at + left : at;
}

/// @param at  out
/// @return false: there is no room
static bool keep(struct payloads *payloads, const void *body, uint32_t length, uint64_t *at)
{
	const uint64_t kept_from = payloads->count != 0 ? payloads_first(payloads)->at : payloads->end;

	*at = whole_from(payloads->end, length);
	if (*at + length - kept_from > PAYLOADS_BYTES)
		return false;
	memcpy(payloads->bodies + *at % PAYLOADS_BYTES, body, length);
	payloads->end = *at + length;
	payloads->same = body;
	return true;
}

bool payloads_add(struct payloads *payloads, uint32_t slot, uint32_t player, const void *body, uint32_t length)
{
	uint64_t at;

	if (payloads->count == PAYLOADS_MAX || length > PAYLOADS_BYTES)
		return false;
	if (body == payloads->same && payloads->count != 0)
		at = place(payloads, payloads->count - 1)->at;
	else if (!keep(payloads, body, length, &at))
		return false;
	*place(payloads, payloads->count) = (struct payload){at, slot, player, length};
	payloads->count++;
	return true;
}

void payloads_remove(struct payloads *payloads)
{
	payloads->first = (payloads->first + 1) % PAYLOADS_MAX;
	payloads->count--;
}

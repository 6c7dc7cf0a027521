// SPDX-License-Identifier: BSD-3-Clause
// compressing_ends.c: see compressing_ends.h.

#include "compressing_ends.h"

#include <string.h>

#include "unit.h"

struct talk_end ingress, player;
struct heard got;
uint8_t body[SESSION_MESSAGE_MAX];

static void note(UNUSED void *context, UNUSED struct talk_end *end, const struct delivered *message)
{
	got.n++;
	got.type = message->type;
	got.length = message->length;
	memcpy(got.body, message->body, message->length);
}

int open_ends(UNUSED void **state)
{
	struct talk_end *ends[] = {&ingress, &player};

	talk_open(&ingress, true, 1 << 20, 1400);
	talk_open(&player, false, 1 << 20, 1400);
	for (unsigned i = 0; i < COUNT(ends); i++) {
		ends[i]->deliver = note;
		ends[i]->rules.compress_min[PG_COMPRESS_CHAT] = 33;
		ends[i]->rules.compress_min[PG_COMPRESS_INVENTORY] = 101;
		ends[i]->rules.compress_min[PG_COMPRESS_BULK] = 101;
	}
	memset(&got, 0, sizeof(got));
	return 0;
}

int close_ends(UNUSED void **state)
{
	struct talk_end *ends[] = {&ingress, &player};

	for (unsigned i = 0; i < COUNT(ends); i++) {
		delivery_end(&ends[i]->ctx, &ends[i]->c, PG_LOSS_CLOSED);
		assert_int_equal(message_pool_free_bytes(ends[i]->ctx.pool), 1 << 20);
		talk_close(ends[i]);
	}
	return 0;
}

uint32_t chat(uint32_t letters, bool noise)
{
	uint64_t seed = 9;

	memset(body, 0, 8);
	body[6] = (uint8_t)letters;
	body[7] = (uint8_t)(letters >> 8);
	for (uint32_t i = 0; i < letters; i++)
		body[8 + i] = noise ? (uint8_t)(talk_random(&seed) & 0x7f) : (uint8_t)("la la "[i % 6]);
	return 8 + letters;
}

// SPDX-License-Identifier: BSD-3-Clause
// load/answers.c: see answers.h.

#include "load/answers.h"

#include <string.h>

static struct unanswered *with_key(struct unanswered *message, uint64_t key)
{
	return key != 0 && message->key == key ? message : NULL;
}

struct unanswered *unanswered_by_datagram(struct unanswered_messages *messages, uint64_t number)
{
	return with_key(&messages->by_datagram[number % DATAGRAMS_KEPT], number);
}

struct unanswered *unanswered_by_receipt(struct unanswered_messages *messages, uint32_t receipt)
{
	return with_key(&messages->by_receipt[receipt % RECEIPTS_KEPT], receipt);
}

void answers_add(struct answers *answers, struct unanswered *message, uint32_t player, uint32_t player_id,
		 uint64_t when)
{
	struct ready *ready = &answers->ready[(answers->first + answers->count) % ANSWERS_KEPT];

	message->key = 0;
	if (answers->count == ANSWERS_KEPT)
		return;
	*ready = (struct ready){
		.text = {.header = {.packet_type = message->type + PLAIN_ACK,
				    .packet_size = message->length,
				    .timestamp = message->stamp},
			 .player_id = player_id},
		.when = when,
		.player = player,
		.length = message->length,
	};
	answers->count++;
}

unsigned answers_hand_up(struct answers *answers, struct answer *out)
{
	unsigned n = 0;

	for (; n < LOAD_BURST && answers->count > 0; n++) {
		const struct ready *ready = &answers->ready[answers->first];

		memcpy(answers->told[n], &ready->text, sizeof(ready->text));
		out[n] = (struct answer){
			.payload = answers->told[n],
			.when = ready->when,
			.player = ready->player,
			.length = ready->length,
		};
		answers->first = (answers->first + 1) % ANSWERS_KEPT;
		answers->count--;
	}
	return n;
}

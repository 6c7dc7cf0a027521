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

static void add(struct answers *answers, const struct ready *ready)
{
	if (answers->count == ANSWERS_KEPT)
		return;
	answers->ready[(answers->first + answers->count++) % ANSWERS_KEPT] = *ready;
}

void answers_add(struct answers *answers, struct unanswered *message, uint32_t player, uint32_t player_id,
		 uint64_t when)
{
	message->key = 0;
	add(answers, &(struct ready){
			     .text = {.header = {.packet_type = message->type + PLAIN_ACK,
						 .packet_size = message->length,
						 .timestamp = message->stamp},
				      .player_id = player_id},
			     .when = when,
			     .player = player,
			     .length = message->length,
		     });
}

void answers_add_reply(struct answers *answers, const uint8_t mark[PG_LOAD_GAME_MARK], uint32_t player, uint64_t when)
{
	struct ready ready = {.when = when, .player = player, .length = sizeof(ready.text)};

	ready.text.header.packet_type = ANSWER_REPLY;
	memcpy(&ready.text.header.timestamp, mark, sizeof(ready.text.header.timestamp));
	memcpy(&ready.text.player_id, mark + sizeof(ready.text.header.timestamp), sizeof(ready.text.player_id));
	add(answers, &ready);
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

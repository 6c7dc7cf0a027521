// SPDX-License-Identifier: BSD-3-Clause
// load/answers.h: messages of the `session` profile that wait for their answers, and answers that wait for the trial to ask.

#ifndef POLLGATE_LOAD_ANSWERS_H
#define POLLGATE_LOAD_ANSWERS_H

#include "load/transport.h"

/// Datagrams and receipts of a player that may be unanswered at a time; an answer to an older one is lost.
#define DATAGRAMS_KEPT 64
#define RECEIPTS_KEPT 32

#define ANSWERS_KEPT 8192 // of one burst of datagrams

/// A message that waits for its answer.
struct unanswered {
	uint64_t key;   // number of the datagram, or the receipt; 0: none
	uint64_t stamp; // the message's
	uint16_t length;
	uint8_t type;
	uint32_t event; // of a world: its number; 0: none
};

/// Those of a player.
struct unanswered_messages {
	struct unanswered by_datagram[DATAGRAMS_KEPT];
	struct unanswered by_receipt[RECEIPTS_KEPT];
};

/// @return NULL: none waits for that
struct unanswered *unanswered_by_datagram(struct unanswered_messages *messages, uint64_t number);
struct unanswered *unanswered_by_receipt(struct unanswered_messages *messages, uint32_t receipt);

/// All zero: none.
struct answers {
	unsigned first, count;
	struct ready {
		struct plain_heartbeat text; // as the plain profile acknowledges
		uint64_t when;
		uint32_t player;
		uint16_t length;
	} ready[ANSWERS_KEPT];
	uint8_t told[LOAD_BURST][sizeof(struct plain_heartbeat)]; // to the trial
};

/// A message waits no more. Where there is no room its answer is lost, and counted so.
/// @param when  the answer came, TSC
void answers_add(struct answers *answers, struct unanswered *message, uint32_t player, uint32_t player_id,
		 uint64_t when);

/// A message of the game's own begins with this mark: is it of a message of the player? That is for the trial to find out.
void answers_add_reply(struct answers *answers, const uint8_t mark[PG_LOAD_GAME_MARK], uint32_t player, uint64_t when);

/// The oldest, valid until the next call.
/// @return at most LOAD_BURST
unsigned answers_hand_up(struct answers *answers, struct answer *out);

#endif

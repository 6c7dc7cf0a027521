// SPDX-License-Identifier: BSD-3-Clause
// pipeline/sealed_moves.h: what nearly every frame of the session profile is, in stages made for it.
//
// A DATA as long as one movement, in a common frame to the first listener: all offsets and lengths are constants, and what is
// kept between the stages is who and how far. Whatever turns out to be more than a movement in order, from where its
// player is proved to be, in a conversation where nothing is on its way, goes the general way (session_stages.h) from there
// on, with the same outcome: tests and fuzzers hold the two to each other.

#ifndef POLLGATE_PIPELINE_SEALED_MOVES_H
#define POLLGATE_PIPELINE_SEALED_MOVES_H

#include "net/move_frame.h"
#include "pipeline/session_stages.h"

#define SEALED_MOVE_LEN (sizeof(struct sealed_move_frame) - offsetof(struct sealed_move_frame, header))
#define SEALED_MOVE_BODY (SEALED_MOVE_LEN - SESSION_SEALED_MIN)
static_assert(SEALED_MOVE_BODY == CONVERSATION_MOVE_LEN && SEALED_MOVE_LEN <= SESSION_DATAGRAM_MIN,
	      "one movement; no session's datagrams are shorter");

/// Between the stages, and what became of it.
struct sealed_move {
	uint64_t counter;
	uint32_t slot;
	uint8_t at;     // index into the burst
	uint8_t result; // enum pg_drop, PACKET_…; PACKET_UNDECIDED: it goes the general way
	uint8_t owner;  // of PACKET_ELSEWHERE
	bool elsewhere; // not from where its player is proved to be
	bool learn;     // as in struct sealed
};

struct sealed_moves {
	struct sealed_move move[BURST_MAX];
	uint8_t admitted[BURST_MAX]; // which of them are
	uint8_t general[BURST_MAX];  // which have been opened and go the general way
	unsigned count;
	unsigned general_count;
};

ALWAYS_INLINE uint8_t *sealed_move_payload(uint8_t *frame)
{
	return frame + offsetof(struct sealed_move_frame, header);
}

ALWAYS_INLINE const struct session_header *sealed_move_header(const uint8_t *frame)
{
	return &((const struct sealed_move_frame *)frame)->header;
}

// ---------------------------------------------------------------- is it one, and whose?

/// @return false for what the vault has no slot for
ALWAYS_INLINE bool sort_sealed_move(const struct vault *vault, uint32_t used, struct sealed_moves *moves,
				    const uint8_t *frame, unsigned i)
{
	const uint32_t slot = session_slot(sealed_move_header(frame)->session);
	struct sealed_move *move = &moves->move[moves->count];

	if (unlikely(slot >= used))
		return false;
	prefetch_for_write(&vault->records[slot]);
	prefetch_for_write(&vault->records[slot].taken);
	*move = (struct sealed_move){.slot = slot, .at = (uint8_t)i};
	moves->count++;
	return true;
}

/// As sealed_admissible().
ALWAYS_INLINE unsigned sealed_move_admissible(struct gate *gate, struct sealed_move *move, const uint8_t *frame,
					      uint64_t now)
{
	const struct session_header *header = sealed_move_header(frame);
	const struct session_side *side = gate->side;
	const struct issued *record = &side->vault->records[move->slot];
	const struct peer peer = move_peer(frame);

	if (unlikely(!issued_serves(record, header->session, side->worker)))
		return not_served(gate, record, header->session, &move->owner);
	move->elsewhere = !peer_equal(&record->peer, &peer);
	if (unlikely(move->elsewhere) && !unproved_conforms(gate, peer, now))
		return PG_DROP_SOURCE_RATE_LIMITED;
	move->counter = replay_counter(&record->replay, header->sequence);
	if (unlikely(!replay_fresh(&record->replay, move->counter)))
		return PG_DROP_REPLAYED;
	return PG_DROP_NONE;
}

/// @return how many are to be opened
ALWAYS_INLINE unsigned look_up_sealed_moves(struct gate *gate, struct sealed_moves *moves, uint8_t *const *frame,
					    uint64_t now)
{
	unsigned left = 0;

	for (unsigned k = 0; k < moves->count; k++) {
		struct sealed_move *move = &moves->move[k];
		const unsigned result = sealed_move_admissible(gate, move, frame[move->at], now);

		move->result = (uint8_t)result;
		moves->admitted[left] = (uint8_t)k;
		left += likely(result == PG_DROP_NONE);
	}
	return left;
}

ALWAYS_INLINE void sealed_move_prefetch(const struct session_side *side, const struct sealed_move *move)
{
	const struct cipher *cipher = &side->vault->ciphers[move->slot];

	cipher_prefetch(&side->code, &cipher->open, SEALED_MOVE_BODY);
	prefetch_for_write(vault_conversation(side->vault, move->slot));
	cipher_prefetch(&side->code, &cipher->seal, 0);
}

// ---------------------------------------------------------------- what does it do?

/// Opened: is it all that this lane knows? Another of the burst may have come before it, with its counter. None in this lane
/// ends a connection or moves it.
ALWAYS_INLINE bool is_plain_sailing(const struct session_side *side, const struct sealed_move *move,
				    const uint8_t *frame, const struct conversation *c)
{
	const struct sealed_move_frame *f = (const struct sealed_move_frame *)frame;
	const uint8_t *body = (const uint8_t *)&f->message;

	return likely(move->counter == side->vault->records[move->slot].replay.newest + 1) &&
	       likely(!move->elsewhere) && likely(conversation_quiet(c)) &&
	       likely(conversation_is_move(body, SEALED_MOVE_BODY)) &&
	       likely(floats6_finite((const uint8_t *)&f->motion));
}

/// Within the rates? If so both are charged. In the order of the general way.
ALWAYS_INLINE enum pg_drop charge_move(const struct session_side *side, struct issued *record, struct conversation *c,
				       uint64_t now)
{
	if (unlikely(!rate_admit_short(&record->conforms_at, side->rules->session[0], now)))
		return PG_DROP_SESSION_RATE_LIMITED;
	if (unlikely(!rate_admit(&c->conforms_at[PG_REQUEST_MOVE], side->hall.rules->message_rate[PG_REQUEST_MOVE],
				 now)))
		return PG_DROP_MESSAGE_RATE_LIMITED;
	return PG_DROP_NONE;
}

/// Of one in order: whatever was taken last, it is older.
ALWAYS_INLINE void move_taken(struct issued *record, struct sealed_move *move, uint64_t now)
{
	replay_mark(&record->replay, move->counter);
	move->learn = (now ^ record->last_seen) >> LEARN_SHIFT != 0;
	record->last_seen = now;
}

/// @return PG_DROP_NONE for an acknowledgement in its place; or what became of it
ALWAYS_INLINE unsigned take_sealed_move(struct gate *gate, struct sealed_move *move, uint8_t *frame,
					struct conversation *c, uint64_t now)
{
	struct session_side *side = gate->side;
	struct issued *record = &side->vault->records[move->slot];
	const struct session_header *header = sealed_move_header(frame);
	enum pg_drop drop;

	move_taken(record, move, now);
	drop = charge_move(side, record, c, now);
	if (unlikely(drop != PG_DROP_NONE))
		return drop;
	issued_move(record, (const uint8_t *)&((const struct sealed_move_frame *)frame)->motion);
	mark_taken(record, move->counter);
	if (unlikely(!(header->flags & SESSION_FLAG_ACK_NOW))) {
		conversation_owe(&side->hall, c, now);
		if (conversation_due(c) > now) {
			session_note(side, move->slot, false);
			return PACKET_ABSORBED;
		}
	}
	c->owed = 0;
	seal_data(side, move->slot, header->session, connection_count(record), sealed_move_payload(frame), 0);
	return PG_DROP_NONE;
}

/// @return its result, or PACKET_UNDECIDED
ALWAYS_INLINE unsigned serve_sealed_move(struct gate *gate, struct sealed_move *move, uint8_t *frame, uint64_t now)
{
	const struct session_side *side = gate->side;
	struct conversation *c = vault_conversation(side->vault, move->slot);

	if (unlikely(!cipher_open(&side->code, &side->vault->ciphers[move->slot].open, move->counter,
				  sealed_move_payload(frame), sizeof(struct session_header), SEALED_MOVE_LEN)))
		return PG_DROP_BAD_TAG;
	return likely(is_plain_sailing(side, move, frame, c)) ? take_sealed_move(gate, move, frame, c, now) :
								PACKET_UNDECIDED;
}

/// Open, take and answer, one after the other, while the keys of those a little later are on their way. Those that go the
/// general way stop there, opened.
ALWAYS_INLINE void serve_sealed_moves(struct gate *gate, struct sealed_moves *moves, uint8_t *const *frame, unsigned n,
				      uint64_t now)
{
	unsigned taken = 0;

	moves->general_count = 0;
	for (unsigned k = 0; k < n && k < SEALED_AHEAD; k++)
		sealed_move_prefetch(gate->side, &moves->move[moves->admitted[k]]);
	for (unsigned k = 0; k < n; k++) {
		struct sealed_move *move = &moves->move[moves->admitted[k]];

		if (likely(k + SEALED_AHEAD < n))
			sealed_move_prefetch(gate->side, &moves->move[moves->admitted[k + SEALED_AHEAD]]);
		move->result = (uint8_t)serve_sealed_move(gate, move, frame[move->at], now);
		taken += move->result == PG_DROP_NONE || move->result == PACKET_ABSORBED;
		if (unlikely(move->result == PACKET_UNDECIDED))
			moves->general[moves->general_count++] = moves->admitted[k];
	}
	counter_add(&gate->side->hall.stats->received[PG_REQUEST_MOVE], taken);
	counter_add(&gate->stats->handled[PG_MESSAGE_SESSION_DATA], taken);
}

#endif

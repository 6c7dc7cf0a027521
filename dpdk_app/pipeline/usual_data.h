// SPDX-License-Identifier: BSD-3-Clause
// pipeline/usual_data.h: what nearly every frame of the session profile is, in stages made for it.
//
// A DATA in a common frame to the first listener: all offsets are constants, and what is kept between the stages is who and
// how far. A movement in order, from where its player is proved to be, in a conversation where nothing is on its way, is
// handled here to the end. Whatever turns out to be more goes the general way (session_stages.h) once it is opened, with
// the same outcome: tests and fuzzers hold the two to each other.
//
// What one session sends is taken in the order of its arrival: what is more than a movement at its turn, and behind a
// datagram that the other lane has, that lane has the rest of its session, too.

#ifndef POLLGATE_PIPELINE_USUAL_DATA_H
#define POLLGATE_PIPELINE_USUAL_DATA_H

#include "net/sealed_frame.h"
#include "pipeline/session_stages.h"

/// Between the stages, and what became of it.
struct usual_data {
	uint64_t counter;
	uint32_t slot;
	uint16_t length; // of the payload; then of the answer
	uint8_t at;      // index into the burst
	uint8_t result;  // enum pg_drop, PACKET_…
	uint8_t owner;   // of PACKET_ELSEWHERE
	bool elsewhere;  // not from where its player is proved to be
	bool learn;      // as in struct sealed
};

struct usual_lane {
	struct usual_data data[BURST_MAX];
	uint8_t admitted[BURST_MAX]; // which of them are
	unsigned count;
};

ALWAYS_INLINE uint8_t *usual_payload(uint8_t *frame)
{
	return frame + offsetof(struct sealed_frame, header);
}

ALWAYS_INLINE const struct session_header *usual_header(const uint8_t *frame)
{
	return &((const struct sealed_frame *)frame)->header;
}

ALWAYS_INLINE const uint8_t *usual_body(const uint8_t *frame)
{
	return ((const struct sealed_frame *)frame)->sealed;
}

/// The movement of an opened datagram with nothing else in it.
ALWAYS_INLINE const uint8_t *usual_motion(const uint8_t *frame)
{
	return usual_body(frame) + sizeof(struct session_message);
}

// ---------------------------------------------------------------- is it one, and whose?

/// @param others  sessions of which the other lane has something
/// @return false for what goes there, too, and for what the vault has no slot for
ALWAYS_INLINE bool sort_usual(const struct vault *vault, uint32_t used, uint64_t others, struct usual_lane *lane,
			      const uint8_t *frame, uint16_t len, unsigned i)
{
	const uint32_t slot = session_slot(&vault->numbers, usual_header(frame)->session);

	if (unlikely(slot >= used) || unlikely(others & session_bit(slot)))
		return false;
	prefetch_for_write(&vault->records[slot]);
	prefetch_for_write(&vault->records[slot].taken);
	lane->data[lane->count++] = (struct usual_data){
		.slot = slot,
		.length = (uint16_t)(len - sizeof(struct frame_front)),
		.at = (uint8_t)i,
	};
	return true;
}

/// As sealed_admissible().
ALWAYS_INLINE unsigned usual_admissible(struct gate *gate, struct usual_data *data, const uint8_t *frame, uint64_t now)
{
	const struct session_header *header = usual_header(frame);
	const struct session_side *side = gate->side;
	const struct issued *record = &side->vault->records[data->slot];
	const struct peer peer = frame_peer(frame);

	if (unlikely(!issued_serves(record, header->session, side->worker)))
		return not_served(gate, record, header->session, &data->owner);
	if (unlikely(data->length > record->max_datagram))
		return PG_DROP_SESSION_HEADER;
	data->elsewhere = !peer_equal(&record->peer, &peer);
	if (unlikely(data->elsewhere) && !unproved_conforms(gate, peer, now))
		return PG_DROP_SOURCE_RATE_LIMITED;
	data->counter = replay_counter(&record->replay, header->sequence);
	if (unlikely(!replay_fresh(&record->replay, data->counter)))
		return PG_DROP_REPLAYED;
	return PG_DROP_NONE;
}

/// @return how many are to be opened
ALWAYS_INLINE unsigned look_up_usual(struct gate *gate, struct usual_lane *lane, uint8_t *const *frame, uint64_t now)
{
	unsigned left = 0;

	for (unsigned k = 0; k < lane->count; k++) {
		struct usual_data *data = &lane->data[k];
		const unsigned result = usual_admissible(gate, data, frame[data->at], now);

		data->result = (uint8_t)result;
		lane->admitted[left] = (uint8_t)k;
		left += likely(result == PG_DROP_NONE);
	}
	return left;
}

/// Lines of keys: to open a movement, and to seal an acknowledgement.
struct usual_lines {
	uint32_t open, seal;
};

ALWAYS_INLINE struct usual_lines usual_lines(const struct cipher_code *code)
{
	return (struct usual_lines){cipher_lines(code, CONVERSATION_MOVE_LEN), cipher_lines(code, 0)};
}

ALWAYS_INLINE void usual_prefetch(const struct session_side *side, const struct usual_data *data, const uint8_t *frame,
				  struct usual_lines lines)
{
	const struct locker *locker = &side->vault->lockers[data->slot];
	const uint16_t sealed = data->length - SESSION_SEALED_MIN;

	cipher_bring(&locker->cipher.open,
		     likely(sealed == CONVERSATION_MOVE_LEN) ? lines.open : cipher_lines(&side->code, sealed));
	prefetch_for_write(&locker->conversation);
	if (likely(usual_header(frame)->flags & SESSION_FLAG_ACK_NOW))
		cipher_bring(&locker->cipher.seal, lines.seal);
}

// ---------------------------------------------------------------- what does it do?

/// Opened: is it all that this lane knows? Another of the burst may have come before it, with its counter or with the end of
/// the connection. None in this lane moves one.
ALWAYS_INLINE bool is_plain_sailing(const struct session_side *side, const struct usual_data *data,
				    const struct issued *record, const uint8_t *frame, const struct conversation *c)
{
	return likely(conversation_is_move(usual_body(frame), (uint16_t)(data->length - SESSION_SEALED_MIN))) &&
	       likely(issued_serves(record, usual_header(frame)->session, side->worker)) &&
	       likely(data->counter == record->replay.newest + 1) && likely(!data->elsewhere) &&
	       likely(conversation_quiet(c)) && likely(floats6_finite(usual_motion(frame)));
}

/// Within the rates? Both are charged, and the peer's acknowledgements taken in between, as by the general way.
ALWAYS_INLINE enum pg_drop charge_move(struct session_side *side, struct issued *record, struct conversation *c,
				       const struct session_header *header, uint64_t now)
{
	if (unlikely(!rate_admit_short(&record->conforms_at, side->rules->session[0], now)))
		return PG_DROP_SESSION_RATE_LIMITED;
	conversation_acknowledged(&side->hall, c, record->tx_counter, header->ack, header->ack_bits, now);
	if (unlikely(!rate_admit(&c->conforms_at[PG_REQUEST_MOVE], side->hall.rules->message_rate[PG_REQUEST_MOVE],
				 now)))
		return PG_DROP_MESSAGE_RATE_LIMITED;
	return PG_DROP_NONE;
}

/// Mark the counter of a datagram that came in order: every counter that was taken before is older.
ALWAYS_INLINE void move_taken(struct issued *record, struct usual_data *data, uint64_t now)
{
	replay_mark_next(&record->replay, data->counter);
	data->learn = (now ^ record->last_seen) >> ISSUED_LEARN_SHIFT != 0;
	record->last_seen = now;
}

/// @return PG_DROP_NONE for an acknowledgement in its place; or what became of it
ALWAYS_INLINE unsigned take_usual(struct session_side *side, struct usual_data *data, struct issued *record,
				  struct locker *locker, uint8_t *frame, uint64_t now)
{
	struct conversation *c = &locker->conversation;
	const struct session_header *header = usual_header(frame);
	enum pg_drop drop;

	move_taken(record, data, now);
	drop = charge_move(side, record, c, header, now);
	if (unlikely(drop != PG_DROP_NONE))
		return drop;
	dispatch_move(record, usual_motion(frame));
	mark_taken(record, data->counter);
	if (unlikely(!(header->flags & SESSION_FLAG_ACK_NOW))) {
		conversation_owe(&side->hall, c, now);
		if (conversation_due(c) > now) {
			session_note(side, data->slot, false);
			return PACKET_ABSORBED;
		}
	}
	if (unlikely(c->owed != 0)) // else its line is only read
		c->owed = 0;
	data->length = seal_acknowledgement(&side->code, record, &locker->cipher.seal, header->session,
					    connection_count(record), usual_payload(frame));
	return PG_DROP_NONE;
}

/// @return its result, or PACKET_UNDECIDED
ALWAYS_INLINE unsigned serve_usual_one(struct session_side *side, struct usual_data *data, uint8_t *frame, uint64_t now)
{
	struct issued *record = &side->vault->records[data->slot];
	struct locker *locker = &side->vault->lockers[data->slot];

	if (unlikely(!cipher_open(&side->code, &locker->cipher.open, data->counter, usual_payload(frame),
				  sizeof(struct session_header), data->length)))
		return not_authentic(record);
	return likely(is_plain_sailing(side, data, record, frame, &locker->conversation)) ?
		       take_usual(side, data, record, locker, frame, now) :
		       PACKET_UNDECIDED;
}

/// One that was opened and is more than this lane knows.
static __attribute__((noinline)) void take_opened(struct gate *gate, struct usual_data *data, uint8_t *frame,
						  uint64_t now)
{
	const struct peer peer = frame_peer(frame);
	struct sealed s = {
		.payload = usual_payload(frame),
		.peer = &peer,
		.counter = data->counter,
		.slot = data->slot,
		.length = data->length,
		.at = data->at,
	};

	take_sealed(gate, &s, now);
	data->result = s.result;
	data->length = s.length;
	data->learn = s.learn;
}

/// Open, take and answer, one after the other, while the keys of those a little later are on their way.
ALWAYS_INLINE void serve_usual(struct gate *gate, struct usual_lane *lane, uint8_t *const *frame, unsigned n,
			       uint64_t now)
{
	const struct usual_lines lines = usual_lines(&gate->side->code);
	unsigned taken = 0;

	for (unsigned k = 0; k < n && k < SEALED_AHEAD; k++) {
		const struct usual_data *next = &lane->data[lane->admitted[k]];

		usual_prefetch(gate->side, next, frame[next->at], lines);
	}
	for (unsigned k = 0; k < n; k++) {
		struct usual_data *data = &lane->data[lane->admitted[k]];

		if (likely(k + SEALED_AHEAD < n)) {
			const struct usual_data *next = &lane->data[lane->admitted[k + SEALED_AHEAD]];

			usual_prefetch(gate->side, next, frame[next->at], lines);
		}
		data->result = (uint8_t)serve_usual_one(gate->side, data, frame[data->at], now);
		taken += data->result == PG_DROP_NONE || data->result == PACKET_ABSORBED;
		if (unlikely(data->result == PACKET_UNDECIDED))
			take_opened(gate, data, frame[data->at], now);
	}
	counter_add(&gate->side->hall.stats->received[PG_REQUEST_MOVE], taken);
	counter_add(&gate->stats->handled[PG_MESSAGE_SESSION_DATA], taken);
}

#endif

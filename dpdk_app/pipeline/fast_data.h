// SPDX-License-Identifier: BSD-3-Clause
// pipeline/fast_data.h: the fast lane of the session profile: stages for the one kind of frame that nearly all are.
//
// The kind is a DATA in a common frame to the first listener: all offsets are constants, and between the stages only
// slot, counter and lengths are kept. A movement in order, from where its player is proved to be, in a delivery where
// nothing is on its way, is handled here to the end. A datagram that turns out to be more takes the general path
// (session_stages.h) once it is opened, with the same outcome: tests and fuzzers hold the two to each other.
//
// The datagrams of one session are taken in the order of their arrival. One that is more than a movement is taken at
// its turn. Once the other lane has a datagram of a session, it gets all later ones of that session in the burst.
//
// In the order in which a frame goes through it: sort, look up, serve (open, take, answer), conclude. The way before and
// behind it is in ../README.md, "The way of a movement".

#ifndef POLLGATE_PIPELINE_FAST_DATA_H
#define POLLGATE_PIPELINE_FAST_DATA_H

#include "net/sealed_frame.h"
#include "pipeline/sealed_answers.h"
#include "pipeline/session_stages.h"

/// A datagram between the stages, and its result.
struct fast_data {
	uint32_t counter;
	uint32_t slot;
	uint16_t length; // of the payload; then of the answer
	uint8_t at;      // index into the burst
	uint8_t result;  // enum pg_drop, PACKET_…
	uint8_t owner;   // of PACKET_ELSEWHERE
	bool elsewhere;  // not from where its player is proved to be
	bool learn;      // as in struct sealed
};

struct fast_lane {
	struct fast_data data[BURST_MAX];
	uint8_t admitted[BURST_MAX]; // indexes into `data` of those that are to be opened
	unsigned count;
};

ALWAYS_INLINE uint8_t *fast_payload(uint8_t *frame)
{
	return frame + offsetof(struct sealed_frame, header);
}

ALWAYS_INLINE const struct session_header *fast_header(const uint8_t *frame)
{
	return &((const struct sealed_frame *)frame)->header;
}

ALWAYS_INLINE const struct session_prefix *fast_prefix(const uint8_t *frame)
{
	return &((const struct sealed_frame *)frame)->prefix;
}

ALWAYS_INLINE const uint8_t *fast_body(const uint8_t *frame)
{
	return ((const struct sealed_frame *)frame)->messages;
}

// ---------------------------------------------------------------- is it one, and whose?

/// Take as many from the i-th on as are DATA in common frames, of sessions that the store has a slot for: like
/// sort_moves().
/// @param others  sessions of which the other lane has something
/// @return index of the first that goes there, too, or n
static __attribute__((noinline)) unsigned sort_fast_frames(const struct ingress *ingress, const struct burst *burst,
							   unsigned i, unsigned n, struct fast_lane *lane,
							   uint64_t others, const bool rx_offload)
{
	const struct fast_spans spans = fast_spans(&ingress->identity->fast);
	const struct session_store *store = ingress->shard->store;
	const uint32_t used = store_used(store);

	for (; i < n; i++) {
		const uint8_t *frame = burst->frame[i];
		const uint16_t len = burst->length[i];

		if (unlikely(!is_sealed_frame(frame, len, &spans)) ||
		    unlikely(!sealed_checksums_right(frame, len, &spans, rx_offload ? burst->rx[i] : 0)))
			break;

		const uint32_t slot = session_slot(&store->numbers, fast_header(frame)->session);

		if (unlikely(slot >= used) || unlikely(others & session_bit(slot)))
			break;
		prefetch_for_write(&store->records[slot]);
		prefetch_for_write(&store->records[slot].taken_at);
		lane->data[lane->count++] = (struct fast_data){
			.slot = slot,
			.length = (uint16_t)(len - sizeof(struct frame_front)),
			.at = (uint8_t)i,
		};
	}
	return i;
}

// ---------------------------------------------------------------- may it be opened?

/// As admissible_otherwise(). What is under another number than the one issued is opened here, and then takes the general path.
static COLD unsigned fast_admissible_otherwise(struct ingress *ingress, struct fast_data *data, uint8_t *payload,
					       struct peer peer, uint64_t now)
{
	struct sealed s = {.payload = payload, .peer = &peer, .slot = data->slot};
	const unsigned result = admissible_otherwise(ingress, &s, now);

	data->slot = s.slot;
	data->counter = s.counter;
	data->owner = s.owner;
	data->elsewhere = true;
	return result;
}

/// As sealed_admissible().
ALWAYS_INLINE unsigned fast_admissible(struct ingress *ingress, struct fast_data *data, uint8_t *frame, uint64_t now)
{
	const struct session_header *header = fast_header(frame);
	const struct session_shard *shard = ingress->shard;
	const struct session_record *record = &shard->store->records[data->slot];
	const struct peer peer = frame_peer(frame);

	if (unlikely(!record_serves(record, header->session, shard->worker)))
		return fast_admissible_otherwise(ingress, data, fast_payload(frame), peer, now);
	data->elsewhere = !peer_equal(&record->peer, &peer);
	if (unlikely(data->elsewhere) && !place_conforms(ingress, peer, now))
		return PG_DROP_SOURCE_RATE_LIMITED;
	data->counter = header->counter;
	if (unlikely(!replay_fresh(&record->replay, data->counter)))
		return PG_DROP_REPLAYED;
	return PG_DROP_NONE;
}

static COLD void answer_lost_fast(struct ingress *ingress, struct fast_data *data, uint8_t *frame, uint64_t now)
{
	const struct peer peer = frame_peer(frame);

	data->result =
		(uint8_t)answer_lost(ingress, data->slot, &peer, fast_payload(frame), &data->length, data->result, now);
}

/// @return how many are to be opened
ALWAYS_INLINE unsigned look_up_fast(struct ingress *ingress, struct fast_lane *lane, uint8_t *const *frame,
				    uint64_t now)
{
	unsigned left = 0;

	for (unsigned k = 0; k < lane->count; k++) {
		struct fast_data *data = &lane->data[k];
		const unsigned result = fast_admissible(ingress, data, frame[data->at], now);

		data->result = (uint8_t)result;
		lane->admitted[left] = (uint8_t)k;
		left += likely(result == PG_DROP_NONE);
		if (unlikely(is_lost(result)))
			answer_lost_fast(ingress, data, frame[data->at], now);
	}
	return left;
}

// ---------------------------------------------------------------- what does it do?

/// Lines of keys: to open a movement, and to seal an acknowledgement.
struct fast_lines {
	uint32_t open, seal;
	bool player; // whose session it is, too
};

ALWAYS_INLINE struct fast_lines fast_lines(const struct session_shard *shard)
{
	return (struct fast_lines){
		.open = cipher_lines(&shard->code, SEALED_MOVE),
		.seal = cipher_lines(&shard->code, sizeof(struct session_prefix)),
		.player = dispatch_names_players(shard),
	};
}

ALWAYS_INLINE void fast_prefetch(const struct session_shard *shard, const struct fast_data *data,
				 struct fast_lines lines)
{
	const struct session_keys keys = store_keys(shard->store, data->slot);
	const uint16_t sealed = data->length - SESSION_AROUND;

	cipher_bring(keys.open, likely(sealed == SEALED_MOVE) ? lines.open : cipher_lines(&shard->code, sealed));
	prefetch_for_write(store_delivery(shard->store, data->slot));
	if (lines.player)
		prefetch(&shard->store->records[data->slot].player_id);
	if (shard->replication) // whose states acknowledge
		replication_bring_move(shard->replication, data->slot);
	else
		cipher_bring(keys.seal, lines.seal);
}

/// Is an opened datagram from its player's proved address, and the next one of a session that is served here? A
/// datagram before it in the burst may have had its counter, or ended the connection. None in this lane changes a
/// peer's address.
ALWAYS_INLINE bool is_next_from_home(const struct session_shard *shard, const struct fast_data *data,
				     const struct session_record *record, const uint8_t *frame)
{
	return likely(record_serves(record, fast_header(frame)->session, shard->worker)) &&
	       likely(data->counter == record->replay.newest + 1) && likely(!data->elsewhere);
}

/// No acknowledgement was asked for at once: is none due either?
ALWAYS_INLINE bool owe_fast(struct session_shard *shard, const struct fast_data *data, struct delivery *c, uint64_t now)
{
	delivery_owe(&shard->ctx, c, now);
	if (delivery_due(c) <= now)
		return false;
	if (!a_state_acknowledges(shard, data->slot, c))
		session_note(shard, data->slot, false);
	return true;
}

/// Take a datagram of one movement, in order, in a delivery with nothing else to do. Of any other, nothing is changed.
/// @return PG_DROP_NONE for an acknowledgement in its place; what became of it; or PACKET_UNDECIDED
ALWAYS_INLINE unsigned take_fast(struct session_shard *shard, struct fast_data *data, struct session_record *record,
				 const struct cipher_key *seal, uint8_t *frame, uint64_t now)
{
	struct delivery *c = store_delivery(shard->store, data->slot);
	const struct session_prefix *prefix = fast_prefix(frame);
	const uint8_t *body = fast_body(frame);
	enum pg_drop drop;

	if (unlikely(!is_next_from_home(shard, data, record, frame)) || unlikely(!prefix_is_right(prefix)) ||
	    unlikely(!delivery_takes_move(c, body, (uint16_t)(data->length - SESSION_DATA_MIN), now)))
		return PACKET_UNDECIDED;
	replay_mark_next(&record->replay, data->counter); // whatever was taken last, it is older
	data->learn = (now ^ record->last_seen) >> RECORD_LEARN_SHIFT != 0;
	record->last_seen = now;
	if (unlikely(!rate_admit_short(&record->conforms_at, shard->rules->session[0], now)))
		return PG_DROP_SESSION_RATE_LIMITED;
	drop = delivery_take_move(&shard->ctx, c, record->tx_counter, prefix, now);
	if (unlikely(drop != PG_DROP_NONE))
		return drop;
	(void)dispatch_own(record, SESSION_MOVE, body + sizeof(struct session_message));
	dispatch_moved(shard, data->slot, now);
	connection_take(record, data->counter, now);
	if (unlikely(!(prefix->wants & SESSION_WANTS_ANSWER)) && owe_fast(shard, data, c, now))
		return PACKET_ABSORBED;
	if (unlikely(c->owed != 0)) // else its line is only read
		c->owed = 0;
	// Of the newest datagram, which came now, where the request lay.
	seal_acknowledgement(&shard->code, record, seal, (struct visible_as){fast_header(frame)->session, 0},
			     connection_count(record), 0, fast_payload(frame));
	data->length = SESSION_DATA_MIN;
	return PG_DROP_NONE;
}

/// @return its result, or PACKET_UNDECIDED
ALWAYS_INLINE unsigned serve_fast_one(struct session_shard *shard, struct fast_data *data, uint8_t *frame, uint64_t now)
{
	struct session_record *record = &shard->store->records[data->slot];
	const struct session_keys keys = store_keys(shard->store, data->slot);

	if (unlikely(!open_of_session(shard, data->slot, keys.open, data->counter, fast_payload(frame), data->length,
				      now)))
		return not_authentic(record);
	return take_fast(shard, data, record, keys.seal, frame, now);
}

/// Take an opened datagram that is more than a movement, by the general path.
static __attribute__((noinline)) void take_opened(struct ingress *ingress, struct fast_data *data, uint8_t *frame,
						  uint64_t now)
{
	const struct peer peer = frame_peer(frame);
	struct sealed s = {
		.payload = fast_payload(frame),
		.peer = &peer,
		.counter = data->counter,
		.slot = data->slot,
		.length = data->length,
		.at = data->at,
	};

	take_sealed(ingress, &s, now);
	data->result = s.result;
	data->length = s.length;
	data->learn = s.learn;
}

/// Open, take and answer one datagram after the other, while the keys of later ones are prefetched.
ALWAYS_INLINE void serve_fast(struct ingress *ingress, struct fast_lane *lane, uint8_t *const *frame, unsigned n,
			      uint64_t now)
{
	const struct fast_lines lines = fast_lines(ingress->shard);
	unsigned taken = 0;

	for (unsigned k = 0; k < n && k < SEALED_AHEAD; k++) {
		const struct fast_data *next = &lane->data[lane->admitted[k]];

		fast_prefetch(ingress->shard, next, lines);
	}
	for (unsigned k = 0; k < n; k++) {
		struct fast_data *data = &lane->data[lane->admitted[k]];

		if (ingress->shard->replication && likely(k + PLACE_AHEAD < n))
			replication_bring_place(ingress->shard->replication,
						lane->data[lane->admitted[k + PLACE_AHEAD]].slot);
		if (likely(k + SEALED_AHEAD < n)) {
			const struct fast_data *next = &lane->data[lane->admitted[k + SEALED_AHEAD]];

			fast_prefetch(ingress->shard, next, lines);
		}
		data->result = (uint8_t)serve_fast_one(ingress->shard, data, frame[data->at], now);
		taken += data->result == PG_DROP_NONE || data->result == PACKET_ABSORBED;
		if (unlikely(data->result == PACKET_UNDECIDED))
			take_opened(ingress, data, frame[data->at], now);
	}
	counter_add(&ingress->shard->ctx.stats->received[PG_REQUEST_MOVE], taken);
	counter_add(&ingress->stats->handled[PG_MESSAGE_SESSION_DATA], taken);
}

// ---------------------------------------------------------------- what becomes of each?

/// Answer with more than an acknowledgement: messages, or a PATH_CHALLENGE.
static __attribute__((noinline)) void answer_longer(const struct ingress *ingress, struct burst *burst,
						    const struct fast_data *data, const unsigned tx_offload)
{
	const struct sealed s = {.length = data->length, .at = data->at};
	struct packet p = common_packet(burst->frame[data->at]);

	answer_sealed(ingress, burst, &s, &p, tx_offload);
}

ALWAYS_INLINE void conclude_fast(struct ingress *ingress, struct burst *burst, const struct fast_data *data,
				 const unsigned tx_offload)
{
	const unsigned i = data->at;

	if (unlikely(data->learn))
		learn_return_headers(ingress, burst, data->slot, i, common_packet(burst->frame[i]));
	if (unlikely(data->result != PG_DROP_NONE)) {
		conclude_unanswered(ingress, burst, i, data->result, data->owner);
		return;
	}
	if (unlikely(data->length != SESSION_DATA_MIN)) {
		answer_longer(ingress, burst, data, tx_offload);
		return;
	}
	sealed_frame_answer(burst->frame[i], tx_offload);
	burst->length[i] = SEALED_FRAME_MIN;
	if (tx_offload)
		leave_checksums(burst, i, tx_offload);
}

/// Functions of their own, with what the device computes as a constant.
static __attribute__((noinline)) void conclude_all_fast(struct ingress *ingress, struct burst *burst,
							const struct fast_lane *lane)
{
	for (unsigned k = 0; k < lane->count; k++)
		conclude_fast(ingress, burst, &lane->data[k], TX_CHECKSUM_NONE);
}

static __attribute__((noinline)) void conclude_all_fast_in_part(struct ingress *ingress, struct burst *burst,
								const struct fast_lane *lane, const unsigned tx_offload)
{
	for (unsigned k = 0; k < lane->count; k++)
		conclude_fast(ingress, burst, &lane->data[k], tx_offload);
}

/// @param n  look_up_fast()
static __attribute__((noinline)) void serve_fast_frames(struct ingress *ingress, struct burst *burst,
							struct fast_lane *lane, unsigned n, uint64_t now,
							const unsigned tx_offload)
{
	serve_fast(ingress, lane, burst->frame, n, now);
	burst->resized = true;
	if (tx_offload == TX_CHECKSUM_NONE)
		conclude_all_fast(ingress, burst, lane);
	else
		conclude_all_fast_in_part(ingress, burst, lane, tx_offload);
}

#endif

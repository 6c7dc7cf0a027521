// SPDX-License-Identifier: BSD-3-Clause
// pipeline/session_stages.h: the general path of the session profile, for datagrams from frames and from sockets.
//
// Included like stages.h. Stage by stage over the burst, as there: sort (prefetch records), look up (prefetch keys and
// deliveries), open, take and answer. What a forgery costs grows with how far it comes: an index, a comparison of
// addresses, the replay window, and one tag. HELLO and CONFIRM come last, one by one.

#ifndef POLLGATE_PIPELINE_SESSION_STAGES_H
#define POLLGATE_PIPELINE_SESSION_STAGES_H

#include <string.h>

#include "game/dispatch.h"
#include "pipeline/sealed.h"
#include "pipeline/session_elsewhere.h"
#include "pipeline/stages.h"
#include "session/handshake.h"
#include "session/lost.h"
#include "session/path.h"
#include "wire/session.h"
#include "wire/zero.h"

/// How many datagrams ahead keys are prefetched.
#ifndef SEALED_AHEAD
#define SEALED_AHEAD 4
#endif

/// And where their players are in a world.
#define PLACE_AHEAD 2

/// One bit of 64 for each session: two datagrams with different bits are of different sessions, or of one that changes its number:
/// those are in no order, as the path may bring them.
ALWAYS_INLINE uint64_t session_bit(uint32_t slot)
{
	return 1ULL << slot % 64;
}

ALWAYS_INLINE void sealed_lane_begin(struct sealed_lane *lane)
{
	lane->sessions = 0;
	lane->count = lane->sealed_count = lane->handshake_count = 0;
}

// ---------------------------------------------------------------- what is it?

/// Lengths that a sealed kind can have; of kinds that no client sends, and of none, the longest is 0.
struct sealed_lengths {
	uint16_t least, most;
};

static const struct sealed_lengths sealed_lengths[] = {
	[SESSION_DATA] = {SESSION_DATA_MIN, SESSION_DATAGRAM_MAX},
	[SESSION_CLOSE] = {SESSION_AROUND + sizeof(struct session_close_body),
			   SESSION_AROUND + sizeof(struct session_close_body)},
	[SESSION_PATH_RESPONSE] = {SESSION_AROUND + SESSION_PATH_TOKEN_LEN, SESSION_AROUND + SESSION_PATH_TOKEN_LEN},
	[SESSION_PROBE] = {SESSION_DATA_MIN, SESSION_DATAGRAM_MAX},
};
static_assert(sizeof(sealed_lengths) / sizeof(sealed_lengths[0]) == SESSION_KIND_LAST + 1, "of each kind");

ALWAYS_INLINE bool is_handshake(unsigned kind)
{
	return kind == SESSION_HELLO || kind == SESSION_CONFIRM;
}

static COLD enum pg_drop refuse_kind(unsigned kind)
{
	return kind == 0 || kind > SESSION_KIND_LAST ? PG_DROP_SESSION_HEADER : PG_DROP_SESSION_STATE;
}

/// Check what the header alone shows.
ALWAYS_INLINE enum pg_drop check_header(const struct session_header *header, uint16_t length)
{
	if (unlikely(length < sizeof(*header)))
		return PG_DROP_TRUNCATED;
	if (unlikely(header->length != length || length > SESSION_DATAGRAM_MAX))
		return PG_DROP_SESSION_HEADER;
	if (unlikely(header->flags & ~SESSION_FLAG_PHASE))
		return PG_DROP_SESSION_HEADER;
	if (unlikely(is_handshake(header->kind))) // has no flags either: handshake_receive()
		return PG_DROP_NONE;
	if (unlikely(header->kind > SESSION_KIND_LAST || sealed_lengths[header->kind].most == 0))
		return refuse_kind(header->kind);
	if (unlikely(length < sealed_lengths[header->kind].least || length > sealed_lengths[header->kind].most))
		return PG_DROP_SESSION_HEADER;
	return PG_DROP_NONE;
}

/// Take a datagram into the lane, and prefetch the record of its session.
/// @return PG_DROP_NONE, or why the datagram is refused
ALWAYS_INLINE enum pg_drop sort_sealed(const struct ingress *ingress, struct sealed_lane *lane, uint8_t *payload,
				       uint16_t length, const struct peer *peer, unsigned i)
{
	const struct session_header *header = (const struct session_header *)payload;
	const struct session_store *store = ingress->shard->store;
	const enum pg_drop drop = check_header(header, length);
	const unsigned k = lane->count;

	if (unlikely(drop != PG_DROP_NONE))
		return drop;

	uint32_t slot = session_slot(&store->numbers, header->session);

	if (unlikely(is_handshake(header->kind))) {
		lane->handshake_datagram[lane->handshake_count++] = (uint8_t)k;
	} else {
		const uint64_t bit = session_bit(slot); // of the number, as in the other lane

		if (unlikely(slot >= store_used(store))) {
			slot = given_to(store, header->session);
			if (slot == VISIBLE_NOBODY)
				return nobodys(store, header->session);
		}
		lane->sessions |= bit;
		prefetch_for_write(&store->records[slot]);
		prefetch_for_write(&store->records[slot].taken_at);
		lane->sealed[lane->sealed_count++] = (uint8_t)k;
	}
	lane->datagram[k] = (struct sealed){
		.payload = payload,
		.peer = peer,
		.slot = slot,
		.length = length,
		.at = (uint8_t)i,
		.result = PACKET_UNDECIDED,
	};
	lane->count++;
	return PG_DROP_NONE;
}

// ---------------------------------------------------------------- whose is it?

/// May it be opened?
ALWAYS_INLINE unsigned check_sealed(struct ingress *ingress, struct sealed *s, uint32_t offset, uint64_t now)
{
	const struct session_record *record = &ingress->shard->store->records[s->slot];

	if (unlikely(!peer_equal(&record->peer, s->peer)) && !place_conforms(ingress, *s->peer, now))
		return PG_DROP_SOURCE_RATE_LIMITED;
	s->counter = ((const struct session_header *)s->payload)->counter - offset;
	if (unlikely(!replay_fresh(&record->replay, s->counter)))
		return PG_DROP_REPLAYED;
	return PG_DROP_NONE;
}

/// As sealed_admissible(), of one that no record serves under the number issued.
static COLD unsigned admissible_otherwise(struct ingress *ingress, struct sealed *s, uint64_t now)
{
	uint32_t offset = 0;
	const unsigned result = look_closer(ingress, s, now, &offset);

	return result == PG_DROP_NONE ? check_sealed(ingress, s, offset, now) : result;
}

/// All checks that need no key. Of another worker's record, peer and counters are not read.
/// @return PG_DROP_NONE for one whose tag is to be checked; enum pg_drop or PACKET_ELSEWHERE
ALWAYS_INLINE unsigned sealed_admissible(struct ingress *ingress, struct sealed *s, uint64_t now)
{
	const struct session_header *header = (const struct session_header *)s->payload;
	const struct session_shard *shard = ingress->shard;

	if (unlikely(!record_serves(&shard->store->records[s->slot], header->session, shard->worker)))
		return admissible_otherwise(ingress, s, now);
	return check_sealed(ingress, s, 0, now);
}

/// Prefetch what opening, taking and answering will touch.
ALWAYS_INLINE void sealed_prefetch(const struct session_shard *shard, const struct sealed *s)
{
	const struct session_keys keys = store_keys(shard->store, s->slot);

	cipher_prefetch(&shard->code, keys.open, s->length - SESSION_AROUND);
	prefetch_for_write(store_delivery(shard->store, s->slot));
	cipher_prefetch(&shard->code, keys.seal, sizeof(struct session_prefix));
	if (dispatch_names_players(shard))
		prefetch(&shard->store->records[s->slot].player_id);
	if (shard->replication)
		replication_bring_move(shard->replication, s->slot);
}

/// Nobody is connected: is whoever sent it to be told so?
/// @param length  of the datagram; then of the answer in its place
/// @return PG_DROP_NONE if so, else why it is dropped
static COLD unsigned answer_lost(struct ingress *ingress, uint32_t slot, const struct peer *peer, uint8_t *payload,
				 uint16_t *length, unsigned drop, uint64_t now)
{
	const uint16_t answer = lost_answer(ingress->shard, slot, peer, payload, *length, now);

	if (answer == 0)
		return drop;
	counter_add(&ingress->stats->handled[PG_MESSAGE_SESSION_LOST], 1);
	*length = answer;
	return PG_DROP_NONE;
}

ALWAYS_INLINE bool is_lost(unsigned result)
{
	return result == PG_DROP_SESSION_STATE || result == PG_DROP_SESSION_OVER;
}

/// @return how many of the lane's sealed datagrams are left; they are moved to the front
ALWAYS_INLINE unsigned look_up_sealed(struct ingress *ingress, struct sealed_lane *lane, uint64_t now)
{
	unsigned left = 0;

	for (unsigned k = 0; k < lane->sealed_count; k++) {
		struct sealed *s = &lane->datagram[lane->sealed[k]];
		const unsigned result = sealed_admissible(ingress, s, now);

		if (likely(result == PG_DROP_NONE))
			lane->sealed[left++] = lane->sealed[k];
		else if (is_lost(result))
			s->result =
				(uint8_t)answer_lost(ingress, s->slot, s->peer, s->payload, &s->length, result, now);
		else
			s->result = (uint8_t)result;
	}
	return left;
}

// ---------------------------------------------------------------- is it authentic?

/// The connection may have ended since it was looked up, by a datagram of the same burst; its keys are gone then.
ALWAYS_INLINE enum pg_drop not_authentic(const struct session_record *record)
{
	return record_is_connected(record) ? PG_DROP_BAD_TAG : PG_DROP_SESSION_STATE;
}

ALWAYS_INLINE bool open_sealed(const struct ingress *ingress, struct sealed *s, uint64_t now)
{
	struct session_shard *shard = ingress->shard;

	if (likely(open_of_session(shard, s->slot, store_keys(shard->store, s->slot).open, s->counter, s->payload,
				   s->length, now)))
		return true;
	s->result = (uint8_t)not_authentic(&shard->store->records[s->slot]);
	return false;
}

// ---------------------------------------------------------------- what does it do?

/// Take the messages of a datagram: each is taken, skipped, lost or refused for itself. With one that was refused the datagram is
/// not acknowledged, and comes again.
/// @return PG_DROP_NONE, or why a movement that came alone was not taken
ALWAYS_INLINE enum pg_drop take_messages(struct session_shard *shard, const struct sealed *s,
					 struct session_record *record, struct delivery *c, struct intake *intake,
					 uint64_t now)
{
	const uint8_t *body = s->payload + SESSION_BEFORE_MESSAGES;
	const uint16_t length = (uint16_t)(s->length - SESSION_DATA_MIN);
	struct delivered message;

	intake_begin(intake, body, length, (uint32_t)s->counter, now);
	while (intake_next(&shard->ctx, c, intake, &message))
		dispatch(shard, record, &message, now);
	if (unlikely(intake->drop != PG_DROP_NONE))
		return intake->drop;
	if (unlikely(intake->refused)) {
		delivery_refuse(&shard->ctx, c, intake);
		return PG_DROP_NONE;
	}
	connection_take(record, s->counter, now);
	if (length > 0)
		delivery_owe(&shard->ctx, c, now);
	return PG_DROP_NONE;
}

/// A datagram came from an unproved address: is a PATH_CHALLENGE to be sent there?
static COLD void challenge_path(struct session_shard *shard, struct sealed *s, bool newest, uint64_t now)
{
	const uint16_t answer = newest ? path_challenge(shard, s->slot, s->peer, s->payload, now) : 0;

	s->length = answer;
	s->result = answer ? PG_DROP_NONE : PACKET_ABSORBED;
}

/// @param at_once  the peer wants to hear now
ALWAYS_INLINE void answer_data(struct session_shard *shard, struct sealed *s, struct delivery *c, bool at_once,
			       uint64_t now)
{
	const struct session_header *header = (const struct session_header *)s->payload;

	s->result = PACKET_ABSORBED;
	if (at_once || delivery_due(c) <= now) {
		s->length = sealed_data(shard, s->slot, header->session, s->payload, now);
		s->result = PG_DROP_NONE;
	}
}

/// After a movement that came alone: its acknowledgement leaves with a state of its player's world, and nothing else is due.
ALWAYS_INLINE bool a_state_acknowledges(const struct session_shard *shard, uint32_t slot, const struct delivery *c)
{
	return shard->replication && delivery_is_idle(c) && replication_acknowledges(shard->replication, slot);
}

/// @param newest  no authentic packet of this session has a higher counter
ALWAYS_INLINE void take_data(struct ingress *ingress, struct sealed *s, struct session_record *record, bool newest,
			     uint64_t now)
{
	struct session_shard *shard = ingress->shard;
	const struct session_prefix *prefix =
		(const struct session_prefix *)(s->payload + sizeof(struct session_header));
	struct delivery *c = store_delivery(shard->store, s->slot);
	const uint8_t *body = s->payload + SESSION_BEFORE_MESSAGES;
	const uint16_t length = (uint16_t)(s->length - SESSION_DATA_MIN); // before it is the answer's
	const bool ids = length > 0 && !delivery_is_move(body, length);   // those of messages may have moved on
	struct intake intake = {.violation = false};

	if (unlikely(!rate_admit_short(&record->conforms_at, shard->rules->session[peer_listener(s->peer)], now))) {
		s->result = PG_DROP_SESSION_RATE_LIMITED;
		return;
	}
	if (unlikely(!prefix_is_right(prefix))) {
		s->result = PG_DROP_SESSION_HEADER;
		return;
	}
	if (unlikely(!delivery_quiet(c)))
		delivery_heed_busy(&shard->ctx, c, body, length, now);
	delivery_acknowledged(&shard->ctx, c, record->tx_counter, prefix, now);

	const enum pg_drop drop = take_messages(shard, s, record, c, &intake, now);

	if (unlikely(drop != PG_DROP_NONE)) {
		s->result = (uint8_t)drop;
		session_note(shard, s->slot, false);
		return;
	}
	counter_add(&ingress->stats->handled[PG_MESSAGE_SESSION_DATA], 1);
	if (unlikely(intake.violation)) {
		s->result = PACKET_ABSORBED;
		connection_close(shard, s->slot, SESSION_CLOSED_PROTOCOL, now);
		return;
	}
	if (likely(peer_equal(&record->peer, s->peer)))
		answer_data(shard, s, c, (prefix->wants & SESSION_WANTS_ANSWER) && length > 0, now);
	else
		challenge_path(shard, s, newest, now);
	if (ids || !a_state_acknowledges(shard, s->slot, c))
		session_note(shard, s->slot, ids);
}

/// The peer asks whether its path carries so many bytes: it hears at once.
static COLD void take_probe(struct ingress *ingress, struct sealed *s, struct session_record *record, bool newest,
			    uint64_t now)
{
	struct session_shard *shard = ingress->shard;
	struct delivery *c = store_delivery(shard->store, s->slot);

	if (!rate_admit_short(&record->conforms_at, shard->rules->session[peer_listener(s->peer)], now)) {
		s->result = PG_DROP_SESSION_RATE_LIMITED;
		return;
	}
	if (!all_zero(s->payload + sizeof(struct session_header), s->length - SESSION_AROUND)) {
		s->result = PG_DROP_SESSION_HEADER;
		return;
	}
	connection_take(record, s->counter, now);
	counter_add(&ingress->stats->handled[PG_MESSAGE_SESSION_PROBE], 1);
	if (peer_equal(&record->peer, s->peer))
		answer_data(shard, s, c, true, now);
	else
		challenge_path(shard, s, newest, now);
	session_note(shard, s->slot, false);
}

static COLD void take_control(struct ingress *ingress, struct sealed *s, struct session_record *record, uint64_t now)
{
	const struct handshake_outcome outcome =
		handshake_control(ingress->shard, s->slot, s->peer, s->payload, s->length, now);

	if (outcome.drop != PG_DROP_NONE) {
		s->result = (uint8_t)outcome.drop;
		return;
	}
	counter_add(&ingress->stats->handled[outcome.message], 1);
	if (outcome.message == PG_MESSAGE_SESSION_PATH_RESPONSE)
		connection_take(record, s->counter, now);
	s->learn = outcome.moved;
	s->length = outcome.answer;
	s->result = outcome.answer ? PG_DROP_NONE : PACKET_ABSORBED;
}

/// Take an opened datagram. A datagram before it in the burst may have had its counter, or ended the connection.
ALWAYS_INLINE void take_sealed(struct ingress *ingress, struct sealed *s, uint64_t now)
{
	const struct session_header *header = (const struct session_header *)s->payload;
	struct session_record *record = &ingress->shard->store->records[s->slot];
	const bool newest = s->counter > record->replay.newest;

	if (unlikely(record_owner(record) != ingress->shard->worker || !record_is_connected(record))) {
		s->result = PG_DROP_SESSION_STATE;
		return;
	}
	if (unlikely(!replay_fresh(&record->replay, s->counter))) {
		s->result = PG_DROP_REPLAYED;
		return;
	}
	if (unlikely(header->kind == SESSION_PATH_RESPONSE) &&
	    !path_response_counts(ingress->shard, s->slot, s->peer, s->payload, s->length, now)) {
		s->result = PG_DROP_BAD_PATH_RESPONSE;
		return;
	}
	replay_mark(&record->replay, s->counter);
	if (unlikely(header->session != record->session))
		renames_take(ingress->shard, s->slot, header->session, peer_equal(&record->peer, s->peer), now);
	s->learn = (now ^ record->last_seen) >> RECORD_LEARN_SHIFT != 0 && peer_equal(&record->peer, s->peer);
	record->last_seen = now;
	if (likely(header->kind == SESSION_DATA))
		take_data(ingress, s, record, newest, now);
	else if (header->kind == SESSION_PROBE)
		take_probe(ingress, s, record, newest, now);
	else
		take_control(ingress, s, record, now);
}

// ---------------------------------------------------------------- HELLO and CONFIRM

/// Do answers to this session go where the datagram came from?
static bool leads_back(const struct session_shard *shard, const struct sealed *s)
{
	const struct session_record *record = &shard->store->records[s->slot];

	return s->slot < shard->store->capacity && record_owner(record) == shard->worker &&
	       record_is_connected(record) && peer_equal(&record->peer, s->peer);
}

static COLD void send_handshake(struct ingress *ingress, struct sealed *s, uint64_t now)
{
	struct handshake_outcome outcome;

	outcome = handshake_receive(ingress->shard, s->peer, s->payload, s->length,
				    sender_conforms(ingress, *s->peer, now), now);
	if (outcome.elsewhere || outcome.drop != PG_DROP_NONE) {
		s->owner = outcome.owner;
		s->result = (uint8_t)(outcome.elsewhere ? sealed_elsewhere(ingress, outcome.owner) : outcome.drop);
		return;
	}
	counter_add(&ingress->stats->handled[outcome.message], 1);
	// Not from a repeated or denied CONFIRM: an attacker who saw the first one, or its cookie, can send it from
	// anywhere.
	s->learn = outcome.moved && leads_back(ingress->shard, s);
	s->length = outcome.answer;
	s->result = outcome.answer ? PG_DROP_NONE : PACKET_ABSORBED;
}

// ---------------------------------------------------------------- all of it

/// Open, take and answer one datagram after the other, while the keys of later ones are prefetched.
ALWAYS_INLINE void serve_sealed_ones(struct ingress *ingress, struct sealed_lane *lane, unsigned n, uint64_t now)
{
	for (unsigned k = 0; k < n && k < SEALED_AHEAD; k++)
		sealed_prefetch(ingress->shard, &lane->datagram[lane->sealed[k]]);
	for (unsigned k = 0; k < n; k++) {
		struct sealed *s = &lane->datagram[lane->sealed[k]];

		if (likely(k + SEALED_AHEAD < n))
			sealed_prefetch(ingress->shard, &lane->datagram[lane->sealed[k + SEALED_AHEAD]]);
		if (likely(open_sealed(ingress, s, now)))
			take_sealed(ingress, s, now);
	}
}

/// After this every datagram of the lane has its result; what is handled is counted, what is dropped is not yet.
/// @param n  look_up_sealed()
static __attribute__((noinline)) void run_sealed(struct ingress *ingress, struct sealed_lane *lane, unsigned n,
						 uint64_t now)
{
	serve_sealed_ones(ingress, lane, n, now);
	for (unsigned k = 0; k < lane->handshake_count; k++)
		send_handshake(ingress, &lane->datagram[lane->handshake_datagram[k]], now);
}

#endif

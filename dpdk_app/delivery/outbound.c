// SPDX-License-Identifier: BSD-3-Clause
// delivery/outbound.c: a message waits in the queue of its priority and channel, flies, and goes when it was acknowledged.
//
// Ids are given when a message is queued, so a channel is in that order whatever the priorities; a queue stands still
// while its first id is not in the window. What is on its way lies in one list per number of sends: the timeout of a
// list is one and the same, so its first is due first; and its last is of the newest packet, so an acknowledgement looks
// no further back than it reaches.

#include "delivery/outbound.h"

#include <string.h>

#include "delivery/stored.h"
#include "message/session_check.h"

#define SMALLEST_ROOM (SESSION_DATAGRAM_MIN - SESSION_SEALED_MIN)
#define RELIABLE_HEAD (sizeof(struct session_message) + sizeof(uint16_t))
#define FRAGMENT_HEAD (RELIABLE_HEAD + sizeof(struct session_fragment))
#define ACK_REACH 32   // packets before the newest that ack_bits speak of
#define IDS_MAX 0x4000 // of a channel, waiting or on their way: far from where ids would be ambiguous

static_assert((SMALLEST_ROOM - FRAGMENT_HEAD) * SESSION_FRAGMENTS_MAX >= SESSION_MESSAGE_MAX,
	      "the smallest datagrams carry the largest message");

// ---------------------------------------------------------------- lists

static void list_append(struct message_pool *pool, struct message_list *list, uint32_t index)
{
	struct stored *message = stored_at(pool, index);

	message->next = POOL_NONE;
	message->previous = list->last;
	if (list->last != POOL_NONE)
		stored_at(pool, list->last)->next = index;
	else
		list->first = index;
	list->last = index;
}

static void list_remove(struct message_pool *pool, struct message_list *list, uint32_t index)
{
	const struct stored *message = stored_at(pool, index);

	if (message->previous != POOL_NONE)
		stored_at(pool, message->previous)->next = message->next;
	else
		list->first = message->next;
	if (message->next != POOL_NONE)
		stored_at(pool, message->next)->previous = message->previous;
	else
		list->last = message->previous;
}

static void waiting_append(struct conversation_hall *hall, struct outbound *out, unsigned queue, uint32_t index)
{
	list_append(hall->pool, &out->waiting_in[queue], index);
	out->waiting_mask |= (uint16_t)(1U << queue);
	out->waiting++;
	out->waiting_bytes += stored_wire_length(stored_at(hall->pool, index));
}

static void waiting_remove(struct conversation_hall *hall, struct outbound *out, unsigned queue, uint32_t index)
{
	list_remove(hall->pool, &out->waiting_in[queue], index);
	if (out->waiting_in[queue].first == POOL_NONE)
		out->waiting_mask &= (uint16_t) ~(1U << queue);
	out->waiting--;
	out->waiting_bytes -= stored_wire_length(stored_at(hall->pool, index));
}

static void flying_append(struct conversation_hall *hall, struct outbound *out, uint32_t index)
{
	const unsigned list = stored_at(hall->pool, index)->sends - 1U;

	list_append(hall->pool, &out->flying[list], index);
	out->flying_mask |= (uint8_t)(1U << list);
}

static void flying_remove(struct conversation_hall *hall, struct outbound *out, uint32_t index)
{
	const unsigned list = stored_at(hall->pool, index)->sends - 1U;

	list_remove(hall->pool, &out->flying[list], index);
	if (out->flying[list].first == POOL_NONE)
		out->flying_mask &= (uint8_t) ~(1U << list);
}

// ---------------------------------------------------------------- queue

/// A body as it goes on the wire, perhaps in pieces.
struct parcel {
	const uint8_t *body;
	uint32_t length;
	uint8_t flags;
	uint16_t pieces; // 1: not a fragment
	uint16_t slice;  // bytes of the body per piece
	uint32_t blocks;
};

static uint32_t room_of(const struct outbound *out)
{
	return out->room != 0 ? out->room : (uint32_t)SMALLEST_ROOM;
}

/// The sender before the body, where the type has one.
static bool parcel_address(struct conversation_hall *hall, struct parcel *parcel, const struct outgoing *message)
{
	uint8_t *whole = hall->compressor->whole;

	parcel->body = message->length > 0 ? message->body : (const uint8_t *)""; // of a heartbeat there is none
	parcel->length = message->length;
	if (!session_has_sender(message->type))
		return message->length <= SESSION_MESSAGE_MAX;
	if (message->length > SESSION_MESSAGE_MAX - sizeof(message->sender))
		return false;
	memcpy(whole, &message->sender, sizeof(message->sender));
	if (message->length != 0)
		memcpy(whole + sizeof(message->sender), message->body, message->length);
	parcel->body = whole;
	parcel->length += (uint32_t)sizeof(message->sender);
	return true;
}

static void parcel_compress(struct conversation_hall *hall, struct parcel *parcel, uint8_t type)
{
	const enum pg_compressible kind = session_compressible(type);
	uint32_t packed;

	if (kind == PG_COMPRESSIBLE || parcel->length < hall->rules->compress_min[kind])
		return;
	packed = compress_body(hall->compressor, parcel->body, parcel->length);
	counter_add(&hall->stats->compress_in[kind], parcel->length);
	counter_add(&hall->stats->compress_out[kind], packed != 0 ? packed : parcel->length);
	if (packed == 0)
		return;
	parcel->body = hall->compressor->packed;
	parcel->length = packed;
	parcel->flags |= SESSION_MESSAGE_COMPRESSED;
}

/// Into how many pieces?
/// @return false when it cannot be sent at all
static bool parcel_cut(struct parcel *parcel, const struct outgoing *message, uint32_t room)
{
	const uint32_t head = message->reliable ? (uint32_t)RELIABLE_HEAD : (uint32_t)sizeof(struct session_message);
	const uint32_t slice = room - (uint32_t)FRAGMENT_HEAD;
	const uint32_t fragment = (uint32_t)sizeof(struct session_fragment);
	uint32_t last;

	parcel->pieces = 1;
	if (head + parcel->length <= room) {
		parcel->slice = (uint16_t)parcel->length;
		parcel->blocks = stored_blocks(parcel->length);
		return true;
	}
	if (!message->reliable || message->channel == SESSION_CHANNEL_UNORDERED)
		return false;
	parcel->flags |= SESSION_MESSAGE_FRAGMENT;
	parcel->slice = (uint16_t)slice;
	parcel->pieces = (uint16_t)((parcel->length + slice - 1) / slice);
	last = parcel->length - (parcel->pieces - 1U) * slice;
	parcel->blocks = (parcel->pieces - 1U) * stored_blocks(fragment + slice) + stored_blocks(fragment + last);
	return true;
}

static enum pg_loss parcel_room(const struct conversation_hall *hall, const struct outbound *out,
				const struct parcel *parcel, const struct outgoing *message)
{
	const struct id_window *window = &out->window[message->reliable ? message->channel : 0];

	if (out->blocks != 0 && (uint64_t)(out->blocks + parcel->blocks) * POOL_BLOCK > hall->rules->queue_bytes)
		return PG_LOSS_QUEUE_FULL;
	if (message->reliable && (uint16_t)(window->next - window->oldest) + parcel->pieces > IDS_MAX)
		return PG_LOSS_QUEUE_FULL;
	if (!pool_has(hall->pool, parcel->blocks))
		return PG_LOSS_NO_MEMORY;
	return PG_LOSS_NONE;
}

static enum pg_loss parcel_pack(struct conversation_hall *hall, const struct outbound *out, struct parcel *parcel,
				const struct outgoing *message)
{
	parcel->flags = 0;
	if (message->reliable)
		parcel->flags |=
			(uint8_t)(SESSION_MESSAGE_RELIABLE | message->channel << SESSION_MESSAGE_CHANNEL_SHIFT);
	if (!parcel_address(hall, parcel, message))
		return PG_LOSS_TOO_LONG;
	parcel_compress(hall, parcel, message->type);
	if (!parcel_cut(parcel, message, room_of(out)))
		return PG_LOSS_TOO_LONG;
	return parcel_room(hall, out, parcel, message);
}

/// One piece, or all of it, into its queue.
static void queue_piece(struct conversation_hall *hall, struct outbound *out, const struct parcel *parcel,
			const struct outgoing *message, uint16_t piece, uint64_t due)
{
	const struct session_fragment fragment = {.index = piece, .count = parcel->pieces};
	const uint32_t from = (uint32_t)piece * parcel->slice;
	const uint32_t rest = parcel->length - from;
	const uint32_t length = rest < parcel->slice ? rest : parcel->slice;
	const uint32_t head = parcel->pieces > 1 ? (uint32_t)sizeof(fragment) : 0;
	const uint32_t index = stored_make(hall->pool, &fragment, head, parcel->body + from, length);
	struct stored *stored = stored_at(hall->pool, index);
	const unsigned lane = message->reliable ? message->channel : SESSION_CHANNELS;

	stored->type = message->type;
	stored->flags = parcel->flags;
	stored->order = out->order++;
	stored->time = due;
	if (parcel->pieces > 1)
		stored->fragment = fragment;
	if (message->reliable) {
		stored->id = out->window[message->channel].next++;
		stored->receipt = message->receipt;
	}
	waiting_append(hall, out, message->priority * OUTBOUND_LANES + lane, index);
}

/// May this one be sent, or does its channel wait for acknowledgements?
static bool in_window(const struct outbound *out, const struct stored *message)
{
	return !(message->flags & SESSION_MESSAGE_RELIABLE) ||
	       window_ahead(&out->window[stored_channel(message)], message->id) < SESSION_CHANNEL_WINDOW;
}

/// Would waiting for more fill the packet no better?
static bool packet_full(const struct conversation_hall *hall, const struct outbound *out)
{
	if (out->waiting_bytes < room_of(out) && out->waiting < SESSION_MESSAGES_MAX)
		return false;
	for (unsigned mask = out->waiting_mask; mask != 0; mask &= mask - 1) {
		if (!in_window(out, stored_at(hall->pool, out->waiting_in[__builtin_ctz(mask)].first)))
			return false;
	}
	return true;
}

static void count_sent(const struct conversation_hall *hall, uint8_t type)
{
	const enum pg_event event = session_event(type);

	if (event != PG_EVENTS)
		counter_add(&hall->stats->sent[event], 1);
}

enum pg_loss outbound_queue(struct conversation_hall *hall, struct outbound *out, const struct outgoing *message,
			    uint64_t now)
{
	const uint64_t due = message->priority == PRIORITY_URGENT ? now : now + hall->rules->flush_after;
	struct parcel parcel;
	const enum pg_loss loss = parcel_pack(hall, out, &parcel, message);

	if (loss != PG_LOSS_NONE) {
		counter_add(&hall->stats->lost[loss], 1);
		return loss;
	}
	for (uint16_t piece = 0; piece < parcel.pieces; piece++)
		queue_piece(hall, out, &parcel, message, piece, due);
	out->blocks += parcel.blocks;
	out->messages++;
	if (out->overdue == 0 && packet_full(hall, out))
		out->overdue = now;
	count_sent(hall, message->type);
	return PG_LOSS_NONE;
}

// ---------------------------------------------------------------- fill

struct packet {
	uint8_t *at, *end;
	uint32_t messages;
	uint64_t counter;
	uint64_t now;
};

/// @return false when it does not fit
static bool packet_put(struct message_pool *pool, struct packet *packet, const struct stored *message)
{
	const struct session_message head = {
		.type = message->type, .flags = message->flags, .body_len = message->length};

	if (packet->messages == SESSION_MESSAGES_MAX ||
	    stored_wire_length(message) > (size_t)(packet->end - packet->at))
		return false;
	memcpy(packet->at, &head, sizeof(head));
	packet->at += sizeof(head);
	if (message->flags & SESSION_MESSAGE_RELIABLE) {
		memcpy(packet->at, &message->id, sizeof(message->id));
		packet->at += sizeof(message->id);
	}
	packet->at = stored_copy(pool, message, packet->at);
	packet->messages++;
	return true;
}

static void fly(struct conversation_hall *hall, struct outbound *out, const struct packet *packet, uint32_t index)
{
	struct stored *message = stored_at(hall->pool, index);

	message->carrier[message->sends++] = (uint32_t)packet->counter;
	message->time = packet->now;
	flying_append(hall, out, index);
	if (out->timed == 0) {
		out->timed = packet->counter;
		out->timed_at = packet->now;
	}
}

static void forget(struct conversation_hall *hall, struct outbound *out, uint32_t index)
{
	out->blocks -= stored_free(hall->pool, index);
}

static uint64_t repetition_due(const struct conversation_hall *hall, const struct outbound *out, unsigned list)
{
	const struct stored *first = stored_at(hall->pool, out->flying[list].first);

	return first->time + (round_trip_timeout(&out->round_trip, hall->rules->resend_after_min) << list);
}

/// Repetitions that are due, those that were sent most often first. Gives up when one was sent as often as allowed.
static void put_repetitions(struct conversation_hall *hall, struct outbound *out, struct packet *packet)
{
	for (unsigned list = 1 + DELIVERY_RESENDS_MAX; list-- > 0;) {
		while (out->flying_mask >> list & 1 && repetition_due(hall, out, list) <= packet->now) {
			const uint32_t index = out->flying[list].first;

			if (list >= hall->rules->resends || list == DELIVERY_RESENDS_MAX) {
				out->gave_up = true;
				return;
			}
			if (!packet_put(hall->pool, packet, stored_at(hall->pool, index)))
				break;
			flying_remove(hall, out, index);
			fly(hall, out, packet, index);
			counter_add(&hall->stats->resent, 1);
		}
	}
}

/// The queue among `queues` whose first was queued first and may be sent, or 0 when there is none.
static unsigned eldest(const struct conversation_hall *hall, const struct outbound *out, unsigned queues)
{
	unsigned best = 0;
	uint32_t best_order = 0;

	for (unsigned mask = out->waiting_mask & queues; mask != 0; mask &= mask - 1) {
		const unsigned queue = (unsigned)__builtin_ctz(mask);
		const struct stored *first = stored_at(hall->pool, out->waiting_in[queue].first);

		if (!in_window(out, first) || (best != 0 && (int32_t)(first->order - best_order) > 0))
			continue;
		best = 1U << queue;
		best_order = first->order;
	}
	return best;
}

static void put_waiting(struct conversation_hall *hall, struct outbound *out, struct packet *packet, unsigned queues)
{
	unsigned best;

	while ((best = eldest(hall, out, queues)) != 0) {
		const unsigned queue = (unsigned)__builtin_ctz(best);
		const uint32_t index = out->waiting_in[queue].first;

		if (!packet_put(hall->pool, packet, stored_at(hall->pool, index))) {
			queues &= ~best; // a shorter one of another queue may fit
			continue;
		}
		waiting_remove(hall, out, queue, index);
		if (stored_at(hall->pool, index)->flags & SESSION_MESSAGE_RELIABLE) {
			fly(hall, out, packet, index);
		} else {
			forget(hall, out, index);
			out->messages--;
		}
	}
}

uint16_t outbound_fill(struct conversation_hall *hall, struct outbound *out, uint64_t counter, uint64_t now,
		       uint8_t *body, uint16_t room)
{
	const unsigned all = (1U << PRIORITIES * OUTBOUND_LANES) - 1, lanes = (1U << OUTBOUND_LANES) - 1;
	struct packet packet = {.at = body, .end = body + room, .counter = counter, .now = now};

	put_repetitions(hall, out, &packet);
	if (out->gave_up)
		return 0;
	for (unsigned priority = 0; priority < PRIORITIES; priority++)
		put_waiting(hall, out, &packet, lanes << priority * OUTBOUND_LANES);
	out->overdue = eldest(hall, out, all) != 0 ? now : 0;
	return (uint16_t)(packet.at - body);
}

/// A message's time of 0 is long ago, and not measured when it is acknowledged.
void outbound_moved(const struct conversation_hall *hall, struct outbound *out)
{
	for (unsigned list = 0; list < hall->rules->resends && list < DELIVERY_RESENDS_MAX; list++) {
		for (uint32_t index = out->flying[list].first; index != POOL_NONE;) {
			struct stored *message = stored_at(hall->pool, index);

			message->time = 0;
			index = message->next;
		}
	}
}

uint64_t outbound_wake(const struct conversation_hall *hall, const struct outbound *out)
{
	uint64_t wake = UINT64_MAX;

	for (unsigned mask = out->flying_mask; mask != 0; mask &= mask - 1) {
		const uint64_t due = repetition_due(hall, out, (unsigned)__builtin_ctz(mask));

		wake = due < wake ? due : wake;
	}
	for (unsigned mask = out->waiting_mask; mask != 0; mask &= mask - 1) {
		const struct stored *first = stored_at(hall->pool, out->waiting_in[__builtin_ctz(mask)].first);
		const uint64_t due = out->overdue != 0 && out->overdue < first->time ? out->overdue : first->time;

		if (in_window(out, first) && due < wake)
			wake = due;
	}
	if (wake == UINT64_MAX)
		return 0;
	return wake != 0 ? wake : 1;
}

// ---------------------------------------------------------------- acknowledgement

/// Is this packet among them? By low halves of counters.
static bool covers(struct arrived arrived, uint32_t counter)
{
	const uint32_t back = (uint32_t)arrived.newest - counter;

	return back <= ACK_REACH && arrived.packets >> back & 1;
}

static bool carried(const struct stored *message, struct arrived arrived)
{
	for (unsigned i = message->sends; i-- > 0;) {
		if (covers(arrived, message->carrier[i]))
			return true;
	}
	return false;
}

static bool id_done(const struct id_window *window, uint16_t id)
{
	const uint16_t ahead = window_ahead(window, id);

	return ahead >= 0x8000 || (ahead < SESSION_CHANNEL_WINDOW && window_done(window, id));
}

static void id_acknowledged(struct id_window *window, uint16_t id)
{
	window_mark(window, id);
	while (window_done(window, window->oldest))
		window_clear(window, window->oldest++);
}

/// Are so many pieces of the message that this one is a piece of acknowledged, from the first on?
static bool pieces_done(const struct id_window *window, const struct stored *message, uint16_t count)
{
	const uint16_t first = (uint16_t)(message->id - message->fragment.index);

	for (uint16_t piece = 0; piece < count; piece++) {
		if (!id_done(window, (uint16_t)(first + piece)))
			return false;
	}
	return true;
}

static void settle(const struct conversation_hall *hall, const struct stored *message, enum pg_loss loss)
{
	if (message->receipt != 0 && hall->settled)
		hall->settled(hall->settled_context, message->receipt, loss);
}

static uint16_t last_id(const struct stored *message)
{
	const unsigned pieces = message->fragment.count != 0 ? message->fragment.count : 1;

	return (uint16_t)(message->id - message->fragment.index + pieces - 1);
}

static void delivered(struct conversation_hall *hall, struct outbound *out, uint32_t index)
{
	out->messages--;
	settle(hall, stored_at(hall->pool, index), PG_LOSS_NONE);
	forget(hall, out, index);
}

/// On a channel in order nobody reads a message before those before it: should the connection end first, it is lost.
static void release_held(struct conversation_hall *hall, struct outbound *out, uint8_t channel)
{
	for (uint32_t index = out->held[channel].first, next; index != POOL_NONE; index = next) {
		next = stored_at(hall->pool, index)->next;
		if (!window_behind(&out->window[channel], last_id(stored_at(hall->pool, index))))
			continue;
		list_remove(hall->pool, &out->held[channel], index);
		delivered(hall, out, index);
	}
}

static void arrived_at_peer(struct conversation_hall *hall, struct outbound *out, uint32_t index)
{
	const struct stored *message = stored_at(hall->pool, index);
	const uint8_t channel = stored_channel(message);
	struct id_window *window = &out->window[channel];

	id_acknowledged(window, message->id);
	flying_remove(hall, out, index);
	if (!pieces_done(window, message, message->fragment.count))
		forget(hall, out, index); // the last of its pieces speaks for it
	else if (channel == SESSION_CHANNEL_UNORDERED)
		delivered(hall, out, index);
	else
		list_append(hall->pool, &out->held[channel], index);
	if (channel != SESSION_CHANNEL_UNORDERED)
		release_held(hall, out, channel);
}

/// The list's messages that came with these packets. An acknowledgement reaches so far back; what is older comes before them.
/// @return the time that its newest packet was sent at, if it was the last to carry one of them; else 0
static uint64_t acknowledge_list(struct conversation_hall *hall, struct outbound *out, unsigned list,
				 struct arrived arrived, bool *any)
{
	const uint32_t newest = (uint32_t)arrived.newest;
	uint64_t sent = 0;

	for (uint32_t index = out->flying[list].last, previous; index != POOL_NONE; index = previous) {
		const struct stored *message = stored_at(hall->pool, index);
		const uint32_t last = message->carrier[message->sends - 1];

		previous = message->previous;
		if ((int32_t)(last - newest) < -ACK_REACH)
			break;
		if (!carried(message, arrived))
			continue;
		if (last == newest)
			sent = message->time;
		arrived_at_peer(hall, out, index);
		*any = true;
	}
	return sent;
}

/// A message that was repeated remembers when it was sent last, but its first packet may be the one that arrived. Were only
/// messages measured, a way longer than the least timeout never would be, and all on it be sent twice for ever.
/// @return the time that the timed packet was sent at, if it is acknowledged here; else 0
static uint64_t timed_packet(struct outbound *out, struct arrived arrived)
{
	const uint64_t timed = out->timed;

	if (timed == 0 || arrived.newest < timed)
		return 0;
	out->timed = 0;
	return arrived.newest - timed <= ACK_REACH && covers(arrived, (uint32_t)timed) ? out->timed_at : 0;
}

bool outbound_acknowledged(struct conversation_hall *hall, struct outbound *out, struct arrived arrived, uint64_t now)
{
	uint64_t sent = timed_packet(out, arrived);
	bool any = false;

	for (unsigned mask = out->flying_mask; mask != 0; mask &= mask - 1) {
		const uint64_t at = acknowledge_list(hall, out, (unsigned)__builtin_ctz(mask), arrived, &any);

		sent = at != 0 ? at : sent;
	}
	if (sent != 0 && now > sent)
		round_trip_sample(&out->round_trip, now - sent);
	return any;
}

// ---------------------------------------------------------------- end

/// For a message in fragments, its first fragment that was not acknowledged decides.
static void list_end(struct conversation_hall *hall, const struct outbound *out, const struct message_list *list,
		     enum pg_loss why)
{
	for (uint32_t index = list->first, next; index != POOL_NONE; index = next) {
		const struct stored *message = stored_at(hall->pool, index);

		next = message->next;
		if (pieces_done(&out->window[stored_channel(message)], message, message->fragment.index))
			settle(hall, message, why);
		stored_free(hall->pool, index);
	}
}

void outbound_end(struct conversation_hall *hall, struct outbound *out, enum pg_loss why)
{
	if (out->messages != 0)
		counter_add(&hall->stats->lost[why], out->messages);
	for (unsigned queue = 0; queue < PRIORITIES * OUTBOUND_LANES; queue++)
		list_end(hall, out, &out->waiting_in[queue], why);
	for (unsigned list = 0; list <= DELIVERY_RESENDS_MAX; list++)
		list_end(hall, out, &out->flying[list], why);
	for (unsigned channel = 0; channel < SESSION_CHANNEL_UNORDERED; channel++)
		list_end(hall, out, &out->held[channel], why);
}

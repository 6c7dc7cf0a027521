// SPDX-License-Identifier: BSD-3-Clause
// netcode/receive.c: packets of connected clients.

#include "netcode/receive.h"

#define LEARN_SHIFT 31

static struct netcode_outcome dropped(enum pg_drop drop)
{
	return (struct netcode_outcome){.drop = drop};
}

/// The way to a client is learned again from the first packet in each 2^31 cycles (about a second): it may have changed, and
/// after a crash it is not known.
static bool is_to_learn(const struct netcode_record *record, uint64_t now)
{
	return record->last_received >> LEARN_SHIFT != now >> LEARN_SHIFT;
}

static bool knows_the_way(const struct netcode_store *store, uint32_t slot)
{
	return store->return_headers ? store->return_headers[slot].current.length != 0 : store->sockets[slot] != 0;
}

static enum pg_drop check(struct netcode_shard *shard, struct netcode_record *record,
			  const struct netcode_header *header, const uint8_t *payload, uint64_t now)
{
	const struct netcode_store *store = shard->store;

	if (header->kind == NETCODE_RESPONSE) // repeated: its answer was lost, and keep-alives follow
		return PG_DROP_NETCODE_CONNECTED;
	if (record->phase != NETCODE_CONNECTED)
		return PG_DROP_SESSION_STATE;
	if (!netcode_window_fresh(&record->window, header->sequence))
		return PG_DROP_REPLAYED;
	// A payload is opened where a game process reads it, and nothing else of a client's says anything.
	if (!netcode_open(NULL, payload, header, store->plan->protocol_id, record->to_server))
		return PG_DROP_BAD_TAG;
	netcode_window_mark(&record->window, header->sequence);
	if (!netcode_length_fits(header->kind, header->length))
		return PG_DROP_MESSAGE_SIZE;
	if (!rate_admit_short(&record->conforms_at, shard->rules->session[peer_listener(&record->peer)], now))
		return PG_DROP_SESSION_RATE_LIMITED;
	return PG_DROP_NONE;
}

/// A payload is the studio's own: it is for a game process, or ends here.
/// @return whether one has it
static bool forward(struct netcode_shard *shard, uint32_t slot, const uint8_t *packet,
		    const struct netcode_header *header)
{
	const enum netcode_heard heard =
		shard->game ? shard->watcher->said(shard->game, slot, packet, header) : NETCODE_NOBODY;

	if (heard == NETCODE_NOBODY)
		counter_add(&shard->stats->netcode_payloads_lost, 1);
	else if (heard == NETCODE_LOST)
		counter_add(&shard->stats->netcode_payloads_missed, 1);
	return heard == NETCODE_HEARD;
}

static enum pg_message take(struct netcode_record *record, enum netcode_kind kind)
{
	switch (kind) {
	case NETCODE_PAYLOAD:
		record->confirmed = true;
		return PG_MESSAGE_NETCODE_PAYLOAD;
	case NETCODE_DISCONNECT:
		return PG_MESSAGE_NETCODE_DISCONNECT;
	default:
		record->confirmed = true;
		return PG_MESSAGE_NETCODE_KEEP_ALIVE;
	}
}

struct netcode_outcome netcode_take_client(struct netcode_shard *shard, uint32_t slot, const uint8_t *payload,
					   uint16_t length, uint64_t now)
{
	struct netcode_record *record = &shard->store->clients.records[slot];
	struct netcode_outcome outcome = {.slot = slot};
	struct netcode_header header;

	if (length == sizeof(struct netcode_request) && payload[0] == NETCODE_REQUEST)
		return dropped(PG_DROP_NETCODE_CONNECTED);
	outcome.drop = netcode_header_read(&header, payload, length);
	if (outcome.drop == PG_DROP_NONE)
		outcome.drop = check(shard, record, &header, payload, now);
	if (outcome.drop != PG_DROP_NONE)
		return outcome;
	outcome.message = take(record, header.kind);
	if (header.kind == NETCODE_PAYLOAD)
		outcome.forwarded = forward(shard, slot, payload, &header);
	outcome.learn = is_to_learn(record, now) || !knows_the_way(shard->store, slot);
	record->last_received = now;
	if (header.kind == NETCODE_DISCONNECT) {
		netcode_end(shard, slot, SESSION_CLOSED_LEFT, 0, now);
		outcome.learn = false;
	}
	return outcome;
}

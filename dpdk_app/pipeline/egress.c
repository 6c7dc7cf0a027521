// SPDX-License-Identifier: BSD-3-Clause
// pipeline/egress.c: see egress.h.

#include "pipeline/egress.h"

#include <string.h>

#include "net/return_headers.h"
#include "pipeline/sealed.h"
#include "session/connection.h"

/// Sessions that are looked at per buffer asked for: one that is due need not have anything to send.
#define LOOKS_PER_BUFFER 4

/// After a crash a session without return headers waits for its peer's next packet: one second divided by this.
#define RETURN_HEADERS_WAITS_PER_S 50

/// Something to send: the oldest of the outbox, or the next data of a session.
struct egress_item {
	const struct outbox_entry *entry; // NULL: data
	uint32_t slot;
	const struct peer *peer;
};

/// A session of ours that is due and connected.
static bool is_due(struct session_shard *shard, uint32_t slot, uint64_t now)
{
	const struct session_store *store = shard->store;
	const struct session_record *record = &store->records[slot];
	const struct delivery *c = store_delivery(store, slot);

	// The sweep closes what was revoked.
	if (record_owner(record) != shard->worker || !record_is_connected(record) || record_session(record) == 0)
		return false;
	if (delivery_due(c) > now) { // something happened since it was scheduled
		session_note(shard, slot, false);
		return false;
	}
	return true;
}

/// @param looks  in and out: how many sessions may still be looked at
/// @return false when nothing is waiting, or not to be looked at now
static bool next_egress(struct session_shard *shard, struct egress_item *out, unsigned *looks, uint64_t now)
{
	for (;;) {
		const struct outbox_entry *entry = outbox_oldest(&shard->outbox);
		uint32_t slot;

		if (entry) {
			*out = (struct egress_item){entry, entry->slot, &entry->peer};
			return true;
		}
		if (*looks == 0)
			return false;
		(*looks)--;
		slot = wheel_pop(&shard->wheel, now);
		if (slot == WHEEL_NONE)
			return false;
		if (is_due(shard, slot, now)) {
			*out = (struct egress_item){NULL, slot, &shard->store->records[slot].peer};
			return true;
		}
	}
}

static uint16_t write_outbox_entry(struct session_shard *shard, const struct outbox_entry *entry, uint8_t *payload)
{
	const uint16_t length = entry->length;

	memcpy(payload, entry->payload, length);
	outbox_remove(&shard->outbox);
	return length;
}

/// Does the session's path carry so many bytes? As sealed_data(), see there.
/// @param length  as delivery_probe() says
static uint16_t sealed_probe(struct session_shard *shard, uint32_t slot, uint32_t session, uint8_t *payload,
			     uint16_t length, uint64_t now)
{
	const struct session_store *store = shard->store;
	const uint32_t counter = connection_count(&store->records[slot]);
	const struct visible_as as = renames_as_now(store, slot, session, now);
	struct session_header *header = (struct session_header *)payload;

	*header = (struct session_header){
		.kind = SESSION_PROBE,
		.flags = store->records[slot].seal_flags,
		.length = length,
		.session = as.session,
		.counter = counter + as.offset,
	};
	memset(payload + sizeof(*header), 0, length - sizeof(*header));
	cipher_seal(&shard->code, store_keys(store, slot).seal, counter, payload, sizeof(*header), length);
	delivery_probed(&shard->ctx, store_delivery(store, slot), counter, now);
	return length;
}

static uint16_t write_data(struct session_shard *shard, uint32_t slot, uint8_t *payload, uint64_t now)
{
	const uint32_t session = shard->store->records[slot].number;
	const uint16_t probe = delivery_probe(&shard->ctx, store_delivery(shard->store, slot), now);
	const uint16_t length = probe != 0 ? sealed_probe(shard, slot, session, payload, probe, now) :
					     sealed_data(shard, slot, session, payload, now);

	session_note(shard, slot, false);
	return length;
}

static uint16_t write_egress(struct session_shard *shard, const struct egress_item *item, uint8_t *payload,
			     uint64_t now)
{
	return item->entry ? write_outbox_entry(shard, item->entry, payload) :
			     write_data(shard, item->slot, payload, now);
}

/// The peer's return headers are not known.
static void put_off(struct session_shard *shard, const struct egress_item *item, uint64_t now)
{
	if (item->entry)
		outbox_remove(&shard->outbox);
	else
		wheel_schedule(&shard->wheel, item->slot, now + shard->tsc_hz / RETURN_HEADERS_WAITS_PER_S);
}

unsigned egress_frames(struct session_shard *shard, struct frame_egress *out, unsigned n, uint64_t now)
{
	unsigned looks = LOOKS_PER_BUFFER * n, filled = 0;
	struct egress_item item;

	while (filled < n && next_egress(shard, &item, &looks, now)) {
		const struct path *path = return_headers_to(&shard->store->return_headers[item.slot], item.peer);
		uint8_t *frame = out->frame[filled];

		if (!path) {
			put_off(shard, &item, now);
			continue;
		}
		out->length[filled] =
			return_headers_write(path, frame, write_egress(shard, &item, frame + path->length, now));
		out->port[filled++] = path->port;
	}
	counter_add(&shard->stats->tx_originated, filled);
	return filled;
}

unsigned egress_datagrams(struct session_shard *shard, struct datagram_egress *out, unsigned n, uint64_t now)
{
	unsigned looks = LOOKS_PER_BUFFER * n, filled = 0;
	struct egress_item item;

	while (filled < n && next_egress(shard, &item, &looks, now)) {
		const uint8_t socket_index = shard->store->socket_indices[item.slot];

		if (socket_index == 0) {
			put_off(shard, &item, now);
			continue;
		}
		out->peer[filled] = *item.peer;
		out->socket_index[filled] = socket_index - 1;
		out->length[filled] = write_egress(shard, &item, out->payload[filled], now);
		filled++;
	}
	counter_add(&shard->stats->tx_originated, filled);
	return filled;
}

static unsigned session_frames(void *of, struct frame_egress *out, unsigned n, uint64_t now)
{
	return egress_frames(of, out, n, now);
}

static unsigned session_datagrams(void *of, struct datagram_egress *out, unsigned n, uint64_t now)
{
	return egress_datagrams(of, out, n, now);
}

const struct egress_source session_egress = {session_frames, session_datagrams};

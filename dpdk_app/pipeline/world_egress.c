// SPDX-License-Identifier: BSD-3-Clause
// pipeline/world_egress.c: the datagrams of a tick, one for each player of a world: acknowledgements, what waits, and the state
// of the world around the player (delivery/fillers.h), sealed where they leave from.

#include "pipeline/egress.h"

#include "net/return_headers.h"
#include "pipeline/sealed.h"
#include "replication/replication.h"
#include "session/connection.h"

static uint16_t write_state(struct replication *replication, uint32_t slot, uint8_t *payload, uint64_t now)
{
	struct session_shard *shard = replication->shard;
	const struct session_store *store = shard->store;
	const uint32_t counter = connection_count(&store->records[slot]);
	uint16_t body;

	replication_sends(replication, slot);
	body = delivery_fill_any(&shard->ctx, store_delivery(store, slot), counter, now,
				 payload + SESSION_BEFORE_MESSAGES, SESSION_DATAGRAM_MAX - SESSION_DATA_MIN);
	replication_sends(replication, REPLICATION_NOBODY);
	session_note(shard, slot, false);
	return sealed_around(shard, slot, store->records[slot].number, counter, payload, body, now);
}

static unsigned world_frames(void *of, struct frame_egress *out, unsigned n, uint64_t now)
{
	struct replication *replication = of;
	const struct session_store *store = replication->shard->store;
	unsigned filled = 0;
	uint32_t slot;

	while (filled < n && replication_next_receiver(replication, &slot)) {
		const struct path *path = return_headers_to(&store->return_headers[slot], &store->records[slot].peer);
		uint8_t *frame = out->frame[filled];

		if (!path) // known from the peer's next datagram on: until the next tick
			continue;
		out->length[filled] =
			return_headers_write(path, frame, write_state(replication, slot, frame + path->length, now));
		out->port[filled++] = path->port;
	}
	counter_add(&replication->shard->stats->tx_originated, filled);
	return filled;
}

static unsigned world_datagrams(void *of, struct datagram_egress *out, unsigned n, uint64_t now)
{
	struct replication *replication = of;
	const struct session_store *store = replication->shard->store;
	unsigned filled = 0;
	uint32_t slot;

	while (filled < n && replication_next_receiver(replication, &slot)) {
		const uint8_t socket_index = store->socket_indices[slot];

		if (socket_index == 0)
			continue;
		out->peer[filled] = store->records[slot].peer;
		out->socket_index[filled] = socket_index - 1;
		out->length[filled] = write_state(replication, slot, out->payload[filled], now);
		filled++;
	}
	counter_add(&replication->shard->stats->tx_originated, filled);
	return filled;
}

const struct egress_source world_egress = {world_frames, world_datagrams};

// SPDX-License-Identifier: BSD-3-Clause
// pipeline/world_egress.c: the datagrams of a tick, one for each player of a world: acknowledgements, what waits, and the state
// of the world around the player (delivery/fillers.h), sealed where they leave from.

#include "pipeline/egress.h"

#include "net/return_headers.h"
#include "pipeline/sealed.h"
#include "replication/replication.h"
#include "session/connection.h"

/// So many players ahead of the one whose datagram is written, all that it is written from is brought.
#define AHEAD 3

/// Sealed bytes of most states: as many lines of a key are brought.
#define SEALED_STATE 192

static unsigned receivers(struct replication *replication, uint32_t *slot, unsigned n)
{
	unsigned found = 0;

	while (found < n && replication_next_receiver(replication, &slot[found]))
		found++;
	return found;
}

/// Of one player nothing lies beside what is of another, and nothing of it was used since the last tick. Inlined: a function of its
/// own that only prefetches is one that GCC leaves out.
ALWAYS_INLINE void bring(const struct replication *replication, uint32_t slot)
{
	const struct session_store *store = replication->shard->store;
	const uint8_t *delivery = (const uint8_t *)store_delivery(store, slot);

	prefetch_for_write(&store->records[slot]);
	prefetch_for_write(&store->records[slot].taken_at);
	prefetch(&store->records[slot].number);
	for (size_t at = 0; at < sizeof(struct delivery); at += CACHE_LINE)
		prefetch_for_write(delivery + at);
}

/// The rest of it, apart: more lines at once than the CPU can wait for would hold up what is done meanwhile.
ALWAYS_INLINE void bring_rest(const struct replication *replication, uint32_t slot)
{
	const struct session_store *store = replication->shard->store;

	replication_bring(replication, slot);
	cipher_prefetch(&replication->shard->code, store_keys(store, slot).seal, SEALED_STATE);
}

ALWAYS_INLINE void bring_first(const struct replication *replication, const uint32_t *slot, unsigned n)
{
	for (unsigned i = 0; i < n && i < AHEAD; i++) {
		bring(replication, slot[i]);
		bring_rest(replication, slot[i]);
	}
}

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
	uint32_t slot[BURST_MAX];
	const unsigned found = receivers(replication, slot, n);
	unsigned filled = 0;

	for (unsigned i = 0; i < found; i++)
		return_headers_bring(&store->return_headers[slot[i]]);
	bring_first(replication, slot, found);
	for (unsigned i = 0; i < found; i++) {
		const struct path *path =
			return_headers_to(&store->return_headers[slot[i]], &store->records[slot[i]].peer);
		uint8_t *frame = out->frame[filled];
		uint16_t length;

		if (i + AHEAD < found)
			bring(replication, slot[i + AHEAD]);
		if (!path) // known from the peer's next datagram on: until the next tick
			continue;
		length = write_state(replication, slot[i], frame + path->length, now);
		if (i + AHEAD < found)
			bring_rest(replication, slot[i + AHEAD]);
		out->length[filled] = return_headers_write(path, frame, length);
		out->port[filled++] = path->port;
	}
	counter_add(&replication->shard->stats->tx_originated, filled);
	return filled;
}

static unsigned world_datagrams(void *of, struct datagram_egress *out, unsigned n, uint64_t now)
{
	struct replication *replication = of;
	const struct session_store *store = replication->shard->store;
	uint32_t slot[BURST_MAX];
	const unsigned found = receivers(replication, slot, n);
	unsigned filled = 0;

	bring_first(replication, slot, found);
	for (unsigned i = 0; i < found; i++) {
		const uint8_t socket_index = store->socket_indices[slot[i]];

		if (i + AHEAD < found) {
			bring(replication, slot[i + AHEAD]);
			bring_rest(replication, slot[i + AHEAD]);
		}
		if (socket_index == 0)
			continue;
		out->peer[filled] = store->records[slot[i]].peer;
		out->socket_index[filled] = socket_index - 1;
		out->length[filled] = write_state(replication, slot[i], out->payload[filled], now);
		filled++;
	}
	counter_add(&replication->shard->stats->tx_originated, filled);
	return filled;
}

const struct egress_source world_egress = {world_frames, world_datagrams};

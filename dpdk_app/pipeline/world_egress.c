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

/// A datagram is sealed when so many after it are written: what seals loads what was stored in pieces, and would wait for all of these
/// stores.
#define SEALED_BEHIND 1

/// Sealed bytes of most states: as many lines of a key are brought.
#define SEALED_STATE 192

static unsigned receivers(struct replication *replication, struct receiver *receiver, unsigned n)
{
	unsigned found = 0;

	for (; found < n && replication_next_receiver(replication, &receiver[found]); found++)
		prefetch_for_write(&replication->shard->store->records[receiver[found].slot]);
	return found;
}

/// Of one player nothing lies beside what is of another, and nothing of it was used since the last tick. Inlined: a function of its
/// own that only prefetches is one that GCC leaves out.
ALWAYS_INLINE void bring(const struct replication *replication, uint32_t slot)
{
	const struct session_shard *shard = replication->shard;
	const struct session_store *store = shard->store;

	prefetch(&store->records[slot].taken_at);
	prefetch_for_write(store_delivery(store, slot));
	replication_bring(replication, slot);
	cipher_prefetch(&shard->code, store_keys(store, slot).seal, SEALED_STATE);
}

/// A datagram whose messages lie in their place, and which is still to be sealed.
struct unsealed {
	uint8_t *payload;
	uint32_t slot;
	uint32_t session;
	uint32_t counter;
	uint16_t body; // bytes of messages
	bool asks;     // for an answer at once
};

/// Messages, and the state of the tick.
static struct unsealed write_messages(struct replication *replication, const struct receiver *receiver,
				      uint32_t session, uint8_t *payload, uint64_t now)
{
	struct session_shard *shard = replication->shard;
	const struct session_store *store = shard->store;
	struct delivery *c = store_delivery(store, receiver->slot);
	struct unsealed it = {.payload = payload,
			      .slot = receiver->slot,
			      .session = session,
			      .counter = connection_count(&store->records[receiver->slot])};
	uint8_t *body = payload + SESSION_BEFORE_MESSAGES;

	replication_sends(replication, receiver);
	if (likely(delivery_is_idle(c)) && likely(c->carries_all)) {
		it.body = delivery_fill_idle(c, &replication->filler, it.counter, now, body);
	} else {
		it.body = delivery_fill_any(&shard->ctx, c, it.counter, now, body,
					    SESSION_DATAGRAM_MAX - SESSION_DATA_MIN);
		it.asks = delivery_asks(c);
	}
	replication_sent(replication);
	if (unlikely(delivery_due(c) != UINT64_MAX))
		session_note(shard, it.slot, false);
	return it;
}

/// @return bytes of the datagram
ALWAYS_INLINE uint16_t seal(struct session_shard *shard, const struct unsealed *it, uint64_t now)
{
	return sealed_around(shard, it->slot, it->session, it->counter, it->payload, it->body, it->asks, now);
}

static unsigned world_frames(void *of, struct frame_egress *out, unsigned n, uint64_t now)
{
	struct replication *replication = of;
	const struct session_store *store = replication->shard->store;
	struct receiver receiver[BURST_MAX];
	struct unsealed written[BURST_MAX] = {0};
	const struct path *paths[BURST_MAX];
	const unsigned found = receivers(replication, receiver, n);
	unsigned filled = 0, sealed = 0;

	for (unsigned i = 0; i < found && i < AHEAD; i++) {
		return_headers_bring(&store->return_headers[receiver[i].slot]);
		bring(replication, receiver[i].slot);
	}
	for (unsigned i = 0; i < found; i++) {
		const uint32_t slot = receiver[i].slot, session = replication_session(replication, slot);
		const struct path *path = return_headers_to(&store->return_headers[slot], &store->records[slot].peer);

		if (likely(i + AHEAD < found)) {
			return_headers_bring(&store->return_headers[receiver[i + AHEAD].slot]);
			bring(replication, receiver[i + AHEAD].slot);
		}
		if (unlikely(session == 0))
			connection_close_if_over(replication->shard, slot, now);
		if (unlikely(session == 0) || unlikely(!path)) // a path is known from the peer's next datagram on
			continue;
		written[filled] =
			write_messages(replication, &receiver[i], session, out->frame[filled] + path->length, now);
		paths[filled++] = path;
		for (; sealed + SEALED_BEHIND < filled; sealed++)
			out->length[sealed] = seal(replication->shard, &written[sealed], now);
	}
	for (; sealed < filled; sealed++)
		out->length[sealed] = seal(replication->shard, &written[sealed], now);
	for (unsigned i = 0; i < filled; i++) {
		out->length[i] = return_headers_write(paths[i], out->frame[i], out->length[i]);
		out->port[i] = paths[i]->port;
	}
	counter_add(&replication->shard->stats->tx_originated, filled);
	return filled;
}

static unsigned world_datagrams(void *of, struct datagram_egress *out, unsigned n, uint64_t now)
{
	struct replication *replication = of;
	const struct session_store *store = replication->shard->store;
	struct receiver receiver[BURST_MAX];
	struct unsealed written[BURST_MAX] = {0};
	const unsigned found = receivers(replication, receiver, n);
	unsigned filled = 0, sealed = 0;

	for (unsigned i = 0; i < found && i < AHEAD; i++)
		bring(replication, receiver[i].slot);
	for (unsigned i = 0; i < found; i++) {
		const uint32_t slot = receiver[i].slot, session = replication_session(replication, slot);
		const uint8_t socket_index = store->socket_indices[slot];

		if (likely(i + AHEAD < found))
			bring(replication, receiver[i + AHEAD].slot);
		if (unlikely(session == 0))
			connection_close_if_over(replication->shard, slot, now);
		if (unlikely(session == 0) || socket_index == 0)
			continue;
		out->peer[filled] = store->records[slot].peer;
		out->socket_index[filled] = socket_index - 1;
		written[filled] = write_messages(replication, &receiver[i], session, out->payload[filled], now);
		filled++;
		for (; sealed + SEALED_BEHIND < filled; sealed++)
			out->length[sealed] = seal(replication->shard, &written[sealed], now);
	}
	for (; sealed < filled; sealed++)
		out->length[sealed] = seal(replication->shard, &written[sealed], now);
	counter_add(&replication->shard->stats->tx_originated, filled);
	return filled;
}

const struct egress_source world_egress = {world_frames, world_datagrams};

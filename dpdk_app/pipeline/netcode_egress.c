// SPDX-License-Identifier: BSD-3-Clause
// pipeline/netcode_egress.c: what the gateway sends to netcode clients on its own, in frames and in datagrams.

#include "netcode/egress.h"
#include "pipeline/egress.h"

/// Clients that are looked at per buffer asked for: one whose time has come may be gone.
#define LOOKS_PER_BUFFER 4

static unsigned frames(void *of, struct frame_egress *out, unsigned n, uint64_t now)
{
	struct netcode_shard *shard = of;
	unsigned looks = LOOKS_PER_BUFFER * n, filled = 0;

	while (filled < n) {
		const uint32_t slot = netcode_next(shard, &looks, now);
		const struct path *path;
		uint16_t length;

		if (slot == NETCODE_NONE)
			break;
		path = return_headers_to(&shard->store->return_headers[slot],
					 &shard->store->clients.records[slot].peer);
		if (!path) {
			netcode_put_off(shard, slot, now);
			continue;
		}
		length = netcode_write(shard, slot, out->frame[filled] + path->length, now);
		out->length[filled] = return_headers_write(path, out->frame[filled], length);
		out->port[filled++] = path->port;
	}
	counter_add(&shard->stats->tx_originated, filled);
	return filled;
}

static unsigned datagrams(void *of, struct datagram_egress *out, unsigned n, uint64_t now)
{
	struct netcode_shard *shard = of;
	unsigned looks = LOOKS_PER_BUFFER * n, filled = 0;

	while (filled < n) {
		const uint32_t slot = netcode_next(shard, &looks, now);

		if (slot == NETCODE_NONE)
			break;
		if (shard->store->sockets[slot] == 0) {
			netcode_put_off(shard, slot, now);
			continue;
		}
		out->peer[filled] = shard->store->clients.records[slot].peer;
		out->socket_index[filled] = (uint8_t)(shard->store->sockets[slot] - 1);
		out->length[filled] = netcode_write(shard, slot, out->payload[filled], now);
		filled++;
	}
	counter_add(&shard->stats->tx_originated, filled);
	return filled;
}

const struct egress_source netcode_egress = {frames, datagrams};

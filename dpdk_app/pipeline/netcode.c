// SPDX-License-Identifier: BSD-3-Clause
// pipeline/netcode.c: the netcode profile in a burst; netcode/ says what becomes of each datagram.

#include "netcode/receive.h"
#include "pipeline/profile.h"

static void conclude(struct ingress *ingress, struct arrival *arrival, const struct netcode_outcome *outcome)
{
	arrival->learn = outcome->learn;
	arrival->slot = outcome->slot;
	if (outcome->drop != PG_DROP_NONE) {
		arrival->result = (uint8_t)outcome->drop;
		return;
	}
	if (outcome->forwarded) {
		counter_add(&ingress->stats->forwarded, 1);
		arrival->result = PACKET_FORWARDED;
		return;
	}
	counter_add(&ingress->stats->handled[outcome->message], 1);
	arrival->result = outcome->answer != 0 ? PG_DROP_NONE : PACKET_ABSORBED;
	arrival->length = outcome->answer;
}

/// Whoever proved an address is limited as a client; others share the limit of their source.
static struct netcode_outcome take_one(struct ingress *ingress, const struct arrival *arrival, uint64_t now)
{
	struct netcode_shard *shard = ingress->netcode;
	const uint32_t slot = netcode_client_at(shard, arrival->peer);

	if (slot != ADDRESS_NONE)
		return netcode_take_client(shard, slot, arrival->payload, arrival->length, now);
	if (!sender_conforms(ingress, *arrival->peer, now))
		return (struct netcode_outcome){.drop = PG_DROP_SOURCE_RATE_LIMITED};
	return netcode_take_stranger(shard, arrival->peer, arrival->payload, arrival->length, now);
}

static void take(struct ingress *ingress, struct arrival *arrival, unsigned n, uint64_t now)
{
	for (unsigned k = 0; k < n; k++) {
		const struct netcode_outcome outcome = take_one(ingress, &arrival[k], now);

		conclude(ingress, &arrival[k], &outcome);
	}
}

static void learn(struct ingress *ingress, uint32_t slot, const struct way_in *way)
{
	const struct netcode_store *store = ingress->netcode->store;

	if (way->frame)
		return_headers_learn(&store->return_headers[slot], way->frame, way->packet, ingress->identity,
				     ingress->port);
	else
		store->sockets[slot] = (uint8_t)(way->socket_index + 1);
}

const struct profile netcode_profile = {.take = take, .learn = learn, .limits_sources = true, .netcode = true};

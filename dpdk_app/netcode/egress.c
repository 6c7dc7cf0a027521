// SPDX-License-Identifier: BSD-3-Clause
// netcode/egress.c: see egress.h.

#include "netcode/egress.h"

#include "netcode/packet.h"

/// A slot whose lock is another's is tried again in one second divided by this.
#define TRIES_PER_S 200

static struct netcode_record *record_of(const struct netcode_shard *shard, uint32_t slot)
{
	return &shard->store->clients.records[slot];
}

static bool is_silent(const struct netcode_shard *shard, const struct netcode_record *record, uint64_t now)
{
	return record->timeout_s > 0 && now - record->last_received >= (uint64_t)record->timeout_s * shard->tsc_hz &&
	       (int64_t)(now - record->last_received) > 0;
}

/// A client that is over goes.
static void let_go(struct netcode_shard *shard, uint32_t slot, uint64_t now)
{
	const bool expired = record_of(shard, slot)->phase == NETCODE_CONNECTED;

	if (!netcode_forget(shard, slot))
		wheel_schedule(&shard->wheel, slot, now + shard->tsc_hz / TRIES_PER_S);
	else if (expired)
		counter_add(&shard->stats->sessions_expired, 1);
}

uint32_t netcode_next(struct netcode_shard *shard, unsigned *looks, uint64_t now)
{
	for (; *looks > 0; (*looks)--) {
		const uint32_t slot = wheel_pop(&shard->wheel, now);
		const struct netcode_record *record;

		if (slot == WHEEL_NONE)
			return NETCODE_NONE;
		record = record_of(shard, slot);
		if (record->phase == NETCODE_LEAVING ? record->disconnects == 0 : is_silent(shard, record, now))
			let_go(shard, slot, now);
		else
			return slot;
	}
	return NETCODE_NONE;
}

uint16_t netcode_write(struct netcode_shard *shard, uint32_t slot, uint8_t *payload, uint64_t now)
{
	struct netcode_record *record = record_of(shard, slot);
	uint16_t length;

	if (record->phase == NETCODE_LEAVING) {
		record->disconnects--;
		record->last_sent = now;
		length = netcode_seal(payload, NETCODE_DISCONNECT, netcode_next_sequence(record), NULL, 0,
				      shard->store->plan->protocol_id, record->to_client);
	} else {
		length = netcode_write_keep_alive(shard, slot, payload, now);
	}
	wheel_schedule(&shard->wheel, slot, netcode_due(shard, slot));
	return length;
}

void netcode_put_off(struct netcode_shard *shard, uint32_t slot, uint64_t now)
{
	struct netcode_record *record = record_of(shard, slot);

	if (record->phase == NETCODE_LEAVING)
		record->disconnects = 0;
	record->last_sent = now;
	wheel_schedule(&shard->wheel, slot, netcode_due(shard, slot));
}

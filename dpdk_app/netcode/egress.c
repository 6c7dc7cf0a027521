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
	if (record_of(shard, slot)->phase == NETCODE_CONNECTED) {
		counter_add(&shard->stats->sessions_expired, 1);
		netcode_end(shard, slot, SESSION_CLOSED_IDLE, 0, now);
	} else if (!netcode_forget(shard, slot)) {
		wheel_schedule(&shard->wheel, slot, now + shard->tsc_hz / TRIES_PER_S);
	}
}

/// Who has said something knows that it is connected, and a payload tells it that it still is.
static bool was_sent_a_payload(const struct netcode_shard *shard, uint32_t slot, uint64_t now)
{
	const struct netcode_record *record = record_of(shard, slot);

	return record->phase == NETCODE_CONNECTED && record->confirmed && netcode_due(shard, slot) > now;
}

/// One for a client who is gone is lost.
/// @return its client's slot, or NETCODE_NONE
static uint32_t next_payload(struct netcode_shard *shard, unsigned *looks)
{
	for (; payloads_wait(&shard->payloads) && *looks > 0; (*looks)--) {
		const struct payload *payload = payloads_first(&shard->payloads);
		const struct netcode_record *record = record_of(shard, payload->slot);

		if (record->phase == NETCODE_CONNECTED && record->player == payload->player) {
			shard->sends_payload = true;
			return payload->slot;
		}
		counter_add(&shard->stats->netcode_payloads_closed, 1);
		shard->introduced = false;
		payloads_remove(&shard->payloads);
	}
	return NETCODE_NONE;
}

static uint32_t next_due(struct netcode_shard *shard, unsigned *looks, uint64_t now)
{
	for (; *looks > 0; (*looks)--) {
		const uint32_t slot = wheel_pop(&shard->wheel, now);
		const struct netcode_record *record;

		if (slot == WHEEL_NONE)
			return NETCODE_NONE;
		record = record_of(shard, slot);
		if (record->phase == NETCODE_LEAVING ? record->disconnects == 0 : is_silent(shard, record, now))
			let_go(shard, slot, now);
		else if (was_sent_a_payload(shard, slot, now))
			wheel_schedule(&shard->wheel, slot, netcode_due(shard, slot));
		else
			return slot;
	}
	return NETCODE_NONE;
}

uint32_t netcode_next(struct netcode_shard *shard, unsigned *looks, uint64_t now)
{
	const uint32_t slot = next_due(shard, looks, now);

	return slot != NETCODE_NONE ? slot : next_payload(shard, looks);
}

/// The standard has whoever has said nothing yet told that it is connected before each payload, which it would not take
/// without.
static uint16_t write_payload(struct netcode_shard *shard, uint32_t slot, uint8_t *out, uint64_t now)
{
	struct netcode_record *record = record_of(shard, slot);
	const struct payload *payload = payloads_first(&shard->payloads);
	uint16_t length;

	shard->sends_payload = false;
	shard->introduced = !record->confirmed && !shard->introduced;
	if (shard->introduced)
		return netcode_write_keep_alive(shard, slot, out, now);
	record->last_sent = now;
	length = netcode_seal(out, NETCODE_PAYLOAD, netcode_next_sequence(record),
			      payloads_body(&shard->payloads, payload), (uint16_t)payload->length,
			      shard->store->plan->protocol_id, record->to_client);
	payloads_remove(&shard->payloads);
	counter_add(&shard->stats->netcode_payloads_sent, 1);
	return length;
}

uint16_t netcode_write(struct netcode_shard *shard, uint32_t slot, uint8_t *payload, uint64_t now)
{
	struct netcode_record *record = record_of(shard, slot);
	uint16_t length;

	if (shard->sends_payload)
		return write_payload(shard, slot, payload, now);
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

	if (shard->sends_payload) {
		shard->sends_payload = shard->introduced = false;
		payloads_remove(&shard->payloads);
		counter_add(&shard->stats->netcode_payloads_no_way, 1);
		return;
	}
	if (record->phase == NETCODE_LEAVING)
		record->disconnects = 0;
	record->last_sent = now;
	wheel_schedule(&shard->wheel, slot, netcode_due(shard, slot));
}

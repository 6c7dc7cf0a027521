// SPDX-License-Identifier: BSD-3-Clause
// session/limits.c: see limits.h.

#include "session/limits.h"

#include <string.h>

#include "net/peer.h"
#include "session/relay.h"

uint16_t limits_write(const struct session_rules *rules, unsigned listener, uint8_t *out)
{
	const struct session_limit *datagrams = &rules->datagram_limit[listener];
	uint16_t n = 0;

	if (datagrams->per_minute != 0) {
		memcpy(out, datagrams, sizeof(*datagrams));
		out += sizeof(*datagrams);
		n++;
	}
	memcpy(out, rules->message_limit, rules->message_limits * sizeof(rules->message_limit[0]));
	return (uint16_t)(n + rules->message_limits);
}

void limits_begin(const struct session_shard *shard, uint32_t slot)
{
	struct delivery *c = store_delivery(shard->store, slot);

	c->limits_first = c->limits_told = shard->limits_version;
	shard->store->records[slot].limits_mark = limits_mark(shard);
}

void limits_resume(const struct session_shard *shard, uint32_t slot)
{
	struct delivery *c = store_delivery(shard->store, slot);
	const bool changed = shard->store->records[slot].limits_mark != limits_mark(shard);

	c->limits_first = c->limits_told = (uint16_t)(shard->limits_version - changed);
}

void limits_tell(struct session_shard *shard, uint32_t slot, uint64_t now)
{
	struct delivery *c = store_delivery(shard->store, slot);
	struct session_record *record = &shard->store->records[slot];
	uint8_t body[sizeof(struct session_limits) + LIMITS_MOST * sizeof(struct session_limit)];
	struct session_limits head = {.version = (uint16_t)(shard->limits_version - c->limits_first)};
	struct outgoing message = {
		.type = SESSION_LIMITS,
		.channel = SESSION_CHANNEL_UNORDERED,
		.reliable = true,
		.priority = PRIORITY_NORMAL,
		.body = body,
	};

	if (likely(c->limits_told == shard->limits_version))
		return;
	head.count = limits_write(shard->rules, peer_listener(&record->peer), body + sizeof(head));
	memcpy(body, &head, sizeof(head));
	message.length = (uint32_t)(sizeof(head) + head.count * sizeof(struct session_limit));
	if (delivery_queue(&shard->ctx, c, &message, now) == PG_LOSS_NONE) { // else the next sweep does
		c->limits_told = shard->limits_version;
		record->limits_mark = 0;
	}
	session_note(shard, slot, true);
}

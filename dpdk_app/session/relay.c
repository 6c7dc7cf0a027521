// SPDX-License-Identifier: BSD-3-Clause
// session/relay.c: see relay.h.

#include "session/relay.h"

#include <string.h>

#include "delivery/restart.h"
#include "session/shard.h"

static enum pg_loss lose(struct session_shard *shard, enum pg_loss why)
{
	counter_add(&shard->stats->messages.lost[why], 1);
	return why;
}

/// Ours, and somebody is connected who can get it.
static bool is_here(const struct session_shard *shard, const struct session_record *record, uint32_t session)
{
	return record_stands(record, session) && record_owner(record) == shard->worker && record_is_connected(record);
}

/// @return false: not ours, or nobody is connected
static bool find_here(const struct session_shard *shard, uint32_t session, uint32_t *slot)
{
	const struct session_store *store = shard->store;

	*slot = session_slot(&store->numbers, session);
	return *slot < store->capacity && is_here(shard, &store->records[*slot], session);
}

enum pg_loss session_deliver(struct session_shard *shard, uint32_t session, const struct outgoing *message,
			     uint64_t now)
{
	enum pg_loss loss;
	uint32_t slot;

	if (!find_here(shard, session, &slot))
		return lose(shard, PG_LOSS_NO_PLAYER);
	loss = delivery_queue(&shard->ctx, store_delivery(shard->store, slot), message, now);
	session_note(shard, slot, message->reliable);
	if (delivery_due(store_delivery(shard->store, slot)) <= now)
		wheel_hasten(&shard->wheel, slot); // an urgent one leaves in this turn
	return loss;
}

enum pg_loss session_deliver_broadcast(struct session_shard *shard, uint32_t session, const struct broadcast *broadcast,
				       uint64_t now)
{
	enum pg_loss loss;
	uint32_t slot;

	if (!find_here(shard, session, &slot))
		return lose(shard, PG_LOSS_NO_PLAYER);
	loss = delivery_broadcast(&shard->ctx, store_delivery(shard->store, slot), broadcast, now);
	session_note(shard, slot, broadcast->head.reliable);
	return loss;
}

enum pg_loss session_relay(struct session_shard *shard, uint32_t player_id, const struct outgoing *message,
			   uint64_t now)
{
	const struct session_store *store = shard->store;
	const uint32_t slot = store_player(store, player_id);

	if (slot == PLAYER_NONE)
		return lose(shard, PG_LOSS_NO_PLAYER);

	const uint32_t session = record_session(&store->records[slot]);
	const uint8_t owner = record_owner(&store->records[slot]);

	if (session == 0 || owner == shard->worker || owner == RECORD_NO_OWNER)
		return session_deliver(shard, session, message, now);
	if (!shard->relay || !shard->relay->pass(shard->relay, owner, session, message))
		return lose(shard, PG_LOSS_OWNER_BUSY);
	return PG_LOSS_NONE;
}

/// The ids, and which were delivered though one before them was not, are of one moment.
static void note_seen(struct session_record *record, struct id_bits *stored, const struct delivery *c,
		      const struct delivery_ids *ids)
{
	record->seen = RECORD_SEEN_WRITING;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*stored = c->in.unordered;
	record->ids = *ids;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	record->seen = c->in.ahead != 0 ? RECORD_SEEN_STORED : RECORD_SEEN_NONE;
}

/// Before anything leaves that tells of them, as an acknowledgement does. A crash sees stores in program order, and each half of
/// the ids is stored at once.
static void note_ids(const struct session_store *store, uint32_t slot, const struct delivery *c)
{
	struct session_record *record = &store->records[slot];
	const struct delivery_ids ids = delivery_ids(c);

	if (unlikely(c->in.ahead != 0) || unlikely(record->seen != RECORD_SEEN_NONE)) {
		note_seen(record, &store->seen[slot], c, &ids);
		return;
	}
	memcpy(record->ids.tx, ids.tx, sizeof(ids.tx));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	memcpy(record->ids.rx, ids.rx, sizeof(ids.rx));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void session_note(struct session_shard *shard, uint32_t slot, bool ids)
{
	const struct delivery *c = store_delivery(shard->store, slot);
	const uint64_t due = delivery_due(c);

	if (due != UINT64_MAX)
		wheel_schedule(&shard->wheel, slot, due);
	if (unlikely(ids))
		note_ids(shard->store, slot, c);
}

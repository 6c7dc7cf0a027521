// SPDX-License-Identifier: BSD-3-Clause
// session/connection.c: see connection.h.
//
// A crash may come between any two stores. So the phase is idle while the connection part of a record is written, and
// who finds it so afterwards lets the slot go: a half-written secret is never used.

#include "session/connection.h"

#include <string.h>

#include "delivery/holding.h"
#include "delivery/restart.h"
#include "session/limits.h"
#include "session/older.h"
#include "session/renames.h"

#define CLOSE_LEN FAREWELL_LEN
static_assert(CLOSE_LEN <= OUTBOX_PAYLOAD, "a CLOSE fits the outbox");

void connection_marks_of(const struct session_shard *shard, uint32_t slot, struct connection_marks *out)
{
	const struct session_record *record = &shard->store->records[slot];

	connection_marks(out, &shard->store->secret, record->key, record->number, record->connections);
}

/// The secret of a new connection, whose number in the record is counted already.
static void make_secret(struct session_shard *shard, uint32_t slot, const struct connection_request *request)
{
	struct session_record *record = &shard->store->records[slot];
	const struct exchanges *exchanges = &shard->exchanges;
	struct transcript transcript = {.session = record->number};
	struct connection_marks marks;

	connection_marks_of(shard, slot, &marks);
	memcpy(transcript.client_nonce, request->confirm->client_nonce, SESSION_NONCE_LEN);
	memcpy(transcript.server_nonce, marks.server_nonce, SESSION_NONCE_LEN);
	memcpy(transcript.client_share, request->confirm->client_share, EXCHANGE_LEN);
	memcpy(transcript.server_share, exchanges->share[exchanges->present], EXCHANGE_LEN);
	connection_secret(record->secret, record->key, request->agreed, &transcript);
}

/// Keep what was sealed for whoever goes on talking.
static void keep_farewell(struct session_shard *shard, const struct outbox_entry *said, uint32_t session, uint64_t now)
{
	struct farewell farewell = {
		.until = now + FAREWELL_FOR_S * shard->tsc_hz,
		.next = now + shard->tsc_hz / FAREWELLS_PER_S,
		.peer = said->peer,
		.session = session,
	};

	memcpy(farewell.close, said->payload, FAREWELL_LEN);
	farewells_keep(&shard->farewells, said->slot, &farewell);
}

/// Seal a CLOSE into the outbox. When the outbox is full, the peer is not told.
/// @param reason  as on the wire
static void say_close(struct session_shard *shard, uint32_t slot, uint8_t reason, uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];
	struct outbox_entry *entry = outbox_add(&shard->outbox);
	const struct session_close_body body = {.reason = reason};
	struct session_header header;
	uint32_t counter;

	if (!entry)
		return;
	counter = connection_count(record);
	header =
		connection_header(record, SESSION_CLOSE, CLOSE_LEN, counter, renames_as(shard->store, slot, true, now));
	entry->peer = record->peer;
	entry->slot = slot;
	entry->length = CLOSE_LEN;
	memcpy(entry->payload, &header, sizeof(header));
	memcpy(entry->payload + sizeof(header), &body, sizeof(body));
	cipher_seal(&shard->code, store_keys(shard->store, slot).seal, counter, entry->payload, sizeof(header),
		    CLOSE_LEN);
	keep_farewell(shard, entry, record->number, now);
}

/// Free what this process keeps of a connection.
static void forget(struct session_shard *shard, uint32_t slot, enum session_close_reason reason)
{
	delivery_end(&shard->ctx, store_delivery(shard->store, slot),
		     reason == SESSION_CLOSED_IDLE ? PG_LOSS_UNACKNOWLEDGED : PG_LOSS_CLOSED);
	wheel_cancel(&shard->wheel, slot);
	if (shard->game)
		shard->watcher->left(shard->game, slot, reason);
	counter_set(&shard->stats->connected, shard->stats->connected - 1);
	counter_add(&shard->stats->closed[reason], 1);
}

static void replace(struct session_shard *shard, uint32_t slot, const struct peer *by, uint64_t now)
{
	if (!peer_equal(&shard->store->records[slot].peer, by))
		say_close(shard, slot, SESSION_CLOSED_REPLACED, now);
	forget(shard, slot, SESSION_CLOSED_REPLACED);
}

void connection_begin(struct session_shard *shard, uint32_t slot, const struct connection_request *request,
		      uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];

	older_end(shard, slot, now);
	if (record->phase != RECORD_IDLE)
		replace(shard, slot, request->peer, now);
	record_set_phase(record, RECORD_IDLE);
	record_in_order();
	// Before what tells of it is overwritten: a session that may be confirmed once is not taken up twice.
	record->used = record_was_used(record);
	// Before anything is made from it: no connection has the nonce and the token of one before.
	__atomic_store_n(&record->connections, record->connections + 1, __ATOMIC_RELEASE);
	record_in_order();
	record->cookie_time = request->cookie_time;
	record->confirm_mark = confirm_mark(&shard->store->secret, request->confirm);
	record->exchange = shard->exchanges.present;
	make_secret(shard, slot, request);
	record->tx_counter = 0;
	record->replay = (struct replay){0};
	record->taken = (struct taken){0};
	record->taken_at = 0;
	record->ids = (struct delivery_ids){0};
	record->seen = RECORD_SEEN_NONE;
	record->epoch = 0;
	record_set_max_datagram(record, request->confirm->max_datagram);
	record->peer = *request->peer;
	record->last_seen = now;
	phases_begin(shard, slot, now);
	phases_make_keys(shard, slot);
	wheel_link_init(&shard->wheel, slot);
	delivery_begin(&shard->ctx, store_delivery(shard->store, slot), slot,
		       request->confirm->max_datagram - SESSION_DATA_MIN);
	limits_begin(shard, slot);
	renames_begin(shard, slot);
	record_in_order();
	record_set_phase(record, RECORD_CONNECTED);
	counter_add(&shard->stats->connected, 1);
	counter_add(&shard->stats->connections, 1);
	counter_add(&shard->stats->listener[peer_listener(request->peer)].sessions, 1);
	if (shard->game)
		shard->watcher->joined(shard->game, slot);
}

void connection_move(struct session_shard *shard, uint32_t slot, const struct peer *peer, uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];
	const enum record_phase connected = record->phase;

	record_set_phase(record, RECORD_IDLE); // nothing is ever sent to half of an address
	record_in_order();
	record->peer = *peer;
	record_set_max_datagram(record, SESSION_DATAGRAM_MIN);
	renames_moved(shard->store, slot);
	record_in_order();
	record_set_phase(record, connected);
	counter_add(&shard->stats->path_changes, 1);
	delivery_moved(&shard->ctx, store_delivery(shard->store, slot), now);
	session_note(shard, slot, false);
}

/// What is left to do once the peer is told.
static void close_silently(struct session_shard *shard, uint32_t slot, enum session_close_reason reason)
{
	struct session_record *record = &shard->store->records[slot];

	forget(shard, slot, reason);
	key_store_forget(&shard->store->keys, slot);
	phases_forget(shard, slot);
	record_set_phase(record, RECORD_IDLE);
	record_in_order();
	secrets_forget(record->secret, sizeof(record->secret));
	record_release(record);
}

void connection_close(struct session_shard *shard, uint32_t slot, enum session_close_reason reason, uint64_t now)
{
	if (reason != SESSION_CLOSED_LEFT)
		say_close(shard, slot, (uint8_t)reason, now);
	close_silently(shard, slot, reason);
}

void connection_kick(struct session_shard *shard, uint32_t slot, uint8_t why, uint64_t now)
{
	const unsigned said = why < SESSION_KICK_REASONS ? SESSION_CLOSED_GAME + why : SESSION_CLOSED_KICKED;

	say_close(shard, slot, (uint8_t)said, now);
	close_silently(shard, slot, SESSION_CLOSED_KICKED);
}

// ---------------------------------------------------------------- sweep

/// Why is a connection of ours to be closed? 0: it is not.
static enum session_close_reason over(const struct session_shard *shard, uint32_t slot, uint64_t now)
{
	const struct session_record *record = &shard->store->records[slot];

	if (record->phase == RECORD_LOST)
		return SESSION_CLOSED_RESTARTED;
	if (!record_stands(record, record->number))
		return record->expired_or_revoked == SESSION_DENIED_EXPIRED ? SESSION_CLOSED_EXPIRED :
									      SESSION_CLOSED_REVOKED;
	if (now >= record->expires_at)
		return SESSION_CLOSED_EXPIRED;
	if ((int64_t)(now - record->last_seen) > (int64_t)shard->rules->idle_timeout)
		return SESSION_CLOSED_IDLE;
	if (record->tx_counter >= SESSION_COUNTERS)
		return SESSION_CLOSED_RESTARTED;
	if (phases_exhausted(record))
		return SESSION_CLOSED_PROTOCOL;
	return 0;
}

void connection_close_if_over(struct session_shard *shard, uint32_t slot, uint64_t now)
{
	const struct session_record *record = &shard->store->records[slot];
	enum session_close_reason reason;

	if (record_owner(record) != shard->worker || record->phase == RECORD_IDLE)
		return;
	reason = over(shard, slot, now);
	if (reason != 0)
		connection_close(shard, slot, reason, now);
}

/// How much its path carries is kept with the session, and looked for again.
static void look_at_path(struct session_shard *shard, uint32_t slot, uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];
	struct delivery *c = store_delivery(shard->store, slot);

	if (likely(c->path.search == PATH_WHOLE) && likely(!c->path.changed))
		return;
	if (c->path.changed)
		record_set_max_datagram(record, delivery_carries(c));
	c->path.changed = false;
	if (record->replay.newest == 0) // its player has no keys yet, or says so
		return;
	delivery_search(&shard->ctx, c, now);
	session_note(shard, slot, false);
}

/// So many slots before over() reads it, a record's lines are on their way: they are in no cache when many are connected.
#define SWEPT_AHEAD 4

static void bring_swept(const struct session_shard *shard, uint32_t slot, uint32_t used)
{
	const struct session_record *ahead = &shard->store->records[slot + SWEPT_AHEAD < used ? slot + SWEPT_AHEAD : 0];

	prefetch(ahead);
	prefetch(&ahead->last_seen);
	prefetch(&ahead->expires_at);
}

uint32_t connection_sweep(struct session_shard *shard, uint64_t now, uint32_t budget)
{
	const uint32_t used = store_used(shard->store);
	uint32_t closed = 0;

	holding_expire(&shard->ctx, now);
	exchanges_expire(&shard->exchanges, now);
	phases_expire(shard, now);
	if (budget > used)
		budget = used;
	for (; budget > 0 && shard->outbox.count < OUTBOX_SIZE; budget--) {
		const uint32_t slot = shard->cursor < used ? shard->cursor : 0;
		enum session_close_reason reason;

		shard->cursor = slot + 1;
		bring_swept(shard, slot, used);
		if (record_owner(&shard->store->records[slot]) != shard->worker)
			continue;
		reason = over(shard, slot, now);
		if (reason == 0) {
			limits_tell(shard, slot, now);
			if (unlikely(shard->store->records[slot].phase == RECORD_RENAMED))
				renames_tell(shard, slot, now);
			phases_look(shard, slot, now);
			look_at_path(shard, slot, now);
			continue;
		}
		connection_close(shard, slot, reason, now);
		closed++;
	}
	return closed;
}

// ---------------------------------------------------------------- after a crash

/// The time to record as the player's last packet, so that the next packet teaches the return headers again: they are not
/// known any more.
static uint64_t heard_before(uint64_t last_seen, uint64_t now)
{
	const uint64_t before = (now >> RECORD_LEARN_SHIFT << RECORD_LEARN_SHIFT) - 1;

	return (int64_t)(before - last_seen) < 0 ? before : last_seen;
}

/// Windows may have been moving when it came: what they say is not relied on, only the counters that they end at.
static void adopt(struct session_shard *shard, uint32_t slot, uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];

	const bool stored = record->seen == RECORD_SEEN_STORED;

	if (record->seen == RECORD_SEEN_WRITING)
		record_set_phase(record, RECORD_LOST);
	record->epoch++;
	replay_distrust(&record->replay);
	record->taken.bits = 0;
	record->taken_at = 0; // of another run of the clock, perhaps
	record->exchange = RECORD_NO_EXCHANGE;
	record->last_seen = heard_before(record->last_seen, now);
	record->open_flags &= SESSION_FLAG_PHASE;
	phases_make_keys(shard, slot);
	wheel_link_init(&shard->wheel, slot);
	delivery_begin(&shard->ctx, store_delivery(shard->store, slot), slot, record->max_datagram - SESSION_DATA_MIN);
	delivery_resume(store_delivery(shard->store, slot), &record->ids, stored ? &shard->store->seen[slot] : NULL);
	restart_begin(store_delivery(shard->store, slot), record->epoch);
	limits_resume(shard, slot);
	renames_resume(shard, slot, now);
}

uint32_t connection_adopt(struct session_shard *shard, uint64_t now)
{
	const uint32_t used = store_used(shard->store);
	uint32_t connected = 0, going_on = 0;

	counter_set(&shard->stats->connected, 0);
	for (uint32_t slot = 0; slot < used; slot++) {
		struct session_record *record = &shard->store->records[slot];

		if (record_owner(record) != shard->worker)
			continue;
		if (record->phase == RECORD_IDLE) {
			secrets_forget(record->secret, sizeof(record->secret));
			record_release(record);
			continue;
		}
		adopt(shard, slot, now);
		counter_set(&shard->stats->connected, ++connected); // pg_start() waits as long as there are more
		going_on += record_is_connected(record);
	}
	return going_on;
}

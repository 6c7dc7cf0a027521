// SPDX-License-Identifier: BSD-3-Clause
// session/issue.c: the supervisor's side of issued sessions: issue, revoke, look. See pollgate.h and record.h.
//
// One thread of the supervisor at a time. Workers read meanwhile and never wait: a record's `session` is stored last
// of all when it is issued, and cleared before anything else changes when it is over.

#include <string.h>

#include "session/issuing.h"
#include "stats/error.h"

#define TTL_MAX_S (366U * 86400)
#define READ_TRIES 16
#define COLLECT_MAX 1024 // of one call, which others may be waiting for

// ---------------------------------------------------------------- slots

static uint64_t after(uint64_t now, uint32_t seconds)
{
	return now + seconds * pg_tsc_hz();
}

static void rest(struct issuing *issuing, uint32_t slot)
{
	struct slot_allocator *allocator = &issuing->allocator;

	allocator->ring[(allocator->retired_first + allocator->retired) % issuing->capacity] = slot;
	allocator->retired++;
}

static uint32_t longest_resting(struct issuing *issuing)
{
	struct slot_allocator *allocator = &issuing->allocator;
	const uint32_t slot = allocator->ring[allocator->retired_first];

	allocator->retired_first = (allocator->retired_first + 1) % issuing->capacity;
	allocator->retired--;
	return slot;
}

/// Nobody looks at slots beyond `used`, whose memory may be a page that does not exist yet.
static uint32_t fresh_slot(struct issuing *issuing)
{
	const uint32_t slot = issuing->allocator.used++;

	issuing->records[slot].owner = RECORD_NO_OWNER;
	__atomic_store_n(&issuing->section->used, issuing->allocator.used, __ATOMIC_RELEASE);
	return slot;
}

/// Has it no connection? One whose session is over gets none any more: record_claim().
static bool is_closed(const struct issuing *issuing, uint32_t slot)
{
	return __atomic_load_n(&issuing->records[slot].owner, __ATOMIC_SEQ_CST) == RECORD_NO_OWNER;
}

/// A slot to issue: never used, or that which has rested longest among those whose owners have let go.
static uint32_t take_slot(struct issuing *issuing)
{
	if (issuing->allocator.used < issuing->capacity)
		return fresh_slot(issuing);
	for (uint32_t left = issuing->allocator.retired; left > 0; left--) {
		const uint32_t slot = longest_resting(issuing);

		if (is_closed(issuing, slot)) {
			player_writer_remove(&issuing->players, slot);
			return slot;
		}
		rest(issuing, slot); // its connection has still to be closed
	}
	return PLAIN_NONE;
}

// ---------------------------------------------------------------- the life of a session

/// Key and number stay, so that its player can be told, and believes it. Where it is connected, it stays among the player's
/// sessions, too: whose next one connects first ends that connection (session/older.h).
static void retire(struct issuing *issuing, uint32_t slot, enum session_denial why)
{
	struct session_record *record = &issuing->records[slot];

	__atomic_store_n(&record->expired_or_revoked, (uint8_t)why, __ATOMIC_RELAXED);
	__atomic_store_n(&record->session, 0, __ATOMIC_SEQ_CST);
	if (is_closed(issuing, slot))
		player_writer_remove(&issuing->players, slot);
	if (deadlines_remove(&issuing->deadlines, slot)) // else only its record says that it stands
		rest(issuing, slot);
}

/// Free the slots of sessions that are over. What is left over is told to nobody: every look compares the time.
static void collect(struct issuing *issuing, uint64_t now)
{
	for (uint32_t n = 0; n < COLLECT_MAX; n++) {
		const uint32_t slot = deadlines_over(&issuing->deadlines, now);

		if (slot == DEADLINES_NONE)
			return;
		retire(issuing, slot, SESSION_DENIED_EXPIRED);
	}
}

/// Sessions of a player that are over, and whose connections were closed since, are looked for no more.
static void forget_closed(struct issuing *issuing, uint32_t player_id)
{
	struct player_walk walk = {0};

	for (;;) {
		const uint32_t slot = player_writer_next(&issuing->players, player_id, &walk);

		if (slot == PLAYER_NONE)
			return;
		if (record_session(&issuing->records[slot]) == 0 && is_closed(issuing, slot))
			player_writer_remove(&issuing->players, slot);
	}
}

/// Write a record but for its owner: it has none, and a worker may try to become it at any time.
static void write_record(struct session_record *record, const struct pg_issue_request *request, uint64_t expires_at)
{
	__atomic_store_n(&record->number, 0,
			 __ATOMIC_RELEASE); // whoever names the old one is told nothing from here on
	record_set_phase(record, RECORD_IDLE);
	record_set_max_datagram(record, 0);
	static_assert(offsetof(struct session_record, replay) == offsetof(struct session_record, max_datagram) + 2,
		      "all behind it is a connection's");
	memset(&record->replay, 0, offsetof(struct session_record, key) - offsetof(struct session_record, replay));
	memcpy(record->key, request->key, sizeof(record->key));
	record->expires_at = expires_at;
	__atomic_store_n(&record->player_id, request->player_id, __ATOMIC_RELAXED);
	record->once = request->once;
	record->world = request->world & 127U;
	record->expired_or_revoked = 0;
	record->used = 0;
	record->moved_to = RECORD_WORLD_UNNAMED;
	record->exchange = RECORD_NO_EXCHANGE;
	record->confirm_mark = 0;
}

/// The next number of the slot that is nobody's spare: see visible.h. Of so many that follow each other some are not: they share
/// four places of the table, where there are not fewer spares than that anyway. A worker that wrote all over it does not keep us
/// here.
/// @param last  of the slot
static uint32_t number_record(struct issuing *issuing, uint32_t slot, uint32_t last)
{
	struct session_record *record = &issuing->records[slot];
	uint32_t number = last;

	for (unsigned tries = 0; tries < 1U << SESSION_GENERATION_BITS_MIN; tries++) {
		number = session_number_next(&issuing->numbers, slot, number);
		__atomic_store_n(&record->number, number, __ATOMIC_SEQ_CST);
		if (!visible_is_given(&issuing->visible, number))
			break;
	}
	return number;
}

static int check_request(const struct issuing *issuing, const struct pg_issue_request *request, struct pg_error *error)
{
	if (!issuing)
		return error_set(error, PG_ERROR_USAGE, "this process did not make the session state");
	if (issuing->capacity == 0)
		return error_set(error, PG_ERROR_USAGE, "no listener has profile session");
	if (request->player_id == 0)
		return error_set(error, PG_ERROR_USAGE, "player 0 is the operator; players count from 1");
	if (request->ttl_s == 0 || request->ttl_s > TTL_MAX_S)
		return error_set(error, PG_ERROR_USAGE, "a session of %u s; it may last 1 to %u s", request->ttl_s,
				 TTL_MAX_S);
	if (request->world > PG_WORLDS_MAX)
		return error_set(error, PG_ERROR_USAGE, "world %u; there are at most %u", request->world,
				 PG_WORLDS_MAX);
	return PG_OK;
}

int pg_session_issue(void *state, const struct pg_issue_request *request, uint32_t *session, struct pg_error *error)
{
	struct issuing *issuing = issuing_of(state);
	const uint64_t now = pg_tsc();
	const int rc = check_request(issuing, request, error);
	uint32_t slot;

	if (rc != PG_OK)
		return rc;
	collect(issuing, now);
	slot = player_writer_find(&issuing->players, request->player_id);
	if (slot != PLAYER_NONE)
		retire(issuing, slot, SESSION_DENIED_REVOKED);
	forget_closed(issuing, request->player_id);
	slot = take_slot(issuing);
	if (slot == PLAIN_NONE)
		return error_set(error, PG_ERROR_MEMORY,
				 "all %u sessions are issued; revoke some, or raise sessions.capacity",
				 issuing->capacity);

	struct session_record *record = &issuing->records[slot];
	const uint32_t last = record->number;
	uint32_t number;

	write_record(record, request, after(now, request->ttl_s));
	number = number_record(issuing, slot, last);
	deadlines_add(&issuing->deadlines, slot);
	__atomic_store_n(&record->session, number, __ATOMIC_RELEASE);
	player_writer_enter(&issuing->players, slot);
	*session = number;
	return PG_OK;
}

/// @return the record of a session that stands, or NULL
static struct session_record *standing(const struct issuing *issuing, uint32_t session, uint64_t now)
{
	const uint32_t slot = session_slot(&issuing->numbers, session);

	if (slot >= issuing->allocator.used)
		return NULL;

	struct session_record *record = &issuing->records[slot];

	return record_stands(record, session) && record->expires_at > now ? record : NULL;
}

bool pg_session_revoke(void *state, uint32_t session)
{
	struct issuing *issuing = issuing_of(state);
	const uint64_t now = pg_tsc();
	const struct session_record *record;

	if (!issuing)
		return false;
	collect(issuing, now);
	record = standing(issuing, session, now);
	if (!record)
		return false;
	retire(issuing, (uint32_t)(record - issuing->records), SESSION_DENIED_REVOKED);
	return true;
}

// ---------------------------------------------------------------- looking

/// The fields that the owner may be writing while we read.
struct connection_view {
	uint8_t phase;
	uint16_t max_datagram;
	uint32_t tx_counter;
	uint64_t last_seen;
	struct peer peer;
	uint32_t connections;
	uint8_t motion_version;
	uint8_t motion[sizeof(struct motion)]; // bytes: compared, and not yet numbers
};

/// Byte by byte what is there now; the compiler may not leave a reading out.
static void view(const struct session_record *record, struct connection_view *out)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	memset(out, 0, sizeof(*out)); // its padding is compared
	out->phase = record->phase;
	out->max_datagram = record->max_datagram;
	out->tx_counter = __atomic_load_n(&record->tx_counter, __ATOMIC_RELAXED);
	out->last_seen = counter_get(&record->last_seen);
	out->peer = record->peer;
	out->connections = record->connections;
	out->motion_version = record->motion_version;
	memcpy(out->motion, &record->motion, sizeof(out->motion));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

/// Two readings agree in what belongs together: not in the counter and the time of the last packet, which never rest.
static bool same_connection(const struct connection_view *a, const struct connection_view *b)
{
	return a->phase == b->phase && a->max_datagram == b->max_datagram && a->connections == b->connections &&
	       peer_equal(&a->peer, &b->peer);
}

static bool same_motion(const struct connection_view *a, const struct connection_view *b)
{
	return !(a->motion_version & 1) && a->motion_version == b->motion_version &&
	       memcmp(a->motion, b->motion, sizeof(a->motion)) == 0;
}

static bool view_whole(const struct session_record *record, struct connection_view *out)
{
	struct connection_view again;

	for (int tries = 0; tries < READ_TRIES; tries++) {
		view(record, out);
		view(record, &again);
		if (same_connection(out, &again) && same_motion(out, &again))
			return true;
	}
	// A worker died while it wrote where the player is: until the next one mends it nobody knows.
	out->motion_version = 0;
	memset(out->motion, 0, sizeof(out->motion));
	return same_connection(out, &again);
}

static uint64_t milliseconds(uint64_t cycles)
{
	return (uint64_t)((unsigned __int128)cycles * 1000 / pg_tsc_hz());
}

static void tell_peer(const struct peer *peer, struct pg_session_info *out)
{
	const bool v4 = peer->high == 0 && (uint32_t)peer->low == IPV4_MAPPED;

	out->peer.family = v4 ? 4 : 6;
	out->peer.prefix_len = v4 ? 32 : 128;
	if (v4) {
		memcpy(out->peer.bytes, (const uint8_t *)&peer->low + 4, 4);
	} else {
		memcpy(out->peer.bytes, &peer->high, 8);
		memcpy(out->peer.bytes + 8, &peer->low, 8);
	}
	out->peer_port = __builtin_bswap16(peer_port(peer));
}

static void tell_motion(const struct connection_view *seen, struct pg_session_info *out)
{
	static const uint8_t nowhere[sizeof(struct motion)];
	struct motion motion;

	// The version wraps around: a player who moved stands at the origin with version 0 only by great chance.
	out->has_motion = seen->motion_version != 0 || memcmp(seen->motion, nowhere, sizeof(nowhere)) != 0;
	memcpy(&motion, seen->motion, sizeof(motion));
	memcpy(out->position, motion.position, sizeof(out->position));
	memcpy(out->velocity, motion.velocity, sizeof(out->velocity));
}

static bool tell(const struct session_record *record, uint64_t now, struct pg_session_info *out)
{
	struct connection_view seen;

	if (!view_whole(record, &seen))
		return false;
	*out = (struct pg_session_info){
		.session = record->number,
		.player_id = record->player_id,
		.expires_in_ms = milliseconds(record->expires_at - now),
		.connections = seen.connections,
		.connected = seen.phase == RECORD_CONNECTED || seen.phase == RECORD_RENAMED,
		.once = record->once,
		.world = record_world(record, 0),
	};
	tell_motion(&seen, out);
	if (!out->connected)
		return true;
	// Another CPU's TSC may be a little ahead.
	out->silent_ms = seen.last_seen < now ? milliseconds(now - seen.last_seen) : 0;
	out->packets_sent = seen.tx_counter;
	out->max_datagram = seen.max_datagram;
	tell_peer(&seen.peer, out);
	return true;
}

bool pg_session_inspect(const void *state, uint32_t session, struct pg_session_info *out)
{
	const struct issuing *issuing = issuing_of(state);
	const uint64_t now = pg_tsc();
	const struct session_record *record = issuing ? standing(issuing, session, now) : NULL;

	return record && tell(record, now, out);
}

uint32_t pg_session_of_player(const void *state, uint32_t player_id)
{
	const struct issuing *issuing = issuing_of(state);
	const uint32_t slot =
		issuing && issuing->capacity > 0 ? player_writer_find(&issuing->players, player_id) : PLAYER_NONE;

	if (slot == PLAYER_NONE || issuing->records[slot].expires_at <= pg_tsc())
		return 0;
	return record_session(&issuing->records[slot]);
}

uint32_t pg_session_list(const void *state, uint32_t *from, struct pg_session_info *out, uint32_t n)
{
	const struct issuing *issuing = issuing_of(state);
	const uint32_t used = issuing ? issuing->allocator.used : 0;
	const uint64_t now = pg_tsc();
	uint32_t slot = *from, written = 0;

	for (; slot < used && written < n; slot++) {
		const uint32_t session = record_session(&issuing->records[slot]);

		if (session != 0 && standing(issuing, session, now) &&
		    tell(&issuing->records[slot], now, &out[written]))
			written++;
	}
	*from = slot < used ? slot : UINT32_MAX;
	return written;
}

uint32_t pg_session_count(const void *state)
{
	const struct issuing *issuing = issuing_of(state);

	return issuing ? issuing->deadlines.count - deadlines_count_over(&issuing->deadlines, pg_tsc()) : 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// session/handshake.c: see handshake.h. The answer is written where the request lay, when all of that has been read.

#include "session/handshake.h"

#include <string.h>

#include "session/budget.h"
#include "session/candidate.h"
#include "session/limits.h"
#include "session/path.h"
#include "session/renames.h"
#include "wire/zero.h"

#define CLOSE_LEN FAREWELL_LEN

#define COOKIE_LIFE_S 4

/// Of one session: so many connections a second, and at once. Whoever has a ticket shall not use up what `connections_pps`
/// allows to the address that many players share.
#define SESSION_CONNECTIONS_PPS 1
#define SESSION_CONNECTIONS_BURST 10

static struct handshake_outcome dropped(enum pg_drop drop)
{
	return (struct handshake_outcome){.drop = drop};
}

static struct handshake_outcome answered(enum pg_message message, size_t length)
{
	return (struct handshake_outcome){.message = message, .answer = (uint16_t)length};
}

/// Why is it dropped when there is no time left?
static enum pg_drop no_budget(bool conforms)
{
	return conforms ? PG_DROP_HANDSHAKE_BUDGET : PG_DROP_SOURCE_RATE_LIMITED;
}

// ---------------------------------------------------------------- DENIED

/// Is a session over? Asked of who proved to have its key.
static enum session_denial over(const struct session_record *record, uint32_t session, uint64_t now)
{
	if (!record_stands(record, session))
		return __atomic_load_n(&record->expired_or_revoked, __ATOMIC_RELAXED);
	return now >= record->expires_at ? SESSION_DENIED_EXPIRED : 0;
}

/// A ticket for one connection is used up by what its player says under its keys, not by a CONFIRM: WELCOMEs are lost.
static bool consumed(const struct session_record *record)
{
	return record->once && record_was_used(record);
}

/// Write a DENIED over the request. For a wrong version it has no proof: anybody on the path can read the player's nonce and
/// ask for another version with it, and a proved answer would end the player's attempt.
static struct handshake_outcome denied(struct session_shard *shard, uint8_t *payload, const uint8_t *client_nonce,
				       enum session_denial reason, const uint8_t *key)
{
	const struct session_header *asked = (const struct session_header *)payload;
	const enum pg_message message =
		asked->kind == SESSION_HELLO ? PG_MESSAGE_SESSION_HELLO : PG_MESSAGE_SESSION_CONFIRM;
	struct session_denied answer = {
		.header = {.kind = SESSION_DENIED, .length = sizeof(answer), .session = asked->session},
		.reason = (uint8_t)reason,
		.versions = {SESSION_VERSION},
	};

	memcpy(answer.client_nonce, client_nonce, SESSION_NONCE_LEN);
	if (reason != SESSION_DENIED_VERSION)
		proof_write(PROOF_OF_DENIED, key, (uint8_t *)&answer, sizeof(answer));
	memcpy(payload, &answer, sizeof(answer));
	counter_add(&shard->stats->denied[reason], 1);
	return answered(message, sizeof(answer));
}

// ---------------------------------------------------------------- HELLO

/// The time of a new cookie. No two of a worker have the same, also within a burst: two attempts of one player are told
/// apart, and the later one is.
static uint64_t cookie_time(struct session_shard *shard, uint64_t now)
{
	shard->cookie_time = now > shard->cookie_time ? now : shard->cookie_time + 1;
	return shard->cookie_time;
}

static enum pg_drop check_hello(const struct session_shard *shard, const uint8_t *payload, uint16_t length,
				bool conforms, uint64_t now)
{
	const struct session_hello *hello = (const struct session_hello *)payload;

	if (length != sizeof(*hello) || hello->reserved != 0 || !all_zero(hello->padding, sizeof(hello->padding)))
		return PG_DROP_SESSION_HEADER;
	if (session_is_foreign(&shard->store->numbers, hello->header.session)) // its gateway answers
		return PG_DROP_SESSION_FOREIGN;
	return budget_left(shard, handshake_rank(false, conforms), now) ? PG_DROP_NONE : no_budget(conforms);
}

static struct handshake_outcome challenge(struct session_shard *shard, const struct peer *peer, uint8_t *payload,
					  uint64_t now)
{
	const struct session_hello *hello = (const struct session_hello *)payload;
	const uint32_t session = hello->header.session;
	struct session_challenge answer = {
		.header = {.kind = SESSION_CHALLENGE, .length = sizeof(answer), .session = session},
	};
	struct candidate found = candidate_find(shard, session);

	memcpy(answer.client_nonce, hello->client_nonce, SESSION_NONCE_LEN);
	cookie_make(answer.cookie, &shard->store->secret,
		    (struct cookie_for){.peer = peer, .session = session, .client_nonce = hello->client_nonce},
		    cookie_time(shard, now));
	proof_write(PROOF_OF_CHALLENGE, found.key, (uint8_t *)&answer, sizeof(answer));
	secrets_forget(found.key, sizeof(found.key));
	memcpy(payload, &answer, sizeof(answer));
	return answered(PG_MESSAGE_SESSION_HELLO, sizeof(answer));
}

static struct handshake_outcome take_hello(struct session_shard *shard, const struct peer *peer, uint8_t *payload,
					   uint64_t now)
{
	const struct session_hello *hello = (const struct session_hello *)payload;

	if (hello->version != SESSION_VERSION)
		return denied(shard, payload, hello->client_nonce, SESSION_DENIED_VERSION, NULL);
	return challenge(shard, peer, payload, now);
}

// ---------------------------------------------------------------- CONFIRM

/// A CONFIRM whose cookie is right; and from admit() on its proof.
struct confirmed {
	const struct peer *peer;
	uint8_t *payload;
	uint16_t length;
	uint64_t cookie_time;
	const struct candidate *found;
};

/// How long what is bound to a session is worth something, in whole seconds.
static uint32_t seconds_left(const struct session_shard *shard, const struct session_record *record, uint64_t now)
{
	return now < record->expires_at ? (uint32_t)((record->expires_at - now) / shard->tsc_hz) : 0;
}

/// @param most  bytes, of the CONFIRM that it answers
static struct handshake_outcome welcome(struct session_shard *shard, uint32_t slot, uint8_t *payload, uint16_t most,
					uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];
	const uint16_t length = record->max_datagram < most ? record->max_datagram : most;
	const uint32_t counter = connection_count(record);
	// Also when the CONFIRM comes again after a change of number: whoever copies it learns no other one.
	const struct visible_as as_issued = {record->number, 0};
	const struct visible_number spare = renames_spare(shard->store, slot);
	struct connection_marks marks;
	struct session_welcome answer = {
		.header = connection_header(record, SESSION_WELCOME, length, counter, as_issued),
		.player_id = record->player_id,
		.expires_in_s = seconds_left(shard, record, now),
		.idle_timeout_ms = (uint32_t)(shard->rules->idle_timeout / (shard->tsc_hz / 1000)),
		.max_datagram = length,
		.spare = spare.number,
	};

	memcpy(answer.spare_offset, spare.offset, sizeof(answer.spare_offset));
	connection_marks_of(shard, slot, &marks);
	memcpy(answer.server_nonce, marks.server_nonce, SESSION_NONCE_LEN);
	memcpy(answer.reset_token, marks.reset_token, sizeof(answer.reset_token));
	memcpy(answer.server_share, shard->exchanges.share[record->exchange], EXCHANGE_LEN);
	memset(payload + sizeof(answer), 0, length - sizeof(answer));
	answer.limits = limits_write(shard->rules, peer_listener(&record->peer), payload + sizeof(answer));
	memcpy(payload, &answer, sizeof(answer));
	cipher_seal(&shard->code, store_keys(shard->store, slot).seal, counter, payload, SESSION_WELCOME_CLEAR, length);
	return answered(PG_MESSAGE_SESSION_CONFIRM, length);
}

/// The WELCOME was lost, or is on its way. It was too long, perhaps, if the player asks for less now; as long as neither side
/// has said anything that may be so.
static struct handshake_outcome welcome_again(struct session_shard *shard, uint32_t slot, const struct confirmed *c,
					      uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];
	struct delivery *delivery = store_delivery(shard->store, slot);

	if (c->length < record->max_datagram && record->replay.newest == 0 && !delivery_holds_messages(delivery)) {
		record_set_max_datagram(record, c->length);
		delivery_shorten(&shard->ctx, delivery, c->length - SESSION_DATA_MIN);
	}
	return welcome(shard, slot, c->payload, c->length, now);
}

/// Is it the one that made the connection, come again?
static bool repeated(const struct session_shard *shard, const struct session_record *record, const struct confirmed *c)
{
	return record_is_connected(record) && record->cookie_time == c->cookie_time &&
	       record->confirm_mark == confirm_mark(&shard->store->secret, (const struct session_confirm *)c->payload);
}

/// The share that answered it died with a worker process, and its player has said nothing under the keys: the answer was
/// lost, so there is another one.
static bool never_answered(const struct session_record *record)
{
	return record->exchange == RECORD_NO_EXCHANGE && record->replay.newest == 0;
}

/// Is there room for another connection's messages?
static bool full(const struct session_shard *shard, const struct session_record *record)
{
	return record->phase == RECORD_IDLE && message_pool_free_bytes(shard->ctx.pool) < SESSION_DATAGRAM_MAX;
}

/// Only what is proved is counted: who sends from somebody's address without a key takes nothing from whoever has one.
static bool connection_conforms(struct session_shard *shard, const struct confirmed *c, uint64_t now)
{
	const uint32_t session = ((const struct session_header *)c->payload)->session;
	const struct rate rate = shard->rules->connection[peer_listener(c->peer)];
	const struct rate of_session = rate_make(SESSION_CONNECTIONS_PPS, SESSION_CONNECTIONS_BURST, shard->tsc_hz);

	return rate.interval == 0 ||
	       (source_admit(&shard->connections, number_hash(session, &shard->secret), of_session, now) &&
		source_admit(&shard->connections, source_hash(c->peer, &shard->secret), rate, now));
}

static struct handshake_outcome begin(struct session_shard *shard, uint32_t slot, const struct confirmed *c,
				      uint64_t now)
{
	const struct session_confirm *confirm = (const struct session_confirm *)c->payload;
	const struct exchange_key *ours = exchanges_present(&shard->exchanges, &shard->random, now, shard->tsc_hz);
	struct handshake_outcome outcome;
	uint8_t agreed[EXCHANGE_LEN];

	if (!exchange_agree(agreed, ours, confirm->client_share))
		return dropped(PG_DROP_BAD_SHARE);
	connection_begin(shard, slot,
			 &(struct connection_request){
				 .peer = c->peer, .confirm = confirm, .agreed = agreed, .cookie_time = c->cookie_time},
			 now);
	secrets_forget(agreed, sizeof(agreed));
	outcome = welcome(shard, slot, c->payload, c->length, now);
	outcome.moved = true;
	return outcome;
}

/// Connect a slot that is ours.
static struct handshake_outcome connect(struct session_shard *shard, uint32_t slot, const struct confirmed *c,
					uint64_t now)
{
	const struct session_confirm *confirm = (const struct session_confirm *)c->payload;
	const struct session_record *record = &shard->store->records[slot];
	const bool again = repeated(shard, record, c);

	if (again && record->exchange != RECORD_NO_EXCHANGE)
		return welcome_again(shard, slot, c, now);
	if (c->cookie_time <= record->cookie_time && !(again && never_answered(record)))
		return dropped(PG_DROP_COOKIE_OLD);
	if (consumed(record))
		return denied(shard, c->payload, confirm->client_nonce, SESSION_DENIED_CONSUMED, c->found->key);
	if (full(shard, record))
		return denied(shard, c->payload, confirm->client_nonce, SESSION_DENIED_FULL, c->found->key);
	if (!connection_conforms(shard, c, now))
		return dropped(PG_DROP_CONNECTION_RATE_LIMITED);
	return begin(shard, slot, c, now);
}

/// Whose slot is it: ours, to be ours, or another worker's? State changes from here on.
static struct handshake_outcome admit(struct session_shard *shard, const struct confirmed *c, uint64_t now)
{
	const uint32_t session = ((const struct session_header *)c->payload)->session;
	struct session_record *record = c->found->record;
	struct handshake_outcome outcome;

	if (record_owner(record) != shard->worker && !record_claim(record, session, shard->worker)) {
		const uint8_t owner = record_owner(record);

		if (owner == RECORD_NO_OWNER)
			return dropped(PG_DROP_SESSION_OVER);
		return (struct handshake_outcome){.elsewhere = true, .owner = owner};
	}
	outcome = connect(shard, session_slot(&shard->store->numbers, session), c, now);
	if (record->phase == RECORD_IDLE)
		record_release(record);
	return outcome;
}

static bool padded_with_zeros(const uint8_t *payload, uint16_t length)
{
	return all_zero(payload + sizeof(struct session_confirm),
			length - sizeof(struct session_confirm) - SESSION_TAG_LEN);
}

/// @param made  out: the time of its cookie
static enum pg_drop check_cookie(const struct session_shard *shard, const struct peer *peer,
				 const struct session_confirm *confirm, uint64_t now, uint64_t *made)
{
	const struct cookie_for whom = {
		.peer = peer, .session = confirm->header.session, .client_nonce = confirm->client_nonce};

	if (!cookie_check(confirm->cookie, &shard->store->secret, whom, made))
		return PG_DROP_COOKIE_FORGED;
	// A good cookie can be a little ahead of this worker's time: another worker made it, in a burst that began later.
	return (int64_t)(now - *made) > (int64_t)(COOKIE_LIFE_S * shard->tsc_hz) ? PG_DROP_COOKIE_OLD : PG_DROP_NONE;
}

static enum pg_drop check_confirm(const struct session_shard *shard, const uint8_t *payload, uint16_t length,
				  bool conforms, uint64_t now)
{
	const struct session_confirm *confirm = (const struct session_confirm *)payload;

	if (length < SESSION_DATAGRAM_MIN || length > SESSION_DATAGRAM_MAX || confirm->max_datagram != length)
		return PG_DROP_SESSION_HEADER;
	if (session_is_foreign(&shard->store->numbers, confirm->header.session))
		return PG_DROP_SESSION_FOREIGN;
	return budget_left(shard, handshake_rank(true, conforms), now) ? PG_DROP_NONE : no_budget(conforms);
}

static struct handshake_outcome judge(struct session_shard *shard, const struct confirmed *c, uint64_t now)
{
	const struct session_confirm *confirm = (const struct session_confirm *)c->payload;
	const struct candidate *found = c->found;
	enum session_denial denial;

	if (!proof_is_right(PROOF_OF_CONFIRM, found->key, c->payload, c->length))
		return dropped(found->record ? PG_DROP_BAD_PROOF : PG_DROP_SESSION_UNKNOWN);
	if (!found->record)
		return dropped(PG_DROP_SESSION_UNKNOWN);
	if (!padded_with_zeros(c->payload, c->length))
		return dropped(PG_DROP_SESSION_HEADER);
	denial = over(found->record, confirm->header.session, now);
	if (denial != 0)
		return denied(shard, c->payload, confirm->client_nonce, denial, found->key);
	if (!record_stands(found->record, confirm->header.session)) // is just being issued
		return dropped(PG_DROP_SESSION_UNKNOWN);
	return admit(shard, c, now);
}

/// Of one whose header is right.
static struct handshake_outcome take_confirm(struct session_shard *shard, const struct peer *peer, uint8_t *payload,
					     uint16_t length, uint64_t now)
{
	const struct session_confirm *confirm = (const struct session_confirm *)payload;
	struct confirmed confirmed = {.peer = peer, .payload = payload, .length = length};
	const enum pg_drop drop = check_cookie(shard, peer, confirm, now, &confirmed.cookie_time);
	struct handshake_outcome outcome;
	struct candidate found;

	if (drop != PG_DROP_NONE)
		return dropped(drop);
	if (confirm->version != SESSION_VERSION)
		return denied(shard, payload, confirm->client_nonce, SESSION_DENIED_VERSION, NULL);
	found = candidate_find(shard, confirm->header.session);
	confirmed.found = &found;
	outcome = judge(shard, &confirmed, now);
	secrets_forget(found.key, sizeof(found.key));
	return outcome;
}

// ---------------------------------------------------------------- what is not sealed

static bool handshake_header(const uint8_t *payload, uint16_t length)
{
	const struct session_header *header = (const struct session_header *)payload;

	return length >= sizeof(*header) && header->length == length && header->flags == 0 && header->counter == 0;
}

static bool was_refused_for_free(enum pg_drop drop)
{
	return drop == PG_DROP_HANDSHAKE_BUDGET || drop == PG_DROP_SOURCE_RATE_LIMITED;
}

struct handshake_outcome handshake_receive(struct session_shard *shard, const struct peer *peer, uint8_t *payload,
					   uint16_t length, bool conforms, uint64_t now)
{
	const uint64_t began = pg_tsc();
	struct handshake_outcome outcome;
	enum pg_drop drop;

	if (!handshake_header(payload, length))
		return dropped(PG_DROP_SESSION_HEADER);
	switch (payload[offsetof(struct session_header, kind)]) {
	case SESSION_HELLO:
		drop = check_hello(shard, payload, length, conforms, now);
		outcome = drop ? dropped(drop) : take_hello(shard, peer, payload, now);
		break;
	case SESSION_CONFIRM:
		drop = check_confirm(shard, payload, length, conforms, now);
		outcome = drop ? dropped(drop) : take_confirm(shard, peer, payload, length, now);
		break;
	default:
		return dropped(PG_DROP_SESSION_STATE);
	}
	if (!was_refused_for_free(outcome.drop))
		budget_charge(shard, pg_tsc() - began, now);
	return outcome;
}

// ---------------------------------------------------------------- what is

static struct handshake_outcome take_close(struct session_shard *shard, uint32_t slot, const uint8_t *payload,
					   uint16_t length, uint64_t now)
{
	struct session_close_body body;

	if (length != CLOSE_LEN)
		return dropped(PG_DROP_SESSION_HEADER);
	memcpy(&body, payload + sizeof(struct session_header), sizeof(body));
	if (body.reason == 0 || !all_zero(body.reserved, sizeof(body.reserved)))
		return dropped(PG_DROP_SESSION_HEADER);
	connection_close(shard, slot, SESSION_CLOSED_LEFT, now);
	return answered(PG_MESSAGE_SESSION_CLOSE, 0);
}

struct handshake_outcome handshake_control(struct session_shard *shard, uint32_t slot, const struct peer *peer,
					   const uint8_t *payload, uint16_t length, uint64_t now)
{
	switch (payload[offsetof(struct session_header, kind)]) {
	case SESSION_CLOSE:
		return take_close(shard, slot, payload, length, now);
	case SESSION_PATH_RESPONSE:
		return path_answered(shard, slot, peer, payload, length, now);
	default:
		return dropped(PG_DROP_SESSION_STATE);
	}
}

// SPDX-License-Identifier: BSD-3-Clause
// session/handshake.c: see handshake.h. The answer is written where the request lay, when all of that has been read.

#include "session/handshake.h"

#include <string.h>

#include "session/path.h"
#include "wire/zero.h"

#define CLOSE_LEN (SESSION_AROUND + sizeof(struct session_close_body))

/// The longest that one handshake is charged for: what takes longer was interrupted.
#define HANDSHAKES_PER_S_MIN 10000

static struct handshake_outcome dropped(enum pg_drop drop)
{
	return (struct handshake_outcome){.drop = drop};
}

static struct handshake_outcome answered(enum pg_message message, size_t length)
{
	return (struct handshake_outcome){.message = message, .answer = (uint16_t)length};
}

// ---------------------------------------------------------------- the budget

/// HELLOs cost a stranger nothing, CONFIRMs at least a cookie: a flood of the former leaves time for the latter.
static bool budget_left(const struct session_shard *shard, enum session_kind kind, uint64_t now)
{
	const struct handshake_budget *budget = &shard->rules->handshake;
	const uint64_t tolerance = kind == SESSION_HELLO ? budget->tolerance / 2 : budget->tolerance;

	return budget->cycles_per_1024 == 0 || shard->handshake_conforms_at <= now + tolerance;
}

static void charge(struct session_shard *shard, uint64_t cycles, uint64_t now)
{
	const uint64_t from = shard->handshake_conforms_at > now ? shard->handshake_conforms_at : now;
	const uint64_t most = shard->tsc_hz / HANDSHAKES_PER_S_MIN;

	if (cycles > most)
		cycles = most;
	shard->handshake_conforms_at = from + cycles * shard->rules->handshake.cycles_per_1024 / 1024;
}

// ---------------------------------------------------------------- whom a number names

/// A record that was issued under the number that a packet names. Its key is copied: the slot may be issued anew at any time.
struct candidate {
	struct session_record *record; // NULL: none
	uint8_t key[SESSION_KEY_LEN];
	enum session_denial denial; // 0: it stands
};

static enum session_denial verdict(const struct session_record *record, uint32_t session, uint64_t now)
{
	if (!record_stands(record, session)) {
		const uint8_t over = __atomic_load_n(&record->expired_or_revoked, __ATOMIC_RELAXED);

		return over ? over : SESSION_DENIED_UNKNOWN; // is just being issued
	}
	return now >= record->expires_at ? SESSION_DENIED_EXPIRED : 0;
}

static struct candidate look_up(const struct session_shard *shard, uint32_t session, uint64_t now)
{
	const uint32_t slot = session_slot(&shard->store->numbers, session);
	struct candidate found = {.denial = SESSION_DENIED_UNKNOWN};
	struct session_record *record;

	if (session == 0 || slot >= store_used(shard->store))
		return found;
	record = &shard->store->records[slot];
	if (__atomic_load_n(&record->number, __ATOMIC_ACQUIRE) != session)
		return found;
	found.record = record;
	found.denial = verdict(record, session, now);
	memcpy(found.key, record->key, SESSION_KEY_LEN);
	return found;
}

/// Another worker may be counting: whole words are read, and one too few is found out at the CONFIRM.
static bool consumed(const struct session_record *record)
{
	return record->once && __atomic_load_n(&record->connections, __ATOMIC_RELAXED) > 0;
}

/// Write a DENIED over the request, with a proof where there is a key. A DENIED for a wrong version has no proof: anybody on
/// the path can read the player's nonce and ask for another version with it, and a proved answer would end the player's attempt.
static struct handshake_outcome denied(struct session_shard *shard, uint8_t *payload, const struct candidate *found,
				       const uint8_t *client_nonce, enum session_denial reason)
{
	const struct session_header *asked = (const struct session_header *)payload;
	const enum pg_message message =
		asked->kind == SESSION_HELLO ? PG_MESSAGE_SESSION_HELLO : PG_MESSAGE_SESSION_CONFIRM;
	struct session_denied answer = {
		.header = {.kind = SESSION_DENIED, .length = sizeof(answer), .session = asked->session},
		.reason = (uint8_t)reason,
	};

	memcpy(answer.client_nonce, client_nonce, SESSION_NONCE_LEN);
	if (found->record && reason != SESSION_DENIED_VERSION)
		proof_write(PROOF_OF_DENIED, found->key, (uint8_t *)&answer, sizeof(answer));
	memcpy(payload, &answer, sizeof(answer));
	counter_add(&shard->stats->denied[reason], 1);
	return answered(message, sizeof(answer));
}

// ---------------------------------------------------------------- HELLO

static struct handshake_outcome challenge(const struct session_shard *shard, const struct peer *peer, uint8_t *payload,
					  uint64_t now)
{
	const struct session_hello *hello = (const struct session_hello *)payload;
	struct session_challenge answer = {
		.header = {.kind = SESSION_CHALLENGE, .length = sizeof(answer), .session = hello->header.session},
	};

	memcpy(answer.client_nonce, hello->client_nonce, SESSION_NONCE_LEN);
	cookie_make(answer.cookie, &shard->store->cookies, peer, hello->header.session, hello->client_nonce,
		    shard_ms(shard, now));
	memcpy(payload, &answer, sizeof(answer));
	return answered(PG_MESSAGE_SESSION_HELLO, sizeof(answer));
}

static bool connection_conforms(struct session_shard *shard, const struct peer *peer, uint64_t now)
{
	const struct rate rate = shard->rules->connection[peer_listener(peer)];

	return rate.interval == 0 || source_admit(&shard->connections, source_hash(peer, &shard->secret), rate, now);
}

static enum pg_drop check_hello(struct session_shard *shard, const struct peer *peer, const uint8_t *payload,
				uint16_t length, uint64_t now)
{
	const struct session_hello *hello = (const struct session_hello *)payload;

	if (length != sizeof(*hello) || hello->reserved != 0 || !all_zero(hello->padding, sizeof(hello->padding)))
		return PG_DROP_SESSION_HEADER;
	if (session_is_foreign(&shard->store->numbers,
			       hello->header.session)) // what DENIED says would be about another's
		return PG_DROP_SESSION_FOREIGN;
	if (!connection_conforms(shard, peer, now))
		return PG_DROP_CONNECTION_RATE_LIMITED;
	return budget_left(shard, SESSION_HELLO, now) ? PG_DROP_NONE : PG_DROP_HANDSHAKE_BUDGET;
}

static struct handshake_outcome take_hello(struct session_shard *shard, const struct peer *peer, uint8_t *payload,
					   uint64_t now)
{
	const struct session_hello *hello = (const struct session_hello *)payload;
	struct candidate found = look_up(shard, hello->header.session, now);
	struct handshake_outcome outcome;
	enum session_denial reason = found.denial;

	if (hello->version != SESSION_VERSION)
		reason = SESSION_DENIED_VERSION;
	else if (reason == 0 && consumed(found.record))
		reason = SESSION_DENIED_CONSUMED;
	outcome = reason == 0 ? challenge(shard, peer, payload, now) :
				denied(shard, payload, &found, hello->client_nonce, reason);
	secrets_forget(found.key, sizeof(found.key));
	return outcome;
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

static struct handshake_outcome welcome(struct session_shard *shard, uint32_t slot, uint8_t *payload, uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];
	const uint16_t length = record->max_datagram;
	const uint32_t counter = connection_count(record);
	struct session_welcome answer = {
		.header = connection_header(record, SESSION_WELCOME, length, counter),
		.player_id = record->player_id,
		.expires_in_s = seconds_left(shard, record, now),
		.idle_timeout_ms = (uint32_t)(shard->rules->idle_timeout / (shard->tsc_hz / 1000)),
		.max_datagram = length,
	};

	memcpy(answer.server_nonce, record->server_nonce, SESSION_NONCE_LEN);
	memcpy(payload, &answer, sizeof(answer));
	memset(payload + sizeof(answer), 0, length - sizeof(answer));
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
		delivery_shorten(delivery, c->length - SESSION_DATA_MIN);
	}
	return welcome(shard, slot, c->payload, now);
}

/// Is it the one that made the connection, come again?
static bool repeated(const struct session_record *record, const struct confirmed *c)
{
	const struct session_confirm *confirm = (const struct session_confirm *)c->payload;

	return record->phase == RECORD_CONNECTED && record->cookie_time == c->cookie_time &&
	       memcmp(record->client_nonce, confirm->client_nonce, SESSION_NONCE_LEN) == 0;
}

/// Is there room for another connection's messages?
static bool full(const struct session_shard *shard, const struct session_record *record)
{
	return record->phase == RECORD_IDLE && message_pool_free_bytes(shard->ctx.pool) < SESSION_DATAGRAM_MAX;
}

/// Connect a slot that is ours.
static struct handshake_outcome connect(struct session_shard *shard, uint32_t slot, const struct confirmed *c,
					uint64_t now)
{
	const struct session_confirm *confirm = (const struct session_confirm *)c->payload;
	const struct session_record *record = &shard->store->records[slot];
	struct handshake_outcome outcome;

	if (repeated(record, c))
		return welcome_again(shard, slot, c, now);
	if (c->cookie_time <= record->cookie_time)
		return dropped(PG_DROP_COOKIE_OLD);
	if (consumed(record))
		return denied(shard, c->payload, c->found, confirm->client_nonce, SESSION_DENIED_CONSUMED);
	if (full(shard, record))
		return denied(shard, c->payload, c->found, confirm->client_nonce, SESSION_DENIED_FULL);
	connection_begin(shard, slot,
			 &(struct connection_request){.peer = c->peer,
						      .client_nonce = confirm->client_nonce,
						      .cookie_time = c->cookie_time,
						      .max_datagram = c->length},
			 now);
	outcome = welcome(shard, slot, c->payload, now);
	outcome.moved = true;
	return outcome;
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

static enum pg_drop check_confirm(const struct session_shard *shard, const struct peer *peer, const uint8_t *payload,
				  uint16_t length, uint64_t now, uint64_t *cookie_time)
{
	const struct session_confirm *confirm = (const struct session_confirm *)payload;

	if (length < SESSION_DATAGRAM_MIN || length > SESSION_DATAGRAM_MAX || confirm->max_datagram != length)
		return PG_DROP_SESSION_HEADER;
	if (session_is_foreign(&shard->store->numbers, confirm->header.session))
		return PG_DROP_SESSION_FOREIGN;
	if (!budget_left(shard, SESSION_CONFIRM, now))
		return PG_DROP_HANDSHAKE_BUDGET;
	*cookie_time = shard_ms(shard, now);
	switch (cookie_check(confirm->cookie, &shard->store->cookies, peer, confirm->header.session,
			     confirm->client_nonce, cookie_time)) {
	case COOKIE_GOOD:
		return PG_DROP_NONE;
	case COOKIE_OLD:
		return PG_DROP_COOKIE_OLD;
	case COOKIE_FORGED:
		break;
	}
	return PG_DROP_COOKIE_FORGED;
}

static struct handshake_outcome judge(struct session_shard *shard, const struct confirmed *c, uint64_t now)
{
	const struct session_confirm *confirm = (const struct session_confirm *)c->payload;
	const struct candidate *found = c->found;

	if (confirm->version != SESSION_VERSION)
		return denied(shard, c->payload, found, confirm->client_nonce, SESSION_DENIED_VERSION);
	if (!found->record)
		return denied(shard, c->payload, found, confirm->client_nonce, SESSION_DENIED_UNKNOWN);
	if (!proof_is_right(PROOF_OF_CONFIRM, found->key, c->payload, c->length))
		return dropped(PG_DROP_BAD_PROOF);
	if (!padded_with_zeros(c->payload, c->length))
		return dropped(PG_DROP_SESSION_HEADER);
	if (found->denial != 0)
		return denied(shard, c->payload, found, confirm->client_nonce, found->denial);
	return admit(shard, c, now);
}

static struct handshake_outcome take_confirm(struct session_shard *shard, const struct peer *peer, uint8_t *payload,
					     uint16_t length, uint64_t cookie_time, uint64_t now)
{
	struct candidate found = look_up(shard, ((const struct session_header *)payload)->session, now);
	const struct confirmed confirmed = {
		.peer = peer,
		.payload = payload,
		.length = length,
		.cookie_time = cookie_time,
		.found = &found,
	};
	const struct handshake_outcome outcome = judge(shard, &confirmed, now);

	secrets_forget(found.key, sizeof(found.key));
	return outcome;
}

// ---------------------------------------------------------------- what is not sealed

static bool handshake_header(const uint8_t *payload, uint16_t length)
{
	const struct session_header *header = (const struct session_header *)payload;

	return length >= sizeof(*header) && header->length == length && header->flags == 0 && header->counter == 0;
}

struct handshake_outcome handshake_receive(struct session_shard *shard, const struct peer *peer, uint8_t *payload,
					   uint16_t length, uint64_t now)
{
	const uint64_t began = pg_tsc();
	struct handshake_outcome outcome;
	uint64_t cookie_time = 0;
	enum pg_drop drop;

	if (!handshake_header(payload, length))
		return dropped(PG_DROP_SESSION_HEADER);
	switch (payload[offsetof(struct session_header, kind)]) {
	case SESSION_HELLO:
		drop = check_hello(shard, peer, payload, length, now);
		outcome = drop ? dropped(drop) : take_hello(shard, peer, payload, now);
		break;
	case SESSION_CONFIRM:
		drop = check_confirm(shard, peer, payload, length, now, &cookie_time);
		outcome = drop ? dropped(drop) : take_confirm(shard, peer, payload, length, cookie_time, now);
		break;
	default:
		return dropped(PG_DROP_SESSION_STATE);
	}
	if (outcome.drop != PG_DROP_CONNECTION_RATE_LIMITED && outcome.drop != PG_DROP_HANDSHAKE_BUDGET)
		charge(shard, pg_tsc() - began, now);
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
	if (body.reason == 0 || body.reason >= PG_CLOSE_REASONS || !all_zero(body.reserved, sizeof(body.reserved)))
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

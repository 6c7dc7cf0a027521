// SPDX-License-Identifier: BSD-3-Clause
// netcode/handshake.c: requests and responses, in the order of the standard's "Server-Side Connection Process".
//
// A request leaves nothing behind unless its connect token is good, and then one attempt and one use of that token, whatever
// address it comes from. No answer is longer than what it answers.

#include <string.h>

#include <sodium.h>

#include "limit/handshake_budget.h"
#include "netcode/receive.h"
#include "netcode/token.h"

/// An attempt whose token never times out is given up with these: the address would be remembered for ever.
#define ATTEMPT_S_MAX 60

static struct netcode_outcome dropped(enum pg_drop drop)
{
	return (struct netcode_outcome){.drop = drop};
}

/// Write a packet that is no client's over the request.
static struct netcode_outcome answered(struct netcode_shard *shard, enum pg_message message, uint8_t *payload,
				       enum netcode_kind kind, const void *body, uint16_t length,
				       const uint8_t to_client[NETCODE_KEY_LEN])
{
	return (struct netcode_outcome){
		.message = message,
		.answer = netcode_seal(payload, kind, netcode_handshake_sequence(shard), body, length,
				       shard->store->plan->protocol_id, to_client),
	};
}

static struct netcode_outcome denied(struct netcode_shard *shard, enum pg_message message, uint8_t *payload,
				     const uint8_t to_client[NETCODE_KEY_LEN])
{
	counter_add(&shard->stats->netcode_denied, 1);
	return answered(shard, message, payload, NETCODE_DENIED, NULL, 0, to_client);
}

// ---------------------------------------------------------------- limits

static bool has_time(const struct netcode_shard *shard, bool costly, uint64_t now)
{
	return handshake_conforms(&shard->rules->handshake, shard->handshakes, handshake_rank(costly, true), now);
}

static void charge(struct netcode_shard *shard, uint64_t began, uint64_t now)
{
	handshake_charge(&shard->rules->handshake, shard->handshakes, pg_tsc() - began, shard->tsc_hz, now);
}

static bool connection_conforms(struct netcode_shard *shard, const struct peer *peer, uint64_t now)
{
	const struct rate rate = shard->rules->connection[peer_listener(peer)];

	return rate.interval == 0 || source_admit(&shard->connections, source_hash(peer, &shard->secret), rate, now);
}

// ---------------------------------------------------------------- requests

/// All that is asked before a key is used.
static enum pg_drop check_request(struct netcode_shard *shard, const struct peer *peer,
				  const struct netcode_request *request, uint64_t now)
{
	const struct netcode_store *store = shard->store;

	if (memcmp(request->version, NETCODE_VERSION_TEXT, NETCODE_VERSION_LEN) != 0)
		return PG_DROP_NETCODE_HEADER;
	if (request->protocol_id != store->plan->protocol_id)
		return PG_DROP_NETCODE_PROTOCOL;
	if (request->expires_s <= store->unix_s())
		return PG_DROP_NETCODE_EXPIRED;
	if (!connection_conforms(shard, peer, now))
		return PG_DROP_CONNECTION_RATE_LIMITED;
	return has_time(shard, false, now) ? PG_DROP_NONE : PG_DROP_HANDSHAKE_BUDGET;
}

/// Is the client not connected, and the token nobody else's? With the lock held.
static enum pg_drop check_use(struct netcode_shard *shard, const struct peer *peer,
			      const struct netcode_request *request, uint64_t client_id)
{
	struct netcode_clients *clients = &shard->store->clients;
	const uint8_t *tag = request->sealed + NETCODE_PRIVATE_LEN - NETCODE_TAG_LEN;

	if (netcode_client(clients, client_id) != NETCODE_NONE)
		return PG_DROP_NETCODE_CONNECTED;
	if (!netcode_use(clients, tag, request->expires_s, peer, shard->store->unix_s()))
		return PG_DROP_NETCODE_TOKEN_USED;
	return PG_DROP_NONE;
}

static uint64_t attempt_over(const struct netcode_shard *shard, int32_t timeout_s, uint64_t now)
{
	const uint64_t s = timeout_s < 0 || timeout_s > ATTEMPT_S_MAX ? ATTEMPT_S_MAX : (uint64_t)timeout_s;

	return now + s * shard->tsc_hz;
}

static void note_attempt(struct netcode_shard *shard, const struct peer *peer, const struct netcode_private *token,
			 const uint8_t tag[NETCODE_TAG_LEN], uint64_t now)
{
	struct attempt *attempt = attempt_place(attempts_of(shard->attempts, peer, &shard->secret), peer, tag, now);

	attempt->over = attempt_over(shard, token->timeout_s, now);
	attempt->client_id = token->client_id;
	attempt->peer = *peer;
	attempt->timeout_s = token->timeout_s;
	memcpy(attempt->token, tag, NETCODE_TAG_LEN);
	memcpy(attempt->to_server, token->to_server, NETCODE_KEY_LEN);
	memcpy(attempt->to_client, token->to_client, NETCODE_KEY_LEN);
}

static struct netcode_outcome challenge(struct netcode_shard *shard, const struct netcode_private *token,
					uint8_t *payload)
{
	struct netcode_challenge_token plain = {.client_id = token->client_id};
	struct netcode_challenge body;

	memcpy(plain.user_data, token->user_data, NETCODE_USER_DATA_LEN);
	netcode_challenge_seal(&body, &plain, shard->challenges++, shard->store->challenge_key);
	sodium_memzero(&plain, sizeof(plain));
	return answered(shard, PG_MESSAGE_NETCODE_REQUEST, payload, NETCODE_CHALLENGE, &body, sizeof(body),
			token->to_client);
}

/// Its token was opened.
static struct netcode_outcome take_token(struct netcode_shard *shard, const struct peer *peer, uint8_t *payload,
					 const struct netcode_private *token, uint64_t now)
{
	const struct netcode_request *request = (const struct netcode_request *)payload;
	struct netcode_clients *clients = &shard->store->clients;
	enum pg_drop drop;
	bool full;

	if (!netcode_private_names(token, shard->store->plan->server, shard->store->plan->server_count))
		return dropped(PG_DROP_NETCODE_ADDRESS);
	if (!netcode_lock(clients))
		return dropped(PG_DROP_HANDSHAKE_BUDGET);
	drop = check_use(shard, peer, request, token->client_id);
	full = netcode_is_full(clients);
	netcode_unlock(clients);
	if (drop != PG_DROP_NONE)
		return dropped(drop);
	if (full)
		return denied(shard, PG_MESSAGE_NETCODE_REQUEST, payload, token->to_client);
	note_attempt(shard, peer, token, request->sealed + NETCODE_PRIVATE_LEN - NETCODE_TAG_LEN, now);
	return challenge(shard, token, payload);
}

static struct netcode_outcome take_request(struct netcode_shard *shard, const struct peer *peer, uint8_t *payload,
					   uint64_t now)
{
	const struct netcode_request *request = (const struct netcode_request *)payload;
	const enum pg_drop drop = check_request(shard, peer, request, now);
	const uint64_t began = pg_tsc();
	struct netcode_outcome outcome = {.drop = PG_DROP_NETCODE_TOKEN};
	struct netcode_private token;

	if (drop != PG_DROP_NONE)
		return dropped(drop);
	if (netcode_private_open(&token, request, shard->store->plan->private_key)) {
		outcome = take_token(shard, peer, payload, &token, now);
		netcode_private_forget(&token);
	}
	charge(shard, began, now);
	return outcome;
}

// ---------------------------------------------------------------- responses

/// With the lock held.
/// @param slot  out: of the new client; NETCODE_NONE: there is no room
static enum pg_drop admit(struct netcode_shard *shard, const struct attempt *attempt,
			  const struct netcode_challenge_token *token, uint32_t *slot, uint64_t now)
{
	if (netcode_client(&shard->store->clients, token->client_id) != NETCODE_NONE)
		return PG_DROP_NETCODE_CONNECTED;
	*slot = netcode_admit(shard, attempt, token, now);
	return PG_DROP_NONE;
}

static struct netcode_outcome welcome(struct netcode_shard *shard, uint32_t slot, uint8_t *payload, uint64_t now)
{
	const uint8_t listener = peer_listener(&shard->store->clients.records[slot].peer);

	counter_add(&shard->stats->connections, 1);
	counter_add(&shard->stats->listener[listener].sessions, 1);
	if (shard->game)
		shard->watcher->joined(shard->game, slot);
	return (struct netcode_outcome){
		.message = PG_MESSAGE_NETCODE_RESPONSE,
		.answer = netcode_write_keep_alive(shard, slot, payload, now),
		.learn = true,
		.slot = slot,
	};
}

/// Its packet was authentic, its challenge ours.
static struct netcode_outcome take_answer(struct netcode_shard *shard, struct attempt *attempt, uint8_t *payload,
					  const struct netcode_challenge_token *token, uint64_t now)
{
	struct netcode_clients *clients = &shard->store->clients;
	uint32_t slot = NETCODE_NONE;
	enum pg_drop drop;

	if (!netcode_lock(clients))
		return dropped(PG_DROP_HANDSHAKE_BUDGET);
	drop = admit(shard, attempt, token, &slot, now);
	netcode_unlock(clients);
	if (drop != PG_DROP_NONE)
		return dropped(drop);
	if (slot == NETCODE_NONE)
		return denied(shard, PG_MESSAGE_NETCODE_RESPONSE, payload, attempt->to_client);
	sodium_memzero(attempt, sizeof(*attempt));
	return welcome(shard, slot, payload, now);
}

/// The attempt with whose key a packet was sealed.
/// @param body  out: what was sealed
static struct attempt *attempt_of(struct netcode_shard *shard, const struct peer *peer, const uint8_t *payload,
				  const struct netcode_header *header, uint8_t *body, bool *any, uint64_t now)
{
	struct attempt *set = attempts_of(shard->attempts, peer, &shard->secret);

	*any = false;
	for (unsigned way = 0; way < ATTEMPT_WAYS; way++) {
		if (!attempt_is(&set[way], peer, now))
			continue;
		*any = true;
		if (netcode_open(body, payload, header, shard->store->plan->protocol_id, set[way].to_server))
			return &set[way];
	}
	return NULL;
}

/// Nothing but an attempt of this address can have sent it.
static struct netcode_outcome open_response(struct netcode_shard *shard, const struct peer *peer, uint8_t *payload,
					    const struct netcode_header *header, uint64_t now)
{
	struct netcode_challenge body;
	struct netcode_challenge_token token;
	struct netcode_outcome outcome;
	bool any;
	struct attempt *attempt = attempt_of(shard, peer, payload, header, (uint8_t *)&body, &any, now);

	if (!attempt)
		return dropped(any ? PG_DROP_BAD_TAG : PG_DROP_SESSION_UNKNOWN);
	if (!netcode_challenge_open(&token, &body, shard->store->challenge_key) ||
	    token.client_id != attempt->client_id) // somebody's, but not for this token
		return dropped(PG_DROP_COOKIE_FORGED);
	outcome = take_answer(shard, attempt, payload, &token, now);
	sodium_memzero(&token, sizeof(token));
	return outcome;
}

static struct netcode_outcome take_response(struct netcode_shard *shard, const struct peer *peer, uint8_t *payload,
					    const struct netcode_header *header, uint64_t now)
{
	const uint64_t began = pg_tsc();
	struct netcode_outcome outcome;

	if (header->length != sizeof(struct netcode_challenge))
		return dropped(PG_DROP_MESSAGE_SIZE);
	if (!has_time(shard, true, now))
		return dropped(PG_DROP_HANDSHAKE_BUDGET);
	outcome = open_response(shard, peer, payload, header, now);
	charge(shard, began, now);
	return outcome;
}

/// What else a stranger sends is of a client who is gone, or never was.
struct netcode_outcome netcode_take_stranger(struct netcode_shard *shard, const struct peer *peer, uint8_t *payload,
					     uint16_t length, uint64_t now)
{
	struct netcode_header header;
	enum pg_drop drop;

	if (length == sizeof(struct netcode_request) && payload[0] == NETCODE_REQUEST)
		return take_request(shard, peer, payload, now);
	drop = netcode_header_read(&header, payload, length);
	if (drop != PG_DROP_NONE)
		return dropped(drop);
	if (header.kind != NETCODE_RESPONSE)
		return dropped(PG_DROP_SESSION_UNKNOWN);
	return take_response(shard, peer, payload, &header, now);
}

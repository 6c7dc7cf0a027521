// SPDX-License-Identifier: BSD-3-Clause
// session/path.c: see path.h.

#include "session/path.h"

#include <string.h>

#include "session/renames.h"

#define PATH_LEN (SESSION_AROUND + SESSION_PATH_TOKEN_LEN)
static_assert(PATH_LEN <= SESSION_DATA_MIN, "no datagram that brings a challenge is shorter");
static_assert(PATH_LEN <= OUTBOX_PAYLOAD, "a challenge fits the outbox");

#define PATH_TOKEN_EVERY_MS 1000
#define PATH_CHALLENGE_AGAIN_MS 250 // what was lost on the way must not cost the player a second
#define PATH_TOKEN_LIFE_MS 4000
#define PATH_SILENCE_MS 500
#define PATH_SUSPECTED_MS 60000

static struct handshake_outcome dropped(enum pg_drop drop)
{
	return (struct handshake_outcome){.drop = drop};
}

/// What is remembered of this connection.
static struct path_state *state_of(struct session_shard *shard, uint32_t slot)
{
	struct path_state *state = &shard->store->paths[slot];
	const uint32_t connection = shard->store->records[slot].connections;

	if (state->connection != connection)
		*state = (struct path_state){.connection = connection};
	return state;
}

static uint16_t path_hash(const struct session_shard *shard, const struct peer *peer)
{
	return peer_mark(peer, &shard->secret);
}

// ---------------------------------------------------------------- asking

/// @param payload  PATH_LEN writable bytes
static void seal_challenge(struct session_shard *shard, uint32_t slot, const struct peer *to, uint8_t *payload,
			   uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];
	const uint32_t counter = connection_count(record);
	const struct visible_as as = renames_as(shard->store, slot, peer_equal(&record->peer, to), now);
	const struct session_header header = connection_header(record, SESSION_PATH_CHALLENGE, PATH_LEN, counter, as);

	memcpy(payload, &header, sizeof(header));
	path_token(payload + sizeof(header), &shard->store->secret, to, record->number, record->connections,
		   record->challenged_ms);
	cipher_seal(&shard->code, store_keys(shard->store, slot).seal, counter, payload, sizeof(header), PATH_LEN);
}

/// When the outbox is full, it is not asked: who is suspected then moves later.
static void ask_proved(struct session_shard *shard, uint32_t slot, uint64_t now)
{
	const uint32_t now_ms = (uint32_t)shard_ms(shard, now);
	struct path_state *state = state_of(shard, slot);
	struct outbox_entry *entry = outbox_add(&shard->outbox);

	if (!entry)
		return;
	entry->peer = shard->store->records[slot].peer;
	entry->slot = slot;
	entry->length = PATH_LEN;
	seal_challenge(shard, slot, &entry->peer, entry->payload, now);
	if (!state->asked || now_ms - state->asked_last_ms > PATH_TOKEN_LIFE_MS)
		state->asked_ms = now_ms;
	state->asked = true;
	state->asked_last_ms = now_ms;
}

/// Whoever was not the last to be is challenged at once: a player whose address changes again must not wait.
/// @param new_token  out: none that was sent before counts from now on
static bool to_be_challenged(struct session_record *record, struct path_state *state, uint16_t whom, uint32_t now_ms,
			     bool *new_token)
{
	*new_token = now_ms - record->challenged_ms >= PATH_TOKEN_EVERY_MS;
	if (*new_token)
		record->challenged_ms = now_ms;
	else if (whom == record->challenged && now_ms - state->challenged_last_ms < PATH_CHALLENGE_AGAIN_MS)
		return false;
	record->challenged = whom;
	state->challenged_last_ms = now_ms;
	return true;
}

uint16_t path_challenge(struct session_shard *shard, uint32_t slot, const struct peer *from, uint8_t *payload,
			uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];
	struct path_state *state = state_of(shard, slot);
	const uint32_t now_ms = (uint32_t)shard_ms(shard, now);
	bool new_token;

	if (!to_be_challenged(record, state, path_hash(shard, from), now_ms, &new_token))
		return 0;
	if (new_token || now_ms - state->asked_last_ms >= PATH_CHALLENGE_AGAIN_MS)
		ask_proved(shard, slot, now);
	seal_challenge(shard, slot, from, payload, now);
	return PATH_LEN;
}

// ---------------------------------------------------------------- answers

/// Only challenges of the latest second count, and not for ever. The token names the address that it was sent to: to challenge
/// another address meanwhile does not invalidate it.
static bool right_token(const struct session_shard *shard, const struct session_record *record, const struct peer *peer,
			const uint8_t *token, uint32_t now_ms)
{
	uint8_t right[SESSION_PATH_TOKEN_LEN];

	if (now_ms - record->challenged_ms > PATH_TOKEN_LIFE_MS)
		return false;
	path_token(right, &shard->store->secret, peer, record->number, record->connections, record->challenged_ms);
	return secrets_equal(right, token, sizeof(right));
}

static void suspect(struct path_state *state, uint32_t now_ms)
{
	state->suspected = true;
	state->suspected_ms = now_ms;
}

static bool is_suspected(struct path_state *state, uint32_t now_ms)
{
	state->suspected &= now_ms - state->suspected_ms < PATH_SUSPECTED_MS;
	return state->suspected;
}

/// Is it where the connection has moved from, and an answer to the challenge of then? Both have answered. Who is asked later
/// has come back.
static bool is_back(const struct path_state *state, const struct session_record *record, const struct peer *peer)
{
	return state->moved && state->moved_in == record->challenged_ms && peer_equal(&state->before, peer);
}

/// Another address has answered: is the player there?
static bool may_move(struct path_state *state, uint32_t now_ms)
{
	if (state->answered && now_ms - state->answered_ms <= PATH_TOKEN_LIFE_MS)
		suspect(state, now_ms);
	if (is_suspected(state, now_ms))
		return state->asked && now_ms - state->asked_ms >= PATH_SILENCE_MS;
	return true;
}

static void move(struct session_shard *shard, uint32_t slot, struct path_state *state, const struct peer *peer,
		 uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];
	const uint32_t now_ms = (uint32_t)shard_ms(shard, now);
	const bool back = is_back(state, record, peer);

	if (back)
		suspect(state, now_ms);
	state->before = record->peer;
	state->moved = !back;
	state->moved_in = record->challenged_ms;
	state->asked = state->answered = false;
	connection_move(shard, slot, peer, now);
	record->challenged = path_hash(shard, peer); // a player who is elsewhere already is asked there at once
}

bool path_response_counts(const struct session_shard *shard, uint32_t slot, const struct peer *peer,
			  const uint8_t *payload, uint16_t length, uint64_t now)
{
	return length == PATH_LEN &&
	       right_token(shard, &shard->store->records[slot], peer, payload + sizeof(struct session_header),
			   (uint32_t)shard_ms(shard, now));
}

struct handshake_outcome path_answered(struct session_shard *shard, uint32_t slot, const struct peer *peer,
				       const uint8_t *payload, uint16_t length, uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];
	const uint32_t now_ms = (uint32_t)shard_ms(shard, now);
	struct handshake_outcome outcome = {.message = PG_MESSAGE_SESSION_PATH_RESPONSE};
	struct path_state *state;

	if (length != PATH_LEN)
		return dropped(PG_DROP_SESSION_HEADER);
	if (!path_response_counts(shard, slot, peer, payload, length, now))
		return dropped(PG_DROP_BAD_PATH_RESPONSE);
	state = state_of(shard, slot);
	if (peer_equal(&record->peer, peer)) {
		if (!state->asked) // a second answer of who has just moved says nothing of any other address
			return outcome;
		state->asked = false;
		state->answered = true;
		state->answered_ms = now_ms;
	} else if (is_back(state, record, peer) || may_move(state, now_ms)) {
		move(shard, slot, state, peer, now);
		outcome.moved = true;
	}
	return outcome;
}

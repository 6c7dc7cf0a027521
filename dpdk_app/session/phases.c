// SPDX-License-Identifier: BSD-3-Clause
// session/phases.c: see phases.h.

#include "session/phases.h"

#include <string.h>

#include "session/shard.h"

static uint8_t phase_of(uint8_t flags)
{
	return flags & SESSION_FLAG_PHASE;
}

static uint16_t ticks_of(const struct session_shard *shard, uint64_t now)
{
	return (uint16_t)(now / (shard->tsc_hz * PHASE_TICK_S));
}

static void prepare(struct session_shard *shard, struct cipher_key *key, const uint8_t secret[TRAFFIC_KEY_LEN],
		    const uint8_t salt[TRAFFIC_SALT_LEN])
{
	key_store_set(&shard->store->keys, &shard->code, key, secret, salt);
}

/// The keys of the phase after the record's, and perhaps its secret.
static void derive_next(const struct session_record *record, struct traffic_keys *keys, uint8_t secret[HASH_LEN])
{
	next_secret(secret, record->secret);
	traffic_keys_derive(keys, secret);
}

// ---------------------------------------------------------------- what is kept

static struct phase_keys *place_of(struct session_shard *shard, uint32_t slot)
{
	return &shard->phases.of[slot % PHASES_KEPT];
}

/// @return NULL: nothing is kept of this slot
static struct phase_keys *find(struct session_shard *shard, uint32_t slot)
{
	struct phase_keys *place = place_of(shard, slot);

	return place->slot_after == slot + 1 ? place : NULL;
}

static void forget(struct phase_keys *place)
{
	secrets_forget(place, sizeof(*place));
}

/// Its place, in which another slot's keys may have been.
static struct phase_keys *take_place(struct session_shard *shard, uint32_t slot)
{
	struct phase_keys *place = place_of(shard, slot);

	if (place->slot_after != slot + 1)
		forget(place);
	place->slot_after = slot + 1;
	return place;
}

void phases_forget(struct session_shard *shard, uint32_t slot)
{
	struct phase_keys *place = find(shard, slot);

	if (place)
		forget(place);
}

static void forget_before(struct phase_keys *place)
{
	place->has_before = false;
	secrets_forget(&place->before, sizeof(place->before));
}

/// All places are looked at, once a second at most.
static COLD void expire_all(struct session_shard *shard, uint64_t now)
{
	struct kept_phases *kept = &shard->phases;

	kept->expire_at = 0;
	for (uint32_t i = 0; i < PHASES_KEPT; i++) {
		struct phase_keys *place = &kept->of[i];

		if (place->has_before && now >= place->before_until)
			forget_before(place);
		if (place->has_before)
			kept->expire_at = now + shard->tsc_hz;
	}
}

void phases_expire(struct session_shard *shard, uint64_t now)
{
	if (unlikely(shard->phases.expire_at != 0) && now >= shard->phases.expire_at)
		expire_all(shard, now);
}

// ---------------------------------------------------------------- present keys

void phases_make_keys(struct session_shard *shard, uint32_t slot)
{
	const struct session_record *record = &shard->store->records[slot];
	const struct session_keys keys = store_keys(shard->store, slot);
	uint8_t secret[HASH_LEN];
	struct traffic_keys derived;

	traffic_keys_derive(&derived, record->secret);
	prepare(shard, keys.open, derived.to_gateway, derived.to_gateway_salt);
	if (phase_of(record->open_flags) != record->seal_flags) // what is sent was a phase ahead when a worker died
		derive_next(record, &derived, secret);
	prepare(shard, keys.seal, derived.to_client, derived.to_client_salt);
	secrets_forget(&derived, sizeof(derived));
	secrets_forget(secret, sizeof(secret));
}

void phases_begin(struct session_shard *shard, uint32_t slot, uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];

	phases_forget(shard, slot);
	record->open_flags = record->seal_flags = 0;
	record->phase_began = 0;
	record->phase_began_at = ticks_of(shard, now);
}

// ---------------------------------------------------------------- what is sent goes to the next phase

/// Less than a rule says by up to an eighth, by slot.
static uint32_t sooner(uint32_t rule, uint32_t slot)
{
	const uint32_t spread = (slot * 0x9e3779b1U) >> 16;

	return rule - (uint32_t)((uint64_t)rule * spread >> 19);
}

void phases_look(const struct session_shard *shard, uint32_t slot, uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];
	const struct phase_rules *rules = &shard->rules->phases;

	if (record->open_flags != record->seal_flags) // the peer has not followed yet, or it is due already
		return;
	if (record->tx_counter - record->phase_began >= sooner(rules->datagrams, slot) ||
	    (uint16_t)(ticks_of(shard, now) - record->phase_began_at) * PHASE_TICK_S >= sooner(rules->seconds, slot))
		record->open_flags |= PHASE_DUE;
}

/// The record says so before the key is there: a crash between the two leaves what can be made again.
static void send_in(struct session_shard *shard, uint32_t slot, const struct traffic_keys *keys, uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];

	record->seal_flags ^= SESSION_FLAG_PHASE;
	record->phase_began = record->tx_counter;
	record->phase_began_at = ticks_of(shard, now);
	prepare(shard, store_keys(shard->store, slot).seal, keys->to_client, keys->to_client_salt);
	counter_add(&shard->stats->key_updates, 1);
}

/// An update is due. Did something of the present phase arrive?
static void heed(struct session_shard *shard, uint32_t slot, const uint8_t *payload, uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];
	struct session_prefix prefix;
	struct traffic_keys keys;
	uint8_t secret[HASH_LEN];

	if (payload[offsetof(struct session_header, kind)] != SESSION_DATA)
		return;
	memcpy(&prefix, payload + sizeof(struct session_header), sizeof(prefix));
	if (prefix.ack <= record->phase_began || prefix.ack > record->tx_counter)
		return;
	record->open_flags &= SESSION_FLAG_PHASE;
	derive_next(record, &keys, secret);
	send_in(shard, slot, &keys, now);
	secrets_forget(&keys, sizeof(keys));
	secrets_forget(secret, sizeof(secret));
}

// ---------------------------------------------------------------- the peer goes there

static struct phase_key key_of(const struct cipher_key *prepared)
{
	struct phase_key key;

	memcpy(key.key, prepared->round_keys, sizeof(key.key)); // the first round key of AES is the key
	memcpy(key.salt, prepared->salt, sizeof(key.salt));
	return key;
}

/// What is sent is a phase ahead: a datagram of the next is expected.
static bool is_to_follow(const struct session_record *record)
{
	return phase_of(record->open_flags) != record->seal_flags;
}

/// Keys to open the next phase with. They are kept, so that whoever asks for them again and again makes no work.
/// @return NULL: too many were asked for
static const struct phase_key *next_key(struct session_shard *shard, uint32_t slot, uint64_t now)
{
	const struct rate rate = rate_make(PHASES_MADE_PER_S, PHASES_MADE_AT_ONCE, shard->tsc_hz);
	const struct session_record *record = &shard->store->records[slot];
	struct phase_keys *place = find(shard, slot);
	struct traffic_keys keys;
	uint8_t secret[HASH_LEN];

	if (place && place->has_next)
		return &place->next;
	if (!rate_admit(&shard->phases.made_conforms_at[is_to_follow(record)], rate, now))
		return NULL;
	place = take_place(shard, slot);
	derive_next(record, &keys, secret);
	memcpy(place->next.key, keys.to_gateway, sizeof(place->next.key));
	memcpy(place->next.salt, keys.to_gateway_salt, sizeof(place->next.salt));
	place->has_next = true;
	secrets_forget(&keys, sizeof(keys));
	secrets_forget(secret, sizeof(secret));
	return &place->next;
}

/// A datagram of the next phase is authentic.
static void go_to_next(struct session_shard *shard, uint32_t slot, uint64_t now)
{
	struct session_record *record = &shard->store->records[slot];
	const struct session_keys present = store_keys(shard->store, slot);
	struct phase_keys *place = take_place(shard, slot);
	const uint8_t connected = record->phase;
	struct traffic_keys keys;
	uint8_t secret[HASH_LEN];

	place->before = key_of(present.open);
	place->before_until = now + PHASE_BEFORE_S * shard->tsc_hz;
	place->has_before = true;
	place->has_next = false;
	if (shard->phases.expire_at == 0)
		shard->phases.expire_at = place->before_until;
	derive_next(record, &keys, secret);
	record_set_phase(record, RECORD_IDLE); // half a secret is never used
	record_in_order();
	memcpy(record->secret, secret, sizeof(record->secret));
	record->open_flags = phase_of(record->open_flags) ^ SESSION_FLAG_PHASE;
	if (record->seal_flags != record->open_flags)
		send_in(shard, slot, &keys, now);
	record_in_order();
	record_set_phase(record, connected);
	prepare(shard, present.open, keys.to_gateway, keys.to_gateway_salt);
	secrets_forget(&keys, sizeof(keys));
	secrets_forget(secret, sizeof(secret));
}

// ---------------------------------------------------------------- opening

static bool open_with(const struct session_shard *shard, const struct phase_key *key, uint32_t counter,
		      uint8_t *payload, uint16_t length)
{
	struct cipher_key prepared;
	bool authentic;

	cipher_key_init(&shard->code, &prepared, key->key, key->salt);
	authentic = cipher_open(&shard->code, &prepared, counter, payload, sizeof(struct session_header), length);
	secrets_forget(&prepared, sizeof(prepared));
	return authentic;
}

static bool open_next(struct session_shard *shard, uint32_t slot, uint32_t counter, uint8_t *payload, uint16_t length,
		      uint64_t now)
{
	const struct phase_key *key = next_key(shard, slot, now);

	if (!key || !open_with(shard, key, counter, payload, length))
		return false;
	go_to_next(shard, slot, now);
	return true;
}

static bool open_before(struct session_shard *shard, uint32_t slot, uint32_t counter, uint8_t *payload, uint16_t length,
			uint64_t now)
{
	const struct phase_keys *place = find(shard, slot);

	return place && place->has_before && now < place->before_until &&
	       open_with(shard, &place->before, counter, payload, length);
}

static bool open_present(struct session_shard *shard, uint32_t slot, uint32_t counter, uint8_t *payload,
			 uint16_t length, uint64_t now)
{
	if (!cipher_open(&shard->code, store_keys(shard->store, slot).open, counter, payload,
			 sizeof(struct session_header), length))
		return false;
	heed(shard, slot, payload, now);
	return true;
}

bool phases_open(struct session_shard *shard, uint32_t slot, uint32_t counter, uint8_t *payload, uint16_t length,
		 uint64_t now)
{
	const struct session_record *record = &shard->store->records[slot];
	const struct session_header *header = (const struct session_header *)payload;

	if (header->flags == phase_of(record->open_flags))
		return open_present(shard, slot, counter, payload, length, now);
	if (counter > record->replay.newest)
		return open_next(shard, slot, counter, payload, length, now);
	return open_before(shard, slot, counter, payload, length, now);
}

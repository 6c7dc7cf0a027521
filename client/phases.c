// SPDX-License-Identifier: BSD-3-Clause
// phases.c: the key phases of one connection: which keys open a datagram, and when what is sent goes to the next ones.
//
// Keys of the next phase are made as soon as somebody seems to need them, and kept: what is forged costs no more than any
// other forgery.

#include "client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#define BEFORE_NS (3 * NS_PER_S)
#define DATAGRAMS_OF_A_PHASE (SESSION_PHASE_DATAGRAMS / 2)
#define SECONDS_OF_A_PHASE (SESSION_PHASE_S - 60)

static bool set_open(struct aead *aead, const struct traffic_keys *keys)
{
	return aead_set_key(aead, keys->to_client, keys->to_client_salt, false);
}

static bool set_seal(struct aead *aead, const struct traffic_keys *keys)
{
	return aead_set_key(aead, keys->to_gateway, keys->to_gateway_salt, true);
}

/// Those after the phase in which datagrams come.
static void next_keys(const struct phases *phases, struct traffic_keys *keys)
{
	uint8_t secret[HASH_LEN];

	next_secret(secret, phases->secret);
	traffic_keys_derive(keys, secret);
	secrets_forget(secret, sizeof(secret));
}

/// As the dissector reads it: session and keys, of a phase that begins.
static void log_keys(const struct phases *phases, const struct traffic_keys *keys)
{
	const struct pgc_options *options = phases->options;
	char hex[2 * sizeof(*keys) + 1], line[sizeof("4294967295 ") + sizeof(hex)];

	if (!options->key_log)
		return;
	sodium_bin2hex(hex, sizeof(hex), (const uint8_t *)keys, sizeof(*keys));
	(void)snprintf(line, sizeof(line), "%" PRIu32 " %s", options->session, hex);
	options->key_log(options->key_log_context, line);
	secrets_forget(hex, sizeof(hex));
	secrets_forget(line, sizeof(line));
}

bool phases_make(struct phases *phases, const struct pgc_options *options)
{
	phases->options = options;
	phases->open = aead_new();
	phases->seal = aead_new();
	phases->next = aead_new();
	phases->before = aead_new();
	return phases->open && phases->seal && phases->next && phases->before;
}

void phases_free(struct phases *phases)
{
	aead_free(phases->open);
	aead_free(phases->seal);
	aead_free(phases->next);
	aead_free(phases->before);
}

bool phases_set(struct phases *phases, const uint8_t secret[HASH_LEN])
{
	struct traffic_keys keys;
	bool set;

	memcpy(phases->secret, secret, HASH_LEN);
	traffic_keys_derive(&keys, secret);
	set = set_open(phases->open, &keys) && set_seal(phases->seal, &keys);
	secrets_forget(&keys, sizeof(keys));
	return set;
}

void phases_begin(struct phases *phases, uint64_t now)
{
	struct traffic_keys keys;

	phases->opens = phases->seals = 0;
	phases->has_next = phases->acknowledged = false;
	phases->before_until = 0;
	phases->began = 0;
	phases->began_at = now;
	traffic_keys_derive(&keys, phases->secret);
	log_keys(phases, &keys);
	secrets_forget(&keys, sizeof(keys));
}

// ---------------------------------------------------------------- out

static bool seal_in_next(struct phases *phases, uint32_t tx_counter, uint64_t now)
{
	struct traffic_keys keys;
	bool set;

	next_keys(phases, &keys);
	set = set_seal(phases->seal, &keys);
	log_keys(phases, &keys);
	secrets_forget(&keys, sizeof(keys));
	phases->seals ^= SESSION_FLAG_PHASE;
	phases->acknowledged = false;
	phases->began = tx_counter;
	phases->began_at = now;
	return set;
}

void phases_acknowledged(struct phases *phases, uint32_t tx_counter, uint32_t ack)
{
	phases->acknowledged |= ack > phases->began && ack <= tx_counter;
}

bool phases_seal(struct phases *phases, uint32_t tx_counter, uint64_t now)
{
	if (!phases->acknowledged || phases->seals != phases->opens)
		return true;
	if (tx_counter - phases->began < DATAGRAMS_OF_A_PHASE && now - phases->began_at < SECONDS_OF_A_PHASE * NS_PER_S)
		return true;
	return seal_in_next(phases, tx_counter, now);
}

bool phases_exhausted(const struct phases *phases, uint32_t tx_counter)
{
	return tx_counter - phases->began >= SESSION_PHASE_MOST;
}

// ---------------------------------------------------------------- in

/// The gateway has gone to the next phase.
static bool go_to_next(struct phases *phases, uint32_t tx_counter, uint64_t now)
{
	struct aead *const unused = phases->before;

	if (phases->seals == phases->opens && !seal_in_next(phases, tx_counter, now))
		return false;
	next_secret(phases->secret, phases->secret);
	phases->before = phases->open;
	phases->open = phases->next;
	phases->next = unused;
	phases->has_next = false;
	phases->before_until = now + BEFORE_NS;
	phases->opens ^= SESSION_FLAG_PHASE;
	return true;
}

static bool has_next(struct phases *phases)
{
	struct traffic_keys keys;

	if (!phases->has_next) {
		next_keys(phases, &keys);
		phases->has_next = set_open(phases->next, &keys);
		secrets_forget(&keys, sizeof(keys));
	}
	return phases->has_next;
}

bool phases_open(struct link *link, const uint8_t *datagram, uint16_t length, uint32_t counter, uint8_t *out,
		 uint64_t now)
{
	const struct session_header *header = (const struct session_header *)datagram;
	const size_t clear = header->kind == SESSION_WELCOME ? SESSION_WELCOME_CLEAR : sizeof(*header);
	struct phases *phases = &link->phases;

	if (header->flags == phases->opens)
		return aead_open(phases->open, counter, datagram, clear, length, out);
	if (counter > link->replay.newest)
		return has_next(phases) && aead_open(phases->next, counter, datagram, clear, length, out) &&
		       go_to_next(phases, link->tx_counter, now);
	return now < phases->before_until && aead_open(phases->before, counter, datagram, clear, length, out);
}

// SPDX-License-Identifier: BSD-3-Clause
// handshake.c: HELLO, CHALLENGE, CONFIRM, WELCOME and DENIED, as a client says and hears them.

#include "client.h"

#include <string.h>

#include <sodium.h>

#define REPEAT_AFTER_NS (250 * NS_PER_MS)
#define REPEAT_AFTER_MAX_NS (2000 * NS_PER_MS)
#define CONFIRMS_PER_SIZE 2          // when so many bring nothing, shorter ones are tried
#define COOKIE_NS (4000 * NS_PER_MS) // in which two sizes below the longest are tried

/// Ethernet, IPv6's minimum, a tunnel or two, and what IPv4 must carry.
static const uint16_t sizes[] = {1400, 1232, 1000, SESSION_DATAGRAM_MIN};

static uint16_t size_below(uint16_t size)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (sizes[i] < size)
			return sizes[i];
	return 0;
}

/// From a HELLO on, with a nonce and a share of its own.
static void attempt(pgc_client *client, uint16_t size, uint64_t now)
{
	struct handshake *handshake = &client->handshake;
	uint8_t secret[EXCHANGE_LEN];

	randombytes_buf(handshake->client_nonce, sizeof(handshake->client_nonce));
	randombytes_buf(secret, sizeof(secret));
	exchange_begin(&handshake->exchange, secret);
	secrets_forget(secret, sizeof(secret));
	handshake->challenged = false;
	handshake->size = size;
	handshake->tries = 0;
	handshake->wait = REPEAT_AFTER_NS;
	handshake->repeat_at = now;
}

void handshake_begin(pgc_client *client, uint64_t now)
{
	client->handshake.denial = 0;
	client->handshake.give_up_at = now + client->options.connect_timeout_ms * NS_PER_MS;
	client->state = PGC_CONNECTING;
	attempt(client, client->options.max_datagram, now);
}

void handshake_end(pgc_client *client)
{
	exchange_forget(&client->handshake.exchange);
}

void handshake_step_down(pgc_client *client, uint64_t now)
{
	struct handshake *handshake = &client->handshake;
	const uint16_t below = size_below(handshake->size);

	if (below == 0 || now >= handshake->cookie_until) {
		// After the shortest the longest again: it may have been the gateway that was away.
		attempt(client, below != 0 ? below : client->options.max_datagram, now);
		return;
	}
	// Nonce, share and cookie stay: only the WELCOME may have been too long for the path. A late one of more is refused.
	// The wait goes on as it was: it may have been too short for the path.
	handshake->size = below;
	handshake->tries = 0;
	handshake->repeat_at = now;
}

/// A path on which the CHALLENGE took long is given as long for the WELCOME, twice.
static uint64_t first_confirm_wait(const struct handshake *handshake, uint64_t now)
{
	const uint64_t twice = 2 * (now - handshake->asked_at);

	if (twice < REPEAT_AFTER_NS)
		return REPEAT_AFTER_NS;
	return twice < REPEAT_AFTER_MAX_NS ? twice : REPEAT_AFTER_MAX_NS;
}

static void challenged(pgc_client *client, const uint8_t *datagram, uint16_t length, uint64_t now)
{
	const struct session_challenge *challenge = (const struct session_challenge *)datagram;
	struct handshake *handshake = &client->handshake;

	if (length != sizeof(*challenge) || handshake->challenged ||
	    memcmp(challenge->client_nonce, handshake->client_nonce, SESSION_NONCE_LEN) != 0 ||
	    !proof_is_right(PROOF_OF_CHALLENGE, client->options.key, datagram, length)) {
		client->statistics.datagrams_refused++;
		return;
	}
	memcpy(handshake->cookie, challenge->cookie, sizeof(handshake->cookie));
	handshake->challenged = true;
	handshake->cookie_until = now + COOKIE_NS;
	handshake->tries = 0;
	handshake->wait = first_confirm_wait(handshake, now);
	handshake->repeat_at = now;
	client->statistics.datagrams_received++;
}

/// Reasons but that of another version are proved. That one ends nothing: anybody can have sent it.
static void denied(pgc_client *client, const uint8_t *datagram, uint16_t length)
{
	const struct session_denied *denial = (const struct session_denied *)datagram;
	const bool proved = length == sizeof(*denial) && denial->reason != SESSION_DENIED_VERSION;

	if (length != sizeof(*denial) ||
	    memcmp(denial->client_nonce, client->handshake.client_nonce, SESSION_NONCE_LEN) != 0 ||
	    (proved && !proof_is_right(PROOF_OF_DENIED, client->options.key, datagram, length))) {
		client->statistics.datagrams_refused++;
		return;
	}
	client->statistics.datagrams_received++;
	if (!proved) {
		client->handshake.denial = denial->reason;
		return;
	}
	handshake_end(client);
	client->state = PGC_CLOSED;
	events_closed(client, PGC_DENIED_VERSION - SESSION_DENIED_VERSION + denial->reason, 0);
}

static bool unsealed_header(const struct session_header *header)
{
	return header->flags == 0 && header->counter == 0;
}

void handshake_receive(pgc_client *client, const uint8_t *datagram, uint16_t length, uint64_t now)
{
	const struct session_header *header = (const struct session_header *)datagram;
	const bool ours = header->session == client->options.session;

	if (ours && header->kind == SESSION_CHALLENGE && unsealed_header(header))
		challenged(client, datagram, length, now);
	else if (ours && header->kind == SESSION_DENIED && unsealed_header(header))
		denied(client, datagram, length);
	else if (ours && header->kind == SESSION_WELCOME && client->handshake.challenged &&
		 link_begin(client, datagram, length, now))
		client->statistics.datagrams_received++;
	else
		client->statistics.datagrams_refused++;
}

static size_t write_hello(const pgc_client *client, uint8_t *out)
{
	struct session_hello *hello = (struct session_hello *)out;

	memset(hello, 0, sizeof(*hello));
	hello->header.kind = SESSION_HELLO;
	hello->header.length = sizeof(*hello);
	hello->header.session = client->options.session;
	hello->version = SESSION_VERSION;
	memcpy(hello->client_nonce, client->handshake.client_nonce, SESSION_NONCE_LEN);
	return sizeof(*hello);
}

static size_t write_confirm(const pgc_client *client, uint8_t *out)
{
	const struct handshake *handshake = &client->handshake;
	struct session_confirm *confirm = (struct session_confirm *)out;

	memset(out, 0, handshake->size);
	confirm->header.kind = SESSION_CONFIRM;
	confirm->header.length = handshake->size;
	confirm->header.session = client->options.session;
	confirm->version = SESSION_VERSION;
	confirm->max_datagram = handshake->size;
	memcpy(confirm->client_nonce, handshake->client_nonce, SESSION_NONCE_LEN);
	memcpy(confirm->cookie, handshake->cookie, SESSION_COOKIE_LEN);
	memcpy(confirm->client_share, handshake->exchange.share, SESSION_SHARE_LEN);
	proof_write(PROOF_OF_CONFIRM, client->options.key, out, handshake->size);
	return handshake->size;
}

static void give_up(pgc_client *client)
{
	const uint8_t denial = client->handshake.denial;
	const int likely = denial != 0 ? PGC_DENIED_VERSION - SESSION_DENIED_VERSION + denial : 0;

	handshake_end(client);
	client->state = PGC_CLOSED;
	events_closed(client, PGC_CLOSED_UNREACHABLE, likely);
}

/// A CONFIRM is due: of a smaller size when those before brought nothing, and not for a cookie that is over.
static void ask_anew(pgc_client *client, uint64_t now)
{
	const struct handshake *handshake = &client->handshake;

	if (handshake->tries == CONFIRMS_PER_SIZE)
		handshake_step_down(client, now);
	else if (now >= handshake->cookie_until)
		attempt(client, handshake->size, now);
}

size_t handshake_transmit(pgc_client *client, uint8_t *out, uint64_t now)
{
	struct handshake *handshake = &client->handshake;

	if (now >= handshake->give_up_at) {
		give_up(client);
		return 0;
	}
	if (now < handshake->repeat_at)
		return 0;
	if (handshake->challenged)
		ask_anew(client, now);
	// Up to a quarter sooner: a crowd whose gateway came back does not repeat in step.
	handshake->repeat_at = now + handshake->wait - randombytes_uniform((uint32_t)(handshake->wait / 4));
	handshake->wait = handshake->wait * 2 < REPEAT_AFTER_MAX_NS ? handshake->wait * 2 : REPEAT_AFTER_MAX_NS;
	handshake->tries++;
	if (handshake->challenged) {
		if (handshake->repeat_at > handshake->cookie_until)
			handshake->repeat_at = handshake->cookie_until;
		return write_confirm(client, out);
	}
	handshake->asked_at = now;
	return write_hello(client, out);
}

uint64_t handshake_due(const pgc_client *client)
{
	const struct handshake *handshake = &client->handshake;

	return handshake->repeat_at < handshake->give_up_at ? handshake->repeat_at : handshake->give_up_at;
}

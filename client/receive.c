// SPDX-License-Identifier: BSD-3-Clause
// receive.c: what comes to a connection: the WELCOME that begins it, and then its sealed datagrams.

#include "client.h"

#include <string.h>

#include "delivery/restart.h"
#include "message/session_check.h"
#include "wire/zero.h"

// ---------------------------------------------------------------- the beginning

/// @return false: no secret can be agreed with this share, or libcrypto has no memory
static bool set_keys(pgc_client *client, const struct session_welcome *welcome)
{
	const struct handshake *handshake = &client->handshake;
	struct transcript transcript = {.session = client->options.session};
	uint8_t agreed[EXCHANGE_LEN], secret[HASH_LEN];

	memcpy(transcript.client_nonce, handshake->client_nonce, SESSION_NONCE_LEN);
	memcpy(transcript.server_nonce, welcome->server_nonce, SESSION_NONCE_LEN);
	memcpy(transcript.client_share, handshake->exchange.share, EXCHANGE_LEN);
	memcpy(transcript.server_share, welcome->server_share, EXCHANGE_LEN);

	const bool agree = exchange_agree(agreed, &handshake->exchange, welcome->server_share);

	connection_secret(secret, client->options.key, agreed, &transcript);

	const bool set = agree && phases_set(&client->link.phases, secret);

	secrets_forget(agreed, sizeof(agreed));
	secrets_forget(secret, sizeof(secret));
	return set;
}
static_assert(TRAFFIC_KEY_LEN == AEAD_KEY_LEN && TRAFFIC_SALT_LEN == AEAD_SALT_LEN, "AES-128-GCM");

static bool welcome_is_as_asked(const pgc_client *client, const struct session_welcome *welcome, uint16_t length)
{
	const size_t limits = (size_t)welcome->limits * sizeof(struct session_limit);
	const size_t room = length - sizeof(*welcome) - SESSION_TAG_LEN;

	return welcome->max_datagram == length && length >= SESSION_DATAGRAM_MIN && length <= client->handshake.size &&
	       welcome->limits <= SESSION_LIMITS_MAX && limits <= room &&
	       all_zero(welcome->padding + limits, room - limits);
}

/// Counters and windows of new keys; the WELCOME has the first counters of the gateway's direction, and the number issued.
static void reset(struct link *link, const struct session_welcome *welcome, uint64_t now)
{
	const struct phases phases = link->phases;

	*link = (struct link){.phases = phases, .heard_at = now, .said_at = now};
	phases_begin(&link->phases, now);
	numbers_begin(&link->numbers, welcome->header.session, welcome);
	memcpy(link->reset_token, welcome->reset_token, SESSION_RESET_TOKEN_LEN);
	link->idle_timeout_ms = welcome->idle_timeout_ms;
	replay_mark(&link->replay, welcome->header.counter);
	link->taken.newest = welcome->header.counter;
}

bool link_begin(pgc_client *client, const uint8_t *datagram, uint16_t length, uint64_t now)
{
	const struct session_welcome *sealed = (const struct session_welcome *)datagram;
	const struct session_welcome *welcome = (const struct session_welcome *)client->opened;

	if (length < sizeof(*sealed) + SESSION_TAG_LEN || length > client->handshake.size ||
	    sealed->header.flags != 0 || sealed->header.counter == 0 || !set_keys(client, sealed) ||
	    !aead_open(client->link.phases.open, sealed->header.counter, datagram, SESSION_WELCOME_CLEAR, length,
		       client->opened) ||
	    !welcome_is_as_asked(client, welcome, length))
		return false;
	handshake_end(client);
	reset(&client->link, welcome, now);
	client->link.taken_at = client_came(client, now);
	memset(&client->pace, 0, sizeof(client->pace));
	memset(&client->link.datagrams, 0, sizeof(client->link.datagrams));
	link_limits(client, welcome->padding, welcome->limits);
	client->limits_version = 0;
	client->limits_any = false;
	world_end(client);
	delivery_begin(&client->ctx, client->delivery, 0, (uint16_t)(welcome->max_datagram - SESSION_DATA_MIN));
	client->link.answer_now = true; // the gateway hears that its keys are in use
	client->state = PGC_CONNECTED;
	client->statistics.connections++;
	events_connected(client, welcome->player_id, welcome->expires_in_s, welcome->idle_timeout_ms);
	return true;
}

// ---------------------------------------------------------------- in

/// @param came  to this host: what it waited for the game is counted in ack_delay
static void mark_taken(struct link *link, uint32_t counter, uint64_t came)
{
	if (taken_mark(&link->taken, counter))
		link->taken_at = came;
}

void link_taken(pgc_client *client)
{
	mark_taken(&client->link, client->taken_counter, client->taken_came);
	delivery_owe(&client->ctx, client->delivery, client->taken_came);
	client->link.answer_now |= client->taken_at_once;
}

/// A tenth slower than the gateway: what it counts on the way is never more than it allows.
static struct rate pace_of(struct session_limit limit)
{
	struct rate rate = {0, 0};

	if (limit.per_minute == 0 || limit.burst == 0)
		return rate;
	rate.interval = 60000 * NS_PER_MS / limit.per_minute * 11 / 10;
	rate.tolerance = rate.interval * (limit.burst - 1U);
	return rate;
}

void link_limits(pgc_client *client, const uint8_t *entries, uint16_t count)
{
	struct session_limit limit;

	client->link.datagrams.rate = (struct rate){0, 0};
	for (unsigned i = 0; i < PG_REQUESTS; i++)
		client->pace.rate[i] = (struct rate){0, 0};
	for (; count > 0; count--, entries += sizeof(limit)) {
		enum pg_request request;

		memcpy(&limit, entries, sizeof(limit));
		if (limit.type == SESSION_LIMIT_DATAGRAMS)
			client->link.datagrams.rate = pace_of(limit);
		request = session_request(limit.type);
		if (request != PG_REQUESTS && limit.type == session_listed(limit.type))
			client->pace.rate[request] = pace_of(limit);
	}
}

static void take_limits(pgc_client *client, const struct delivered *message)
{
	struct session_limits limits;

	memcpy(&limits, message->body, sizeof(limits));
	if (limits.count > SESSION_LIMITS_MAX ||
	    message->length != sizeof(limits) + limits.count * sizeof(struct session_limit) ||
	    (limits.version <= client->limits_version && !client->limits_any))
		return;
	client->limits_any = false;
	client->limits_version = limits.version;
	link_limits(client, message->body + sizeof(limits), limits.count);
	delivery_limits_changed(&client->ctx, client->delivery, client->intake.now);
}

bool link_control(pgc_client *client, const struct delivered *message)
{
	if (message->type == SESSION_LIMITS)
		take_limits(client, message);
	else if (message->type == SESSION_NUMBER)
		numbers_give(&client->link.numbers, message->body);
	else if (client->world && (message->type == SESSION_WORLD_STATE || message->type == SESSION_WORLD))
		world_take(client, message);
	return session_is_control(message->type) && message->type != SESSION_PONG;
}

/// A process of the gateway died, and the next one goes on. Its limits may be others, and their versions begin anew.
static void heed_restarted(pgc_client *client, const uint8_t *body, uint16_t length, uint64_t now)
{
	uint32_t lost[SESSION_CHANNELS];

	if (!delivery_heed_restarted(&client->ctx, client->delivery, body, length, lost, now))
		return;
	client->limits_any = true;
	events_restarted(client, lost);
}

static void take_data(pgc_client *client, uint32_t counter, uint16_t length, uint64_t now)
{
	const struct session_prefix *prefix =
		(const struct session_prefix *)(client->opened + sizeof(struct session_header));
	const uint8_t *body = client->opened + SESSION_BEFORE_MESSAGES;
	const uint16_t body_len = (uint16_t)(length - SESSION_DATA_MIN);

	if (!prefix_is_right(prefix)) {
		client->statistics.datagrams_refused++;
		return;
	}
	heed_restarted(client, body, body_len, now);
	delivery_heed_busy(&client->ctx, client->delivery, body, body_len, now);
	delivery_acknowledged(&client->ctx, client->delivery, client->link.tx_counter, prefix, now);
	phases_acknowledged(&client->link.phases, client->link.tx_counter, prefix->ack);
	if (body_len == 0) {
		mark_taken(&client->link, counter, client_came(client, now));
		return;
	}
	client->taken_at_once = prefix->wants & SESSION_WANTS_ANSWER;
	client->taken_counter = counter;
	client->taken_came = client_came(client, now);
	events_take(client, counter, body_len, now);
}

/// The gateway asks whether its path carries so many bytes.
static void take_probe(pgc_client *client, uint32_t counter, uint16_t length, uint64_t now)
{
	if (!all_zero(client->opened + sizeof(struct session_header), length - SESSION_AROUND)) {
		client->statistics.datagrams_refused++;
		return;
	}
	mark_taken(&client->link, counter, client_came(client, now));
	client->link.answer_now = true;
}

static void take_close(pgc_client *client, uint16_t length)
{
	const struct session_close_body *body =
		(const struct session_close_body *)(client->opened + sizeof(struct session_header));

	if (length != SESSION_AROUND + sizeof(*body) || body->reason == 0 ||
	    !all_zero(body->reserved, sizeof(body->reserved))) {
		client->statistics.datagrams_refused++;
		return;
	}
	link_end(client, body->reason < PG_CLOSE_REASONS ? body->reason : PGC_CLOSED_OTHER + body->reason, 0,
		 PG_LOSS_CLOSED);
}

static void take_path_challenge(pgc_client *client, uint16_t length)
{
	if (length != SESSION_AROUND + SESSION_PATH_TOKEN_LEN) {
		client->statistics.datagrams_refused++;
		return;
	}
	if (client->link.path_challenges == PATH_CHALLENGES_MAX)
		return; // none was answered meanwhile: they come again
	memcpy(client->link.path_token[client->link.path_challenges++], client->opened + sizeof(struct session_header),
	       SESSION_PATH_TOKEN_LEN);
}

static bool header_is_sealed_kind(const struct session_header *header, uint16_t length)
{
	if (header->flags & ~SESSION_FLAG_PHASE)
		return false;
	switch (header->kind) {
	case SESSION_DATA:
	case SESSION_PROBE:
		return length >= SESSION_DATA_MIN;
	case SESSION_CLOSE:
	case SESSION_PATH_CHALLENGE:
		return length >= SESSION_AROUND;
	case SESSION_WELCOME: // ours was repeated, so its answer was, too
		return length >= sizeof(struct session_welcome) + SESSION_TAG_LEN;
	default:
		return false;
	}
}

/// Is it under a number of ours, fresh and authentic? Opens it.
/// @return its counter, or 0
static uint32_t opened(pgc_client *client, const uint8_t *datagram, uint16_t length, uint64_t now)
{
	const struct session_header *header = (const struct session_header *)datagram;
	struct link *link = &client->link;
	const struct number *number = numbers_find(&link->numbers, header->session, now);

	if (!number)
		return 0;

	const uint32_t counter = header->counter - number->to_client;

	if (!replay_fresh(&link->replay, counter) || !phases_open(link, datagram, length, counter, client->opened, now))
		return 0;
	replay_mark(&link->replay, counter);
	numbers_heard(&link->numbers, number, now);
	return counter;
}

/// Only our gateway can know the token: it has lost the connection.
static void take_reset(pgc_client *client, const uint8_t *datagram, uint16_t length, uint64_t now)
{
	const struct session_reset *sent = (const struct session_reset *)datagram;

	if (length != sizeof(*sent) || sent->header.flags != 0 ||
	    !numbers_find(&client->link.numbers, sent->header.session, now) ||
	    !secrets_equal(sent->token, client->link.reset_token, sizeof(sent->token))) {
		client->statistics.datagrams_refused++;
		return;
	}
	client->statistics.datagrams_received++;
	link_end(client, PGC_CLOSED_RESET, 0, PG_LOSS_CLOSED);
}

void link_receive_after_end(pgc_client *client, const uint8_t *datagram, uint16_t length, uint64_t now)
{
	const struct session_header *header = (const struct session_header *)datagram;
	struct link *link = &client->link;

	if (now >= link->farewell_until || !header_is_sealed_kind(header, length) ||
	    !opened(client, datagram, length, now)) {
		client->statistics.datagrams_refused++;
		return;
	}
	client->statistics.datagrams_received++;
	if (header->kind == SESSION_CLOSE) // then both know
		link->farewell_until = 0;
	else if (now >= link->farewell_next)
		link->farewell = link->said_farewell;
}

void link_receive(pgc_client *client, const uint8_t *datagram, uint16_t length, uint64_t now)
{
	const struct session_header *header = (const struct session_header *)datagram;
	uint32_t counter;

	if (header->kind == SESSION_RESET) {
		take_reset(client, datagram, length, now);
		return;
	}
	counter = header_is_sealed_kind(header, length) ? opened(client, datagram, length, now) : 0;
	if (counter == 0) {
		client->statistics.datagrams_refused++;
		return;
	}
	client->statistics.datagrams_received++;
	client->link.heard_at = now;
	switch (header->kind) {
	case SESSION_DATA:
		take_data(client, counter, length, now);
		break;
	case SESSION_PROBE:
		take_probe(client, counter, length, now);
		break;
	case SESSION_CLOSE:
		take_close(client, length);
		break;
	case SESSION_PATH_CHALLENGE:
		mark_taken(&client->link, counter, client_came(client, now));
		take_path_challenge(client, length);
		break;
	default: // WELCOME
		mark_taken(&client->link, counter, client_came(client, now));
		break;
	}
}

// SPDX-License-Identifier: BSD-3-Clause
// packets.c: sealed datagrams of one connection: keys, counters, replay, acknowledgements, change of address, the end.

#include "client.h"

#include <string.h>

#include <sodium.h>

#include "keys.h"

// ---------------------------------------------------------------- the beginning

static bool all_zero(const uint8_t *bytes, size_t length)
{
	uint8_t any = 0;

	for (size_t i = 0; i < length; i++)
		any |= bytes[i];
	return any == 0;
}

static bool set_keys(pgc_client *client, const uint8_t server_nonce[SESSION_NONCE_LEN])
{
	struct traffic_keys keys;

	traffic_keys_derive(&keys, client->options.key, client->options.session, client->handshake.client_nonce,
			    server_nonce);

	const bool set = aead_set_key(client->link.open, keys.to_client, keys.to_client_salt, false) &&
			 aead_set_key(client->link.seal, keys.to_gateway, keys.to_gateway_salt, true);

	sodium_memzero(&keys, sizeof(keys));
	return set;
}

static bool welcome_is_as_asked(const pgc_client *client, const struct session_welcome *welcome, uint16_t length)
{
	return welcome->max_datagram >= SESSION_DATAGRAM_MIN && welcome->max_datagram <= client->handshake.size &&
	       welcome->reserved == 0 && all_zero(welcome->padding, length - sizeof(*welcome) - SESSION_TAG_LEN);
}

/// Counters and windows of new keys; the WELCOME has the first counters of the gateway's direction.
static void reset(struct link *link, const struct session_welcome *welcome, uint64_t now)
{
	struct aead *const open = link->open, *const seal = link->seal;

	*link = (struct link){.open = open, .seal = seal, .heard_at = now, .said_at = now};
	memcpy(link->server_nonce, welcome->server_nonce, SESSION_NONCE_LEN);
	link->max_datagram = welcome->max_datagram;
	replay_mark(&link->replay, welcome->header.sequence);
	link->taken = welcome->header.sequence;
}

bool link_begin(pgc_client *client, const uint8_t *datagram, uint16_t length, uint64_t now)
{
	const struct session_welcome *sealed = (const struct session_welcome *)datagram;
	const struct session_welcome *welcome = (const struct session_welcome *)client->opened;

	if (length != client->handshake.size || sealed->header.sequence == 0 || sealed->header.sequence > INT32_MAX ||
	    !set_keys(client, sealed->server_nonce) ||
	    !aead_open(client->link.open, sealed->header.sequence, datagram, SESSION_WELCOME_CLEAR, length,
		       client->opened) ||
	    !welcome_is_as_asked(client, welcome, length))
		return false;
	reset(&client->link, welcome, now);
	delivery_begin(&client->ctx, client->delivery, 0, (uint16_t)(welcome->max_datagram - SESSION_SEALED_MIN));
	client->link.answer_now = true; // the gateway hears that its keys are in use
	client->state = PGC_CONNECTED;
	client->statistics.connections++;
	events_connected(client, welcome->player_id, welcome->expires_in_s, welcome->idle_timeout_ms);
	return true;
}

// ---------------------------------------------------------------- in

static void mark_taken(struct link *link, uint64_t counter)
{
	if (counter > link->taken) {
		const uint64_t ahead = counter - link->taken;

		link->taken_bits = ahead < 32 ? link->taken_bits << ahead : 0;
		if (ahead <= 32 && link->taken != 0)
			link->taken_bits |= 1U << (ahead - 1);
		link->taken = counter;
		return;
	}

	const uint64_t behind = link->taken - counter;

	if (behind >= 1 && behind <= 32)
		link->taken_bits |= 1U << (behind - 1);
}

static void take_data(pgc_client *client, uint64_t counter, uint16_t length, uint64_t now)
{
	const struct session_header *header = (const struct session_header *)client->opened;
	const uint8_t *body = client->opened + sizeof(*header);
	const uint16_t body_len = (uint16_t)(length - SESSION_SEALED_MIN);

	if (body_len == 0) {
		mark_taken(&client->link, counter);
		return;
	}
	// Refused ones are not acknowledged: what was reliable in them comes again.
	if (delivery_admit(&client->ctx, client->delivery, body, body_len, now) != PG_DROP_NONE) {
		client->statistics.datagrams_refused++;
		return;
	}
	mark_taken(&client->link, counter);
	delivery_owe(&client->ctx, client->delivery, now);
	if (header->flags & SESSION_FLAG_ACK_NOW)
		client->link.answer_now = true;
	events_take(client, body_len);
}

static void take_close(pgc_client *client, uint16_t length)
{
	const struct session_close_body *body =
		(const struct session_close_body *)(client->opened + sizeof(struct session_header));

	if (length != SESSION_SEALED_MIN + sizeof(*body) || body->reason < SESSION_CLOSED_LEFT ||
	    body->reason >= PG_CLOSE_REASONS || !all_zero(body->reserved, sizeof(body->reserved))) {
		client->statistics.datagrams_refused++;
		return;
	}
	link_end(client, body->reason, 0, PG_LOSS_CLOSED);
}

static void take_path_challenge(pgc_client *client, uint16_t length)
{
	if (length != SESSION_SEALED_MIN + SESSION_PATH_TOKEN_LEN) {
		client->statistics.datagrams_refused++;
		return;
	}
	memcpy(client->link.path_token, client->opened + sizeof(struct session_header), SESSION_PATH_TOKEN_LEN);
	client->link.path_challenged = true;
}

static bool header_is_sealed_kind(const struct session_header *header, uint16_t length)
{
	if (length < SESSION_SEALED_MIN)
		return false;
	if (header->flags != 0 && (header->kind != SESSION_DATA || header->flags != SESSION_FLAG_ACK_NOW))
		return false;
	return header->kind == SESSION_DATA || header->kind == SESSION_CLOSE ||
	       header->kind == SESSION_PATH_CHALLENGE || header->kind == SESSION_WELCOME;
}

/// Is it fresh and authentic? Opens it.
static bool opened(pgc_client *client, const uint8_t *datagram, uint16_t length, uint64_t *counter)
{
	const struct session_header *header = (const struct session_header *)datagram;
	struct link *link = &client->link;
	size_t clear = sizeof(*header);

	*counter = replay_counter(&link->replay, header->sequence);
	if (!replay_fresh(&link->replay, *counter))
		return false;
	if (header->kind == SESSION_WELCOME) { // ours was repeated, so its answer was, too
		clear = SESSION_WELCOME_CLEAR;
		if (length < sizeof(struct session_welcome) + SESSION_TAG_LEN)
			return false;
	}
	if (!aead_open(link->open, *counter, datagram, clear, length, client->opened))
		return false;
	replay_mark(&link->replay, *counter);
	return true;
}

void link_receive(pgc_client *client, const uint8_t *datagram, uint16_t length, uint64_t now)
{
	const struct session_header *header = (const struct session_header *)datagram;
	uint64_t counter;

	if (!header_is_sealed_kind(header, length) || !opened(client, datagram, length, &counter)) {
		client->statistics.datagrams_refused++;
		return;
	}
	client->statistics.datagrams_received++;
	client->link.heard_at = now;
	delivery_acknowledged(&client->ctx, client->delivery, client->link.tx_counter, header->ack, header->ack_bits,
			      now);
	switch (header->kind) {
	case SESSION_DATA:
		take_data(client, counter, length, now);
		break;
	case SESSION_CLOSE:
		take_close(client, length);
		break;
	case SESSION_PATH_CHALLENGE:
		mark_taken(&client->link, counter);
		take_path_challenge(client, length);
		break;
	default: // WELCOME
		mark_taken(&client->link, counter);
		break;
	}
}

// ---------------------------------------------------------------- out

/// The header of the next counter, in front of `body_len` bytes; then the tag.
static size_t seal(pgc_client *client, uint8_t *out, enum session_kind kind, size_t body_len, uint64_t now)
{
	struct link *link = &client->link;
	struct session_header *header = (struct session_header *)out;
	const size_t length = SESSION_SEALED_MIN + body_len;

	link->tx_counter++;
	*header = (struct session_header){
		.kind = (uint8_t)kind,
		.length = (uint16_t)length,
		.session = client->options.session,
		.sequence = (uint32_t)link->tx_counter,
		.ack = (uint32_t)link->taken,
		.ack_bits = link->taken_bits,
	};
	link->said_at = now;
	return aead_seal(link->seal, link->tx_counter, out, sizeof(*header), length) ? length : 0;
}

static size_t write_close(pgc_client *client, uint8_t *out, uint64_t now)
{
	const struct session_close_body body = {.reason = client->link.farewell};

	client->link.farewell = 0;
	memcpy(out + sizeof(struct session_header), &body, sizeof(body));
	return seal(client, out, SESSION_CLOSE, sizeof(body), now);
}

static size_t write_path_response(pgc_client *client, uint8_t *out, uint64_t now)
{
	client->link.path_challenged = false;
	memcpy(out + sizeof(struct session_header), client->link.path_token, SESSION_PATH_TOKEN_LEN);
	return seal(client, out, SESSION_PATH_RESPONSE, SESSION_PATH_TOKEN_LEN, now);
}

static uint64_t heartbeat_at(const pgc_client *client)
{
	return client->link.said_at + client->options.heartbeat_ms * NS_PER_MS;
}

static uint64_t silent_at(const pgc_client *client)
{
	return client->link.heard_at + client->options.silence_timeout_ms * NS_PER_MS;
}

/// Nothing was said for long: say so, which asks for an acknowledgement.
static void beat(pgc_client *client, uint64_t now)
{
	static const uint8_t nothing[1];
	const struct outgoing heartbeat = {.type = SESSION_HEARTBEAT, .priority = PRIORITY_URGENT, .body = nothing};

	// If there is no room, then something else is about to be said.
	(void)delivery_queue(&client->ctx, client->delivery, &heartbeat, now);
}

static size_t write_data(pgc_client *client, uint8_t *out, uint64_t now)
{
	struct link *link = &client->link;
	const uint16_t room = (uint16_t)(link->max_datagram - SESSION_SEALED_MIN);
	uint16_t written;

	if (now >= heartbeat_at(client))
		beat(client, now);
	if (!link->answer_now && now < delivery_due(client->delivery))
		return 0;
	written = delivery_fill(&client->ctx, client->delivery, link->tx_counter + 1, now,
				out + sizeof(struct session_header), room);
	if (delivery_gave_up(client->delivery)) {
		link_end(client, PGC_CLOSED_UNDELIVERABLE, SESSION_CLOSED_UNDELIVERABLE, PG_LOSS_UNACKNOWLEDGED);
		return write_close(client, out, now);
	}
	link->answer_now = false;
	return seal(client, out, SESSION_DATA, written, now);
}

size_t link_transmit(pgc_client *client, uint8_t *out, uint64_t now)
{
	if (client->link.farewell != 0)
		return write_close(client, out, now);
	if (client->state != PGC_CONNECTED)
		return 0;
	if (now >= silent_at(client)) {
		link_end(client, PGC_CLOSED_SILENT, 0, PG_LOSS_CLOSED);
		return 0;
	}
	if (client->link.path_challenged)
		return write_path_response(client, out, now);
	return write_data(client, out, now);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t link_due(const pgc_client *client)
{
	if (client->link.farewell != 0)
		return 0;
	if (client->state != PGC_CONNECTED)
		return PGC_NEVER;
	if (client->link.answer_now || client->link.path_challenged)
		return 0;
	return earlier(delivery_due(client->delivery), earlier(heartbeat_at(client), silent_at(client)));
}

void link_end(pgc_client *client, int closed, enum session_close_reason say, enum pg_loss loss)
{
	client->state = PGC_CLOSED;
	client->link.farewell = (uint8_t)say;
	delivery_end(&client->ctx, client->delivery, loss);
	events_drop_messages(client);
	events_closed(client, closed, 0);
}

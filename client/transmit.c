// SPDX-License-Identifier: BSD-3-Clause
// transmit.c: what a connection sends: what is due, sealed; and its end.

#include "client.h"

#include <string.h>

#define FAREWELL_NS (3000 * NS_PER_MS) // so long a CLOSE is said again
#define FAREWELL_EVERY_NS (100 * NS_PER_MS)

/// The header of the next counter, in front of `sealed` bytes; then the tag.
static size_t seal(pgc_client *client, uint8_t *out, enum session_kind kind, size_t sealed, uint64_t now)
{
	struct link *link = &client->link;
	struct session_header *header = (struct session_header *)out;
	const size_t length = SESSION_AROUND + sealed;

	if (!phases_seal(&link->phases, link->tx_counter, now))
		return 0;
	link->tx_counter++;
	*header = (struct session_header){
		.kind = (uint8_t)kind,
		.flags = link->phases.seals,
		.length = (uint16_t)length,
		.session = link->numbers.used.session,
		.counter = link->tx_counter + link->numbers.used.to_gateway,
	};
	link->said_at = now;
	return aead_seal(link->phases.seal, link->tx_counter, out, sizeof(*header), length) ? length : 0;
}

static size_t write_close(pgc_client *client, uint8_t *out, uint64_t now)
{
	struct link *link = &client->link;
	const struct session_close_body body = {.reason = link->farewell};

	if (link->said_farewell == 0) {
		link->said_farewell = link->farewell;
		link->farewell_until = now + FAREWELL_NS;
	}
	link->farewell_next = now + FAREWELL_EVERY_NS;
	link->farewell = 0;
	memcpy(out + sizeof(struct session_header), &body, sizeof(body));
	return seal(client, out, SESSION_CLOSE, sizeof(body), now);
}

static size_t write_path_response(pgc_client *client, uint8_t *out, uint64_t now)
{
	memcpy(out + sizeof(struct session_header), client->link.path_token[--client->link.path_challenges],
	       SESSION_PATH_TOKEN_LEN);
	return seal(client, out, SESSION_PATH_RESPONSE, SESSION_PATH_TOKEN_LEN, now);
}

/// Of the gateway's time out, unless the game wants another.
static uint64_t silence_ms(const pgc_client *client)
{
	return client->options.silence_timeout_ms != 0 ? client->options.silence_timeout_ms :
							 client->link.idle_timeout_ms;
}

/// The gateway hears something at least three times before it gives the connection up.
static uint64_t heartbeat_at(const pgc_client *client)
{
	const uint32_t third = client->link.idle_timeout_ms / 3;
	const uint32_t every = client->options.heartbeat_ms < third ? client->options.heartbeat_ms : third;

	return client->link.said_at + every * NS_PER_MS;
}

static uint64_t silent_at(const pgc_client *client)
{
	return client->link.heard_at + silence_ms(client) * NS_PER_MS;
}

/// Nothing was said for long: say something that is repeated until it is acknowledged.
static void beat(pgc_client *client, uint64_t now)
{
	static const uint8_t nothing[1];
	const struct outgoing heartbeat = {.type = SESSION_HEARTBEAT,
					   .channel = SESSION_CHANNEL_UNORDERED,
					   .reliable = true,
					   .priority = PRIORITY_URGENT,
					   .body = nothing};

	client->link.said_at = now;
	if (delivery_undelivered(client->delivery) == 0) // else that is said again until it is acknowledged
		(void)delivery_queue(&client->ctx, client->delivery, &heartbeat, now);
}

/// When another DATA conforms to the limit of datagrams.
static uint64_t datagram_from(const pgc_client *client, uint64_t now)
{
	return rate_conforms(client->link.datagrams.conforms_at, client->link.datagrams.rate, 1, now);
}

/// Does the path carry more than is believed?
/// @return bytes, or 0
static size_t write_probe(pgc_client *client, uint8_t *out, uint64_t now)
{
	uint16_t length;

	if (datagram_from(client, now) > now)
		return 0;
	delivery_search(&client->ctx, client->delivery, now);
	length = delivery_probe(&client->ctx, client->delivery, now);
	if (length == 0)
		return 0;
	(void)rate_charge(&client->link.datagrams.conforms_at, client->link.datagrams.rate, 1, now);
	memset(out + sizeof(struct session_header), 0, length - SESSION_AROUND);
	delivery_probed(&client->ctx, client->delivery, client->link.tx_counter + 1, now);
	return seal(client, out, SESSION_PROBE, length - SESSION_AROUND, now);
}

static size_t write_data(pgc_client *client, uint8_t *out, uint64_t now)
{
	struct link *link = &client->link;
	uint16_t written;

	if (now >= heartbeat_at(client))
		beat(client, now);
	if ((!link->answer_now && now < delivery_due(client->delivery)) || datagram_from(client, now) > now)
		return 0;
	(void)rate_charge(&link->datagrams.conforms_at, link->datagrams.rate, 1, now);
	written = delivery_fill(&client->ctx, client->delivery, link->tx_counter + 1, now,
				out + SESSION_BEFORE_MESSAGES, SESSION_DATAGRAM_MAX - SESSION_DATA_MIN);
	link->answer_now = false;
	taken_write(&link->taken, taken_delay(now - link->taken_at, &client->delays),
		    out + sizeof(struct session_header));
	if (written > 0 && (client->options.answer_at_once || delivery_asks(client->delivery)))
		((struct session_prefix *)(out + sizeof(struct session_header)))->wants = SESSION_WANTS_ANSWER;
	return seal(client, out, SESSION_DATA, sizeof(struct session_prefix) + written, now);
}

size_t link_transmit(pgc_client *client, uint8_t *out, uint64_t now)
{
	size_t length;

	if (client->link.farewell != 0)
		return write_close(client, out, now);
	if (client->state != PGC_CONNECTED)
		return 0;
	if (now >= silent_at(client)) {
		link_end(client, PGC_CLOSED_SILENT, SESSION_CLOSED_IDLE, PG_LOSS_UNACKNOWLEDGED);
		return write_close(client, out, now);
	}
	if (client->link.tx_counter >= SESSION_COUNTERS) {
		link_end(client, SESSION_CLOSED_RESTARTED, SESSION_CLOSED_RESTARTED, PG_LOSS_CLOSED);
		return write_close(client, out, now);
	}
	if (phases_exhausted(&client->link.phases, client->link.tx_counter)) {
		link_end(client, SESSION_CLOSED_PROTOCOL, SESSION_CLOSED_PROTOCOL, PG_LOSS_CLOSED);
		return write_close(client, out, now);
	}
	if (client->link.path_challenges != 0)
		return write_path_response(client, out, now);
	length = client->link.answer_now ? 0 : write_probe(client, out, now);
	return length != 0 ? length : write_data(client, out, now);
}

void link_moved(pgc_client *client)
{
	numbers_move(&client->link.numbers);
	delivery_moved(&client->ctx, client->delivery, client_now(client));
	client->link.answer_now = true; // the gateway sees the new address at once
}

void link_too_long(pgc_client *client)
{
	delivery_too_long(&client->ctx, client->delivery, client->link.tx_counter, client_now(client));
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t data_due(const pgc_client *client)
{
	const uint64_t due =
		client->link.answer_now ?
			0 :
			earlier(earlier(delivery_due(client->delivery),
					delivery_search_at(&client->ctx, client->delivery, client_now(client))),
				heartbeat_at(client));
	const uint64_t from = datagram_from(client, client_now(client));

	return due > from || client->link.datagrams.rate.interval == 0 ? due : from;
}

uint64_t link_due(const pgc_client *client)
{
	if (client->link.farewell != 0)
		return 0;
	if (client->state != PGC_CONNECTED)
		return PGC_NEVER;
	if (client->link.path_challenges != 0)
		return 0;
	return earlier(data_due(client), silent_at(client));
}

void link_end(pgc_client *client, int closed, enum session_close_reason say, enum pg_loss loss)
{
	client->state = PGC_CLOSED;
	client->link.farewell = (uint8_t)say;
	delivery_end(&client->ctx, client->delivery, loss);
	events_drop_messages(client);
	world_end(client);
	events_closed(client, closed, 0);
}

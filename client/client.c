// SPDX-License-Identifier: BSD-3-Clause
// client.c: a client's life: made, connecting, connected, closed, freed.

#include "client.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#define MEMORY_MIN_BYTES (128U << 10)
#define COMPRESSION_LEVEL 6
#define ACKNOWLEDGE_AFTER_NS (20 * NS_PER_MS) // within 25 ms, says PROTOCOL.md, and a loop turns once in a while

static uint64_t system_clock_ns(void *context)
{
	struct timespec now;

	(void)context;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void pgc_options_init(struct pgc_options *options)
{
	*options = (struct pgc_options){
		.max_datagram = SESSION_DATAGRAM_MAX,
		.connect_timeout_ms = 10000,
		.heartbeat_ms = 2000,
		.flush_ms = 5,
		.memory_bytes = 512U << 10,
		.queue_bytes = 256U << 10,
		.receipts = 256,
		.compress_chat = 33,
		.compress_bulk = 101,
		.world_extrapolate_ms = 250,
		.world_glimpses = 1024,
	};
}

static bool options_can_be(const struct pgc_options *options)
{
	return options->session != 0 && options->max_datagram >= SESSION_DATAGRAM_MIN &&
	       options->max_datagram <= SESSION_DATAGRAM_MAX && options->connect_timeout_ms > 0 &&
	       options->heartbeat_ms > 0 && options->memory_bytes >= MEMORY_MIN_BYTES &&
	       options->queue_bytes <= options->memory_bytes && options->receipts > 0 &&
	       options->world_glimpses <= WORLD_GLIMPSES_MAX;
}

static void make_rules(pgc_client *client)
{
	const struct pgc_options *options = &client->options;
	struct delivery_rules *rules = &client->rules;

	rules->flush_after = options->flush_ms * NS_PER_MS; // our clock's cycles are nanoseconds
	rules->acknowledge_after = ACKNOWLEDGE_AFTER_NS;
	rules->millisecond = NS_PER_MS;
	rules->ack_delay_unit = NS_PER_S / SESSION_ACK_DELAY_HZ;
	client->delays = delay_clock_of(NS_PER_S);
	rules->queue_bytes = options->queue_bytes;
	for (unsigned i = 0; i < PG_COMPRESSIBLE; i++)
		rules->compress_min[i] = options->compress_bulk;
	rules->compress_min[PG_COMPRESS_CHAT] = options->compress_chat;
}

/// Zeroed, on cache lines of its own.
static void *allocate(size_t size)
{
	const size_t whole = whole_lines(size);
	void *memory = aligned_alloc(CACHE_LINE, whole);

	if (memory)
		memset(memory, 0, whole);
	return memory;
}

static void tell_arrived(void *context, uint32_t who, struct arrived arrived, uint64_t now)
{
	const pgc_client *client = context;

	(void)who;
	(void)now;
	client->options.arrived(client->options.arrived_context, arrived.newest, arrived.packets);
}

static void listen_for_arrivals(pgc_client *client)
{
	client->arrived = (struct acknowledged_listener){.told = tell_arrived, .context = client};
	client->ctx.listener = &client->arrived;
	client->ctx.listeners = client->options.arrived ? 1 : 0;
}

/// What clients of one thread can share.
static bool make_shared(pgc_client *client)
{
	client->pool = allocate(message_pool_size(client->options.memory_bytes));
	client->body = allocate(SESSION_MESSAGE_MAX);
	client->ctx.compressor = compressor_new(COMPRESSION_LEVEL);
	if (!client->pool || !client->body || !client->ctx.compressor)
		return false;
	client->ctx.pool = message_pool_init(client->pool, client->options.memory_bytes);
	return true;
}

static void borrow_shared(pgc_client *client, const pgc_client *from)
{
	client->borrows = true;
	client->body = from->body;
	client->ctx.compressor = from->ctx.compressor;
	client->ctx.pool = from->ctx.pool;
}

static void free_shared(pgc_client *client)
{
	if (client->borrows)
		return;
	compressor_free(client->ctx.compressor);
	free(client->body);
	free(client->pool);
}

static bool make_parts(pgc_client *client)
{
	client->delivery = allocate(delivery_size());
	client->settled = calloc(client->options.receipts, sizeof(*client->settled));
	if (!phases_make(&client->link.phases, &client->options) || !client->delivery || !client->settled ||
	    !world_make(client))
		return false;
	listen_for_arrivals(client);
	client->ctx.rules = &client->rules;
	client->ctx.stats = &client->messages;
	client->ctx.pace = &client->pace;
	client->ctx.datagram_max = client->options.max_datagram;
	client->ctx.settled = events_settled;
	client->ctx.settled_context = client;
	return true;
}

/// @param first  whose memory it shares; NULL: it has its own
static pgc_client *new_client(const struct pgc_options *options, const pgc_client *first)
{
	pgc_client *client;

	if (!options_can_be(options) || sodium_init() < 0)
		return NULL;
	client = allocate(sizeof(*client));
	if (!client)
		return NULL;
	client->options = *options;
	client->socket.fd = -1;
	if (!client->options.clock_ns)
		client->options.clock_ns = system_clock_ns;
	make_rules(client);
	if (first)
		borrow_shared(client, first);
	if ((first || make_shared(client)) && make_parts(client))
		return client;
	pgc_free(client);
	return NULL;
}

pgc_client *pgc_new(const struct pgc_options *options)
{
	return new_client(options, NULL);
}

pgc_client *pgc_new_beside(const struct pgc_options *options, pgc_client *first)
{
	return new_client(options, first);
}

void pgc_free(pgc_client *client)
{
	if (!client)
		return;
#ifndef PGC_NO_SOCKET
	udp_close(&client->socket);
#endif
	phases_free(&client->link.phases);
	// What is under way lies in memory that others go on with.
	if (client->borrows && client->state == PGC_CONNECTED)
		delivery_end(&client->ctx, client->delivery, PG_LOSS_CLOSED);
	free_shared(client);
	free(client->world);
	free(client->settled);
	free(client->delivery);
	sodium_memzero(client, sizeof(*client));
	free(client);
}

enum pgc_state pgc_state(const pgc_client *client)
{
	return client->state;
}

int pgc_connect(pgc_client *client)
{
	if (client->state == PGC_CONNECTING || client->state == PGC_CONNECTED)
		return PGC_ERROR_STATE;
	if (!events_have_room(client))
		return PGC_ERROR_EVENTS;
	client->link.farewell = 0;
	client->link.farewell_until = 0;
	handshake_begin(client, client_now(client));
	return PGC_OK;
}

int pgc_reconnect(pgc_client *client)
{
	if (client->changes_count >= CHANGES_OF_CONNECTION)
		return PGC_ERROR_EVENTS;
	// No CLOSE: the CONFIRM to come replaces the connection, and a CLOSE that is late would end the new one's attempt.
	if (client->state == PGC_CONNECTED)
		link_end(client, PGC_CLOSED_RECONNECT, 0, PG_LOSS_CLOSED);
	else if (client->state == PGC_CONNECTING)
		events_closed(client, PGC_CLOSED_RECONNECT, 0);
	client->state = PGC_CLOSED;
	return pgc_connect(client);
}

int pgc_close(pgc_client *client)
{
	if (client->state == PGC_CONNECTED) {
		link_end(client, PGC_CLOSED_LEFT, SESSION_CLOSED_LEFT, PG_LOSS_CLOSED);
	} else if (client->state == PGC_CONNECTING) {
		handshake_end(client);
		client->state = PGC_CLOSED;
		events_closed(client, PGC_CLOSED_LEFT, 0);
	} else {
		return PGC_ERROR_STATE;
	}
#ifndef PGC_NO_SOCKET
	udp_flush(client);
#endif
	return PGC_OK;
}

// ---------------------------------------------------------------- bytes in, bytes out

int pgc_receive(pgc_client *client, const void *datagram, size_t bytes)
{
	return pgc_receive_at(client, datagram, bytes, PGC_NEVER);
}

int pgc_receive_at(pgc_client *client, const void *datagram, size_t bytes, uint64_t came_ns)
{
	const struct session_header *header = datagram;
	const uint64_t now = client_now(client);

	if (pgc_event_waiting(client))
		return PGC_ERROR_EVENTS;
	if (bytes < sizeof(*header) || bytes > SESSION_DATAGRAM_MAX || header->length != bytes) {
		client->statistics.datagrams_refused++;
		return PGC_OK;
	}
	client->ctx.waited = came_ns < now ? now - came_ns : 0;
	if (client->state == PGC_CONNECTING)
		handshake_receive(client, datagram, (uint16_t)bytes, now);
	else if (client->state == PGC_CONNECTED)
		link_receive(client, datagram, (uint16_t)bytes, now);
	else if (client->state == PGC_CLOSED)
		link_receive_after_end(client, datagram, (uint16_t)bytes, now);
	else
		client->statistics.datagrams_refused++;
	(void)pgc_event_waiting(client); // takes what is not for the game, and acknowledges
	return PGC_OK;
}

size_t pgc_transmit(pgc_client *client, void *out)
{
	const uint64_t now = client_now(client);
	const size_t length = client->state == PGC_CONNECTING ? handshake_transmit(client, out, now) :
								link_transmit(client, out, now);

	client->statistics.datagrams_sent += length > 0;
	return length;
}

uint64_t pgc_last_datagram(const pgc_client *client)
{
	return client->link.tx_counter;
}

uint64_t pgc_due_ns(const pgc_client *client)
{
	return client->state == PGC_CONNECTING ? handshake_due(client) : link_due(client);
}

void pgc_too_long_for_path(pgc_client *client)
{
	if (client->state == PGC_CONNECTING && client->handshake.challenged)
		handshake_step_down(client, client_now(client));
	else if (client->state == PGC_CONNECTED)
		link_too_long(client);
}

void pgc_moved(pgc_client *client)
{
	if (client->state == PGC_CONNECTED)
		link_moved(client);
	else if (client->state == PGC_CLOSED) // a CLOSE may still leave
		numbers_move(&client->link.numbers);
}

void pgc_read_statistics(const pgc_client *client, struct pgc_statistics *out)
{
	*out = client->statistics;
	out->resent = client->messages.resent;
	out->duplicates = client->messages.duplicates;
	out->round_trip_us = (uint32_t)(client->delivery->out.round_trip.smoothed / 1000);
	world_statistics(client, out);
}

// SPDX-License-Identifier: BSD-3-Clause
// fuzz_client.c: a gateway that is out of its mind: whatever it sends, opened or not, the client stays sound.
//
// The input is a row of steps. The harness knows the ticket, so that it can play the gateway: what it seals is authentic,
// and the fuzzer reaches what lies behind the tag. Time passes only in steps.

#include <stdlib.h>
#include <string.h>

#include "aead.h"
#include "client.h"
#include "pollgate_client.h"

#define STEPS_MAX 200

static const uint8_t issued[SESSION_KEY_LEN] = {1};
static const struct number number_issued = {.session = 1}, spare = {2, 0xFFFFFFF0, 0x10};

enum step { STEP_RAW, STEP_DATA, STEP_OTHER_KIND, STEP_WAIT, STEP_SAY, STEP_RECONNECT, STEP_MOVE, STEPS };

/// The gateway's side of one connection.
struct gateway {
	uint64_t now;
	uint32_t counter;
	uint32_t taken;       // of the client's, so that acknowledgements can be right
	struct number number; // under which it says something
	struct aead *seal;
	uint8_t client_nonce[SESSION_NONCE_LEN];
	uint8_t client_share[SESSION_SHARE_LEN];
};

struct input {
	const uint8_t *at, *end;
};

static uint8_t next_byte(struct input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

/// A length of two bytes, and so many, if there are.
static size_t next_bytes(struct input *input, uint8_t *out, size_t room)
{
	size_t length = next_byte(input);

	length |= (size_t)next_byte(input) << 8;

	const size_t left = (size_t)(input->end - input->at);

	length = length < left ? length : left;
	length = length < room ? length : room;
	memcpy(out, input->at, length);
	input->at += length;
	return length;
}

static uint64_t clock_ns(void *context)
{
	return ((struct gateway *)context)->now;
}

static volatile uint8_t sink;

/// Read all of it, so that a sanitizer sees what is not there.
static void take_events(pgc_client *client)
{
	struct pgc_event event;

	while (pgc_next_event(client, &event)) {
		if (event.type == PGC_EVENT_CHAT)
			for (uint16_t i = 0; i < event.as.chat.bytes; i++)
				sink = (uint8_t)event.as.chat.text[i];
		if (event.type == PGC_EVENT_BULK || event.type == PGC_EVENT_INVENTORY)
			for (uint32_t i = 0; i < event.as.bytes.bytes; i++)
				sink = event.as.bytes.data[i];
		if (event.type == PGC_EVENT_STATE)
			for (uint32_t i = 0; i < event.as.state.bytes; i++)
				sink = event.as.state.data[i];
		if (event.type == PGC_EVENT_GAME)
			for (uint32_t i = 0; i < event.as.game.bytes; i++)
				sink = event.as.game.data[i];
	}
}

/// A client that uses its spare is answered under it. Of those that the input gave, the harness knows nothing.
static void heed(struct gateway *gateway, const struct session_header *header)
{
	if (header->session == 0) // a spare of 0 is none
		abort();
	if (header->session == spare.session)
		gateway->number = spare;
	gateway->taken = header->counter - gateway->number.to_gateway;
}

/// Who is in sight, now and when time has passed.
static void look(const pgc_client *client, const struct gateway *gateway)
{
	struct pgc_sight seen[PGC_IN_SIGHT_MAX];
	struct pgc_glimpse glimpses[4];

	for (size_t i = pgc_in_sight(client, gateway->now + NS_PER_S, seen); i > 0; i--)
		sink = seen[i - 1].entity.slot;
	if (pgc_glimpses(client, 0, glimpses, 4) > 4)
		abort();
}

static void send_out(pgc_client *client, struct gateway *gateway)
{
	uint8_t out[PGC_DATAGRAM_MAX];
	size_t length;
	unsigned sent = 0;

	while ((length = pgc_transmit(client, out)) > 0) {
		const struct session_header *header = (const struct session_header *)out;

		if (length != header->length || ++sent > 10000)
			abort();
		if (header->kind == SESSION_HELLO)
			memcpy(gateway->client_nonce, ((const struct session_hello *)out)->client_nonce,
			       SESSION_NONCE_LEN);
		else if (header->kind == SESSION_CONFIRM)
			memcpy(gateway->client_share, ((const struct session_confirm *)out)->client_share,
			       SESSION_SHARE_LEN);
		else
			heed(gateway, header);
	}
}

static void hand_over(pgc_client *client, struct gateway *gateway, const uint8_t *datagram, size_t length)
{
	take_events(client);
	// A copy of exactly this size: one byte too far is seen.
	uint8_t *exact = malloc(length ? length : 1);

	memcpy(exact, datagram, length);
	if (pgc_receive(client, exact, length) != PGC_OK)
		abort();
	free(exact);
	take_events(client);
	look(client, gateway);
	send_out(client, gateway);
}

static struct session_header header_of(const struct gateway *gateway, enum session_kind kind, size_t length)
{
	return (struct session_header){
		.kind = (uint8_t)kind,
		.length = (uint16_t)length,
		.session = gateway->number.session,
		.counter = gateway->counter + gateway->number.to_client,
	};
}

/// @param prefix  of a DATA
static void seal_and_send(pgc_client *client, struct gateway *gateway, enum session_kind kind,
			  const struct session_prefix *prefix, const uint8_t *body, size_t body_len)
{
	uint8_t datagram[PGC_DATAGRAM_MAX];
	const size_t before = prefix ? sizeof(*prefix) : 0, length = SESSION_AROUND + before + body_len;

	gateway->counter++;

	struct session_header header = header_of(gateway, kind, length);

	memcpy(datagram, &header, sizeof(header));
	if (prefix)
		memcpy(datagram + sizeof(header), prefix, before);
	memcpy(datagram + sizeof(header) + before, body, body_len);
	if (!aead_seal(gateway->seal, gateway->counter, datagram, sizeof(header), length))
		abort();
	hand_over(client, gateway, datagram, length);
}

static void challenge(pgc_client *client, struct gateway *gateway)
{
	struct session_challenge challenge = {
		.header = {.kind = SESSION_CHALLENGE, .length = sizeof(challenge), .session = 1}};

	memcpy(challenge.client_nonce, gateway->client_nonce, SESSION_NONCE_LEN);
	proof_write(PROOF_OF_CHALLENGE, issued, (uint8_t *)&challenge, sizeof(challenge));
	hand_over(client, gateway, (const uint8_t *)&challenge, sizeof(challenge));
}

/// @param input  what it says of limits; NULL: nothing
static void welcome(pgc_client *client, struct gateway *gateway, struct input *input)
{
	static const uint8_t secret_of_ours[EXCHANGE_LEN] = {2};
	uint8_t datagram[PGC_DATAGRAM_MAX] = {0}, agreed[EXCHANGE_LEN], secret[HASH_LEN];
	struct session_welcome *welcome = (struct session_welcome *)datagram;
	struct transcript transcript = {.session = 1};
	struct exchange_key exchange;
	struct traffic_keys keys;

	exchange_begin(&exchange, secret_of_ours);
	if (!exchange_agree(agreed, &exchange, gateway->client_share))
		abort();
	gateway->counter = 1;
	gateway->taken = 0;
	gateway->number = number_issued;
	welcome->header = header_of(gateway, SESSION_WELCOME, sizeof(datagram));
	memcpy(welcome->server_share, exchange.share, sizeof(welcome->server_share));
	welcome->player_id = 7;
	welcome->idle_timeout_ms = 30000;
	welcome->max_datagram = sizeof(datagram);
	welcome->spare = spare.session;
	welcome->spare_offset[0] = spare.to_gateway;
	welcome->spare_offset[1] = spare.to_client;
	if (input) {
		welcome->limits = next_byte(input);
		next_bytes(input, datagram + sizeof(*welcome), sizeof(datagram) - sizeof(*welcome) - SESSION_TAG_LEN);
	}
	memcpy(transcript.client_nonce, gateway->client_nonce, SESSION_NONCE_LEN);
	memcpy(transcript.client_share, gateway->client_share, EXCHANGE_LEN);
	memcpy(transcript.server_share, exchange.share, EXCHANGE_LEN);
	connection_secret(secret, issued, agreed, &transcript);
	traffic_keys_derive(&keys, secret);
	if (!aead_set_key(gateway->seal, keys.to_client, keys.to_client_salt, true) ||
	    !aead_seal(gateway->seal, 1, datagram, SESSION_WELCOME_CLEAR, sizeof(datagram)))
		abort();
	hand_over(client, gateway, datagram, sizeof(datagram));
}

static void send_handshake(pgc_client *client, struct gateway *gateway, struct input *input)
{
	send_out(client, gateway);
	challenge(client, gateway);
	send_out(client, gateway);
	welcome(client, gateway, input);
	if (pgc_state(client) != PGC_CONNECTED) // by limits that cannot be
		welcome(client, gateway, NULL);
	if (pgc_state(client) != PGC_CONNECTED)
		abort();
}

static void say(pgc_client *client, struct input *input)
{
	static uint8_t bytes[PGC_BULK_MAX + 1];
	const uint8_t how = next_byte(input);
	const struct pgc_delivery delivery = {
		.reliable = how & 1, .channel = how >> 1 & 7, .priority = how >> 4 & 3, .receipt = how >> 6};
	const size_t length = next_byte(input) * 257U;

	(void)pgc_bulk(client, how, bytes, length, &delivery);
	(void)pgc_chat(client, how, 0, "text", 4, how & 8 ? &delivery : NULL);
}

static void run_step(pgc_client *client, struct gateway *gateway, struct input *input)
{
	static const enum session_kind kinds[] = {SESSION_CLOSE, SESSION_PATH_CHALLENGE, SESSION_WELCOME, SESSION_HELLO,
						  SESSION_PROBE};
	const uint8_t step = next_byte(input);
	uint8_t bytes[PGC_DATAGRAM_MAX];
	size_t length;

	switch (step % STEPS) {
	case STEP_RAW:
		length = next_bytes(input, bytes, sizeof(bytes));
		hand_over(client, gateway, bytes, length);
		break;
	case STEP_DATA:
		length = next_bytes(input, bytes, sizeof(bytes) - SESSION_DATA_MIN);
		seal_and_send(client, gateway, SESSION_DATA,
			      &(struct session_prefix){.ack = gateway->taken, .wants = step >> 7}, bytes, length);
		break;
	case STEP_OTHER_KIND:
		length = next_bytes(input, bytes, sizeof(bytes) - SESSION_AROUND);
		seal_and_send(client, gateway, kinds[step / STEPS % 5], NULL, bytes, length);
		break;
	case STEP_WAIT:
		gateway->now += next_byte(input) * 10 * NS_PER_MS;
		send_out(client, gateway);
		take_events(client);
		break;
	case STEP_SAY:
		say(client, input);
		send_out(client, gateway);
		break;
	case STEP_MOVE:
		pgc_moved(client);
		send_out(client, gateway);
		break;
	default:
		if (pgc_reconnect(client) == PGC_OK)
			send_handshake(client, gateway, input);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gateway gateway = {.now = 1000000000, .seal = aead_new()};
	struct input input = {data, data + size};
	struct pgc_options options;
	pgc_client *client;

	pgc_options_init(&options);
	options.session = 1;
	options.key[0] = 1;
	options.memory_bytes = 128U << 10;
	options.queue_bytes = 64U << 10;
	options.receipts = 2;
	options.world = true;
	options.world_glimpses = 8;
	options.clock_ns = clock_ns;
	options.clock_context = &gateway;
	client = pgc_new(&options);
	if (!client || !gateway.seal || pgc_connect(client) != PGC_OK)
		abort();
	send_handshake(client, &gateway, NULL);
	take_events(client);
	for (unsigned i = 0; i < STEPS_MAX && input.at < input.end; i++)
		run_step(client, &gateway, &input);
	pgc_free(client);
	aead_free(gateway.seal);
	return 0;
}

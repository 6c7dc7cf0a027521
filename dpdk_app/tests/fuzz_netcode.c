// SPDX-License-Identifier: BSD-3-Clause
// fuzz_netcode.c: whatever comes to the netcode profile, from a stranger, from somebody who was challenged, from a client: it
// is handled or dropped for a reason, nobody is answered with more than came, and what is authentic is as the standard has it.
//
// Bytes: who sends it (0 to 2), whether it is sealed with that one's key first (1), and the datagram; of what is sealed, kind,
// bytes of sequence, and the body.

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "netcode_fixture.h"

static void require(bool condition)
{
	if (!condition)
		__builtin_trap();
}

enum who { STRANGER, CHALLENGED, CLIENT, EVERYBODY };

static struct netcode_fixture *fixture;
static struct netcode_player players[EVERYBODY];

/// What a game process would have: the payload that was sealed.
static const uint8_t *said;

static void joined(struct game *game, uint32_t slot)
{
	(void)game;
	(void)slot;
}

static void left(struct game *game, uint32_t slot, enum session_close_reason why)
{
	(void)game;
	(void)slot;
	(void)why;
}

static enum netcode_heard hear(struct game *game, uint32_t slot, const uint8_t *packet,
			       const struct netcode_header *header)
{
	uint8_t body[NETCODE_PAYLOAD_MAX];

	(void)game;
	require(header->length >= 1 && header->length <= sizeof(body));
	netcode_unseal(body, packet, header, fixture->records[slot].to_server);
	require(said != NULL && memcmp(body, said, header->length) == 0);
	return NETCODE_HEARD;
}

static const struct netcode_watcher watcher = {joined, left, hear};

/// Once, and again when a client has said something that changed it.
static void begin(void)
{
	fixture = netcode_open_fixture(2);
	fixture->shard[0]->game = (struct game *)fixture; // nobody looks into it
	fixture->shard[0]->watcher = &watcher;
	for (unsigned i = 0; i < EVERYBODY; i++)
		netcode_player_init(&players[i], 10 + i, (uint16_t)(4000 + i));
	netcode_ask(fixture, 0, &players[CHALLENGED]);
	netcode_get_in(fixture, 0, &players[CLIENT]);
}

/// What was sealed with a client's key, in the form that the standard has for it, and nothing else, is handled.
static bool is_good(enum who who, uint8_t kind, size_t length)
{
	return who == CLIENT && ((kind == NETCODE_KEEP_ALIVE && length == 8) ||
				 (kind == NETCODE_PAYLOAD && length >= 1 && length <= 1200) ||
				 (kind == NETCODE_DISCONNECT && length == 0));
}

static void send_sealed(enum who who, const uint8_t *data, size_t size)
{
	struct netcode_player *player = &players[who];
	const uint8_t kind = data[0] & 0x0f;
	struct netcode_reply reply;

	if (kind == NETCODE_RESPONSE) // a challenge that is ours cannot be made up
		require(who != CHALLENGED || size - 1 != sizeof(player->challenge) ||
			memcmp(data + 1, &player->challenge, sizeof(player->challenge)) != 0);
	player->sequence += data[0] >> 4;
	said = data + 1;
	reply = netcode_say(fixture, 0, player, kind, data + 1, (uint16_t)(size - 1));
	require((reply.outcome.drop == PG_DROP_NONE) == is_good(who, kind, size - 1));
	require(reply.length == 0);
	require(reply.outcome.forwarded == (reply.outcome.drop == PG_DROP_NONE && kind == NETCODE_PAYLOAD));
	if (reply.outcome.drop != PG_DROP_NONE)
		return;
	netcode_close_fixture(fixture);
	fixture = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3 || size > 1472)
		return 0;

	const enum who who = data[0] % EVERYBODY;

	if (!fixture)
		begin();
	if (data[1] & 1) {
		send_sealed(who, data + 2, size - 2);
	} else {
		const struct netcode_reply reply = netcode_deliver(fixture, 0, &players[who].peer, data + 2, size - 2);

		// Nobody can make up what is sealed.
		require(reply.outcome.drop != PG_DROP_NONE && pg_drop_name(reply.outcome.drop) != NULL);
		require(reply.length == 0);
	}
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// handshake_fixture.c: see handshake_fixture.h.

#include "handshake_fixture.h"

#include <stdlib.h>
#include <string.h>

struct session_fixture *fixture;

int open_fixture(void **state UNUSED)
{
	fixture = fixture_open(1100, STORE_FRAMES);
	return 0;
}

int close_fixture(void **state UNUSED)
{
	fixture_close(fixture);
	return 0;
}

struct handshake_outcome send_from(unsigned shard, const struct peer *peer, uint8_t *datagram, uint16_t length)
{
	return handshake_receive(fixture->shard[shard], peer, datagram, length, true, fixture->now);
}

struct handshake_outcome send_handshake(const struct player *player, uint8_t *datagram, uint16_t length)
{
	return send_from(0, &player->peer, datagram, length);
}

void assert_dropped(const struct player *player, const uint8_t *datagram, uint16_t length, enum pg_drop why)
{
	uint8_t *copy = malloc(length ? length : 1); // of exactly its size

	assert_non_null(copy);
	memcpy(copy, datagram, length);

	const struct handshake_outcome outcome = send_handshake(player, copy, length);

	if (outcome.drop != why || outcome.answer != 0)
		fail_msg("%u bytes: %s instead of %s", length, pg_drop_name(outcome.drop), pg_drop_name(why));
	assert_memory_equal(copy, datagram, length);
	free(copy);
}

uint8_t *state_copy(void)
{
	uint8_t *copy = malloc(fixture->state_size);

	assert_non_null(copy);
	return memcpy(copy, fixture->state, fixture->state_size);
}

void assert_state_is(uint8_t *copy)
{
	assert_true(memcmp(copy, fixture->state, fixture->state_size) == 0);
	assert_int_equal(fixture->shard[0]->outbox.count, 0);
	free(copy);
}

// SPDX-License-Identifier: BSD-3-Clause
// session/side.c: the memory that a process keeps beside its sessions' records, and one worker's side.

#include "session/side.h"

#include "net/route.h"

/// The wheel turns once a second.
#define TICKS_PER_S 1000

static size_t lines(size_t bytes)
{
	return (bytes + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

size_t vault_private_size(uint32_t capacity)
{
	const size_t slots = capacity;

	return lines(slots * sizeof(struct locker)) + lines(slots * sizeof(struct route)) +
	       lines(slots * sizeof(struct wheel_link)) + lines(slots);
}

void vault_furnish(struct vault *vault, void *memory)
{
	const size_t slots = vault->capacity;
	uint8_t *at = memory;

	vault->lockers = (struct locker *)at;
	at += lines(slots * sizeof(struct locker));
	vault->routes = (struct route *)at;
	at += lines(slots * sizeof(struct route));
	vault->links = (struct wheel_link *)at;
	at += lines(slots * sizeof(struct wheel_link));
	vault->ways = at;
}

bool session_side_init(struct session_side *side, const struct side_setup *setup, uint64_t now)
{
	side->vault = setup->vault;
	side->stats = setup->stats;
	side->tsc_hz = setup->tsc_hz;
	side->secret = setup->secret;
	side->worker = setup->worker;
	side->hall = (struct conversation_hall){
		.pool = message_pool_init(setup->message_memory, setup->message_bytes),
		.compressor = compressor_new(setup->compression_level),
		.stats = &setup->stats->messages,
		.gateway = true,
	};
	wheel_init(&side->wheel, setup->vault->links, setup->tsc_hz / TICKS_PER_S, now);
	return cipher_code_init(&side->code) && random_source_init(&side->random) && side->hall.compressor;
}

void session_side_free(struct session_side *side)
{
	cipher_code_free(&side->code);
	if (side->hall.compressor)
		compressor_free(side->hall.compressor);
	side->hall.compressor = NULL;
}

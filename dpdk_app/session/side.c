// SPDX-License-Identifier: BSD-3-Clause
// session/side.c: see side.h.

#include "session/side.h"

#include "session/connection.h"
#include "stats/error.h"

/// Of the wheel.
#define TICKS_PER_S 1000

int session_side_init(struct session_side *side, const struct side_setup *setup, struct pg_error *error)
{
	side->store = setup->store;
	side->stats = setup->stats;
	side->tsc_hz = setup->tsc_hz;
	side->secret = setup->secret;
	side->worker = setup->worker;
	side->relay = setup->relay;
	side->hall = (struct conversation_hall){
		.pool = message_pool_init(setup->message_memory, setup->message_bytes),
		.compressor = compressor_new(setup->compression_level),
		.stats = &setup->stats->messages,
		.gateway = true,
	};
	counter_set(&side->hall.stats->memory_used, 0); // what a dead worker had is gone
	session_side_use(side, setup->rules);
	if (!cipher_code_init(&side->code))
		return error_set(error, PG_ERROR_SYSTEM,
				 "profile session needs a CPU with AES instructions (AES-NI), this one has none");
	if (!random_source_init(&side->random))
		return error_set(error, PG_ERROR_SYSTEM,
				 "the kernel gave no random bytes, or libsodium does not run here");
	if (!side->hall.compressor)
		return error_set(error, PG_ERROR_MEMORY, "no memory to compress messages with");
	return PG_OK;
}

void session_side_free(struct session_side *side)
{
	cipher_code_free(&side->code);
	compressor_free(side->hall.compressor);
	side->hall.compressor = NULL;
}

uint32_t session_side_begin(struct session_side *side, uint64_t now)
{
	wheel_init(&side->wheel, side->store->links, side->tsc_hz / TICKS_PER_S, now);
	return connection_adopt(side, now);
}

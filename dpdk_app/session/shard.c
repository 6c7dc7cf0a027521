// SPDX-License-Identifier: BSD-3-Clause
// session/shard.c: see shard.h.

#include "session/shard.h"

#include "session/connection.h"
#include "stats/error.h"

/// Of the wheel.
#define TICKS_PER_S 1000

/// struct delivery_context.robbed: what it has to say is due, and its ids went back.
static void note_robbed(void *shard, uint32_t slot)
{
	session_note(shard, slot, true);
}

int session_shard_init(struct session_shard *shard, const struct shard_setup *setup, struct pg_error *error)
{
	shard->store = setup->store;
	shard->stats = setup->stats;
	shard->tsc_hz = setup->tsc_hz;
	shard->delays = delay_clock_of(setup->tsc_hz);
	shard->secret = setup->secret;
	shard->worker = setup->worker;
	shard->relay = setup->relay;
	shard->handshakes = setup->handshakes;
	shard->ctx = (struct delivery_context){
		.pool = message_pool_init(setup->message_memory, setup->message_bytes),
		.compressor = compressor_new(setup->compression_level),
		.stats = &setup->stats->messages,
		.gateway = true,
		.robbed = note_robbed,
		.robbed_context = shard,
	};
	counter_set(&shard->ctx.stats->memory_used, 0); // what a dead worker had is gone
	session_shard_use(shard, setup->rules);
	if (!cipher_code_init(&shard->code))
		return error_set(error, PG_ERROR_SYSTEM,
				 "profile session needs a CPU with AES instructions (AES-NI), this one has none");
	if (!random_source_init(&shard->random))
		return error_set(error, PG_ERROR_SYSTEM,
				 "the kernel gave no random bytes, or libsodium does not run here");
	if (!shard->ctx.compressor)
		return error_set(error, PG_ERROR_MEMORY, "no memory to compress messages with");
	return PG_OK;
}

void session_shard_free(struct session_shard *shard)
{
	cipher_code_free(&shard->code);
	compressor_free(shard->ctx.compressor);
	shard->ctx.compressor = NULL;
}

uint32_t session_shard_begin(struct session_shard *shard, uint64_t now)
{
	wheel_init(&shard->wheel, shard->store->links, shard->tsc_hz / TICKS_PER_S, now);
	return connection_adopt(shard, now);
}

// SPDX-License-Identifier: BSD-3-Clause
// session/state.c: see state.h, and pollgate.h for what the supervisor calls.

#include "session/state.h"

#include <sys/random.h>

#include "stats/error.h"

#define STATE_MAGIC 0x6574617473677001ULL

struct state_header {
	uint64_t magic; // last of all to be written
	uint32_t abi_version;
	struct state_shape shape;
	struct issue_desk desk;
	uint8_t cookie_secret[STATE_COOKIE_SECRET_LEN];
} CACHE_ALIGNED;
static_assert(sizeof(struct state_header) == CACHE_LINE, "regions start on a line");

static size_t lines(size_t bytes)
{
	return (bytes + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

static size_t region_stride(uint32_t capacity)
{
	return lines(session_region_size(capacity));
}

/// Where the part for issued sessions begins.
static size_t issued_offset(const struct state_shape *shape)
{
	return sizeof(struct state_header) + shape->workers * region_stride(shape->capacity);
}

static size_t state_size(const struct state_shape *shape)
{
	const size_t slots = shape->issued_capacity;
	const size_t queues = lines(3 * slots * sizeof(uint32_t));

	if (slots == 0)
		return issued_offset(shape);
	return issued_offset(shape) + player_index_size(shape->issued_capacity) + slots * sizeof(struct issued) +
	       queues;
}

size_t pg_state_size(uint32_t capacity, uint32_t workers, uint32_t issued_capacity)
{
	const struct state_shape shape = {capacity, workers, issued_capacity};

	return state_size(&shape);
}

// ---------------------------------------------------------------- the supervisor's

int pg_state_init(void *state, size_t size, uint32_t capacity, uint32_t workers, uint32_t issued_capacity,
		  struct pg_error *error)
{
	struct state_header *header = state;
	const struct state_shape shape = {capacity, workers, issued_capacity};

	if (issued_capacity > SESSION_SLOTS_MAX)
		return error_set(error, PG_ERROR_USAGE, "%u sessions to be issued; at most %u can", issued_capacity,
				 SESSION_SLOTS_MAX);
	if (size < state_size(&shape))
		return error_set(error, PG_ERROR_USAGE, "the session state has %zu bytes, %zu are needed", size,
				 state_size(&shape));
	if (header->magic != 0)
		return error_set(error, PG_ERROR_USAGE, "the session state is in use already");
	if (getrandom(header->cookie_secret, sizeof(header->cookie_secret), 0) != sizeof(header->cookie_secret))
		return error_set(error, PG_ERROR_SYSTEM, "the kernel gave no random bytes");
	header->abi_version = PG_ABI_VERSION;
	header->shape = shape;
	if (issued_capacity > 0)
		player_index_init(state_parts(state).players, issued_capacity);
	header->magic = STATE_MAGIC;
	return PG_OK;
}

// ---------------------------------------------------------------- everybody's

int state_check(const void *state, size_t size, const struct state_shape *shape, struct pg_error *error)
{
	const struct state_header *header = state;

	if (size < state_size(shape))
		return error_set(error, PG_ERROR_USAGE, "the session state has %zu bytes, %zu are needed", size,
				 state_size(shape));
	if (header->magic != STATE_MAGIC || header->abi_version != PG_ABI_VERSION ||
	    header->shape.capacity != shape->capacity || header->shape.workers != shape->workers ||
	    header->shape.issued_capacity != shape->issued_capacity)
		return error_set(error, PG_ERROR_USAGE, "the session state was made for another configuration");
	return PG_OK;
}

struct session_region *state_region(void *state, uint32_t worker)
{
	const struct state_header *header = state;

	return (struct session_region *)((uint8_t *)state + sizeof(*header) +
					 worker * region_stride(header->shape.capacity));
}

struct state_parts state_parts(void *state)
{
	struct state_header *header = state;
	const uint32_t slots = header->shape.issued_capacity;
	uint8_t *players = (uint8_t *)state + issued_offset(&header->shape);
	uint8_t *records = players + player_index_size(slots);
	uint32_t *queues = (uint32_t *)(records + slots * sizeof(struct issued));

	return (struct state_parts){
		.issued_capacity = slots,
		.cookie_secret = header->cookie_secret,
		.desk = &header->desk,
		.players = (struct player_index *)players,
		.records = (struct issued *)records,
		.deadlines = {.count = &header->desk.standing,
			      .heap = queues,
			      .place = queues + slots,
			      .records = (struct issued *)records},
		.resting = queues + 2 * (size_t)slots,
	};
}

// SPDX-License-Identifier: BSD-3-Clause
// session/issuing.c: see issuing.h, and pollgate.h for what the supervisor calls.

#include "session/issuing.h"

#include <stdlib.h>
#include <sys/random.h>

#include "stats/error.h"

/// The functions of pollgate.h name a state by its address; here is what belongs to it. A supervisor makes one.
struct made_state {
	struct made_state *next;
	const void *state;
	struct issuing issuing;
	uint32_t queues[]; // of its slots: heap and places of the deadlines, resting slots
};

static struct made_state *made_states;

static struct made_state **link_to(const void *state)
{
	struct made_state **link = &made_states;

	while (*link && (*link)->state != state)
		link = &(*link)->next;
	return link;
}

struct issuing *issuing_of(const void *state)
{
	struct made_state *made = *link_to(state);

	return made ? &made->issuing : NULL;
}

void pg_state_release(void *state)
{
	struct made_state **link = link_to(state), *made = *link;

	if (!made)
		return;
	*link = made->next;
	free(made);
}

// ---------------------------------------------------------------- making

static void begin(struct issuing *issuing, void *state, uint32_t *queues, uint32_t slots)
{
	const struct state_parts parts = state_parts(state);

	issuing->capacity = slots;
	issuing->numbers = parts.numbers;
	issuing->section = parts.issuing;
	if (slots == 0)
		return;
	issuing->records = parts.records;
	issuing->visible = parts.visible;
	issuing->deadlines = (struct deadlines){.heap = queues, .place = queues + slots, .records = parts.records};
	issuing->allocator.ring = queues + 2 * (size_t)slots;
	player_writer_init(&issuing->players, parts.players, parts.records, slots);
}

/// Before any worker process has the state, so what is in it is ours.
static bool keep(void *state, uint32_t slots)
{
	struct made_state *made = calloc(1, sizeof(*made) + 3 * (size_t)slots * sizeof(uint32_t));

	if (!made)
		return false;
	pg_state_release(state); // of another state, which was at this address and is gone
	begin(&made->issuing, state, made->queues, slots);
	made->state = state;
	made->next = made_states;
	made_states = made;
	return true;
}

int pg_state_init(void *state, size_t size, uint32_t capacity, uint32_t workers, uint32_t issued_capacity,
		  struct pg_error *error)
{
	const struct pg_state_plan plan = {capacity, workers, issued_capacity, 0};

	return pg_state_init_for(state, size, &plan, error);
}

int pg_state_init_for(void *state, size_t size, const struct pg_state_plan *plan, struct pg_error *error)
{
	const struct state_shape shape = state_shape_of(plan);
	const uint32_t issued_capacity = plan->issued_capacity;
	struct directory *directory = state, made;
	struct issuing_section *section;

	if (plan->netcode_capacity > SESSION_SLOTS_MAX)
		return error_set(error, PG_ERROR_USAGE, "%u netcode clients; at most %u can be", plan->netcode_capacity,
				 SESSION_SLOTS_MAX);
	if (issued_capacity > SESSION_SLOTS_MAX)
		return error_set(error, PG_ERROR_USAGE, "%u sessions to be issued; at most %u can", issued_capacity,
				 SESSION_SLOTS_MAX);
	state_lay_out(&made, &shape);
	if (size < made.size)
		return error_set(error, PG_ERROR_USAGE, "the session state has %zu bytes, %zu are needed", size,
				 (size_t)made.size);
	if (directory->magic != 0)
		return error_set(error, PG_ERROR_USAGE, "the session state is in use already");
	*directory = made;
	section = state_parts(state).issuing;
	section->gateway_bits = SESSION_GATEWAY_BITS;
	section->gateway_id = SESSION_GATEWAY_ID;
	if (getrandom(section->secret, sizeof(section->secret), 0) != sizeof(section->secret))
		return error_set(error, PG_ERROR_SYSTEM, "the kernel gave no random bytes");
	if (!keep(state, issued_capacity))
		return error_set(error, PG_ERROR_MEMORY, "no memory to issue %u sessions", issued_capacity);
	directory->magic = DIRECTORY_MAGIC;
	return PG_OK;
}

int pg_state_gateway(void *state, uint32_t bits, uint32_t id, struct pg_error *error)
{
	struct issuing *issuing = issuing_of(state);

	if (!issuing)
		return error_set(error, PG_ERROR_USAGE, "this process did not make the session state");
	if (issuing->allocator.used > 0)
		return error_set(error, PG_ERROR_USAGE, "sessions were issued already, under other numbers");
	if (!session_numbers_fit(issuing->capacity, bits, id))
		return error_set(
			error, PG_ERROR_USAGE,
			"gateway %u in %u bits of a session's number; with %u sessions at most %u bits can be its", id,
			bits, issuing->capacity, session_gateway_bits_most(issuing->capacity));
	if (__atomic_load_n(&issuing->section->numbered, __ATOMIC_SEQ_CST))
		return error_set(
			error, PG_ERROR_USAGE,
			"a worker process goes by the numbers of the session state already; say whose they are before it "
			"is started");
	issuing->section->gateway_bits = bits;
	issuing->section->gateway_id = id;
	issuing->numbers = session_numbers(issuing->capacity, bits, id);
	return PG_OK;
}

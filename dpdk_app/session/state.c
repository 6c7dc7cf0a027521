// SPDX-License-Identifier: BSD-3-Clause
// session/state.c: see state.h, and pollgate.h for what the supervisor calls.

#include "session/state.h"

#include <string.h>
#include <sys/random.h>

#include "stats/error.h"

/// Section "issuing".
struct issuing {
	struct slot_allocator allocator;
	uint8_t cookie_secret[STATE_COOKIE_SECRET_LEN];
	uint32_t gateway_bits, gateway_id; // of all numbers; for good, once one is issued
};

// The versions of this build. Another size is another version; so is the same size with another meaning.
#define ISSUING_VERSION 2 // 1 had no gateway in its numbers
static_assert(sizeof(struct issuing) == 40, "or ISSUING_VERSION");
#define PLAIN_VERSION 1
static_assert(sizeof(struct plain_session) == 64 && sizeof(struct plain_region) == 64, "or PLAIN_VERSION");
#define PLAYERS_VERSION 1
static_assert(sizeof(struct player_index) == 64, "or PLAYERS_VERSION");
#define ISSUED_VERSION 1
static_assert(sizeof(struct session_record) == 256, "or ISSUED_VERSION");
#define QUEUES_VERSION 1

/// Where everything lies in a state of this shape that this build makes.
static void lay_out(struct directory *directory, const struct state_shape *shape)
{
	const uint32_t slots = shape->issued_capacity;
	const struct section issuing = {"issuing", ISSUING_VERSION, 1, slots, SECTION_OF_SUPERVISOR, 0, 0},
			     plain = {"plain", PLAIN_VERSION, shape->workers, shape->capacity, SECTION_OF_WORKERS, 0,
				      0},
			     players = {"players", PLAYERS_VERSION, 1, slots, SECTION_OF_SUPERVISOR, 0, 0},
			     issued = {"issued", ISSUED_VERSION, 1, slots, SECTION_OF_SUPERVISOR, 0, 0},
			     queues = {"queues", QUEUES_VERSION, 1, slots, SECTION_OF_SUPERVISOR, 0, 0};

	directory_begin(directory);
	directory_add(directory, &issuing, sizeof(struct issuing));
	directory_add(directory, &plain, plain_region_size(shape->capacity));
	if (slots == 0)
		return;
	directory_add(directory, &players, player_index_size(slots));
	directory_add(directory, &issued, slots * sizeof(struct session_record));
	directory_add(directory, &queues, 3 * (size_t)slots * sizeof(uint32_t));
}

size_t pg_state_size(uint32_t capacity, uint32_t workers, uint32_t issued_capacity)
{
	const struct state_shape shape = {capacity, workers, issued_capacity};
	struct directory directory;

	lay_out(&directory, &shape);
	return directory.size;
}

// ---------------------------------------------------------------- everybody's

/// @return NULL when there is none
static void *only_part(void *state, const char *name)
{
	const struct section *section = directory_find(state, name);

	return section ? section_part(state, section, 0) : NULL;
}

struct plain_region *state_region(void *state, uint32_t worker)
{
	return section_part(state, directory_find(state, "plain"), worker);
}

struct state_parts state_parts(void *state)
{
	struct issuing *issuing = only_part(state, "issuing");
	const struct section *section = directory_find(state, "issued");
	const uint32_t slots = section ? section->slots : 0;
	struct state_parts parts = {
		.issued_capacity = slots,
		.cookie_secret = issuing->cookie_secret,
		.allocator = &issuing->allocator,
		.numbers = session_numbers(slots, issuing->gateway_bits, issuing->gateway_id),
		.deadlines.count = &issuing->allocator.standing,
	};
	uint32_t *queues;

	if (slots == 0)
		return parts;
	queues = only_part(state, "queues");
	parts.players = only_part(state, "players");
	parts.records = section_part(state, section, 0);
	parts.deadlines.heap = queues;
	parts.deadlines.place = queues + slots;
	parts.deadlines.records = parts.records;
	parts.retired = queues + 2 * (size_t)slots;
	return parts;
}

// ---------------------------------------------------------------- the supervisor's

int pg_state_init(void *state, size_t size, uint32_t capacity, uint32_t workers, uint32_t issued_capacity,
		  struct pg_error *error)
{
	const struct state_shape shape = {capacity, workers, issued_capacity};
	struct directory *directory = state, made;
	struct issuing *issuing;

	if (issued_capacity > SESSION_SLOTS_MAX)
		return error_set(error, PG_ERROR_USAGE, "%u sessions to be issued; at most %u can", issued_capacity,
				 SESSION_SLOTS_MAX);
	lay_out(&made, &shape);
	if (size < made.size)
		return error_set(error, PG_ERROR_USAGE, "the session state has %zu bytes, %zu are needed", size,
				 (size_t)made.size);
	if (directory->magic != 0)
		return error_set(error, PG_ERROR_USAGE, "the session state is in use already");
	*directory = made;
	issuing = only_part(state, "issuing");
	issuing->gateway_bits = SESSION_GATEWAY_BITS;
	issuing->gateway_id = SESSION_GATEWAY_ID;
	if (getrandom(issuing->cookie_secret, sizeof(issuing->cookie_secret), 0) != sizeof(issuing->cookie_secret))
		return error_set(error, PG_ERROR_SYSTEM, "the kernel gave no random bytes");
	if (issued_capacity > 0)
		player_index_init(state_parts(state).players, issued_capacity);
	directory->magic = DIRECTORY_MAGIC;
	return PG_OK;
}

int pg_state_gateway(void *state, uint32_t bits, uint32_t id, struct pg_error *error)
{
	struct issuing *issuing = only_part(state, "issuing");
	const struct state_parts parts = state_parts(state);

	if (parts.allocator->used > 0)
		return error_set(error, PG_ERROR_USAGE, "sessions were issued already, under other numbers");
	if (!session_numbers_fit(parts.issued_capacity, bits, id))
		return error_set(
			error, PG_ERROR_USAGE,
			"gateway %u in %u bits of a session's number; with %u sessions at most %u bits can be its", id,
			bits, parts.issued_capacity, session_gateway_bits_most(parts.issued_capacity));
	issuing->gateway_bits = bits;
	issuing->gateway_id = id;
	return PG_OK;
}

// ---------------------------------------------------------------- a worker process's

#define WHAT_TO_DO "restart pollgate, which begins a new one and ends all sessions"

/// Can this build use the section, or begin it anew?
/// @param found  of the state; NULL: it has none
static int check_section(const struct section *wanted, const struct section *found, struct pg_error *error)
{
	if (!found)
		return error_set(error, PG_ERROR_USAGE, "the session state has no section %s; " WHAT_TO_DO,
				 wanted->name);
	if (found->version != wanted->version && wanted->keeper != SECTION_OF_WORKERS)
		return error_set(
			error, PG_ERROR_USAGE,
			"section %s of the session state is of version %u, this build has version %u; " WHAT_TO_DO,
			wanted->name, found->version, wanted->version);
	if (found->parts != wanted->parts || (found->version == wanted->version && found->slots != wanted->slots))
		return error_set(error, PG_ERROR_USAGE, "the session state was made for another configuration");
	if (found->size < wanted->size)
		return error_set(error, PG_ERROR_USAGE,
				 "section %s of the session state has %zu bytes, %zu are needed; " WHAT_TO_DO,
				 wanted->name, (size_t)found->size, (size_t)wanted->size);
	return PG_OK;
}

/// How sessions are numbered is what the supervisor says in the state, so that no other process can be of another mind.
static int check_numbers(void *state, struct pg_error *error)
{
	const struct issuing *issuing = only_part(state, "issuing");
	const struct section *issued = directory_find(state, "issued");
	const uint32_t slots = issued ? issued->slots : 0;

	if (issuing->allocator.used > slots) // up to there workers look for a session
		return error_set(error, PG_ERROR_USAGE,
				 "the session state cannot be read: %u of %u sessions were issued; " WHAT_TO_DO,
				 issuing->allocator.used, slots);
	if (session_numbers_fit(slots, issuing->gateway_bits, issuing->gateway_id))
		return PG_OK;
	return error_set(
		error, PG_ERROR_USAGE,
		"the session state cannot be read: %u sessions of gateway %u in %u bits have no numbers; " WHAT_TO_DO,
		slots, issuing->gateway_id, issuing->gateway_bits);
}

static void note(struct state_dropped *dropped, const struct section *section, uint32_t known)
{
	struct dropped_section *one = &dropped->section[dropped->count++];

	memcpy(one->name, section->name, SECTION_NAME_SIZE);
	one->version = section->version;
	one->known = known;
}

static void set_version(struct section *section, uint32_t version)
{
	__atomic_store_n(&section->version, version, __ATOMIC_RELEASE);
	// Who finds the version finds what was written before it, and nothing that is written behind it.
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/// Another worker process that dies in the middle of it leaves a section that is dropped.
static void begin_anew(void *state, struct section *section, const struct section *wanted)
{
	set_version(section, SECTION_DROPPED);
	memset(section_part(state, section, 0), 0, section->size);
	section->slots = wanted->slots;
	section->keeper = wanted->keeper;
	set_version(section, wanted->version);
}

/// What a worker of another version keeps here, and would take up again when this one is gone, will be old by then.
static void drop_unknown(struct directory *directory, struct directory *wanted, struct state_dropped *dropped)
{
	for (uint32_t i = 0; i < directory->count; i++) {
		struct section *section = &directory->section[i];

		if (section->keeper != SECTION_OF_WORKERS || section->version == SECTION_DROPPED ||
		    directory_find(wanted, section->name))
			continue;
		note(dropped, section, 0);
		set_version(section, SECTION_DROPPED);
	}
}

int state_adopt(void *state, size_t size, const struct state_shape *shape, struct state_dropped *dropped,
		struct pg_error *error)
{
	struct directory *directory = state, wanted;
	const char *fault = directory_fault(directory, size);
	int rc;

	dropped->count = 0;
	if (fault)
		return error_set(error, PG_ERROR_USAGE, "the session state cannot be read: %s; " WHAT_TO_DO, fault);
	lay_out(&wanted, shape);
	for (uint32_t i = 0; i < wanted.count; i++) {
		const struct section *found = directory_find(directory, wanted.section[i].name);

		rc = check_section(&wanted.section[i], found, error);
		if (rc != PG_OK)
			return rc;
	}
	rc = check_numbers(state, error);
	if (rc != PG_OK)
		return rc;
	for (uint32_t i = 0; i < wanted.count; i++) {
		struct section *found = directory_find(directory, wanted.section[i].name);

		if (found->version == wanted.section[i].version)
			continue;
		note(dropped, found, wanted.section[i].version);
		begin_anew(state, found, &wanted.section[i]);
	}
	drop_unknown(directory, &wanted, dropped);
	return PG_OK;
}

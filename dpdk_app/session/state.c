// SPDX-License-Identifier: BSD-3-Clause
// session/state.c: see state.h.

#include "session/state.h"

#include <string.h>

#include "stats/error.h"

// The versions of this build. Another size is another version; so is the same size with another meaning.
// 1 had no gateway in its numbers, 2 all that the supervisor knew of slots, 3 a secret of 16 bytes
#define ISSUING_VERSION 4
static_assert(sizeof(struct issuing_section) == 48, "or ISSUING_VERSION");
#define PLAIN_VERSION 1
static_assert(sizeof(struct plain_session) == 64 && sizeof(struct plain_region) == 64, "or PLAIN_VERSION");
#define PLAYERS_VERSION 1
static_assert(sizeof(struct player_index) == 64, "or PLAYERS_VERSION");
// 1 had nonces, from which keys followed, 2 no count of crashes and one key phase, 3 no worlds
#define ISSUED_VERSION 4
static_assert(sizeof(struct session_record) == 256 && sizeof(struct id_bits) == 32, "or ISSUED_VERSION");
#define NETCODE_VERSION 1
static_assert(sizeof(struct netcode_record) == 512, "or NETCODE_VERSION");
#define NETCODE_TOKENS_VERSION 1
static_assert(sizeof(struct netcode_history) == 320 && sizeof(struct netcode_use) == 64, "or NETCODE_TOKENS_VERSION");

#define NUMBERS_VERSION 1
static_assert(sizeof(struct visible) == 64, "or NUMBERS_VERSION");

#define NUMBERS "numbers"

static void add_netcode(struct directory *directory, uint32_t clients)
{
	const struct section
		records = {"netcode", NETCODE_VERSION, 1, clients, SECTION_OF_WORKERS, 0, 0, 0, 0},
		tokens = {"netcode-tokens", NETCODE_TOKENS_VERSION, 1, clients, SECTION_OF_WORKERS, 0, 0, 0, 0};

	directory_add(directory, &records, clients * sizeof(struct netcode_record));
	directory_add(directory, &tokens, netcode_history_size(clients));
}

void state_lay_out(struct directory *directory, const struct state_shape *shape)
{
	const uint32_t slots = shape->issued_capacity;
	const struct section
		issuing = {"issuing", ISSUING_VERSION, 1, slots, SECTION_OF_SUPERVISOR, 0, 0, 0, 0},
		plain = {"plain", PLAIN_VERSION, shape->workers, shape->capacity, SECTION_OF_WORKERS, 0, 0, 0, 0},
		players = {"players", PLAYERS_VERSION, 1, slots, SECTION_OF_SUPERVISOR, 0, 0, 0, 0},
		issued = {"issued", ISSUED_VERSION, 1, slots, SECTION_OF_SUPERVISOR, 0, 0, 0, 0},
		numbers = {NUMBERS, NUMBERS_VERSION, 1, slots, SECTION_OF_WORKERS, 0, 0, 0, 0};

	directory_begin(directory);
	directory_add(directory, &issuing, sizeof(struct issuing_section));
	directory_add(directory, &plain, plain_region_size(shape->capacity));
	if (slots > 0) {
		directory_add(directory, &players, player_index_size(slots));
		directory_add(directory, &issued, slots * (sizeof(struct session_record) + sizeof(struct id_bits)));
		directory_add(directory, &numbers, visible_size(slots));
	}
	if (shape->netcode_capacity > 0)
		add_netcode(directory, shape->netcode_capacity);
}

struct state_shape state_shape_of(const struct pg_state_plan *plan)
{
	return (struct state_shape){plan->capacity, plan->workers, plan->issued_capacity, plan->netcode_capacity};
}

size_t pg_state_size_for(const struct pg_state_plan *plan)
{
	const struct state_shape shape = state_shape_of(plan);
	struct directory directory;

	state_lay_out(&directory, &shape);
	return directory.size;
}

size_t pg_state_size(uint32_t capacity, uint32_t workers, uint32_t issued_capacity)
{
	const struct pg_state_plan plan = {capacity, workers, issued_capacity, 0};

	return pg_state_size_for(&plan);
}

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
	struct issuing_section *issuing = only_part(state, "issuing");
	const struct section *section = directory_find(state, "issued");
	const uint32_t slots = section ? section->slots : 0;
	struct state_parts parts = {
		.issued_capacity = slots,
		.issuing = issuing,
		.netcode = only_part(state, "netcode"),
		.netcode_history = only_part(state, "netcode-tokens"),
		.numbers = session_numbers(slots, issuing->gateway_bits, issuing->gateway_id),
	};

	if (slots == 0)
		return parts;
	parts.players = only_part(state, "players");
	parts.records = section_part(state, section, 0);
	parts.seen = (struct id_bits *)(parts.records + slots);
	section = directory_find(state, NUMBERS);
	if (section)
		parts.visible = visible_numbers_in(section_part(state, section, 0), slots);
	return parts;
}

// ---------------------------------------------------------------- checking

#define WHAT_TO_DO "restart pollgate, which begins a new one and ends all sessions"

/// Releases that gave no spare numbers did not make it: what they left goes on without.
static bool may_lack(const struct section *wanted)
{
	return strcmp(wanted->name, NUMBERS) == 0;
}

/// Can this build use the section, or begin it anew?
/// @param found  of the state; NULL: it has none
static int check_section(const struct section *wanted, const struct section *found, struct pg_error *error)
{
	if (!found && may_lack(wanted))
		return PG_OK;
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
	const struct issuing_section *issuing = only_part(state, "issuing");
	const struct section *issued = directory_find(state, "issued");
	const uint32_t slots = issued ? issued->slots : 0;

	if (issuing->used > slots) // up to there workers look for a session
		return error_set(error, PG_ERROR_USAGE,
				 "the session state cannot be read: %u of %u sessions were issued; " WHAT_TO_DO,
				 issuing->used, slots);
	if (session_numbers_fit(slots, issuing->gateway_bits, issuing->gateway_id))
		return PG_OK;
	return error_set(
		error, PG_ERROR_USAGE,
		"the session state cannot be read: %u sessions of gateway %u in %u bits have no numbers; " WHAT_TO_DO,
		slots, issuing->gateway_id, issuing->gateway_bits);
}

int state_check(void *state, size_t size, const struct state_shape *shape, struct pg_error *error)
{
	struct directory *directory = state, wanted;
	const char *fault = directory_fault(directory, size);

	if (fault)
		return error_set(error, PG_ERROR_USAGE, "the session state cannot be read: %s; " WHAT_TO_DO, fault);
	state_lay_out(&wanted, shape);
	for (uint32_t i = 0; i < wanted.count; i++) {
		const struct section *found = directory_find(directory, wanted.section[i].name);
		const int rc = check_section(&wanted.section[i], found, error);

		if (rc != PG_OK)
			return rc;
	}
	return check_numbers(state, error);
}

// ---------------------------------------------------------------- taking over

static void set_version(struct section *section, uint32_t version)
{
	__atomic_store_n(&section->version, version, __ATOMIC_RELEASE);
	// Who finds the version finds what was written before it, and nothing that is written behind it.
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/// Noted first, so that a process that dies in the middle of what follows leaves the note.
static void drop(struct section *section)
{
	if (section->untold == 0) // else nobody was told of what was there before, which players may have had
		section->untold = section->version;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	set_version(section, SECTION_DROPPED);
}

/// Another worker process that dies in the middle of it leaves a section that is dropped.
static void begin_anew(void *state, struct section *section, const struct section *wanted)
{
	drop(section);
	memset(section_part(state, section, 0), 0, section->size);
	section->slots = wanted->slots;
	section->keeper = wanted->keeper;
	set_version(section, wanted->version);
}

/// What a worker of another version keeps here, and would take up again when this one is gone, will be old by then.
static void drop_unknown(struct directory *directory, struct directory *wanted)
{
	for (uint32_t i = 0; i < directory->count; i++) {
		struct section *section = &directory->section[i];

		if (section->keeper == SECTION_OF_WORKERS && section->version != SECTION_DROPPED &&
		    !directory_find(wanted, section->name))
			drop(section);
	}
}

static void tell(struct directory *directory, struct directory *wanted, struct state_dropped *dropped)
{
	dropped->count = 0;
	for (uint32_t i = 0; i < directory->count; i++) {
		const struct section *section = &directory->section[i];
		const struct section *ours = directory_find(wanted, section->name);
		struct dropped_section *one = &dropped->section[dropped->count];

		if (section->untold == 0)
			continue;
		memcpy(one->name, section->name, SECTION_NAME_SIZE);
		one->version = section->untold;
		one->known = ours ? ours->version : 0;
		dropped->count++;
	}
}

void state_take(void *state, const struct state_shape *shape, struct state_dropped *dropped)
{
	struct directory *directory = state, wanted;

	state_lay_out(&wanted, shape);
	for (uint32_t i = 0; i < wanted.count; i++) {
		struct section *found = directory_find(directory, wanted.section[i].name);

		if (found && found->version != wanted.section[i].version)
			begin_anew(state, found, &wanted.section[i]);
	}
	drop_unknown(directory, &wanted);
	tell(directory, &wanted, dropped);
}

void pg_state_told(void *state)
{
	struct directory *directory = state;

	for (uint32_t i = 0; i < SECTIONS_MAX; i++) // whatever a worker process says how many there are
		directory->section[i].untold = 0;
}

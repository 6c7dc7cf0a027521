// SPDX-License-Identifier: BSD-3-Clause
// session/vault.c: see vault.h.

#include "session/vault.h"

#include <string.h>

#include "net/route.h"
#include "session/state.h"
#include "session/wheel.h"

static_assert(sizeof(struct cookie_secret) == STATE_COOKIE_SECRET_LEN, "is kept in the state");

void vault_open(struct vault *vault, void *state)
{
	const struct state_parts parts = state_parts(state);

	vault->capacity = parts.issued_capacity;
	vault->used = &parts.desk->used;
	vault->records = parts.records;
	vault->players = parts.players;
	vault->numbers = parts.numbers;
	memcpy(vault->cookies.bytes, parts.cookie_secret, sizeof(vault->cookies.bytes));
}

/// Bytes of each private array.
struct array_sizes {
	size_t lockers, links, routes, ways;
};

static struct array_sizes array_sizes(size_t slots, unsigned reach)
{
	return (struct array_sizes){
		.lockers = whole_lines(slots * sizeof(struct locker)),
		.links = whole_lines(slots * sizeof(struct wheel_link)),
		.routes = reach & VAULT_FRAMES ? whole_lines(slots * sizeof(struct route)) : 0,
		.ways = reach & VAULT_SOCKETS ? whole_lines(slots) : 0,
	};
}

size_t vault_private_size(uint32_t capacity, unsigned reach)
{
	const struct array_sizes size = array_sizes(capacity, reach);

	return size.lockers + size.links + size.routes + size.ways;
}

void vault_furnish(struct vault *vault, void *memory, unsigned reach)
{
	const struct array_sizes size = array_sizes(vault->capacity, reach);
	uint8_t *at = memory;

	vault->lockers = (struct locker *)at;
	at += size.lockers;
	vault->links = (struct wheel_link *)at;
	at += size.links;
	vault->routes = reach & VAULT_FRAMES ? (struct route *)at : NULL;
	at += size.routes;
	vault->ways = reach & VAULT_SOCKETS ? at : NULL;
}

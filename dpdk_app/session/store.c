// SPDX-License-Identifier: BSD-3-Clause
// session/store.c: see store.h.

#include "session/store.h"

#include <string.h>

#include "net/return_headers.h"
#include "session/path.h"
#include "session/state.h"
#include "session/wheel.h"

static_assert(GATEWAY_SECRET_LEN == STATE_SECRET_LEN, "is kept in the state");

void store_open(struct session_store *store, void *state)
{
	struct state_parts parts = state_parts(state);

	// First: whoever finds it unsaid and changes the numbers has changed them before they are copied.
	__atomic_store_n(&parts.issuing->numbered, 1, __ATOMIC_SEQ_CST);
	parts = state_parts(state);
	store->capacity = parts.issued_capacity;
	store->used = &parts.issuing->used;
	store->records = parts.records;
	store->players = parts.players;
	store->seen = parts.seen;
	store->visible = parts.visible;
	store->numbers = parts.numbers;
	gateway_secret_init(&store->secret, parts.issuing->secret);
}

/// Bytes of each private array.
struct array_sizes {
	size_t keys, deliveries, links, paths, return_headers, socket_indices;
};

static struct array_sizes array_sizes(const struct key_places *places, uint32_t slots, unsigned reach)
{
	return (struct array_sizes){
		.keys = key_store_size(places, slots),
		.deliveries = (size_t)slots * sizeof(struct session_delivery),
		.links = whole_lines((size_t)slots * sizeof(struct wheel_link)),
		.paths = whole_lines((size_t)slots * sizeof(struct path_state)),
		.return_headers = reach & STORE_FRAMES ? (size_t)slots * sizeof(struct return_headers) : 0,
		.socket_indices = reach & STORE_SOCKETS ? whole_lines(slots) : 0,
	};
}

size_t store_local_size(uint32_t capacity, unsigned reach)
{
	const struct key_places places = key_places_find(cipher_lines_kept());
	const struct array_sizes size = array_sizes(&places, capacity, reach);

	return size.keys + size.deliveries + size.links + size.paths + size.return_headers + size.socket_indices;
}

void store_attach_local(struct session_store *store, void *memory, unsigned reach)
{
	const struct key_places places = key_places_find(cipher_lines_kept());
	const struct array_sizes size = array_sizes(&places, store->capacity, reach);
	uint8_t *at = memory;

	store->keys = (struct key_store){places, at};
	at += size.keys;
	store->deliveries = (struct session_delivery *)at;
	at += size.deliveries;
	store->links = (struct wheel_link *)at;
	at += size.links;
	store->paths = (struct path_state *)at;
	at += size.paths;
	store->return_headers = reach & STORE_FRAMES ? (struct return_headers *)at : NULL;
	at += size.return_headers;
	store->socket_indices = reach & STORE_SOCKETS ? at : NULL;
}

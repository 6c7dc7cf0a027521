// SPDX-License-Identifier: BSD-3-Clause
// netcode/clients.c: see clients.h.

#include "netcode/clients.h"

#include <immintrin.h>
#include <stdatomic.h>
#include <string.h>

#define TRIES 200 // some microseconds: longer than anybody holds the lock who is not interrupted
#define WORD_BITS 64

static uint32_t words(uint32_t capacity)
{
	return (capacity + WORD_BITS - 1) / WORD_BITS;
}

size_t netcode_clients_size(uint32_t capacity)
{
	return whole_lines(words(capacity) * sizeof(uint64_t)) + places_count(capacity) * sizeof(uint32_t);
}

// ---------------------------------------------------------------- the lock

bool netcode_lock(struct netcode_clients *clients)
{
	for (unsigned i = 0; i < TRIES; i++) {
		if (atomic_exchange_explicit(&clients->lock, 1, memory_order_acquire) == 0)
			return true;
		_mm_pause();
	}
	return false;
}

void netcode_unlock(struct netcode_clients *clients)
{
	atomic_store_explicit(&clients->lock, 0, memory_order_release);
}

// ---------------------------------------------------------------- ids

/// Ids are the studio's to choose, so places are not for others to know.
static uint32_t home_of(const struct netcode_clients *clients, uint64_t client_id)
{
	const struct hash_secret *secret = &clients->secret;

	return (uint32_t)multiply_fold(multiply_fold(client_id ^ secret->address[0], odd(secret->address[1])) ^
					       secret->channel,
				       odd(secret->address[2]));
}

static uint32_t home_of_slot(const void *of, uint32_t slot)
{
	const struct netcode_clients *clients = of;

	return home_of(clients, clients->records[slot].client_id);
}

/// The place of an id, or the free one that it would have.
static uint32_t place_of(const struct netcode_clients *clients, uint64_t client_id)
{
	const uint32_t *ids = clients->ids.place, mask = clients->ids.mask;
	uint32_t place = home_of(clients, client_id) & mask;

	while (ids[place] != 0 && clients->records[ids[place] - 1].client_id != client_id)
		place = (place + 1) & mask;
	return place;
}

uint32_t netcode_client(const struct netcode_clients *clients, uint64_t client_id)
{
	return clients->ids.place[place_of(clients, client_id)] - 1; // of a free place: NETCODE_NONE
}

// ---------------------------------------------------------------- slots

static void occupy(struct netcode_clients *clients, uint32_t slot, uint32_t place)
{
	clients->free[slot / WORD_BITS] &= ~(1ULL << slot % WORD_BITS);
	clients->ids.place[place] = slot + 1;
	clients->connected++;
}

/// @return NETCODE_NONE: there is none
static uint32_t find_free(struct netcode_clients *clients)
{
	const uint32_t count = words(clients->capacity);

	for (uint32_t i = 0; i < count; i++) {
		const uint32_t word = (clients->cursor + i) % count;

		if (clients->free[word] != 0) {
			clients->cursor = word;
			return word * WORD_BITS + (uint32_t)__builtin_ctzll(clients->free[word]);
		}
	}
	return NETCODE_NONE;
}

uint32_t netcode_claim(struct netcode_clients *clients, uint64_t client_id)
{
	const uint32_t slot = find_free(clients);

	if (slot == NETCODE_NONE)
		return slot;
	if (slot >= clients->history->used)
		__atomic_store_n(&clients->history->used, slot + 1, __ATOMIC_RELEASE);
	// Before the place: whoever looks for an id compares the records' own.
	clients->records[slot].client_id = client_id;
	occupy(clients, slot, place_of(clients, client_id));
	return slot;
}

void netcode_release(struct netcode_clients *clients, uint32_t slot)
{
	places_remove(&clients->ids, place_of(clients, clients->records[slot].client_id));
	__atomic_store_n(&clients->records[slot].phase, NETCODE_FREE, __ATOMIC_RELEASE);
	clients->free[slot / WORD_BITS] |= 1ULL << slot % WORD_BITS;
	if (slot / WORD_BITS < clients->cursor) // few pages of records are ever touched
		clients->cursor = slot / WORD_BITS;
	clients->connected--;
}

// ---------------------------------------------------------------- uses of tokens

static struct netcode_use *set_of(const struct netcode_clients *clients, const uint8_t token[NETCODE_TAG_LEN])
{
	uint64_t tag; // of Poly1305, with a key that nobody else has: any bits of it will do

	memcpy(&tag, token, sizeof(tag));
	return &clients->history->use[(tag & clients->use_mask) * NETCODE_USE_WAYS];
}

struct netcode_use *netcode_use_of(struct netcode_clients *clients, const uint8_t token[NETCODE_TAG_LEN])
{
	struct netcode_use *set = set_of(clients, token);

	for (unsigned way = 0; way < NETCODE_USE_WAYS; way++)
		if (set[way].expires_s != 0 && memcmp(set[way].token, token, NETCODE_TAG_LEN) == 0)
			return &set[way];
	return NULL;
}

static struct netcode_use *first_over(struct netcode_use *set)
{
	struct netcode_use *first = set;

	for (unsigned way = 1; way < NETCODE_USE_WAYS; way++)
		if (set[way].expires_s < first->expires_s)
			first = &set[way];
	return first;
}

struct netcode_use *netcode_use(struct netcode_clients *clients, const uint8_t token[NETCODE_TAG_LEN],
				uint64_t expires_s, const struct peer *peer, uint64_t now_s)
{
	struct netcode_use *use = netcode_use_of(clients, token);

	if (use)
		return peer_equal(&use->peer, peer) ? use : NULL;
	use = first_over(set_of(clients, token));
	__atomic_store_n(&use->expires_s, 0, __ATOMIC_RELEASE); // a crash in between forgets it
	memcpy(use->token, token, NETCODE_TAG_LEN);
	use->peer = *peer;
	use->next_sequence = netcode_first_sequence(now_s);
	__atomic_store_n(&use->expires_s, expires_s, __ATOMIC_RELEASE);
	return use;
}

// ---------------------------------------------------------------- a new process

/// A record that was being written, or whose fields cannot be, is no client.
static void adopt(struct netcode_clients *clients, uint32_t slot)
{
	struct netcode_record *record = &clients->records[slot];
	uint32_t place;

	if (record->phase == NETCODE_FREE)
		return;
	place = place_of(clients, record->client_id);
	if (record->phase > NETCODE_LEAVING || record->owner >= PG_WORKERS_MAX || clients->ids.place[place] != 0) {
		record->phase = NETCODE_FREE;
		return;
	}
	netcode_window_distrust(&record->window);
	if (!netcode_player_has(record->player, slot)) // of a release that had no game processes for clients
		record->player = netcode_player_next(0, slot);
	occupy(clients, slot, place);
}

static void free_all(struct netcode_clients *clients)
{
	const uint32_t last = clients->capacity % WORD_BITS;

	memset(clients->free, 0xff, words(clients->capacity) * sizeof(uint64_t));
	if (last != 0)
		clients->free[words(clients->capacity) - 1] = (1ULL << last) - 1;
}

/// Both parts of the private memory.
static uint32_t *ids_behind_bits(void *memory, uint32_t capacity)
{
	return (uint32_t *)((uint8_t *)memory + whole_lines(words(capacity) * sizeof(uint64_t)));
}

void netcode_clients_open(struct netcode_clients *clients, struct netcode_record *records, uint32_t capacity,
			  struct netcode_history *history, void *memory, const struct hash_secret *secret)
{
	*clients = (struct netcode_clients){
		.capacity = capacity,
		.use_mask = netcode_history_uses(capacity) / NETCODE_USE_WAYS - 1,
		.records = records,
		.history = history,
		.free = memory,
		.ids = {ids_behind_bits(memory, capacity), places_count(capacity) - 1, home_of_slot, clients},
		.secret = *secret,
	};
	free_all(clients);
}

void netcode_clients_adopt(struct netcode_clients *clients)
{
	const uint32_t used = clients->history->used < clients->capacity ? clients->history->used : clients->capacity;

	if (clients->adopted)
		return;
	for (uint32_t slot = 0; slot < used; slot++)
		adopt(clients, slot);
	clients->adopted = true;
}

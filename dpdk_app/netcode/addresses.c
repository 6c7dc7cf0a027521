// SPDX-License-Identifier: BSD-3-Clause
// netcode/addresses.c: see addresses.h.

#include "netcode/addresses.h"

#include <string.h>

size_t address_index_size(uint32_t capacity)
{
	return places_count(capacity) * sizeof(uint32_t);
}

static uint32_t home_of(const struct address_index *index, const struct peer *peer)
{
	return (uint32_t)(peer_hash(peer, &index->secret) >> 32);
}

static uint32_t home_of_slot(const void *of, uint32_t slot)
{
	const struct address_index *index = of;

	return home_of(index, &index->records[slot].peer);
}

void address_index_init(struct address_index *index, uint32_t *memory, uint32_t capacity,
			const struct netcode_record *records, const struct hash_secret *secret)
{
	*index = (struct address_index){
		.places = {memory, places_count(capacity) - 1, home_of_slot, index},
		.records = records,
		.secret = *secret,
	};
}

/// The place of an address, or the free one that it would have.
static uint32_t place_of(const struct address_index *index, const struct peer *peer)
{
	const uint32_t *places = index->places.place, mask = index->places.mask;
	uint32_t place = home_of(index, peer) & mask;

	while (places[place] != 0 && !peer_equal(&index->records[places[place] - 1].peer, peer))
		place = (place + 1) & mask;
	return place;
}

uint32_t address_index_find(const struct address_index *index, const struct peer *peer)
{
	return index->places.place[place_of(index, peer)] - 1; // of a free place: ADDRESS_NONE
}

void address_index_add(struct address_index *index, uint32_t slot)
{
	index->places.place[place_of(index, &index->records[slot].peer)] = slot + 1;
}

void address_index_remove(struct address_index *index, uint32_t slot)
{
	const uint32_t place = place_of(index, &index->records[slot].peer);

	if (index->places.place[place] == slot + 1)
		places_remove(&index->places, place);
}

// ---------------------------------------------------------------- attempts

struct attempt *attempts_of(struct attempts *attempts, const struct peer *peer, const struct hash_secret *secret)
{
	return attempts->set[(peer_hash(peer, secret) >> 32) % ATTEMPT_SETS];
}

struct attempt *attempt_place(struct attempt *set, const struct peer *peer, const uint8_t token[NETCODE_TAG_LEN],
			      uint64_t now)
{
	struct attempt *first = set;

	for (unsigned way = 0; way < ATTEMPT_WAYS; way++)
		if (attempt_is(&set[way], peer, now) && memcmp(set[way].token, token, NETCODE_TAG_LEN) == 0)
			return &set[way];
	for (unsigned way = 1; way < ATTEMPT_WAYS; way++)
		if (set[way].over < first->over)
			first = &set[way];
	return first;
}

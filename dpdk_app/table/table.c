// SPDX-License-Identifier: BSD-3-Clause
// table/table.c: see table.h.

#include "table/table.h"

#include <string.h>

#define WAYS_FILLED 5 // of PLAIN_WAYS, on average, in a full table

uint32_t plain_bucket_count(uint32_t capacity)
{
	return capacity / WAYS_FILLED + 2;
}

size_t plain_index_size(uint32_t capacity)
{
	return plain_bucket_count(capacity) * sizeof(struct plain_bucket) + (size_t)capacity * sizeof(uint32_t);
}

size_t plain_region_size(uint32_t capacity)
{
	return sizeof(struct plain_region) + (size_t)capacity * sizeof(struct plain_session);
}

// ---------------------------------------------------------------- index

static uint32_t next_bucket(const struct plain_table *table, uint32_t bucket)
{
	return bucket + 1 == table->bucket_count ? 0 : bucket + 1;
}

static int free_way(const struct plain_bucket *bucket)
{
	for (int way = 0; way < PLAIN_WAYS; way++)
		if (bucket->tag[way] == 0)
			return way;
	return -1;
}

/// There is always room: the table holds at most WAYS_FILLED of PLAIN_WAYS.
static void index_insert(struct plain_table *table, uint32_t slot)
{
	const uint64_t hash = peer_hash(&table->records[slot].peer, &table->secret);
	uint32_t at = plain_home(table, hash);
	int way;

	while ((way = free_way(&table->buckets[at])) < 0) {
		table->buckets[at].passed++;
		at = next_bucket(table, at);
	}
	table->buckets[at].tag[way] = plain_tag(hash);
	table->buckets[at].slot[way] = slot;
}

static int way_of_slot(const struct plain_bucket *bucket, uint32_t slot)
{
	for (int way = 0; way < PLAIN_WAYS; way++)
		if (bucket->tag[way] != 0 && bucket->slot[way] == slot)
			return way;
	return -1;
}

static void index_remove(struct plain_table *table, uint32_t slot)
{
	uint32_t at = plain_home(table, peer_hash(&table->records[slot].peer, &table->secret));
	int way;

	while ((way = way_of_slot(&table->buckets[at], slot)) < 0) {
		table->buckets[at].passed--;
		at = next_bucket(table, at);
	}
	table->buckets[at].tag[way] = 0;
}

static uint32_t find_in_bucket(const struct plain_table *table, const struct plain_bucket *bucket, uint16_t tag,
			       const struct peer *peer)
{
	for (unsigned way = 0; way < PLAIN_WAYS; way++)
		if (bucket->tag[way] == tag && peer_equal(&table->records[bucket->slot[way]].peer, peer))
			return bucket->slot[way];
	return PLAIN_NONE;
}

uint32_t plain_find(const struct plain_table *table, const struct peer *peer)
{
	const uint64_t hash = peer_hash(peer, &table->secret);
	const uint16_t tag = plain_tag(hash);
	uint32_t at = plain_home(table, hash);

	// In a small full table every bucket may have been passed: once round is enough.
	for (uint32_t seen = 0; seen < table->bucket_count; seen++) {
		const struct plain_bucket *bucket = &table->buckets[at];
		const uint32_t slot = find_in_bucket(table, bucket, tag, peer);

		if (slot != PLAIN_NONE || bucket->passed == 0)
			return slot;
		at = next_bucket(table, at);
	}
	return PLAIN_NONE;
}

uint32_t plain_owner(const struct plain_registry *registry, uint32_t self, uint32_t port_bit, const struct peer *peer)
{
	for (uint32_t i = 0; i < registry->tables; i++) {
		if (i == self || !(registry->ports[i] & port_bit))
			continue;

		const struct plain_table *table = __atomic_load_n(&registry->table[i], __ATOMIC_ACQUIRE);

		if (table && plain_find(table, peer) != PLAIN_NONE)
			return i;
	}
	return PLAIN_NONE;
}

// ---------------------------------------------------------------- slots

/// The stores between begin and end reach memory in program order, so a new worker that finds an odd generation
/// knows that the record is not whole.
static void record_begin(struct plain_session *record)
{
	record->generation |= 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void record_end(struct plain_session *record)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	record->generation++;
}

static void record_clear(struct plain_session *record)
{
	record_begin(record);
	record->active = 0;
	record_end(record);
}

static void publish_active(struct plain_table *table)
{
	counter_set(table->active, table->region->high_water - table->free_count);
}

static uint32_t take_slot(struct plain_table *table)
{
	if (table->free_count > 0)
		return table->free_slots[--table->free_count];
	return table->region->high_water < table->capacity ? table->region->high_water++ : PLAIN_NONE;
}

static void give_slot_back(struct plain_table *table, uint32_t slot)
{
	table->free_slots[table->free_count++] = slot;
	publish_active(table);
}

/// Sessions of all tables.
static uint64_t total_active(const struct plain_registry *registry)
{
	uint64_t active = 0;

	for (uint32_t i = 0; i < registry->tables; i++)
		active += counter_get(registry->active[i]);
	return active;
}

/// A worker counts its session before it looks whether there was room: of two that want the last place at once, neither overlooks
/// the other. Both may be refused then, and who comes next has the place.
/// @return PLAIN_NONE: all tables together are full
static uint32_t reserve_slot(struct plain_table *table)
{
	const struct plain_registry *registry = table->registry;
	const uint32_t slot = total_active(registry) < registry->capacity ? take_slot(table) : PLAIN_NONE;

	if (slot == PLAIN_NONE)
		return PLAIN_NONE;
	publish_active(table);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (likely(total_active(registry) <= registry->capacity))
		return slot;
	give_slot_back(table, slot);
	return PLAIN_NONE;
}

uint32_t plain_admit(struct plain_table *table, const struct peer *peer, uint32_t player_id, uint64_t now)
{
	const uint32_t slot = reserve_slot(table);

	if (slot == PLAIN_NONE)
		return PLAIN_NONE;

	struct plain_session *record = &table->records[slot];

	record_begin(record);
	record->peer = *peer;
	record->player_id = player_id;
	record->received = 0;
	record->last_seen = now;
	record->motion_version = 0;
	memset(&record->motion, 0, sizeof(record->motion));
	record->active = 1;
	record_end(record);
	index_insert(table, slot);
	return slot;
}

void plain_remove(struct plain_table *table, uint32_t slot)
{
	if (table->removed)
		table->removed(table->context, slot);
	index_remove(table, slot);
	record_clear(&table->records[slot]);
	give_slot_back(table, slot);
}

uint32_t plain_expire(struct plain_table *table, uint64_t now, uint64_t idle_timeout, uint32_t budget)
{
	uint32_t freed = 0;

	const uint32_t high_water = table->region->high_water;

	if (budget > high_water)
		budget = high_water;
	while (budget-- > 0) {
		const uint32_t slot = table->cursor;
		const struct plain_session *record = &table->records[slot];

		table->cursor = slot + 1 >= high_water ? 0 : slot + 1;
		prefetch(&table->records[table->cursor]);
		// Another lcore's TSC may be a little ahead: the difference is signed.
		if (record->active && (int64_t)(now - record->last_seen) > (int64_t)idle_timeout) {
			plain_remove(table, slot);
			freed++;
		}
	}
	return freed;
}

// ---------------------------------------------------------------- start

/// Take over what a dead worker left in a slot: a whole session, or a slot to free.
static bool adopt(struct plain_session *record, uint64_t now)
{
	if (record->generation & 1)
		record_clear(record);
	if (!record->active)
		return false;
	if (record->motion_version & 1) { // the player's next MOVE tells again
		memset(&record->motion, 0, sizeof(record->motion));
		record->motion_version++;
	}
	if (record->last_seen > now)
		record->last_seen = now;
	return true;
}

uint32_t plain_table_init(struct plain_table *table, struct plain_region *region, uint32_t capacity, void *index,
			  const struct plain_registry *registry, uint64_t *active, const struct hash_secret *secret,
			  uint64_t now)
{
	uint32_t adopted = 0;

	*table = (struct plain_table){
		.region = region,
		.records = region->records,
		.buckets = index,
		.free_slots = (uint32_t *)((struct plain_bucket *)index + plain_bucket_count(capacity)),
		.capacity = capacity,
		.bucket_count = plain_bucket_count(capacity),
		.registry = registry,
		.secret = *secret,
		.active = active,
	};
	if (region->high_water > capacity)
		region->high_water = capacity;
	for (uint32_t slot = 0; slot < region->high_water; slot++) {
		if (adopt(&table->records[slot], now)) {
			index_insert(table, slot);
			adopted++;
		} else {
			table->free_slots[table->free_count++] = slot;
		}
	}
	publish_active(table);
	return adopted;
}

// SPDX-License-Identifier: BSD-3-Clause
// session/renames.c: see renames.h.
//
// A crash may come between any two stores. A change of number is one store, to `at`: what was the spare is the number then, and
// what is made from it afterwards can be made again. The place behind it is emptied before.

#include "session/renames.h"

#include <string.h>

#include "session/relay.h"

#define BEFORE_S 3

/// A draw finds no place three times in four at most: so many in a row do not, unless somebody wrote into the table.
#define DRAWS_MOST 256

/// The numbers of the latest connection, if they are here.
/// @return NULL: it is seen under the number issued, and has no spare
static struct visible *numbers_of(const struct session_store *store, uint32_t slot)
{
	const struct session_record *record = &store->records[slot];
	struct visible *visible = store->visible.of ? &store->visible.of[slot] : NULL;

	if (!visible || visible->session == 0 || visible->connection != record->connections ||
	    __atomic_load_n(&record->number, __ATOMIC_ACQUIRE) != visible->session)
		return NULL;
	return visible;
}

static bool before_is_over(const struct visible *visible, uint64_t now)
{
	return (int64_t)(now - visible->before_until) >= 0;
}

/// It lies in no table.
static bool is_number_issued(const struct visible *visible, const struct visible_number *place)
{
	return place->number == visible->session;
}

/// @return false: there was none to be found
static bool draw_spare(struct session_shard *shard, uint32_t slot)
{
	const struct session_store *store = shard->store;
	struct visible *visible = &store->visible.of[slot];
	uint32_t random[3];

	for (unsigned i = 0; i < DRAWS_MOST; i++) {
		random_draw(&shard->random, (uint8_t *)random, sizeof(random));
		if (visible_enter(&store->visible, &store->numbers, store->records, store->used, slot,
				  visible_spare(visible), random))
			return true;
	}
	return false;
}

// ---------------------------------------------------------------- the life of a connection

void renames_begin(struct session_shard *shard, uint32_t slot)
{
	const struct session_store *store = shard->store;
	const struct session_record *record = &store->records[slot];
	struct visible *visible;

	if (!store->visible.of)
		return;
	visible = &store->visible.of[slot];
	visible->session = 0;
	record_in_order();
	for (unsigned i = 0; i < VISIBLE_PLACES; i++)
		visible_remove(&store->visible, slot, &visible->place[i]);
	visible->at = 0;
	visible->away = false;
	*visible_now(visible) = (struct visible_number){.number = record->number};
	visible->connection = record->connections;
	visible->told = true; // by WELCOME
	draw_spare(shard, slot);
	record_in_order();
	visible->session = record->number;
}

void renames_resume(struct session_shard *shard, uint32_t slot, uint64_t now)
{
	const struct session_store *store = shard->store;
	struct session_record *record = &store->records[slot];
	struct visible *visible = numbers_of(store, slot);

	if (!visible) {
		if (record->phase == RECORD_RENAMED) // nobody knows under which
			record_set_phase(record, RECORD_LOST);
		return;
	}
	if (!visible_is_entered(&store->visible, slot, visible_spare(visible)))
		visible_spare(visible)->number = 0;
	if (is_number_issued(visible, visible_now(visible)))
		return;
	if (record->phase == RECORD_CONNECTED)
		record_set_phase(record, RECORD_RENAMED);
	visible->before_until = now + BEFORE_S * shard->tsc_hz;
	visible->told = false; // if it was, it may have been lost with the process
}

struct visible_number renames_spare(const struct session_store *store, uint32_t slot)
{
	struct visible *visible = numbers_of(store, slot);

	return visible ? *visible_spare(visible) : (struct visible_number){.number = 0};
}

bool renames_has(const struct session_store *store, uint32_t slot, uint32_t number, uint64_t now, uint32_t *offset)
{
	struct visible *visible = numbers_of(store, slot);

	*offset = 0;
	if (!visible)
		return store->records[slot].number == number;
	for (unsigned i = 0; i < VISIBLE_PLACES; i++) {
		const struct visible_number *place = &visible->place[i];

		if (place->number != number || (place == visible_before(visible) && before_is_over(visible, now)))
			continue;
		*offset = place->offset[0];
		return true;
	}
	return false;
}

struct visible_as renames_as(const struct session_store *store, uint32_t slot, bool home, uint64_t now)
{
	struct visible *visible = numbers_of(store, slot);
	const struct visible_number *place;

	if (!visible)
		return (struct visible_as){store->records[slot].number, 0};
	place = visible_now(visible);
	if (home && visible->away && !before_is_over(visible, now) && visible_before(visible)->number != 0)
		place = visible_before(visible);
	return (struct visible_as){place->number, place->offset[1]};
}

void renames_moved(const struct session_store *store, uint32_t slot)
{
	if (store->visible.of)
		store->visible.of[slot].away = false;
}

// ---------------------------------------------------------------- another number

void renames_take(struct session_shard *shard, uint32_t slot, uint32_t number, bool home, uint64_t now)
{
	const struct session_store *store = shard->store;
	struct visible *visible = numbers_of(store, slot);

	if (!visible || number == 0 || visible_spare(visible)->number != number)
		return;
	visible_remove(&store->visible, slot, visible_before(visible));
	visible->before_until = now + BEFORE_S * shard->tsc_hz;
	visible->away = !home;
	visible->told = false;
	record_in_order();
	visible->at = (uint8_t)((visible->at + 1U) % VISIBLE_PLACES);
	record_in_order();
	record_set_phase(&store->records[slot], RECORD_RENAMED);
	counter_add(&shard->stats->number_changes, 1);
	renames_tell(shard, slot, now);
}

void renames_tell(struct session_shard *shard, uint32_t slot, uint64_t now)
{
	struct visible *visible = numbers_of(shard->store, slot);
	struct session_number body;
	struct outgoing message = {
		.type = SESSION_NUMBER,
		.channel = SESSION_CHANNEL_UNORDERED,
		.reliable = true,
		.priority = PRIORITY_NORMAL,
		.body = (const uint8_t *)&body,
		.length = sizeof(body),
	};

	if (!visible || visible->told || (visible_spare(visible)->number == 0 && !draw_spare(shard, slot)))
		return;
	body.spare = visible_spare(visible)->number;
	memcpy(body.offset, visible_spare(visible)->offset, sizeof(body.offset));
	// If there is no memory for it, the next sweep does.
	visible->told = delivery_queue(&shard->ctx, store_delivery(shard->store, slot), &message, now) == PG_LOSS_NONE;
	session_note(shard, slot, true);
}

// SPDX-License-Identifier: BSD-3-Clause
// game/events.c: see events.h.

#include "game/events.h"

#include <string.h>

#include "bus/wait.h"
#include "game/clients.h"

ALWAYS_INLINE bool is_set(uint32_t bits, unsigned bit)
{
	return bits >> bit & 1;
}

/// A record for a process; a link that turns out to be broken gets none from now on.
static void *reserve(struct game *game, unsigned process, uint32_t length, enum game_event_type type)
{
	struct game_link *link = game->link[process];
	void *body = link_reserve(link, length, type);

	if (likely(body != NULL))
		game->filled |= 1U << process;
	else if (unlikely(link->out.fault != RING_SOUND) && is_set(game->linked, process))
		game_give_up(game, process, ring_fault_text(link->out.fault));
	return body;
}

// ---------------------------------------------------------------- messages

static void lose(struct game *game, unsigned process, enum pg_process_loss why)
{
	counter_add(&game->counts[process].lost[why], 1);
}

static enum pg_process_loss why_not(const struct game *game, unsigned process, uint32_t length)
{
	if (!is_set(game->linked, process))
		return game->link[process] ? PG_PROCESS_LOSS_BROKEN : PG_PROCESS_LOSS_AWAY;
	if (length > game->link[process]->out.longest)
		return PG_PROCESS_LOSS_TOO_LONG;
	return is_set(game->present, process) ? PG_PROCESS_LOSS_FULL : PG_PROCESS_LOSS_AWAY;
}

ALWAYS_INLINE struct game_message *offer(struct game *game, unsigned process, uint32_t body_length)
{
	const uint32_t length = (uint32_t)sizeof(struct game_message) + body_length;
	struct game_message *record = NULL;

	counter_add(&game->counts[process].offered, 1);
	if (likely(is_set(game->linked, process)))
		record = reserve(game, process, length, GAME_MESSAGE);
	if (likely(record != NULL))
		return record;
	lose(game, process, why_not(game, process, length));
	if (is_set(game->linked, process))
		ring_miss(&game->link[process]->out);
	return NULL;
}

struct game_message *game_offer(struct game *game, unsigned process, uint32_t length)
{
	return offer(game, process, length);
}

void game_forward(struct game *game, unsigned process, uint32_t player, const struct delivered *message)
{
	struct game_message *record = offer(game, process, message->length);

	if (unlikely(!record))
		return;
	*record = (struct game_message){
		.player = player,
		.type = message->type,
		.channel = message->channel,
		.flags = message->reliable ? GAME_RELIABLE : 0,
		.priority = message->priority,
	};
	if (message->length != 0)
		memcpy(record->body, message->body, message->length);
	game->link[process]->delivered++;
}

// ---------------------------------------------------------------- who is in

/// What a process hears of players must be whole: if there was no room for it, it is told all of it anew.
static void list_anew(struct game *game, unsigned process)
{
	if (!is_set(game->linked, process))
		return;
	game->link[process]->cursor = 0;
	game->listing |= 1U << process;
}

static bool tell_joined(struct game *game, unsigned process, uint32_t slot, enum game_how how)
{
	const struct session_record *record = &game->shard->store->records[slot];
	struct game_joined *joined = reserve(game, process, sizeof(*joined), GAME_JOINED);

	if (!joined)
		return false;
	*joined = (struct game_joined){
		.player = record->player_id,
		.session = record->number,
		.port = game->port[peer_listener(&record->peer)],
		.profile = PG_PROFILE_SESSION,
		.how = (uint8_t)how,
	};
	return true;
}

uint32_t game_hearers(const struct game *game, uint32_t place, unsigned listener, uint32_t share)
{
	uint32_t found = 0;

	for (uint32_t left = game->present; left != 0; left &= left - 1) {
		const unsigned process = (unsigned)__builtin_ctz(left);

		if (place + 1 < game->link[process]->cursor && game_hears(game->routes, process, listener, share))
			found |= 1U << process;
	}
	return found;
}

static uint32_t hearers(const struct game *game, uint32_t slot)
{
	const struct session_record *record = &game->shard->store->records[slot];

	return game_hearers(game, slot, peer_listener(&record->peer), record->player_id);
}

void *game_reserve(struct game *game, unsigned process, uint32_t length, enum game_event_type type)
{
	return reserve(game, process, length, type);
}

void *game_tell(struct game *game, unsigned process, uint32_t length, enum game_event_type type)
{
	void *record = reserve(game, process, length, type);

	if (unlikely(!record))
		list_anew(game, process);
	return record;
}

void game_joined(struct game *game, uint32_t slot)
{
	for (uint32_t left = hearers(game, slot); left != 0; left &= left - 1) {
		const unsigned process = (unsigned)__builtin_ctz(left);

		if (!tell_joined(game, process, slot, GAME_JOINED_NOW))
			list_anew(game, process);
	}
}

void game_left(struct game *game, uint32_t slot, enum session_close_reason why)
{
	const struct session_record *record = &game->shard->store->records[slot];

	for (uint32_t left = game->linked; left != 0; left &= left - 1)
		groups_forget(&game->link[__builtin_ctz(left)]->groups, slot);
	for (uint32_t left = hearers(game, slot); left != 0; left &= left - 1) {
		const unsigned process = (unsigned)__builtin_ctz(left);
		struct game_left *gone = game_tell(game, process, sizeof(*gone), GAME_LEFT);

		if (gone)
			*gone = (struct game_left){
				.player = record->player_id, .session = record->number, .why = (uint8_t)why};
	}
}

static bool is_in(const struct game *game, uint32_t slot)
{
	const struct session_record *record = &game->shard->store->records[slot];

	return record_owner(record) == game->shard->worker && record_is_connected(record);
}

static void begin_listing(struct game *game, unsigned process)
{
	if (reserve(game, process, 0, GAME_LISTING))
		game->link[process]->cursor = 1;
}

/// @return false: there is no room for it now
static bool list_slot(struct game *game, unsigned process, uint32_t slot)
{
	const struct session_record *record;

	if (slot >= game->first_client)
		return clients_list(game, process, slot - game->first_client);
	record = &game->shard->store->records[slot];
	if (!is_in(game, slot) || !game_hears(game->routes, process, peer_listener(&record->peer), record->player_id))
		return true;
	return tell_joined(game, process, slot, GAME_JOINED_BEFORE);
}

/// The first slot from this one on that may be a player's, of whatever profile.
/// @return UINT32_MAX: there is none
static uint32_t next_slot(const struct game *game, uint32_t slot)
{
	if (game->shard && slot < store_used(game->shard->store))
		return slot;
	if (slot < game->first_client)
		slot = game->first_client;
	return game->netcode && slot - game->first_client < netcode_used(&game->netcode->store->clients) ? slot :
													   UINT32_MAX;
}

void game_list(struct game *game, unsigned process, uint32_t slots)
{
	struct game_link *link = game->link[process];
	uint32_t slot;

	if (link->cursor == 0)
		begin_listing(game, process);
	if (link->cursor == 0)
		return;
	slot = next_slot(game, link->cursor - 1);
	while (slot != UINT32_MAX && slots-- > 0 && list_slot(game, process, slot)) {
		link->cursor = slot + 2;
		slot = next_slot(game, slot + 1);
	}
	if (slot != UINT32_MAX || !reserve(game, process, 0, GAME_LISTED))
		return;
	link->cursor = LINK_LISTED;
	game->listing &= ~(1U << process);
}

// ---------------------------------------------------------------- where they are

static uint32_t positions_for(const struct game *game, unsigned process, struct game_position *out)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < game->moved_count; i++) {
		const struct session_record *record = &game->shard->store->records[game->moved[i]];

		if (!is_in(game, game->moved[i]) ||
		    !game_hears(game->routes, process, peer_listener(&record->peer), record->player_id))
			continue;
		out[n].player = record->player_id;
		memcpy(out[n].position, &record->motion, sizeof(record->motion));
		n++;
	}
	return n;
}
static_assert(sizeof(struct motion) == sizeof(float[6]), "position and velocity");

static void tell_moved(struct game *game, unsigned process)
{
	struct game_position position[GAME_MOVED_MAX];
	const uint32_t n = positions_for(game, process, position);
	struct game_position *record;

	if (n == 0)
		return;
	record = reserve(game, process, n * (uint32_t)sizeof(*record), GAME_MOVED);
	if (record)
		memcpy(record, position, n * sizeof(*record));
	counter_add(record ? &game->counts[process].positions : &game->counts[process].positions_lost, n);
}

void game_tell_moved(struct game *game)
{
	for (uint32_t left = game->movers & game->linked; left != 0; left &= left - 1)
		tell_moved(game, (unsigned)__builtin_ctz(left));
	game->moved_count = 0;
}

void game_tell_quality(struct game *game, unsigned process, const struct game_quality *quality)
{
	struct game_quality *record = reserve(game, process, sizeof(*record), GAME_QUALITY);

	if (record)
		*record = *quality;
}

// ---------------------------------------------------------------- seen

void game_publish_to(struct game *game, unsigned process)
{
	struct game_link *link = game->link[process];

	ring_commit_with(&link->out, link->delivered);
	counter_set(&game->counts[process].delivered, link->delivered);
	ring_wake(&link->out);
}

void game_publish(struct game *game)
{
	if (game->moved_count != 0)
		game_tell_moved(game);
	for (uint32_t left = game->filled & game->linked; left != 0; left &= left - 1)
		game_publish_to(game, (unsigned)__builtin_ctz(left));
	game->filled = 0;
}

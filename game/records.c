// SPDX-License-Identifier: BSD-3-Clause
// records.c: events of the records of a worker. Each field is read once, and no length is believed but the ring's.

#include "game.h"

static_assert(sizeof(struct pgg_position) == sizeof(struct game_position), "positions are read where they lie");
static_assert((int)PGG_HOW_NOW == GAME_JOINED_NOW && (int)PGG_HOW_BEFORE == GAME_JOINED_BEFORE, "as in bus/records.h");
static_assert(PGG_PAYLOAD == GAME_TYPE_PAYLOAD && PGG_PAYLOAD_MAX == GAME_PAYLOAD_MAX &&
		      PGG_USER_DATA_MAX == GAME_USER_DATA,
	      "likewise");
static_assert((int)PGG_URGENT == 0 && (int)PGG_NORMAL == 1 && (int)PGG_BULK == 2, "as in delivery/outbound.h");

static int cannot_be(pgg *game, const struct worker *worker, const struct ring_message *record)
{
	game_over(game, PGG_DETACHED, PGG_ENDED, "worker %u wrote a record of type %u with %u bytes, which is none",
		  worker->number, record->type, record->length);
	return -1;
}

static uint16_t place_of(const pgg *game, const struct worker *worker)
{
	for (uint16_t i = 0; i < game->workers; i++)
		if (game->worker[i] == worker)
			return i;
	return NO_WORKER;
}

/// Whoever is somewhere else than before, or in another session.
static bool is_another(const struct player *player, uint16_t worker, uint32_t session)
{
	return !player->is_named || player->worker != worker || player->session != session;
}

static int on_joined(pgg *game, struct worker *worker, const struct game_joined *joined, struct pgg_event *event)
{
	const uint32_t number = joined->player, session = joined->session;
	const uint8_t how = joined->how == GAME_JOINED_BEFORE ? PGG_HOW_BEFORE : PGG_HOW_NOW;
	const uint8_t profile = joined->profile;
	const uint16_t place = place_of(game, worker);
	struct player *player = number != 0 ? players_add(&game->players, number) : NULL;
	bool another;

	if (!player) {
		game_over(game, PGG_DETACHED, PGG_MEMORY, "no memory for player %u, the %uth", number,
			  game->players.count + 1);
		return -1;
	}
	another = is_another(player, place, session);
	game->players.named += !player->is_named;
	*player = (struct player){number, session, worker->generation, place, profile, .is_named = true};
	event->type = PGG_JOINED;
	event->player = number;
	event->as.joined.session = session;
	event->as.joined.port = joined->port;
	event->as.joined.profile = profile;
	event->as.joined.client = number;
	event->as.joined.user_data = NULL;
	event->as.joined.how = another ? how : (uint8_t)PGG_HOW_AGAIN;
	// The worker lists them all again when it could not tell everything: who is named a second time is no news.
	return another || how == PGG_HOW_NOW || worker->was_replaced;
}

/// Of profile netcode, with what its connect token says.
static int on_joined_client(pgg *game, struct worker *worker, const struct game_joined_client *joined,
			    struct pgg_event *event)
{
	const int result = on_joined(game, worker, &joined->joined, event);

	if (result > 0) {
		event->as.joined.client = joined->client;
		event->as.joined.user_data = joined->user_data;
	}
	return result;
}

static int on_left(pgg *game, const struct worker *worker, const struct game_left *left, struct pgg_event *event)
{
	const uint32_t number = left->player, session = left->session;
	struct player *player = players_find(&game->players, number);

	if (!player || is_another(player, place_of(game, worker), session))
		return 0; // has come back, maybe to another worker, or was never named
	players_leave(&game->players, player);
	event->type = PGG_LEFT;
	event->player = number;
	event->as.left.session = session;
	event->as.left.why = left->why;
	return 1;
}

/// Before the first list: from the time when nobody read, by players who are named only then. They can be answered.
static int meet(pgg *game, const struct worker *worker, uint32_t number)
{
	struct player *player = players_find(&game->players, number);

	if (number == 0 || player)
		return 1;
	player = players_add(&game->players, number);
	if (!player) {
		game_over(game, PGG_DETACHED, PGG_MEMORY, "no memory for player %u", number);
		return -1;
	}
	player->worker = place_of(game, worker);
	player->generation = worker->generation;
	return 1;
}

ALWAYS_INLINE int on_message(pgg *game, const struct worker *worker, const struct ring_message *record,
			     struct pgg_event *event)
{
	const struct game_message *said = record->body;
	const uint8_t priority = said->priority;

	event->type = PGG_MESSAGE;
	event->player = said->player;
	event->as.message.type = said->type;
	event->as.message.reliable = (said->flags & GAME_RELIABLE) != 0;
	event->as.message.channel = said->channel % SESSION_CHANNELS;
	event->as.message.priority = priority <= PGG_BULK ? priority : (uint8_t)PGG_BULK;
	event->as.message.sender = event->player;
	event->as.message.body = said->body;
	event->as.message.length = record->length - (uint32_t)sizeof(*said);
	return likely(worker->is_listed) ? 1 : meet(game, worker, event->player);
}

static int on_quality(const struct game_quality *quality, struct pgg_event *event)
{
	event->type = PGG_QUALITY;
	event->player = quality->player;
	event->as.quality.cookie = quality->cookie;
	event->as.quality.round_trip_us = quality->round_trip_us;
	event->as.quality.deviation_us = quality->deviation_us;
	event->as.quality.sent = quality->sent;
	event->as.quality.lost = quality->lost;
	return 1;
}

static int on_refused(const struct game_refused *refused, struct pgg_event *event)
{
	if (refused->world[sizeof(refused->world) - 1] != 0)
		return 0;
	event->type = PGG_ENTITY_REFUSED;
	event->player = 0;
	event->as.refused.entity = refused->entity;
	event->as.refused.why = refused->why;
	event->as.refused.world = refused->world;
	return 1;
}

static int on_found(const struct ring_message *record, struct pgg_event *event)
{
	const struct game_found *found = record->body;

	event->type = PGG_FOUND;
	event->player = 0;
	event->as.found.cookie = found->cookie;
	event->as.found.became = found->became;
	event->as.found.parts = found->parts;
	event->as.found.count = (uint16_t)((record->length - sizeof(*found)) / sizeof(struct pgg_found));
	event->as.found.tick = found->tick;
	event->as.found.newest = found->newest;
	event->as.found.total = found->total;
	event->as.found.at = (const void *)(found + 1);
	return 1;
}

static int on_moved(const struct ring_message *record, struct pgg_event *event)
{
	event->type = PGG_MOVED;
	event->player = 0;
	event->as.moved.at = record->body;
	event->as.moved.count = record->length / (uint32_t)sizeof(struct pgg_position);
	return event->as.moved.count > 0;
}

static int on_gap(pgg *game, const struct worker *worker, const struct ring_message *record, struct pgg_event *event)
{
	event->type = PGG_GAP;
	event->player = 0;
	event->as.gap.process = NULL;
	event->as.gap.worker = worker->number;
	event->as.gap.messages = record->length;
	game->statistics.missing += record->length;
	return 1;
}

/// Every type's shortest and longest body. Positions: as many as there are.
static bool length_fits(const struct ring_message *record)
{
	switch (record->type) {
	case GAME_MESSAGE:
		return record->length >= sizeof(struct game_message) &&
		       record->length <= sizeof(struct game_message) + SESSION_MESSAGE_MAX;
	case GAME_MOVED:
		return record->length % sizeof(struct game_position) == 0;
	case GAME_JOINED:
		return record->length == sizeof(struct game_joined) ||
		       record->length == sizeof(struct game_joined_client);
	case GAME_LEFT:
		return record->length == sizeof(struct game_left);
	case GAME_REFUSED:
		return record->length == sizeof(struct game_refused);
	case GAME_FOUND:
		return record->length >= sizeof(struct game_found) &&
		       record->length <= sizeof(struct game_found) + GAME_SEARCH_MOST * sizeof(struct game_found_one) &&
		       (record->length - sizeof(struct game_found)) % sizeof(struct game_found_one) == 0;
	case GAME_QUALITY:
		return record->length == sizeof(struct game_quality);
	case GAME_LISTING:
	case GAME_LISTED:
		return true;
	default:
		return false;
	}
}

static int take_rarer(pgg *game, struct worker *worker, const struct ring_message *record, struct pgg_event *event)
{
	switch (record->type) {
	case GAME_JOINED:
		return record->length == sizeof(struct game_joined) ?
			       on_joined(game, worker, record->body, event) :
			       on_joined_client(game, worker, record->body, event);
	case GAME_LEFT:
		return on_left(game, worker, record->body, event);
	case GAME_MOVED:
		return on_moved(record, event);
	case GAME_REFUSED:
		return on_refused(record->body, event);
	case GAME_FOUND:
		return on_found(record, event);
	case GAME_QUALITY:
		return on_quality(record->body, event);
	case GAME_LISTING:
		worker->generation++;
		return 0;
	default: // GAME_LISTED
		worker->is_sweeping = true;
		worker->sweep_at = 0;
		worker->sweep_version = game->players.version;
		return 0;
	}
}

int take_record(pgg *game, struct worker *worker, const struct ring_message *record, struct pgg_event *event)
{
	if (unlikely(record->kind == RING_GAP))
		return on_gap(game, worker, record, event);
	if (unlikely(!length_fits(record)))
		return cannot_be(game, worker, record);
	if (likely(record->type == GAME_MESSAGE))
		return on_message(game, worker, record, event);
	return take_rarer(game, worker, record, event);
}

static void end_sweep(struct worker *worker)
{
	worker->is_sweeping = false;
	worker->is_listed = true;
	worker->was_replaced = false;
}

bool sweep(pgg *game, struct worker *worker, struct pgg_event *event)
{
	struct players *players = &game->players;
	const uint16_t place = place_of(game, worker);

	if (worker->sweep_version != players->version) { // they have other places
		worker->sweep_version = players->version;
		worker->sweep_at = 0;
	}
	while (worker->sweep_at < players->size) {
		struct player *player = &players->slot[worker->sweep_at];
		const struct player was = *player;

		if (was.player == 0 || was.is_leaving || was.worker != place || was.generation == worker->generation) {
			worker->sweep_at++;
			continue;
		}
		players_leave(players, player);
		if (!was.is_named)
			continue;
		*event = (struct pgg_event){.type = PGG_LEFT, .player = was.player};
		event->as.left.session = was.session;
		event->as.left.why = GAME_LEFT_UNKNOWN;
		return true;
	}
	*event = (struct pgg_event){.type = PGG_LISTED};
	event->as.listed.worker = worker->number;
	end_sweep(worker);
	return false;
}

// SPDX-License-Identifier: BSD-3-Clause
// world.c: what the gateway tells of who is near, for the game: in metres, by the client's clock.

#include "client.h"

#include <stdlib.h>
#include <string.h>

#define UM_PER_M 1e6
#define MM_PER_M 1e3
#define MS_PER_S 1e3

static struct world_view_rules rules_of(const struct pgc_options *options)
{
	return (struct world_view_rules){
		.delay_ns = options->world_delay_ms * NS_PER_MS,
		.extrapolate_ns = options->world_extrapolate_ms * NS_PER_MS,
		.glimpses = options->world_glimpses,
	};
}

bool world_make(pgc_client *client)
{
	const struct world_view_rules rules = rules_of(&client->options);

	if (!client->options.world)
		return true;
	client->world = malloc(world_view_size(&rules));
	if (client->world)
		world_view_make(client->world, &rules);
	return client->world;
}

void world_end(pgc_client *client)
{
	if (client->world)
		world_view_end(client->world);
}

void world_take(pgc_client *client, const struct delivered *message)
{
	const uint32_t datagram = client->taken_counter;
	struct world_known known;

	if (message->type == SESSION_WORLD_STATE)
		world_view_apply(client->world, message->body, message->length, datagram, client->taken_came);
	else if (world_known_read(message->body, message->length, &known))
		world_view_begin(client->world, &known, datagram);
	else
		client->world->counts.malformed++;
}

void world_statistics(const pgc_client *client, struct pgc_statistics *out)
{
	const struct world_counts *counts = client->world ? &client->world->counts : &(struct world_counts){0};

	out->world_states = counts->states;
	out->world_skipped = counts->other_epoch + counts->malformed + counts->undecodable + counts->impossible +
			     counts->late + counts->stateless;
}

// ---------------------------------------------------------------- events

bool world_has_events(const pgc_client *client)
{
	return client->world && world_view_has_news(client->world);
}

static struct pgc_entity entity_of(const struct world_entity *who, unsigned slot)
{
	return (struct pgc_entity){who->number, who->identity, who->sort == WORLD_PLAYER, (uint8_t)slot};
}

static double metres(const struct world_known *world, double quanta)
{
	return quanta * world->quantum_um / UM_PER_M;
}

static float place(const struct world_known *world, unsigned axis, double quanta)
{
	return (float)(world->low_mm[axis] / MM_PER_M + metres(world, quanta));
}

static void tell_world(const struct world_known *world, struct pgc_event *event)
{
	event->type = PGC_EVENT_WORLD;
	event->as.world.name = world->name;
	event->as.world.radius = (float)metres(world, world->radius);
	event->as.world.slots = world->slots;
	event->as.world.tick_hz = world->tick_hz;
	for (unsigned axis = 0; axis < 3; axis++)
		event->as.world.low[axis] = place(world, axis, 0);
}

static void tell_state(const struct world_slot *slot, unsigned index, struct pgc_event *event)
{
	event->type = PGC_EVENT_STATE;
	event->as.state.entity = entity_of(&slot->who, index);
	event->as.state.version = slot->game.version;
	event->as.state.bytes = slot->game.bytes;
	event->as.state.data = slot->game.data;
}

/// The lowest slot of a set, which is taken out of it.
static unsigned first_of(uint32_t *slots)
{
	const unsigned slot = (unsigned)__builtin_ctz(*slots);

	*slots &= *slots - 1;
	return slot;
}

/// Who left is told first, then where one is, then who is there.
bool world_next_event(pgc_client *client, struct pgc_event *event)
{
	struct world_view *view = client->world;
	unsigned slot;

	if (!world_has_events(client))
		return false;
	memset(event, 0, sizeof(*event));
	if (view->news.left) {
		event->type = PGC_EVENT_LEAVE;
		slot = first_of(&view->news.left);
		event->as.entity = entity_of(&view->news.who[slot], slot);
	} else if (view->news.world) {
		view->news.world = false;
		tell_world(&view->world, event);
	} else if (view->news.entered) {
		event->type = PGC_EVENT_ENTER;
		slot = first_of(&view->news.entered);
		event->as.entity = entity_of(&view->slot[slot].who, slot);
	} else {
		slot = first_of(&view->news.game);
		tell_state(&view->slot[slot], slot, event);
	}
	return true;
}

// ---------------------------------------------------------------- looking

bool world_shown(const pgc_client *client, uint32_t player, struct attack_view *out)
{
	const struct world_view *view = client->world;
	struct world_moment_shown shown;

	if (!view || !view->world.any || !world_view_shown(view, player, client_now(client), &shown))
		return false;
	*out = (struct attack_view){.tick = (uint16_t)shown.tick, .parts = shown.parts};
	return true;
}

float world_metres(const pgc_client *client, uint32_t quanta)
{
	return client->world && client->world->world.any ? (float)metres(&client->world->world, quanta) : 0;
}

static uint32_t ms_of(const struct world_known *world, double ticks)
{
	const double ms = ticks * MS_PER_S / world->tick_hz;

	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

static void tell_own_state(const struct world_slot *slot, struct pgc_sight *out)
{
	static_assert(sizeof(out->state) == sizeof(slot->game.data), "all of it");
	out->state_bytes = slot->game_any ? slot->game.bytes : 0;
	memset(out->state, 0, sizeof(out->state));
	memcpy(out->state, slot->game.data, out->state_bytes);
}

static void tell_seen(const struct world_view *view, unsigned slot, uint64_t at_ns, struct pgc_sight *out)
{
	const struct world_known *world = &view->world;
	const struct world_seen seen = world_view_seen(view, slot, at_ns);
	const double parts = WORLD_VELOCITY_PARTS >> world_velocity_shift(world->tick_hz);

	out->entity = entity_of(&view->slot[slot].who, slot);
	tell_own_state(&view->slot[slot], out);
	out->beyond_ms = ms_of(world, seen.beyond);
	for (unsigned axis = 0; axis < 3; axis++) {
		out->position[axis] = place(world, axis, seen.position[axis]);
		out->velocity[axis] = (float)(metres(world, seen.velocity[axis]) / parts * world->tick_hz);
	}
}

size_t pgc_in_sight(const pgc_client *client, uint64_t at_ns, struct pgc_sight *out)
{
	const struct world_view *view = client->world;
	const uint64_t at = at_ns != 0 ? at_ns : client_now(client);
	size_t found = 0;

	if (!view || !view->world.any)
		return 0;
	for (unsigned slot = 0; slot < WORLD_SLOTS_MAX; slot++)
		if (view->slot[slot].occupied)
			tell_seen(view, slot, at, &out[found++]);
	return found;
}
static_assert(PGC_IN_SIGHT_MAX == WORLD_SLOTS_MAX, "all who are in sight");

size_t pgc_glimpses(const pgc_client *client, uint64_t at_ns, struct pgc_glimpse *out, size_t room)
{
	const struct world_view *view = client->world;
	const uint64_t at = at_ns != 0 ? at_ns : client_now(client);
	size_t found = 0;

	if (!view || !view->world.any)
		return 0;
	for (size_t i = 0; i < (size_t)view->glimpse_sets * GLIMPSE_WAYS && found < room; i++) {
		const struct world_glimpsed *glimpse = &view->glimpse[i];

		if (glimpse->number == WORLD_UNKNOWN || world_view_has_slot(view, glimpse->number))
			continue;
		out[found++] = (struct pgc_glimpse){
			.number = glimpse->number,
			.position = {place(&view->world, 0, glimpse->x), place(&view->world, 1, glimpse->y)},
			.age_ms = ms_of(&view->world, world_view_age(view, glimpse->tick, at)),
		};
	}
	return found;
}

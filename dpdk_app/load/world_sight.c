// SPDX-License-Identifier: BSD-3-Clause
// load/world_sight.c: see world_sight.h.

#include "load/world_sight.h"

#include <string.h>

#include "wire/plain.h"

#define SOMEBODY_BYTES 22
#define SPARE_BYTES 8

/// So many are told in an answer of this length at least.
static uint32_t room_for(size_t asked_bytes, size_t about)
{
	const size_t taken = sizeof(struct plain_sight) + about + sizeof(struct world_state) + SPARE_BYTES;

	return taken < asked_bytes ? (uint32_t)((asked_bytes - taken) / SOMEBODY_BYTES) : 0;
}

/// Nothing is against what was told before.
static bool is_whole(const struct world_body *body, const struct world_known *world)
{
	for (unsigned i = 0; i < WORLD_SLOTS_MAX; i++)
		if (body->game[i].told ||
		    (body->slot[i].what != WORLD_TOLD_NOTHING && body->slot[i].what != WORLD_TOLD_FULL))
			return false;
	return body->strips == 0 && body->tick == (uint16_t)world->tick;
}

static bool read_state(const uint8_t *body, size_t length, const struct world_known *world, struct world_view *view)
{
	const uint64_t malformed = view->counts.malformed, others = view->counts.other_epoch;

	world_view_end(view);
	world_view_begin(view, world, 1);
	world_view_apply(view, body, length, 1, 1);
	return view->counts.malformed == malformed && view->counts.other_epoch == others &&
	       is_whole(&view->body, world);
}

bool world_sight_read(const uint8_t *answer, size_t length, size_t asked_bytes, struct world_view *view,
		      struct world_sight *sight)
{
	const uint8_t *rest = answer + sizeof(struct plain_sight);
	struct plain_sight head;
	struct world_known world;
	size_t left;

	if (length < sizeof(head) || length > asked_bytes)
		return false;
	memcpy(&head, answer, sizeof(head));
	left = length - sizeof(head);
	if (head.header.packet_size != length || head.is_there > 1 || head.about > left)
		return false;
	sight->is_there = head.is_there;
	memcpy(sight->motion, &head.motion, sizeof(sight->motion));
	sight->most = room_for(asked_bytes, head.about);
	sight->view = NULL;
	if (head.about == 0)
		return left == 0;
	if (!world_known_read(rest, head.about, &world) || world.epoch != head.epoch)
		return false;
	left -= head.about;
	if (left == 0)
		return true;
	if (!head.is_there || !read_state(rest + head.about, left, &world, view))
		return false;
	sight->view = view;
	return true;
}

// SPDX-License-Identifier: BSD-3-Clause
// game_events.h: events of pollgate_game.h in the form in which Python takes them. It becomes a part of the extension.

#include "pollgate_game.h"

struct game_detail {
	uint32_t number[4];
	const char *text;
	const char *topic;
	const void *at;
	uint32_t count;
	uint64_t client;
};

_Static_assert(sizeof(struct pgg_event) == 40 && offsetof(struct pgg_event, as.message.type) == 8 &&
		       offsetof(struct pgg_event, as.message.sender) == 12 &&
		       offsetof(struct pgg_event, as.message.body) == 16 &&
		       offsetof(struct pgg_event, as.message.length) == 24,
	       "pyshim/game/batch.py reads columns");

static void game_detail(const struct pgg_event *event, struct game_detail *out)
{
	*out = (struct game_detail){{0}, 0, 0, 0, 0, 0};
	switch (event->type) {
	case PGG_JOINED:
		out->number[0] = event->as.joined.session;
		out->number[1] = event->as.joined.port;
		out->number[2] = event->as.joined.profile;
		out->number[3] = event->as.joined.how;
		out->client = event->as.joined.client;
		out->at = event->as.joined.user_data;
		out->count = out->at ? PGG_USER_DATA_MAX : 0;
		break;
	case PGG_LEFT:
		out->number[0] = event->as.left.session;
		out->number[1] = event->as.left.why;
		break;
	case PGG_MOVED:
		out->at = event->as.moved.at;
		out->count = event->as.moved.count;
		break;
	case PGG_QUALITY:
		out->number[0] = event->as.quality.cookie;
		out->number[1] = event->as.quality.round_trip_us;
		out->number[2] = event->as.quality.deviation_us;
		out->number[3] = event->as.quality.sent;
		out->count = event->as.quality.lost;
		break;
	case PGG_LISTED:
		out->number[0] = event->as.listed.worker;
		break;
	case PGG_ENTITY_REFUSED:
		out->number[0] = event->as.refused.entity;
		out->number[1] = event->as.refused.why;
		out->text = event->as.refused.world;
		break;
	case PGG_FOUND:
		out->number[0] = event->as.found.cookie;
		out->number[1] = event->as.found.became | (uint32_t)event->as.found.parts << 8;
		out->number[2] = event->as.found.tick;
		out->number[3] = event->as.found.newest;
		out->client = event->as.found.total;
		out->at = event->as.found.at;
		out->count = event->as.found.count;
		break;
	case PGG_GAP:
	case PGG_SPOILT:
		out->text = event->as.gap.process;
		out->number[0] = event->as.gap.worker;
		out->number[1] = event->as.gap.messages;
		break;
	case PGG_POST:
	case PGG_PUBLISHED:
		out->text = event->as.post.process;
		out->topic = event->as.post.topic;
		out->at = event->as.post.body;
		out->count = event->as.post.length;
		break;
	case PGG_END:
	case PGG_DETACHED:
		out->text = event->as.ended.text;
		break;
	default:
		break;
	}
}

static int game_poll(pgg *game, struct pgg_event *events, int n, const void **memory, size_t *bytes)
{
	const int found = pgg_poll_ring(game, events, n, memory, bytes);

	for (int i = 0; i < found; i++)
		if (events[i].type == PGG_MESSAGE)
			events[i].as.message.body =
				(const void *)((const char *)events[i].as.message.body - (const char *)*memory);
	return found;
}

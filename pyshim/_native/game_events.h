// SPDX-License-Identifier: BSD-3-Clause
// game_events.h: events of pollgate_game.h in the form in which Python takes them. It becomes a part of the extension.

#include "pollgate_game.h"

struct game_detail {
	uint32_t number[4];
	const char *text;
	const char *topic;
	const void *at;
	uint32_t count;
};

_Static_assert(sizeof(struct pgg_event) == 40 && offsetof(struct pgg_event, as.message.type) == 8 &&
		       offsetof(struct pgg_event, as.message.sender) == 12 &&
		       offsetof(struct pgg_event, as.message.body) == 16 &&
		       offsetof(struct pgg_event, as.message.length) == 24,
	       "pyshim/game/batch.py reads columns");

static void game_detail(const struct pgg_event *event, struct game_detail *out)
{
	*out = (struct game_detail){{0}, 0, 0, 0, 0};
	switch (event->type) {
	case PGG_JOINED:
		out->number[0] = event->as.joined.session;
		out->number[1] = event->as.joined.port;
		out->number[2] = event->as.joined.profile;
		out->number[3] = event->as.joined.how;
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

/// Where bodies lie, and what else there is.
struct game_found {
	const void *memory; // of the ring
	size_t bytes;
	size_t first, end; // of messages' bodies in it
	bool others;       // not messages all of them
	bool is_over;      // nothing follows
};

static void game_measure(const struct pgg_event *event, struct game_found *found)
{
	const size_t at = (size_t)((const char *)event->as.message.body - (const char *)found->memory);

	if (at < found->first)
		found->first = at;
	if (at + event->as.message.length > found->end)
		found->end = at + event->as.message.length;
}

/// Bodies become places behind the first of them.
static int game_poll(pgg *game, struct pgg_event *events, int n, struct game_found *found)
{
	const int count = pgg_poll_ring(game, events, n, &found->memory, &found->bytes);

	found->first = found->bytes;
	found->end = 0;
	found->others = false;
	for (int i = 0; i < count; i++)
		if (events[i].type == PGG_MESSAGE)
			game_measure(&events[i], found);
		else
			found->others = true;
	if (found->end == 0)
		found->first = 0;
	for (int i = 0; i < count; i++)
		if (events[i].type == PGG_MESSAGE)
			events[i].as.message.body = (const void *)((const char *)events[i].as.message.body -
								   (const char *)found->memory - found->first);
	found->is_over = count > 0 && (events[count - 1].type == PGG_END || events[count - 1].type == PGG_DETACHED);
	return count;
}

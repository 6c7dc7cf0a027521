// SPDX-License-Identifier: BSD-3-Clause
// poll.c: events, from each ring in turn.

#include "game.h"

#include <stdlib.h>
#include <string.h>

#define POLLS_PER_LOOK 64 // at the socket, while there is always something to read

/// A worker or a process, with its ring.
struct turn {
	pgg *game;
	struct source *source;
	struct pgg_event *event;
	int room;
	int found;
};

// ---------------------------------------------------------------- of processes

static const char *topic_of(const pgg *game, const char *name)
{
	for (unsigned i = 0; i < game->topics; i++)
		if (memcmp(game->topic[i], name, ATTACH_NAME_MAX) == 0)
			return game->topic[i];
	return NULL;
}

static int take_gap(pgg *game, const struct peer *peer, const struct ring_message *record, struct pgg_event *event)
{
	*event = (struct pgg_event){.type = PGG_GAP};
	event->as.gap.process = peer->name;
	event->as.gap.messages = record->length;
	game->statistics.missing += record->length;
	return 1;
}

static int take_of_peer(pgg *game, const struct peer *peer, const struct ring_message *record, struct pgg_event *event)
{
	const char *body = record->body;
	char topic[ATTACH_NAME_MAX];

	if (record->kind == RING_GAP)
		return take_gap(game, peer, record, event);
	*event = (struct pgg_event){.type = PGG_POST};
	event->as.post.process = peer->name;
	event->as.post.body = body;
	event->as.post.length = record->length;
	if (record->type == PEER_POST)
		return 1;
	if (record->type != PEER_PUBLISHED || record->length < sizeof(topic))
		return -1;
	memcpy(topic, body, sizeof(topic));
	event->type = PGG_PUBLISHED;
	event->as.post.topic = topic_of(game, topic);
	event->as.post.body = body + sizeof(topic);
	event->as.post.length = record->length - (uint32_t)sizeof(topic);
	return event->as.post.topic != NULL; // no longer subscribed
}

// ---------------------------------------------------------------- a ring

/// One more event, or none. The record that it was made of is consumed, and all before it.
static void add_event(struct turn *turn, int made)
{
	turn->game->event_end[turn->found] = turn->source->taken_end;
	turn->found += made;
}

static bool refill(struct turn *turn)
{
	struct source *source = turn->source;
	const int found = ring_peek(&source->reader, source->peeked, PEEKED_MAX);

	source->taken = 0;
	source->count = found > 0 ? (unsigned)found : 0;
	return found > 0;
}

static void consumed(struct source *source)
{
	source->taken_end = source->peeked[source->taken].end;
	source->has_taken = true;
	source->taken++;
}

static void read_worker(struct turn *turn, struct worker *worker)
{
	struct source *source = turn->source;

	while (turn->found < turn->room) {
		struct pgg_event *event = &turn->event[turn->found];
		int result;

		if (unlikely(worker->is_sweeping)) {
			(void)sweep(turn->game, worker, event);
			add_event(turn, 1);
			continue;
		}
		if (source->taken == source->count && !refill(turn))
			break;
		result = take_record(turn->game, worker, &source->peeked[source->taken], event);
		consumed(source);
		if (unlikely(result < 0))
			return;
		add_event(turn, result);
	}
	if (unlikely(source->reader.fault != RING_SOUND && source->taken == source->count))
		game_over(turn->game, PGG_DETACHED, PGG_ENDED, "the ring of worker %u: %s", worker->number,
			  ring_fault_text(source->reader.fault));
}

static void read_peer(struct turn *turn, const struct peer *peer)
{
	struct source *source = turn->source;

	while (turn->found < turn->room && !source->is_spoilt) {
		int result;

		if (source->taken == source->count && !refill(turn))
			break;
		result = take_of_peer(turn->game, peer, &source->peeked[source->taken], &turn->event[turn->found]);
		consumed(source);
		if (result < 0)
			source_spoil(source);
		else
			add_event(turn, result);
	}
	if (source->reader.fault != RING_SOUND && source->taken == source->count)
		source_spoil(source);
	if (source->is_spoilt && !source->is_told && turn->found < turn->room) {
		source->is_told = true;
		turn->event[turn->found] = (struct pgg_event){.type = PGG_SPOILT};
		turn->event[turn->found].as.gap.process = peer->name;
		add_event(turn, 1);
	}
}

static void read_source(struct turn *turn, unsigned at)
{
	struct source *source = turn->game->source[at];

	turn->source = source;
	source->first_event = (unsigned)turn->found;
	if (source->worker)
		read_worker(turn, source->worker);
	else
		read_peer(turn, source->peer);
	source->events = (unsigned)turn->found - source->first_event;
}

// ---------------------------------------------------------------- all of them

static void go_on(pgg *game)
{
	for (unsigned i = 0; i < game->sources; i++)
		if (!source_go_on(game, game->source[i]))
			game_over(game, PGG_DETACHED, PGG_ENDED, "a ring that goes on with another: %s",
				  ring_fault_text(game->source[i]->reader.fault));
}

static int tell_over(pgg *game, struct pgg_event *event)
{
	*event = (struct pgg_event){.type = game->over_type};
	event->as.ended.text = game->over_text;
	game->over = OVER_TOLD;
	return 1;
}

/// @param only  out: the ring that they are of; NULL: of all
static int read_all(pgg *game, struct pgg_event *events, int n, const struct source **only)
{
	struct turn turn = {.game = game, .event = events, .room = n};
	const unsigned first = game->turn++;

	for (unsigned i = 0; i < game->sources && turn.found < n; i++) {
		read_source(&turn, (first + i) % game->sources);
		if (!only || turn.found == 0)
			continue;
		*only = turn.source;
		break;
	}
	game->statistics.events += (uint64_t)turn.found;
	return turn.found;
}

static bool event_ends_grow(pgg *game, int n)
{
	uint64_t *larger = realloc(game->event_end, (size_t)n * sizeof(*larger));

	if (!larger)
		return false;
	game->event_end = larger;
	game->event_ends = n;
	return true;
}

static int poll_events(pgg *game, struct pgg_event *events, int n, const struct source **only)
{
	int found;

	if (unlikely(*game->alive == 0))
		return PGG_FORKED;
	if (unlikely(game->over == OVER_TOLD))
		return PGG_ENDED;
	if (!events || n < 1)
		return refuse(game, PGG_ARGUMENT, "events: %d, allowed are 1 and more", events ? n : 0);
	if (unlikely(n > game->event_ends) && !event_ends_grow(game, n))
		return PGG_MEMORY;
	give_back(game);
	flush(game);
	if (unlikely(game->given_up != 0))
		peers_let_go(game);
	if (game->over != OVER_NOT && game->polls_since_over++ > 0)
		return tell_over(game, events); // who writes without end shall not keep it from being told
	if (game->polls++ % POLLS_PER_LOOK == 0)
		packets_take(game);
	go_on(game);
	found = read_all(game, events, n, only);
	if (found == 0) {
		game->polls = 0; // look at the socket the next time, too: there is time
		packets_take(game);
		give_back(game);
		go_on(game);
		found = read_all(game, events, n, only); // what came before an end is told before it
	}
	if (unlikely(game->over != OVER_NOT) && found < n)
		found += tell_over(game, events + found);
	return found;
}

int pgg_poll(pgg *game, struct pgg_event *events, int n)
{
	return poll_events(game, events, n, NULL);
}

int pgg_poll_ring(pgg *game, struct pgg_event *events, int n, const void **memory, size_t *bytes)
{
	const struct source *only = NULL;
	const int found = poll_events(game, events, n, &only);

	*memory = only ? only->now.theirs.at : NULL;
	*bytes = only ? only->now.theirs.bytes : 0;
	return found;
}

// SPDX-License-Identifier: BSD-3-Clause
// processes.c: what game processes say to each other: posts, and what is published to a topic.

#include "game.h"

#include <string.h>

#define NS_PER_MS 1000000ULL

// ---------------------------------------------------------------- a ring to a process

/// The gateway makes it at the first use, and gives it to both.
static int open_ring(pgg *game, const char *name)
{
	const uint64_t until = clock_ns() + game->options.timeout_ms * NS_PER_MS;
	struct attach_pair open = {.head = attach_head(ATTACH_OPEN)};
	const uint32_t number = game->asked + 1;
	int result;

	memcpy(open.name, name, strlen(name));
	result = packets_send(game, &open, sizeof(open));
	if (result != PGG_OK)
		return result;
	game->asked = number;
	while ((int32_t)(game->answered - number) < 0)
		if (!packets_wait(game, until))
			return game->over == OVER_NOT ? PGG_LATE : PGG_ENDED;
	return game->was_nobody ? refuse(game, PGG_NOT_HERE, "process: nobody has the name `%s`", name) : PGG_OK;
}

static int check_name(pgg *game, const char *what, const char *name)
{
	if (name_fits(name))
		return PGG_OK;
	return refuse(game, PGG_ARGUMENT, "%s: `%.64s`, allowed are 1 to %d letters, digits, `-`, `_` and `.`", what,
		      name ? name : "", ATTACH_NAME_MAX - 1);
}

/// @param sink  out
static int ring_to(pgg *game, const char *name, struct sink **sink)
{
	const struct peer *peer;
	int result;

	result = check_name(game, "process", name);
	if (result != PGG_OK)
		return result;
	if (strcmp(name, game->name) == 0)
		return refuse(game, PGG_ARGUMENT, "process: `%s`, which is this one", name);
	peer = peer_find(game, name);
	if (!peer || !peer->sink.attached) {
		result = open_ring(game, name);
		peer = peer_find(game, name);
		if (result == PGG_OK && peer && peer->sink.is_spoilt)
			return refuse_spoilt(game, peer);
		if (result != PGG_OK || !peer || !peer->sink.attached)
			return result != PGG_OK ? result : refuse(game, PGG_NOT_HERE, "process: `%s` is gone", name);
	}
	*sink = (struct sink *)&peer->sink;
	return PGG_OK;
}

int pgg_post_reserve(pgg *game, const char *process, uint32_t length, void **body)
{
	int result = check_alive(game);
	struct sink *sink;

	if (result == PGG_OK)
		result = ring_to(game, process, &sink);
	if (result == PGG_OK)
		result = sink_reserve(game, sink, PEER_POST, length, body);
	return result;
}

int pgg_post(pgg *game, const char *process, const void *body, uint32_t length)
{
	void *at;
	int result = check_body(game, &(struct pgg_message){.body = body, .length = length});

	if (result == PGG_OK)
		result = pgg_post_reserve(game, process, length, &at);

	if (result == PGG_OK && length > 0)
		memcpy(at, body, length);
	return result;
}

// ---------------------------------------------------------------- topics

/// FNV-1a: the gateway knows a topic by it. Names are compared by who reads.
static uint32_t hash_of(const char *topic)
{
	uint32_t hash = 2166136261U;

	for (; *topic != 0; topic++)
		hash = (hash ^ (uint8_t)*topic) * 16777619U;
	return hash;
}

static int publish_to(pgg *game, const char *process, const char *topic, const void *body, uint32_t length)
{
	struct sink *sink;
	char *at;
	void *record;
	int result = ring_to(game, process, &sink);

	if (result == PGG_OK)
		result = sink_reserve(game, sink, PEER_PUBLISHED, ATTACH_NAME_MAX + length, &record);
	if (result != PGG_OK)
		return result;
	at = record;
	strncpy(at, topic, ATTACH_NAME_MAX); // fills up with zeros
	if (length > 0)
		memcpy(at + ATTACH_NAME_MAX, body, length);
	return PGG_OK;
}

int pgg_publish(pgg *game, const char *topic, const void *body, uint32_t length)
{
	int result = check_alive(game), reached = 0;
	uint32_t hash;

	if (result != PGG_OK)
		return result;
	result = check_name(game, "topic", topic);
	if (result == PGG_OK)
		result = check_body(game, &(struct pgg_message){.body = body, .length = length});
	if (result != PGG_OK)
		return result;
	if ((uint64_t)length + ATTACH_NAME_MAX > game->ring_bytes / 4)
		return refuse(game, PGG_TOO_LONG, "body: %u bytes, allowed are %u, by game.ring_kib", length,
			      game->ring_bytes / 4 - ATTACH_NAME_MAX);
	packets_take(game); // who subscribed just now is told, too
	hash = hash_of(topic);
	for (unsigned i = 0; i < game->readers; i++)
		if (game->reader[i].topic == hash)
			reached +=
				publish_to(game, game->peer[game->reader[i].peer]->name, topic, body, length) == PGG_OK;
	return game->over == OVER_NOT ? reached : PGG_ENDED;
}

static int topic_place(const pgg *game, const char *topic)
{
	for (unsigned i = 0; i < game->topics; i++)
		if (strcmp(game->topic[i], topic) == 0)
			return (int)i;
	return -1;
}

static int say_topic(pgg *game, const char *topic, bool on)
{
	const struct attach_topic said = {.head = attach_head(ATTACH_TOPIC), .topic = hash_of(topic), .on = on};

	return packets_send(game, &said, sizeof(said));
}

int pgg_subscribe(pgg *game, const char *topic)
{
	int result = check_alive(game);

	if (result != PGG_OK)
		return result;
	result = check_name(game, "topic", topic);
	if (result != PGG_OK)
		return result;
	if (topic_place(game, topic) >= 0)
		return PGG_OK;
	if (game->topics == PGG_TOPICS_MAX)
		return refuse(game, PGG_TOO_MANY, "topics: %u, allowed are no more", PGG_TOPICS_MAX);
	result = say_topic(game, topic, true);
	if (result != PGG_OK)
		return result;
	memset(game->topic[game->topics], 0, ATTACH_NAME_MAX);
	memcpy(game->topic[game->topics++], topic, strlen(topic));
	return PGG_OK;
}

int pgg_unsubscribe(pgg *game, const char *topic)
{
	int result = check_alive(game);
	int place;

	if (result != PGG_OK)
		return result;
	result = check_name(game, "topic", topic);
	if (result != PGG_OK)
		return result;
	place = topic_place(game, topic);
	if (place < 0)
		return refuse(game, PGG_ARGUMENT, "topic: `%s`, to which this process does not subscribe", topic);
	result = say_topic(game, topic, false);
	if (result == PGG_OK)
		memcpy(game->topic[place], game->topic[--game->topics], ATTACH_NAME_MAX);
	return result;
}

// SPDX-License-Identifier: BSD-3-Clause
// game_fixture.c: see game_fixture.h.

#include "game_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *zeroed(size_t bytes)
{
	void *memory = aligned_alloc(CACHE_LINE, (bytes + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1));

	assert_non_null(memory);
	return memset(memory, 0, bytes);
}

static void make_game(struct game_fixture *fixture, bool alone)
{
	struct session_shard *shard = fixture->sessions->shard[0];

	fixture->game = zeroed(sizeof(*fixture->game));
	fixture->game->stats = &fixture->sessions->stats[0];
	fixture->game->counts = fixture->sessions->stats[0].process;
	fixture->game->shard = alone ? NULL : shard;
	fixture->game->netcode = fixture->clients ? fixture->clients->shard[0] : NULL;
	fixture->game->tsc_hz = shard->tsc_hz;
	fixture->game->port[0] = 9000;
	fixture->game->scratch = zeroed(SESSION_MESSAGE_MAX);
	game_init(fixture->game);
	game_use_routes(fixture->game, &fixture->routes);
}

static struct game_fixture *open_fixture(struct netcode_fixture *clients, bool alone)
{
	struct game_fixture *fixture = zeroed(sizeof(*fixture));

	fixture->clients = clients;
	fixture->sessions = fixture_open(64, STORE_SOCKETS);
	fixture->worker_fd = fixture->process_fd = -1;
	fixture->policy.read_budget_us = 100000;
	game_routes_init(&fixture->routes, &fixture->policy, fixture->sessions->shard[0]->tsc_hz);
	for (unsigned i = 0; i < GAME_PLAYERS; i++)
		fixture->player[i] = fixture_issue(fixture->sessions, i + 1, 1000, false);
	make_game(fixture, alone);
	return fixture;
}

struct game_fixture *game_fixture_open(void)
{
	return open_fixture(NULL, false);
}

struct game_fixture *game_fixture_open_netcode(uint32_t capacity, bool alone)
{
	return open_fixture(netcode_open_fixture(capacity), alone);
}

static void drop_link(struct game_fixture *fixture)
{
	if (!fixture->link)
		return;
	link_close(fixture->link);
	free(fixture->link);
	free(fixture->groups_memory);
	fixture->link = NULL;
}

static void drop_game(struct game_fixture *fixture)
{
	drop_link(fixture);
	free(fixture->game->scratch);
	free(fixture->game);
	fixture->sessions->shard[0]->game = NULL;
}

static void drop_process(struct game_fixture *fixture)
{
	memory_file_close(&fixture->theirs);
	memory_file_close(&fixture->ours);
}

void game_fixture_close(struct game_fixture *fixture)
{
	drop_game(fixture);
	drop_process(fixture);
	if (fixture->worker_fd >= 0)
		close(fixture->worker_fd);
	if (fixture->process_fd >= 0)
		close(fixture->process_fd);
	fixture_close(fixture->sessions);
	if (fixture->clients)
		netcode_close_fixture(fixture->clients);
	free(fixture);
}

void game_fixture_route(struct game_fixture *fixture, uint8_t first, uint8_t last)
{
	struct pg_game_route *route = &fixture->policy.route[fixture->policy.routes++];

	route->listeners = UINT64_MAX;
	route->processes = 1;
	for (unsigned type = first; type <= last; type++)
		route->types[type / 8] |= (uint8_t)(1U << type % 8);
	memset(&fixture->routes, 0, sizeof(fixture->routes));
	game_routes_init(&fixture->routes, &fixture->policy, fixture->sessions->shard[0]->tsc_hz);
}

static int make_file(const char *name, int before)
{
	char why[200];
	const int fd = bus_file_make(name, GAME_RING, false, before, why, sizeof(why));

	if (fd < 0)
		fail_msg("%s", why);
	return fd;
}

/// The worker's end.
static void open_link(struct game_fixture *fixture, bool wants_moves)
{
	const struct pg_game_rings rings = {.ring_bytes = GAME_RING,
					    .worker_fd = fixture->worker_fd,
					    .process_fd = fixture->heard ? fixture->process_fd : -1,
					    .bell_fd = -1,
					    .read = fixture->read};
	const struct game_wish wish = {.times = 1, .present = true, .moves = wants_moves};
	const uint32_t slots = fixture->sessions->capacity + (fixture->clients ? fixture->clients->plan.capacity : 0);
	char why[200];

	fixture->link = zeroed(sizeof(*fixture->link));
	fixture->groups_memory = zeroed(groups_size(slots));
	groups_init(&fixture->link->groups, fixture->groups_memory, slots, (const uint64_t[]){5, 7});
	assert_true(link_open(fixture->link, &rings, &fixture->game->counts[0], why, sizeof(why)));
	assert_true(memory_file_seal(fixture->worker_fd, why, sizeof(why)));
	fixture->link->wish = link_wish_pack(wish);
	fixture->game->arriving[0] = fixture->link;
	fixture->game->changed = 1;
	game_heed(fixture->game);
}

/// The process's end.
static void open_process(struct game_fixture *fixture)
{
	const struct bus_file *theirs;
	struct bus_file *ours;
	char why[200];

	assert_true(memory_file_map(&fixture->theirs, fixture->worker_fd, bus_file_bytes(GAME_RING), why, sizeof(why)));
	assert_true(memory_file_map_for_writing(&fixture->ours, fixture->process_fd, bus_file_bytes(GAME_RING), why,
						sizeof(why)));
	theirs = fixture->theirs.at;
	ours = fixture->ours.at;
	assert_int_equal(ring_reader_attach(&fixture->reader, &theirs->writer, &ours->reader, GAME_RING), RING_OK);
	assert_int_equal(ring_writer_attach(&fixture->writer, &ours->writer, &theirs->reader, GAME_RING), RING_OK);
}

/// It has mapped its file: that is sealed, and the worker reads it.
static void hear_process(struct game_fixture *fixture)
{
	struct game_link *link = fixture->link;
	char why[200];

	assert_false(
		memory_file_map_sealed(&link->other, fixture->process_fd, bus_file_bytes(GAME_RING), why, sizeof(why)));
	assert_true(memory_file_seal(fixture->process_fd, why, sizeof(why)));
	assert_true(
		memory_file_map_sealed(&link->other, fixture->process_fd, bus_file_bytes(GAME_RING), why, sizeof(why)));
	link->file = link->other.at;
	fixture->heard = true;
	fixture->game->changed = 1;
	game_heed(fixture->game);
}

void game_fixture_attach(struct game_fixture *fixture, bool wants_moves)
{
	fixture->worker_fd = make_file("worker", -1);
	fixture->process_fd = make_file("process", -1);
	open_link(fixture, wants_moves);
	open_process(fixture);
	hear_process(fixture);
}

/// What the worker wrote for the one before has been read.
static bool read_next_file(struct game_fixture *fixture)
{
	char why[200];

	if (fixture->next_fd == 0)
		return false;
	close(fixture->worker_fd);
	fixture->worker_fd = fixture->next_fd;
	fixture->next_fd = 0;
	if (!fixture->theirs.at)
		return false;
	memory_file_close(&fixture->theirs);
	assert_true(memory_file_map(&fixture->theirs, fixture->worker_fd, bus_file_bytes(GAME_RING), why, sizeof(why)));
	assert_int_equal(ring_reader_attach(&fixture->reader, &((const struct bus_file *)fixture->theirs.at)->writer,
					    &((struct bus_file *)fixture->ours.at)->reader, GAME_RING),
			 RING_OK);
	fixture->writer.reader = &((const struct bus_file *)fixture->theirs.at)->reader;
	return true;
}

void game_fixture_leave(struct game_fixture *fixture)
{
	struct game_link *link = fixture->link;
	char why[200];
	const int next = bus_file_make_blank("worker", GAME_RING, false, why, sizeof(why));

	assert_true(memory_file_map_for_writing(&link->next, next, bus_file_bytes(GAME_RING), why, sizeof(why)));
	fixture->link->wish = link_wish_pack((struct game_wish){.times = 1});
	fixture->link->end = true;
	fixture->game->changed = 1;
	game_heed(fixture->game);
	while (fixture->game->ending != 0)
		game_fixture_turn(fixture);
	if (!link->ended) {
		close(next);
		return;
	}
	memory_file_close(&link->other);
	memory_file_close(&link->own);
	link->own = link->next;
	link->next = (struct memory_file){.fd = -1};
	assert_true(memory_file_seal(next, why, sizeof(why)));
	read_next_file(fixture);
	fixture->next_fd = next;
	fixture->heard = false;
	fixture->read = fixture->link->read;
}

void game_fixture_follow(struct game_fixture *fixture)
{
	const struct bus_file *worker = fixture->link->own.at;
	const struct bus_place place = {.written = worker->reader.released, .read = fixture->read};
	const int before = fixture->process_fd;
	char why[200];

	drop_process(fixture);
	fixture->process_fd = bus_file_make_at("process", GAME_RING, false, place, before, why, sizeof(why));
	close(before);
	assert_true(fixture->process_fd >= 0);
	fixture->link->wish = link_wish_pack((struct game_wish){.times = 2, .present = true});
	fixture->game->changed = 1;
	game_heed(fixture->game);
	open_process(fixture);
	hear_process(fixture);
}

void game_fixture_restart(struct game_fixture *fixture)
{
	read_next_file(fixture);
	const int before = fixture->worker_fd;
	const bool alone = !fixture->game->shard;

	drop_game(fixture);
	fixture_restart(fixture->sessions);
	if (fixture->clients)
		netcode_restart(fixture->clients);
	make_game(fixture, alone);
	fixture->worker_fd = make_file("worker", before);
	close(before);
	open_link(fixture, false);
}

void game_fixture_connect(struct game_fixture *fixture, unsigned player)
{
	assert_true(fixture_connect(fixture->sessions, 0, &fixture->player[player]));
}

void game_fixture_say(struct game_fixture *fixture, unsigned player, uint8_t type, const void *body, uint32_t length)
{
	const struct delivered message = {.type = type,
					  .channel = 1,
					  .reliable = true,
					  .priority = PRIORITY_NORMAL,
					  .body = body,
					  .length = length};

	dispatch(fixture->sessions->shard[0], fixture_record(fixture->sessions, &fixture->player[player]), &message,
		 fixture->sessions->now);
}

void game_fixture_turn(struct game_fixture *fixture)
{
	struct game *game = fixture->game;

	turn_obey(game, fixture->clients ? fixture->clients->now : fixture->sessions->now);
	if (game->listing & 1)
		game_list(game, 0, 1024);
	game_end(game);
	game_publish(game);
}

int game_fixture_read(struct game_fixture *fixture)
{
	struct ring_message message;

	if (ring_peek(&fixture->reader, &message, 1) != 1 &&
	    !(read_next_file(fixture) && ring_peek(&fixture->reader, &message, 1) == 1))
		return -1;
	fixture->length = message.length;
	if (message.kind == RING_MESSAGE)
		memcpy(fixture->record, message.body, message.length);
	ring_release(&fixture->reader);
	return message.kind == RING_GAP ? 0 : message.type;
}

void game_fixture_order(struct game_fixture *fixture, enum game_order_type type, const void *body, uint32_t length)
{
	void *at = NULL;

	assert_int_equal(ring_reserve(&fixture->writer, length, (uint16_t)type, &at), RING_OK);
	if (at && length != 0)
		memcpy(at, body, length);
	ring_commit(&fixture->writer);
}

void game_expect(struct game_fixture *fixture, int type)
{
	assert_int_equal(game_fixture_read(fixture), type);
}

void game_expect_nothing(struct game_fixture *fixture)
{
	game_expect(fixture, -1);
}

void game_expect_joined(struct game_fixture *fixture, uint32_t player, enum game_how how)
{
	const struct game_joined *joined = (const struct game_joined *)fixture->record;

	game_expect(fixture, GAME_JOINED);
	assert_int_equal(fixture->length, sizeof(*joined));
	assert_int_equal(joined->player, player);
	assert_int_equal(joined->session, fixture->player[player - 1].session);
	assert_int_equal(joined->port, 9000);
	assert_int_equal(joined->profile, PG_PROFILE_SESSION);
	assert_int_equal(joined->how, how);
}

void game_expect_empty_listing(struct game_fixture *fixture)
{
	game_fixture_turn(fixture);
	game_expect(fixture, GAME_LISTING);
	game_expect(fixture, GAME_LISTED);
	game_expect_nothing(fixture);
}

void game_connect_first(struct game_fixture *fixture)
{
	game_expect_empty_listing(fixture);
	game_fixture_connect(fixture, 0);
	game_fixture_turn(fixture);
	game_expect_joined(fixture, 1, GAME_JOINED_NOW);
}

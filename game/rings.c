// SPDX-License-Identifier: BSD-3-Clause
// rings.c: the files of workers and of other processes: mapped, read to their ends, replaced.

#include "game.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// ---------------------------------------------------------------- memory

/// A child of fork() shall not write into rings whose writer is its parent.
static void keep_from_children(const struct mapping *mapping)
{
	madvise(mapping->at, mapping->bytes, MADV_DONTFORK);
}

bool map_theirs(struct mapping *mapping, int fd, size_t bytes, char *why, size_t why_bytes)
{
	struct memory_file file;

	if (!memory_file_map(&file, fd, bytes, why, why_bytes))
		return false;
	*mapping = (struct mapping){file.at, file.bytes};
	keep_from_children(mapping);
	return true;
}

bool map_own(struct mapping *mapping, int fd, size_t bytes, char *why, size_t why_bytes)
{
	struct memory_file file;

	if (!memory_file_map_for_writing(&file, fd, bytes, why, why_bytes))
		return false;
	*mapping = (struct mapping){file.at, file.bytes};
	keep_from_children(mapping);
	return true;
}

void unmap(const pgg *game, struct mapping *mapping)
{
	if (!mapping->at)
		return;
	if (!game->options.stay_mapped ||
	    mmap(mapping->at, mapping->bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
		 0) == MAP_FAILED)
		munmap(mapping->at, mapping->bytes);
	*mapping = (struct mapping){0};
}

// ---------------------------------------------------------------- a ring to read

static void source_enlist(pgg *game, struct source *source)
{
	if (!source->attached)
		game->source[game->sources++] = source;
	source->attached = true;
}

void source_spoil(struct source *source)
{
	source->count = source->taken = 0;
	source->is_spoilt = true;
}

static bool source_attach(pgg *game, struct source *source)
{
	const struct bus_file *theirs = source->now.theirs.at;
	struct bus_file *own = source->now.own.at;

	if (ring_reader_attach(&source->reader, &theirs->writer, &own->reader, game->ring_bytes) != RING_OK) {
		if (!source->peer)
			return false;
		source_spoil(source);
	}
	source_enlist(game, source);
	return true;
}

bool source_has_something(const struct source *source)
{
	if (source->is_spoilt)
		return source->nexts > 0 || !source->is_told;
	if (source->nexts > 0)
		return true;
	return source->taken < source->count || source->reader.fault != RING_SOUND || ring_is_ready(&source->reader);
}

static bool is_at_end(const struct source *source)
{
	if (source->is_spoilt || source->taken < source->count)
		return source->is_spoilt;
	if (source->peer && source->reader.next >= source->end)
		return true;
	return source->reader.fault == RING_SOUND && !ring_is_ready(&source->reader);
}

bool source_go_on(pgg *game, struct source *source)
{
	while (source->nexts > 0 && is_at_end(source)) {
		const struct files next = source->next[0];

		source->nexts--;
		source->end = UINT64_MAX;
		memmove(source->next, source->next + 1, source->nexts * sizeof(next));
		unmap(game, &source->now.theirs);
		source->now.theirs = next.theirs;
		if (next.own.at) {
			unmap(game, &source->now.own);
			source->now.own = next.own;
		}
		source->is_spoilt = source->is_told = false;
		if (!source_attach(game, source))
			return false;
	}
	return true;
}

/// The first at once, others when it is their turn.
static bool source_add(pgg *game, struct source *source, struct files files)
{
	if (!source->attached) {
		source->now = files;
		return source_attach(game, source);
	}
	if (source->nexts == NEXT_MAX)
		return false;
	if (source->nexts == 0) // whoever wrote it may go on though another has its place
		source->end = source->reader.next + game->ring_bytes;
	source->next[source->nexts++] = files;
	return true;
}

void source_close(const pgg *game, struct source *source)
{
	for (unsigned i = 0; i < source->nexts; i++) {
		unmap(game, &source->next[i].theirs);
		unmap(game, &source->next[i].own);
	}
	unmap(game, &source->now.theirs);
	unmap(game, &source->now.own);
}

// ---------------------------------------------------------------- a worker

static struct worker *worker_get(pgg *game, uint32_t number)
{
	struct worker *worker;

	for (unsigned i = 0; i < game->workers; i++)
		if (game->worker[i]->number == number)
			return game->worker[i];
	if (game->workers == WORKERS_MAX || !(worker = calloc(1, sizeof(*worker))))
		return NULL;
	worker->number = number;
	worker->source.worker = worker;
	worker->sink.bell = -1;
	game->worker[game->workers++] = worker;
	return worker;
}

/// What the process wrote may reach further than a dead worker had read: then it is its successor's file that tells, which follows.
static bool worker_write_to(pgg *game, struct worker *worker, const struct mapping *theirs)
{
	struct bus_file *own = worker->source.now.own.at;
	const struct bus_file *other = theirs->at;
	struct ring_writer *writer = &worker->sink.writer;

	if (worker->sink.attached) {
		writer->reader = &other->reader;
		writer->woken = 0; // its sleeps are counted anew
		return true;
	}
	worker->sink.attached = ring_writer_attach(writer, &own->writer, &other->reader, game->ring_bytes) == RING_OK;
	return worker->sink.attached || writer->fault == RING_FAULT_RELEASED;
}

static void worker_broken(pgg *game, const struct worker *worker)
{
	const enum ring_fault fault = worker->source.reader.fault;

	game_over(game, PGG_DETACHED, PGG_SYSTEM, "the ring of worker %u: %s", worker->number,
		  ring_fault_text(fault != RING_SOUND ? fault : worker->sink.writer.fault));
}

static void worker_replace(pgg *game, struct worker *worker, struct mapping theirs)
{
	if (!source_add(game, &worker->source, (struct files){.theirs = theirs})) {
		unmap(game, &theirs);
		game_over(game, PGG_DETACHED, PGG_SYSTEM, "worker %u started again more often than its rings were read",
			  worker->number);
		return;
	}
	worker->was_replaced = true;
	if (!worker_write_to(game, worker, &theirs))
		worker_broken(game, worker);
}

static void worker_first(pgg *game, struct worker *worker, struct mapping theirs, const int *fd)
{
	struct mapping own = {0};
	char why[200];

	if (!map_own(&own, fd[1], bus_file_bytes(game->ring_bytes), why, sizeof(why))) {
		unmap(game, &theirs);
		game_over(game, PGG_DETACHED, PGG_SYSTEM, "worker %u: %s", worker->number, why);
		return;
	}
	worker->sink.bell = fcntl(fd[2], F_DUPFD_CLOEXEC, 0);
	if (!source_add(game, &worker->source, (struct files){theirs, own}) || !worker_write_to(game, worker, &theirs))
		worker_broken(game, worker);
}

/// Workers read what this process writes when the gateway knows that it is mapped: then nobody else can write it.
static void say_mapped(pgg *game)
{
	const struct attach_head mapped = attach_head(ATTACH_MAPPED);

	if (game->over != OVER_NOT || game->is_mapped || game->workers < game->workers_said)
		return;
	game->is_mapped = true;
	if (packets_send(game, &mapped, sizeof(mapped)) != PGG_OK)
		game_over(game, PGG_END, PGG_SYSTEM, "the gateway cannot be told that its rings are mapped");
}

void rings_of_worker(pgg *game, uint32_t number, const int *fd, unsigned fds)
{
	const size_t bytes = bus_file_bytes(game->ring_bytes);
	struct worker *worker = worker_get(game, number);
	struct mapping theirs = {0};
	char why[200] = "more workers than there can be";

	if (!worker || fds < 3 || !map_theirs(&theirs, fd[0], bytes, why, sizeof(why)))
		game_over(game, PGG_DETACHED, PGG_SYSTEM, "worker %u: %s", number,
			  worker && fds < 3 ? "its files did not come" : why);
	else if (worker->source.attached)
		worker_replace(game, worker, theirs);
	else
		worker_first(game, worker, theirs, fd);
	say_mapped(game);
}

// ---------------------------------------------------------------- another process

struct peer *peer_find(const pgg *game, const char *name)
{
	for (unsigned i = 0; i < game->peers; i++)
		if (strcmp(game->peer[i]->name, name) == 0)
			return game->peer[i];
	return NULL;
}

struct peer *peer_get(pgg *game, const char *name)
{
	struct peer *peer = peer_find(game, name);

	if (peer && peer->is_given_up) { // somebody has the name again
		peer->is_given_up = false;
		game->given_up--;
	}
	if (peer || game->peers == PEERS_MAX || !(peer = calloc(1, sizeof(*peer))))
		return peer;
	memcpy(peer->name, name, strlen(name));
	peer->source.peer = peer;
	peer->source.end = UINT64_MAX;
	peer->sink = (struct sink){.peer = peer, .bell = -1};
	game->peer[game->peers++] = peer;
	return peer;
}

/// Both files, or none: they may be spoilt in any way.
static bool map_both(const pgg *game, struct mapping *own, size_t own_bytes, int own_fd, struct mapping *theirs,
		     size_t their_bytes, int their_fd)
{
	char why[200];

	if (!map_own(own, own_fd, own_bytes, why, sizeof(why)))
		return false;
	if (map_theirs(theirs, their_fd, their_bytes, why, sizeof(why)))
		return true;
	unmap(game, own);
	return false;
}

/// The process writes to the peer: the first file is its own.
static void peer_write_to(pgg *game, struct peer *peer, const int *fd)
{
	struct sink *sink = &peer->sink;
	struct mapping own, theirs;

	sink->attached = false;
	sink->is_spoilt = true;
	if (!map_both(game, &own, bus_file_bytes(game->ring_bytes), fd[0], &theirs, sizeof(struct ring_read), fd[1]))
		return;
	unmap(game, &sink->own);
	unmap(game, &sink->theirs);
	*sink = (struct sink){.peer = peer, .own = own, .theirs = theirs, .bell = -1};
	sink->attached = ring_writer_attach(&sink->writer, &((struct bus_file *)own.at)->writer,
					    &((const struct bus_file *)theirs.at)->reader, game->ring_bytes) == RING_OK;
	sink->is_spoilt = !sink->attached;
}

/// What is read of the process's ring is said in another file from now on.
static void peer_is_another(const pgg *game, struct sink *sink, int fd)
{
	struct mapping theirs;
	char why[200];

	if (!sink->attached)
		return;
	if (!map_theirs(&theirs, fd, sizeof(struct ring_read), why, sizeof(why))) {
		sink->attached = false;
		sink->is_spoilt = true;
		return;
	}
	unmap(game, &sink->theirs);
	sink->theirs = theirs;
	sink->writer.reader = &((const struct bus_file *)theirs.at)->reader;
	sink->writer.woken = 0; // its sleeps are counted anew
}

static void peer_read_from(pgg *game, struct peer *peer, const int *fd)
{
	struct source *source = &peer->source;
	struct files files;

	if (map_both(game, &files.own, sizeof(struct ring_read), fd[1], &files.theirs, bus_file_bytes(game->ring_bytes),
		     fd[0])) {
		if (source_add(game, source, files))
			return;
		unmap(game, &files.own);
		unmap(game, &files.theirs);
	}
	source_spoil(source);
	source_enlist(game, source);
}

void peer_give_up(pgg *game, const char *name)
{
	struct peer *peer = peer_find(game, name);

	if (!peer || peer->is_given_up)
		return;
	peer->sink.attached = false; // its memory stays for whoever has reserved something there
	peer->is_given_up = true;
	game->given_up++;
}

static bool is_done(const struct peer *peer)
{
	const struct source *source = &peer->source;

	return peer->is_given_up && !peer->sink.is_dirty &&
	       (!source->attached || (source->nexts == 0 && !source->has_taken && is_at_end(source)));
}

static void forget_source(pgg *game, const struct source *source)
{
	for (unsigned i = 0; i < game->sources; i++)
		if (game->source[i] == source)
			game->source[i--] = game->source[--game->sources];
}

/// The last one gets its place.
static void forget_peer(pgg *game, unsigned place)
{
	struct peer *peer = game->peer[place];
	const unsigned last = --game->peers;

	for (unsigned i = 0; i < game->readers; i++)
		if (game->reader[i].peer == place)
			game->reader[i--] = game->reader[--game->readers];
		else if (game->reader[i].peer == last)
			game->reader[i].peer = (uint16_t)place;
	game->peer[place] = game->peer[last];
	game->given_up--;
	forget_source(game, &peer->source);
	source_close(game, &peer->source);
	unmap(game, &peer->sink.own);
	unmap(game, &peer->sink.theirs);
	free(peer);
}

void peers_let_go(pgg *game)
{
	if (game->asleep != 0) // a thread that sleeps knows them
		return;
	for (unsigned i = 0; i < game->peers; i++)
		if (is_done(game->peer[i]))
			forget_peer(game, i--);
}

void rings_of_peer(pgg *game, const char *name, uint32_t role, const int *fd, unsigned fds)
{
	struct peer *peer = peer_get(game, name);

	if (!peer || fds < (role == ATTACH_RENEWS ? 1U : 2U)) // more than there can be
		return;
	if (role == ATTACH_RENEWS)
		peer_is_another(game, &peer->sink, fd[0]);
	else if (role == ATTACH_WRITES)
		peer_write_to(game, peer, fd);
	else
		peer_read_from(game, peer, fd);
}

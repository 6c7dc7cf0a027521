// SPDX-License-Identifier: BSD-3-Clause
// game.h: what an attached process keeps: rings, players, other processes. Everything but sleeping is of one thread.

#ifndef POLLGATE_GAME_INTERNAL_H
#define POLLGATE_GAME_INTERNAL_H

#include "pollgate_game.h"

#include "bus/attach.h"
#include "bus/file.h"
#include "bus/memory.h"
#include "bus/records.h"
#include "bus/ring.h"
#include "bus/wait.h"
#include "wire/session.h"

#define WORKERS_MAX 64
#define PEERS_MAX 62 // other processes; with the workers and a word to be interrupted by: RING_WAIT_MAX
#define SOURCES_MAX (WORKERS_MAX + PEERS_MAX)
#define PEEKED_MAX 32      // taken from a ring at once
#define UNCOMMITTED_MAX 32 // messages in a ring before others see them without a flush
#define NEXT_MAX 32        // workers that died before their predecessor's ring was read to its end
#define READERS_MAX 1024
#define PLAYERS_MAX (1U << 22)
#define DESCRIPTORS_MAX 4

/// Records of one process to another, which the library makes.
enum peer_record {
	PEER_POST = 1,
	PEER_PUBLISHED = 2, // ATTACH_NAME_MAX bytes of the topic's name before the body
};

struct mapping {
	void *at; // NULL: none
	size_t bytes;
};

struct files {
	struct mapping theirs; // with the ring
	struct mapping own;    // with how far it has been read; none: as before
};

/// A ring that another writes, and those that take its place when it has been read to its end.
struct source {
	bool attached;
	bool is_spoilt;        // by the other process: nothing is read of it any more
	bool is_told;          // that it is
	struct worker *worker; // whose it is: a worker's, or another process's
	struct peer *peer;
	struct files now;
	struct files next[NEXT_MAX];
	unsigned nexts;
	uint64_t end; // of what is read of a process's file though another follows
	struct ring_reader reader;

	// peeked, of which some became events
	struct ring_message peeked[PEEKED_MAX];
	unsigned count;
	unsigned taken;
	bool has_taken; // since the last release
	uint64_t taken_end;
	unsigned first_event; // of those of the last poll
	unsigned events;
};

/// A ring that this process writes.
struct sink {
	bool attached;
	bool is_spoilt;    // by the peer, or by whoever had a name before
	struct peer *peer; // whose it is; NULL: a worker's
	bool is_dirty;     // since the last flush
	struct mapping own;
	struct mapping theirs; // of a peer: how far it has read; a worker's is in its source
	struct ring_writer writer;
	unsigned uncommitted;
	int bell; // eventfd of a worker; -1: its reader waits for a futex
};

struct worker {
	uint32_t number;
	struct source source;
	struct sink sink;
	bool is_listed;      // at least once
	bool was_replaced;   // and has not listed its players since
	bool is_sweeping;    // LISTED came: those who were not named again go
	uint32_t generation; // of its listing
	uint32_t sweep_at;
	uint32_t sweep_version;
};

struct peer {
	char name[ATTACH_NAME_MAX];
	bool is_given_up; // the gateway knows no such name any more
	struct source source;
	struct sink sink;
};

struct player {
	uint32_t player; // 0: nobody
	uint32_t session;
	uint32_t generation;
	uint16_t worker; // its place in pgg.worker
	uint8_t profile; // enum pgg_profile, of those who are or were named
	bool is_named;   // as JOINED
	bool is_leaving; // LEFT is among the events in use: what comes before it can still be answered
};

/// Open addressing, in which a player is at its place or behind it without a hole.
struct players {
	struct player *slot;
	uint32_t size; // a power of two
	uint32_t count;
	uint32_t named;
	uint32_t version; // changes when players change their places
	uint32_t *leaving;
	uint32_t leavings;
	uint32_t leaving_size;
};

struct reader_of_topic {
	uint32_t topic;
	uint16_t peer;
};

enum over { OVER_NOT, OVER_COMES, OVER_TOLD };

struct pgg {
	const uint32_t *alive; // 0 in a child of fork()
	struct pgg_options options;
	char name[ATTACH_NAME_MAX];
	int socket;
	uint32_t ring_bytes;

	bool is_welcome;
	uint32_t workers_said; // in WELCOME
	bool is_mapped;        // what it writes, and the gateway has been told
	struct worker *worker[WORKERS_MAX];
	unsigned workers;
	struct peer *peer[PEERS_MAX];
	unsigned peers;
	unsigned given_up;                  // of those
	struct source *source[SOURCES_MAX]; // all of both that are attached
	unsigned sources;
	unsigned turn; // whose turn it is to be read first
	bool is_dirty;

	uint32_t polls;
	uint64_t *event_end; // of each event of the last poll: where its record ends
	int event_ends;
	struct ring_waiting waiting;
	struct players players;

	char topic[PGG_TOPICS_MAX][ATTACH_NAME_MAX];
	unsigned topics;
	struct reader_of_topic reader[READERS_MAX];
	unsigned readers;
	uint32_t asked; // OPEN
	uint32_t answered;
	bool was_nobody; // the last answer

	int why_result; // of the last call that was refused with more to say than its result
	uint32_t why_player;
	char why[200]; // empty: the player is not here

	enum over over;
	unsigned polls_since_over;
	enum pgg_event_type over_type;
	enum pgg_result over_result;
	char over_text[640];

	// of a sleep: what is read here was written before the sleeping thread began
	unsigned asleep;
	struct source *sleeper[SOURCES_MAX];
	const uint32_t *wakes_at[SOURCES_MAX];
	uint32_t wakes[SOURCES_MAX];
	uint32_t interrupted; // a futex
	uint32_t interrupted_before;

	struct pgg_statistics statistics;
	uint16_t list_worker[PGG_LIST_MAX];
};

#define NO_WORKER UINT16_MAX

// ---------------------------------------------------------------- attach.c, packets.c: the socket

/// Ends the attachment: an event tells it. The first reason stands.
COLD void game_over(pgg *game, enum pgg_event_type type, enum pgg_result result, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/// Takes what the gateway said.
void packets_take(pgg *game);

/// Waits for the gateway to say something, until the time.
/// @return false: it is over
bool packets_wait(pgg *game, uint64_t until_ns);
int packets_send(pgg *game, const void *packet, size_t bytes);

struct attach_head attach_head(enum attach_kind kind);
bool name_fits(const char *name);
uint64_t clock_ns(void);

// ---------------------------------------------------------------- rings.c: memory

bool map_theirs(struct mapping *mapping, int fd, size_t bytes, char *why, size_t why_bytes);
bool map_own(struct mapping *mapping, int fd, size_t bytes, char *why, size_t why_bytes);
void unmap(const pgg *game, struct mapping *mapping);

/// A worker's files. The first has both; of a worker that comes after another only its own is taken.
void rings_of_worker(pgg *game, uint32_t number, const int *fd, unsigned fds);
void rings_of_peer(pgg *game, const char *name, uint32_t role, const int *fd, unsigned fds);

/// What another process writes can spoil the ring of the two, and nothing else: nothing more of it is read.
void source_spoil(struct source *source);

/// Goes on with the next file of a source whose last has been read to its end.
/// @return false: a worker's cannot be read
bool source_go_on(pgg *game, struct source *source);
void source_close(const pgg *game, struct source *source);
bool source_has_something(const struct source *source);

/// Its name is another's, or nobody's: what is written to it is read by nobody. What it wrote is still to be read.
void peer_give_up(pgg *game, const char *name);

/// Lets go of such processes, as far as all that they wrote has been read; when no event is in use.
COLD void peers_let_go(pgg *game);

struct peer *peer_find(const pgg *game, const char *name);
struct peer *peer_get(pgg *game, const char *name);

// ---------------------------------------------------------------- players.c: who is in, and where

bool players_init(struct players *players);
struct player *players_find(const struct players *players, uint32_t player);

/// @return NULL: out of memory, or too many
struct player *players_add(struct players *players, uint32_t player);

/// No longer in, and still there for answers.
void players_leave(struct players *players, struct player *player);

/// Lets go of those who left.
void players_let_go(struct players *players);

// ---------------------------------------------------------------- records.c: events of a worker

/// Makes an event of a worker's record.
/// @return 1: there is one; 0: the record is none; -1: it cannot be, and it is over
int take_record(pgg *game, struct worker *worker, const struct ring_message *record, struct pgg_event *event);

/// Those who were not named again, one by one.
/// @return false: that was all
bool sweep(pgg *game, struct worker *worker, struct pgg_event *event);

// ---------------------------------------------------------------- wait.c

void flush(pgg *game);
void give_back(pgg *game);

/// The same of the first events of the last poll alone.
void give_back_first(pgg *game, unsigned events);

// ---------------------------------------------------------------- send.c

/// Room for a record. It is seen after a flush, or many records later.
int sink_reserve(pgg *game, struct sink *sink, uint16_t type, uint32_t length, void **body);
int sink_result(pgg *game, struct sink *sink, enum ring_result result);

/// May it be sent? Its type, length and how it travels; not what is in it.
int check_message(pgg *game, const struct pgg_message *message, struct game_outgoing *out);
int check_body(pgg *game, const struct pgg_message *message);

/// @return false: no world can be called that
bool put_world_name(char name[GAME_WORLD_NAME], const char *world);

// ---------------------------------------------------------------- entities.c

/// @return NULL: it has not begun yet
struct worker *worker_of_number(const pgg *game, uint32_t number);

// ---------------------------------------------------------------- texts.c

/// What was wrong, for pgg_why().
COLD void say_why(pgg *game, enum pgg_result result, const char *format, ...) __attribute__((format(printf, 3, 4)));

/// The same, as the result: one that the analyser sees.
#define refuse(game, result, ...) (say_why((game), (result), __VA_ARGS__), (result))

ALWAYS_INLINE int refuse_player(pgg *game, uint32_t player)
{
	game->why_result = PGG_NOT_HERE;
	game->why_player = player;
	game->why[0] = 0;
	return PGG_NOT_HERE;
}

ALWAYS_INLINE int refuse_spoilt(pgg *game, const struct peer *peer)
{
	return refuse(game, PGG_NOT_HERE, "process: the memory between this one and `%s` says what cannot be",
		      peer->name);
}

ALWAYS_INLINE int check_alive(const pgg *game)
{
	if (unlikely(*game->alive == 0))
		return PGG_FORKED;
	return likely(game->over == OVER_NOT) ? PGG_OK : PGG_ENDED;
}

#endif

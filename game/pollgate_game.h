/* SPDX-License-Identifier: BSD-3-Clause
 * pollgate_game.h: a game server behind a pollgate gateway, on the same machine.
 *
 * C17, and C++11. Copy this header and pollgate_game.c into a game server, or link libpollgate-game (pkg-config
 * pollgate-game). Needs Linux 5.16 or newer and nothing else; GCC or Clang; a little-endian machine.
 *
 *     struct pgg_options options;
 *     struct pgg_error error;
 *     struct pgg_event events[256];
 *     pgg_options_init(&options);
 *     options.path = "/run/pollgate/game.sock";            // game.listen of the gateway's configuration
 *     options.name = "arena";
 *     pgg *game = pgg_open(&options, &error);
 *     if (!game)
 *         puts(error.text);
 *     while (game && pgg_wait(game, 1000) >= 0) {
 *         int n = pgg_poll(game, events, 256);
 *         for (int i = 0; i < n; i++)
 *             if (events[i].type == PGG_MESSAGE)           // an echo
 *                 pgg_send(game, events[i].player, &events[i].as.message);
 *     }
 *     pgg_close(game);
 *
 * Players come and go (PGG_JOINED, PGG_LEFT) and say things (PGG_MESSAGE); bodies are read where the gateway wrote them, without
 * a copy. Answers are written into memory that the gateway reads; they are seen at pgg_flush(), which pgg_poll() and pgg_wait()
 * do, too.
 *
 * Threads: what pgg_open() made belongs to one thread at a time, but for pgg_sleep() and pgg_interrupt(). No global state.
 * Processes: after fork() only the parent has it; in the child each call is PGG_FORKED, and pgg_close() frees its memory.
 * Errors: functions that return int give PGG_OK or what their comment says, or a negative enum pgg_result, and have written
 * nothing if so.
 * Units are in the names: _ms, _us, _ns, _bytes. Positions are metres, velocities metres per second.
 */

#ifndef POLLGATE_GAME_H
#define POLLGATE_GAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PGG_VERSION "0.1.0"
#define PGG_NAME_MAX 32    /* bytes of a process's or topic's name, with the zero that ends it */
#define PGG_LIST_MAX 4096  /* players in one pgg_send_list() */
#define PGG_TOPICS_MAX 64  /* that a process subscribes to */
#define PGG_BODY_MAX 65536 /* bytes of a message to or from a player, or a quarter of the ring if that is less */
#define PGG_REASON_MAX 127 /* of a kick */
#define PGG_OWN_FIRST 64   /* types of messages from here */
#define PGG_OWN_LAST 199   /* to here are the game's own, both ways */

/* Of profile netcode: */
#define PGG_PAYLOAD 64        /* what such a client says, and is told, is of this type, and not reliable */
#define PGG_PAYLOAD_MAX 1200  /* bytes; at least one */
#define PGG_USER_DATA_MAX 256 /* bytes of a connect token */

typedef struct pgg pgg;

enum pgg_result {
	PGG_OK = 0,
	PGG_FULL = -1,     /* whoever reads it has not kept up: try again later, or leave it */
	PGG_NOT_HERE = -2, /* no such player is in; no such process is known, or what lies between the two is spoilt */
	PGG_TOO_LONG =
		-3, /* longer than this type may be, than a datagram where it cannot be cut, or than the ring takes */
	PGG_EMPTY = -4,        /* a type that must have a body */
	PGG_WRONG_LENGTH = -5, /* shorter than this type is */
	PGG_WRONG_TYPE = -6,   /* nothing that is sent to players */
	PGG_TOO_MANY = -7,     /* players of a list, topics */
	PGG_ARGUMENT = -8,     /* a value that cannot be */
	PGG_FORKED = -9,       /* attached by the parent of this process: open it anew here, under another name */
	PGG_ENDED = -10,       /* not attached any more */
	PGG_LATE = -11,        /* the gateway has not answered in options.timeout_ms */
	PGG_REFUSED = -12,     /* by the gateway: of pgg_open(), which says why */
	PGG_SYSTEM = -13,      /* errno says why */
	PGG_MEMORY = -14,
	PGG_PROFILE = -15 /* the profile of the player's listener has no such thing: enum pgg_profile */
};

/** One sentence about an enum pgg_result. Static storage. */
const char *pgg_result_text(int result);

/** One sentence about what the last call returned: which argument, what was found, what is allowed. Valid until the next call. */
const char *pgg_why(pgg *game, int result);

/* ---------------------------------------------------------------- attaching */

/** Filled by pgg_options_init(); set path and name, and what else should differ. Copied. */
struct pgg_options {
	const char *path; /* of the gateway's socket: game.listen */
	const char
		*name; /* of this process, as routes and other processes call it: letters, digits, `-`, `_` and `.` */
	const char *token;   /* that the gateway asks for; NULL: none */
	bool wants_moves;    /* PGG_MOVED, too */
	bool stay_mapped;    /* what a view into a body may still look at is never unmapped: it reads as zeros */
	uint32_t timeout_ms; /* the gateway answers within it */
	uint64_t spin_ns;    /* pgg_wait() looks for so long before it sleeps, which costs tens of microseconds */
};

void pgg_options_init(struct pgg_options *options);

struct pgg_error {
	enum pgg_result result;
	char text[640]; /* a sentence */
};

/** Attach to the gateway. Everybody who is in follows as PGG_JOINED.
 *  @param error  out, if it is NULL; may be NULL
 *  @return NULL: PGG_ARGUMENT, PGG_REFUSED, PGG_LATE, PGG_SYSTEM, PGG_MEMORY. Freed with pgg_close(). */
pgg *pgg_open(const struct pgg_options *options, struct pgg_error *error);

/** Sends what was not flushed and detaches. Players stay in, and what they say waits for the next process of this name. What
 *  pgg_poll() has returned is given back, all of it. NULL is allowed. */
void pgg_close(pgg *game);

/** The same in the middle of the events that pgg_poll() returned last: those that are not finished come to the next process of
 *  this name.
 *  @param finished  how many of them are */
void pgg_close_after(pgg *game, int finished);

/* ---------------------------------------------------------------- what happens */

enum pgg_priority {
	PGG_URGENT, /* leaves at once */
	PGG_NORMAL, /* waits for company for some milliseconds */
	PGG_BULK    /* and after all others */
};

/** Types of messages, as players say them, who are told them by the same numbers. From 200 on: only to players. */
enum pgg_type {
	/* types from messages.def: begin */
	PGG_TYPE_ATTACK = 2,
	PGG_TYPE_CHAT = 3,
	PGG_TYPE_SKILL = 5,
	PGG_TYPE_BULK = 7,
	PGG_TYPE_INVENTORY = 206,
	/* types from messages.def: end */
};

/** What a player says, or is told. */
struct pgg_message {
	uint8_t type; /* enum pgg_type, or the game's own */
	bool reliable;
	uint8_t channel;  /* of a reliable one: 0 to 2 are in order, each for itself; 3 is not */
	uint8_t priority; /* enum pgg_priority */
	uint32_t sender;  /* the player who is named as its sender; 0: the game. The game's own types name nobody */
	const void
		*body; /* as wire/PROTOCOL.md has it for its type, without the sender of an event; aligned to 8 bytes */
	uint32_t length;
};

struct pgg_position {
	uint32_t player;
	float position[3];
	float velocity[3];
};

enum pgg_event_type {
	PGG_JOINED = 1,
	PGG_LEFT = 2,
	PGG_MESSAGE = 3,
	PGG_MOVED = 4,
	PGG_QUALITY = 5, /* an answer to pgg_ask() */
	PGG_LISTED = 6,  /* whoever was in at a worker when it listed its players has been named */
	PGG_GAP = 7,     /* messages are missing here: who wrote them died in the middle, or they found the ring full */
	PGG_POST = 8,    /* from another process: pgg_post() */
	PGG_PUBLISHED = 9,       /* pgg_publish() */
	PGG_END = 10,            /* the gateway ended; nothing follows */
	PGG_ENTITY_REFUSED = 13, /* what this process wanted of an entity was not done */
	PGG_SPOILT = 12,  /* a process wrote to the ring of the two what cannot be: nothing of it is read any more */
	PGG_FOUND = 14,   /* an answer to pgg_search() */
	PGG_DETACHED = 11 /* the gateway ended the attachment, or its memory says what cannot be; nothing follows */
};

/** Why an entity is not as this process wanted it. */
enum pgg_entity_why {
	PGG_ENTITY_NO_ROOM = 1, /* the world has as many as worlds.entities of the configuration says */
	PGG_ENTITY_TAKEN = 2,   /* another process has one of this identity */
	PGG_ENTITY_NONE = 3,    /* this process has none of this identity there */
	PGG_ENTITY_PLACE = 4,   /* the world has no such place, or nobody can be so fast */
	PGG_ENTITY_STATE = 5,   /* its state is too long, which this library sees before */
	PGG_ENTITY_PLAYER = 6   /* no such player is connected, whose state this should be; `world` is empty */
};

/** What became of a pgg_search(). All but the first two have found nobody. */
enum pgg_search_became {
	PGG_SEARCH_ANSWERED = 0,
	PGG_SEARCH_CLAMPED = 1, /* answered as of the newest tick: the moment is still to come */
	PGG_SEARCH_TOO_OLD =
		2, /* nobody remembers the moment: `combat.rewind_ms` of the world are remembered, or some more */
	PGG_SEARCH_NO_COMBAT = 3, /* a ray, or a moment of the past, in a world without `combat` */
	PGG_SEARCH_BUSY = 4,      /* the gateway had to begin it anew too often: ask again */
	PGG_SEARCH_NO_WORLD = 255
};

/** Somebody who was there. */
struct pgg_found {
	uint32_t identity; /* a player, or an entity */
	float position[3]; /* then */
	float distance; /* from the middle, or to where the ray enters the body, 0: it begins inside; metres, rounded down to
			      the world's quanta */
	uint8_t sort; /* 0: a player, 1: an entity */
	uint8_t zero[3];
};

/** What a listener speaks. */
enum pgg_profile {
	PGG_PROFILE_PLAIN = 0,
	PGG_PROFILE_SESSION = 1, /* all of this header */
	PGG_PROFILE_NETCODE =
		2 /* messages of type PGG_PAYLOAD, not reliable; kicks, whose reason nobody is told; lists and groups */
};

enum pgg_how {
	PGG_HOW_NOW = 1,    /* a new connection */
	PGG_HOW_BEFORE = 2, /* was in before this process attached */
	PGG_HOW_AGAIN =
		3 /* has been named before; the worker that serves the player started again, and its groups are empty */
};

/** What happened. Pointers inside are valid until the next pgg_poll(), pgg_wait() or pgg_close(). */
struct pgg_event {
	uint32_t type;   /* enum pgg_event_type */
	uint32_t player; /* of the first three and PGG_QUALITY; others 0 */
	union {
		struct pgg_message message;
		struct {
			uint32_t session; /* as issued; of profile netcode the client's index */
			uint16_t port;    /* UDP port of the listener; 0: not known */
			uint8_t profile;  /* of the listener: enum pgg_profile */
			uint8_t how;      /* enum pgg_how */
			/* Who it is. Of profile netcode the client id of the connect token, for which `player` stands
			 * while the client is connected: a number of the gateway's, 2^31 or more; else `player`. */
			uint64_t client;
			/* PGG_USER_DATA_MAX bytes, of the connect token; NULL: of another profile */
			const void *user_data;
		} joined;
		struct {
			uint32_t session;
			uint8_t why; /* 0: unknown, while this process or a worker was away; else pgg_left_text() */
		} left;
		struct {
			const struct pgg_position *at;
			uint32_t count;
		} moved;
		struct {
			uint32_t cookie;
			uint32_t round_trip_us; /* smoothed; 0: not known yet */
			uint32_t deviation_us;
			uint32_t sent; /* reliable messages, or pieces, that left, first and repeated */
			uint32_t lost; /* of those, that were sent again */
		} quality;
		struct {
			uint32_t
				worker; /* it has none of this process's entities any more, if it began anew: see pgg_spawn() */
		} listed;
		struct {
			uint32_t entity;
			uint32_t why;      /* enum pgg_entity_why */
			const char *world; /* its name; "": of a player's state */
		} refused;
		struct {
			uint32_t cookie; /* of the question */
			uint8_t became;  /* enum pgg_search_became */
			uint8_t parts;   /* 256ths of a tick behind `tick`: the moment as of which it is */
			uint16_t count;
			uint32_t tick;
			uint32_t newest;            /* tick as of which everybody's place is known */
			uint32_t total;             /* who were there, of whom the nearest are told */
			const struct pgg_found *at; /* `count` of them, the nearest first */
		} found;
		struct {
			const char *process; /* NULL: of a worker */
			uint32_t worker;
			uint32_t messages; /* how many */
		} gap;                     /* PGG_GAP; PGG_SPOILT, which says the process alone */
		struct {
			const char *process; /* that wrote it */
			const char *topic;   /* NULL: a post */
			const void *body;
			uint32_t length;
		} post; /* PGG_POST, PGG_PUBLISHED */
		struct {
			const char *text; /* a sentence */
		} ended;                  /* PGG_END, PGG_DETACHED */
	} as;
};

/** A few words about as.left.why. Static storage. */
const char *pgg_left_text(unsigned why);

/** Gives back what the last call returned, flushes, and takes what has happened since.
 *  @param events  out: `n` of them at most
 *  @return how many; PGG_ENDED after PGG_END or PGG_DETACHED */
int pgg_poll(pgg *game, struct pgg_event *events, int n);

/** The same, of one ring after the other, for languages that want views: all bodies of one call lie in one memory.
 *  @param memory  out: where that is; NULL: no event has a body */
int pgg_poll_ring(pgg *game, struct pgg_event *events, int n, const void **memory, size_t *bytes);

/** Gives back what pgg_poll() returned, flushes, and waits until something has happened or a signal comes.
 *  @param timeout_ms  0: only looks; -1: no limit. A signal that comes before it sleeps ends nothing: where that matters, use a limit
 *  @return 1: pgg_poll() has something; 0: it has not */
int pgg_wait(pgg *game, int timeout_ms);

/** Whoever is in, as far as this process has been told. */
bool pgg_is_here(const pgg *game, uint32_t player);
uint32_t pgg_players(const pgg *game);

/* ---------------------------------------------------------------- to players */

/* Bodies are copied. PGG_FULL, PGG_NOT_HERE, PGG_TOO_LONG, PGG_EMPTY, PGG_WRONG_LENGTH, PGG_WRONG_TYPE, PGG_ARGUMENT, PGG_FORKED,
 * PGG_ENDED. */

int pgg_send(pgg *game, uint32_t player, const struct pgg_message *message);

/** The same, written in place: `message->body` is not looked at; instead `message->length` bytes have to be written to `*body`
 *  before the next call. */
int pgg_send_reserve(pgg *game, uint32_t player, const struct pgg_message *message, void **body);

/** To all of these, with one copy of the body for each worker that serves any of them. Those who are not here are left out.
 *  @param n  PGG_LIST_MAX at most
 *  @return to how many it goes; PGG_TOO_MANY */
int pgg_send_list(pgg *game, const uint32_t *players, uint32_t n, const struct pgg_message *message);

/** To a group, with one copy of the body for each worker. That nobody is in it is no error: only workers know.
 *  @param group   the game's own number
 *  @param except  a player who does not get it; 0: everybody does */
int pgg_send_group(pgg *game, uint32_t group, uint32_t except, const struct pgg_message *message);

/** A group is made by the first who joins it; a player leaves all groups with the connection, and is in 64 at most: the
 *  gateway counts what is more as refused (no_group). */
int pgg_group_join(pgg *game, uint32_t group, uint32_t player);
int pgg_group_leave(pgg *game, uint32_t group, uint32_t player);

/** Nobody is in it any more. */
int pgg_group_end(pgg *game, uint32_t group);

/** Ends the player's connection; PGG_LEFT follows.
 *  @param reason  the game's own, which the player is told: PGG_REASON_MAX at most */
int pgg_kick(pgg *game, uint32_t player, uint8_t reason);

/** Sets where the player is, who is told. Finite. */
int pgg_place(pgg *game, uint32_t player, const float position[3], const float velocity[3]);

/** Puts the player into another world, or with NULL out of all; the player is told, and its table of who is in sight is empty.
 *  An unknown world is counted by the gateway as refused (no_world), as a place outside of it is (body).
 *  @param world     as in the gateway's configuration
 *  @param position  NULL: where it was, if that is in this world, else nowhere until it moves
 *  @param velocity  NULL: it stands */
int pgg_enter_world(pgg *game, uint32_t player, const char *world, const float position[3], const float velocity[3]);

/** Ask for a player's round trip and losses: PGG_QUALITY follows with this cookie. */
int pgg_ask(pgg *game, uint32_t player, uint32_t cookie);

/* ---------------------------------------------------------------- in worlds, beside the players */

#define PGG_STATE_MAX 32 /* bytes of the game's own state of an entity, or of a player */

/** What players see beside each other: whatever lives, flies or lies there. */
struct pgg_entity {
	uint32_t entity; /* chosen by the game: its identity, unique in its world, among all processes */
	float position[3];
	float velocity[3];
	uint8_t state_bytes; /* PGG_STATE_MAX at most: see pgg_set_states() */
	uint8_t state[PGG_STATE_MAX];
};

/* Many at once. An unknown world is counted by the gateway as refused (no_world); of each entity that is refused PGG_ENTITY_REFUSED
 * tells. PGG_FULL: some of them may have been said, and all can be said again. */

/** New ones; or ones that this process has already are put there. They are this process's alone, and go when it is gone. A worker that
 *  begins anew has none: after the second PGG_LISTED of it, spawn again what pgg_entity_worker() says is its. */
int pgg_spawn(pgg *game, const char *world, const struct pgg_entity *entities, uint32_t n);

/** Between two of these an entity goes on with its velocity, for a quarter of a second at most.
 *  @param places  whose `player` is the entity */
int pgg_move_entities(pgg *game, const char *world, const struct pgg_position *places, uint32_t n);

/** What this game says of one beside where it is: what it looks like, how it fares. */
struct pgg_state {
	uint32_t entity; /* or player */
	uint8_t bytes;   /* PGG_STATE_MAX at most; 0: nothing */
	uint8_t data[PGG_STATE_MAX];
};

/** Of entities that this process has. Whoever sees one is told its state once, and again when it is another one: whoever comes into
 *  sight later, then. Of several changes in a row players may be told the last alone. PGG_TOO_LONG. */
int pgg_set_states(pgg *game, const char *world, const struct pgg_state *states, uint32_t n);

/** The same of players, in whichever worlds they are. It holds until the connection ends: after PGG_JOINED, of PGG_HOW_AGAIN too, say it
 *  again. Those who are not here are left out. */
int pgg_set_player_states(pgg *game, const struct pgg_state *states, uint32_t n);

int pgg_despawn(pgg *game, const char *world, const uint32_t *entities, uint32_t n);

/** Which worker has this entity. */
uint32_t pgg_entity_worker(const pgg *game, uint32_t entity);

#define PGG_FOUND_MAX 128 /* answers to one question */

enum pgg_search_kind {
	PGG_SPHERE = 1, /* whose position is in it */
	PGG_RAY = 2     /* whose body is in its way, as `combat` of the world's configuration has it */
};

/** Who was where? Zero it, and say what is asked. */
struct pgg_search {
	uint32_t cookie; /* comes back */
	uint32_t kind;   /* enum pgg_search_kind */
	bool now;        /* as of the newest tick; else at `tick` and `parts`, as players' attacks say what they saw */
	bool players;    /* who is meant; neither: both */
	bool entities;
	uint8_t parts; /* of a tick, of 256 */
	uint32_t tick;
	uint32_t most;       /* answers, the nearest: 1 to PGG_FOUND_MAX */
	uint32_t but_player; /* who is not told of; 0: nobody is left out */
	float position[3];   /* in the world: the middle, or where the ray begins */
	float direction[3];  /* of a ray, of any length */
	float reach;         /* radius, or how far the ray goes */
};

/** PGG_FOUND follows with this cookie, once. Everybody in it is as of one moment, between two ticks on the line from one to the
 *  other. Questions are answered in order, and what is said behind one is done behind it, by the worker that answers: the one
 *  whose number is cookie modulo the count of workers. A place outside of the world, or a reach of more than 2^21 quanta, is
 *  counted by the gateway as refused (body), and `most` that do not fit a quarter of the ring (receivers). */
int pgg_search(pgg *game, const char *world, const struct pgg_search *search);

/** Makes visible what was sent, and wakes whoever sleeps. */
int pgg_flush(pgg *game);

/* ---------------------------------------------------------------- to other game processes of this gateway */

/* Directly, in memory of the two: the gateway is only asked once, at the first to each, and makes it.
 * A quarter of a ring is the longest. PGG_FULL, PGG_NOT_HERE, PGG_TOO_LONG, PGG_LATE, PGG_ARGUMENT, PGG_FORKED, PGG_ENDED. */

int pgg_post(pgg *game, const char *process, const void *body, uint32_t length);

/** The same, written in place: see pgg_send_reserve(). */
int pgg_post_reserve(pgg *game, const char *process, uint32_t length, void **body);

/** To all processes that subscribe to the topic now, but for this one.
 *  @return to how many it goes: whoever does not keep up is left out, and counted in struct pgg_statistics */
int pgg_publish(pgg *game, const char *topic, const void *body, uint32_t length);

/** PGG_PUBLISHED from now on. PGG_TOO_MANY: more than PGG_TOPICS_MAX. */
int pgg_subscribe(pgg *game, const char *topic);
int pgg_unsubscribe(pgg *game, const char *topic);

/** Counted since pgg_open(). */
struct pgg_statistics {
	uint64_t events;  /* that were taken */
	uint64_t sent;    /* records to workers and processes */
	uint64_t full;    /* that found no room */
	uint64_t missing; /* messages of all PGG_GAP */
	uint64_t sleeps;  /* of pgg_wait(), and those that pgg_sleep_begin() prepared */
};

void pgg_read_statistics(const pgg *game, struct pgg_statistics *out);

/* ---------------------------------------------------------------- in an event loop of one's own */

/** Readable when the gateway says something: pgg_poll() looks at it. It is not readable when players do: that is memory. */
int pgg_fd(const pgg *game);

/** Prepare to sleep: gives back what pgg_poll() returned, and flushes. Then a thread that has nothing else to do calls
 *  pgg_sleep(), and this one pgg_sleep_end() when that has returned; until then it may send, but not poll or wait.
 *  @return 1: pgg_poll() has something, and there is no sleep to be ended; 0 */
int pgg_sleep_begin(pgg *game);

/** In any thread: returns when there may be something, after timeout_ms, or after pgg_interrupt(). */
void pgg_sleep(pgg *game, int timeout_ms);
void pgg_sleep_end(pgg *game);

/** In any thread, or a signal's handler: ends the pgg_sleep() that was prepared. */
void pgg_interrupt(pgg *game);

#ifdef __cplusplus
}
#endif

#endif

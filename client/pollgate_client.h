/* SPDX-License-Identifier: BSD-3-Clause
 * pollgate_client.h: the players' end of a pollgate gateway's `session` profile, for game engines.
 *
 * C11, and C++11. Copy this header and pollgate_client.c into a game, or link libpollgate-client (pkg-config
 * pollgate-client). Needs libsodium, OpenSSL's libcrypto and libdeflate; GCC or Clang; a little-endian machine.
 *
 *     struct pgc_options options;
 *     pgc_options_init(&options);
 *     options.session = ticket.session;                    // from `pollgate token issue`, over your own login
 *     memcpy(options.key, ticket.key, sizeof(options.key));
 *     pgc_client *client = pgc_new(&options);
 *     pgc_open(client, "gate.example.org", 8081);          // then, every frame of the game:
 *     pgc_move(client, position, velocity, NULL);
 *     while (pgc_poll(client, 0) > 0)
 *         while (pgc_next_event(client, &event))
 *             handle(&event);
 *     pgc_close(client);
 *     pgc_free(client);
 *
 * Threads: a client belongs to one thread at a time; different clients are independent. No global state.
 * Memory: allocated by pgc_new() only (but for what OpenSSL and libdeflate keep for themselves, of fixed size), bounded by
 * the options.
 * Errors: functions that return int give PGC_OK or a negative enum pgc_error, and have changed nothing if so.
 * Units are in the names: _ms, _s, _ns, _bytes. Positions are metres, velocities metres per second.
 */

#ifndef POLLGATE_CLIENT_H
#define POLLGATE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PGC_KEY_BYTES 32
#define PGC_DATAGRAM_MAX 1400   /* bytes of UDP payload; no datagram of either side is longer */
#define PGC_CHAT_MAX 512        /* bytes of UTF-8 */
#define PGC_BULK_MAX 65528      /* bytes */
#define PGC_CHANNELS 4          /* of reliable messages: 0, 1 and 2 deliver in order, each for itself; 3 as they come */
#define PGC_CHANNEL_UNORDERED 3 /* takes no message longer than a datagram */
#define PGC_INPUTS_MAX 256      /* that can be applied again: some seconds; older ones count as seen */
#define PGC_IN_SIGHT_MAX 32     /* who a gateway tells of all the time */
#define PGC_NEVER UINT64_MAX

typedef struct pgc_client pgc_client;

enum pgc_error {
	PGC_OK = 0,
	PGC_ERROR_ARGUMENT = -1, /* a value that the protocol cannot carry */
	PGC_ERROR_STATE = -2,    /* not connected, or already */
	PGC_ERROR_FULL = -3,     /* too much is unacknowledged: try again later */
	PGC_ERROR_TOO_LONG = -4, /* longer than a message may be, or than a datagram where it cannot be cut */
	PGC_ERROR_EVENTS = -5,   /* take the events first: pgc_next_event() */
	PGC_ERROR_ADDRESS = -6,  /* the host's name is unknown */
	PGC_ERROR_SYSTEM = -7,   /* errno says why */
	PGC_ERROR_MEMORY = -8
};

/** One sentence about an enum pgc_error. Static storage. */
const char *pgc_error_text(int error);

/* ---------------------------------------------------------------- making one */

/** Filled by pgc_options_init(); set session and key, and what else should differ. Copied. */
struct pgc_options {
	uint32_t session;           /* as issued */
	uint8_t key[PGC_KEY_BYTES]; /* as issued; secret */

	uint16_t max_datagram;       /* 508 to 1400: none that is sent is longer; what the path carries is found out */
	uint32_t connect_timeout_ms; /* an attempt that is not answered ends after it */
	uint32_t silence_timeout_ms; /* a connection on which nothing comes ends after it; 0: as the gateway says */
	uint32_t heartbeat_ms;       /* silence after which the client says that it is there, or sooner */

	uint32_t flush_ms;      /* what is not urgent waits so long for company */
	uint32_t memory_bytes;  /* for messages in both directions: at least 128 KiB; 64 KiB messages need 256 */
	uint32_t queue_bytes;   /* of it, for messages that wait or are unacknowledged */
	uint32_t receipts;      /* messages with a receipt that may be on their way at once */
	uint32_t compress_chat; /* bytes of text from which chat is compressed; UINT32_MAX: never */
	uint32_t compress_bulk; /* the same for bulk, and for types that have no function of their own */

	/** Who is near, where the gateway has a world. Off, what it tells of that is forgotten, and no memory is spent on it. */
	bool world;
	uint32_t world_delay_ms; /* they are shown so long ago; 0: three times the distance of what comes, or more */
	uint32_t world_extrapolate_ms; /* so long somebody goes on of whom nothing comes */
	uint32_t world_glimpses;       /* so many of those further away are kept */

	/** For measuring: every datagram with messages asks to be acknowledged at once, and who wants to know is told which
	 *  datagrams the gateway says that it has: `newest`, and newest - n for each bit n of `others`; each datagram once. Their
	 *  numbers are those of pgc_last_datagram(). It is told within pgc_receive(), and must not call back. NULL: nobody is. */
	bool answer_at_once;
	void (*arrived)(void *context, uint64_t newest, uint64_t others);
	void *arrived_context;

	/** For debugging: told the traffic keys of a connection, of each key phase, as a line of a key file of wireshark/README.md.
	 *  Whoever has it can read the connection. It is told within pgc_receive() and pgc_transmit(), and must not call back.
	 *  NULL: nobody is. */
	void (*key_log)(void *context, const char *line);
	void *key_log_context;

	/** The clock, in ns, monotonic; NULL: the system's. For tests and simulations. */
	uint64_t (*clock_ns)(void *context);
	void *clock_context;
};

void pgc_options_init(struct pgc_options *options);

/** @return NULL: an option is outside of its range, or out of memory. Freed with pgc_free(). */
pgc_client *pgc_new(const struct pgc_options *options);

/** The same for many clients in one thread, such as a load generator's: they share the memory for messages that `first` was
 *  made with, whose options.memory_bytes is for all of them. `first` is freed last. */
pgc_client *pgc_new_beside(const struct pgc_options *options, pgc_client *first);

/** Does not say goodbye: pgc_close() does. NULL is allowed. Wipes the keys. */
void pgc_free(pgc_client *client);

/* ---------------------------------------------------------------- the connection */

enum pgc_state { PGC_IDLE, PGC_CONNECTING, PGC_CONNECTED, PGC_CLOSED };

enum pgc_state pgc_state(const pgc_client *client);

/** Begin the handshake, as pgc_open() does; PGC_EVENT_CONNECTED or _CLOSED follows. PGC_ERROR_STATE while connected or at it. */
int pgc_connect(pgc_client *client);

/** The same in any state: for a game that came back from sleep. What was not acknowledged is lost. */
int pgc_reconnect(pgc_client *client);

/** Say goodbye: with the next pgc_transmit() or pgc_poll(), with pgc_open() at once. What was not acknowledged is lost: wait for
 *  PGC_EVENT_DELIVERED if it matters. PGC_EVENT_CLOSED follows. Who goes on polling tells a gateway that did not hear, for 3 s. */
int pgc_close(pgc_client *client);

/* ---------------------------------------------------------------- messages to the gateway */

enum pgc_priority {
	PGC_URGENT, /* leaves at once */
	PGC_NORMAL, /* waits up to flush_ms for company */
	PGC_BULK    /* and after all others */
};

/** How a message travels. */
struct pgc_delivery {
	bool reliable;    /* kept and repeated until it is acknowledged */
	uint8_t channel;  /* of reliable ones, 0 to 3; 0 otherwise */
	uint8_t priority; /* enum pgc_priority */
	uint32_t receipt; /* of reliable ones: PGC_EVENT_DELIVERED or _LOST will name it, once; 0: no such event */
};

/* Bodies are copied. `delivery` NULL is what the comment says. `target_id` is a player, or 0: everyone near; of who is in no
 * world nobody gets that, and the gateway counts it.
 * PGC_ERROR_STATE: not connected; PGC_ERROR_FULL, PGC_ERROR_TOO_LONG, PGC_ERROR_ARGUMENT. */

/** Where the player is and where it is going. Finite. NULL: unreliable, urgent. */
int pgc_move(pgc_client *client, const float position[3], const float velocity[3], const struct pgc_delivery *delivery);

/** At a player, or in a direction; with options.world by what pgc_in_sight() shows now. NULL: reliable, channel 0, urgent. */
int pgc_attack(pgc_client *client, uint32_t target_id, uint32_t attack_id, const float direction[3],
	       const struct pgc_delivery *delivery);

/** @param chat_group  the game's own: guild, whisper, trade, ...
 *  @param text        UTF-8, need not end in a 0
 *  @param bytes       1 to PGC_CHAT_MAX
 *  NULL: reliable, channel 1, normal. */
int pgc_chat(pgc_client *client, uint32_t target_id, uint8_t chat_group, const char *text, size_t bytes,
	     const struct pgc_delivery *delivery);

/** NULL: reliable, channel 0, urgent. */
int pgc_skill(pgc_client *client, uint32_t skill_id, uint32_t target_id, const struct pgc_delivery *delivery);

/** Bytes of the game's own. Longer than a datagram: cut and joined again, then it must be reliable and not on channel 3.
 *  NULL: reliable, channel 2, bulk. */
int pgc_bulk(pgc_client *client, uint32_t target_id, const void *data, size_t bytes,
	     const struct pgc_delivery *delivery);

/** Messages by their numbers on the wire. */
enum pgc_message {
	/* messages from messages.def: begin */
	PGC_MESSAGE_MOVE = 1,
	PGC_MESSAGE_ATTACK = 2,
	PGC_MESSAGE_CHAT = 3,
	PGC_MESSAGE_HEARTBEAT = 4,
	PGC_MESSAGE_SKILL = 5,
	PGC_MESSAGE_BULK = 7,
	PGC_MESSAGE_PING = 12,
	PGC_MESSAGE_GAME = 64,
	PGC_MESSAGE_GAME_LAST = 199,
	/* messages from messages.def: end */
};

/** Any message, also of a type that has no function above. @param body  as dpdk_app/wire/PROTOCOL.md has it; what it does not allow is PGC_ERROR_ARGUMENT
 *  NULL: as dpdk_app/wire/messages.def has it. */
int pgc_say(pgc_client *client, enum pgc_message type, const void *body, size_t bytes,
	    const struct pgc_delivery *delivery);

/** A message of the game's own, to the game. @param type  PGC_MESSAGE_GAME to PGC_MESSAGE_GAME_LAST; limits are of all together
 *  @param data  at most 65536 bytes, which nobody but the game looks at; longer than a datagram as pgc_bulk()
 *  NULL: reliable, channel 0, normal. */
int pgc_game(pgc_client *client, uint8_t type, const void *data, size_t bytes, const struct pgc_delivery *delivery);

/** Ask for a PGC_EVENT_PONG with this token, at once: a round trip. It may be lost. PGC_ERROR_STATE, PGC_ERROR_FULL. */
int pgc_ping(pgc_client *client, uint32_t token);

/* ---------------------------------------------------------------- events */

enum pgc_event_type {
	PGC_EVENT_CONNECTED = 1,
	PGC_EVENT_CLOSED,
	PGC_EVENT_DELIVERED, /* a message with a receipt has arrived */
	PGC_EVENT_LOST,      /* it will not, or nobody knows whether it did */
	PGC_EVENT_ATTACK,
	PGC_EVENT_CHAT,
	PGC_EVENT_SKILL,
	PGC_EVENT_BULK,
	PGC_EVENT_INVENTORY,
	PGC_EVENT_RESTARTED, /* a process of the gateway died; the connection goes on, with the next one */
	PGC_EVENT_PONG,
	PGC_EVENT_CORRECTION, /* we are elsewhere: what we say of where we are follows from there */
	PGC_EVENT_GAME,       /* of the game's own types */
	PGC_EVENT_WORLD, /* with options.world: in which world we are now (name "": in none); nobody of another is in sight */
	PGC_EVENT_ENTER, /* somebody is in sight */
	PGC_EVENT_LEAVE, /* somebody is not any more. With the connection all are gone, without this */
	PGC_EVENT_STATE, /* the game's own state of somebody in sight, the first or another one */
			 /* the others as on the wire; events from messages.def: begin */
			 /* events from messages.def: end */
};

/** What became of an attack; others may come. */
enum pgc_judged { PGC_HIT = 1, PGC_MISS, PGC_TOO_FAR, PGC_NO_TARGET, PGC_NO_ATTACKER, PGC_NO_DIRECTION };
/** Why a movement was refused: outside of the world, or faster than is allowed; others may come. */
enum pgc_refused { PGC_BOUNDS = 1, PGC_SPEED, PGC_ACCELERATION };

/** Why a connection, or an attempt, ended. */
enum pgc_closed {
	/* said by either side; as on the wire */
	PGC_CLOSED_LEFT = 1,     /* pgc_close() */
	PGC_CLOSED_IDLE = 2,     /* the gateway heard nothing from us */
	PGC_CLOSED_EXPIRED = 3,  /* the session is worth nothing any more */
	PGC_CLOSED_REVOKED = 4,  /* by the operator */
	PGC_CLOSED_REPLACED = 5, /* the same ticket connected from elsewhere */
	PGC_CLOSED_PROTOCOL = 7,
	PGC_CLOSED_RESTARTED = 8, /* the gateway cannot go on with the connection: connect again */
	PGC_CLOSED_SHUTDOWN = 9,
	PGC_CLOSED_KICKED = 10, /* by the game, which says no reason */
	/* the gateway denied the attempt, and proved that it is the one to */
	PGC_DENIED_VERSION = 22,
	PGC_DENIED_EXPIRED = 23,
	PGC_DENIED_REVOKED = 24,
	PGC_DENIED_CONSUMED = 25,
	PGC_DENIED_FULL = 26,
	/* found out here */
	PGC_CLOSED_UNREACHABLE = 40, /* the attempt was not answered within connect_timeout_ms */
	PGC_CLOSED_SILENT = 41,      /* nothing came for silence_timeout_ms */
	PGC_CLOSED_RECONNECT = 42,   /* pgc_reconnect() */
	PGC_CLOSED_RESET = 43,       /* the gateway says, and proves, that it has lost the connection: connect again */
	/* a gateway newer than this client: this, plus its reason on the wire */
	PGC_CLOSED_OTHER = 256,
	/* by the game: this, plus the game's own reason, 0 to 127 */
	PGC_CLOSED_GAME = 384
};

/** A few words about an enum pgc_closed. Static storage. */
const char *pgc_closed_text(int reason);

/** Somebody in a world. */
struct pgc_entity {
	uint32_t number;   /* of the world's */
	uint32_t identity; /* of a player, its id; of others what the game says */
	bool is_player;
	uint8_t slot; /* its place among those in sight, below PGC_IN_SIGHT_MAX: nobody else has it meanwhile */
};

/** What happened. Pointers inside are valid until the next call for this client that is not pgc_state() or a message. */
struct pgc_event {
	enum pgc_event_type type;
	uint32_t player_id; /* of CONNECTED: our own; of messages: the sender, 0: the operator */
	union {
		struct {
			uint32_t expires_in_s;
			uint32_t idle_timeout_ms;
			uint16_t max_datagram; /* of which it is known so far that the path carries it */
		} connected;
		struct {
			int reason;        /* enum pgc_closed */
			int likely_denial; /* of PGC_CLOSED_UNREACHABLE: a denial that anybody can have sent; 0: none came */
		} closed;
		struct {
			uint32_t receipt;
		} delivery; /* DELIVERED, LOST */
		struct {
			uint32_t token;
		} pong;
		struct {
			uint32_t lost[4]; /* of each channel: pieces of reliable messages to us that will not come */
		} restarted;
		struct {
			uint32_t target_id;
			uint32_t attack_id;
			float direction[3];
			uint8_t judged; /* enum pgc_judged; 0: nobody judges in this world, and nothing below is said */
			bool clamped;   /* by another moment than the attacker said to see */
			uint32_t tick;  /* and */
			uint8_t parts;  /* of 256: by which moment */
			bool is_player; /* is who was judged */
			uint32_t who;   /* by identity; 0: nobody */
			float distance; /* metres, to where the body begins that is hit */
			float error;    /* metres, past the middle of the body */
		} attack;
		struct {
			uint32_t target_id;
			const char *text; /* UTF-8, checked; not ended by a 0 */
			uint16_t bytes;
			uint8_t chat_group;
		} chat;
		struct {
			uint32_t skill_id;
			uint32_t target_id;
		} skill;
		struct {
			float position[3], velocity[3];
			uint8_t why; /* enum pgc_refused: we are back where we were; 0: the game has put us there, and nothing below is said */
			float refused_position[3], refused_velocity[3]; /* of the movement of ours that was refused */
		} correction;
		struct {
			uint8_t message_type; /* PGC_MESSAGE_GAME to PGC_MESSAGE_GAME_LAST */
			bool reliable;
			uint8_t channel; /* of a reliable one */
			uint32_t bytes;
			const uint8_t *data;
		} game;
		struct {
			const char *name;       /* UTF-8, ended by a 0 */
			float low[3];           /* its lowest corner */
			float radius;           /* metres: so far one sees */
			uint8_t slots, tick_hz; /* and so many; ticks a second */
		} world;
		struct pgc_entity entity; /* ENTER, LEAVE */
		struct {
			struct pgc_entity entity;
			uint8_t version, bytes; /* at most 32 */
			const uint8_t *data;
		} state;
		struct {
			uint32_t target_id; /* of BULK */
			uint32_t bytes;
			const uint8_t *data;
		} bytes; /* BULK, INVENTORY; of types that have nothing above: the whole body behind the sender */
	} as;
};

/** Take the oldest event. @return false: there is none. */
bool pgc_next_event(pgc_client *client, struct pgc_event *event);

/** Is there one? */
bool pgc_event_waiting(pgc_client *client);

/* ---------------------------------------------------------------- who is in sight: with options.world */

/** Where somebody in sight is to be shown. */
struct pgc_sight {
	struct pgc_entity entity;
	float position[3];
	float velocity[3];
	uint32_t beyond_ms; /* how far the time is from the nearest that is known of it; 0: it is between two */
	uint8_t state_bytes, state[32]; /* the game's own state of it, as far as it has come; see PGC_EVENT_STATE */
};

/** All who are in sight, at a time between what came: options.world_delay_ms before `at_ns`. @return how many
 *  @param at_ns  by the client's clock; 0: now
 *  @param out    PGC_IN_SIGHT_MAX */
size_t pgc_in_sight(const pgc_client *client, uint64_t at_ns, struct pgc_sight *out);

/** Somebody who is further away, when he was last told of; on the ground. */
struct pgc_glimpse {
	uint32_t number;
	float position[2];
	uint32_t age_ms;
};

/** Those further away, in no order. @return how many @param room  options.world_glimpses, rounded up to 8, is enough for all */
size_t pgc_glimpses(const pgc_client *client, uint64_t at_ns, struct pgc_glimpse *out, size_t room);

/* ---------------------------------------------------------------- the own player, before the game has said where it is */

/** As in MOVE and CORRECTION. */
struct pgc_motion {
	float position[3], velocity[3];
};
/** What a player does: keys, a stick, for some time. All but `at_ns` is the game's own. */
struct pgc_input {
	uint64_t at_ns; /* when, by the client's clock; not before the last */
	float value[6];
	uint32_t flags;
};
/** What an input does to a motion: the same for the same values, here and in the game. */
typedef void pgc_step(void *context, struct pgc_motion *motion, const struct pgc_input *input);
/** Each input holds at once, and is kept. PGC_EVENT_CORRECTION says where the game had the player by the inputs until some time:
 *  from there, those that it had not seen are applied again. Needs no client, and no memory but this. */
struct pgc_prediction {
	struct pgc_motion motion; /* where the player is, as far as this end knows: for pgc_move(), and to draw */
	pgc_step *step;
	void *context;
	uint32_t first, inputs; /* not seen yet */
	struct pgc_input input[PGC_INPUTS_MAX];
	struct pgc_motion after[PGC_INPUTS_MAX]; /* each of them: what pgc_move() was told */
};

void pgc_prediction_init(struct pgc_prediction *player, const struct pgc_motion *start, pgc_step *step, void *context);
/** The player does something. */
void pgc_prediction_move(struct pgc_prediction *player, const struct pgc_input *input);
/** The game has seen what was done until then, and agrees. */
void pgc_prediction_seen(struct pgc_prediction *player, uint64_t until_ns);
/** It has seen what was done until then, and has refused what pgc_move() was told of it: before pgc_prediction_correct().
 *  @return when that was, for pgc_prediction_correct(); 0: nobody remembers it */
uint64_t pgc_prediction_refused(const struct pgc_prediction *player, const struct pgc_motion *refused);
/** The game has put the player elsewhere. @param seen_until_ns  when the newest input was that it had seen: a round trip ago, unless the game says better
 *  @param moved          out: how far the player is moved by it, so that what is drawn may follow over some frames; or NULL */
void pgc_prediction_correct(struct pgc_prediction *player, const struct pgc_motion *to, uint64_t seen_until_ns,
			    float moved[3]);

/** Counted since pgc_new(). */
struct pgc_statistics {
	uint64_t datagrams_sent;
	uint64_t datagrams_received; /* taken */
	uint64_t datagrams_refused;  /* forged, repeated, malformed or not for us */
	uint64_t resent;             /* reliable messages, or pieces */
	uint64_t duplicates;         /* reliable messages that came again */
	uint32_t connections;
	uint32_t round_trip_us; /* smoothed, with what the gateway waits to acknowledge; 0: unknown */
	uint64_t world_states;  /* that told of who is in sight */
	uint64_t world_skipped; /* what in them, or of them, could not be understood */
};

void pgc_read_statistics(const pgc_client *client, struct pgc_statistics *out);

/* ---------------------------------------------------------------- over a socket of POSIX */

#ifndef PGC_NO_SOCKET

/** Make a UDP socket for this gateway and connect; see pgc_connect(). Closed by pgc_free().
 *  @param host  a name or an address; a name is looked up now, which may take a while
 *  PGC_ERROR_STATE, PGC_ERROR_ADDRESS, PGC_ERROR_SYSTEM. */
int pgc_open(pgc_client *client, const char *host, uint16_t port);

/** Go on with a new socket, hence a new source address: when the device's network has changed. The session moves along
 *  by itself, under another number: see pgc_moved(). PGC_ERROR_STATE: no socket; PGC_ERROR_SYSTEM: the old one stays. */
int pgc_rebind(pgc_client *client);

/** Readable when pgc_poll() has something to do; as well as after pgc_timeout_ms(). -1: no socket. */
int pgc_fd(const pgc_client *client);

/** How long nothing needs to be done, unless something comes; rounded up. -1: for ever. */
int pgc_timeout_ms(const pgc_client *client);

/** Receive and send, until there is an event or timeout_ms is over (0: at once; -1: no limit).
 *  @return 1 an event is waiting, 0 none, or PGC_ERROR_STATE (no socket), PGC_ERROR_SYSTEM. Losing the network is no error:
 *  datagrams are lost, and the connection ends as PGC_CLOSED_SILENT if that lasts. */
int pgc_poll(pgc_client *client, int timeout_ms);

#endif

/* ---------------------------------------------------------------- without a socket: bytes in, bytes out */

/** A datagram came from the gateway's address. Not changed, not kept. What is not authentic is counted, and PGC_OK.
 *  PGC_ERROR_EVENTS: not looked at; take the events of the one before first. */
int pgc_receive(pgc_client *client, const void *datagram, size_t bytes);

/** The same of one that came before now and waited for the game, which looks once a frame, say: so that the wait does not look like
 *  a queue on the path. All that came is received before pgc_transmit() is called.
 *  @param came_ns  when, by the client's clock; what is later than now is now */
int pgc_receive_at(pgc_client *client, const void *datagram, size_t bytes, uint64_t came_ns);

/** The next datagram to send now. Call until it returns 0, after pgc_receive(), after messages and at pgc_due_ns().
 *  @param out  PGC_DATAGRAM_MAX bytes
 *  @return bytes */
size_t pgc_transmit(pgc_client *client, void *out);

/** The number of the last datagram of pgc_transmit() in this connection: they are counted from 1. */
uint64_t pgc_last_datagram(const pgc_client *client);

/** When pgc_transmit() has something to do next, by the client's clock; PGC_NEVER. */
uint64_t pgc_due_ns(const pgc_client *client);

/** The last datagram of pgc_transmit() was too long for the path (EMSGSIZE): goes on with shorter ones. */
void pgc_too_long_for_path(pgc_client *client);

/** The device is on another network: what is on its way is sent again, in short datagrams until it is known what the new path
 *  carries. From now on datagrams have another session number and other counters in clear, if the gateway gave some: nobody who
 *  sees both networks can follow the player by them. That is worth something only if what is sent from now on leaves by another
 *  socket. pgc_rebind() does it itself. Before the first connection nothing happens. */
void pgc_moved(pgc_client *client);

#ifdef __cplusplus
}
#endif

#endif

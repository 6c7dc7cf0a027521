// SPDX-License-Identifier: BSD-3-Clause
// pollgate.h: all that the supervisor's side can see of the data plane: plan in, lifecycle, and with pollgate_stats.h
// statistics out.
//
// No DPDK type appears here. Every structure is plain data with fixed sizes, because it crosses a process
// border (the statistics page and the session state are memory files that outlive a worker process) or a
// language border (cffi checks each layout against this header when the extension is compiled).

#ifndef POLLGATE_H
#define POLLGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pollgate_processes.h"
#include "pollgate_stats.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Bumped when a structure or the meaning of a field changes; kept in every shared page.
#define PG_ABI_VERSION 11

// ---------------------------------------------------------------- errors

enum pg_error_code {
	PG_OK = 0,
	PG_ERROR_USAGE = -1,    // the plan contradicts itself or this build
	PG_ERROR_DEVICE = -2,   // a port could not be made, configured or started
	PG_ERROR_MEMORY = -3,   // pools, tables or huge pages
	PG_ERROR_SYSTEM = -4,   // EAL or the kernel refused
	PG_ERROR_TIMEOUT = -5,  // workers did not answer within the bound
	PG_ERROR_INTERNAL = -6, // a bug
};

/// One failure, as one sentence. Filled by every function that takes it and returns non-zero.
struct pg_error {
	int32_t code; // enum pg_error_code
	char message[512];
};

// ---------------------------------------------------------------- plan

// Of each port and worker; pollgate_stats.h has how many of these there can be.
#define PG_ADDRESSES_MAX 8
#define PG_QUEUES_PER_WORKER_MAX 16

/// Frames that wait for room in the transmit ring of a queue, at most: pools have buffers for these, too.
#define PG_HELD_PER_QUEUE 128

/// Bytes of UDP payload that fit an Ethernet frame; longer ones are too_long.
#define PG_DATAGRAM_MAX 1472

// Each number of the configuration is one line of settings.def, which makes its field.
#define PG_KIND_NUMBER uint32_t
#define PG_KIND_KIB uint32_t
#define PG_KIND_MILLISECONDS uint32_t
#define PG_KIND_SECONDS uint64_t
#define PG_KIND_SHARE uint32_t
#define PG_KIND_METRES uint64_t
#define PG_SETTING(field, key, kind, ...) PG_KIND_##kind field;

/// What brings packets to the poll loops: devices of DPDK, or the kernel's sockets.
enum pg_engine {
#define ENGINE(NAME, name) PG_ENGINE_##NAME,
#include "engines.def"
	PG_ENGINES
};

/// Its name; NULL when out of range. Static storage.
const char *pg_engine_name(unsigned engine);

/// Where the buffers of an engine that does not use DPDK come from.
enum pg_pages { PG_PAGES_ORDINARY, PG_PAGES_HUGE_IF_FREE, PG_PAGES_HUGE };

/// The kernel's sockets, for the engines that use them.
struct pg_socket_plan {
#define SOCKETS PG_SETTING
#include "settings.def"
	uint8_t pages; // enum pg_pages: of io_uring's buffers
};

/// `checksums`: use the device's engines where it has them, or always compute in software.
enum pg_checksums { PG_CHECKSUMS_AUTO, PG_CHECKSUMS_SOFTWARE };

struct pg_port_plan {
	char name[32];
	char device[64]; // EAL device name: a PCI address, or a vdev's name without its arguments
	struct pg_address address[PG_ADDRESSES_MAX];
	uint32_t address_count;
	uint8_t mac[6];
	bool has_mac; // false: the device's own
	bool promiscuous;
	uint8_t checksums; // enum pg_checksums
	uint8_t pool;      // index into pg_plan.pool
	uint16_t queues;   // rx/tx pairs asked for; the device may have fewer
#define PORT PG_SETTING
#include "settings.def"
};

struct pg_pool_plan {
	char name[24];
	int32_t node;             // NUMA node, -1 any
	uint32_t mbufs;           // objects
	uint32_t cache;           // objects kept per lcore
	uint16_t data_room_bytes; // headroom included
};

struct pg_queue_ref {
	uint8_t port; // index into pg_plan.port
	uint16_t queue;
};

struct pg_worker_plan {
	uint32_t lcore; // EAL lcore id; of DPDK only
	uint32_t cpu;
	uint32_t queue_count;
	struct pg_queue_ref queue[PG_QUEUES_PER_WORKER_MAX];
};

// Of the game behind the gate.
#define PG_GAME_ROUTES_MAX 32
#define PG_GAME_ROUTE_PROCESSES_MAX 8 // that share what one route takes
#define PG_GAME_TYPES 256

/// What players say, and who gets it. Of several routes that fit, the first one is it.
struct pg_game_route {
	uint64_t listeners;               // bits, by index into pg_plan.listener_port; all ones: all
	uint8_t types[PG_GAME_TYPES / 8]; // bits, by number on the wire: type n is bit n % 8 of byte n / 8
	uint8_t processes;                // at least 1
	// by index; a player's messages all go to one of them
	uint8_t process[PG_GAME_ROUTE_PROCESSES_MAX];
};

/// What a reload may change while packets flow. Copied by the callee.
struct pg_policy {
#define SESSIONS PG_SETTING
#define HOST PG_SETTING
#include "settings.def"
	struct pg_listener_policy {
#define LISTENER PG_SETTING
#define ISSUED PG_SETTING
#include "settings.def"
	} listener[PG_LISTENERS_MAX];
	// profile session, whatever the listener
	struct pg_delivery_policy {
#define DELIVERY PG_SETTING
#include "settings.def"
		uint32_t compress_min[PG_COMPRESSIBLE]; // bytes; UINT32_MAX: never
		uint32_t message_pps[PG_REQUESTS];      // per session; 0 is unlimited
		uint32_t message_burst[PG_REQUESTS];
	} delivery;
	struct pg_game_policy {
#define GAME PG_SETTING
#include "settings.def"
		uint32_t routes;
		struct pg_game_route route[PG_GAME_ROUTES_MAX];
	} game;
};

/// What a listener speaks: the key `profile` of the configuration.
enum pg_profile {
#define PROFILE(NAME, name, loops) PG_PROFILE_##NAME,
#include "wire/profiles.def"
	PG_PROFILES
};

/// Its name; NULL when out of range. Static storage.
const char *pg_profile_name(unsigned profile);

/// An address and UDP port at which clients reach us.
struct pg_netcode_server {
	uint8_t family;    // 4 or 6
	uint8_t bytes[16]; // network order; the first 4 when family is 4, the others are 0
	uint16_t port;
};

/// Servers that a connect token can name, as the standard has it; and so how many we can be.
#define PG_NETCODE_SERVERS_MAX 32
#define PG_NETCODE_KEY_BYTES 32
#define PG_NETCODE_USER_BYTES 256
#define PG_NETCODE_TOKEN_BYTES 2048

/// Profile netcode, whatever the listener.
struct pg_netcode_plan {
	uint32_t capacity; // clients, at most 2^20; 0: no listener speaks it
	uint32_t server_count;
	uint64_t protocol_id;
	uint8_t private_key[PG_NETCODE_KEY_BYTES];
	struct pg_netcode_server server[PG_NETCODE_SERVERS_MAX]; // what a connect token must name one of
};

/// How attacks are judged in a world.
struct pg_combat_plan {
	uint8_t judged; // 0: they are not, and nothing else counts
#define COMBAT PG_SETTING
#include "settings.def"
};

#define PG_WORLD_TIERS_MAX 3

/// Who is as far away as this is told of less often.
struct pg_tier_plan {
	uint64_t from_um;
	uint32_t every_ticks; // 2, 4 or 8
};

/// A world in which players see each other. Lengths in micrometres; per second, or second squared, where times are in them.
struct pg_world_plan {
	char name[32];
	int64_t low_um[3]; // corners of all there is
	int64_t high_um[3];
	struct pg_combat_plan combat;
	uint32_t tier_count;
	struct pg_tier_plan tier[PG_WORLD_TIERS_MAX]; // the nearest first
#define WORLD PG_SETTING
#include "settings.def"
};

struct pg_plan {
	uint32_t abi_version; // PG_ABI_VERSION
	uint32_t port_count;
	uint32_t worker_count;
	uint32_t pool_count;
	uint32_t listener_count;
	uint8_t engine;                             // enum pg_engine
	uint16_t listener_port[PG_LISTENERS_MAX];   // UDP port, host order
	uint8_t listener_profile[PG_LISTENERS_MAX]; // enum pg_profile
	uint8_t listener_world[PG_LISTENERS_MAX];   // of who connects there: 1 and the index into `world`; 0: none
	uint32_t issued_capacity; // sessions that can be issued, at most 2^20; 0: no listener has profile session
#define PLAN PG_SETTING
#include "settings.def"
	char isa[16]; // "auto", or "v2", "v3", "v4" to force one
	struct pg_port_plan port[PG_PORTS_MAX];
	struct pg_pool_plan pool[PG_POOLS_MAX];
	struct pg_worker_plan worker[PG_WORKERS_MAX];
	struct pg_socket_plan sockets;
	struct pg_netcode_plan netcode;
	uint32_t world_count;
	struct pg_world_plan world[PG_WORLDS_MAX];
	struct pg_policy policy;
};

// ---------------------------------------------------------------- lifecycle (worker process only)

struct pg_gateway;

/// Bytes that the session state of this many sessions, workers and issued sessions needs.
size_t pg_state_size(uint32_t capacity, uint32_t workers, uint32_t issued_capacity);

/// What a session state is for. Fields that are 0 ask for nothing.
struct pg_state_plan {
	uint32_t capacity; // as the arguments of pg_state_size()
	uint32_t workers;
	uint32_t issued_capacity;
	uint32_t netcode_capacity; // clients of profile netcode, at most 2^20
};

/// As pg_state_size() and pg_state_init(), for profile netcode, too.
size_t pg_state_size_for(const struct pg_state_plan *plan);
int pg_state_init_for(void *state, size_t size, const struct pg_state_plan *plan, struct pg_error *error);

/// Bytes of mail that may wait for all of so many workers; ordinary memory, taken as mail comes.
size_t pg_mail_size(uint32_t workers);

/// Make zeroed memory of that size a session state. Called once, by the supervisor, which keeps in its own memory what it
/// goes by: a worker process can write to the state. So sessions are issued in it by this process alone, at this address.
int pg_state_init(void *state, size_t size, uint32_t capacity, uint32_t workers, uint32_t issued_capacity,
		  struct pg_error *error);

/// No more sessions are issued in a state that pg_state_init() made: free what was kept of it. The state stays the caller's.
void pg_state_release(void *state);

/// Say whose numbers the sessions of a state get, before the first is issued: gateway `id` in the upper `bits` of each, 0 in 8
/// where nobody says so. What is left below is for slots, of which all that can be issued must fit, and for at least 4 bits
/// that tell the sessions of one slot apart. Called by the supervisor, before the first worker process has the state: after
/// that it is refused.
int pg_state_gateway(void *state, uint32_t bits, uint32_t id, struct pg_error *error);

/// What pg_dropped() says has been told: it is not said again. Called by the supervisor.
void pg_state_told(void *state);

/// Initialise EAL. Once per process; may start threads, which inherit the caller's CPU affinity.
int pg_eal_init(int argc, char *argv[], struct pg_error *error);

/// Configure and start every port, make pools and tables, adopt the sessions found in `state`.
/// `page` and `state` stay the caller's and must outlive the gateway.
/// @return NULL on failure, with nothing left configured.
struct pg_gateway *pg_open(const struct pg_plan *plan, struct pg_stats_page *page, void *state, size_t state_size,
			   struct pg_error *error);

/// What was found in `state` of a worker process of another version, and not kept, by pg_open() or by processes before this
/// one, since pg_state_told() was called: the sections, for a sentence.
/// @param size  of `text`, at least 1; it is ended by a zero
/// @return 0: everything was kept
size_t pg_dropped(const struct pg_gateway *gateway, char *text, size_t size);

/// Launch the poll loops. Returns when each has turned once, or fails after 5 s.
int pg_start(struct pg_gateway *gateway, struct pg_error *error);

/// Publish a new policy; returns when every worker uses it, or PG_ERROR_TIMEOUT after timeout_ms.
int pg_apply(struct pg_gateway *gateway, const struct pg_policy *policy, uint32_t timeout_ms, struct pg_error *error);

/// Refresh device statistics, link state and pool levels in the page. Call a few times a second.
void pg_housekeep(struct pg_gateway *gateway);

/// Tell every connected player that the gateway ends (CLOSE, shutdown). For an end that is meant: after it their connections
/// are over, where pg_stop() leaves them to the next process.
/// @return false when not all were told within timeout_ms
bool pg_dismiss(struct pg_gateway *gateway, uint32_t timeout_ms);

/// Ask the loops to finish the burst in hand and return. Bounded by timeout_ms.
int pg_stop(struct pg_gateway *gateway, uint32_t timeout_ms, struct pg_error *error);

/// Stop and close the ports, free everything. Only after pg_stop; EAL is cleaned up too.
void pg_close(struct pg_gateway *gateway);

/// Have this process, every thread that it starts from now on and every program that it executes keep of their
/// capabilities those in `kept` at most (bit n: CAP_n of linux/capability.h). Call it before there are other threads.
int pg_limit_capabilities(uint64_t kept, struct pg_error *error);

/// no_new_privs: no program that this process executes gains anything by it, neither a set-user-id one nor one with
/// capabilities in its file.
int pg_gain_nothing(struct pg_error *error);

/// Have the kernel wake this process (SIGCONT) when the thread that started it is gone: one that was stopped by then
/// finds out, and lets go of its devices and ports. To be asked for again after a change of user.
int pg_wake_when_orphaned(struct pg_error *error);

/// End this process with SIGALRM unless this is called again in time. Once is forgiven, because the kernel's timer goes
/// on while the process is frozen or stopped: a process that is stuck ends after twice `seconds`.
void pg_watchdog(uint32_t seconds);

/// What a worker process may still do.
struct pg_confinement {
	uint64_t capabilities; // that the calling thread keeps, as above; poll loops keep none
	uint32_t uid;          // that every thread becomes; UINT32_MAX: nobody changes
	uint32_t gid;
	uint32_t allow_bpf; // a device of the plan needs the system call until it is closed
};

/// Between pg_open(), which needs privileges, and pg_start(): become another user, keep few capabilities, and have the
/// kernel refuse system calls that no packet needs.
int pg_confine(const struct pg_confinement *confinement, struct pg_error *error);

/// The data plane's log lines (EAL, PMDs) go to this file descriptor; -1 drops them.
void pg_log_to(int fd, int debug);

/// Give a player a message (supervisor's order, in the worker process). Returns 0 when it is on its way to the worker that
/// owns the session; what becomes of it is counted there. PG_ERROR_USAGE: not connected, no such type, too long;
/// PG_ERROR_TIMEOUT: the worker has too much to do.
struct pg_letter {
	uint32_t session;
	uint8_t type; // of the wire: CHAT_EVENT, BULK_EVENT, or what wire/messages.def calls GIVEN or GAME
	uint8_t channel;
	uint8_t reliable;
	uint8_t priority; // 0 urgent, 1 normal, 2 bulk
	uint32_t length;
	const uint8_t *body; // after the sender's player_id, which is 0
};
int pg_send(struct pg_gateway *gateway, const struct pg_letter *letter, struct pg_error *error);

// ---------------------------------------------------------------- issued sessions (the process that made the state only)

struct pg_issue_request {
	uint32_t player_id; // not 0
	uint32_t ttl_s;
	bool once;       // may be confirmed once only
	uint8_t world;   // in which the player is: 1 and the index into pg_plan.world; 0: as the listener says
	uint8_t key[32]; // random, the caller's
};

/// Issue a session. A player's session of before is revoked.
/// @return PG_OK; PG_ERROR_USAGE when the request cannot be; PG_ERROR_MEMORY when every slot is taken
int pg_session_issue(void *state, const struct pg_issue_request *request, uint32_t *session, struct pg_error *error);

/// @return false when there is no such session
bool pg_session_revoke(void *state, uint32_t session);

struct pg_session_info {
	uint32_t session;
	uint32_t player_id;
	uint64_t expires_in_ms; // 0: over
	uint64_t silent_ms;     // of a connected one
	uint64_t packets_sent;  // of this connection
	uint32_t connections;
	uint8_t connected;
	uint8_t once;
	uint8_t world; // 1 and the index into pg_plan.world; 0: as the listener says, or none
	uint8_t has_motion;
	uint16_t max_datagram;
	struct pg_address peer; // of a connected one
	uint16_t peer_port;
	float position[3];
	float velocity[3];
};

/// @return false when there is no such session, or its owner changed its record all the time
bool pg_session_inspect(const void *state, uint32_t session, struct pg_session_info *out);
uint32_t pg_session_of_player(const void *state, uint32_t player_id); // 0: none

/// Sessions that stand, in the order of their slots.
/// @param from  slot to begin at; out: where to go on, UINT32_MAX after the last
/// @return how many were written, at most n
uint32_t pg_session_list(const void *state, uint32_t *from, struct pg_session_info *out, uint32_t n);

/// How many sessions stand.
uint32_t pg_session_count(const void *state);

// ---------------------------------------------------------------- connect tokens of profile netcode (any process)

/// What a connect token says.
struct pg_netcode_grant {
	uint64_t protocol_id;
	uint64_t client_id;
	uint64_t created_s; // Unix time
	uint64_t expires_s;
	int32_t timeout_s; // of silence after which both sides give up; negative: never
	uint32_t server_count;
	struct pg_netcode_server server[PG_NETCODE_SERVERS_MAX];
	uint8_t user_data[PG_NETCODE_USER_BYTES];
};

/// Make a connect token, with keys of its own.
/// @return PG_OK; PG_ERROR_USAGE: there can be no such token
int pg_netcode_token(const struct pg_netcode_grant *grant, const uint8_t private_key[PG_NETCODE_KEY_BYTES],
		     uint8_t token[PG_NETCODE_TOKEN_BYTES], struct pg_error *error);

#ifdef __cplusplus
}
#endif

#endif

// SPDX-License-Identifier: BSD-3-Clause
// pollgate.h: all that the supervisor's side can see of the data plane: plan in, lifecycle, statistics out.
//
// No DPDK type appears here. Every structure is plain data with fixed sizes, because it crosses a process
// border (the statistics page and the session state are memory files that outlive a worker process) or a
// language border (cffi checks each layout against this header when the extension is compiled).

#ifndef POLLGATE_H
#define POLLGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Bumped when a structure or the meaning of a field changes; kept in every shared page.
#define PG_ABI_VERSION 8

#define PG_WORKERS_MAX 32
#define PG_PORTS_MAX 8
#define PG_POOLS_MAX 8
#define PG_LISTENERS_MAX 16
#define PG_ADDRESSES_MAX 8
#define PG_QUEUES_PER_WORKER_MAX 16
#define PG_BURST_BUCKETS 9     // upper bounds 1, 2, 4, 8, 16, 24, 32, 48, 64 packets
#define PG_DATAGRAM_MAX 1472   // bytes of UDP payload that fit an Ethernet frame; longer ones are too_long
#define PG_ABOUT_MAX 112       // an interface's name, an address as text, or a path
#define PG_HANDLING_BUCKETS 26 // see pg_handling_bound_ns(); the last one is unbounded

// ---------------------------------------------------------------- names

/// What a received packet was handled as: the label `type` of pollgate_messages_total.
enum pg_message {
#define HANDLED(NAME, name) PG_MESSAGE_##NAME,
#include "stats/reasons.def"
	PG_MESSAGES
};

/// Why a received packet was dropped: the label `reason` of pollgate_drops_total.
enum pg_drop {
	PG_DROP_NONE, // not dropped; never counted, has no label
#define DROP(NAME, ...) PG_DROP_##NAME,
#include "stats/reasons.def"
	PG_DROPS
};

/// Why a packet offered to a transmit queue did not leave: label `reason` of pollgate_transmit_drops_total.
enum pg_tx_drop {
#define TX_DROP(NAME, name) PG_TX_DROP_##NAME,
#include "stats/reasons.def"
	PG_TX_DROPS
};

/// Label of an enumerator above; NULL when out of range or without a label. Static storage.
const char *pg_message_name(unsigned message);
const char *pg_drop_name(unsigned drop);
const char *pg_tx_drop_name(unsigned drop);

/// Upper bound (inclusive) of a bucket; UINT64_MAX for the last handling bucket.
uint32_t pg_burst_bound(unsigned bucket);
uint64_t pg_handling_bound_ns(unsigned bucket);

/// Messages of the session profile that players send: label `type` of pollgate_session_messages_received_total.
enum pg_request {
#define OWN(NAME, ...) PG_REQUEST_##NAME,
#define RELAYED(NAME, ...) PG_REQUEST_##NAME,
#include "wire/messages.def"
	PG_REQUESTS
};

/// And those that they get: label `type` of pollgate_session_messages_sent_total.
enum pg_event {
#define RELAYED(NAME, ...) PG_EVENT_##NAME,
#define GIVEN(NAME, ...) PG_EVENT_##NAME,
#include "wire/messages.def"
	PG_EVENTS
};

/// Types that may be compressed, of either direction: label `type` of pollgate_compression_bytes_total.
enum pg_compressible {
#define COMPRESSED(NAME, ...) PG_COMPRESS_##NAME,
#include "wire/messages.def"
	PG_COMPRESSIBLE
};

/// Why a message to a player was not delivered: label `reason` of pollgate_session_messages_lost_total.
enum pg_loss {
	PG_LOSS_NONE, // not lost; never counted, has no label
#define LOSS(NAME, name) PG_LOSS_##NAME,
#include "stats/reasons.def"
	PG_LOSSES
};

/// Why connections ended: label `reason` of pollgate_session_closed_total. As on the wire.
enum pg_close_reason {
	PG_CLOSED_NONE, // never counted, has no label
#define CLOSED(NAME, name, number) PG_CLOSED_##NAME = (number),
#include "wire/closed.def"
	PG_CLOSE_REASONS
};

/// Why HELLOs and CONFIRMs were answered with DENIED: label `reason` of pollgate_session_denied_total. As on the wire.
enum pg_denial {
	PG_DENIED_NONE, // never counted, has no label
#define DENIED(NAME, name, number) PG_DENIED_##NAME = (number),
#include "wire/closed.def"
	PG_DENIALS
};

const char *pg_request_name(unsigned request);
const char *pg_event_name(unsigned event);
const char *pg_compressible_name(unsigned type);
const char *pg_loss_name(unsigned loss);
const char *pg_denial_name(unsigned reason);
const char *pg_close_name(unsigned reason);

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

// Each number of the configuration is one line of settings.def, which makes its field.
#define PG_KIND_NUMBER uint32_t
#define PG_KIND_KIB uint32_t
#define PG_KIND_MILLISECONDS uint32_t
#define PG_KIND_SECONDS uint64_t
#define PG_KIND_SHARE uint32_t
#define PG_SETTING(field, key, kind, ...) PG_KIND_##kind field;

/// What brings packets to the poll loops: devices of DPDK, or the kernel's sockets.
enum pg_engine { PG_ENGINE_DPDK, PG_ENGINE_EPOLL, PG_ENGINE_IO_URING };

/// Where the buffers of an engine that does not use DPDK come from.
enum pg_pages { PG_PAGES_ORDINARY, PG_PAGES_HUGE_IF_FREE, PG_PAGES_HUGE };

/// The kernel's sockets, for the engines that use them.
struct pg_socket_plan {
#define SOCKETS PG_SETTING
#include "settings.def"
	uint8_t pages; // enum pg_pages: of io_uring's buffers
};

struct pg_address {
	uint8_t family; // 4 or 6
	uint8_t prefix_len;
	uint8_t bytes[16]; // network order; the first 4 when family is 4
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

/// What a reload may change while packets flow. Copied by the callee.
struct pg_policy {
#define SESSIONS PG_SETTING
#define HOST PG_SETTING
#include "settings.def"
	struct pg_listener_policy {
#define LISTENER PG_SETTING
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
};

enum pg_profile { PG_PROFILE_PLAIN, PG_PROFILE_SESSION };

struct pg_plan {
	uint32_t abi_version; // PG_ABI_VERSION
	uint32_t port_count;
	uint32_t worker_count;
	uint32_t pool_count;
	uint32_t listener_count;
	uint8_t engine;                             // enum pg_engine
	uint16_t listener_port[PG_LISTENERS_MAX];   // UDP port, host order
	uint8_t listener_profile[PG_LISTENERS_MAX]; // enum pg_profile
	uint32_t issued_capacity; // sessions that can be issued, at most 2^20; 0: no listener has profile session
#define PLAN PG_SETTING
#include "settings.def"
	char isa[16]; // "auto", or "v2", "v3", "v4" to force one
	struct pg_port_plan port[PG_PORTS_MAX];
	struct pg_pool_plan pool[PG_POOLS_MAX];
	struct pg_worker_plan worker[PG_WORKERS_MAX];
	struct pg_socket_plan sockets;
	struct pg_policy policy;
};

// ---------------------------------------------------------------- statistics

// Each counter is one line of stats/counters.def, which makes its field.
#define PG_NUMBER(field, length, ...) uint64_t field length;
#define PG_NUMBER_32(field, length, ...) uint32_t field length;

struct pg_port_counts {
#define PORT_COUNT PG_NUMBER
#include "stats/counters.def"
};

struct pg_listener_counts {
#define LISTENER_COUNT PG_NUMBER
#include "stats/counters.def"
};

/// What is said in sessions of the session profile.
struct pg_message_stats {
#define MESSAGE PG_NUMBER
#include "stats/counters.def"
};

/// One poll loop's counters. One writer: its lcore. Never reset, not even by a new worker process.
/// At every quiet moment: received + handed_in = sum(handled) + sum(dropped) + to_kernel + forwarded + handed_out,
/// and tx_offered = tx_sent + sum(tx_dropped); over all workers handed_in = handed_out.
struct pg_worker_stats {
	// liveness
	uint64_t heartbeat_tsc; // last turn of the loop; 0 before the first
	uint64_t thread;        // that runs the loop, as the kernel numbers it
	uint64_t policy_generation;

#define RECEIVE PG_NUMBER
#define TRANSMIT PG_NUMBER
#define TIME PG_NUMBER
#define SESSION PG_NUMBER
#include "stats/counters.def"

	struct pg_message_stats messages;

#define DISTRIBUTION PG_NUMBER
#include "stats/counters.def"

	struct pg_port_counts port[PG_PORTS_MAX];
	struct pg_listener_counts listener[PG_LISTENERS_MAX];
} __attribute__((aligned(64)));

/// Does a port serve? Of interfaces in ascending order of what it takes to make it well again.
enum pg_device_state {
	PG_DEVICE_WELL,
	PG_DEVICE_NARROW,   // frames of more than longest_frame bytes do not pass its interface, or the far end
	PG_DEVICE_DOWN,     // its interface is down, or has no carrier
	PG_DEVICE_AWAY,     // of sockets: one of its addresses is not this host's
	PG_DEVICE_GONE,     // its interface is not there
	PG_DEVICE_REPLACED, // there is another interface of that name: the device has to be opened again
	PG_DEVICE_STUCK,    // its interface sends nothing any more: likewise
	PG_DEVICE_RESET,    // the device asks for it
	PG_DEVICE_LEAVING,  // it is being taken away: it has to be closed

	// of devices without an interface of the kernel
	PG_DEVICE_ALONE,     // of a memif that listens: nobody is connected; whoever connects is served
	PG_DEVICE_PEERLESS,  // of a memif that connects: nobody listens
	PG_DEVICE_PEER_BACK, // likewise, and now somebody does: the device has to be opened again
	PG_DEVICE_FULL,      // a file that it writes to takes no more
	PG_DEVICE_FILE_AWAY, // a file that it writes to is not at its place any more: it has to be opened again
};

/// What the device says of itself. One writer: the worker process's control thread.
struct pg_port_stats {
#define DEVICE PG_NUMBER
#define DEVICE_STATE PG_NUMBER_32
#include "stats/counters.def"

	uint32_t link_mbps; // 0: unknown
	uint32_t offloads;  // bits of enum pg_offload
	uint8_t mac[6];
	uint8_t link_known; // 0: nobody can tell, and link_up is 1
	uint8_t device;     // enum pg_device_state
	uint32_t longest_frame;
	char about[PG_ABOUT_MAX]; // the interface, address or file that `device` speaks of; "": none
	uint8_t pad[4];

	// another host that uses an address of ours: the last one seen
	struct pg_address rival_address;
	uint8_t rival_mac[6];
	uint64_t rivals_seen; // behind what it counts: a copy is never older than its count
};

enum pg_offload { PG_OFFLOAD_RX_CHECKSUM = 1, PG_OFFLOAD_TX_CHECKSUM = 2, PG_OFFLOAD_RSS = 4 };

struct pg_pool_stats {
#define POOL PG_NUMBER_32
#include "stats/counters.def"
};

#undef PG_NUMBER
#undef PG_NUMBER_32

enum pg_stats_kind { PG_STATS_COUNTER, PG_STATS_COUNTER_IF_ANY, PG_STATS_GAUGE, PG_STATS_HISTOGRAM };

/// One field of the page, as stats/counters.def has it. Where it is for worker w and port or pool i, in bytes from the
/// beginning of the page: offset + w * worker_stride + i * index_stride; there are `count` numbers of `width` bytes.
struct pg_stats_entry {
	char field[32];
	char metric[48]; // "": none by itself
	char labels[32]; // "worker, state=busy": `name=value` where the field has one value
	char unit[16];   // "", and no meaning: as the entry before it, of the same metric
	char meaning[160];
	uint32_t kind; // enum pg_stats_kind
	uint32_t offset;
	uint32_t worker_stride; // 0: there is no worker
	uint32_t index_stride;  // 0: it is of nothing that is named
	uint32_t width;         // 8 or 4
	uint32_t count;
	uint32_t names; // in the page: of each element, ended by a NUL; "" where nothing counts, or of a number
	uint32_t set;   // whose names `index_stride` goes along: 1 + enum pg_stats_set; 0: none
};

#define PG_STATS_NAME 32 // bytes of an instance's name, with its NUL

/// What there are several of, with names that are known at run time.
enum pg_stats_set {
#define NAMED(SET, ...) PG_STATS_##SET,
#include "stats/counters.def"
	PG_STATS_SETS
};

/// Where in the page their names are: char[most][name_bytes]. A slot without a name is nobody's.
struct pg_stats_set_entry {
	char label[16];
	uint32_t most;
	uint32_t names;
	uint32_t name_bytes;
	uint32_t reserved;
};

/// Their names. One writer: the supervisor.
struct pg_stats_names {
#define NAMED(SET, label, most) char label[most][PG_STATS_NAME];
#include "stats/counters.def"
};

enum {
// As many as there are lines: a term each of a sum. NOLINTNEXTLINE(bugprone-macro-parentheses)
#define PG_ENTRY(...) 1 +
	PG_STATS_ENTRIES =
#define PORT_COUNT PG_ENTRY
#define DEVICE PG_ENTRY
#define DEVICE_STATE PG_ENTRY
#define POOL PG_ENTRY
#define LISTENER_COUNT PG_ENTRY
#define RECEIVE PG_ENTRY
#define TRANSMIT PG_ENTRY
#define TIME PG_ENTRY
#define SESSION PG_ENTRY
#define MESSAGE PG_ENTRY
#define DISTRIBUTION PG_ENTRY
#include "stats/counters.def"
		0
#undef PG_ENTRY
};

/// What is where in the page, for readers that know nothing else. Written once, with the page; no snapshot has it.
struct pg_stats_directory {
	struct pg_stats_entry entry[PG_STATS_ENTRIES];
	struct pg_stats_set_entry set[PG_STATS_SETS];
	char names[4096];
};

/// The statistics page: a memory file made by the supervisor, mapped by every worker process in turn.
/// A reader of another build finds magic, version, counts and directory at these places, whatever it has elsewhere.
struct pg_stats_page {
	uint64_t magic;
	uint32_t abi_version;
	uint32_t worker_count;
	uint32_t port_count;
	uint32_t pool_count;
	uint64_t tsc_hz; // written by the worker process
	char isa[16];    // the micro-architecture level in use
	uint32_t page_bytes;
	uint32_t directory_offset; // of struct pg_stats_entry[directory_entries]
	uint32_t directory_entries;
	uint32_t directory_entry_bytes;
	uint32_t sets_offset; // of struct pg_stats_set_entry[sets]
	uint32_t sets;
	uint32_t set_bytes;
	uint32_t reserved;
	struct pg_stats_names names;
	struct pg_port_stats port[PG_PORTS_MAX];
	struct pg_pool_stats pool[PG_POOLS_MAX];
	struct pg_worker_stats worker[PG_WORKERS_MAX];
	struct pg_stats_directory directory;
};

/// Size of a statistics page in bytes.
size_t pg_stats_page_size(void);

/// Make zeroed memory a page. Called once, by the supervisor.
void pg_stats_page_init(struct pg_stats_page *page, uint32_t workers, uint32_t ports, uint32_t pools);

/// Name an instance: a port, a pool, a UDP port. Its counters are read by that name from now on.
/// @return false when the set has no such slot, the slot has another name, or the name has no place in PG_STATS_NAME bytes
bool pg_stats_name(struct pg_stats_page *page, unsigned set, uint32_t slot, const char *name);

/// Is this a page of this very build's layout, every name in its directory included? To be asked once, before it is used.
bool pg_stats_page_fits(const struct pg_stats_page *page);

/// Copy the page, but for its directory, with relaxed loads: no counter is torn, and a counter never runs ahead of `received`
/// that was read after it. Returns 0, or PG_ERROR_USAGE when `page` is not one of this ABI.
int pg_stats_snapshot(const struct pg_stats_page *page, struct pg_stats_page *out);

/// This CPU's time-stamp counter, and its rate.
uint64_t pg_tsc(void);
uint64_t pg_tsc_hz(void);

// ---------------------------------------------------------------- lifecycle (worker process only)

struct pg_gateway;

/// Bytes that the session state of this many sessions, workers and issued sessions needs.
size_t pg_state_size(uint32_t capacity, uint32_t workers, uint32_t issued_capacity);

/// Bytes of mail that may wait for all of so many workers; ordinary memory, taken as mail comes.
size_t pg_mail_size(uint32_t workers);

/// Make zeroed memory of that size a session state. Called once, by the supervisor.
int pg_state_init(void *state, size_t size, uint32_t capacity, uint32_t workers, uint32_t issued_capacity,
		  struct pg_error *error);

/// Say whose numbers the sessions of a state get, before the first is issued: gateway `id` in the upper `bits` of each, 0 in 8
/// where nobody says so. What is left below is for slots, of which all that can be issued must fit, and for at least 4 bits
/// that tell the sessions of one slot apart. Called by the supervisor.
int pg_state_gateway(void *state, uint32_t bits, uint32_t id, struct pg_error *error);

/// Initialise EAL. Once per process; may start threads, which inherit the caller's CPU affinity.
int pg_eal_init(int argc, char *argv[], struct pg_error *error);

/// Configure and start every port, make pools and tables, adopt the sessions found in `state`.
/// `page` and `state` stay the caller's and must outlive the gateway.
/// @return NULL on failure, with nothing left configured.
struct pg_gateway *pg_open(const struct pg_plan *plan, struct pg_stats_page *page, void *state, size_t state_size,
			   struct pg_error *error);

/// What pg_open() found in `state` of a worker process of another version, and did not keep: the sections, for a sentence.
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
	uint8_t type; // of the wire: CHAT_EVENT, BULK_EVENT, or what wire/messages.def calls GIVEN
	uint8_t channel;
	uint8_t reliable;
	uint8_t priority; // 0 urgent, 1 normal, 2 bulk
	uint32_t length;
	const uint8_t *body; // after the sender's player_id, which is 0
};
int pg_send(struct pg_gateway *gateway, const struct pg_letter *letter, struct pg_error *error);

// ---------------------------------------------------------------- issued sessions (supervisor's process only)

struct pg_issue_request {
	uint32_t player_id; // not 0
	uint32_t ttl_s;
	bool once;       // may be confirmed once only
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

// ---------------------------------------------------------------- the pure core, for tests and tools

struct pg_core; // one identity and one session table, without devices

/// A core that answers for plan->port[0]; no EAL needed. Freed with pg_core_close. NULL: out of memory.
struct pg_core *pg_core_open(const struct pg_plan *plan);
void pg_core_close(struct pg_core *core);

/// Run frames through the core at time `now` (TSC), as one burst.
/// @param frame  n buffers, rewritten in place where there is an answer; one of profile session may be as long as its
///               longest datagram allows, so its buffer has room for a whole frame
/// @param length in: bytes of each frame; out: bytes of the answer, 0 when there is none
/// @param drop   out: enum pg_drop of each frame
/// @param n      at most 64
void pg_core_burst(struct pg_core *core, uint64_t now, uint8_t *const frame[], uint16_t length[], uint8_t drop[],
		   uint32_t n);

/// A datagram as a socket gives it: who sent it, to which of our listeners, and its bytes.
struct pg_datagram {
	struct pg_address source; // prefix_len is not looked at
	uint16_t source_port;
	uint8_t listener; // index into pg_plan.listener_port
	uint8_t drop;     // out: enum pg_drop
	uint16_t
		length; // bytes of payload, at most PG_DATAGRAM_MAX + 1: more is as good as one more; out: the answer's
	uint8_t *
		payload; // rewritten in place when there is an answer; of profile session, PG_DATAGRAM_MAX bytes of room
};

/// Run datagrams through the core at time `now` (TSC), as one burst, as the socket engines do. n is at most 64.
void pg_core_datagrams(struct pg_core *core, uint64_t now, struct pg_datagram *datagram, uint32_t n);

/// The counters that the core wrote; valid until pg_core_close.
const struct pg_worker_stats *pg_core_stats(const struct pg_core *core);

/// Free sessions that were silent for the policy's idle time at `now`. Returns how many.
uint32_t pg_core_expire(struct pg_core *core, uint64_t now);

/// Packets of the session profile that are due at `now`: flushed, repeated, acknowledged, closed. Of a plan whose engine has
/// sockets; none of others.
/// @param datagram  n of them, each with a payload of PG_DATAGRAM_MAX bytes; out: source is whom it goes to, and length
/// @return how many were written; call again while it is n
uint32_t pg_core_due(struct pg_core *core, uint64_t now, struct pg_datagram *datagram, uint32_t n);

/// The link is up, as at the start of a worker: announcements and what else is owed to neighbours become due.
void pg_core_link_up(struct pg_core *core, uint64_t now);

/// The next frame that the host owes its link at `now`, without being asked or some time after it was.
/// @param frame  room for an Ethernet frame
/// @return its length, 0 when none is due; call again while there is one
uint16_t pg_core_duty(struct pg_core *core, uint64_t now, uint8_t *frame);

/// The state that pg_session_issue() and the others work on.
void *pg_core_state(struct pg_core *core);

/// As pg_send().
int pg_core_send(struct pg_core *core, uint64_t now, const struct pg_letter *letter, struct pg_error *error);

/// Internet checksum (RFC 1071) of `length` bytes, as it stands in a header.
uint16_t pg_checksum(const uint8_t *bytes, size_t length);

#ifdef __cplusplus
}
#endif

#endif

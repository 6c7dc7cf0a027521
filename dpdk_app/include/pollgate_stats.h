// SPDX-License-Identifier: BSD-3-Clause
// pollgate_stats.h: what is counted, under which labels, and where in the shared page it stands. Part of pollgate.h.

#ifndef POLLGATE_STATS_H
#define POLLGATE_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// What the page has room for, and so what a plan can have at most.
#define PG_WORKERS_MAX 32
#define PG_PORTS_MAX 8
#define PG_POOLS_MAX 8
#define PG_LISTENERS_MAX 16
#define PG_GAME_PROCESSES_MAX 32 // names, of processes that are there or are waited for
#define PG_WORLDS_MAX 32

#define PG_BURST_BUCKETS 9     // upper bounds 1, 2, 4, 8, 16, 24, 32, 48, 64 packets
#define PG_ABOUT_MAX 112       // an interface's name, an address as text, or a path
#define PG_HANDLING_BUCKETS 26 // see pg_handling_bound_ns(); the last one is unbounded
#define PG_TICK_BUCKETS 19     // see pg_tick_bound_ns(); likewise
#define PG_UNSEEN_BUCKETS 16   // see pg_unseen_bound_ns(); likewise

struct pg_address {
	uint8_t family; // 4 or 6
	uint8_t prefix_len;
	uint8_t bytes[16]; // network order; the first 4 when family is 4
};

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

/// Upper bound (inclusive) of a bucket; UINT64_MAX for the last one of those of times.
uint32_t pg_burst_bound(unsigned bucket);
uint64_t pg_handling_bound_ns(unsigned bucket);
uint64_t pg_tick_bound_ns(unsigned bucket);
uint64_t pg_unseen_bound_ns(unsigned bucket);

/// Messages of the session profile that players send: label `type` of pollgate_session_messages_received_total.
enum pg_request {
#define OWN(NAME, ...) PG_REQUEST_##NAME,
#define RELAYED(NAME, ...) PG_REQUEST_##NAME,
#define GAME(NAME, ...) PG_REQUEST_##NAME,
#include "wire/messages.def"
	PG_REQUESTS
};

/// And those that they get: label `type` of pollgate_session_messages_sent_total.
enum pg_event {
#define RELAYED(NAME, ...) PG_EVENT_##NAME,
#define GIVEN(NAME, ...) PG_EVENT_##NAME,
#define GAME(NAME, ...) PG_EVENT_##NAME,
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

/// Why a message for a game process did not get there: label `reason` of pollgate_game_messages_lost_total.
enum pg_process_loss {
#define PROCESS_LOSS(NAME, name) PG_PROCESS_LOSS_##NAME,
#include "stats/reasons.def"
	PG_PROCESS_LOSSES
};

/// Why what a game process wanted was not done: label `reason` of pollgate_game_orders_refused_total.
enum pg_order_refusal {
	PG_ORDER_REFUSED_NONE, // it was done; never counted, has no label
#define ORDER_REFUSED(NAME, name) PG_ORDER_REFUSED_##NAME,
#include "stats/reasons.def"
	PG_ORDER_REFUSALS
};

/// What became of a movement in a world: label `outcome` of pollgate_world_moves_total.
enum pg_world_move {
#define MOVE(NAME, name) PG_WORLD_MOVE_##NAME,
#include "world_outcomes.def"
	PG_WORLD_MOVES
};

/// How an attack was judged: label `outcome` of pollgate_world_judgements_total.
enum pg_world_judged {
#define JUDGEMENT(NAME, name) PG_WORLD_JUDGED_##NAME,
#include "world_outcomes.def"
	PG_WORLD_JUDGEMENTS
};

/// What became of a question of a game process: label `outcome` of pollgate_world_searches_total.
enum pg_world_search {
#define SEARCH(NAME, name) PG_WORLD_SEARCH_##NAME,
#include "world_outcomes.def"
	PG_WORLD_SEARCHES
};

/// Where messages of players went: label `to` of pollgate_session_messages_dispatched_total.
enum pg_destination {
#define DESTINATION(NAME, name) PG_DESTINATION_##NAME,
#include "stats/reasons.def"
	PG_DESTINATIONS
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

/// Why reliable messages of players were not taken yet: label `reason` of pollgate_session_messages_refused_total. As on the
/// wire.
enum pg_refusal {
	PG_REFUSED_NONE, // never counted, has no label
#define REFUSED(NAME, name, number) PG_REFUSED_##NAME = (number),
#include "wire/closed.def"
	PG_REFUSALS
};

const char *pg_request_name(unsigned request);
const char *pg_event_name(unsigned event);
const char *pg_compressible_name(unsigned type);
const char *pg_loss_name(unsigned loss);
const char *pg_process_loss_name(unsigned loss);
const char *pg_order_refusal_name(unsigned reason);
const char *pg_destination_name(unsigned destination);
const char *pg_world_move_name(unsigned move);
const char *pg_world_judged_name(unsigned judged);
const char *pg_world_search_name(unsigned became);
const char *pg_denial_name(unsigned reason);
const char *pg_close_name(unsigned reason);
const char *pg_refusal_name(unsigned reason);

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

/// Between a worker and a game process.
struct pg_process_counts {
#define PROCESS_COUNT PG_NUMBER
#include "stats/counters.def"
};

/// Between a worker's players and a world.
struct pg_world_counts {
#define WORLD_COUNT PG_NUMBER
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
	struct pg_process_counts process[PG_GAME_PROCESSES_MAX];
	struct pg_world_counts world[PG_WORLDS_MAX];

	// What those were when their slots got the names that they have. One writer: the worker process's control thread.
	struct pg_process_counts process_before[PG_GAME_PROCESSES_MAX];
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
	struct pg_address conflict_address;
	uint8_t conflict_mac[6];
	uint64_t conflicts_seen; // behind what it counts: a copy is never older than its count
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
	uint32_t
		before; // bytes from a counter to what it was when its slot got its name, for readers to subtract; 0: names stay
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
#define PROCESS_COUNT PG_ENTRY
#define WORLD_COUNT PG_ENTRY
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
	uint32_t namings; // one more before each name that is given
	uint64_t letters; // messages of the operator on their way to workers; written by the worker process
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
/// @return false when the set has no such slot, the slot has another name, another slot has this one, or the name has no place
///         in PG_STATS_NAME bytes
bool pg_stats_name(struct pg_stats_page *page, unsigned set, uint32_t slot, const char *name);

/// A slot is nobody's from now on. Whoever gets it next begins at what is counted by then, which its writer sets down before the
/// slot is named again.
/// @return false when names of this set stay
bool pg_stats_unname(struct pg_stats_page *page, unsigned set, uint32_t slot);

/// Is this a page of this very build's layout, every name in its directory included? To be asked once, before it is used.
bool pg_stats_page_fits(const struct pg_stats_page *page);

/// Copy the page, but for its directory, with relaxed loads: no counter is torn, and a counter never runs ahead of `received`
/// that was read after it. Names are those that the counters had. Returns 0, or PG_ERROR_USAGE when `page` is not one of this ABI.
int pg_stats_snapshot(const struct pg_stats_page *page, struct pg_stats_page *out);

/// Count what workers held when they died as lost, as the next worker process would: after the last one has ended.
void pg_stats_settle(struct pg_stats_page *page, uint32_t workers);

/// This CPU's time-stamp counter, and its rate.
uint64_t pg_tsc(void);
uint64_t pg_tsc_hz(void);

#ifdef __cplusplus
}
#endif

#endif

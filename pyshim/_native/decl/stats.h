// SPDX-License-Identifier: BSD-3-Clause
/* What the data plane counts: read-only on this side. `...;` leaves alignment and padding to the compiler, and the
   lengths `[...]` come from pollgate.h, so that a new message type or drop reason needs no change here. */

struct pg_port_counts {
	uint64_t rx_packets;
	uint64_t rx_bytes;
	uint64_t tx_packets;
	uint64_t tx_bytes;
};

struct pg_message_stats {
	uint64_t received[...];
	uint64_t sent[...];
	uint64_t lost[...];
	uint64_t duplicates;
	uint64_t resent;
	uint64_t compress_in[...];
	uint64_t compress_out[...];
	uint64_t expand_in;
	uint64_t expand_out;
	uint64_t memory_used;
};

struct pg_worker_stats {
	uint64_t heartbeat_tsc;
	uint64_t thread;
	uint64_t policy_generation;
	uint64_t received;
	uint64_t handled[...];
	uint64_t dropped[...];
	uint64_t to_kernel;
	uint64_t forwarded;
	uint64_t handed_out;
	uint64_t handed_in;
	uint64_t unanswered;
	uint64_t tx_originated;
	uint64_t tx_offered;
	uint64_t tx_sent;
	uint64_t tx_dropped[...];
	uint64_t cycles_busy;
	uint64_t cycles_idle;
	uint64_t cycles_off_cpu;
	uint64_t handling_cycles;
	uint64_t sessions_active;
	uint64_t sessions_admitted;
	uint64_t sessions_expired;
	uint64_t sessions_recovered;
	uint64_t connected;
	uint64_t connections;
	uint64_t closed[...];
	uint64_t denied[...];
	uint64_t path_changes;
	struct pg_message_stats messages;
	uint64_t rx_burst[...];
	uint64_t handling[...];
	struct pg_port_counts port[PG_PORTS_MAX];
	...;
};

struct pg_port_stats {
	uint64_t rx_missed;
	uint64_t rx_errors;
	uint64_t rx_nombuf;
	uint32_t link_up;
	uint32_t link_mbps;
	uint32_t queues;
	uint32_t offloads;
	uint8_t mac[6];
	uint8_t link_known;
	uint8_t device;
	uint32_t longest_frame;
	char about[PG_ABOUT_MAX];
	uint8_t pad[4];
	struct pg_address rival_address;
	uint8_t rival_mac[6];
	uint64_t rivals_seen;
};

enum pg_device_state {
	PG_DEVICE_WELL,
	PG_DEVICE_NARROW,
	PG_DEVICE_DOWN,
	PG_DEVICE_AWAY,
	PG_DEVICE_GONE,
	PG_DEVICE_REPLACED,
	PG_DEVICE_STUCK,
	PG_DEVICE_RESET,
	PG_DEVICE_LEAVING,
	PG_DEVICE_ALONE,
	PG_DEVICE_PEERLESS,
	PG_DEVICE_PEER_BACK,
	PG_DEVICE_FULL,
	PG_DEVICE_FILE_AWAY,
	...
};

enum pg_offload { PG_OFFLOAD_RX_CHECKSUM = 1, PG_OFFLOAD_TX_CHECKSUM = 2, PG_OFFLOAD_RSS = 4 };

struct pg_pool_stats {
	uint32_t available;
	uint32_t size;
};

struct pg_stats_page {
	uint64_t magic;
	uint32_t abi_version;
	uint32_t worker_count;
	uint32_t port_count;
	uint32_t pool_count;
	uint64_t tsc_hz;
	char isa[16];
	struct pg_port_stats port[PG_PORTS_MAX];
	struct pg_pool_stats pool[PG_POOLS_MAX];
	struct pg_worker_stats worker[PG_WORKERS_MAX];
	...;
};

size_t pg_stats_page_size(void);
void pg_stats_page_init(struct pg_stats_page *page, uint32_t workers, uint32_t ports, uint32_t pools);
int pg_stats_snapshot(const struct pg_stats_page *page, struct pg_stats_page *out);

uint64_t pg_tsc(void);
uint64_t pg_tsc_hz(void);

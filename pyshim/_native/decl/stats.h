// SPDX-License-Identifier: BSD-3-Clause
/* What the data plane counts: read-only on this side. `...;` leaves alignment and padding to the compiler; build.py puts
   the fields of a group of stats/counters.def where COUNTERS(group) stands. */

struct pg_port_counts {
	COUNTERS(PORT_COUNT)
};

struct pg_listener_counts {
	COUNTERS(LISTENER_COUNT)
};

struct pg_process_counts {
	COUNTERS(PROCESS_COUNT)
};

struct pg_world_counts {
	COUNTERS(WORLD_COUNT)
};

struct pg_message_stats {
	COUNTERS(MESSAGE)
};

struct pg_worker_stats {
	uint64_t heartbeat_tsc;
	uint64_t thread;
	uint64_t policy_generation;
	COUNTERS(RECEIVE)
	COUNTERS(TRANSMIT)
	COUNTERS(TIME)
	COUNTERS(SESSION)
	struct pg_message_stats messages;
	COUNTERS(DISTRIBUTION)
	struct pg_port_counts port[PG_PORTS_MAX];
	struct pg_listener_counts listener[PG_LISTENERS_MAX];
	struct pg_process_counts process[PG_GAME_PROCESSES_MAX];
	struct pg_world_counts world[PG_WORLDS_MAX];
	struct pg_process_counts process_before[PG_GAME_PROCESSES_MAX];
	...;
};

struct pg_port_stats {
	COUNTERS(DEVICE)
	COUNTERS(DEVICE_STATE)
	uint32_t link_mbps;
	uint32_t offloads;
	uint8_t mac[6];
	uint8_t link_known;
	uint8_t device;
	uint32_t longest_frame;
	char about[PG_ABOUT_MAX];
	uint8_t pad[4];
	struct pg_address conflict_address;
	uint8_t conflict_mac[6];
	uint64_t conflicts_seen;
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
	COUNTERS(POOL)
};

struct pg_stats_entry {
	uint32_t offset;
	uint32_t worker_stride;
	uint32_t index_stride;
	uint32_t width;
	uint32_t count;
	uint32_t set;
	...;
};

struct pg_stats_set_entry {
	char label[16];
	uint32_t most;
	uint32_t names;
	uint32_t name_bytes;
	uint32_t before;
	...;
};

struct pg_stats_directory {
	struct pg_stats_entry entry[...];
	struct pg_stats_set_entry set[...];
	...;
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
	struct pg_stats_directory directory;
	...;
};

size_t pg_stats_page_size(void);
void pg_stats_page_init(struct pg_stats_page *page, uint32_t workers, uint32_t ports, uint32_t pools);
bool pg_stats_name(struct pg_stats_page *page, unsigned set, uint32_t slot, const char *name);
bool pg_stats_unname(struct pg_stats_page *page, unsigned set, uint32_t slot);
bool pg_stats_page_fits(const struct pg_stats_page *page);
int pg_stats_snapshot(const struct pg_stats_page *page, struct pg_stats_page *out);

uint64_t pg_tsc(void);
uint64_t pg_tsc_hz(void);

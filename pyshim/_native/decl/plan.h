// SPDX-License-Identifier: BSD-3-Clause
/* What a worker process is to do: filled by the shim from pyshim.plan.Plan. build.py puts the fields of a group of
   settings.def where SETTINGS(group) stands. */

enum pg_pages { PG_PAGES_ORDINARY, PG_PAGES_HUGE_IF_FREE, PG_PAGES_HUGE };

struct pg_socket_plan {
	SETTINGS(SOCKETS)
	uint8_t pages;
};

struct pg_address {
	uint8_t family;
	uint8_t prefix_len;
	uint8_t bytes[16];
};

enum pg_checksums { PG_CHECKSUMS_AUTO, PG_CHECKSUMS_SOFTWARE };

struct pg_port_plan {
	char name[32];
	char device[64];
	struct pg_address address[PG_ADDRESSES_MAX];
	uint32_t address_count;
	uint8_t mac[6];
	bool has_mac;
	bool promiscuous;
	uint8_t checksums;
	uint8_t pool;
	uint16_t queues;
	SETTINGS(PORT)
};

struct pg_pool_plan {
	char name[24];
	int32_t node;
	uint32_t mbufs;
	uint32_t cache;
	uint16_t data_room_bytes;
};

struct pg_queue_ref {
	uint8_t port;
	uint16_t queue;
};

struct pg_worker_plan {
	uint32_t lcore;
	uint32_t cpu;
	uint32_t queue_count;
	struct pg_queue_ref queue[PG_QUEUES_PER_WORKER_MAX];
};

#define PG_GAME_ROUTES_MAX ...
#define PG_GAME_ROUTE_PROCESSES_MAX ...

struct pg_game_route {
	uint64_t listeners;
	uint8_t types[...];
	uint8_t processes;
	uint8_t process[...];
};

struct pg_policy {
	SETTINGS(SESSIONS)
	SETTINGS(HOST)
	struct pg_listener_policy {
		SETTINGS(LISTENER)
		SETTINGS(ISSUED)
	} listener[PG_LISTENERS_MAX];
	struct pg_delivery_policy {
		SETTINGS(DELIVERY)
		uint32_t compress_min[...];
		uint32_t message_pps[...];
		uint32_t message_burst[...];
	} delivery;
	struct pg_game_policy {
		SETTINGS(GAME)
		uint32_t routes;
		struct pg_game_route route[...];
	} game;
};

#define PG_NETCODE_SERVERS_MAX ...

struct pg_netcode_server {
	uint8_t family;
	uint8_t bytes[16];
	uint16_t port;
};

struct pg_netcode_plan {
	uint32_t capacity;
	uint32_t server_count;
	uint64_t protocol_id;
	uint8_t private_key[32];
	struct pg_netcode_server server[...];
};

struct pg_combat_plan {
	uint8_t judged;
	SETTINGS(COMBAT)
};

struct pg_tier_plan {
	uint64_t from_um;
	uint32_t every_ticks;
};

struct pg_world_plan {
	char name[32];
	int64_t low_um[3];
	int64_t high_um[3];
	struct pg_combat_plan combat;
	uint32_t tier_count;
	struct pg_tier_plan tier[...];
	SETTINGS(WORLD)
};

struct pg_plan {
	uint32_t abi_version;
	uint32_t port_count;
	uint32_t worker_count;
	uint32_t pool_count;
	uint32_t listener_count;
	uint8_t engine;
	uint16_t listener_port[PG_LISTENERS_MAX];
	uint8_t listener_profile[PG_LISTENERS_MAX];
	uint8_t listener_world[PG_LISTENERS_MAX];
	uint32_t issued_capacity;
	SETTINGS(PLAN)
	char isa[16];
	struct pg_port_plan port[PG_PORTS_MAX];
	struct pg_pool_plan pool[PG_POOLS_MAX];
	struct pg_worker_plan worker[PG_WORKERS_MAX];
	struct pg_socket_plan sockets;
	struct pg_netcode_plan netcode;
	uint32_t world_count;
	struct pg_world_plan world[...];
	struct pg_policy policy;
};

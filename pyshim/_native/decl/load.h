// SPDX-License-Identifier: BSD-3-Clause
/* The load generator, from pollgate_load.h; called in the generator's process only, except the pure functions. */

#define PG_LOAD_PLAYERS_MAX 1048576
#define PG_LOAD_TYPES 6
#define PG_PROFILE_PLAIN ...
#define PG_PROFILE_SESSION ...
#define PG_LOAD_LATENCY_BUCKETS ...

uint64_t pg_load_latency_ns(unsigned bucket);

enum pg_load_transport { PG_LOAD_SOCKETS, PG_LOAD_DPDK };
enum pg_load_motion { PG_LOAD_WAYPOINT, PG_LOAD_CROWD };
enum pg_load_walk { PG_LOAD_NO_WORLD, PG_LOAD_SPREAD, PG_LOAD_TOWN, PG_LOAD_ONE_CROWD };

struct pg_load_world {
	uint8_t walk;
	float middle_m[3];
	float ground_m;
	float radius_m;
	float leave_radius_m;
	float speed_mps;
	float standing;
	float hysteresis;
	uint32_t hearers;
	uint32_t extrapolate_ms;
	uint32_t glimpses;
	uint32_t budget_kbps;
};

struct pg_load_impairment {
	float loss, duplicate, reorder;
	uint32_t reorder_ms;
	uint32_t move_ms;
};

struct pg_load_ticket {
	uint32_t session;
	uint8_t key[32];
};

struct pg_load_plan {
	uint32_t abi_version;
	uint32_t players;
	uint32_t first_player_id;
	uint8_t transport;
	uint8_t motion;
	uint16_t weight[PG_LOAD_TYPES];
	uint16_t chat_bytes;
	uint8_t game_type;
	uint16_t game_bytes;
	float arena_m;
	uint64_t seed;
	uint8_t profile;
	const struct pg_load_ticket *tickets;
	struct pg_load_world world;
	struct pg_load_impairment impairment;
	struct pg_address target;
	uint16_t target_port;
	struct pg_address address[PG_ADDRESSES_MAX];
	uint32_t address_count;
	uint16_t first_port;
	uint16_t ports_per_address;
	uint8_t target_mac[6];
	bool has_target_mac;
	struct pg_port_plan port;
	struct pg_pool_plan pool;
};

struct pg_load_trial {
	uint32_t players;
	uint32_t window;
	double start_pps;
	double end_pps;
	uint64_t duration_ns;
	uint64_t drain_ns;
	bool storm;
};


struct pg_load_world_counts {
	uint64_t states;
	uint64_t state_bytes;
	uint64_t skipped;
	uint64_t checked;
	uint64_t strangers;
	uint64_t unchecked;
	uint64_t wrong;
	uint64_t aged;
	uint64_t entered, left;
	uint64_t looks;
	uint64_t due;
	uint64_t missing;
	uint64_t beyond;
	uint64_t corrections;
	uint64_t worlds;
	uint64_t glimpses;
	uint64_t glimpses_unknown;
	uint64_t glimpses_wrong;
	uint64_t glimpses_beyond;
	uint64_t unseen;
	uint64_t unseen_late;
	uint64_t unseen_sum_ns, unseen_max_ns;
	uint64_t events_said;
	uint64_t events_due;
	uint64_t events_heard;
	uint64_t events_lost;
	uint64_t events_duplicated;
	uint64_t events_stray;
	uint64_t events_disordered;
	uint64_t events_doubtful;
	uint64_t events_given_up;
	uint64_t moved;
	uint64_t impaired[3];
};

struct pg_load_counts {
	uint64_t trial;
	uint64_t offered;
	uint64_t sent;
	uint64_t not_sent;
	uint64_t acknowledged;
	uint64_t lost;
	uint64_t duplicated;
	uint64_t reordered;
	uint64_t invalid;
	uint64_t stray;
	uint64_t host;
	uint64_t late;
	uint64_t worst_lag_ns;
	uint64_t sent_bytes;
	uint64_t elapsed_ns;
	uint64_t busy_cycles;
	uint64_t total_cycles;
	uint64_t latency_sum_ns;
	uint64_t latency_max_ns;
	uint64_t unsent[...];
	uint64_t refusals;
	uint64_t refusal;
	uint64_t connected;
	uint64_t connect_ns;
	uint64_t handshakes;
	uint64_t closed;
	uint64_t heard;
	uint64_t replies;
	uint64_t reply_sum_ns;
	uint64_t reply_max_ns;
	uint64_t sent_of_type[PG_LOAD_TYPES];
	uint64_t acknowledged_of_type[PG_LOAD_TYPES];
	uint64_t latency[...];
	uint64_t reply[...];
	uint64_t unseen[...];
	struct pg_load_world_counts world;
};

struct pg_load_page {
	uint64_t tsc_hz;
	uint32_t stop;
	uint32_t in_trial;
	struct pg_load_counts counts;
	...;
};

size_t pg_load_page_size(void);

struct pg_load;

struct pg_load *pg_load_open(const struct pg_load_plan *plan, struct pg_load_page *page, struct pg_error *error);
int pg_load_run(struct pg_load *load, const struct pg_load_trial *trial, struct pg_error *error);
void pg_load_close(struct pg_load *load);

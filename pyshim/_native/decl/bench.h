// SPDX-License-Identifier: BSD-3-Clause
/* What bench forward measures the session profile with, from pollgate_bench.h; in processes of the benchmark only. */

struct pg_bench_connection {
	uint32_t session;
	uint8_t secret[32];
	struct pg_address peer;
	uint16_t peer_port;
};

struct pg_bench_run {
	uint64_t packets;
	uint64_t refused;
	uint64_t unsent;
	uint64_t cycles;
};

int pg_bench_connect(void *state, const struct pg_bench_connection *connection, uint32_t n, struct pg_error *error);
void pg_bench_know_limits(const struct pg_gateway *gateway, void *state);
int pg_bench_rewind(const struct pg_gateway *gateway, void *state, struct pg_error *error);
uint64_t pg_bench_rewinding_cycles(void);
int pg_bench_crypto_only(struct pg_gateway *gateway, void *state, bool answers, uint32_t duration_ms,
			 struct pg_bench_run *run, struct pg_error *error);

struct pg_bench_frame {
	uint16_t length;
	uint8_t bytes[254];
};

#define PG_BENCH_ROUND_TRIPS ...

int pg_bench_converse(const struct pg_gateway *gateway, void *state, const struct pg_bench_frame *frame, uint32_t frames,
		      uint16_t answer_min, struct pg_error *error);
uint32_t pg_bench_round_trips(uint32_t *cycles, uint64_t *lost);

enum pg_bench_place { PG_BENCH_SPREAD, PG_BENCH_TOWN, PG_BENCH_CROWD };

struct pg_bench_world_plan {
	uint32_t players;
	uint32_t place;
	double side_m;
	uint32_t standing_percent;
	bool ordered;
	bool jitter;
	bool unsealed;
	bool plain;
	uint32_t times_as_fast;
	uint32_t round_trip_ticks;
	uint32_t round_trip_spread;
	uint32_t lost_per_mille;
	uint32_t attack_per_mille;
	uint32_t asked_per_tick;
	uint32_t readers;
	uint32_t warm_ticks;
	uint32_t ticks;
	uint64_t seed;
};

struct pg_bench_world_run {
	double cycles;
	double cycles_moves;
	double cycles_publish;
	double cycles_grid;
	double cycles_records;
	double cycles_look;
	double cycles_send;
	double cycles_tidy;
	double cycles_egress;
	double cycles_said;
	double cycles_asked;
	double step_moves_p99_s;
	double step_publish_p99_s;
	double step_grid_p99_s;
	double step_records_p99_s;
	double step_look_p99_s;
	double step_send_p99_s;
	double step_tidy_p99_s;
	double step_egress_p99_s;
	double step_said_p99_s;
	double step_asked_p99_s;
	double busy;
	double tick_p50_s, tick_p99_s;
	double hold_p99_s, hold_longest_s;
	double handling_p50_s, handling_p99_s;
	double appears_p50_s, appears_p99_s;
	double bytes_per_neighbour;
	double bits_per_s;
	double neighbours;
	double staleness_p50_s, staleness_p99_s;
	uint64_t states, fulls, looks, looks_capped, left_out, shed, overruns;
	uint64_t checked, wrong;
	uint64_t glimpses_checked, glimpses_wrong;
	uint64_t malformed;
	double greatest_error;
	uint64_t sent, taken;
	uint64_t judged, found;
};

int pg_bench_world(struct pg_gateway *gateway, void *state, const struct pg_bench_world_plan *plan,
		   struct pg_bench_world_run *run, struct pg_error *error);

#define PG_BENCH_NEIGHBOURS ...

struct pg_bench_interest_plan {
	uint32_t players;
	uint32_t place;
	double side_m;
	uint32_t tick_hz;
	uint32_t cell_m;
	uint64_t seed;
};

struct pg_bench_interest_check {
	uint64_t nearest, missing;
	uint64_t wrong;
};

struct pg_bench_interest;

struct pg_bench_interest *pg_bench_interest_open(const struct pg_bench_interest_plan *plan, struct pg_error *error);
void pg_bench_interest_close(struct pg_bench_interest *interest);
void pg_bench_interest_walk(struct pg_bench_interest *interest);
uint64_t pg_bench_interest_turns(struct pg_bench_interest *interest, uint64_t *grid);
uint64_t pg_bench_interest_all(struct pg_bench_interest *interest);
uint64_t pg_bench_interest_brute(struct pg_bench_interest *interest, uint32_t *nearest);
uint64_t pg_bench_interest_grid(struct pg_bench_interest *interest, uint32_t *nearest);
void pg_bench_interest_places(const struct pg_bench_interest *interest, double *xyz);
uint32_t pg_bench_interest_differ(const struct pg_bench_interest *interest, const uint32_t *one, const uint32_t *other);
void pg_bench_interest_check(struct pg_bench_interest *interest, bool all, const uint32_t *nearest,
			     struct pg_bench_interest_check *check);

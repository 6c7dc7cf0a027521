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

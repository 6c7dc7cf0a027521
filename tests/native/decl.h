// SPDX-License-Identifier: BSD-3-Clause
/* As in dpdk_app/include/pollgate_test.h. */

struct pg_core;

struct pg_core *pg_core_open(const struct pg_plan *plan, void *state);
void pg_core_close(struct pg_core *core);
void pg_core_burst(struct pg_core *core, uint64_t now, uint8_t *const frame[], uint16_t length[], uint8_t drop[],
		   uint32_t n);

struct pg_datagram {
	struct pg_address source;
	uint16_t source_port;
	uint8_t listener;
	uint8_t drop;
	uint16_t length;
	uint8_t *payload;
};
void pg_core_datagrams(struct pg_core *core, uint64_t now, struct pg_datagram *datagram, uint32_t n);

const struct pg_worker_stats *pg_core_stats(const struct pg_core *core);
uint32_t pg_core_expire(struct pg_core *core, uint64_t now);
void pg_core_link_up(struct pg_core *core, uint64_t now);
uint16_t pg_core_duty(struct pg_core *core, uint64_t now, uint8_t *frame);
uint32_t pg_core_due(struct pg_core *core, uint64_t now, struct pg_datagram *datagram, uint32_t n);
int pg_core_send(struct pg_core *core, uint64_t now, const struct pg_letter *operator_message, struct pg_error *error);

// SPDX-License-Identifier: BSD-3-Clause
// worker/settle.c: the counters of a worker that died in the middle of a burst.

#include "worker/worker.h"

static uint64_t sum(const uint64_t *counters, unsigned n)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < n; i++)
		total += counter_get(&counters[i]);
	return total;
}

void worker_stats_settle(struct pg_worker_stats *stats)
{
	uint64_t received = 0, sent = 0;

	for (unsigned i = 0; i < PG_PORTS_MAX; i++) {
		received += counter_get(&stats->port[i].rx_packets);
		sent += counter_get(&stats->port[i].tx_packets);
	}
	counter_set(&stats->received, received);
	counter_set(&stats->tx_sent, sent);

	const uint64_t ended = sum(stats->handled, PG_MESSAGES) + sum(stats->dropped, PG_DROPS) +
			       counter_get(&stats->to_kernel) + counter_get(&stats->forwarded);
	const uint64_t left = sent + sum(stats->tx_dropped, PG_TX_DROPS);
	// Handled, but not yet offered to a queue.
	const uint64_t answered = sum(stats->handled, PG_MESSAGES) + counter_get(&stats->tx_originated);

	counter_add(&stats->dropped[PG_DROP_WORKER_LOST], received - ended);
	if (counter_get(&stats->tx_offered) < answered)
		counter_set(&stats->tx_offered, answered);
	counter_add(&stats->tx_dropped[PG_TX_DROP_WORKER_LOST], counter_get(&stats->tx_offered) - left);
	counter_set(&stats->heartbeat_tsc, 0);
}

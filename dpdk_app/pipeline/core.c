// SPDX-License-Identifier: BSD-3-Clause
// pipeline/core.c: the pure core by itself, for oracle tests, fuzzers and tools: no EAL, no device.

#include <stdlib.h>
#include <string.h>

#include "pipeline/pipeline.h"

struct pg_core {
	struct identity identity;
	struct listeners listeners;
	struct policy policy;
	struct session_census census;
	struct session_table sessions;
	struct source_limits sources;
	struct host_buckets host;
	struct pg_worker_stats stats;
	struct gate gate;
	const struct hot_path *hot_path;
	void *region;
	void *index;
};

/// Tests want the same order of slots in every run; there is no stranger to defend against.
static const struct hash_secret fixed_secret = {
	{0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0x2545f4914f6cdd1d}};

static void *zeroed_lines(size_t size)
{
	const size_t rounded = (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
	void *memory = aligned_alloc(CACHE_LINE, rounded);

	return memory ? memset(memory, 0, rounded) : NULL;
}

struct pg_core *pg_core_open(const struct pg_plan *plan)
{
	struct pg_core *core = zeroed_lines(sizeof(*core));

	if (!core)
		return NULL;
	core->hot_path = hot_path_select(plan->isa);
	core->region = zeroed_lines(session_region_size(plan->session_capacity));
	core->index = zeroed_lines(session_index_size(plan->session_capacity));
	if (!core->hot_path || !core->region || !core->index) {
		pg_core_close(core);
		return NULL;
	}
	identity_init(&core->identity, plan->port[0].address, plan->port[0].address_count, plan->listener_port[0]);
	identity_set_mac(&core->identity, plan->port[0].mac);
	listeners_init(&core->listeners, plan->listener_port, plan->listener_count);
	policy_init(&core->policy, &plan->policy, 1, pg_tsc_hz());
	core->census = (struct session_census){
		.capacity = plan->session_capacity,
		.tables = 1,
		.active = {&core->stats.sessions_active},
	};
	session_table_init(&core->sessions, core->region, plan->session_capacity, core->index, &core->census,
			   &core->stats.sessions_active, &fixed_secret, 0);
	core->gate = (struct gate){
		.identity = &core->identity,
		.listeners = &core->listeners,
		.policy = &core->policy,
		.sessions = &core->sessions,
		.sources = &core->sources,
		.host = &core->host,
		.stats = &core->stats,
		.arrivals = &core->stats.received,
	};
	return core;
}

void pg_core_close(struct pg_core *core)
{
	if (!core)
		return;
	free(core->index);
	free(core->region);
	free(core);
}

void pg_core_burst(struct pg_core *core, uint64_t now, uint8_t *const frame[], uint16_t length[], uint8_t drop[],
		   uint32_t n)
{
	struct burst burst;

	if (n > BURST_MAX)
		n = BURST_MAX;
	memset(&burst, 0, sizeof(burst));
	for (uint32_t i = 0; i < n; i++) {
		burst.frame[i] = frame[i];
		burst.length[i] = length[i];
	}
	core->hot_path->run[0][0](&core->gate, &burst, n, now);
	for (uint32_t i = 0; i < n; i++) {
		drop[i] = burst.drop[i];
		length[i] = burst.drop[i] == PG_DROP_NONE ? burst.length[i] : 0;
	}
}

static struct peer peer_of(const struct pg_datagram *datagram)
{
	const uint8_t *address = datagram->source.bytes;
	struct peer peer;

	if (datagram->source.family == 4)
		peer_set4(&peer, load32(address));
	else
		peer_set6(&peer, address);
	peer_set_channel(&peer, BE16(datagram->source_port), datagram->listener);
	return peer;
}

void pg_core_datagrams(struct pg_core *core, uint64_t now, struct pg_datagram *datagram, uint32_t n)
{
	struct datagram_burst burst;

	if (n > BURST_MAX)
		n = BURST_MAX;
	memset(&burst, 0, sizeof(burst));
	for (uint32_t i = 0; i < n; i++) {
		burst.peer[i] = peer_of(&datagram[i]);
		burst.payload[i] = datagram[i].payload;
		burst.length[i] = datagram[i].length;
	}
	core->hot_path->run_datagrams(&core->gate, &burst, n, now);
	for (uint32_t i = 0; i < n; i++)
		datagram[i].drop = burst.drop[i];
}

const struct pg_worker_stats *pg_core_stats(const struct pg_core *core)
{
	return &core->stats;
}

uint32_t pg_core_expire(struct pg_core *core, uint64_t now)
{
	const uint32_t freed = session_expire(&core->sessions, now, core->policy.idle_timeout, core->sessions.capacity);

	counter_add(&core->stats.sessions_expired, freed);
	return freed;
}

uint16_t pg_checksum(const uint8_t *bytes, size_t length)
{
	return (uint16_t)~checksum_fold(checksum_sum(bytes, length));
}

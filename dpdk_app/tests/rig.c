// SPDX-License-Identifier: BSD-3-Clause
// rig.c: see rig.h.

#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

void *zeroed_lines(size_t size)
{
	const size_t unit = size >= HUGE_PAGE ? HUGE_PAGE : CACHE_LINE;
	const size_t rounded = (size + unit - 1) & ~(unit - 1);
	void *memory = aligned_alloc(unit, rounded);

	if (!memory)
		abort();
	if (unit == HUGE_PAGE) // as the engines ask for it
		madvise(memory, rounded, MADV_HUGEPAGE);
	return memset(memory, 0, rounded);
}

uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

uint32_t random_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)((random_next(state) >> 32) * n >> 32);
}

static void identity_of(struct identity *identity, unsigned first)
{
	static const struct pg_address addresses[] = {
		{4, 31, {172, 16, 0, 2}},     {4, 32, {172, 16, 1, 1}},           {4, 24, {10, 0, 0, 1}},
		{6, 64, {0xfd, [15] = 0x01}}, {6, 64, {0xfe, 0x80, [15] = 0x01}},
	};

	identity_init(identity, addresses + first, sizeof(addresses) / sizeof(addresses[0]) - first, 8080);
	identity_set_mac(identity, our_mac);
}

void rig_identity(struct identity *identity)
{
	identity_of(identity, 2);
}

void rig_identity_of_many(struct identity *identity)
{
	identity_of(identity, 0);
}

void rig_reset(struct rig *rig)
{
	static const struct hash_secret secret = RIG_SECRET;
	static const struct pg_policy policy = {
		.idle_timeout_ns = 30 * RIG_HZ, .host_reply_pps = 1000000, .host_reply_burst = 4096};
	const uint32_t capacity = rig->registry.capacity;

	memset(rig->region, 0, plain_region_size(capacity));
	memset(rig->index, 0, plain_index_size(capacity));
	memset(&rig->stats, 0, sizeof(rig->stats));
	if (rig->policy.source_limited) // else it was not touched, and it is large
		memset(&rig->sources, 0, sizeof(rig->sources));
	policy_init(&rig->policy, &policy, 1, RIG_HZ);
	rig->host = (struct host_buckets){0};
	announcer_init(&rig->announcer, RIG_HZ, 1);
	rig->now = RIG_HZ;
	plain_table_init(&rig->sessions, rig->region, capacity, rig->index, &rig->registry, &rig->stats.sessions_active,
			 &secret, rig->now);
}

struct rig *rig_open(const char *isa, uint32_t capacity)
{
	static const uint16_t ports[] = RIG_PORTS;
	struct rig *rig = zeroed_lines(sizeof(*rig));

	rig->path = hot_path_select(isa);
	if (!rig->path) {
		fprintf(stderr, "rig: this CPU lacks x86-64-%s; ask hot_path_select() first\n", isa);
		exit(1);
	}
	rig->region = zeroed_lines(plain_region_size(capacity));
	rig->index = zeroed_lines(plain_index_size(capacity));
	rig_identity(&rig->identity);
	listeners_init(&rig->listeners, ports, 2);
	rig->registry = (struct plain_registry){
		.capacity = capacity,
		.tables = 1,
		.active = {&rig->stats.sessions_active},
	};
	rig->ingress = (struct ingress){
		.identity = &rig->identity,
		.listeners = &rig->listeners,
		.policy = &rig->policy,
		.sessions = &rig->sessions,
		.sources = &rig->sources,
		.host = &rig->host,
		.announcer = &rig->announcer,
		.stats = &rig->stats,
		.arrivals = &rig->stats.received,
		.completes = TX_CHECKSUM_IP | TX_CHECKSUM_UDP,
	};
	rig_reset(rig);
	return rig;
}

void rig_close(struct rig *rig)
{
	free(rig->region);
	free(rig->index);
	free(rig);
}

void rig_offload(struct rig *rig, unsigned combination)
{
	rig->rx_offload = combination & 1;
	rig->ingress.completes = (uint8_t)(combination >> 1);
	rig->tx_offload = rig->ingress.completes != TX_CHECKSUM_NONE;
}

void rig_limit_sources(struct rig *rig, unsigned listener, struct rate rate)
{
	rig->policy.source[listener] = rate;
	rig->policy.source_limited = true;
}

struct peer rig_peer(const struct flow *flow)
{
	struct peer peer;

	if (flow->family == 4)
		peer_set4(&peer, load32(flow->from));
	else
		peer_set6(&peer, flow->from);
	peer_set_channel(&peer, BE16(flow->port_from), flow->port_to == 8081);
	return peer;
}

bool stats_conserved(const struct pg_worker_stats *s)
{
	uint64_t ended = s->to_kernel + s->forwarded + s->handed_out;

	for (unsigned i = 0; i < PG_MESSAGES; i++)
		ended += s->handled[i];
	for (unsigned i = 0; i < PG_DROPS; i++)
		ended += s->dropped[i];
	return ended == s->received && s->dropped[PG_DROP_NONE] == 0;
}

bool rig_conserved(const struct rig *rig)
{
	return stats_conserved(&rig->stats);
}

uint8_t *rig_buffer(const struct rig *rig, const struct frame *f)
{
	const size_t least = (size_t)f->len + HOST_ANSWER_ROOM;
	const size_t size = rig->ingress.shard && least < ETHERNET_MAX ? ETHERNET_MAX : least;
	uint8_t *buffer = malloc(size);

	if (!buffer)
		abort();
	memset(buffer, 0xa5, size);
	memcpy(buffer, f->bytes, f->len);
	return buffer;
}

struct outcome rig_send_with_flags(struct rig *rig, const struct frame *f, unsigned rx)
{
	struct outcome outcome = {0};
	struct burst burst;
	uint8_t *buffer = rig_buffer(rig, f);

	memset(&burst, 0, sizeof(burst));
	burst.frame[0] = buffer;
	burst.length[0] = f->len;
	burst.rx[0] = (uint8_t)rx;
	rig->path->run[rig->rx_offload][rig->tx_offload](&rig->ingress, &burst, 1, rig->now);
	outcome.drop = burst.drop[0];
	if (outcome.drop == PG_DROP_NONE) {
		outcome.len = burst.length[0];
		outcome.tx = burst.tx[0];
		memcpy(outcome.bytes, buffer, outcome.len);
	}
	free(buffer);
	return outcome;
}

struct outcome rig_send(struct rig *rig, const struct frame *f)
{
	return rig_send_with_flags(rig, f, 0);
}

// SPDX-License-Identifier: BSD-3-Clause
// core.c: see pollgate_test.h. No EAL, no device.

#include <stdlib.h>
#include <string.h>

#include "pollgate_test.h"

#include "pipeline/egress.h"
#include "pipeline/pipeline.h"
#include "pipeline/profile.h"
#include "session/connection.h"
#include "session/operator_message.h"
#include "session/state.h"
#include "stats/error.h"

/// Frames may grow into longer answers: each runs in a buffer of ours.
#define FRAME_ROOM 2048
static_assert(FRAME_ROOM >= ETHERNET_MAX + HOST_ANSWER_ROOM, "any answer fits");

struct pg_core {
	struct identity identity;
	struct listeners listeners;
	struct policy policy;
	struct plain_registry registry;
	struct plain_table sessions;
	struct source_limits sources;
	struct host_buckets host;
	struct announcer announcer;
	struct pg_worker_stats stats;
	struct ingress ingress;
	struct session_store store;
	struct session_shard shard;
	struct handshake_bucket handshakes;
	const struct hot_path *hot_path;
	void *state; // the caller's, or `own`
	void *own;   // NULL: the caller's is used
	void *index;
	void *private; // of the store
	void *messages;
	uint8_t frame[BURST_MAX][FRAME_ROOM];
	uint8_t payload[BURST_MAX][PG_DATAGRAM_MAX + 1];
};

/// Tests want the same order of slots in every run; there is no stranger to defend against.
static const struct hash_secret fixed_secret = {
	.address = {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0x2545f4914f6cdd1d},
	.channel = 0xd6e8feb86659fd93,
	.addend = 0xa0761d6478bd642f,
};

static void *zeroed_lines(size_t size)
{
	const size_t rounded = whole_lines(size);
	void *memory = aligned_alloc(CACHE_LINE, rounded);

	return memory ? memset(memory, 0, rounded) : NULL;
}

static bool make_state(struct pg_core *core, const struct pg_plan *plan)
{
	struct pg_error error;
	const size_t size = pg_state_size(plan->session_capacity, 1, plan->issued_capacity);

	core->state = core->own = zeroed_lines(size);
	return core->state &&
	       pg_state_init(core->state, size, plan->session_capacity, 1, plan->issued_capacity, &error) == PG_OK;
}

static bool open_shard(struct pg_core *core, const struct pg_plan *plan)
{
	const unsigned reach = plan->engine == PG_ENGINE_DPDK ? STORE_FRAMES : STORE_SOCKETS;
	struct pg_error error;
	struct shard_setup setup = {
		.store = &core->store,
		.stats = &core->stats,
		.rules = &core->policy.sessions,
		.handshakes = &core->handshakes,
		.secret = fixed_secret,
		.message_bytes = (size_t)plan->message_memory_mib << 20,
		.tsc_hz = pg_tsc_hz(),
		.compression_level = (int)plan->compression_level,
	};

	store_open(&core->store, core->state);
	core->private = zeroed_lines(store_local_size(core->store.capacity, reach));
	core->messages = zeroed_lines(message_pool_size(setup.message_bytes));
	if (!core->private || !core->messages)
		return false;
	store_attach_local(&core->store, core->private, reach);
	setup.message_memory = core->messages;
	core->ingress.shard = &core->shard;
	if (session_shard_init(&core->shard, &setup, &error) != PG_OK)
		return false;
	(void)session_shard_begin(&core->shard, pg_tsc()); // nobody was here before
	return true;
}

static void make_ingress(struct pg_core *core, const struct pg_plan *plan)
{
	core->ingress = (struct ingress){
		.identity = &core->identity,
		.listeners = &core->listeners,
		.policy = &core->policy,
		.sessions = &core->sessions,
		.sources = &core->sources,
		.host = &core->host,
		.announcer = &core->announcer,
		.stats = &core->stats,
		.arrivals = &core->stats.received,
	};
	identity_init(&core->identity, plan->port[0].address, plan->port[0].address_count, plan->listener_port[0]);
	identity_set_mac(&core->identity, plan->port[0].mac);
	identity_expect(&core->identity, plan);
	ingress_speak(&core->ingress, plan);
	listeners_init(&core->listeners, plan->listener_port, plan->listener_count);
	policy_init(&core->policy, &plan->policy, 1, pg_tsc_hz());
	announcer_init(&core->announcer, pg_tsc_hz(), fixed_secret.addend);
}

static bool open_parts(struct pg_core *core, const struct pg_plan *plan)
{
	if (!core->state && !make_state(core, plan))
		return false;
	core->index = zeroed_lines(plain_index_size(plan->session_capacity));
	return core->index && (plan->issued_capacity == 0 || open_shard(core, plan));
}

struct pg_core *pg_core_open(const struct pg_plan *plan, void *state)
{
	struct pg_core *core = zeroed_lines(sizeof(*core));

	if (!core)
		return NULL;
	core->state = state;
	core->hot_path = hot_path_select(plan->isa);
	if (!core->hot_path || !profiles_fit(plan)) {
		free(core);
		return NULL;
	}
	make_ingress(core, plan);
	if (!open_parts(core, plan)) {
		pg_core_close(core);
		return NULL;
	}
	core->registry = (struct plain_registry){
		.capacity = plan->session_capacity,
		.tables = 1,
		.active = {&core->stats.sessions_active},
	};
	plain_table_init(&core->sessions, state_region(core->state, 0), plan->session_capacity, core->index,
			 &core->registry, &core->stats.sessions_active, &fixed_secret, 0);
	return core;
}

void pg_core_close(struct pg_core *core)
{
	if (!core)
		return;
	if (core->ingress.shard)
		session_shard_free(&core->shard);
	free(core->messages);
	free(core->private);
	free(core->index);
	if (core->own)
		pg_state_release(core->own);
	free(core->own);
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
		burst.frame[i] = core->frame[i];
		burst.length[i] = length[i];
		memcpy(core->frame[i], frame[i], length[i] < ETHERNET_MAX ? length[i] : ETHERNET_MAX);
	}
	core->hot_path->run[0][0](&core->ingress, &burst, n, now);
	for (uint32_t i = 0; i < n; i++) {
		drop[i] = burst.drop[i] == PACKET_ABSORBED ? PG_DROP_NONE : burst.drop[i];
		length[i] = burst.drop[i] == PG_DROP_NONE ? burst.length[i] : 0;
		memcpy(frame[i], core->frame[i], length[i]);
	}
}

static struct pg_address address_of(const struct peer *peer)
{
	struct pg_address address = {.family = 4};

	if (peer->high == 0 && (uint32_t)peer->low == (uint32_t)IPV4_MAPPED) {
		memcpy(address.bytes, (const uint8_t *)&peer->low + sizeof(uint32_t), sizeof(uint32_t));
		return address;
	}
	address.family = 6;
	memcpy(address.bytes, &peer->high, sizeof(peer->high));
	memcpy(address.bytes + sizeof(peer->high), &peer->low, sizeof(peer->low));
	return address;
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
		burst.payload[i] = core->payload[i];
		burst.length[i] = datagram[i].length;
		memcpy(core->payload[i], datagram[i].payload,
		       datagram[i].length < PG_DATAGRAM_MAX ? datagram[i].length : PG_DATAGRAM_MAX);
	}
	core->hot_path->run_datagrams(&core->ingress, &burst, n, now);
	for (uint32_t i = 0; i < n; i++) {
		datagram[i].drop = burst.drop[i] == PACKET_ABSORBED ? PG_DROP_NONE : burst.drop[i];
		datagram[i].length = burst.drop[i] == PG_DROP_NONE ? burst.length[i] : 0;
		memcpy(datagram[i].payload, core->payload[i], datagram[i].length);
	}
}

uint32_t pg_core_due(struct pg_core *core, uint64_t now, struct pg_datagram *datagram, uint32_t n)
{
	struct datagram_egress out;
	uint32_t filled;

	if (!core->store.socket_indices)
		return 0;
	if (n > BURST_MAX)
		n = BURST_MAX;
	for (uint32_t i = 0; i < n; i++)
		out.payload[i] = datagram[i].payload;
	filled = egress_datagrams(&core->shard, &out, n, now);
	for (uint32_t i = 0; i < filled; i++) {
		datagram[i].source = address_of(&out.peer[i]);
		datagram[i].source_port = BE16(peer_port(&out.peer[i]));
		datagram[i].listener = peer_listener(&out.peer[i]);
		datagram[i].drop = PG_DROP_NONE;
		datagram[i].length = out.length[i];
	}
	return filled;
}

int pg_core_send(struct pg_core *core, uint64_t now, const struct pg_letter *letter, struct pg_error *error)
{
	struct outgoing message;
	int rc;

	if (!core->ingress.shard)
		return error_set(error, PG_ERROR_USAGE, "no listener speaks the session profile");
	rc = operator_message_open(&core->store, letter, &message, error);
	if (rc == PG_OK)
		session_deliver(&core->shard, letter->session, &message, now);
	return rc;
}

const struct pg_worker_stats *pg_core_stats(const struct pg_core *core)
{
	return &core->stats;
}

uint32_t pg_core_expire(struct pg_core *core, uint64_t now)
{
	const uint32_t freed =
		plain_expire(&core->sessions, now, core->policy.sessions.idle_timeout, core->sessions.capacity);

	counter_add(&core->stats.sessions_expired, freed);
	if (!core->ingress.shard)
		return freed;
	return freed + connection_sweep(&core->shard, now, core->store.capacity);
}

void pg_core_link_up(struct pg_core *core, uint64_t now)
{
	announcer_begin(&core->announcer, now);
}

uint16_t pg_core_duty(struct pg_core *core, uint64_t now, uint8_t *frame)
{
	static_assert(ANNOUNCER_FRAME_MAX <= ETHERNET_MAX, "what the caller gives room for");
	return core->announcer.due <= now ? announcer_next(&core->announcer, &core->identity, now, frame) : 0;
}

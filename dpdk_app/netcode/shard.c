// SPDX-License-Identifier: BSD-3-Clause
// netcode/shard.c: see shard.h.

#include "netcode/shard.h"

#include <string.h>
#include <time.h>

#include <sodium.h>

#include "netcode/packet.h"

#define TICKS_PER_S 1000

// ---------------------------------------------------------------- what all share

static uint64_t unix_s(void)
{
	return (uint64_t)time(NULL); // the kernel's page tells; no system call
}

static size_t links_size(uint32_t capacity)
{
	return whole_lines(capacity * sizeof(struct wheel_link));
}

size_t netcode_store_size(uint32_t capacity, bool frames)
{
	const size_t reach = capacity * (frames ? sizeof(struct return_headers) : sizeof(uint8_t));

	return whole_lines(netcode_clients_size(capacity)) + links_size(capacity) + whole_lines(reach);
}

bool netcode_store_open(struct netcode_store *store, const struct pg_netcode_plan *plan, struct netcode_record *records,
			struct netcode_history *history, void *memory, bool frames)
{
	uint8_t *links = (uint8_t *)memory + whole_lines(netcode_clients_size(plan->capacity));
	void *reach = links + links_size(plan->capacity);
	struct hash_secret secret;

	if (sodium_init() < 0)
		return false;
	randombytes_buf(&secret, sizeof(secret));
	randombytes_buf(store->challenge_key, sizeof(store->challenge_key));
	store->plan = plan;
	store->unix_s = unix_s;
	store->links = (struct wheel_link *)links;
	store->return_headers = frames ? reach : NULL;
	store->sockets = frames ? NULL : reach;
	netcode_clients_open(&store->clients, records, plan->capacity, history, memory, &secret);
	return true;
}

// ---------------------------------------------------------------- a worker's own

size_t netcode_shard_size(uint32_t capacity)
{
	return sizeof(struct attempts) + whole_lines(address_index_size(capacity)) + whole_lines(payloads_size());
}

void netcode_shard_init(struct netcode_shard *shard, const struct netcode_setup *setup)
{
	const struct netcode_clients *clients = &setup->store->clients;
	uint8_t *behind = (uint8_t *)setup->memory + sizeof(struct attempts);

	shard->store = setup->store;
	shard->stats = setup->stats;
	shard->rules = setup->rules;
	shard->handshakes = setup->handshakes;
	shard->tsc_hz = setup->tsc_hz;
	shard->secret = setup->secret;
	shard->worker = setup->worker;
	shard->attempts = setup->memory;
	shard->challenges = (uint64_t)setup->worker << NETCODE_HANDSHAKE_WORKER_SHIFT; // one key for all workers
	shard->payload_rate = rate_make(NETCODE_PAYLOADS_PER_S, NETCODE_PAYLOADS_AT_ONCE, setup->tsc_hz);
	address_index_init(&shard->index, (uint32_t *)behind, clients->capacity, clients->records, &setup->secret);
	payloads_init(&shard->payloads, behind + whole_lines(address_index_size(clients->capacity)));
}

static void add(struct netcode_shard *shard, uint32_t slot)
{
	address_index_add(&shard->index, slot);
	wheel_link_init(&shard->wheel, slot);
	wheel_schedule(&shard->wheel, slot, netcode_due(shard, slot));
	shard->clients++;
	counter_set(&shard->stats->connected, shard->stats->connected + 1);
}

uint32_t netcode_shard_begin(struct netcode_shard *shard, uint64_t now)
{
	struct netcode_clients *clients = &shard->store->clients;
	const uint32_t used = clients->history->used < clients->capacity ? clients->history->used : clients->capacity;
	uint64_t *sequence = &clients->history->handshake_sequence[shard->worker];

	if (*sequence == 0)
		*sequence = NETCODE_HANDSHAKE_SEQUENCES | (uint64_t)shard->worker << NETCODE_HANDSHAKE_WORKER_SHIFT |
			    shard->store->unix_s() * 1000000;
	while (!netcode_lock(clients)) // the control thread bounds the start
		;
	netcode_clients_adopt(clients);
	netcode_unlock(clients);
	wheel_init(&shard->wheel, shard->store->links, shard->tsc_hz / TICKS_PER_S, now);
	for (uint32_t slot = 0; slot < used; slot++)
		if (clients->records[slot].phase != NETCODE_FREE && clients->records[slot].owner == shard->worker)
			add(shard, slot);
	return shard->clients;
}

// ---------------------------------------------------------------- sequences

/// A crash sees stores in program order, if the compiler leaves them so.
static uint64_t advance(uint64_t *next)
{
	const uint64_t sequence = *next;

	*next = sequence + 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return sequence;
}

uint64_t netcode_next_sequence(struct netcode_record *record)
{
	return advance(&record->tx_sequence);
}

uint64_t netcode_handshake_sequence(struct netcode_shard *shard)
{
	return advance(&shard->store->clients.history->handshake_sequence[shard->worker]);
}

// ---------------------------------------------------------------- clients

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

uint64_t netcode_due(const struct netcode_shard *shard, uint32_t slot)
{
	const struct netcode_record *record = &shard->store->clients.records[slot];
	const uint64_t per_s = record->phase == NETCODE_LEAVING ? NETCODE_DISCONNECTS_PER_S : NETCODE_KEEP_ALIVES_PER_S;

	return record->last_sent + shard->tsc_hz / per_s;
}

/// The connection of before with these keys, if there was one, has used sequences.
static uint64_t first_sequence(struct netcode_shard *shard, const uint8_t token[NETCODE_TAG_LEN])
{
	const struct netcode_use *use = netcode_use_of(&shard->store->clients, token);

	return later(netcode_first_sequence(shard->store->unix_s()), use ? use->next_sequence : 0);
}

uint32_t netcode_admit(struct netcode_shard *shard, const struct attempt *attempt,
		       const struct netcode_challenge_token *token, uint64_t now)
{
	struct netcode_clients *clients = &shard->store->clients;
	const uint32_t slot = netcode_claim(clients, token->client_id);
	struct netcode_record *record;

	if (slot == NETCODE_NONE)
		return slot;
	record = &clients->records[slot];
	*record = (struct netcode_record){
		.phase = NETCODE_FREE,
		.owner = shard->worker,
		.timeout_s = attempt->timeout_s,
		.peer = attempt->peer,
		.tx_sequence = first_sequence(shard, attempt->token),
		.last_received = now,
		.last_sent = now,
		.client_id = token->client_id,
		.player = netcode_player_next(record->player, slot),
	};
	memcpy(record->to_server, attempt->to_server, NETCODE_KEY_LEN);
	memcpy(record->to_client, attempt->to_client, NETCODE_KEY_LEN);
	memcpy(record->token, attempt->token, NETCODE_TAG_LEN);
	memcpy(record->user_data, token->user_data, NETCODE_USER_DATA_LEN);
	__atomic_store_n(&record->phase, NETCODE_CONNECTED, __ATOMIC_RELEASE);
	add(shard, slot);
	return slot;
}

bool netcode_forget(struct netcode_shard *shard, uint32_t slot)
{
	struct netcode_clients *clients = &shard->store->clients;
	struct netcode_record *record = &clients->records[slot];
	struct netcode_use *use;

	if (!netcode_lock(clients))
		return false;
	use = netcode_use_of(clients, record->token);
	if (use)
		use->next_sequence = record->tx_sequence;
	address_index_remove(&shard->index, slot);
	netcode_release(clients, slot);
	netcode_unlock(clients);
	wheel_cancel(&shard->wheel, slot);
	sodium_memzero(record->to_server, sizeof(record->to_server));
	sodium_memzero(record->to_client, sizeof(record->to_client));
	shard->clients--;
	counter_set(&shard->stats->connected, shard->stats->connected - 1);
	return true;
}

void netcode_end(struct netcode_shard *shard, uint32_t slot, enum session_close_reason why, uint8_t disconnects,
		 uint64_t now)
{
	struct netcode_record *record = &shard->store->clients.records[slot];

	if (shard->game) // as long as the slot is nobody else's
		shard->watcher->left(shard->game, slot, why);
	if (disconnects == 0 && netcode_forget(shard, slot))
		return;
	record->disconnects = disconnects;
	record->phase = NETCODE_LEAVING;
	wheel_schedule(&shard->wheel, slot, now);
}

// ---------------------------------------------------------------- what they are sent

uint16_t netcode_write_keep_alive(struct netcode_shard *shard, uint32_t slot, uint8_t *payload, uint64_t now)
{
	struct netcode_record *record = &shard->store->clients.records[slot];
	const struct netcode_keep_alive body = {slot, shard->store->clients.capacity};

	record->last_sent = now;
	return netcode_seal(payload, NETCODE_KEEP_ALIVE, netcode_next_sequence(record), &body, sizeof(body),
			    shard->store->plan->protocol_id, record->to_client);
}

/// One that has said nothing yet is told again that it is connected, before each payload.
static bool conforms(const struct netcode_shard *shard, struct netcode_record *record, uint64_t now)
{
	uint32_t *bucket = &record->payload_conforms_at;

	return rate_admit_short(bucket, shard->payload_rate, now) &&
	       (record->confirmed || rate_admit_short(bucket, shard->payload_rate, now));
}

bool netcode_send(struct netcode_shard *shard, uint32_t slot, const void *body, uint16_t length, uint64_t now)
{
	struct netcode_record *record = &shard->store->clients.records[slot];
	struct pg_worker_stats *stats = shard->stats;

	counter_add(&stats->netcode_payloads_offered, 1);
	if (!conforms(shard, record, now)) {
		counter_add(&stats->netcode_payloads_too_many, 1);
		return false;
	}
	if (!payloads_add(&shard->payloads, slot, record->player, body, length)) {
		counter_add(&stats->netcode_payloads_no_room, 1);
		return false;
	}
	return true;
}

// ---------------------------------------------------------------- the end

bool netcode_dismiss(struct netcode_shard *shard, uint64_t now, uint32_t slots)
{
	const struct netcode_clients *clients = &shard->store->clients;
	const uint32_t used = __atomic_load_n(&clients->history->used, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < slots && shard->dismissed < used; i++, shard->dismissed++) {
		const struct netcode_record *record = &clients->records[shard->dismissed];

		if (__atomic_load_n(&record->phase, __ATOMIC_ACQUIRE) == NETCODE_CONNECTED &&
		    record->owner == shard->worker)
			netcode_end(shard, shard->dismissed, SESSION_CLOSED_SHUTDOWN, NETCODE_DISCONNECTS, now);
	}
	if (shard->dismissed < used)
		return false;
	shard->dismissed = 0; // who connected meanwhile is told in the next round
	return shard->clients == 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// game/waiting.c: see waiting.h.

#include "game/waiting.h"

#include <string.h>

#include "game/dispatch.h"
#include "message/attack.h"

#define TOLD_PER_STEP 16
#define BEGUN_MAX 16 // ranks change every few seconds: as often they cannot, while one is judged

/// A message that waits. Its body follows, with room for a judgement behind it.
struct waiting_entry {
	uint32_t bytes; // of all of it
	uint32_t slot;  // of its sender; REPLICATION_NOBODY: this is nothing, and the next is at the ring's begin
	uint32_t session;
	struct said_by by;
	uint8_t world; // 1 and its index
	uint32_t stay; // of the sender in it
	bool aims;     // it is to be judged
	bool judged;
	struct delivered message; // body: where it lies here
	struct aim aim;
	uint8_t body[];
};

// ---------------------------------------------------------------- the ring

static struct waiting_entry *entry_at(struct waiting *waiting, uint32_t position)
{
	return (struct waiting_entry *)(void *)(waiting->ring + position);
}

/// @return NULL: it is full
static struct waiting_entry *put(struct waiting *waiting, uint32_t body)
{
	const uint32_t bytes = ((uint32_t)sizeof(struct waiting_entry) + body + 7) & ~7U;
	const uint32_t left = WAITING_BYTES - waiting->end, skipped = bytes <= left ? 0 : left;
	struct waiting_entry *entry;

	if (waiting->used + skipped + bytes > WAITING_BYTES)
		return NULL;
	if (skipped != 0) {
		entry = entry_at(waiting, waiting->end);
		entry->bytes = skipped;
		entry->slot = REPLICATION_NOBODY;
		waiting->end = 0;
	}
	entry = entry_at(waiting, waiting->end);
	entry->bytes = bytes;
	waiting->used += skipped + bytes;
	waiting->end = (waiting->end + bytes) % WAITING_BYTES;
	return entry;
}

static void drop_first(struct waiting *waiting)
{
	const uint32_t bytes = entry_at(waiting, waiting->first)->bytes;

	waiting->used -= bytes;
	waiting->first = (waiting->first + bytes) % WAITING_BYTES;
	waiting->stage = WAITING_FRESH;
	waiting->times = 0;
}

static struct waiting_entry *first(struct waiting *waiting)
{
	if (waiting->used != 0 && entry_at(waiting, waiting->first)->slot == REPLICATION_NOBODY)
		drop_first(waiting);
	return waiting->used != 0 ? entry_at(waiting, waiting->first) : NULL;
}

// ---------------------------------------------------------------- what waits

static struct waiting_entry *keep(struct session_shard *shard, const struct session_record *from,
				  const struct delivered *message)
{
	struct replication *replication = shard->replication;
	const uint32_t slot = (uint32_t)(from - shard->store->records);
	struct member *member = &replication->members[slot];
	struct waiting_entry *entry =
		put(replication->waiting, message->length + (uint32_t)sizeof(struct attack_judgement));

	if (!entry)
		return NULL;
	entry->slot = slot;
	entry->session = record_session(from);
	entry->by = said_by(from);
	entry->world = member->world;
	entry->stay = member->stay;
	entry->aims = entry->judged = false;
	entry->message = *message;
	entry->message.body = entry->body;
	if (message->length != 0)
		memcpy(entry->body, message->body, message->length);
	member->waits++;
	return entry;
}

/// There is no room for it.
static bool do_without(struct session_shard *shard, struct replica *replica, const struct member *member,
		       const struct delivered *message, bool aims)
{
	counter_add(&replica->counts->waits_full, 1);
	if (aims)
		counter_add(&replica->counts->judged[PG_WORLD_JUDGED_NOT_JUDGED], 1);
	if (aims && member->waits == 0 && dispatch_target(message) != 0)
		return false; // told as where nobody judges
	counter_add(&shard->stats->messages.lost[PG_LOSS_WORLD_BUSY], 1);
	dispatch_count(shard, PG_DESTINATION_NOBODY);
	return true;
}

bool waiting_takes(struct session_shard *shard, const struct session_record *from, const struct delivered *message,
		   uint64_t now)
{
	struct replication *replication = shard->replication;
	const uint32_t slot = (uint32_t)(from - shard->store->records);
	const struct member *member = &replication->members[slot];
	const struct said_by by = said_by(from);
	struct waiting_entry *entry;
	struct replica *replica;
	bool aims, near;

	if (member->world == 0)
		return false;
	replica = &replication->replica[member->world - 1];
	aims = message->type == SESSION_ATTACK && replica->plan->combat.judged;
	near = member->placed && dispatch_is_for_near(shard, &by, message);
	if (!aims && !near && member->waits == 0)
		return false;
	entry = keep(shard, from, message);
	if (!entry)
		return do_without(shard, replica, member, message, aims);
	entry->aims = aims;
	if (aims)
		entry->aim = aim_of(replication, replica, slot, message->body, message->length, now);
	return true;
}

// ---------------------------------------------------------------- its turn

/// Is its sender in the world in which it said it?
static bool is_here(const struct replication *replication, const struct waiting_entry *entry)
{
	return replication->members[entry->slot].stay == entry->stay;
}

static void end(struct replication *replication, const struct waiting_entry *entry)
{
	if (is_here(replication, entry))
		replication->members[entry->slot].waits--;
	drop_first(replication->waiting);
}

static struct outgoing event_of(const struct waiting_entry *entry)
{
	return dispatch_event_of(&entry->by, &entry->message);
}

/// The attacker hears how it was judged, unless it has aimed at itself and so heard it already.
static void tell_attacker(struct session_shard *shard, const struct waiting_entry *entry, uint64_t now)
{
	const struct outgoing event = event_of(entry);

	if (entry->judged && dispatch_target(&entry->message) != entry->by.player)
		(void)session_relay(shard, entry->by.player, &event, now); // counted there
}

static void begin_telling(struct session_shard *shard, const struct waiting_entry *entry)
{
	struct waiting *waiting = shard->replication->waiting;
	const struct outgoing event = event_of(entry);

	broadcast_begin(&shard->ctx, &waiting->broadcast, &event);
	waiting->told = 0;
	waiting->stage = WAITING_TELLING;
}

/// One of those who were found, of whatever worker.
static void tell_one(struct session_shard *shard, const struct waiting_entry *entry, uint32_t player, uint64_t now)
{
	const struct session_store *store = shard->store;
	const uint32_t slot = store_player(store, player);
	const struct outgoing event = event_of(entry);

	if (slot != PLAYER_NONE && record_owner(&store->records[slot]) == shard->worker)
		(void)session_deliver_broadcast(shard, record_session(&store->records[slot]),
						&shard->replication->waiting->broadcast, now);
	else
		(void)session_relay(shard, player, &event, now);
}

/// Who was hit hears of it, also from further away than everyone near.
static uint32_t victim_of(const struct replication *replication, const struct waiting_entry *entry)
{
	const struct waiting *waiting = replication->waiting;
	struct attack_judgement judgement;

	if (!entry->judged)
		return 0;
	memcpy(&judgement, entry->body + sizeof(struct attack_body), sizeof(judgement));
	if (judgement.sort != WORLD_PLAYER)
		return 0;
	for (uint32_t i = 0; i < waiting->near.found; i++)
		if (near_player(replication, i) == judgement.who)
			return 0;
	return judgement.who;
}

static void tell_some(struct session_shard *shard, const struct waiting_entry *entry, uint64_t now)
{
	struct replication *replication = shard->replication;
	struct waiting *waiting = replication->waiting;
	uint32_t victim;

	for (uint32_t i = 0; i < TOLD_PER_STEP && waiting->told < waiting->near.found; i++)
		tell_one(shard, entry, near_player(replication, waiting->told++), now);
	if (waiting->told < waiting->near.found)
		return;
	victim = victim_of(replication, entry);
	if (victim != 0)
		tell_one(shard, entry, victim, now);
	broadcast_end(&shard->ctx, &waiting->broadcast);
	tell_attacker(shard, entry, now);
	dispatch_count(shard, PG_DESTINATION_NEAR);
	end(replication, entry);
}

static void look_on(struct session_shard *shard, const struct waiting_entry *entry)
{
	struct replication *replication = shard->replication;
	struct waiting *waiting = replication->waiting;

	switch (near_step(replication, &replication->replica[entry->world - 1], &waiting->near)) {
	case NEAR_LOOKS:
		break;
	case NEAR_FOUND:
		begin_telling(shard, entry);
		break;
	case NEAR_VOID:
		waiting->stage = WAITING_FRESH;
		break;
	}
}

static void count(struct replica *replica, const struct attack_judgement *judgement)
{
	counter_add(&replica->counts->judged[judgement->judged], 1);
	if (judgement->clamped == WORLD_VIEW_TOO_OLD)
		counter_add(&replica->counts->views_old, 1);
	else if (judgement->clamped == WORLD_VIEW_TOO_NEW)
		counter_add(&replica->counts->views_new, 1);
}

static void judge_on(struct replication *replication, struct waiting_entry *entry)
{
	struct replica *replica = &replication->replica[entry->world - 1];
	struct waiting *waiting = replication->waiting;
	struct attack_judgement judgement;

	switch (aim_step(replica, &entry->aim, &waiting->aimed, &judgement)) {
	case AIM_LOOKS:
		return;
	case AIM_JUDGED:
		count(replica, &judgement);
		memcpy(entry->body + sizeof(struct attack_body), &judgement, sizeof(judgement));
		entry->message.length = ATTACK_JUDGED;
		entry->judged = true;
		entry->aims = false;
		break;
	case AIM_VOID:
		break;
	}
	waiting->stage = WAITING_FRESH;
}

/// What it needs next; if that is nothing, it goes where it is to.
static void begin(struct session_shard *shard, struct waiting_entry *entry, uint64_t now)
{
	struct replication *replication = shard->replication;
	struct replica *replica = &replication->replica[entry->world - 1];
	struct waiting *waiting = replication->waiting;

	if (entry->aims && waiting->times++ == BEGUN_MAX) {
		counter_add(&replica->counts->judged[PG_WORLD_JUDGED_NOT_JUDGED], 1);
		entry->aims = false;
	}
	if (entry->aims) {
		aim_begin(replication, replica, entry->slot, is_here(replication, entry), &entry->aim, &waiting->aimed);
		waiting->stage = WAITING_JUDGED;
	} else if (dispatch_is_for_near(shard, &entry->by, &entry->message) && is_here(replication, entry) &&
		   near_begin(replication, replica, entry->slot, &waiting->near)) {
		waiting->stage = WAITING_LOOKING;
	} else {
		if (dispatch_said(shard, &entry->by, &entry->message, now) != PG_DESTINATION_PROCESS)
			tell_attacker(shard, entry, now);
		end(replication, entry);
	}
}

void waiting_step(struct session_shard *shard, uint64_t now)
{
	struct waiting *waiting = shard->replication->waiting;
	struct waiting_entry *entry = first(waiting);

	if (!entry)
		return;
	switch (waiting->stage) {
	case WAITING_FRESH:
		begin(shard, entry, now);
		break;
	case WAITING_JUDGED:
		judge_on(shard->replication, entry);
		break;
	case WAITING_LOOKING:
		look_on(shard, entry);
		break;
	case WAITING_TELLING:
		tell_some(shard, entry, now);
		break;
	}
}

// SPDX-License-Identifier: BSD-3-Clause
// replication/states.c: what a player is told of its world in a datagram of a tick: WORLD until it has a state, and the state.

#include "replication/about.h"
#include "replication/members.h"
#include "replication/replication.h"

#include <string.h>

#define ANNOUNCE_MS 100 // between two datagrams that tell of a world, until one has arrived

/// Which world it is. A state without it says nothing.
static COLD bool fill_about(const struct replica *replica, const struct member *member, struct leaving *leaving)
{
	const struct session_message head = {.type = SESSION_WORLD, .body_len = (uint16_t)about_bytes(replica)};
	uint8_t *at = leaving_room(leaving, sizeof(head) + head.body_len);

	if (!at)
		return false;
	memcpy(at, &head, sizeof(head));
	(void)about_write(replica, member->epoch, at + sizeof(head));
	return true;
}

// ---------------------------------------------------------------- who is nowhere

/// That it is in no world.
static bool fill_nowhere(const struct member *member, struct leaving *leaving)
{
	static const char name[] = {'-'};
	const struct session_message head = {.type = SESSION_WORLD,
					     .body_len = sizeof(struct world_about) + sizeof(name)};
	const struct world_about about = {.epoch = member->epoch, .name_len = sizeof(name)};
	uint8_t *at = leaving_room(leaving, sizeof(head) + sizeof(about) + sizeof(name));

	if (!at)
		return false;
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), &about, sizeof(about));
	memcpy(at + sizeof(head) + sizeof(about), name, sizeof(name));
	return true;
}

/// Who is nowhere gets no states, which would tell it.
static COLD void announce(struct replication *replication, struct member *member, struct leaving *leaving)
{
	const bool is_told = member->world != 0 ?
				     fill_about(&replication->replica[member->world - 1], member, leaving) :
				     fill_nowhere(member, leaving);

	if (!is_told)
		return;
	if (member->announced == 0)
		member->announced = leaving->counter;
	member->announce_at = leaving->now + ANNOUNCE_MS * replication->shard->rules->delivery.millisecond;
}

static bool is_newer(uint32_t counter, uint32_t other)
{
	return (int32_t)(counter - other) > 0;
}

/// Every datagram that left since the first one said it.
static COLD void announcement_arrived(struct member *member, struct arrived arrived)
{
	const uint32_t newest = arrived.newest - (uint32_t)__builtin_ctzll(arrived.packets | 1ULL << 63);

	if (member->announced != 0 && arrived.packets != 0 && !is_newer(member->announced, newest))
		member->announces = false;
}

// ---------------------------------------------------------------- who is somewhere

/// For how long those whose turn it is go unseen.
/// @param longest  ticks
static void count_unseen(struct replica *replica, const struct world_strips *strips, uint32_t longest)
{
	struct pg_world_counts *counts = replica->counts;
	uint64_t *const within[] = {&counts->unseen_1, &counts->unseen_2, &counts->unseen_4, &counts->unseen_8,
				    &counts->unseen_more};
	unsigned i = 0;

	while (i < 4 && longest > replica->plan->tick_hz << i)
		i++;
	counter_add(within[i], (uint64_t)strips->glimpses * strips->period);
}

/// There is no room for them: their next turn is a sweep later, or, while there is none, a sweep after there is.
static COLD void shed_glimpses(struct replica *replica, struct observer *observer, const struct world_strips *strips)
{
	if (observer->unglimpsing < UINT16_MAX)
		observer->unglimpsing++;
	counter_add(&replica->counts->glimpses_shed, strips->glimpses);
	count_unseen(replica, strips, strips->longest + strips->period + observer->unglimpsing);
}

/// Of those who have no slot, to who has none left. What there is no room for is the first to be left out.
/// @param rank  of whom it is for
/// @return bytes
static size_t fill_glimpses(struct replica *replica, struct observer *observer, uint32_t rank, struct world_state *head,
			    uint8_t *at, size_t room)
{
	const struct world_frame *frame = world_frame_at(replica->part, replica->tick);
	const struct world_strips *strips;

	if (replica->glimpse_shift == 0 || (uint32_t)__builtin_popcount(observer->occupied) < replica->plan->neighbours)
		return 0;
	strips = world_glimpses_at(replica->glimpses, frame->x[rank], frame->y[rank], replica->tick);
	if (strips->bytes > room) {
		shed_glimpses(replica, observer, strips);
		return 0;
	}
	observer->unglimpsing = 0;
	memcpy(at, strips->at, strips->bytes);
	head->strips = strips->strips;
	counter_add(&replica->counts->glimpses, strips->glimpses);
	count_unseen(replica, strips, strips->longest);
	return strips->bytes;
}

/// The state of the active tick, in the room that the budget leaves it.
static void fill_state(struct replication *replication, uint32_t slot, struct leaving *leaving)
{
	struct replica *replica = replication->active;
	const size_t left = (size_t)(leaving->end - leaving->at);
	const size_t room = left < replica->state_room ? left : replica->state_room;
	struct session_message head = {.type = SESSION_WORLD_STATE};
	struct world_told state;

	if (room < sizeof(head) + WORLD_STATE_ROOM_MIN || leaving->messages == SESSION_MESSAGES_MAX)
		return;
	observer_turn(&replication->observers[slot], replica->parts, replica->tick);
	state = replication->kernels->state(&replication->observers[slot], replica->parts, leaving->counter,
					    leaving->at + sizeof(head), room - sizeof(head));
	state.bytes += fill_glimpses(replica, &replication->observers[slot], replication->sending_rank,
				     (struct world_state *)(void *)(leaving->at + sizeof(head)),
				     leaving->at + sizeof(head) + state.bytes, room - sizeof(head) - state.bytes);
	head.body_len = (uint16_t)state.bytes;
	memcpy(leaving_room(leaving, sizeof(head) + state.bytes), &head, sizeof(head));
	replica->ages |= state.ages;
	counter_add(&replica->counts->states, 1);
	counter_add(&replica->counts->state_bytes, state.bytes);
	counter_add(&replica->counts->told, state.records);
	counter_add(&replica->counts->told_in_full, state.fulls);
	if (unlikely(state.misses != 0))
		counter_add(&replica->counts->baseline_misses, state.misses);
	if (unlikely(state.states != 0))
		counter_add(&replica->counts->game_states, state.states);
	counter_add(&replica->counts->left_out, state.left_out);
}

// ---------------------------------------------------------------- doors of the delivery

/// @return false: the next state is the next tick's
static bool fill(void *context, uint32_t who, struct leaving *leaving)
{
	struct replication *replication = context;
	struct member *member = &replication->members[who];

	if (unlikely(replication->sending != who)) {
		if (member->announces && !member->placed)
			announce(replication, member, leaving);
		return false;
	}
	if (unlikely(!replication->observers[who].known) && !fill_about(replication->active, member, leaving))
		return false;
	fill_state(replication, who, leaving);
	return false;
}

/// States are sent by ticks.
static uint64_t due(void *context, uint32_t who)
{
	const struct member *member = &((const struct replication *)context)->members[who];

	return unlikely(member->announces) && !member->placed ? member->announce_at : UINT64_MAX;
}

static void begun(void *context, uint32_t who)
{
	struct replication *replication = context;
	const uint8_t world = member_world(replication, who);
	const struct session_record *record = &replication->shard->store->records[who];
	struct member *member = &replication->members[who];

	replication->states[who].length = 0;
	member_joins(replication, who, world, pg_tsc());
	// It may not have heard from the process before this one where it is no more.
	member->announces = record->epoch != 0 && !member->placed && (world != 0 || record->moved_to != 0);
}

static void ended(void *context, uint32_t who)
{
	member_leaves(context, who);
}

static void told(void *context, uint32_t who, struct arrived arrived, uint64_t now)
{
	struct replication *replication = context;
	struct observer *observer = &replication->observers[who];
	struct member *member = &replication->members[who];

	(void)now;
	if (likely(member->placed)) // else it is of where it was before
		observer_acknowledged(observer, arrived.newest, arrived.packets);
	if (unlikely(member->announces))
		announcement_arrived(member, arrived);
}

void replication_init(struct replication *replication)
{
	struct delivery_context *ctx = &replication->shard->ctx;

	replication->sending = REPLICATION_NOBODY;
	tick_bounds_init(&replication->tick_bounds, pg_tsc_hz());
	replication->filler =
		(struct filler){.fill = fill, .due = due, .context = replication, .begun = begun, .ended = ended};
	replication->listener = (struct acknowledged_listener){.told = told, .context = replication};
	ctx->filler = &replication->filler;
	ctx->fillers = 1;
	ctx->listener = &replication->listener;
	ctx->listeners = 1;
}

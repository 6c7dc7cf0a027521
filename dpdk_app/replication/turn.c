// SPDX-License-Identifier: BSD-3-Clause
// replication/turn.c: see turn.h.

#include "replication/turn.h"

#include "replication/looking.h"
#include "replication/plain_players.h"
#include "world/full.h"

#define RANKS_PER_STEP 1024
#define PLAYERS_PER_STEP 32
#define UNITS_PER_STEP 2048
#define TURNS_AHEAD 6 // players whose lines are fetched
#define WAIT_SHARE 8  // of a tick, for parts of other workers
#define SLICES_PER_STEP 512
#define UNTOLD_PER_STEP 256 // whose lines nobody fetched

/// Ages of baselines that there can be.
#define WORLD_AGES_TOLD (((1U << (WORLD_AGES - 1)) - 1) & ~1U)

// ---------------------------------------------------------------- which

/// Of those that have something to do, the one whose next tick comes first.
static struct replica *most_urgent(struct replication *replication, uint64_t now)
{
	struct replica *found = NULL;

	for (uint32_t i = 0; i < replication->replicas; i++) {
		struct replica *replica = &replication->replica[i];

		if ((replica->stage != TICK_OVER || replica->due <= now) && (!found || replica->due < found->due))
			found = replica;
	}
	return found;
}

uint64_t turn_due(const struct replication *replication)
{
	uint64_t due = UINT64_MAX;

	for (uint32_t i = 0; i < replication->replicas; i++) {
		const struct replica *replica = &replication->replica[i];
		const uint64_t then = replica->stage != TICK_OVER ? 0 : replica->due;

		due = then < due ? then : due;
	}
	return due;
}

// ---------------------------------------------------------------- a tick

/// A frame and its grid are finished, however late: all else of a tick is for the players that it is late for.
static bool can_be_cut_short(const struct replica *replica)
{
	return replica->stage != TICK_OVER && replica->stage != TICK_PUBLISH && replica->stage != TICK_GRID &&
	       replica->stage != TICK_UNTOLD;
}

/// How long a tick took that is over but for what nobody waits for.
static void count_duration(const struct replication *replication, const struct replica *replica, uint64_t now)
{
	const uint64_t cycles = now - replica->began;

	counter_add(&replica->counts->tick_duration_cycles, cycles);
	counter_add(&replica->counts->tick_duration[tick_bucket(&replication->tick_bounds, cycles)], 1);
}

void turn_sent(const struct replication *replication, uint64_t now)
{
	if (replication->active->stage == TICK_TIDY)
		count_duration(replication, replication->active, now);
}

/// Ranks in the order in which they are sent to.
ALWAYS_INLINE uint32_t rank_in_turn(const struct replica *replica, uint32_t at)
{
	const uint32_t count = replica->part->count, rank = replica->first + at;

	return rank < count ? rank : rank - count;
}

/// Who was not sent to gets no state in this tick.
/// @param sheds  a state would have been written
static COLD void leave_untold(struct replica *replica, uint32_t sent, bool sheds)
{
	replica->at = replica->sent = sent;
	replica->sheds = sheds;
	replica->stage = TICK_UNTOLD;
	world_read(replica->reading, replica->tick); // other workers do not wait until we are in time
}

/// What is owed to them is acknowledged without a state. The next tick begins with them.
static COLD void note_untold(struct replication *replication, struct replica *replica)
{
	const uint32_t count = replica->part->count, from = replica->at;
	const uint32_t to = from + UNTOLD_PER_STEP < count ? from + UNTOLD_PER_STEP : count;

	for (uint32_t at = from; at < to; at++) {
		const uint32_t slot = replica_slot(replica, rank_in_turn(replica, at));

		if (slot == REPLICATION_NOBODY)
			continue;
		counter_add(&replica->counts->shed, replica->sheds);
		session_note(replication->shard, slot, false);
	}
	replica->at = to;
	if (to < count)
		return;
	if (replica->sent != 0)
		replica->first = rank_in_turn(replica, replica->sent - 1) + 1;
	replica->stage = TICK_OVER;
}

/// The next tick came before all were told.
static COLD void overrun(const struct replication *replication, struct replica *replica, uint64_t now)
{
	if (replica->stage == TICK_TIDY) // all were told; the order of cells is made in the next ticks
		return;
	count_duration(replication, replica, now);
	counter_add(&replica->counts->overruns, 1);
	leave_untold(replica, replica->stage == TICK_SEND ? replica->at : 0, true);
}

static void begin(struct replica *replica, uint64_t now)
{
	const uint64_t tick = (now - replica->begins) / replica->tick_cycles; // more than 32 bits, after some years

	replica->tick = (uint32_t)tick;
	replica->began = replica->begins + tick * replica->tick_cycles;
	replica->due = replica->began + replica->tick_cycles;
	replica->at = 0;
	if (unlikely(!world_part_can_begin(replica->part, replica->tick))) {
		counter_add(&replica->counts->held, 1);
		leave_untold(replica, 0, false);
		return;
	}
	world_part_begin(replica->part, replica->tick, replica->reranking == RERANKING_READY);
	if (replica->reranking == RERANKING_READY) {
		replica->reranking = RERANKING_NOT;
		replica->to_write_down = replica->journaled;
	}
	replica->stage = TICK_PUBLISH;
}

static void next_stage(struct replica *replica, enum tick_stage stage)
{
	replica->stage = stage;
	replica->at = 0;
}

static void publish(struct replica *replica)
{
	if (!world_part_step(replica->part, RANKS_PER_STEP))
		return;
	// Those of the last tick, and of clients that had one more or less of its acknowledgements.
	replica->ages = (replica->ages | replica->ages << 1 | replica->ages >> 1) & WORLD_AGES_TOLD;
	replica->ages |= replica->tells_in_full;
	if (replica->first >= replica->part->count) // they are fewer than before
		replica->first = 0;
	world_grid_begin(replica->grid);
	next_stage(replica, TICK_GRID);
}

void turn_publish(struct replication *replication, uint64_t now)
{
	for (uint32_t i = 0; i < replication->replicas; i++) {
		struct replica *replica = &replication->replica[i];

		begin(replica, now);
		while (replica->stage == TICK_PUBLISH)
			publish(replica);
	}
}

static void write_table(const struct replication *replication, const struct replica *replica, unsigned age,
			uint32_t from, uint32_t to)
{
	if (age == 0)
		full_write(replica->part, replica->tick, from, to);
	else
		replication->kernels->records(replica->part, replica->tick, age, from, to);
}

/// Tables of records, one age after the other. What has none is reckoned for each player by itself.
static void write_records(struct replication *replication, struct replica *replica)
{
	const struct world_part *part = replica->part;
	const unsigned age = (unsigned)__builtin_ctz(replica->ages | 1U << 31);
	const uint32_t to = replica->at + RANKS_PER_STEP;

	if (replica->ages == 0 || !world_frame_at(part, replica->tick)->records) {
		next_stage(replica, TICK_LOOK);
		return;
	}
	if (world_has_frame(part, replica->tick - age) && replica->at < part->count) {
		write_table(replication, replica, age, replica->at, to < part->count ? to : part->count);
		replica->at = to;
		if (to < part->count)
			return;
		world_records_done(replica->part, replica->tick, age);
	}
	replica->ages &= replica->ages - 1;
	replica->at = 0;
}

/// Everybody is in the grid where they are now.
static void step_grid(struct replica *replica)
{
	if (world_grid_step(replica->grid, RANKS_PER_STEP))
		next_stage(replica, TICK_RECORDS);
}

/// Have all parts published this frame? Who of them is late is not waited for for long.
static bool others_are_there(const struct replica *replica, uint64_t now)
{
	if (now >= replica->began + replica->tick_cycles / WAIT_SHARE)
		return true;
	for (uint32_t i = 0; i < replica->parts->count; i++)
		if (world_published(replica->reading->of[i]) != replica->tick)
			return false;
	return true;
}

ALWAYS_INLINE void bring_plain_look(const struct replica *replica, uint32_t rank)
{
	const uint32_t slot = replica_plain_slot(replica, rank);

	if (slot != REPLICATION_NOBODY)
		plain_player_bring(&replica->plain_players[slot]);
}

/// Prefetch what a look of a rank's player needs. Inlined: a function of its own that only prefetches is one that GCC leaves
/// out.
ALWAYS_INLINE void bring_look(const struct replication *replication, const struct replica *replica, uint32_t rank)
{
	const uint32_t slot = replica_slot(replica, rank);

	if (slot == REPLICATION_NOBODY) {
		bring_plain_look(replica, rank);
		return;
	}
	prefetch_for_write(&replication->members[slot].reach);
	observer_prefetch(&replication->observers[slot]);
}

/// Those whose turn it is.
static void look_from(struct replication *replication, struct replica *replica, uint32_t from, uint32_t to)
{
	for (uint32_t rank = from; rank < from + TURNS_AHEAD && rank < to; rank++)
		bring_look(replication, replica, rank);
	for (uint32_t rank = from; rank < to; rank++) {
		const uint32_t slot = replica_slot(replica, rank);

		if (rank + TURNS_AHEAD < to)
			bring_look(replication, replica, rank + TURNS_AHEAD);
		if (slot == REPLICATION_NOBODY) {
			plain_player_turn(replication, replica, rank);
			continue;
		}
		observer_turn(&replication->observers[slot], replica->parts, replica->tick);
		look_around(replication, replica, slot, rank);
	}
}

/// Was everybody given another rank since the last look at all of them? Some may not have heard of it, however long ago it is:
/// a worker that waits for its CPU, or is late, looks at nobody.
static bool ranks_are_new(const struct replica *replica)
{
	return (int32_t)(replica->looked - replica->part->reranked) < 0;
}

static COLD void take_new_ranks(struct replication *replication, struct replica *replica, uint32_t from, uint32_t to)
{
	for (uint32_t rank = from; rank < to; rank++) {
		const uint32_t slot = replica_slot(replica, rank);

		if (slot != REPLICATION_NOBODY)
			(void)member_rank(replica, &replication->members[slot]);
	}
	entities_take_new_ranks(replica, from, to);
}

/// Players look around when it is their turn, which neighbours in rank have together. For the others nothing is done: the ticks that
/// pass for an observer are reckoned when it is used.
static void look(struct replication *replication, struct replica *replica)
{
	const uint32_t count = replica->part->count, from = replica->at;
	const uint32_t to = from + PLAYERS_PER_STEP < count ? from + PLAYERS_PER_STEP : count;
	const bool all = ranks_are_new(replica);

	static_assert(WORLD_TURN_RANKS % PLAYERS_PER_STEP == 0, "all of a step have their turn, or none");
	if (unlikely(all))
		take_new_ranks(replication, replica, from, to);
	if (world_has_turn(from, replica->tick))
		look_from(replication, replica, from, to);
	replica->at = from + PLAYERS_PER_STEP;
	while (!all && replica->at < count && !world_has_turn(replica->at, replica->tick))
		replica->at += PLAYERS_PER_STEP;
	if (replica->at < count)
		return;
	replica->looked = replica->tick;
	next_stage(replica, TICK_SEND);
	replica->ages = 0; // what states of this tick ask for
}

/// Now and then everybody gets another rank: who is near is near in memory again, and the ranks of those who left are free.
static void tidy_ranks(struct replica *replica)
{
	struct world_part *part = replica->part;

	if (replica->reranking == RERANKING_NOT &&
	    replica->tick - part->reranked >= REPLICATION_RERANK_S * replica->plan->tick_hz &&
	    !ranks_are_new(replica) && world_rerank_begin(part))
		replica->reranking = RERANKING_SORTS;
	if (replica->reranking == RERANKING_SORTS && world_rerank_step(part, UNITS_PER_STEP))
		replica->reranking = RERANKING_READY;
}

/// A journal that somebody begins to read in the middle says who is there.
static void write_down(struct replica *replica)
{
	if (replica->to_write_down && journal_slices_begin(replica->part))
		replica->to_write_down = false;
	(void)journal_slices_step(replica->part, SLICES_PER_STEP);
}

/// What need not be done before the datagrams leave: the next order of cells, and of ranks.
static void tidy(const struct replication *replication, struct replica *replica)
{
	if (replica->journaled)
		write_down(replica);
	shown_step(replication, replica);
	tidy_ranks(replica);

	const uint32_t units = replica->tidied < replica->to_tidy ? UNITS_PER_STEP : 0;

	replica->tidied += units;
	if (units == 0 || (world_grid_sort(replica->grid, units) && world_sweep_sort(replica->sweep, units)))
		replica->stage = TICK_OVER;
}

bool replication_next_receiver(struct replication *replication, struct receiver *receiver)
{
	struct replica *replica = replication->active;

	while (replica->at < replica->part->count) {
		const uint32_t rank = rank_in_turn(replica, replica->at++), slot = replica_slot(replica, rank);

		if (slot == REPLICATION_NOBODY)
			continue;
		*receiver = (struct receiver){slot, rank};
		return true;
	}
	counter_add(&replica->counts->ticks, 1);
	replica->to_tidy = world_grid_sort_units(replica->grid) + world_sweep_sort_units(replica->sweep);
	replica->tidied = 0;
	next_stage(replica, TICK_TIDY);
	return false;
}

enum turn_step turn_step(struct replication *replication, uint64_t now)
{
	struct replica *replica = most_urgent(replication, now);

	if (!replica)
		return TURN_NOTHING;
	if (replica->due <= now && can_be_cut_short(replica))
		overrun(replication, replica, now);
	switch (replica->stage) {
	case TICK_OVER:
		begin(replica, now);
		break;
	case TICK_PUBLISH:
		publish(replica);
		break;
	case TICK_GRID:
		step_grid(replica);
		break;
	case TICK_RECORDS:
		write_records(replication, replica);
		break;
	case TICK_LOOK:
		if (replica->at == 0 && !others_are_there(replica, now))
			return TURN_NOTHING;
		if (replica->at == 0) {
			world_read(replica->reading, replica->tick);
			world_interest_begin(replica->interest);
		}
		look(replication, replica);
		break;
	case TICK_SEND:
		replication->active = replica;
		return TURN_SENDS;
	case TICK_UNTOLD:
		note_untold(replication, replica);
		break;
	case TICK_TIDY:
		tidy(replication, replica);
		break;
	}
	return TURN_STEPPED;
}

// SPDX-License-Identifier: BSD-3-Clause
// world/state.c: the body of a WORLD_STATE: of whom in which words, against which frames. Compiled with -DISA=v2, v3 and v4.
//
// Nearly all who are told of have a state in one frame that the client has, so that their records are copied from one table,
// without a branch for each. What is otherwise is an exception and comes behind.

#include "isa.h"

#include <string.h>

#include "world/bits.h"
#include "world/due.h"
#include "world/full.h"
#include "world/kernels.h"
#include "world/observer_states.h"
#include "world/record.h"

world_state_write JOIN(world_state, ISA);

#define PAIRS (WORLD_SLOTS_MAX / 2)
#define VECTOR_WORDS 4

typedef uint64_t words __attribute__((vector_size(8 * VECTOR_WORDS)));

#define HEAD_BITS FULL_HEAD_BITS
#define OLDER_BITS (HEAD_BITS + 5)
#define STATE_BITS_MAX (21 + 8 * WORLD_STATE_BYTES_MAX) // of a game
#define STATES_FIRST_TICKS 8
#define HEARD_TRIED 4     // frames that are looked at for a common baseline
#define WORTH_TICKS 20    // so much older may a baseline of one more be: an exception costs 12 bits, a tick half a bit
#define WAITED_LONG 0x200 // more than any distance, and the age of any baseline

/// What a WORLD_STATE is to say.
struct saying {
	const struct world_parts *parts;
	uint32_t tick;
	uint32_t present, older, full, empty; // slots
	uint32_t sure;                        // of those with a record: the client is known to have the baseline
	uint32_t ages;
	uint32_t left_out;
	unsigned bits;                   // of all of it
	uint8_t base;                    // of `present`
	uint8_t age[WORLD_SLOTS_MAX];    // of `older`
	uint64_t other[WORLD_SLOTS_MAX]; // records of `older`
	struct told_game_states states;

	/// Records of `present`, those of even slots before those of odd ones: a pair is then in the same place of two vectors.
	/// Of other slots WORLD_NO_RECORD, which has no bits.
	uint64_t common[WORLD_SLOTS_MAX] CACHE_ALIGNED;
};

/// Where the record of a slot is in `common`.
ALWAYS_INLINE unsigned paired(unsigned slot)
{
	return slot / 2 + slot % 2 * PAIRS;
}

// ---------------------------------------------------------------- against which frame

/// The frame with a baseline of most slots, for newer frames make shorter records.
/// @param known    slots with a baseline
/// @param supposed slots with a FULL that may be one
ALWAYS_INLINE void choose_base(const struct observer *observer, uint32_t known, uint32_t supposed,
			       struct saying *saying)
{
	const unsigned by = saying->tick % OBSERVER_TICKS;
	uint32_t heard = observer->heard >> by | observer->heard << (32 - by) % 32; // one tick ago: the highest bit
	unsigned most = 0;

	for (unsigned tried = 0; heard != 0 && tried < HEARD_TRIED; tried++) {
		const unsigned age = (unsigned)__builtin_clz(heard) + 1;
		const uint32_t slots = known & observer->said[observer_at(saying->tick - age)].told;
		const unsigned worth = (unsigned)__builtin_popcount(slots) * (WORTH_TICKS + AGE_NONE - age);

		if (age >= AGE_NONE)
			break;
		if (worth > most) {
			most = worth;
			saying->base = (uint8_t)age;
			saying->sure = slots;
		}
		if (slots == known)
			break;
		heard &= ~(0x80000000U >> (age - 1));
	}
	if (most == 0 && supposed != 0)
		saying->base = observer->full[__builtin_ctz(supposed)];
	saying->present = saying->sure | (supposed & ages_equal(observer->full, saying->base));
}

/// Tables hold from the last re-rank on.
ALWAYS_INLINE const uint64_t *table_of(const struct world_part *part, uint32_t tick, uint32_t age)
{
	return likely((int32_t)(tick - part->reranked) >= 0) ? world_records_of(part, tick, age) : NULL;
}

/// Of one, from the table or, where there is none, from the frames.
static uint64_t record_of(const struct saying *saying, world_reference who, unsigned age)
{
	const struct world_part *part = saying->parts->part[world_part_of(who)];
	const uint32_t rank = world_rank_of(who), tick = saying->tick;
	const uint64_t *table = table_of(part, tick, age);

	if (likely(table))
		return table[rank];

	const uint32_t now = world_rank_at(part, rank, tick), was = world_rank_at(part, rank, tick - age);

	if (world_number(part, rank) == WORLD_NOBODY || now == WORLD_NOBODY || was == WORLD_NOBODY ||
	    !world_has_frame(part, tick - age))
		return WORLD_NO_RECORD;

	const struct world_place place = world_place_at(world_frame_at(part, tick), now);
	const struct world_place base = world_place_at(world_frame_at(part, tick - age), was);

	return world_record(&place, &base, age, part->velocity_shift);
}

/// Records of those with the common baseline where a part has no table of it.
static COLD void take_without_table(const struct observer *observer, struct saying *saying)
{
	for (unsigned slot = 0; slot < WORLD_SLOTS_MAX; slot++)
		saying->common[paired(slot)] = saying->present >> slot & 1 ?
						       record_of(saying, observer->who[slot], saying->base) :
						       WORLD_NO_RECORD;
}

/// Of every slot: any reference is to a rank that there is.
ALWAYS_INLINE void take_from_tables(const struct observer *observer, struct saying *saying)
{
	const struct world_parts *parts = saying->parts;
	const uint64_t *table[WORLD_PARTS_MAX];
	bool all = true;

	for (uint32_t i = 0; i < parts->count; i++) {
		table[i] = table_of(parts->part[i], saying->tick, saying->base);
		all &= table[i] != NULL;
	}
	if (unlikely(!all))
		take_without_table(observer, saying);
	else if (parts->count == 1)
		for (unsigned slot = 0; slot < WORLD_SLOTS_MAX; slot++)
			saying->common[paired(slot)] = table[0][observer->who[slot]];
	else
		for (unsigned slot = 0; slot < WORLD_SLOTS_MAX; slot++) {
			const world_reference who = observer->who[slot];

			saying->common[paired(slot)] = table[world_part_of(who)][world_rank_of(who)];
		}
}

/// Strike slots that have no record against the common baseline.
static COLD void strike_without(struct saying *saying)
{
	for (unsigned slot = 0; slot < WORLD_SLOTS_MAX; slot++)
		if (saying->common[paired(slot)] == WORLD_NO_RECORD)
			saying->present &= ~(1U << slot);
	saying->sure &= saying->present;
}

/// Records of those with the common baseline; who has none is not among them any more.
ALWAYS_INLINE void take_common(const struct observer *observer, struct saying *saying)
{
	static const words slots[] = {{0, 2, 4, 6}, {8, 10, 12, 14}, {16, 18, 20, 22}, {24, 26, 28, 30},
				      {1, 3, 5, 7}, {9, 11, 13, 15}, {17, 19, 21, 23}, {25, 27, 29, 31}};
	words lengths = {0}, none = {0};
	uint64_t without = 0;

	take_from_tables(observer, saying);
	for (unsigned i = 0; i < WORLD_SLOTS_MAX / VECTOR_WORDS; i++) {
		words *records = (words *)(void *)saying->common + i;

		*records &= 0 - (((words){0} + saying->present) >> slots[i] & 1);
		lengths += *records >> WORLD_RECORD_BITS;
		none -= (words)(*records == WORLD_NO_RECORD);
	}
	for (unsigned i = 0; i < VECTOR_WORDS; i++) {
		saying->bits += (unsigned)lengths[i];
		without += none[i];
	}
	if (unlikely(without + (unsigned)__builtin_popcount(saying->present) != WORLD_SLOTS_MAX))
		strike_without(saying);
	saying->ages |= 1U << saying->base & ~1U;
}

/// A record against a frame of its own.
/// @return false: there is none
static bool take_older(const struct observer *observer, struct saying *saying, unsigned slot, unsigned age)
{
	const uint64_t record = record_of(saying, observer->who[slot], age);

	if (record == WORLD_NO_RECORD)
		return false;
	saying->ages |= 1U << age;
	saying->age[slot] = (uint8_t)age;
	saying->other[slot] = record;
	saying->older |= 1U << slot;
	saying->bits += OLDER_BITS + world_record_length(record);
	return true;
}

/// All of somebody, unless nobody is there any more.
static void take_full(struct observer *observer, struct saying *saying, unsigned slot)
{
	const world_reference who = observer->who[slot];

	if (world_number(saying->parts->part[world_part_of(who)], world_rank_of(who)) == WORLD_NOBODY) {
		observer_leave(observer, slot);
		saying->empty |= 1U << slot;
		saying->bits += HEAD_BITS;
	} else {
		saying->full |= 1U << slot;
		saying->bits += FULL_BITS;
	}
}

/// What is not told against the common baseline.
/// @param known, supposed  as in choose_base()
static void take_exceptions(struct observer *observer, struct saying *saying, uint32_t slots, uint32_t known,
			    uint32_t supposed)
{
	for (uint32_t left = slots, slot = 0; next_slot(&left, &slot);) {
		const uint32_t bit = 1U << slot;

		if (known & bit && take_older(observer, saying, slot, observer->base[slot]))
			saying->sure |= bit;
		else if (!(supposed & bit && take_older(observer, saying, slot, observer->full[slot])))
			take_full(observer, saying, slot);
	}
}

/// Most of those who are told of against a frame of their own: there are few, so that their tables are not at hand.
ALWAYS_INLINE void fetch(const struct observer *observer, const struct saying *saying, uint32_t supposed)
{
	for (uint32_t left = supposed, slot = 0; next_slot(&left, &slot);) {
		const struct world_part *part = saying->parts->part[world_part_of(observer->who[slot])];
		const uint64_t *table = table_of(part, saying->tick, observer->full[slot]);

		if (likely(table))
			prefetch(table + world_rank_of(observer->who[slot]));
	}
}

/// What is to be said, whether or not there is room for it.
ALWAYS_INLINE void collect(struct observer *observer, struct saying *saying)
{
	const uint32_t has = ages_at_most(observer->base, AGE_NONE - 1), on_its_way = flying(observer);
	const uint32_t can = ready(observer, saying->parts, saying->tick);
	const uint32_t turn = can & due(observer, saying->tick);
	const uint32_t known = turn & has, supposed = turn & ~has & on_its_way, fresh = can & ~has & ~on_its_way;

	fetch(observer, saying, supposed);
	saying->empty = observer->leaving & ~on_its_way;
	saying->bits = HEAD_BITS * (unsigned)__builtin_popcount(saying->empty);
	choose_base(observer, known, supposed, saying);
	take_common(observer, saying);

	const uint32_t exceptions = (known | supposed | fresh) & ~saying->present;

	if (unlikely(exceptions != 0))
		take_exceptions(observer, saying, exceptions, known, turn & on_its_way);
	if (unlikely(observer->unsure != 0))
		observer_choose_states(observer, saying->parts, can, saying->full, &saying->states);
}

// ---------------------------------------------------------------- what there is room for

static unsigned bits_of(const struct saying *saying, unsigned slot)
{
	if (saying->full >> slot & 1)
		return FULL_BITS;
	if (saying->older >> slot & 1)
		return OLDER_BITS + world_record_length(saying->other[slot]);
	return world_record_length(saying->common[paired(slot)]);
}

/// How far they are, less for how long they have waited. Who has no baseline any more, or none yet, comes first: else the farthest
/// would wait for ever where there is never room for all.
static int urgency(const struct observer *observer, unsigned slot)
{
	return observer->distance[slot] - (observer->base[slot] < AGE_NONE ? 2 * observer->base[slot] : WAITED_LONG);
}

/// The nearest first. @return how many
static unsigned by_urgency(const struct observer *observer, uint32_t slots, uint8_t order[WORLD_SLOTS_MAX])
{
	unsigned n = 0;

	for (uint32_t left = slots, slot = 0; next_slot(&left, &slot);) {
		unsigned at = n++;

		for (; at > 0 && urgency(observer, order[at - 1]) > urgency(observer, slot); at--)
			order[at] = order[at - 1];
		order[at] = (uint8_t)slot;
	}
	return n;
}

/// Leave out what there is no room for: its baselines just get older.
static COLD void leave_out(const struct observer *observer, struct saying *saying, unsigned room)
{
	const uint32_t all = saying->present | saying->older | saying->full;
	uint8_t order[WORLD_SLOTS_MAX];
	const unsigned n = by_urgency(observer, all, order);
	const unsigned all_room = room;
	unsigned fulls = 0;
	uint32_t kept = 0;

	while ((unsigned)__builtin_popcount(saying->empty) * HEAD_BITS > room)
		saying->empty &= saying->empty - 1;
	room -= (unsigned)__builtin_popcount(saying->empty) * HEAD_BITS;
	for (unsigned i = 0; i < n; i++) {
		const unsigned bits = bits_of(saying, order[i]), full = saying->full >> order[i] & 1;

		if (bits > room || fulls + full > OBSERVER_FULLS_MAX)
			continue;
		room -= bits;
		fulls += full;
		kept |= 1U << order[i];
	}
	for (uint32_t left = saying->present & ~kept, slot = 0; next_slot(&left, &slot);)
		saying->common[paired(slot)] = WORLD_NO_RECORD;
	saying->left_out = all & ~kept;
	saying->present &= kept;
	saying->older &= kept;
	saying->full &= kept;
	saying->sure &= kept;
	saying->bits = all_room - room;
}

/// States of games are the first to be left out, but for every eighth tick: then they have half
/// of the room, or that of one, before all others.
static COLD void fit(const struct observer *observer, struct saying *saying, unsigned room)
{
	const unsigned most = room / 2 > STATE_BITS_MAX ? room / 2 : STATE_BITS_MAX;
	const bool first = saying->tick % STATES_FIRST_TICKS == 0;
	const unsigned before = first ? observer_fit_states(observer, saying->full, most, &saying->states) : 0;

	if (saying->bits > room - before || __builtin_popcount(saying->full) > OBSERVER_FULLS_MAX)
		leave_out(observer, saying, room - before);
	saying->bits += observer_fit_states(observer, saying->full, room - saying->bits, &saying->states);
}

// ---------------------------------------------------------------- the words

static void put_full(const struct observer *observer, const struct saying *saying, unsigned slot,
		     struct bit_writer *writer)
{
	const world_reference who = observer->who[slot];
	const struct world_part *part = saying->parts->part[world_part_of(who)];
	const uint32_t rank = world_rank_of(who);
	const struct full_body body =
		full_of(part, world_frame_at(part, saying->tick), rank, world_rank_at(part, rank, saying->tick));

	full_put(writer, slot, &body);
}

ALWAYS_INLINE void put_record(struct bit_writer *writer, uint64_t record)
{
	bits_put(writer, record & WORLD_RECORD_MASK, world_record_length(record));
}

/// Each waits for where the one before ends, so that two are made one before, if they fit.
ALWAYS_INLINE struct bit_writer put_common(struct bit_writer writer, const uint64_t *record)
{
	uint64_t bits[PAIRS] CACHE_ALIGNED, length[PAIRS] CACHE_ALIGNED;

	for (unsigned i = 0; i < PAIRS / VECTOR_WORDS; i++) {
		const words first = ((const words *)(const void *)record)[i];
		const words second = ((const words *)(const void *)(record + PAIRS))[i];
		const words from = first >> WORLD_RECORD_BITS;

		((words *)(void *)bits)[i] = (first & WORLD_RECORD_MASK) | (second & WORLD_RECORD_MASK) << from;
		((words *)(void *)length)[i] = from + (second >> WORLD_RECORD_BITS);
	}
	for (unsigned pair = 0; pair < PAIRS; pair++) {
		if (likely(length[pair] <= BITS_AT_ONCE)) {
			bits_put(&writer, bits[pair], (unsigned)length[pair]);
		} else {
			put_record(&writer, record[pair]);
			put_record(&writer, record[pair + PAIRS]);
		}
	}
	return writer;
}

/// @return behind it
ALWAYS_INLINE uint8_t *put(const struct observer *observer, const struct saying *saying, uint8_t *at)
{
	struct bit_writer writer = put_common(bits_write(at + sizeof(struct world_state)), saying->common);
	const struct world_state head = {
		.tick = (uint16_t)saying->tick,
		.epoch = observer->epoch,
		.base = saying->present != 0 ? saying->base : 0,
		.present = saying->present,
		.exceptions = (uint8_t)(__builtin_popcount(saying->older) + __builtin_popcount(saying->full) +
					__builtin_popcount(saying->empty) + (int)saying->states.n),
	};

	memcpy(at, &head, sizeof(head));
	for (uint32_t left = saying->older, slot = 0; next_slot(&left, &slot);) {
		bits_put(&writer, slot | WORLD_OLDER << 5 | (unsigned)saying->age[slot] << HEAD_BITS, OLDER_BITS);
		put_record(&writer, saying->other[slot]);
	}
	for (uint32_t left = saying->full, slot = 0; next_slot(&left, &slot);)
		put_full(observer, saying, slot, &writer);
	for (uint32_t left = saying->empty, slot = 0; next_slot(&left, &slot);)
		bits_put(&writer, slot | WORLD_EMPTY << 5, HEAD_BITS);
	if (unlikely(saying->states.n != 0))
		observer_put_states(&saying->states, &writer);
	return bits_end(&writer);
}

/// What the client has if it has this datagram. A record against a baseline that it is only supposed to have is not among it:
/// it may have skipped that. observer_has_full() says when it did not.
ALWAYS_INLINE void remember(struct observer *observer, const struct saying *saying, uint32_t counter)
{
	const unsigned at = observer_at(saying->tick);

	observer->sent |= 1U << at;
	observer->counter[at] = (uint16_t)counter;
	observer->said[at] = (struct observer_said){
		.told = saying->sure | saying->full | saying->empty,
		.supposed = (saying->present | saying->older) & ~saying->sure,
	};
	for (uint32_t left = saying->full | saying->empty, slot = 0; next_slot(&left, &slot);)
		observer->full[slot] = 0;
	if (unlikely(saying->states.n != 0))
		observer_remember_states(observer, &saying->states);
}

/// This tick's was sent already, and only that one is remembered.
static COLD uint8_t *put_nothing(const struct observer *observer, struct saying *saying, uint8_t *at)
{
	memset(saying->common, 0, sizeof(saying->common));
	return put(observer, saying, at);
}

/// What it has of records is written when there are some.
ALWAYS_INLINE void begin(struct saying *saying, const struct world_parts *parts, uint32_t tick)
{
	saying->parts = parts;
	saying->tick = tick;
	saying->present = saying->older = saying->full = saying->empty = saying->sure = 0;
	saying->ages = saying->left_out = saying->bits = saying->base = 0;
	saying->states.n = saying->states.slots = 0;
}

struct world_told JOIN(world_state, ISA)(struct observer *observer, const struct world_parts *parts, uint32_t counter,
					 uint8_t *at, size_t room)
{
	struct saying saying;
	const unsigned bits = 8 * (unsigned)(room - sizeof(struct world_state) - BITS_SLACK);

	begin(&saying, parts, observer->tick);
	if (unlikely(observer->sent >> observer_at(saying.tick) & 1))
		return (struct world_told){.bytes = (uint32_t)(put_nothing(observer, &saying, at) - at)};
	collect(observer, &saying);
	if (unlikely(saying.bits > bits || __builtin_popcount(saying.full) > OBSERVER_FULLS_MAX ||
		     saying.states.n != 0))
		fit(observer, &saying, bits);

	const uint8_t *end = put(observer, &saying, at);

	const uint32_t misses = saying.full & observer->introduced;

	observer->introduced |= saying.full;
	remember(observer, &saying, counter);
	return (struct world_told){
		.bytes = (uint32_t)(end - at),
		.ages = saying.ages,
		.records = (uint32_t)__builtin_popcount(saying.present | saying.older),
		.fulls = (uint32_t)__builtin_popcount(saying.full),
		.misses = (uint32_t)__builtin_popcount(misses),
		.left_out = (uint32_t)__builtin_popcount(saying.left_out),
		.states = saying.states.n,
	};
}

// SPDX-License-Identifier: BSD-3-Clause
// load/inflight.c: see inflight.h.

#include "load/inflight.h"

#include <stdlib.h>
#include <string.h>

#include "load/latency.h"
#include "load/pace.h"

bool inflight_open(struct inflight *inflight, uint32_t players, uint32_t first_player_id, struct pg_load_counts *counts,
		   uint64_t now, uint64_t tsc_hz)
{
	*inflight = (struct inflight){
		.line = calloc(INFLIGHT_MAX, sizeof(struct inflight_entry)), // the kernel places what is touched
		.newest = calloc(players, sizeof(uint32_t)),
		.opened = now,
		.unit_of_tsc = (SECOND_NS << 32) / STAMP_UNIT_NS / tsc_hz,
		.first_player_id = first_player_id,
		.counts = counts,
	};
	return inflight->line && inflight->newest;
}

void inflight_close(struct inflight *inflight)
{
	free(inflight->line);
	free(inflight->newest);
	inflight->line = NULL;
	inflight->newest = NULL;
}

void inflight_begin(struct inflight *inflight, uint32_t players, uint64_t now)
{
	inflight->trial_began = inflight_time(inflight, now);
	inflight->first = inflight->next;
	inflight->oldest = inflight->next;
	inflight->waiting = 0;
	for (uint32_t i = 0; i < players; i++)
		inflight->newest[i] = (uint32_t)inflight->next;
}

void inflight_take_back(struct inflight *inflight, uint64_t number)
{
	inflight->line[number & (INFLIGHT_MAX - 1)].state = LINE_NOT_SENT;
	inflight->waiting--;
}

// ---------------------------------------------------------------- answers

/// Does the protocol allow this answer to that message? Addresses are players: nobody hears what others are told.
static inline bool answers(const struct inflight *inflight, const struct answer *a, const struct inflight_entry *line)
{
	const struct plain_heartbeat *reply = (const struct plain_heartbeat *)a->payload;

	return reply->header.packet_type == line->type + (uint32_t)PLAIN_ACK && a->length == line->length &&
	       reply->header.packet_size == line->length &&
	       reply->player_id == inflight->first_player_id + line->player && a->player == line->player;
}

/// A stamp that is not in the table: made before this trial, so old that its line was used again, or by nobody here.
static COLD void count_unknown(const struct inflight *inflight, uint64_t stamp, uint64_t now)
{
	struct pg_load_counts *counts = inflight->counts;
	const uint64_t age = (now - (stamp >> STAMP_NUMBER_BITS)) & STAMP_TIME_MASK;
	const bool before_trial = age > ((now - inflight->trial_began) & STAMP_TIME_MASK) && age <= now;
	const bool forgotten = inflight->next - inflight->first > INFLIGHT_MAX && age <= now;

	counter_add(before_trial || forgotten ? &counts->stray : &counts->invalid, 1);
}

static inline void count_round_trip(struct pg_load_counts *counts, uint64_t ns)
{
	counter_add(&counts->latency[latency_bucket(ns)], 1);
	counter_add(&counts->latency_sum_ns, ns);
	if (unlikely(ns > counts->latency_max_ns))
		counter_set(&counts->latency_max_ns, ns);
}

/// The number in 32 bits of a line, which is one of the newest INFLIGHT_MAX.
static inline uint32_t number_of(const struct inflight *inflight, uint64_t stamp)
{
	const uint64_t back = (inflight->next - 1 - stamp) & (INFLIGHT_MAX - 1);

	return (uint32_t)(inflight->next - 1 - back);
}

/// What the game says to a player who said nothing like it is no reply, and no fault.
static inline void count_reply(struct pg_load_counts *counts, const struct inflight *inflight, const struct answer *a,
			       const struct inflight_entry *line, uint64_t age)
{
	const uint64_t ns = age * STAMP_UNIT_NS;

	if (line->type != PG_LOAD_GAME || line->player != a->player ||
	    ((const struct plain_heartbeat *)a->payload)->player_id != inflight->first_player_id + line->player)
		return;
	counter_add(&counts->replies, 1);
	counter_add(&counts->reply[latency_bucket(ns)], 1);
	counter_add(&counts->reply_sum_ns, ns);
	if (unlikely(ns > counts->reply_max_ns))
		counter_set(&counts->reply_max_ns, ns);
}

static inline void settle_one(struct inflight *inflight, const struct answer *a)
{
	struct pg_load_counts *counts = inflight->counts;
	const struct plain_header *header = (const struct plain_header *)a->payload;

	if (unlikely(a->length < sizeof(struct plain_heartbeat))) {
		counter_add(&counts->invalid, 1);
		return;
	}

	const uint64_t stamp = header->timestamp, now = inflight_time(inflight, a->when);
	const uint64_t age = (now - (stamp >> STAMP_NUMBER_BITS)) & STAMP_TIME_MASK;
	struct inflight_entry *line = &inflight->line[stamp & (INFLIGHT_MAX - 1)];

	if (unlikely(line->stamp != stamp || line->state <= LINE_NOT_SENT ||
		     age > ((now - inflight->trial_began) & STAMP_TIME_MASK))) {
		if (header->packet_type != ANSWER_REPLY)
			count_unknown(inflight, stamp, now);
		return;
	}
	if (header->packet_type == ANSWER_REPLY) {
		count_reply(counts, inflight, a, line, age);
		return;
	}
	if (unlikely(!answers(inflight, a, line))) {
		counter_add(&counts->invalid, 1);
		return;
	}
	if (unlikely(line->state == LINE_ANSWERED)) {
		counter_add(&counts->duplicated, 1);
		return;
	}

	const uint32_t number = number_of(inflight, stamp);
	uint32_t *newest = &inflight->newest[line->player];

	inflight->waiting -= line->state == LINE_WAITING;
	line->state = LINE_ANSWERED;
	if (unlikely((int32_t)(number - *newest) < 0))
		counter_add(&counts->reordered, 1);
	else
		*newest = number;
	counter_add(&counts->acknowledged, 1);
	counter_add(&counts->acknowledged_of_type[line->type - 1], 1);
	count_round_trip(counts, age * STAMP_UNIT_NS);
}

void inflight_settle(struct inflight *inflight, const struct answer *answer, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		settle_one(inflight, &answer[i]);
}

void inflight_give_up(struct inflight *inflight, uint64_t now, uint64_t ns)
{
	const uint64_t time = inflight_time(inflight, now);

	for (; inflight->oldest < inflight->next; inflight->oldest++) {
		struct inflight_entry *line = &inflight->line[inflight->oldest & (INFLIGHT_MAX - 1)];
		const uint64_t age = (time - (line->stamp >> STAMP_NUMBER_BITS)) & STAMP_TIME_MASK;

		if (line->state != LINE_WAITING)
			continue;
		if (age * STAMP_UNIT_NS < ns)
			return;
		line->state = LINE_GIVEN_UP;
		inflight->waiting--;
	}
}

// SPDX-License-Identifier: BSD-3-Clause
// load/ledger.c: see ledger.h.

#include "load/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "load/latency.h"
#include "load/pace.h"

bool ledger_open(struct ledger *ledger, uint32_t players, uint32_t first_player_id, struct pg_load_counts *counts,
		 uint64_t now, uint64_t tsc_hz)
{
	*ledger = (struct ledger){
		.line = calloc(LEDGER_LINES, sizeof(struct line)), // the kernel places what is touched
		.newest = calloc(players, sizeof(uint32_t)),
		.opened = now,
		.unit_of_tsc = (SECOND_NS << 32) / STAMP_UNIT_NS / tsc_hz,
		.first_player_id = first_player_id,
		.counts = counts,
	};
	return ledger->line && ledger->newest;
}

void ledger_close(struct ledger *ledger)
{
	free(ledger->line);
	free(ledger->newest);
	ledger->line = NULL;
	ledger->newest = NULL;
}

void ledger_begin(struct ledger *ledger, uint32_t players, uint64_t now)
{
	ledger->trial_began = ledger_time(ledger, now);
	ledger->first = ledger->next;
	ledger->oldest = ledger->next;
	ledger->waiting = 0;
	for (uint32_t i = 0; i < players; i++)
		ledger->newest[i] = (uint32_t)ledger->next;
}

void ledger_take_back(struct ledger *ledger, uint64_t number)
{
	ledger->line[number & (LEDGER_LINES - 1)].state = LINE_NOT_SENT;
	ledger->waiting--;
}

// ---------------------------------------------------------------- answers

/// Does the protocol allow this answer to that message? Addresses are players: nobody hears what others are told.
static inline bool answers(const struct ledger *ledger, const struct answer *a, const struct line *line)
{
	const struct plain_heartbeat *reply = (const struct plain_heartbeat *)a->payload;

	return reply->header.packet_type == line->type + (uint32_t)PLAIN_ACK && a->length == line->length &&
	       reply->header.packet_size == line->length &&
	       reply->player_id == ledger->first_player_id + line->player && a->player == line->player;
}

/// A stamp that is not in the ledger: made before this trial, so old that its line was used again, or by nobody here.
static COLD void count_unknown(const struct ledger *ledger, uint64_t stamp, uint64_t now)
{
	struct pg_load_counts *counts = ledger->counts;
	const uint64_t age = (now - (stamp >> STAMP_NUMBER_BITS)) & STAMP_TIME_MASK;
	const bool before_trial = age > ((now - ledger->trial_began) & STAMP_TIME_MASK) && age <= now;
	const bool forgotten = ledger->next - ledger->first > LEDGER_LINES && age <= now;

	counter_add(before_trial || forgotten ? &counts->stray : &counts->invalid, 1);
}

static inline void count_round_trip(struct pg_load_counts *counts, uint64_t ns)
{
	counter_add(&counts->latency[latency_bucket(ns)], 1);
	counter_add(&counts->latency_sum_ns, ns);
	if (unlikely(ns > counts->latency_max_ns))
		counter_set(&counts->latency_max_ns, ns);
}

/// The number in 32 bits of a line, which is one of the newest LEDGER_LINES.
static inline uint32_t number_of(const struct ledger *ledger, uint64_t stamp)
{
	const uint64_t back = (ledger->next - 1 - stamp) & (LEDGER_LINES - 1);

	return (uint32_t)(ledger->next - 1 - back);
}

static inline void settle_one(struct ledger *ledger, const struct answer *a)
{
	struct pg_load_counts *counts = ledger->counts;
	const struct plain_header *header = (const struct plain_header *)a->payload;

	if (unlikely(a->length < sizeof(struct plain_heartbeat))) {
		counter_add(&counts->invalid, 1);
		return;
	}

	const uint64_t stamp = header->timestamp, now = ledger_time(ledger, a->when);
	const uint64_t age = (now - (stamp >> STAMP_NUMBER_BITS)) & STAMP_TIME_MASK;
	struct line *line = &ledger->line[stamp & (LEDGER_LINES - 1)];

	if (unlikely(line->stamp != stamp || line->state <= LINE_NOT_SENT ||
		     age > ((now - ledger->trial_began) & STAMP_TIME_MASK))) {
		count_unknown(ledger, stamp, now);
		return;
	}
	if (unlikely(!answers(ledger, a, line))) {
		counter_add(&counts->invalid, 1);
		return;
	}
	if (unlikely(line->state == LINE_ANSWERED)) {
		counter_add(&counts->duplicated, 1);
		return;
	}

	const uint32_t number = number_of(ledger, stamp);
	uint32_t *newest = &ledger->newest[line->player];

	ledger->waiting -= line->state == LINE_WAITING;
	line->state = LINE_ANSWERED;
	if (unlikely((int32_t)(number - *newest) < 0))
		counter_add(&counts->reordered, 1);
	else
		*newest = number;
	counter_add(&counts->acknowledged, 1);
	counter_add(&counts->acknowledged_of_type[line->type - 1], 1);
	count_round_trip(counts, age * STAMP_UNIT_NS);
}

void ledger_settle(struct ledger *ledger, const struct answer *answer, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		settle_one(ledger, &answer[i]);
}

void ledger_give_up(struct ledger *ledger, uint64_t now, uint64_t ns)
{
	const uint64_t time = ledger_time(ledger, now);

	for (; ledger->oldest < ledger->next; ledger->oldest++) {
		struct line *line = &ledger->line[ledger->oldest & (LEDGER_LINES - 1)];
		const uint64_t age = (time - (line->stamp >> STAMP_NUMBER_BITS)) & STAMP_TIME_MASK;

		if (line->state != LINE_WAITING)
			continue;
		if (age * STAMP_UNIT_NS < ns)
			return;
		line->state = LINE_GIVEN_UP;
		ledger->waiting--;
	}
}

// SPDX-License-Identifier: BSD-3-Clause
// runtime/settle.c: the counters of workers that died in the middle of a burst.

#include "runtime/worker.h"

static uint64_t sum(const uint64_t *counters, unsigned n)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < n; i++)
		total += counter_get(&counters[i]);
	return total;
}

/// The packets that a worker had received and not yet answered, dropped or handed over.
static uint64_t held(const struct pg_worker_stats *stats)
{
	return counter_get(&stats->received) + counter_get(&stats->handed_in) - sum(stats->handled, PG_MESSAGES) -
	       sum(stats->dropped, PG_DROPS) - counter_get(&stats->to_kernel) - counter_get(&stats->forwarded) -
	       counter_get(&stats->handed_out);
}

/// The ports' counts are stored first, so they are the ones to believe.
static void settle_ports(struct pg_worker_stats *stats)
{
	uint64_t received = 0, sent = 0;

	for (unsigned i = 0; i < PG_PORTS_MAX; i++) {
		received += counter_get(&stats->port[i].rx_packets);
		sent += counter_get(&stats->port[i].tx_packets);
	}
	counter_set(&stats->received, received);
	counter_set(&stats->tx_sent, sent);
}

/// Packets in an inbox were counted out before they went in: its owner takes them in, to lose them.
static void settle_inboxes(struct pg_worker_stats *stats, uint32_t count)
{
	uint64_t out = 0, in = 0;

	for (uint32_t i = 0; i < count; i++) {
		out += counter_get(&stats[i].handed_out);
		in += counter_get(&stats[i].handed_in);
	}
	if (count > 0)
		counter_add(&stats[0].handed_in, out - in);
}

/// Answers are timed after they are offered. Those that were not yet have no time, which is longer than any.
static void settle_handling(struct pg_worker_stats *stats)
{
	const uint64_t answered = sum(stats->handled, PG_MESSAGES) - counter_get(&stats->unanswered);

	counter_add(&stats->handling[PG_HANDLING_BUCKETS - 1], answered - sum(stats->handling, PG_HANDLING_BUCKETS));
}

/// What waited to leave for netcode clients was in the worker's own memory.
static void settle_payloads(struct pg_worker_stats *stats)
{
	const uint64_t ended =
		counter_get(&stats->netcode_payloads_sent) + counter_get(&stats->netcode_payloads_no_room) +
		counter_get(&stats->netcode_payloads_too_many) + counter_get(&stats->netcode_payloads_no_way) +
		counter_get(&stats->netcode_payloads_closed) + counter_get(&stats->netcode_payloads_worker_lost);

	counter_add(&stats->netcode_payloads_worker_lost, counter_get(&stats->netcode_payloads_offered) - ended);
}

/// What was said that waited for a look through a world was in the worker's own memory.
static void settle_messages(struct pg_message_stats *messages)
{
	uint64_t taken = 0;

#define RELAYED(NAME, ...) taken += counter_get(&messages->received[PG_REQUEST_##NAME]);
#define GAME RELAYED
#include "wire/messages.def"
	counter_add(&messages->dispatched[PG_DESTINATION_WORKER_LOST],
		    taken - sum(messages->dispatched, PG_DESTINATIONS));
}

/// Messages in mail were counted out before they went in, and so were those of the operator: the first worker takes them in, to
/// lose them.
static void settle_mail(struct pg_worker_stats *stats, uint32_t count, uint64_t letters)
{
	uint64_t out = 0, in = 0, letters_in = 0;

	for (uint32_t i = 0; i < count; i++) {
		out += counter_get(&stats[i].messages.mailed_out);
		in += counter_get(&stats[i].messages.mailed_in);
		letters_in += counter_get(&stats[i].messages.letters_in);
	}
	if (count == 0)
		return;
	counter_add(&stats[0].messages.lost[PG_LOSS_WORKER_LOST], out - in + letters - letters_in);
	counter_add(&stats[0].messages.mailed_in, out - in);
	counter_add(&stats[0].messages.letters_in, letters - letters_in);
}

static void settle_worker(struct pg_worker_stats *stats)
{
	const uint64_t left = counter_get(&stats->tx_sent) + sum(stats->tx_dropped, PG_TX_DROPS);
	// Handled, but not yet offered to a queue. A packet is counted as unanswered after it is as handled, so that one in
	// between is an answer that was lost.
	const uint64_t answered =
		sum(stats->handled, PG_MESSAGES) - counter_get(&stats->unanswered) + counter_get(&stats->tx_originated);

	counter_add(&stats->dropped[PG_DROP_WORKER_LOST], held(stats));
	if (counter_get(&stats->tx_offered) < answered)
		counter_set(&stats->tx_offered, answered);
	counter_add(&stats->tx_dropped[PG_TX_DROP_WORKER_LOST], counter_get(&stats->tx_offered) - left);
	settle_handling(stats);
	settle_payloads(stats);
	settle_messages(&stats->messages);
	counter_set(&stats->heartbeat_tsc, 0);
}

void worker_stats_settle(struct pg_worker_stats *stats, uint32_t count, uint64_t letters)
{
	for (uint32_t i = 0; i < count; i++)
		settle_ports(&stats[i]);
	settle_inboxes(stats, count);
	settle_mail(stats, count, letters);
	for (uint32_t i = 0; i < count; i++)
		settle_worker(&stats[i]);
}

void pg_stats_settle(struct pg_stats_page *page, uint32_t workers)
{
	worker_stats_settle(page->worker, workers, counter_get(&page->letters));
}

// SPDX-License-Identifier: BSD-3-Clause
// load/trial.c: see trial.h.

#include "load/trial.h"

#include <string.h>

/// A windowed message is waited for so long.
#define GIVE_UP_NS 20000000ULL

#define LATE_NS 1000000ULL

/// A generator that is behind may catch up for so long after the end of the trial; what is due then is not offered.
#define CATCH_UP_NS 250000000ULL

/// When the trial is stopped, answers that are on their way are still waited for.
#define STOPPED_DRAIN_NS 20000000ULL

/// In a windowed trial players walk as at this rate.
#define WINDOWED_STEP_S (1.0 / 60)

struct run {
	struct pg_load *load;
	struct pg_load_counts *counts;
	struct transport *transport;
	struct pace pace;
	uint64_t window; // 0: paced
	uint64_t tsc_hz;
	uint64_t start; // TSC, as all below
	uint64_t end;   // of sending
	uint64_t catch_up_until;
	uint64_t late_after; // cycles
};

static uint64_t cycles(const struct run *run, uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * run->tsc_hz / SECOND_NS);
}

static uint64_t nanoseconds(const struct run *run, uint64_t duration)
{
	return (uint64_t)((unsigned __int128)duration * SECOND_NS / run->tsc_hz);
}

/// Nothing came back and the target or the network says why.
static bool refused(struct run *run)
{
	if (likely(run->transport->refusal == 0))
		return false;
	if (run->counts->acknowledged == 0)
		return true;
	run->transport->refusal = 0;
	return false;
}

// ---------------------------------------------------------------- sending

/// Messages whose time has come. @param meant  out: their times
static unsigned due(const struct run *run, uint64_t now, uint64_t *meant)
{
	const uint64_t offered = run->counts->offered;
	uint64_t left = run->pace.total - offered;
	unsigned n = 0;

	if (left > run->transport->burst)
		left = run->transport->burst;
	while (n < left && (meant[n] = run->start + pace_due(&run->pace, offered + n)) <= now)
		n++;
	return n;
}

/// Messages that the window has room for; meant to leave now.
static unsigned fill_window(const struct run *run, uint64_t now, uint64_t *meant)
{
	struct inflight *inflight = &run->load->inflight;
	uint64_t n = 0;

	if (now >= run->end)
		return 0;
	inflight_give_up(inflight, now, GIVE_UP_NS);
	if (inflight->waiting < run->window)
		n = run->window - inflight->waiting;
	if (n > run->transport->burst)
		n = run->transport->burst;
	for (unsigned i = 0; i < n; i++)
		meant[i] = now;
	return (unsigned)n;
}

static void account(struct run *run, const struct outgoing_message *outgoing, unsigned n, uint64_t taken,
		    uint64_t first_number)
{
	struct pg_load_counts *counts = run->counts;
	uint64_t bytes = 0;
	unsigned sent = 0;

	for (unsigned i = 0; i < n; i++) {
		if (unlikely(!(taken >> i & 1))) {
			inflight_take_back(&run->load->inflight, first_number + i);
			counter_add(&counts->unsent[outgoing[i].unsent], 1);
			continue;
		}
		sent++;
		bytes += outgoing[i].message.length;
		counter_add(&counts->sent_of_type[outgoing[i].message.type - 1], 1);
	}
	counter_add(&counts->offered, n);
	counter_add(&counts->sent, sent);
	counter_add(&counts->not_sent, n - sent);
	counter_add(&counts->sent_bytes, bytes);
}

/// The last of a burst left at `now`, the others not much earlier.
static void account_lag(struct run *run, const uint64_t *meant, unsigned n, uint64_t taken, uint64_t now)
{
	for (unsigned i = 0; i < n && now - meant[i] > run->late_after; i++) {
		const uint64_t lag_ns = nanoseconds(run, now - meant[i]);

		if (!(taken >> i & 1))
			continue;
		counter_add(&run->counts->late, 1);
		if (lag_ns > run->counts->worst_lag_ns)
			counter_set(&run->counts->worst_lag_ns, lag_ns);
	}
}

static unsigned send_some(struct run *run, uint64_t now)
{
	struct inflight *inflight = &run->load->inflight;
	const uint64_t first_number = inflight->next;
	struct outgoing_message outgoing[LOAD_BURST];
	uint64_t meant[LOAD_BURST];
	unsigned n = run->window ? fill_window(run, now, meant) : due(run, now, meant);

	if (n == 0)
		return 0;

	const unsigned room = run->transport->ops->room(run->transport, outgoing, n);

	if (unlikely(room < n))
		n = room;
	if (unlikely(n == 0))
		return 0;
	for (unsigned i = 0; i < n; i++) {
		const uint64_t stamp = inflight_stamp(inflight, meant[i]);

		outgoing[i].unsent = PG_LOAD_QUEUE_FULL;
		outgoing[i].message = players_speak(&run->load->players, stamp, outgoing[i].payload);
		inflight_enter(inflight, stamp, &outgoing[i].message);
	}

	const uint64_t taken = run->transport->ops->send(run->transport, outgoing, n);

	account(run, outgoing, n, taken, first_number);
	account_lag(run, meant, n, taken, pg_tsc());
	return n;
}

// ---------------------------------------------------------------- the loop

static unsigned receive_some(struct run *run)
{
	struct answer answer[LOAD_BURST];
	const unsigned n = run->transport->ops->receive(run->transport, answer);

	inflight_settle(&run->load->inflight, answer, n);
	return n;
}

/// When something is to be done if nothing arrives.
static uint64_t next_deed(const struct run *run)
{
	const uint64_t offered = run->counts->offered;

	if (!run->window && offered < run->pace.total)
		return run->start + pace_due(&run->pace, offered);
	return run->end;
}

static bool sending_is_over(const struct run *run, uint64_t now)
{
	if (now < run->end)
		return false;
	return run->window || run->counts->offered >= run->pace.total || now >= run->catch_up_until;
}

static void play(struct run *run)
{
	struct pg_load_counts *counts = run->counts;
	uint64_t now = run->start;

	while (!sending_is_over(run, now) && !load_stopped(run->load->page) && !refused(run)) {
		const unsigned moved = receive_some(run) + send_some(run, now);
		const uint64_t after = pg_tsc();

		if (moved > 0)
			counter_add(&counts->busy_cycles, after - now);
		else
			run->transport->ops->wait(run->transport, next_deed(run));
		now = moved > 0 ? after : pg_tsc();
		counter_set(&counts->total_cycles, now - run->start);
		counter_set(&counts->elapsed_ns, nanoseconds(run, now - run->start));
	}
}

static void drain(struct run *run, uint64_t drain_ns)
{
	const uint64_t began = pg_tsc(), until = began + cycles(run, drain_ns);
	const uint64_t stopped_until = began + cycles(run, STOPPED_DRAIN_NS);
	uint64_t now = began;

	while (now < until && !(now > stopped_until && load_stopped(run->load->page))) {
		if (receive_some(run) == 0)
			run->transport->ops->wait(run->transport, until);
		now = pg_tsc();
	}
}

static void reset_counts(struct pg_load_counts *counts, uint64_t trial)
{
	uint64_t *word = (uint64_t *)counts;

	for (size_t i = 0; i < sizeof(*counts) / sizeof(*word); i++)
		counter_set(&word[i], 0);
	__atomic_store_n(&counts->trial, trial, __ATOMIC_RELEASE);
}

static double step_s(const struct pg_load_trial *trial)
{
	if (trial->window)
		return WINDOWED_STEP_S;
	return trial->players / ((trial->start_pps + trial->end_pps) / 2);
}

int trial_play(struct pg_load *load, const struct pg_load_trial *trial, struct pg_error *error)
{
	struct run run = {
		.load = load,
		.counts = &load->page->counts,
		.transport = load->transport,
		.window = trial->window,
		.tsc_hz = load->page->tsc_hz,
	};
	int rc;

	reset_counts(run.counts, ++load->trials);
	run.transport->refusal = 0;
	players_begin(&load->players, trial->players, (float)step_s(trial));
	pace_init(&run.pace, trial->start_pps, trial->end_pps, trial->duration_ns, run.tsc_hz);
	rc = run.transport->ops->begin(run.transport, trial, error);
	if (rc != PG_OK)
		return rc;
	run.start = pg_tsc();
	run.end = run.start + cycles(&run, trial->duration_ns);
	run.catch_up_until = run.end + cycles(&run, CATCH_UP_NS);
	run.late_after = cycles(&run, LATE_NS);
	inflight_begin(&load->inflight, trial->players, run.start);
	play(&run);
	if (!refused(&run))
		drain(&run, trial->drain_ns);
	counter_set(&run.counts->lost, run.counts->sent - run.counts->acknowledged);
	return refused(&run) ? run.transport->ops->explain(run.transport, run.transport->refusal, error) : PG_OK;
}

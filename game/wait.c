// SPDX-License-Identifier: BSD-3-Clause
// wait.c: giving back what was read, showing what was written, and sleeping until there is more.

#include "game.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS 1000000ULL
#define NS_PER_S 1000000000ULL
#define LOOK_MS 20 // at the socket, and at rings whose writer died before it woke anybody

// ---------------------------------------------------------------- what others see

static bool is_sweeping(const pgg *game)
{
	for (unsigned i = 0; i < game->workers; i++)
		if (game->worker[i]->is_sweeping)
			return true;
	return false;
}

void give_back(pgg *game)
{
	for (unsigned i = 0; i < game->sources; i++) {
		struct source *source = game->source[i];
		const struct ring_message last = {.end = source->taken_end};

		if (source->has_taken)
			ring_release_to(&source->reader, &last);
		source->has_taken = false;
	}
	if (unlikely(game->players.leavings > 0) && !is_sweeping(game)) // whose places in the table have to stand
		players_let_go(&game->players);
}

void give_back_first(pgg *game, unsigned events)
{
	for (unsigned i = 0; i < game->sources; i++) {
		struct source *source = game->source[i];

		if (source->first_event >= events)
			source->has_taken = false;
		else if (source->first_event + source->events > events)
			source->taken_end = game->event_end[events - 1];
	}
	give_back(game);
}

/// A worker sleeps on other things, too: an eventfd is one of them. A call for each sleep.
static void ring_bell(struct sink *sink)
{
	struct ring_writer *writer = &sink->writer;
	const uint64_t one = 1;
	uint32_t number;

	shared_fence(); // it says that it sleeps before its last look at the ring
	number = shared_acquire32(&writer->reader->sleeps);
	if (likely(number % 2 == 0 || number == writer->woken))
		return;
	writer->woken = number;
	while (write(sink->bell, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

static void flush_sink(struct sink *sink)
{
	if (!sink->is_dirty)
		return;
	ring_commit(&sink->writer);
	sink->uncommitted = 0;
	sink->is_dirty = false;
	if (sink->bell >= 0)
		ring_bell(sink);
	else
		ring_wake(&sink->writer);
}

void flush(pgg *game)
{
	if (!game->is_dirty)
		return;
	for (unsigned i = 0; i < game->workers; i++)
		flush_sink(&game->worker[i]->sink);
	for (unsigned i = 0; i < game->peers; i++)
		flush_sink(&game->peer[i]->sink);
	game->is_dirty = false;
}

int pgg_flush(pgg *game)
{
	const int result = check_alive(game);

	if (result == PGG_OK)
		flush(game);
	return result;
}

// ---------------------------------------------------------------- waiting

static bool has_something(const pgg *game)
{
	if (game->over != OVER_NOT)
		return true;
	if (is_sweeping(game))
		return true;
	for (unsigned i = 0; i < game->sources; i++)
		if (source_has_something(game->source[i]))
			return true;
	return false;
}

/// @return false: a signal came
static bool wait_once(pgg *game, int ms, bool spins)
{
	struct ring_reader *readers[SOURCES_MAX];
	enum ring_wait_result result;
	unsigned n = 0;

	for (unsigned i = 0; i < game->sources; i++)
		if (!game->source[i]->is_spoilt)
			readers[n++] = &game->source[i]->reader;
	errno = 0;
	if (n == 0) {
		(void)poll(NULL, 0, ms);
		return errno != EINTR;
	}
	game->waiting.spin_ns = spins ? game->options.spin_ns : 0;
	game->waiting.sleep_ns = (uint64_t)ms * NS_PER_MS;
	game->statistics.sleeps++;
	result = ring_wait(readers, n, &game->waiting);
	if (result == RING_NO_WAIT)
		game_over(game, PGG_DETACHED, PGG_SYSTEM, "waiting for rings needs Linux 5.16 or newer");
	return result != RING_NOTHING || errno != EINTR;
}

/// Until the next look, or the end of the time.
static int slice_ms(uint64_t now, uint64_t until)
{
	const uint64_t left = until > now ? (until - now + NS_PER_MS - 1) / NS_PER_MS : 0;

	return left < LOOK_MS ? (int)left : LOOK_MS;
}

int pgg_wait(pgg *game, int timeout_ms)
{
	uint64_t until;
	int slice = LOOK_MS;

	if (unlikely(*game->alive == 0))
		return PGG_FORKED;
	if (unlikely(game->over == OVER_TOLD))
		return PGG_ENDED;
	give_back(game);
	flush(game);
	if (has_something(game))
		return 1;
	until = timeout_ms < 0 ? UINT64_MAX : clock_ns() + (uint64_t)timeout_ms * NS_PER_MS;
	for (bool first = true; slice > 0; first = false) {
		packets_take(game);
		if (has_something(game))
			return 1;
		slice = slice_ms(clock_ns(), until);
		if (slice > 0 && !wait_once(game, slice, first))
			break;
	}
	return has_something(game);
}

// ---------------------------------------------------------------- with a thread that sleeps

static bool all_asleep(pgg *game)
{
	for (unsigned i = 0; i < game->sources; i++) {
		struct source *source = game->source[i];

		if (source->is_spoilt)
			continue;
		if (!ring_fall_asleep(&source->reader, &game->wakes[game->asleep]))
			return false;
		game->sleeper[game->asleep] = source;
		game->wakes_at[game->asleep++] = &source->reader.writer->wakes;
	}
	return true;
}

int pgg_sleep_begin(pgg *game)
{
	if (unlikely(*game->alive == 0))
		return PGG_FORKED;
	if (unlikely(game->over == OVER_TOLD))
		return PGG_ENDED;
	give_back(game);
	flush(game);
	packets_take(game);
	game->asleep = 0;
	game->interrupted_before = shared_acquire32(&game->interrupted);
	if (!has_something(game) && all_asleep(game)) {
		game->statistics.sleeps++;
		return 0;
	}
	pgg_sleep_end(game);
	return 1;
}

void pgg_sleep(pgg *game, int timeout_ms)
{
	const uint64_t until = clock_ns() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0) * NS_PER_MS;
	const struct timespec time = {.tv_sec = (time_t)(until / NS_PER_S), .tv_nsec = (long)(until % NS_PER_S)};
	struct futex_waitv words[SOURCES_MAX + 1];
	const unsigned n = game->asleep;

	for (unsigned i = 0; i < n; i++)
		words[i] = (struct futex_waitv){
			.val = game->wakes[i], .uaddr = (uintptr_t)game->wakes_at[i], .flags = FUTEX_32};
	words[n] = (struct futex_waitv){
		.val = game->interrupted_before, .uaddr = (uintptr_t)&game->interrupted, .flags = FUTEX_32};
	(void)syscall(SYS_futex_waitv, words, n + 1, 0, &time, CLOCK_MONOTONIC);
}

void pgg_sleep_end(pgg *game)
{
	for (unsigned i = 0; i < game->asleep; i++)
		ring_stay_awake(&game->sleeper[i]->reader);
	game->asleep = 0;
}

void pgg_interrupt(pgg *game)
{
	__atomic_fetch_add(&game->interrupted, 1, __ATOMIC_RELEASE);
	shared_wake(&game->interrupted);
}

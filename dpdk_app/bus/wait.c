// SPDX-License-Identifier: BSD-3-Clause
// bus/wait.c: see wait.h.

#include "bus/wait.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ULL
#define PAUSES_PER_CLOCK 64 // the clock costs as much as a few looks
#define PAUSES_MAX 64       // about a microsecond
#define STREAM_BYTES 8      // by pause: less than this and a pause only makes messages late

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

ALWAYS_INLINE void pause_cpu(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

// ---------------------------------------------------------------- the writer

/// Odd numbers are sleeps; each is woken once, so who falls asleep without end costs no more than who does it once.
static bool must_wake(struct ring_writer *writer)
{
	const uint32_t number = shared_acquire32(&writer->reader->sleeps);

	if (likely(number % 2 == 0 || number == writer->woken))
		return false;
	writer->woken = number;
	shared_store32(&writer->own->wakes, shared_acquire32(&writer->own->wakes) + 1);
	return true;
}

void ring_wake(struct ring_writer *writer)
{
	// The entry is stored before the look at the reader, who says that it sleeps before its last look at the ring.
	shared_fence();
	if (must_wake(writer))
		shared_wake(&writer->own->wakes);
}

void ring_wake_later(struct ring_writer *writer)
{
	if (unlikely(must_wake(writer)))
		shared_wake(&writer->own->wakes);
}

// ---------------------------------------------------------------- the reader

bool ring_fall_asleep(struct ring_reader *reader, uint32_t *wakes)
{
	*wakes = shared_acquire32(&reader->writer->wakes);
	shared_store32(&reader->own->sleeps, shared_acquire32(&reader->own->sleeps) + 1);
	shared_fence();
	if (!ring_is_ready(reader) && reader->fault == RING_SOUND)
		return true;
	ring_stay_awake(reader);
	return false;
}

void ring_stay_awake(struct ring_reader *reader)
{
	const uint32_t number = shared_acquire32(&reader->own->sleeps);

	if (number % 2 != 0)
		shared_store32(&reader->own->sleeps, number + 1);
}

static bool any_is_ready(struct ring_reader *const *readers, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (readers[i]->fault != RING_SOUND || ring_is_ready(readers[i]))
			return true;
	return false;
}

/// A reader on the heels of a writer takes each line away before the writer is done with it, and both wait for it again
/// and again. So it stays behind while there is a stream, and close to a writer who says something now and then.
static void adapt_pauses(struct ring_waiting *waiting, struct ring_reader *const *readers, unsigned n)
{
	const uint64_t before = waiting->read;
	const uint32_t pauses = waiting->pauses;

	waiting->read = 0;
	for (unsigned i = 0; i < n; i++)
		waiting->read += readers[i]->next;
	if (waiting->was_there && waiting->read - before >= (uint64_t)STREAM_BYTES * pauses)
		waiting->pauses = pauses < PAUSES_MAX ? 2 * pauses : PAUSES_MAX;
	else
		waiting->pauses = pauses > 1 ? pauses / 2 : 1;
}

static void relax(unsigned pauses)
{
	for (unsigned i = 0; i < pauses; i++)
		pause_cpu();
}

static bool look_for_a_while(struct ring_reader *const *readers, unsigned n)
{
	for (unsigned i = 0; i < PAUSES_PER_CLOCK; i++) {
		if (any_is_ready(readers, n))
			return true;
		relax(1);
	}
	return false;
}

static bool spin(struct ring_reader *const *readers, unsigned n, struct ring_waiting *waiting)
{
	uint64_t until;

	if (any_is_ready(readers, n))
		return true;
	if (waiting->spin_ns == 0)
		return false;
	adapt_pauses(waiting, readers, n);
	relax(waiting->pauses);
	waiting->was_there = any_is_ready(readers, n);
	if (waiting->was_there || look_for_a_while(readers, n))
		return true;
	until = monotonic_ns() + waiting->spin_ns; // not before: an answer is often there sooner than the time is known
	do
		if (look_for_a_while(readers, n))
			return true;
	while (monotonic_ns() < until);
	return false;
}

static int sleep_on(const struct ring_reader *const *readers, const uint32_t *wakes, unsigned n, uint64_t sleep_ns)
{
	const uint64_t until = monotonic_ns() + sleep_ns;
	const struct timespec time = {.tv_sec = (time_t)(until / NS_PER_S), .tv_nsec = (long)(until % NS_PER_S)};
	struct futex_waitv words[RING_WAIT_MAX];

	for (unsigned i = 0; i < n; i++)
		words[i] = (struct futex_waitv){
			.val = wakes[i], .uaddr = (uintptr_t)&readers[i]->writer->wakes, .flags = FUTEX_32};
	return (int)syscall(SYS_futex_waitv, words, n, 0, &time, CLOCK_MONOTONIC);
}

enum ring_wait_result ring_wait(struct ring_reader *const *readers, unsigned n, struct ring_waiting *waiting)
{
	enum ring_wait_result result = RING_NOTHING;
	uint32_t wakes[RING_WAIT_MAX];
	unsigned asleep = 0;

	if (n == 0 || n > RING_WAIT_MAX) {
		errno = EINVAL;
		return RING_NO_WAIT;
	}
	if (spin(readers, n, waiting))
		return RING_READY;
	while (asleep < n && ring_fall_asleep(readers[asleep], &wakes[asleep]))
		asleep++;
	if (asleep == n && sleep_on((const struct ring_reader *const *)readers, wakes, n, waiting->sleep_ns) < 0 &&
	    errno != EAGAIN && errno != ETIMEDOUT && errno != EINTR)
		result = RING_NO_WAIT;
	for (unsigned i = 0; i < asleep; i++)
		ring_stay_awake(readers[i]);
	return any_is_ready(readers, n) ? RING_READY : result;
}

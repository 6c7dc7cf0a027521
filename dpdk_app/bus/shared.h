// SPDX-License-Identifier: BSD-3-Clause
// bus/shared.h: how the code of a ring touches what two processes share.
//
// Each access has a name, so that a test can put something else in its place: the model checker, which has another file of this
// name, runs the ring's own code on a memory of its own, and the fuzzer changes the memory between any two loads.

#ifndef POLLGATE_BUS_SHARED_H
#define POLLGATE_BUS_SHARED_H

#include <limits.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compiler.h"

/// Acquired: what the other side stored before it released the word is seen.
ALWAYS_INLINE uint64_t shared_acquire(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

ALWAYS_INLINE uint32_t shared_acquire32(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

ALWAYS_INLINE void shared_release(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

ALWAYS_INLINE void shared_store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

ALWAYS_INLINE void shared_store32(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/// Stores before it are seen by whoever's loads after its own fence find nothing newer: only for falling asleep.
ALWAYS_INLINE void shared_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/// The compiler keeps stores on their sides of it. Who is killed has made his stores in the order of the program, and
/// whoever comes after him sees them all: no instruction is needed for that.
ALWAYS_INLINE void shared_keep_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/// Whoever waits for a change of the word looks at it again.
ALWAYS_INLINE void shared_wake(const uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

#endif

// SPDX-License-Identifier: BSD-3-Clause
// compiler.h: what the pure core asks of the compiler, so that it needs no DPDK header.

#ifndef POLLGATE_COMPILER_H
#define POLLGATE_COMPILER_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_LINE 64

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define COLD __attribute__((cold, noinline))
#define PACKED __attribute__((packed))
#define CACHE_ALIGNED __attribute__((aligned(CACHE_LINE)))

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "wire formats are read in place, little-endian");

/// So many bytes, up to the end of a cache line.
ALWAYS_INLINE size_t whole_lines(size_t bytes)
{
	return (bytes + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

ALWAYS_INLINE void prefetch(const void *line)
{
	__builtin_prefetch(line, 0, 3);
}

ALWAYS_INLINE void prefetch_for_write(const void *line)
{
	__builtin_prefetch(line, 1, 3);
}

/// Single-writer counter on the shared page: readers of other processes see whole values, in order.
ALWAYS_INLINE void counter_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

ALWAYS_INLINE void counter_set(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

ALWAYS_INLINE uint64_t counter_get(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif

// SPDX-License-Identifier: BSD-3-Clause
// unroll.h: loops that are no loops once they are compiled.

#ifndef POLLGATE_UNROLL_H
#define POLLGATE_UNROLL_H

/// Before a short loop whose number of turns is a constant once its function is inlined. `GCC unroll` is not enough for clang 14:
/// it leaves such loops as they are.
#ifdef __clang__
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif

#endif

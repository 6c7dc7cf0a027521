// SPDX-License-Identifier: BSD-3-Clause
// isa.h: which levels of the x86-64 psABI does this CPU run? Hot code is compiled once for each.

#ifndef POLLGATE_ISA_H
#define POLLGATE_ISA_H

#include <stdbool.h>
#include <string.h>

/// Names of what is compiled with -DISA=v2, v3 and v4.
#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define STRING_(a) #a
#define STRING(a) STRING_(a)

/// The features that tell the levels apart and that our code can come to use.
static inline bool isa_has_v2(void)
{
	return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
}

static inline bool isa_has_v3(void)
{
	return isa_has_v2() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
}

static inline bool isa_has_v4(void)
{
	return isa_has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl");
}

/// Levels, the best first: what is compiled for them is in tables of this order.
enum isa_level { ISA_V4, ISA_V3, ISA_V2, ISA_LEVELS };

/// @param isa  as of a plan: `auto`, or the name of a level
/// @return ISA_LEVELS: this CPU does not run it
static inline enum isa_level isa_level(const char *isa)
{
	static const char *const names[ISA_LEVELS] = {"v4", "v3", "v2"};
	const bool supported[ISA_LEVELS] = {isa_has_v4(), isa_has_v3(), isa_has_v2()};
	const bool any = strcmp(isa, "auto") == 0;
	unsigned level = 0;

	while (level < ISA_LEVELS && !((any || strcmp(isa, names[level]) == 0) && supported[level]))
		level++;
	return (enum isa_level)level;
}

#endif

// SPDX-License-Identifier: BSD-3-Clause
// pipeline/isa.c: which of the compiled levels does this CPU run?

#include <string.h>

#include "pipeline/pipeline.h"

extern const struct hot_path hot_path_v2, hot_path_v3, hot_path_v4;

/// The features that tell the levels of the x86-64 psABI apart and that our code can come to use.
static bool cpu_has_v2(void)
{
	return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
}

static bool cpu_has_v3(void)
{
	return cpu_has_v2() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
}

static bool cpu_has_v4(void)
{
	return cpu_has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl");
}

static const struct level {
	const struct hot_path *path;
	bool (*supported)(void);
} levels[] = {
	{&hot_path_v4, cpu_has_v4},
	{&hot_path_v3, cpu_has_v3},
	{&hot_path_v2, cpu_has_v2},
};

const struct hot_path *hot_path_select(const char *isa)
{
	const bool any = strcmp(isa, "auto") == 0;

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if ((any || strcmp(isa, levels[i].path->isa) == 0) && levels[i].supported())
			return levels[i].path;
	return NULL;
}

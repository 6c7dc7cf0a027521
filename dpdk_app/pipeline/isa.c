// SPDX-License-Identifier: BSD-3-Clause
// pipeline/isa.c: which of the compiled levels does this CPU run?

#include "isa.h"

#include "pipeline/pipeline.h"

extern const struct hot_path hot_path_v2, hot_path_v3, hot_path_v4;

const struct hot_path *hot_path_select(const char *isa)
{
	static const struct hot_path *const paths[ISA_LEVELS] = {&hot_path_v4, &hot_path_v3, &hot_path_v2};
	const enum isa_level level = isa_level(isa);

	return level == ISA_LEVELS ? NULL : paths[level];
}

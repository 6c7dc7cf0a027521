// SPDX-License-Identifier: BSD-3-Clause
// world/isa.c: which of the compiled levels does this CPU run?

#include "isa.h"

#include "world/kernels.h"

extern const struct world_kernels world_kernels_v2, world_kernels_v3, world_kernels_v4;

const struct world_kernels *world_kernels_select(const char *isa)
{
	static const struct world_kernels *const kernels[ISA_LEVELS] = {&world_kernels_v4, &world_kernels_v3,
									&world_kernels_v2};
	const enum isa_level level = isa_level(isa);

	return level == ISA_LEVELS ? NULL : kernels[level];
}

// SPDX-License-Identifier: BSD-3-Clause
// fuzz_utf8.c: utf8_valid agrees with a decoder on any text.

#include "utf8_oracle.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (utf8_valid(data, size) != utf8_oracle(data, size))
		__builtin_trap();
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// port/eal.h: starting DPDK's environment and hearing what it says.

#ifndef POLLGATE_PORT_EAL_H
#define POLLGATE_PORT_EAL_H

#include "pollgate.h"

/// Fill an error with one sentence.
/// @return code
int error_set(struct pg_error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif

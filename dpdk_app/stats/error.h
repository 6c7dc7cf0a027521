// SPDX-License-Identifier: BSD-3-Clause
// stats/error.h: filling a struct pg_error: one failure, one sentence.

#ifndef POLLGATE_STATS_ERROR_H
#define POLLGATE_STATS_ERROR_H

#include "pollgate.h"

/// @return code
int error_set(struct pg_error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif

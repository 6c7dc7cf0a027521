// SPDX-License-Identifier: BSD-3-Clause
// runtime/confine.h: what the process that parses the internet gives up once its devices are open.
//
// The calls that start and end it are in pollgate.h: pg_limit_capabilities() and pg_confine().

#ifndef POLLGATE_RUNTIME_CONFINE_H
#define POLLGATE_RUNTIME_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

/// Have this thread, and no other, keep of its capabilities those in `kept` (bit n: CAP_n of linux/capability.h).
/// A poll loop keeps none: it moves packets over descriptors that are open already.
/// @return false: errno says why
bool thread_keep_capabilities(uint64_t kept);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// port/arguments.h: the arguments of a virtual device ("iface=gate0,qpairs=2"), one value at a time.

#ifndef POLLGATE_PORT_ARGUMENTS_H
#define POLLGATE_PORT_ARGUMENTS_H

#include <stddef.h>

/// The next value of `key`.
/// @param arguments  all of them, or what an earlier call returned; NULL: there are none
/// @param value      out, cut to `room`
/// @return where to go on, NULL when there is no such argument (any more)
const char *argument_next(const char *arguments, const char *key, char *value, size_t room);

#endif

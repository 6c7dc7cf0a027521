// SPDX-License-Identifier: BSD-3-Clause
// load/target.h: the target in sentences.

#ifndef POLLGATE_LOAD_TARGET_H
#define POLLGATE_LOAD_TARGET_H

#include <netinet/in.h>

#include "pollgate_load.h"

#define TARGET_NAME_MAX (INET6_ADDRSTRLEN + sizeof("[]:65535"))

/// 192.0.2.1:8080, [2001:db8::1]:8080
void target_name(const struct pg_load_plan *plan, char name[TARGET_NAME_MAX]);

/// Say what it means that a message was refused with `code`, an errno. @return PG_ERROR_SYSTEM
int target_refuses(const char *name, int code, struct pg_error *error);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// load/target.c: see target.h.

#include "load/target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "load/transport.h"

void target_name(const struct pg_load_plan *plan, char name[TARGET_NAME_MAX])
{
	const bool v4 = plan->target.family == 4;
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(v4 ? AF_INET : AF_INET6, plan->target.bytes, text, sizeof(text));
	snprintf(name, TARGET_NAME_MAX, v4 ? "%s:%u" : "[%s]:%u", text, plan->target_port);
}

int target_refuses(const char *name, int code, struct pg_error *error)
{
	switch (code) {
	case ECONNREFUSED:
		return error_set(error, PG_ERROR_SYSTEM,
				 "nobody listens at UDP %s: it was refused (ICMP port unreachable); start the gateway "
				 "or give its address and port",
				 name);
	case ENETUNREACH:
	case EHOSTUNREACH:
		return error_set(error, PG_ERROR_SYSTEM,
				 "no way leads to UDP %s (%s); check the address and this host's routes", name,
				 strerror(code));
	case EPERM:
		return error_set(error, PG_ERROR_SYSTEM,
				 "a firewall of this host lets nothing out to UDP %s (%s); look at its rules for what "
				 "leaves (iptables, nft)",
				 name, strerror(code));
	default:
		return error_set(error, PG_ERROR_SYSTEM, "the kernel does not send to UDP %s: %s", name,
				 strerror(code));
	}
}

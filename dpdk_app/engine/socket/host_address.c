// SPDX-License-Identifier: BSD-3-Clause
// engine/socket/host_address.c: see host_address.h.

#include "engine/socket/host_address.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static bool has(const struct ifaddrs *entry, const struct pg_address *address)
{
	if (!entry->ifa_addr)
		return false;
	if (address->family == 4)
		return entry->ifa_addr->sa_family == AF_INET &&
		       memcmp(&((const struct sockaddr_in *)entry->ifa_addr)->sin_addr, address->bytes, 4) == 0;
	return entry->ifa_addr->sa_family == AF_INET6 &&
	       memcmp(&((const struct sockaddr_in6 *)entry->ifa_addr)->sin6_addr, address->bytes, 16) == 0;
}

static void judge(const struct ifaddrs *entry, struct interface_state *out)
{
	const bool down = !(entry->ifa_flags & IFF_UP), no_carrier = !(entry->ifa_flags & IFF_RUNNING);

	if ((down && !out->down) || (no_carrier && !out->no_carrier))
		snprintf(out->name, sizeof(out->name), "%s", entry->ifa_name);
	out->down |= down;
	out->no_carrier |= no_carrier;
}

bool host_interfaces_of(const struct pg_address *address, unsigned count, struct interface_state *out)
{
	struct ifaddrs *all;

	*out = (struct interface_state){0};
	if (getifaddrs(&all) != 0)
		return false;
	for (const struct ifaddrs *entry = all; entry; entry = entry->ifa_next)
		for (unsigned i = 0; i < count; i++)
			if (has(entry, &address[i]))
				judge(entry, out);
	freeifaddrs(all);
	return true;
}

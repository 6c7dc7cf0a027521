// SPDX-License-Identifier: BSD-3-Clause
// net/identity.c: see identity.h.

#include "net/identity.h"

#include <string.h>

void listeners_init(struct listeners *listeners, const uint16_t *udp_port, unsigned count)
{
	memset(listeners->by_port, LISTENER_NONE, sizeof(listeners->by_port));
	for (unsigned i = 0; i < count; i++)
		listeners->by_port[BE16(udp_port[i])] = (uint8_t)i;
}

static be32 directed_broadcast(be32 address, unsigned prefix_len)
{
	if (prefix_len >= 31) // RFC 3021: point-to-point links have no broadcast
		return 0;
	return address | BE32(UINT32_MAX >> prefix_len);
}

static void add_address(struct identity *identity, const struct pg_address *a)
{
	if (a->family == 4) {
		struct identity4 *v4 = &identity->v4[identity->v4_count++];

		memcpy(&v4->address, a->bytes, sizeof(v4->address));
		v4->broadcast = directed_broadcast(v4->address, a->prefix_len);
	} else {
		memcpy(identity->v6[identity->v6_count++], a->bytes, sizeof(a->bytes));
	}
}

void identity_init(struct identity *identity, const struct pg_address *address, unsigned count)
{
	memset(identity, 0, sizeof(*identity));
	for (unsigned i = 0; i < count && i < PG_ADDRESSES_MAX; i++)
		add_address(identity, &address[i]);
}

void solicited_node(const uint8_t *address, uint8_t *group)
{
	static const uint8_t prefix[13] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff};

	memcpy(group, prefix, sizeof(prefix));
	memcpy(group + sizeof(prefix), address + sizeof(prefix), 16 - sizeof(prefix));
}

void multicast_mac6(const uint8_t *group, uint8_t *mac)
{
	mac[0] = 0x33; // RFC 2464 section 7
	mac[1] = 0x33;
	memcpy(mac + 2, group + 12, 4);
}

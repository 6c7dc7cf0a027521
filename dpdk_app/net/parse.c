// SPDX-License-Identifier: BSD-3-Clause
// net/parse.c: the rare branches of parse.h, out of the way of the burst loop.

#include "net/parse.h"

#include <string.h>

static const uint8_t in6_any[16];
static const uint8_t in6_loopback[16] = {[15] = 1};
static const uint8_t in6_mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

enum pg_drop search_addresses4(const struct ipv4_header *ip, const struct identity *id)
{
	bool bad_source = source4_impossible(ip->source);

	if (!identity_owns4(id, ip->destination))
		return PG_DROP_NOT_FOR_US;
	for (unsigned i = 0; i < id->v4_count; i++)
		bad_source |= ip->source == id->v4[i].address || ip->source == id->v4[i].broadcast;
	return bad_source ? PG_DROP_BAD_SOURCE : PG_DROP_NONE;
}

bool owns_destination6(const struct identity *id, const struct ipv6_header *ip)
{
	uint8_t group[16];

	if (ip->next_header != IP_ICMPV6)
		return false;
	if (in6_equal(ip->destination, all_nodes6))
		return id->v6_count > 0;
	for (unsigned i = 0; i < id->v6_count; i++) {
		solicited_node(id->v6[i], group);
		if (in6_equal(group, ip->destination))
			return true;
	}
	return false;
}

bool source6_impossible(const struct identity *id, const struct ipv6_header *ip)
{
	if (in6_equal(ip->source, in6_any)) // duplicate address detection (RFC 4862 5.4.2)
		return ip->next_header != IP_ICMPV6;
	if (identity_owns6(id, ip->source)) // neighbour discovery knows what it means
		return ip->next_header != IP_ICMPV6;
	return in6_multicast(ip->source) || in6_equal(ip->source, in6_loopback) ||
	       memcmp(ip->source, in6_mapped_prefix, sizeof(in6_mapped_prefix)) == 0;
}

enum pg_drop parse_vlan(const uint8_t *frame, uint16_t len, uint16_t *type, struct packet *p)
{
	for (unsigned depth = 0; depth < 2 && ether_is_vlan(*type); depth++) {
		const struct vlan_tag *tag = (const struct vlan_tag *)(frame + p->l3);

		if (depth > 0 && *type != ETHER_VLAN) // only a C-tag lies inside (802.1Q 9.5)
			return PG_DROP_NOT_FOR_US;
		if (len - p->l3 < (int)sizeof(*tag))
			return PG_DROP_TRUNCATED;
		*type = BE16(tag->type);
		p->l3 += sizeof(*tag);
	}
	// A third tag is no protocol of ours.
	return PG_DROP_NONE;
}

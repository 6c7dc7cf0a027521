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

/// A hop-by-hop header is what queries for multicast listeners have in front.
static bool may_be_icmpv6(const struct ipv6_header *ip)
{
	return ip->next_header == IP_ICMPV6 || ip->next_header == IP_HOP_BY_HOP;
}

bool owns_destination6(const struct identity *id, const struct ipv6_header *ip)
{
	uint8_t group[16];

	if (!may_be_icmpv6(ip))
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
		return !may_be_icmpv6(ip);
	if (identity_owns6(id, ip->source)) // neighbour discovery knows what it means
		return !may_be_icmpv6(ip);
	return in6_multicast(ip->source) || in6_equal(ip->source, in6_loopback) ||
	       memcmp(ip->source, in6_mapped_prefix, sizeof(in6_mapped_prefix)) == 0;
}

/// Option by option (RFC 8200 4.2): is there a router alert for MLD, and nothing that forbids to go on?
static bool has_router_alert(const uint8_t *header, unsigned len)
{
	bool alert = false;

	for (unsigned at = 2, size; at < len; at += size) {
		if (header[at] == 0) { // Pad1
			size = 1;
			continue;
		}
		if (len - at < 2 || len - at - 2 < header[at + 1])
			return false;
		size = 2U + header[at + 1];
		if (header[at] == OPTION_ROUTER_ALERT && size == 4)
			alert |= header[at + 2] == 0 && header[at + 3] == 0; // RFC 2711 2.1
		else if (header[at] & 0xc0) // not to be skipped by who does not know it
			return false;
	}
	return alert;
}

enum pg_drop parse_hop_by_hop(const uint8_t *frame, struct packet *p)
{
	const uint8_t *header = frame + p->l4;
	const unsigned left = (unsigned)(p->end - p->l4), len = left >= 8 ? 8U * (header[1] + 1U) : 8;

	if (len > left || header[0] != IP_ICMPV6 || !has_router_alert(header, len))
		return PG_DROP_IP_OPTIONS;
	p->l4 = (uint16_t)(p->l4 + len);
	p->host = HOST_MLD;
	return PG_DROP_NONE;
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

// SPDX-License-Identifier: BSD-3-Clause
// net/mld.c: see mld.h.

#include "net/mld.h"

#include <string.h>

#include "net/checksum.h"

static const uint8_t all_routers[16] = {0xff, 0x02, [15] = 0x02};
static const uint8_t all_mld2_routers[16] = {0xff, 0x02, [15] = 0x16};
static const uint8_t in6_any[16];

/// RFC 2710 3, and RFC 3810 5.1 as far as the number of sources.
struct query_message {
	struct icmp_header icmp; // `rest`: maximum response code, reserved
	uint8_t group[16];
	uint8_t flags; // version 2 only, from here on
	uint8_t interval_code;
	be16 sources;
} PACKED;

#define QUERY1_LENGTH 24
static_assert(sizeof(struct query_message) == 28, "RFC 3810 5.1");

/// RFC 8200 4.3 with the options that RFC 3810 5 wants: router alert (RFC 2711), and padding.
struct router_alert_header {
	uint8_t next_header;
	uint8_t length;
	uint8_t alert[4];
	uint8_t padding[2];
} PACKED;

struct report_record {
	uint8_t type;
	uint8_t auxiliary;
	be16 sources;
	uint8_t group[16];
} PACKED;
static_assert(sizeof(struct report_record) == 20, "RFC 3810 5.2");

// ---------------------------------------------------------------- groups

static bool same_group(const uint8_t *a, const uint8_t *b)
{
	uint8_t group_a[16], group_b[16];

	solicited_node(a, group_a);
	solicited_node(b, group_b);
	return in6_equal(group_a, group_b);
}

uint8_t mld_groups(const struct identity *id)
{
	uint8_t groups = 0;

	for (unsigned i = 0; i < id->v6_count; i++) {
		bool first = true;

		for (unsigned k = 0; k < i; k++)
			first &= !same_group(id->v6[k], id->v6[i]);
		if (first)
			groups |= (uint8_t)(1U << i);
	}
	return groups;
}

static unsigned group_index(const struct identity *id, const uint8_t *wanted)
{
	uint8_t group[16];

	for (unsigned i = 0; i < id->v6_count; i++) {
		solicited_node(id->v6[i], group);
		if (in6_equal(group, wanted))
			return i;
	}
	return IDENTITY_NONE;
}

// ---------------------------------------------------------------- queries

/// RFC 3810 5.1.3: a small floating-point number from 32,768 on.
static uint32_t response_delay_ms(uint16_t code)
{
	if (code < 0x8000)
		return code;
	return ((code & 0x0fffU) | 0x1000U) << ((code >> 12 & 7U) + 3);
}

static bool is_link_local(const uint8_t *address)
{
	return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

static enum pg_drop not_a_query(uint8_t type)
{
	// Reports of other listeners are not for us. Anything else has no use for an option that an answer would send back.
	if (type == ICMPV6_LISTENER_REPORT || type == ICMPV6_LISTENER_DONE || type == ICMPV6_LISTENER_REPORT2)
		return PG_DROP_NOT_FOR_US;
	return PG_DROP_IP_OPTIONS;
}

static enum pg_drop read_version2(const struct query_message *message, uint16_t len, struct mld_query *query)
{
	query->version = 2;
	query->robustness = message->flags & 7;
	query->sources = query->group == MLD_EVERY_GROUP ? 0 : BE16(message->sources);
	query->source = (const uint8_t *)(message + 1);
	query->delay_ms = response_delay_ms((uint16_t)(BE32(message->icmp.rest) >> 16));
	return len < sizeof(*message) + 16U * BE16(message->sources) ? PG_DROP_BAD_MLD : PG_DROP_NONE;
}

enum pg_drop mld_examine(const uint8_t *frame, const struct packet *p, const struct identity *id,
			 struct mld_query *query)
{
	const struct ipv6_header *ip = (const struct ipv6_header *)(frame + p->l3);
	const struct query_message *message = (const struct query_message *)(frame + p->l4);
	const uint16_t len = (uint16_t)(p->end - p->l4);

	if (len < 4) // as of any ICMPv6
		return PG_DROP_TRUNCATED;
	if (checksum_fold(add_around(pseudo_header6(ip, IP_ICMPV6, BE16(len)), checksum_sum(frame + p->l4, len))) !=
	    CHECKSUM_RIGHT)
		return PG_DROP_BAD_ICMP;
	if (message->icmp.type != ICMPV6_LISTENER_QUERY)
		return not_a_query(message->icmp.type);
	if (identity_owns6(id, ip->source))
		return PG_DROP_BAD_SOURCE;
	// RFC 3810 5.1.14 and 6.2, 8.1. That there is a router alert made it HOST_MLD.
	if (ip->hop_limit != MLD_HOP_LIMIT || !is_link_local(ip->source) ||
	    (len != QUERY1_LENGTH && len < sizeof(*message)))
		return PG_DROP_BAD_MLD;
	*query = (struct mld_query){.version = 1, .delay_ms = BE32(message->icmp.rest) >> 16};
	query->group = MLD_EVERY_GROUP;
	if (!in6_equal(message->group, in6_any)) {
		const unsigned index = group_index(id, message->group);

		if (index == IDENTITY_NONE)
			return PG_DROP_NOT_FOR_US;
		query->group = (uint8_t)index;
	}
	return len == QUERY1_LENGTH ? PG_DROP_NONE : read_version2(message, len, query);
}

// ---------------------------------------------------------------- reports

/// A link-local address of ours if there is one, else :: (RFC 3810 5.2.13): then routers take no notice, but switches do
/// (RFC 3590 4), and no router has to know of a solicited-node group.
static const uint8_t *report_source(const struct identity *id)
{
	for (unsigned i = 0; i < id->v6_count; i++)
		if (is_link_local(id->v6[i]))
			return id->v6[i];
	return in6_any;
}

/// All in front of the message.
/// @return the message, `len` bytes that are zero
static uint8_t *build_headers(uint8_t *frame, const struct identity *id, const struct mld_tags *tags,
			      const uint8_t *destination, uint16_t len)
{
	static const struct router_alert_header alert = {
		.next_header = IP_ICMPV6, .alert = {OPTION_ROUTER_ALERT, 2}, .padding = {1, 0}};
	struct ethernet_header *eth = (struct ethernet_header *)frame;
	uint8_t *tag = frame + offsetof(struct ethernet_header, type), *type = tag + tags->length;
	struct ipv6_header *ip = (struct ipv6_header *)(type + sizeof(be16));
	const be16 ether_type = BE16(ETHER_IPV6);

	multicast_mac6(destination, eth->destination);
	mac_copy(eth->source, id->mac);
	memcpy(tag, tags->bytes, tags->length);
	memcpy(type, &ether_type, sizeof(ether_type));
	*ip = (struct ipv6_header){
		.version_class_flow = BE32(IPV6_VERSION_CLASS_FLOW),
		.payload_length = BE16(sizeof(alert) + len),
		.next_header = IP_HOP_BY_HOP,
		.hop_limit = MLD_HOP_LIMIT,
	};
	memcpy(ip->source, report_source(id), sizeof(ip->source));
	memcpy(ip->destination, destination, sizeof(ip->destination));
	memcpy(ip + 1, &alert, sizeof(alert));
	return memset((uint8_t *)(ip + 1) + sizeof(alert), 0, len);
}

/// @return length of the frame
static uint16_t finish(const uint8_t *frame, uint8_t *message, uint16_t len)
{
	const struct ipv6_header *ip =
		(const struct ipv6_header *)(message - sizeof(struct router_alert_header) - sizeof(*ip));
	struct icmp_header *icmp = (struct icmp_header *)message;

	icmp->checksum =
		(be16)~checksum_fold(add_around(pseudo_header6(ip, IP_ICMPV6, BE16(len)), checksum_sum(message, len)));
	return (uint16_t)(message + len - frame);
}

uint16_t mld_report(uint8_t *frame, const struct identity *id, const struct mld_tags *tags, uint8_t groups,
		    enum mld_record record, const uint8_t (*source)[16], unsigned sources)
{
	const unsigned records = (unsigned)__builtin_popcount(groups);
	const unsigned record_len = (unsigned)sizeof(struct report_record) + 16 * sources;
	const uint16_t len = (uint16_t)(sizeof(struct icmp_header) + records * record_len);
	uint8_t *message = build_headers(frame, id, tags, all_mld2_routers, len);
	uint8_t *at = message + sizeof(struct icmp_header);

	*(struct icmp_header *)message = (struct icmp_header){.type = ICMPV6_LISTENER_REPORT2, .rest = BE32(records)};
	for (unsigned i = 0; i < id->v6_count; i++) {
		struct report_record *r = (struct report_record *)at;

		if (!(groups & 1U << i))
			continue;
		r->type = (uint8_t)record;
		r->sources = BE16(sources);
		solicited_node(id->v6[i], r->group);
		if (sources > 0)
			memcpy(r + 1, source, 16 * (size_t)sources);
		at += record_len;
	}
	return finish(frame, message, len);
}

uint16_t mld_report1(uint8_t *frame, const struct identity *id, const struct mld_tags *tags, unsigned group, bool done)
{
	uint8_t address[16];
	uint8_t *message;

	solicited_node(id->v6[group], address);
	message = build_headers(frame, id, tags, done ? all_routers : address, QUERY1_LENGTH);
	((struct icmp_header *)message)->type = done ? ICMPV6_LISTENER_DONE : ICMPV6_LISTENER_REPORT;
	memcpy(message + sizeof(struct icmp_header), address, sizeof(address));
	return finish(frame, message, QUERY1_LENGTH);
}

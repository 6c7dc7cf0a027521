// SPDX-License-Identifier: BSD-3-Clause
// net/mld.h: messages of multicast listener discovery, version 2 (RFC 3810) and 1 (RFC 2710): queries read, reports built.
//
// A switch that snoops lets multicast through only to who reported a group, and neighbours ask for an IPv6 address at its
// solicited-node group. The groups here are those of identity.v6, each named by the first address that is in it. That of
// all nodes is never reported (RFC 3810 6).

#ifndef POLLGATE_NET_MLD_H
#define POLLGATE_NET_MLD_H

#include <stdbool.h>
#include <stdint.h>

#include "net/identity.h"
#include "net/parse.h"
#include "pollgate.h"

#define MLD_EVERY_GROUP PG_ADDRESSES_MAX

/// Sources of one record of a report: more than that, and it speaks of all of them.
#define MLD_SOURCES_MAX 16

/// What a querier wants to know.
struct mld_query {
	uint8_t version;
	uint8_t group;      // of which group: index of an address that is in it, or MLD_EVERY_GROUP
	uint8_t robustness; // 0: not said
	uint16_t sources;   // 0: of every source
	uint32_t delay_ms;  // within which it wants to be told
	const uint8_t *source;
};

/// @param p  of a frame whose packet.host is HOST_MLD
/// @return PG_DROP_NONE: a query that concerns us
enum pg_drop mld_examine(const uint8_t *frame, const struct packet *p, const struct identity *id,
			 struct mld_query *query);

/// VLAN tags of a query, and of the reports that it causes: a snooping switch has members in each VLAN.
struct mld_tags {
	uint8_t length;
	uint8_t bytes[2 * sizeof(struct vlan_tag)];
};

/// Our groups: bit n is that of address n, if no address before it is in the same.
uint8_t mld_groups(const struct identity *id);

enum mld_record {
	MLD_IS_INCLUDE = 1,
	MLD_IS_EXCLUDE = 2,
	MLD_TO_INCLUDE = 3,
	MLD_TO_EXCLUDE = 4,
};

#define MLD_REPORT_MAX                                                                                       \
	(sizeof(struct ethernet_header) + 2 * sizeof(struct vlan_tag) + sizeof(struct ipv6_header) + 8 + 8 + \
	 PG_ADDRESSES_MAX * 20 + MLD_SOURCES_MAX * 16)

/// Version 2: a record for each group of `groups`.
/// @param source   of every record; NULL when sources is 0
/// @return length of the frame
uint16_t mld_report(uint8_t *frame, const struct identity *id, const struct mld_tags *tags, uint8_t groups,
		    enum mld_record record, const uint8_t (*source)[16], unsigned sources);

/// Version 1, of one group: a report, or that we leave it.
uint16_t mld_report1(uint8_t *frame, const struct identity *id, const struct mld_tags *tags, unsigned group, bool done);

#endif

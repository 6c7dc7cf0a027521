// SPDX-License-Identifier: BSD-3-Clause
// net/membership.h: when the groups of net/mld.h are reported: at the start and the end, and some time after a query.
//
// Part of struct announcer, with the same one writer. Responses wait for a random time within what the querier allows,
// each in a place of its own; a group that is asked for again while it waits is reported once (RFC 3810 6.2).

#ifndef POLLGATE_NET_MEMBERSHIP_H
#define POLLGATE_NET_MEMBERSHIP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/mld.h"

/// VLANs whose queriers may ask at the same time. From half of that on nobody waits.
#define MEMBERSHIP_RESPONSES_MAX 32

struct membership_response {
	uint64_t at;          // 0: this place is free
	struct mld_tags tags; // of the query
	uint8_t group;        // or MLD_EVERY_GROUP
	uint8_t sources;      // 0: of every source
	uint8_t source[MLD_SOURCES_MAX][16];
};

struct membership {
	uint64_t due; // UINT64_MAX: nothing is
	uint64_t hz;
	uint64_t random;

	// of our own accord
	uint64_t change_at; // UINT64_MAX: no more
	unsigned changes;   // reports left
	bool leaving;
	uint8_t waiting;    // groups to be reported by themselves now, in version 1
	uint8_t robustness; // how often a change is reported

	// Until then a querier of version 1 is taken to be there. Of the port, so all its workers' (RFC 3810 8.2.1).
	_Atomic uint64_t *older_until;
	_Atomic uint64_t own_older_until; // where nobody shares it

	struct membership_response response[MEMBERSHIP_RESPONSES_MAX];
};

/// @param seed  of random delays
void membership_init(struct membership *m, uint64_t hz, uint64_t seed);

/// The link is new: report all groups, and again, for one report may be lost (RFC 3810 6.1).
void membership_join(struct membership *m, uint64_t now);

/// Report, once, that we leave all groups; no query is answered any more.
void membership_leave(struct membership *m, uint64_t now);

/// A query that concerns us came with these tags.
/// @return false when too many wait already
bool membership_query(struct membership *m, const struct identity *id, const struct mld_query *query,
		      const struct mld_tags *tags, uint64_t now);

/// Write the next report that is due.
/// @param frame  MLD_REPORT_MAX bytes
/// @return its length, or 0 when none is: then `due` is when to come again
uint16_t membership_next(struct membership *m, const struct identity *id, uint64_t now, uint8_t *frame);

#endif

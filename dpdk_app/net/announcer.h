// SPDX-License-Identifier: BSD-3-Clause
// net/announcer.h: what a host owes its link at a later time: announcements, the defence of its addresses, and its
// multicast groups.
//
// One for each port that a worker serves; only that worker writes, but for the word in which it tells of a conflict. Times are
// the TSC's. Nothing here is done by itself: whoever turns the loop looks at `due`.

#ifndef POLLGATE_NET_ANNOUNCER_H
#define POLLGATE_NET_ANNOUNCER_H

#include <stdatomic.h>
#include <stdint.h>

#include "net/identity.h"
#include "net/membership.h"

#define ANNOUNCER_NONE_DUE UINT64_MAX

/// Bytes that a frame of ours needs at most.
#define ANNOUNCER_FRAME_MAX 512
static_assert(MLD_REPORT_MAX <= ANNOUNCER_FRAME_MAX, "the longest");

/// Another host with address `index` of ours.
struct conflict {
	uint8_t family; // 4 or 6; 0: none
	uint8_t index;  // into identity.v4 or .v6
	uint8_t mac[MAC_LEN];
};

struct announcer {
	uint64_t due; // when there is something to do; ANNOUNCER_NONE_DUE: never

	uint64_t hz;
	uint64_t announce_at; // all addresses; ANNOUNCER_NONE_DUE: no more
	unsigned announcements;

	// addresses that are to be announced now: bit n is address n
	uint8_t waiting4;
	uint8_t waiting6;

	// when an address was defended, 0: never
	uint64_t defended4[PG_ADDRESSES_MAX];
	uint64_t defended6[PG_ADDRESSES_MAX];

	struct membership membership;

	// written by the worker and the control thread
	_Atomic uint64_t conflict; // the newest, as announcer_take_conflict() reads it
};

/// @param seed  of random delays
void announcer_init(struct announcer *announcer, uint64_t hz, uint64_t seed);

/// The link is new: say who we are, and say it again (RFC 5227 2.3, RFC 4861 7.2.6).
void announcer_begin(struct announcer *announcer, uint64_t now);

/// The worker ends: all that is left to say is that we leave our groups.
void announcer_end(struct announcer *announcer, uint64_t now);

/// A querier asks for multicast listeners.
/// @return false when too many do
bool announcer_query(struct announcer *announcer, const struct identity *id, const struct mld_query *query,
		     const struct mld_tags *tags, uint64_t now);

/// Another host showed that it has an address of ours: defend it, but not again and again (RFC 5227 2.4 (c); RFC 4862
/// 5.4.4 leaves it to us, and we do the same).
void announcer_contest(struct announcer *announcer, const struct conflict *conflict, uint64_t now);

/// Write the next frame that is due.
/// @param frame  ANNOUNCER_FRAME_MAX bytes
/// @return its length, or 0 when none is: then `due` is when to come again
uint16_t announcer_next(struct announcer *announcer, const struct identity *id, uint64_t now, uint8_t *frame);

/// The last conflict since the last call, for another thread. Its family is 0 when there was none.
struct conflict announcer_take_conflict(struct announcer *announcer);

#endif

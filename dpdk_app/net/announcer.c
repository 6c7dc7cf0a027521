// SPDX-License-Identifier: BSD-3-Clause
// net/announcer.c: see announcer.h.

#include "net/announcer.h"

#include "net/host.h"

static_assert(ANNOUNCEMENT_MAX <= ANNOUNCER_FRAME_MAX, "fits");

#define ANNOUNCEMENTS 2       // RFC 5227 1.1: ANNOUNCE_NUM
#define ANNOUNCE_INTERVAL_S 2 // and ANNOUNCE_INTERVAL
#define DEFEND_INTERVAL_S 10  // and DEFEND_INTERVAL

void announcer_init(struct announcer *announcer, uint64_t hz, uint64_t seed)
{
	*announcer = (struct announcer){.due = ANNOUNCER_NONE_DUE, .hz = hz, .announce_at = ANNOUNCER_NONE_DUE};
	membership_init(&announcer->membership, hz, seed);
}

static bool waiting(const struct announcer *announcer)
{
	return announcer->waiting4 | announcer->waiting6;
}

void announcer_begin(struct announcer *announcer, uint64_t now)
{
	announcer->announcements = ANNOUNCEMENTS;
	announcer->announce_at = announcer->due = now;
	membership_join(&announcer->membership, now);
}

void announcer_end(struct announcer *announcer, uint64_t now)
{
	announcer->announce_at = ANNOUNCER_NONE_DUE;
	announcer->waiting4 = announcer->waiting6 = 0;
	membership_leave(&announcer->membership, now);
	announcer->due = now;
}

bool announcer_query(struct announcer *announcer, const struct identity *id, const struct mld_query *query,
		     const struct mld_tags *tags, uint64_t now)
{
	const bool room = membership_query(&announcer->membership, id, query, tags, now);

	if (announcer->membership.due < announcer->due)
		announcer->due = announcer->membership.due;
	return room;
}

static void tell(struct announcer *announcer, const struct conflict *conflict)
{
	uint64_t word = 0;

	static_assert(sizeof(*conflict) == sizeof(word), "told at once");
	memcpy(&word, conflict, sizeof(word));
	atomic_store_explicit(&announcer->conflict, word, memory_order_relaxed);
}

struct conflict announcer_take_conflict(struct announcer *announcer)
{
	const uint64_t word = atomic_exchange_explicit(&announcer->conflict, 0, memory_order_relaxed);
	struct conflict conflict;

	memcpy(&conflict, &word, sizeof(conflict));
	return conflict;
}

void announcer_contest(struct announcer *announcer, const struct conflict *conflict, uint64_t now)
{
	const bool v4 = conflict->family == 4;
	uint64_t *defended = v4 ? &announcer->defended4[conflict->index] : &announcer->defended6[conflict->index];

	tell(announcer, conflict);
	if (*defended != 0 && now - *defended < DEFEND_INTERVAL_S * announcer->hz)
		return;
	*defended = now;
	*(v4 ? &announcer->waiting4 : &announcer->waiting6) |= (uint8_t)(1U << conflict->index);
	announcer->due = now;
}

static void announce_all(struct announcer *announcer, const struct identity *id, uint64_t now)
{
	announcer->waiting4 = (uint8_t)((1U << id->v4_count) - 1);
	announcer->waiting6 = (uint8_t)((1U << id->v6_count) - 1);
	announcer->announcements--;
	announcer->announce_at =
		announcer->announcements > 0 ? now + ANNOUNCE_INTERVAL_S * announcer->hz : ANNOUNCER_NONE_DUE;
}

static_assert(PG_ADDRESSES_MAX <= 8, "a bit for each address");

static unsigned take_lowest(uint8_t *bits)
{
	const unsigned index = (unsigned)__builtin_ctz(*bits);

	*bits &= (uint8_t)(*bits - 1);
	return index;
}

uint16_t announcer_next(struct announcer *announcer, const struct identity *id, uint64_t now, uint8_t *frame)
{
	if (announcer->announce_at <= now && !waiting(announcer))
		announce_all(announcer, id, now);
	if (announcer->waiting4)
		return announce_arp(frame, id, take_lowest(&announcer->waiting4));
	if (announcer->waiting6)
		return announce_neighbor(frame, id, take_lowest(&announcer->waiting6));
	if (announcer->membership.due <= now) {
		const uint16_t len = membership_next(&announcer->membership, id, now, frame);

		if (len > 0)
			return len;
	}
	announcer->due =
		announcer->announce_at < announcer->membership.due ? announcer->announce_at : announcer->membership.due;
	return 0;
}

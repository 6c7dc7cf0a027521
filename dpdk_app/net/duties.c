// SPDX-License-Identifier: BSD-3-Clause
// net/duties.c: see duties.h.

#include "net/duties.h"

#include "net/host.h"

static_assert(ANNOUNCEMENT_MAX <= DUTY_FRAME_MAX, "fits");

#define ANNOUNCEMENTS 2       // RFC 5227 1.1: ANNOUNCE_NUM
#define ANNOUNCE_INTERVAL_S 2 // and ANNOUNCE_INTERVAL
#define DEFEND_INTERVAL_S 10  // and DEFEND_INTERVAL

void duties_init(struct duties *duties, uint64_t hz, uint64_t seed)
{
	*duties = (struct duties){.due = DUTIES_NONE_DUE, .hz = hz, .announce_at = DUTIES_NONE_DUE};
	membership_init(&duties->membership, hz, seed);
}

static bool waiting(const struct duties *duties)
{
	return duties->waiting4 | duties->waiting6;
}

void duties_begin(struct duties *duties, uint64_t now)
{
	duties->announcements = ANNOUNCEMENTS;
	duties->announce_at = duties->due = now;
	membership_join(&duties->membership, now);
}

void duties_end(struct duties *duties, uint64_t now)
{
	duties->announce_at = DUTIES_NONE_DUE;
	duties->waiting4 = duties->waiting6 = 0;
	membership_leave(&duties->membership, now);
	duties->due = now;
}

bool duties_query(struct duties *duties, const struct identity *id, const struct mld_query *query,
		  const struct mld_tags *tags, uint64_t now)
{
	const bool room = membership_query(&duties->membership, id, query, tags, now);

	if (duties->membership.due < duties->due)
		duties->due = duties->membership.due;
	return room;
}

static void tell(struct duties *duties, const struct rival *rival)
{
	uint64_t word = 0;

	static_assert(sizeof(*rival) == sizeof(word), "told at once");
	memcpy(&word, rival, sizeof(word));
	atomic_store_explicit(&duties->rival, word, memory_order_relaxed);
}

struct rival duties_take_rival(struct duties *duties)
{
	const uint64_t word = atomic_exchange_explicit(&duties->rival, 0, memory_order_relaxed);
	struct rival rival;

	memcpy(&rival, &word, sizeof(rival));
	return rival;
}

void duties_contest(struct duties *duties, const struct rival *rival, uint64_t now)
{
	const bool v4 = rival->family == 4;
	uint64_t *defended = v4 ? &duties->defended4[rival->index] : &duties->defended6[rival->index];

	tell(duties, rival);
	if (*defended != 0 && now - *defended < DEFEND_INTERVAL_S * duties->hz)
		return;
	*defended = now;
	*(v4 ? &duties->waiting4 : &duties->waiting6) |= (uint8_t)(1U << rival->index);
	duties->due = now;
}

static void announce_all(struct duties *duties, const struct identity *id, uint64_t now)
{
	duties->waiting4 = (uint8_t)((1U << id->v4_count) - 1);
	duties->waiting6 = (uint8_t)((1U << id->v6_count) - 1);
	duties->announcements--;
	duties->announce_at = duties->announcements > 0 ? now + ANNOUNCE_INTERVAL_S * duties->hz : DUTIES_NONE_DUE;
}

static_assert(PG_ADDRESSES_MAX <= 8, "a bit for each address");

static unsigned take_lowest(uint8_t *bits)
{
	const unsigned index = (unsigned)__builtin_ctz(*bits);

	*bits &= (uint8_t)(*bits - 1);
	return index;
}

uint16_t duties_next(struct duties *duties, const struct identity *id, uint64_t now, uint8_t *frame)
{
	if (duties->announce_at <= now && !waiting(duties))
		announce_all(duties, id, now);
	if (duties->waiting4)
		return announce_arp(frame, id, take_lowest(&duties->waiting4));
	if (duties->waiting6)
		return announce_neighbor(frame, id, take_lowest(&duties->waiting6));
	if (duties->membership.due <= now) {
		const uint16_t len = membership_next(&duties->membership, id, now, frame);

		if (len > 0)
			return len;
	}
	duties->due = duties->announce_at < duties->membership.due ? duties->announce_at : duties->membership.due;
	return 0;
}

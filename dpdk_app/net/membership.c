// SPDX-License-Identifier: BSD-3-Clause
// net/membership.c: see membership.h.

#include "net/membership.h"

#include <string.h>

#define NEVER UINT64_MAX
#define ROBUSTNESS 2        // RFC 3810 9.1, until a querier says another
#define UNSOLICITED_MS 1000 // RFC 3810 9.11
#define OLDER_QUERIER_S 260 // RFC 3810 9.12: twice the query interval of 125 s, and the response interval of 10 s

static const struct mld_tags untagged;

void membership_init(struct membership *m, uint64_t hz, uint64_t seed)
{
	*m = (struct membership){
		.due = NEVER, .hz = hz, .random = seed | 1, .change_at = NEVER, .robustness = ROBUSTNESS};
	m->older_until = &m->own_older_until;
}

/// xorshift64: neighbours are not to speak all at once, that is all.
static uint64_t random_cycles(struct membership *m, uint64_t ms)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return m->random % (ms * m->hz / 1000 + 1);
}

static bool speaks_version1(const struct membership *m, uint64_t now)
{
	return now < atomic_load_explicit(m->older_until, memory_order_relaxed);
}

static void forget_responses(struct membership *m)
{
	for (unsigned i = 0; i < MEMBERSHIP_RESPONSES_MAX; i++)
		m->response[i].at = 0;
}

void membership_join(struct membership *m, uint64_t now)
{
	m->changes = m->robustness;
	m->change_at = m->due = now;
	m->leaving = false;
}

void membership_leave(struct membership *m, uint64_t now)
{
	forget_responses(m);
	m->waiting = 0;
	m->changes = 1;
	m->change_at = m->due = now;
	m->leaving = true;
}

// ---------------------------------------------------------------- queries

static bool same_tags(const struct mld_tags *a, const struct mld_tags *b)
{
	return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/// @return the response that waits for this group, or NULL
static struct membership_response *waiting_for(struct membership *m, const struct mld_tags *tags, unsigned group)
{
	for (unsigned i = 0; i < MEMBERSHIP_RESPONSES_MAX; i++) {
		struct membership_response *r = &m->response[i];

		if (r->at != 0 && r->group == group && same_tags(&r->tags, tags))
			return r;
	}
	return NULL;
}

static unsigned free_places(const struct membership *m, struct membership_response **one)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MEMBERSHIP_RESPONSES_MAX; i++)
		if (m->response[i].at == 0) {
			*one = (struct membership_response *)&m->response[i];
			n++;
		}
	return n;
}

/// More sources than there is room for: then of every source, which is as true.
static void ask_for_sources(struct membership_response *r, const struct mld_query *query)
{
	if (query->sources > MLD_SOURCES_MAX - r->sources) {
		r->sources = 0;
		return;
	}
	if (query->sources == 0)
		return;
	memcpy(r->source[r->sources], query->source, 16 * (size_t)query->sources);
	r->sources += (uint8_t)query->sources;
}

/// RFC 3810 6.2, rules 4 and 5; of a general query rule 2, of version 1 its timers, which are the same.
static void ask_again(struct membership_response *r, const struct mld_query *query, uint64_t at)
{
	if (at < r->at || query->group == MLD_EVERY_GROUP)
		r->at = at;
	if (query->sources == 0)
		r->sources = 0;
	else if (r->sources > 0)
		ask_for_sources(r, query);
}

static bool respond(struct membership *m, unsigned group, const struct mld_query *query, const struct mld_tags *tags,
		    uint64_t now)
{
	const struct membership_response *general = waiting_for(m, tags, MLD_EVERY_GROUP);
	struct membership_response *r = waiting_for(m, tags, group);
	struct membership_response *place = NULL;
	const unsigned places = free_places(m, &place);
	uint64_t at = now + random_cycles(m, query->delay_ms);

	if (places <= MEMBERSHIP_RESPONSES_MAX / 2)
		at = now;
	if (general && general->at <= at) // rule 1: that will tell
		return true;
	if (r) {
		ask_again(r, query, at);
	} else if (place) {
		*place = (struct membership_response){.at = at, .tags = *tags, .group = (uint8_t)group};
		ask_for_sources(place, query);
	} else {
		return false;
	}
	if (at < m->due)
		m->due = at;
	return true;
}

bool membership_query(struct membership *m, const struct identity *id, const struct mld_query *query,
		      const struct mld_tags *tags, uint64_t now)
{
	uint8_t groups = mld_groups(id);
	bool room = true;

	if (m->leaving)
		return true;
	if (query->version == 1) {
		if (!speaks_version1(m, now)) // RFC 3810 8.2.1: nothing that was to be said in version 2 is
			forget_responses(m);
		atomic_store_explicit(m->older_until, now + OLDER_QUERIER_S * m->hz, memory_order_relaxed);
	} else if (query->robustness != 0) {
		m->robustness = query->robustness;
	}
	if (!speaks_version1(m, now) || query->group != MLD_EVERY_GROUP)
		return respond(m, query->group, query, tags, now);
	for (; groups != 0; groups &= (uint8_t)(groups - 1)) { // in version 1 each group for itself
		struct mld_query one = *query;

		one.group = (uint8_t)__builtin_ctz(groups);
		room &= respond(m, one.group, &one, tags, now);
	}
	return room;
}

// ---------------------------------------------------------------- reports

/// @return length, or 0: in version 1 the groups wait to be told one by one
static uint16_t report_change(struct membership *m, const struct identity *id, uint64_t now, uint8_t *frame)
{
	m->changes--;
	m->change_at = m->changes > 0 ? now + 1 + random_cycles(m, UNSOLICITED_MS) : NEVER;
	if (!speaks_version1(m, now))
		return mld_report(frame, id, &untagged, mld_groups(id), m->leaving ? MLD_TO_INCLUDE : MLD_TO_EXCLUDE,
				  NULL, 0);
	m->waiting = mld_groups(id);
	return 0;
}

static uint16_t report_waiting(struct membership *m, const struct identity *id, uint8_t *frame)
{
	const unsigned group = (unsigned)__builtin_ctz(m->waiting);

	m->waiting &= (uint8_t)(m->waiting - 1);
	return mld_report1(frame, id, &untagged, group, m->leaving);
}

static uint16_t report_asked(const struct membership *m, const struct membership_response *r, const struct identity *id,
			     uint64_t now, uint8_t *frame)
{
	if (r->group == MLD_EVERY_GROUP)
		return mld_report(frame, id, &r->tags, mld_groups(id), MLD_IS_EXCLUDE, NULL, 0);
	if (speaks_version1(m, now))
		return mld_report1(frame, id, &r->tags, r->group, false);
	if (r->sources == 0)
		return mld_report(frame, id, &r->tags, (uint8_t)(1U << r->group), MLD_IS_EXCLUDE, NULL, 0);
	// We exclude no source, so all that was asked for are wanted.
	return mld_report(frame, id, &r->tags, (uint8_t)(1U << r->group), MLD_IS_INCLUDE, r->source, r->sources);
}

static uint64_t next_due(const struct membership *m)
{
	uint64_t due = m->change_at;

	for (unsigned i = 0; i < MEMBERSHIP_RESPONSES_MAX; i++)
		if (m->response[i].at != 0 && m->response[i].at < due)
			due = m->response[i].at;
	return due;
}

uint16_t membership_next(struct membership *m, const struct identity *id, uint64_t now, uint8_t *frame)
{
	if (id->v6_count == 0) {
		m->due = NEVER;
		return 0;
	}
	if (m->waiting == 0 && m->change_at <= now) {
		const uint16_t len = report_change(m, id, now, frame);

		if (len > 0)
			return len;
	}
	if (m->waiting != 0)
		return report_waiting(m, id, frame);
	for (unsigned i = 0; i < MEMBERSHIP_RESPONSES_MAX; i++) {
		struct membership_response *r = &m->response[i];

		if (r->at == 0 || r->at > now)
			continue;
		r->at = 0;
		return report_asked(m, r, id, now, frame);
	}
	m->due = next_due(m);
	return 0;
}

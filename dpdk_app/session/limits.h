// SPDX-License-Identifier: BSD-3-Clause
// session/limits.h: what a gateway takes of a session, as it says it to clients: in WELCOME, and in LIMITS when it changes.

#ifndef POLLGATE_SESSION_LIMITS_H
#define POLLGATE_SESSION_LIMITS_H

#include "rules.h"
#include "session/shard.h"
#include "wire/session.h"

/// The limits of a policy, as configured: rates a second, 0 is none.
/// @param entry  out: of types of messages
/// @return how many
static inline uint8_t limits_of_messages(const uint32_t pps[PG_REQUESTS], const uint32_t burst[PG_REQUESTS],
					 struct session_limit entry[PG_REQUESTS])
{
	static const uint8_t types[PG_REQUESTS] = {
#define OWN(NAME, ...) SESSION_##NAME, // in the order of enum pg_request
#define RELAYED OWN
#define GAME OWN // the first stands for all
#include "wire/messages.def"
	};
	uint8_t n = 0;

	for (unsigned i = 0; i < PG_REQUESTS; i++)
		if (pps[i] != 0)
			entry[n++] = session_limit_make(types[i], pps[i], burst[i]);
	return n;
}

/// Of all that clients may be told: FNV-1a.
static inline uint64_t limits_digest(const struct session_rules *rules)
{
	const uint8_t *parts[] = {(const uint8_t *)rules->message_limit, (const uint8_t *)rules->datagram_limit};
	const size_t lengths[] = {sizeof(rules->message_limit), sizeof(rules->datagram_limit)};
	uint64_t digest = 0xcbf29ce484222325;

	for (unsigned part = 0; part < 2; part++)
		for (size_t i = 0; i < lengths[part]; i++)
			digest = (digest ^ parts[part][i]) * 0x100000001b3;
	return digest;
}

/// Write the entries for a session that is connected through a listener.
/// @param out  room for LIMITS_MOST of them
/// @return how many
#define LIMITS_MOST (1 + PG_REQUESTS)
static_assert(LIMITS_MOST <= SESSION_LIMITS_MAX, "WELCOME has room for all limits");
uint16_t limits_write(const struct session_rules *rules, unsigned listener, uint8_t *out);

/// What a record has of those in a WELCOME: record.h.
static inline uint16_t limits_mark(const struct session_shard *shard)
{
	return (uint16_t)shard->limits_digest | 1;
}

/// A connection begins: its WELCOME has the limits of now.
void limits_begin(const struct session_shard *shard, uint32_t slot);

/// It goes on after a crash: its client is told the limits, unless they are still those of its WELCOME.
void limits_resume(const struct session_shard *shard, uint32_t slot);

/// Tell a connected client the limits, if they are not those that it knows.
void limits_tell(struct session_shard *shard, uint32_t slot, uint64_t now);

#endif

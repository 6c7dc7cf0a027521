// SPDX-License-Identifier: BSD-3-Clause
// net/host.h: the answers of a well-behaved host: ARP, neighbour discovery, echo, and its own announcements.
//
// Off the burst loop. Answers are built in the received frame, which must have HOST_ANSWER_ROOM bytes behind it.

#ifndef POLLGATE_NET_HOST_H
#define POLLGATE_NET_HOST_H

#include <stdint.h>

#include "net/announcer.h"
#include "net/identity.h"
#include "net/parse.h"
#include "pollgate.h"

/// A solicitation without options is answered with one of eight bytes (RFC 4861 7.2.4).
#define HOST_ANSWER_ROOM 8

/// What a frame asks of the host, decided before anything is rewritten.
struct host_request {
	enum pg_drop drop;        // PG_DROP_NONE: to be answered
	enum pg_message message;  // what it is
	struct conflict conflict; // of PG_DROP_ADDRESS_CONFLICT
	struct mld_query query;   // of PG_MESSAGE_MLD_QUERY, which is not answered at once
};

/// Examine a frame whose packet.host is set. Does not write.
struct host_request host_examine(const uint8_t *frame, const struct packet *p, const struct identity *id);

/// Rewrite an examined frame into its answer.
/// @return its length in bytes
uint16_t host_answer(uint8_t *frame, uint16_t received, const struct packet *p, const struct identity *id,
		     enum pg_message message);

/// Bytes that an announcement needs at most.
#define ANNOUNCEMENT_MAX (14 + 40 + 32)

/// Gratuitous ARP (RFC 5227 2.3) for address `index` of id->v4.
/// @return its length in bytes
uint16_t announce_arp(uint8_t *frame, const struct identity *id, unsigned index);

/// Unsolicited neighbour advertisement (RFC 4861 7.2.6) for address `index` of id->v6.
/// @return its length in bytes
uint16_t announce_neighbor(uint8_t *frame, const struct identity *id, unsigned index);

#endif

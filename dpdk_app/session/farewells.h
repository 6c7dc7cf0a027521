// SPDX-License-Identifier: BSD-3-Clause
// session/farewells.h: the CLOSE of connections that ended lately: said again, byte for byte, to whoever goes on talking.
//
// The sealed bytes are kept and no key. A slot's later CLOSE, or that of another slot in its place, overwrites it: who is not
// told by a CLOSE is told by a RESET.

#ifndef POLLGATE_SESSION_FAREWELLS_H
#define POLLGATE_SESSION_FAREWELLS_H

#include <string.h>

#include "net/peer.h"
#include "wire/session.h"

#define FAREWELLS 512
#define FAREWELL_LEN (SESSION_AROUND + sizeof(struct session_close_body))
#define FAREWELL_FOR_S 3
#define FAREWELLS_PER_S 10 // of one connection

struct farewell {
	uint64_t until; // TSC; 0: none
	uint64_t next;  // TSC: not before
	struct peer peer;
	uint32_t session;
	uint8_t close[FAREWELL_LEN];
};

struct farewells {
	struct farewell of[FAREWELLS]; // by slot
};

/// A CLOSE was said.
static inline void farewells_keep(struct farewells *farewells, uint32_t slot, const struct farewell *said)
{
	farewells->of[slot % FAREWELLS] = *said;
}

/// May it be said once more, to this peer of this session?
/// @return the sealed CLOSE, or NULL
static inline const uint8_t *farewells_again(struct farewells *farewells, uint32_t slot, uint32_t session,
					     const struct peer *peer, uint64_t now, uint64_t tsc_hz)
{
	struct farewell *said = &farewells->of[slot % FAREWELLS];

	if (said->session != session || now >= said->until || now < said->next || !peer_equal(&said->peer, peer))
		return NULL;
	said->next = now + tsc_hz / FAREWELLS_PER_S;
	return said->close;
}

#endif

// SPDX-License-Identifier: BSD-3-Clause
// session/candidate.h: whom the number of a handshake names, before anything is proved.

#ifndef POLLGATE_SESSION_CANDIDATE_H
#define POLLGATE_SESSION_CANDIDATE_H

#include "session/shard.h"

/// Whom a number names, and the key that a proof must be made with. It is copied: the slot may be issued anew at any time.
struct candidate {
	struct session_record *record; // NULL: nobody, and the key is one that nobody has
	uint8_t key[SESSION_KEY_LEN];
};

/// All is done alike, whether the number was issued, expired, was revoked or never was: whoever asks learns nothing by the
/// time that it takes.
COLD struct candidate candidate_find(const struct session_shard *shard, uint32_t session);

#endif

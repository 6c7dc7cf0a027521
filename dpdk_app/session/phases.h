// SPDX-License-Identifier: BSD-3-Clause
// session/phases.h: the key phases of a connection: which keys open a datagram, and when what is sent goes to the next ones.
//
// PROTOCOL.md, "Key update". The keys of the present phase lie in the key store. Those of the one before, for as long as
// datagrams of it may still come, and those of the next, once somebody has tried them, lie here: of few connections at a time.
// A slot shares its place with others; who is driven out loses datagrams that the path held back over an update, once, or the
// work that was done to make the next keys.
//
// A usual datagram has the flags that its record has in `open_flags`. That is not so for one of another phase; nor, when an
// update is due, for any: the next one is looked at more closely, as it may tell that something of the present phase arrived.

#ifndef POLLGATE_SESSION_PHASES_H
#define POLLGATE_SESSION_PHASES_H

#include "crypto/cipher.h"
#include "crypto/keys.h"
#include "limit/rate.h"
#include "session/record.h"

struct session_shard;

/// When what is sent goes to the next phase. Each connection does a little sooner, another one at another time: a crowd that
/// came at once does not update at once.
struct phase_rules {
	uint32_t datagrams; // of one phase
	uint32_t seconds;
};

#define PHASE_DATAGRAMS (SESSION_PHASE_DATAGRAMS / 2) // connections are looked at once in a while
#define PHASE_SECONDS (SESSION_PHASE_S - 60)

/// In which the record keeps when a phase began: three days before it is as if that were now.
#define PHASE_TICK_S 4U

/// In `open_flags`, and in no datagram: what is sent is to go to the next phase as soon as it may.
#define PHASE_DUE 0x80

#define PHASES_KEPT 1024
#define PHASE_BEFORE_S 3
/// Next keys that a worker makes, in vain or not: a datagram that nobody sealed can ask for them. They take 10,000 cycles, so this
/// is half a per cent of its time, and no burst waits long. What comes too soon is not opened. As many again are made for those
/// who are to follow the gateway to a phase, so that whoever else asks for them does not hold those up.
#define PHASES_MADE_PER_S 1000
#define PHASES_MADE_AT_ONCE 8

/// To open with, not prepared.
struct phase_key {
	uint8_t key[TRAFFIC_KEY_LEN], salt[TRAFFIC_SALT_LEN];
};

struct phase_keys {
	uint32_t slot_after; // whose they are: slot + 1; 0: nobody's
	bool has_next, has_before;
	uint64_t before_until; // TSC
	struct phase_key next, before;
};

struct kept_phases {
	struct phase_keys of[PHASES_KEPT]; // by slot
	uint64_t made_conforms_at[2];      // as in limit/rate.h; [1]: for who is to follow the gateway
	uint64_t expire_at; // TSC: keys of a phase before may have to be forgotten then; 0: none are kept
};

/// A connection begins, or goes on after a crash: its keys, made from the record.
COLD void phases_make_keys(struct session_shard *shard, uint32_t slot);

/// It is new: its first phase, and nothing is kept of another one.
COLD void phases_begin(struct session_shard *shard, uint32_t slot, uint64_t now);

/// It is over, or another begins.
COLD void phases_forget(struct session_shard *shard, uint32_t slot);

/// Is what is sent to go to the next phase? Asked in the sweep.
COLD void phases_look(const struct session_shard *shard, uint32_t slot, uint64_t now);

/// Has the peer acknowledged nothing of what was sent, for more than may be sealed with one key?
ALWAYS_INLINE bool phases_exhausted(const struct session_record *record)
{
	return record->tx_counter - record->phase_began >= SESSION_PHASE_MOST;
}

/// In every sweep: keys of a phase that is long over are nobody's any more.
void phases_expire(struct session_shard *shard, uint64_t now);

/// Open a datagram whose flags are not its record's `open_flags`. It is as cipher_open(); and the connection goes to the next
/// phase, if the datagram is of it.
/// @param counter  without the offset that the header has
COLD bool phases_open(struct session_shard *shard, uint32_t slot, uint32_t counter, uint8_t *payload, uint16_t length,
		      uint64_t now);

#endif

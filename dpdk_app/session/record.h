// SPDX-License-Identifier: BSD-3-Clause
// session/record.h: sessions of the `session` profile: issued by the control side, confirmed by their players.
//
// The records lie in the state file that the supervisor owns. The supervisor issues and revokes; the worker that a
// player's first CONFIRM reached owns the connection until it ends. Whoever else looks reads only `session` and `owner`.
// No pointers inside: a new worker process finds its players, their packet counters and replay windows, and derives
// their traffic keys again from the secret of the connection. That cannot be found from the issued key (it has an exchange
// in it), so it lies here as long as the connection does, and is overwritten when the connection ends.

#ifndef POLLGATE_SESSION_RECORD_H
#define POLLGATE_SESSION_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "crypto/hkdf.h"
#include "crypto/replay.h"
#include "delivery/taken.h"
#include "delivery/window.h"
#include "net/peer.h"
#include "wire/session.h"

#define RECORD_NO_OWNER 0xff
#define RECORD_NO_EXCHANGE 0xff

/// Of a record's worlds. Others are 1 and the index into pg_plan.world.
#define RECORD_WORLD_UNNAMED 0 // another names it
#define RECORD_WORLD_NONE 127

/// The headers that lead back to a peer are learned again from the first datagram in each 2^31 cycles (about a second), as
/// `last_seen` tells.
#define RECORD_LEARN_SHIFT 31

enum record_phase {
	RECORD_IDLE, // nobody is connected, or the connection part is being written: a crash then ends the connection
	RECORD_CONNECTED, // confirmed; packets flow
	RECORD_LOST,      // what was delivered of it died with a worker: it is to be closed as restarted
	RECORD_RENAMED,   // as connected, under another number than the one issued: see session/renames.h
};

/// What the next process knows of messages that were delivered though one before them was not: see store.h.
enum record_seen {
	RECORD_SEEN_NONE,    // there are none
	RECORD_SEEN_STORED,  // they are in the store
	RECORD_SEEN_WRITING, // they and the ids are being written: a crash now ends the connection
};

/// What a packet needs, in two lines; what a connection was made from, in the others.
struct session_record {
	// per packet, first line
	uint32_t session;      // as issued; 0: not issued, or revoked. The supervisor's; its release publishes the rest
	uint8_t phase;         // enum record_phase; from here the owner's
	uint8_t owner;         // index of a worker, or RECORD_NO_OWNER: see record_claim()
	uint16_t max_datagram; // that the path carries: by the handshake, and what the delivery found out since
	struct replay replay;
	uint32_t tx_counter; // of the last packet that may have left; advanced before it is sealed
	struct taken taken;
	uint32_t conforms_at; // bucket of limits.session_pps, in the terms of rate_admit_short()
	uint8_t open_flags; // of a datagram that the present keys open, no more being to be done: see session/phases.h
	uint8_t seal_flags; // of what is sent: the phase of `seal_flags` is that of `open_flags`, or the next
	uint16_t phase_began_at; // when that went to its present phase: TSC in PHASE_TICK_S, modulo 2^16

	// per packet, second line
	uint64_t taken_at CACHE_ALIGNED; // TSC at which the newest of `taken` came; 0: not known
	uint64_t last_seen;              // TSC
	struct peer peer;                // where answers go: proved
	uint8_t motion_version;          // odd while motion is being written
	uint8_t seen;                    // enum record_seen
	struct motion motion;
	uint16_t challenged; // where the last PATH_CHALLENGE went to: a keyed hash of it

	// of the connection; the owner's. All zero: never confirmed
	uint8_t secret[HASH_LEN] CACHE_ALIGNED; // of the phase of `open_flags`; zeros when nobody is connected
	uint64_t cookie_time;                   // of the newest accepted CONFIRM: none that is older is accepted
	struct delivery_ids ids;                // so that the next process knows what was said and what was delivered
	uint32_t connections;                   // CONFIRMs that changed state
	uint32_t challenged_ms; // when the last second of PATH_CHALLENGEs began, modulo 2^32: the time in their tokens

	// from issuing; the supervisor's, constant while `session` stands
	uint8_t key[SESSION_KEY_LEN] CACHE_ALIGNED;
	uint64_t expires_at; // TSC
	uint32_t player_id;
	uint32_t number;            // `session` as issued; stays when that is revoked, so that the player can be told
	uint8_t once : 1;           // confirmed once only
	uint8_t world : 7;          // that the ticket names: RECORD_WORLD_*
	uint8_t expired_or_revoked; // enum session_denial of a session that is over; 0

	// the owner's again
	uint8_t used : 1;      // a connection before this one was taken up by its player
	uint8_t moved_to : 7;  // the world that a game process put the player into since: RECORD_WORLD_*
	uint8_t exchange;      // which of the owner's shares the connection was made with, or RECORD_NO_EXCHANGE
	uint32_t confirm_mark; // of the newest accepted CONFIRM: what tells it from another with its cookie
	uint16_t epoch;        // processes that this connection has outlived
	uint16_t limits_mark;  // of the limits in its WELCOME; 0: it was told others
	uint32_t phase_began;  // tx_counter when what is sent went to its present phase
} CACHE_ALIGNED;
static_assert(offsetof(struct session_record, taken_at) == CACHE_LINE &&
		      offsetof(struct session_record, secret) == 2 * CACHE_LINE &&
		      offsetof(struct session_record, key) == 3 * CACHE_LINE &&
		      sizeof(struct session_record) == 4 * CACHE_LINE,
	      "four lines");
static_assert(offsetof(struct session_record, seal_flags) < CACHE_LINE, "each packet needs the flags");

/// The number that a packet must name to be of this record; 0: none. After this call the rest of the record may be read: it
/// is that session's.
ALWAYS_INLINE uint32_t record_session(const struct session_record *record)
{
	return __atomic_load_n(&record->session, __ATOMIC_ACQUIRE);
}

/// Does `session` stand in this record? Slots that were never issued have 0 there, which a packet can name, too.
ALWAYS_INLINE bool record_stands(const struct session_record *record, uint32_t session)
{
	return session != 0 && record_session(record) == session;
}

/// Do packets flow? Asked by the owner.
ALWAYS_INLINE bool record_is_connected(const struct session_record *record)
{
	return record->phase == RECORD_CONNECTED || record->phase == RECORD_RENAMED;
}

/// Does `session` stand here, connected and not renamed, with this worker as its owner? All of it lies in one word, which is read
/// at once.
ALWAYS_INLINE bool record_serves(const struct session_record *record, uint32_t session, uint8_t worker)
{
	typedef uint64_t __attribute__((may_alias)) word;
	const uint64_t head = __atomic_load_n((const word *)record, __ATOMIC_ACQUIRE) << 16; // without max_datagram
	const uint64_t wanted = session | (uint64_t)RECORD_CONNECTED << 32 | (uint64_t)worker << 40;

	static_assert(offsetof(struct session_record, phase) == 4 && offsetof(struct session_record, owner) == 5 &&
			      offsetof(struct session_record, max_datagram) == 6,
		      "one word");
	return session != 0 && head == wanted << 16;
}

/// Loaded by itself: a compiler that loads `seal_flags` with it, for later, loads what lies before them, too, and waits until that
/// is stored (30 cycles of a datagram).
ALWAYS_INLINE uint8_t record_open_flags(const struct session_record *record)
{
	return __atomic_load_n(&record->open_flags, __ATOMIC_RELAXED);
}

/// Did its player ever say something under the keys of a connection? Until then the WELCOMEs may all have been lost.
ALWAYS_INLINE bool record_was_used(const struct session_record *record)
{
	return record->used || record->replay.newest != 0;
}

/// A crash sees stores in program order, if the compiler leaves them so.
ALWAYS_INLINE void record_in_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/// The owner alone sets these. Other workers read the word that they are in: record_serves(). What was stored before
/// is there when a phase is seen, also by the process that comes after a crash.
ALWAYS_INLINE void record_set_phase(struct session_record *record, enum record_phase phase)
{
	__atomic_store_n(&record->phase, (uint8_t)phase, __ATOMIC_RELEASE);
}

ALWAYS_INLINE void record_set_max_datagram(struct session_record *record, uint16_t bytes)
{
	__atomic_store_n(&record->max_datagram, bytes, __ATOMIC_RELAXED);
}

/// A CONFIRM wants the connection: become its owner, unless somebody is. The session is looked at again afterwards,
/// because the supervisor gives a slot to another player only when it is not issued and has no owner.
/// @return false when another worker has it, or the session ended meanwhile
ALWAYS_INLINE bool record_claim(struct session_record *record, uint32_t session, uint8_t worker)
{
	uint8_t nobody = RECORD_NO_OWNER;

	if (!__atomic_compare_exchange_n(&record->owner, &nobody, worker, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	if (likely(__atomic_load_n(&record->session, __ATOMIC_SEQ_CST) == session))
		return true;
	__atomic_store_n(&record->owner, RECORD_NO_OWNER, __ATOMIC_RELEASE);
	return false;
}

/// The owner lets go: the last thing that it does to a record.
ALWAYS_INLINE void record_release(struct session_record *record)
{
	record_set_phase(record, RECORD_IDLE);
	__atomic_store_n(&record->owner, RECORD_NO_OWNER, __ATOMIC_RELEASE);
}

ALWAYS_INLINE uint8_t record_owner(const struct session_record *record)
{
	return __atomic_load_n(&record->owner, __ATOMIC_ACQUIRE);
}

/// In which world the player is: where a game process put it, or else as its ticket says, or else its listener.
/// @param by_listener  1 and its index; 0: none
/// @return likewise
ALWAYS_INLINE uint8_t record_world(const struct session_record *record, uint8_t by_listener)
{
	const uint8_t named = record->moved_to != RECORD_WORLD_UNNAMED ? record->moved_to : record->world;

	if (likely(named == RECORD_WORLD_UNNAMED))
		return by_listener;
	return named != RECORD_WORLD_NONE ? named : 0;
}

/// The player is in another world, and nowhere in it until the next record_move(). A crash in between leaves it nowhere.
/// @param world  RECORD_WORLD_NONE, or 1 and its index
ALWAYS_INLINE void record_change_world(struct session_record *record, uint8_t world)
{
	record->motion_version = 0;
	record_in_order();
	record->moved_to = world & 127U;
	record_in_order();
}

/// @param motion  a struct motion, of any alignment
ALWAYS_INLINE void record_move(struct session_record *record, const uint8_t *motion)
{
	record->motion_version++;
	__atomic_signal_fence(__ATOMIC_SEQ_CST); // a crash sees stores in program order
	memcpy(&record->motion, motion, sizeof(record->motion));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	record->motion_version++;
}

#endif

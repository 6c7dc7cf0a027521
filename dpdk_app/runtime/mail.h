// SPDX-License-Identifier: BSD-3-Clause
// runtime/mail.h: what workers have to say to each other, and the control thread to them: messages for players of
// another worker, datagrams whose session is another worker's, and sessions of another worker that are over.
//
// A mailbox for each pair, made once. A worker looks at one word to know whether there is mail, and says in the same
// word that it sleeps; who then writes to it rings its bell.

#ifndef POLLGATE_RUNTIME_MAIL_H
#define POLLGATE_RUNTIME_MAIL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/peer.h"
#include "pollgate.h"
#include "runtime/mailbox.h"
#include "session/relay.h"
#include "session/shard.h"

/// The number of the control thread, which writes to workers and is none.
#define MAIL_CONTROL PG_WORKERS_MAX

/// A datagram as it came to a worker who does not own its session.
struct mailed_datagram {
	struct peer peer;
	uint16_t length;
	uint8_t socket_index; // as in struct datagram_burst
	uint8_t payload[];
};

/// Where a worker's mail comes in.
struct mail_inbox {
	struct mailbox *from[PG_WORKERS_MAX + 1]; // set before the workers start; NULL: nobody
	int bell;                                 // eventfd of a worker that may sleep; -1: it does not

	// written by all
	_Atomic uint64_t waiting CACHE_ALIGNED; // bit n: from[n] has mail; MAIL_ASLEEP
};
#define MAIL_ASLEEP (1ULL << 63)
static_assert(PG_WORKERS_MAX < 63, "a bit for each writer");

/// The mailboxes of all workers of a process.
struct mailboxes {
	struct mail_inbox box[PG_WORKERS_MAX];
	uint32_t workers;
	size_t mailbox; // bytes of each
};

/// One writer's view of it, and one worker's.
struct mail {
	struct relay relay; // first: a relay of ours is a post
	struct mailboxes *mailboxes;
	uint64_t *messages; // counts those that we write; of the statistics page
	uint32_t number;    // of a worker, or MAIL_CONTROL
	uint64_t in_hand;   // bits of inbox.waiting that were taken and are not done with
	unsigned at;        // the one of them whose mail is being read: each has its turn
};

/// @param bells  the workers sleep
/// @return false: out of memory or descriptors; mailboxes_free() also then
bool mailboxes_make(struct mailboxes *mailboxes, uint32_t workers, bool bells);
void mailboxes_free(struct mailboxes *mailboxes);

/// @param messages  counts those that are written
void mail_init(struct mail *mail, struct mailboxes *mailboxes, uint32_t number, uint64_t *messages);

// ---------------------------------------------------------------- who writes

/// @return false when that worker has too much to do
bool mail_message(struct mail *mail, uint32_t owner, uint32_t session, const struct outgoing *message);

/// Tell of a session of that worker's that is over: session/older.h.
/// @return false when that worker has too much to do
bool mail_end(struct mail *mail, uint32_t owner, uint32_t session);

/// May a datagram be sent to that worker? When so, the next mail_datagram() is sure to be.
bool mail_has_room(struct mail *mail, uint32_t owner);
void mail_datagram(struct mail *mail, uint32_t owner, const struct peer *peer, uint8_t socket_index,
		   const uint8_t *payload, uint16_t length);

// ---------------------------------------------------------------- who reads

ALWAYS_INLINE bool mail_waits(const struct mail *mail)
{
	return mail->in_hand != 0 ||
	       atomic_load_explicit(&mail->mailboxes->box[mail->number].waiting, memory_order_relaxed) != 0;
}

/// Messages are delivered to sessions of `shard`, up to the first datagram.
/// @param left  in and out: how much mail may still be looked at in this turn, messages and datagrams
/// @return that datagram, which stays until mail_remove(); NULL: none, or nothing is left, and mail_waits() tells which
const struct mailed_datagram *mail_oldest_datagram(struct mail *mail, struct session_shard *shard, uint32_t *left,
						   uint64_t now);
void mail_remove(struct mail *mail);

/// From now on the bell rings for mail.
/// @return false: there is mail, do not sleep
bool mail_sleep(struct mail *mail);
void mail_wake(struct mail *mail);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// engine/socket/uring.h: what the io_uring engine's loop is given: a ring, and the buffers that its datagrams stay in.

#ifndef POLLGATE_URING_H
#define POLLGATE_URING_H

#include <liburing.h>
#include <stdint.h>

#include "engine/socket/socket.h"
#include "stats/error.h"

/// Submissions between two system calls: the answers of a burst, and every socket armed again.
#define URING_SUBMISSIONS 256

/// Buffers of a worker: as many as one huge page holds, with their ring. They have to hold what a turn receives while
/// the turn before is being sent: a burst or two; what comes faster waits in the socket's own buffer.
#ifndef URING_BUFFERS // a test has them run out
#define URING_BUFFERS 1024
#endif

/// Places for datagrams that no receive brought: what sessions say without having been asked, and what other workers
/// received for them. Two bursts: one that is being filled while one is on its way.
#define URING_PLACES (2 * BURST_MAX)

/// A buffer is in one completion of a receive, or in two of a send without copying (sent; the kernel has let go of it).
/// With one for the end of each receive, and those of the bells, they all fit, so that none can overflow.
#define URING_COMPLETIONS 4096
static_assert(URING_COMPLETIONS >=
		      2 * URING_BUFFERS + 2 * SOCKETS_PER_WORKER_MAX + 2 * URING_PLACES + 2 + URING_SUBMISSIONS,
	      "no overflow");

/// The group that the buffers are in; a ring has no other.
#define URING_GROUP 0

/// The header that a multishot recvmsg writes into a buffer.
struct uring_buffer {
	struct io_uring_recvmsg_out head;
	union {
		union socket_address from;
		uint8_t from_room[32]; // so that payloads begin at a multiple of 16
	};
	uint8_t payload[DATAGRAM_ROOM];
} CACHE_ALIGNED;
static_assert(offsetof(struct uring_buffer, payload) == sizeof(struct io_uring_recvmsg_out) + 32,
	      "the kernel's layout");

struct uring_buffers {
	// set before launch
	struct uring_buffer *buffer;
	struct io_uring_buf_ring *free; // those that the kernel may fill
	void *memory;
	size_t size;

	// written by the worker
	unsigned taken;    // seen in a completion, and not given back
	unsigned returned; // given back, but not yet shown to the kernel
};

/// A datagram of ours on its way out.
struct uring_place {
	union socket_address to;
	socklen_t to_length;
	uint8_t payload[DATAGRAM_ROOM] CACHE_ALIGNED;
};

struct uring_places {
	struct uring_place place[URING_PLACES];
	uint8_t free[URING_PLACES]; // stack of those that may be filled
	unsigned free_count;
};
static_assert(URING_PLACES <= UINT8_MAX + 1, "an index is a byte");

ALWAYS_INLINE void uring_place_return(struct uring_places *places, unsigned id)
{
	places->free[places->free_count++] = (uint8_t)id;
}

/// Why a system call of io_uring failed.
/// @param why  errno
int uring_error(uint32_t worker, int why, struct pg_error *error);

/// A ring that the calling thread makes and another will use.
int uring_make(struct io_uring *ring, uint32_t worker, struct pg_error *error);

/// The ring is the calling thread's from now on.
/// @return false when it is not one that waited for it
bool uring_enable(struct io_uring *ring);

/// Buffers, and all of them free. Freed only when the ring is gone.
/// @param  pages  enum pg_pages
int uring_buffers_make(struct uring_buffers *b, struct io_uring *ring, uint32_t worker, uint8_t pages,
		       struct pg_error *error);
void uring_buffers_free(struct uring_buffers *b);

ALWAYS_INLINE void uring_buffer_return(struct uring_buffers *b, uint16_t id)
{
	io_uring_buf_ring_add(b->free, &b->buffer[id], sizeof(struct uring_buffer), id, URING_BUFFERS - 1,
			      (int)b->returned++);
}

/// Those that were given back are the kernel's again.
ALWAYS_INLINE void uring_buffers_show(struct uring_buffers *b)
{
	io_uring_buf_ring_advance(b->free, (int)b->returned);
	b->taken -= b->returned;
	b->returned = 0;
}

#endif

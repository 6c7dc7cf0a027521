// SPDX-License-Identifier: BSD-3-Clause
// engine/socket/uring_worker.h: a worker of the io_uring engine, and how its datagrams leave.

#ifndef POLLGATE_URING_WORKER_H
#define POLLGATE_URING_WORKER_H

#include "engine/socket/socket.h"
#include "engine/socket/uring.h"

/// The operation that completed: the upper half of user_data. Below it are a socket, and below that a buffer or place.
enum subject { SUBJECT_RECEIVE, SUBJECT_SEND, SUBJECT_SEND_PLACE, SUBJECT_CANCEL, SUBJECT_BELL, SUBJECT_GAMES };

/// Where receiving at a socket stands.
struct reception {
	bool armed;
	uint64_t retry_at; // TSC
};

/// A datagram that leaves without a copy, should it have to be sent again with one.
struct uncopied {
	uint16_t length;
	bool again;
};

/// The arguments of sendmsg, valid until the kernel has taken the submission.
struct message {
	struct msghdr head;
	struct iovec part;
};

struct turn {
	uint64_t began;   // TSC, when its completions were there
	unsigned took;    // datagrams
	unsigned answers; // of them
	unsigned others;  // other workers' datagrams, and what was sent without having been asked
};

struct uring_worker {
	struct socket_worker common;

	// read-mostly: set before launch
	bool made; // there is a ring
	uint32_t zero_copy_bytes;
	struct msghdr shape; // of what is received

	// written by the worker
	struct io_uring ring CACHE_ALIGNED;
	struct uring_buffers buffers;
	unsigned armed;   // sockets
	unsigned sending; // answers whose fate is not yet known
	struct reception reception[SOCKETS_PER_WORKER_MAX];
	struct message message[URING_SUBMISSIONS]; // by position in the submission queue
	struct uring_places places;
	struct uncopied uncopied_answer[URING_BUFFERS]; // by buffer
	struct uncopied uncopied_place[URING_PLACES];   // by place
	uint64_t rings;                                 // of the bell; the kernel writes it
	bool listens;                                   // to the bell
	bool listens_to_games;                          // to those of game processes

	// the burst in hand
	uint16_t id[BURST_MAX]; // of its buffers
	uint8_t at[BURST_MAX];  // index of its sockets

	struct turn turn; // the one in hand
};

ALWAYS_INLINE uint64_t uring_about(enum subject subject, unsigned socket, unsigned id)
{
	return (uint64_t)subject << 32 | socket << 16 | id;
}

/// @return NULL when the kernel takes no submissions now
ALWAYS_INLINE struct io_uring_sqe *uring_next_submission(struct uring_worker *w)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&w->ring);

	if (likely(sqe))
		return sqe;
	io_uring_submit(&w->ring);
	return io_uring_get_sqe(&w->ring);
}

/// Answers to the submission queue, buffers of all others back to the kernel.
void uring_send_answers(struct uring_worker *w, const struct datagram_burst *burst, unsigned n);

/// The datagram that lies in a place.
void uring_send_place(struct uring_worker *w, uint8_t id, const struct peer *peer, unsigned socket, uint16_t length);

/// A datagram left or did not; without copying, the kernel says later that it has let go of the buffer.
void uring_end_send(struct uring_worker *w, const struct io_uring_cqe *cqe);

#endif

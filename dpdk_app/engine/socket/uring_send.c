// SPDX-License-Identifier: BSD-3-Clause
// engine/socket/uring_send.c: how datagrams leave by a ring: from where they lie, with a copy or without.

#include <errno.h>

#include "engine/socket/uring_worker.h"

/// A datagram of ours: where it lies, whom it is for, and by which socket it leaves.
struct dispatch {
	void *payload;
	uint16_t length;
	void *to;
	socklen_t to_length;
	unsigned socket;
	uint64_t about; // user_data
	bool copy;      // whatever its length
};

/// The record of what a user_data is about.
static struct uncopied *uncopied_of(struct uring_worker *w, uint64_t about)
{
	return about >> 32 == SUBJECT_SEND ? &w->uncopied_answer[(uint16_t)about] : &w->uncopied_place[(uint8_t)about];
}

/// @return false when the kernel takes no submissions: counted as dropped, and what it lies in is the caller's
static bool dispatch(struct uring_worker *w, const struct dispatch *d)
{
	struct io_uring_sqe *sqe = uring_next_submission(w);
	struct message *message;

	if (unlikely(!sqe)) {
		counter_add(&w->common.common.stats->tx_dropped[PG_TX_DROP_QUEUE_FULL], 1);
		return false;
	}
	message = &w->message[sqe - w->ring.sq.sqes];
	message->part = (struct iovec){d->payload, d->length};
	message->head = (struct msghdr){
		.msg_name = d->to,
		.msg_namelen = d->to_length,
		.msg_iov = &message->part,
		.msg_iovlen = 1,
	};
	if (d->length >= w->zero_copy_bytes && !d->copy) {
		uncopied_of(w, d->about)->length = d->length;
		io_uring_prep_sendmsg_zc(sqe, (int)d->socket, &message->head, MSG_DONTWAIT);
	} else {
		io_uring_prep_sendmsg(sqe, (int)d->socket, &message->head, MSG_DONTWAIT);
	}
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, d->about);
	w->sending++;
	return true;
}

/// The answer in a buffer, to the peer that its request came from.
static struct dispatch answer_in(struct uring_worker *w, unsigned socket, uint16_t id, uint16_t length)
{
	struct uring_buffer *buffer = &w->buffers.buffer[id];

	return (struct dispatch){
		.payload = buffer->payload,
		.length = length,
		.to = &buffer->from,
		.to_length = buffer->head.namelen,
		.socket = socket,
		.about = uring_about(SUBJECT_SEND, socket, id),
	};
}

/// The datagram in a place, to its addressee.
static struct dispatch datagram_in(struct uring_worker *w, unsigned socket, uint8_t id, uint16_t length)
{
	struct uring_place *place = &w->places.place[id];

	return (struct dispatch){
		.payload = place->payload,
		.length = length,
		.to = &place->to,
		.to_length = place->to_length,
		.socket = socket,
		.about = uring_about(SUBJECT_SEND_PLACE, socket, id),
	};
}

static void send_answer(struct uring_worker *w, unsigned socket, uint16_t id, uint16_t length)
{
	const struct dispatch d = answer_in(w, socket, id, length);

	if (unlikely(!dispatch(w, &d)))
		uring_buffer_return(&w->buffers, id);
}

void uring_send_place(struct uring_worker *w, uint8_t id, const struct peer *peer, unsigned socket, uint16_t length)
{
	struct uring_place *place = &w->places.place[id];

	place->to_length = address_of_peer(&place->to, peer);

	const struct dispatch d = datagram_in(w, socket, id, length);

	if (unlikely(!dispatch(w, &d)))
		uring_place_return(&w->places, id);
}

void uring_send_answers(struct uring_worker *w, const struct datagram_burst *burst, unsigned n)
{
	counter_add(&w->common.common.stats->tx_offered, n - burst->unanswered);
	for (unsigned i = 0; i < n; i++) {
		if (likely(burst->drop[i] == PG_DROP_NONE))
			send_answer(w, w->at[i], w->id[i], burst->length[i]);
		else
			uring_buffer_return(&w->buffers, w->id[i]);
	}
}

/// The kernel charges what it sends without a copy to the locked memory of the user; a copy needs none. The kernel
/// lets go of the first attempt with a second completion, also when it failed.
static bool needs_copy(const struct io_uring_cqe *cqe)
{
	return (cqe->res == -ENOMEM || cqe->res == -ENOBUFS) && cqe->flags & IORING_CQE_F_MORE;
}

static void count_outcome(struct uring_worker *w, const struct io_uring_cqe *cqe)
{
	const struct udp_socket *s = &w->common.socket[(cqe->user_data >> 16) & UINT16_MAX];

	w->sending--;
	if (likely(cqe->res >= 0))
		count_sent(&w->common, s, 1, (unsigned)cqe->res);
	else
		sockets_not_sent(&w->common, s, -cqe->res);
}

/// @return false when it cannot leave: counted as dropped
static COLD bool send_copy(struct uring_worker *w, uint64_t about)
{
	struct uncopied *uncopied = uncopied_of(w, about);
	const unsigned socket = (about >> 16) & UINT16_MAX;
	struct dispatch d = about >> 32 == SUBJECT_SEND ? answer_in(w, socket, (uint16_t)about, uncopied->length) :
							  datagram_in(w, socket, (uint8_t)about, uncopied->length);

	d.copy = true;
	uncopied->again = false;
	w->sending--; // as the attempt that failed
	return dispatch(w, &d);
}

void uring_end_send(struct uring_worker *w, const struct io_uring_cqe *cqe)
{
	const bool released = cqe->flags & IORING_CQE_F_NOTIF;

	if (unlikely(needs_copy(cqe)))
		uncopied_of(w, cqe->user_data)->again = true;
	else if (!released)
		count_outcome(w, cqe);
	if (cqe->flags & IORING_CQE_F_MORE)
		return;
	if (released && unlikely(uncopied_of(w, cqe->user_data)->again) && send_copy(w, cqe->user_data))
		return;
	if (likely(cqe->user_data >> 32 == SUBJECT_SEND))
		uring_buffer_return(&w->buffers, (uint16_t)cqe->user_data);
	else
		uring_place_return(&w->places, (uint8_t)cqe->user_data);
}

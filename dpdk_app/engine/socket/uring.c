// SPDX-License-Identifier: BSD-3-Clause
// engine/socket/uring.c: the io_uring engine: the kernel receives into our buffers by itself, and one system call a turn hands
// over the answers and fetches what came meanwhile.
//
// A datagram stays in the buffer that the kernel chose for it, becomes its own answer there, and leaves from there.

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <time.h>

#include "engine/socket/uring_worker.h"
#include "runtime/game_links.h"

/// How long the end waits for answers that the kernel has not let go of.
#define FINISH_MS 1000

// ---------------------------------------------------------------- receive

static void arm(struct uring_worker *w, unsigned socket)
{
	struct io_uring_sqe *sqe = uring_next_submission(w);

	if (!sqe)
		return; // the next turn tries again
	io_uring_prep_recvmsg_multishot(sqe, (int)socket, &w->shape, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE;
	sqe->buf_group = URING_GROUP;
	io_uring_sqe_set_data64(sqe, uring_about(SUBJECT_RECEIVE, socket, 0));
	w->reception[socket].armed = true;
	w->armed++;
}

/// A receive that goes on by itself ends all the same: with the last free buffer, or an error.
static void arm_sockets(struct uring_worker *w, uint64_t now)
{
	if (likely(w->armed == w->common.socket_count) || w->buffers.taken == URING_BUFFERS)
		return;
	for (unsigned i = 0; i < w->common.socket_count; i++)
		if (!w->reception[i].armed && now >= w->reception[i].retry_at)
			arm(w, i);
}

COLD static void end_reception(struct uring_worker *w, unsigned socket, int result)
{
	w->reception[socket].armed = false;
	w->armed--;
	// Being out of buffers ends when one comes back; anything else may last.
	if (result < 0 && result != -ENOBUFS)
		w->reception[socket].retry_at = pg_tsc() + w->common.wait_cycles; // a socket rests after an error
}

/// @return datagrams that this completion adds to the burst
static unsigned receive_one(struct uring_worker *w, const struct io_uring_cqe *cqe, struct datagram_burst *burst,
			    unsigned n)
{
	const unsigned socket = (cqe->user_data >> 16) & UINT16_MAX;
	const uint16_t id = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
	const struct udp_socket *s = &w->common.socket[socket];
	struct uring_buffer *buffer = &w->buffers.buffer[id];

	if (unlikely(!(cqe->flags & IORING_CQE_F_MORE)))
		end_reception(w, socket, cqe->res);
	if (unlikely(!(cqe->flags & IORING_CQE_F_BUFFER)))
		return 0;
	w->buffers.taken++;
	if (unlikely(cqe->res < (int)offsetof(struct uring_buffer, payload))) {
		uring_buffer_return(&w->buffers, id);
		return 0;
	}
	w->id[n] = id;
	w->at[n] = (uint8_t)socket;
	peer_of_address(&burst->peer[n], &buffer->from, s->listener);
	burst->payload[n] = buffer->payload;
	burst->length[n] = (uint16_t)buffer->head.payloadlen;
	burst->socket_index[n] = (uint8_t)socket;
	count_arrived(s, 1, buffer->head.payloadlen);
	return 1;
}

// ---------------------------------------------------------------- without having been asked

/// The kernel completes this read when mail comes while we sleep.
static void listen_to_bell(struct uring_worker *w)
{
	const int bell = sockets_bell(&w->common);
	struct io_uring_sqe *sqe = !w->listens && bell >= 0 ? uring_next_submission(w) : NULL;

	if (!sqe)
		return;
	io_uring_prep_read(sqe, bell, &w->rings, sizeof(w->rings), 0);
	io_uring_sqe_set_data64(sqe, uring_about(SUBJECT_BELL, 0, 0));
	w->listens = true;
}

static void listen_to_games(struct uring_worker *w)
{
	const int bells = game_bells(&w->common.common);
	struct io_uring_sqe *sqe = !w->listens_to_games && bells >= 0 ? uring_next_submission(w) : NULL;

	if (!sqe)
		return;
	io_uring_prep_poll_add(sqe, bells, POLLIN);
	io_uring_sqe_set_data64(sqe, uring_about(SUBJECT_GAMES, 0, 0));
	w->listens_to_games = true;
}

static void end_listening(struct uring_worker *w, unsigned subject)
{
	if (subject == SUBJECT_BELL)
		w->listens = false;
	if (subject != SUBJECT_GAMES)
		return;
	game_silence(&w->common.common);
	w->listens_to_games = false;
}

/// Take n of the free places.
/// @param id  out: which
static void take_places(struct uring_worker *w, uint8_t **payload, uint8_t *id, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		id[i] = w->places.free[w->places.free_count - 1 - i];
		payload[i] = w->places.place[id[i]].payload;
	}
}

static unsigned free_places(const struct uring_worker *w, unsigned most)
{
	return w->places.free_count < most ? w->places.free_count : most;
}

/// Mail of other workers, and datagrams that they received for our sessions.
static COLD unsigned serve_mail(struct worker *common, uint32_t most, uint64_t now)
{
	struct uring_worker *w = (struct uring_worker *)common;
	struct datagram_burst burst;
	uint8_t id[BURST_MAX];
	const unsigned room = free_places(w, most);
	unsigned n;

	take_places(w, burst.payload, id, room);
	n = sockets_take_mail(&w->common, &burst, room, most, now);
	if (n == 0)
		return 0;
	w->common.run(&w->common.inbox_ingress, &burst, n, now);
	counter_add(&common->stats->tx_offered, n - burst.unanswered);
	w->turn.answers += n - burst.unanswered;
	w->places.free_count -= n;
	for (unsigned i = 0; i < n; i++)
		if (burst.drop[i] == PG_DROP_NONE)
			uring_send_place(w, id[i], &burst.peer[i], burst.socket_index[i], burst.length[i]);
		else
			uring_place_return(&w->places, id[i]);
	return n;
}

/// What sessions have to say without having been asked.
static unsigned send_egress(struct worker *common, const struct egress_source *source, void *of, uint32_t most,
			    uint64_t now)
{
	struct uring_worker *w = (struct uring_worker *)common;
	struct datagram_egress out;
	uint8_t id[BURST_MAX];
	const unsigned room = sockets_have_room(&w->common, now) ? free_places(w, most) : 0;
	unsigned n;

	take_places(w, out.payload, id, room);
	n = room > 0 ? source->datagrams(of, &out, room, now) : 0;
	assert(n <= room);
	counter_add(&common->stats->tx_offered, n);
	w->places.free_count -= n;
	for (unsigned i = 0; i < n; i++)
		uring_send_place(w, id[i], &out.peer[i], out.socket_index[i], out.length[i]);
	return n;
}

static const struct engine_parts parts = {
	.use_policy = sockets_use_policy,
	.serve_mail = serve_mail,
	.send_egress = send_egress,
	.slots = SOCKET_SWEPT_AT_ONCE,
};

// ---------------------------------------------------------------- loop

/// Take the kernel's completions, up to a burst of datagrams.
/// @return how many they are
static unsigned take_completions(struct uring_worker *w, struct datagram_burst *burst)
{
	struct io_uring_cqe *cqe;
	unsigned head, seen = 0, n = 0;

	io_uring_for_each_cqe(&w->ring, head, cqe)
	{
		if (n == BURST_MAX)
			break;
		if (cqe->user_data >> 32 == SUBJECT_RECEIVE)
			n += receive_one(w, cqe, burst, n);
		else if (cqe->user_data >> 32 == SUBJECT_SEND || cqe->user_data >> 32 == SUBJECT_SEND_PLACE)
			uring_end_send(w, cqe);
		else
			end_listening(w, (unsigned)(cqe->user_data >> 32));
		seen++;
	}
	io_uring_cq_advance(&w->ring, seen);
	return n;
}

/// The last turn's answers go. What came meanwhile is fetched in the same system call, unless more is there already, or is to
/// gather first.
/// @return TSC
static uint64_t leave(struct uring_worker *w, bool gathers, uint64_t now)
{
	const struct turn *turn = &w->turn;
	uint64_t left;

	if (gathers || turn->took == BURST_MAX)
		io_uring_submit(&w->ring);
	else
		io_uring_submit_and_get_events(&w->ring);
	left = pg_tsc();
	worker_count_turn(&w->common.common, true, now, left);
	if (turn->answers > 0)
		worker_count_handling(&w->common.common, turn->answers, left - turn->began);
	return left;
}

/// @return TSC
static uint64_t woken(struct uring_worker *w, uint64_t slept_from)
{
	const uint64_t now = pg_tsc();

	sockets_wake(&w->common);
	worker_count_nap(&w->common.common, slept_from, now);
	return now;
}

/// Sleep until something comes.
static uint64_t nap(struct uring_worker *w, uint64_t ns, uint64_t now)
{
	struct __kernel_timespec patience = {.tv_nsec = (long long)ns};
	struct io_uring_cqe *first;

	io_uring_submit_and_wait_timeout(&w->ring, &first, 1, &patience, NULL);
	return woken(w, now);
}

/// Sleep whatever comes. A wait for many completions costs more and ends no sooner: findings/io-uring-wait-multishot.sh.
static uint64_t gather(struct uring_worker *w, uint64_t ns, uint64_t now)
{
	const struct timespec pause = {.tv_nsec = (long)ns};

	nanosleep(&pause, NULL);
	io_uring_get_events(&w->ring);
	return woken(w, now);
}

/// @return TSC, when completions are there
static uint64_t enter(struct uring_worker *w, uint64_t now)
{
	const unsigned served = w->turn.took + w->turn.others;
	uint64_t most, coalesce;

	if (served >= BURST_MAX)
		return leave(w, false, now);
	most = sockets_sleep(&w->common, now);
	if (served == 0)
		return nap(w, most, now);
	coalesce = sockets_coalesce(&w->common, served, most);
	now = leave(w, coalesce > 0, now);
	if (coalesce > 0)
		return gather(w, coalesce, now);
	sockets_wake(&w->common);
	return now;
}

/// What came, and the answers to it, which the next turn hands over.
static void receive(struct uring_worker *w)
{
	struct turn *turn = &w->turn;
	struct datagram_burst burst;

	turn->took = take_completions(w, &burst);
	turn->answers = 0;
	if (turn->took > 0) {
		count_burst(&w->common, turn->took);
		w->common.run(&w->common.ingress, &burst, turn->took, turn->began);
		turn->answers = turn->took - burst.unanswered;
		if (unlikely(burst.unanswered > 0))
			sockets_hand_over(&w->common, &burst, turn->took);
		uring_send_answers(w, &burst, turn->took);
	}
	uring_buffers_show(&w->buffers);
}

static void run_turn(struct uring_worker *w)
{
	struct worker *common = &w->common.common;
	struct turn *turn = &w->turn;
	const uint64_t entered = enter(w, pg_tsc());

	turn->began = entered;
	off_cpu_mark_handling(&common->off_cpu);
	receive(w);
	turn->others = tasks_run(&common->tasks, entered);
	worker_count_turn(common, turn->took + turn->others != 0, entered, pg_tsc());
}

// ---------------------------------------------------------------- end

static void disarm_sockets(struct uring_worker *w)
{
	for (unsigned i = 0; i < w->common.socket_count; i++) {
		struct io_uring_sqe *sqe = w->reception[i].armed ? uring_next_submission(w) : NULL;

		if (!sqe)
			continue;
		io_uring_prep_cancel64(sqe, uring_about(SUBJECT_RECEIVE, i, 0), 0);
		io_uring_sqe_set_data64(sqe, uring_about(SUBJECT_CANCEL, i, 0));
	}
}

/// Answer what was received, and wait until every answer is known to have left or not.
static void finish(struct uring_worker *w)
{
	const uint64_t deadline = pg_tsc() + FINISH_MS * (pg_tsc_hz() / 1000);

	disarm_sockets(w);
	while (w->armed > 0 && pg_tsc() < deadline)
		run_turn(w);
	sockets_egress(&w->common);
	while ((w->buffers.taken > 0 || w->sending > 0 || sockets_expect_mail(&w->common)) && pg_tsc() < deadline)
		run_turn(w);
	counter_add(&w->common.common.stats->tx_dropped[PG_TX_DROP_QUEUE_FULL], w->sending);
}

static void *uring_loop(void *argument)
{
	struct uring_worker *w = argument;

	sockets_begin(&w->common, &parts);
	if (!uring_enable(&w->ring)) {
		sockets_egress(&w->common);
		return sockets_return(&w->common); // no turn: pg_start tells
	}
	io_uring_register_ring_fd(&w->ring); // where it fails, the kernel looks the ring up at each call
	while (!worker_stops(&w->common.common)) {
		arm_sockets(w, pg_tsc());
		listen_to_bell(w);
		listen_to_games(w);
		run_turn(w);
	}
	finish(w);
	io_uring_unregister_files(&w->ring); // the ring ends later than this thread, and would keep the ports
	return sockets_return(&w->common);
}

// ---------------------------------------------------------------- life

/// The kernel then need not look each up for each datagram.
static int register_sockets(struct uring_worker *w, struct pg_error *error)
{
	int fd[SOCKETS_PER_WORKER_MAX], rc;

	for (unsigned i = 0; i < w->common.socket_count; i++)
		fd[i] = w->common.socket[i].fd;
	rc = io_uring_register_files(&w->ring, fd, w->common.socket_count);
	return rc == 0 ? PG_OK : uring_error(w->common.common.number, -rc, error);
}

static int attach(struct pg_gateway *g, struct worker *common, struct pg_error *error)
{
	const struct pg_socket_plan *plan = &g->plan.sockets;
	struct uring_worker *w = (struct uring_worker *)common;
	int rc = sockets_attach(g, common, error);

	if (rc != PG_OK)
		return rc;
	w->zero_copy_bytes = plan->zero_copy_bytes > 0 ? plan->zero_copy_bytes : UINT32_MAX;
	for (unsigned id = 0; id < URING_PLACES; id++)
		uring_place_return(&w->places, id);
	w->shape.msg_namelen = sizeof(((struct uring_buffer *)NULL)->from_room);
	rc = uring_make(&w->ring, common->number, error);
	w->made = rc == PG_OK;
	if (w->made)
		rc = register_sockets(w, error);
	return rc == PG_OK ? uring_buffers_make(&w->buffers, &w->ring, common->number, plan->pages, error) : rc;
}

static int launch(struct pg_gateway *g, struct worker *w, struct pg_error *error)
{
	return sockets_launch(g, w, uring_loop, error);
}

static void detach(struct worker *common)
{
	struct uring_worker *w = (struct uring_worker *)common;

	if (w->made)
		io_uring_queue_exit(&w->ring);
	uring_buffers_free(&w->buffers);
	sockets_detach(common);
}

const struct engine io_uring_engine = {
	.worker_size = sizeof(struct uring_worker),
	.open = sockets_open,
	.attach = attach,
	.launch = launch,
	.has_returned = sockets_have_returned,
	.join = sockets_join,
	.housekeep = sockets_housekeep,
	.detach = detach,
	.close = sockets_close,
};

// SPDX-License-Identifier: BSD-3-Clause
// test_game_switch.c: a gateway whose game process is followed by another again and again, while its workers run: every order is
// carried out once, from a file that is sealed. ThreadSanitizer runs it, too.

#include "unit.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "appliance.h"
#include "bus/file.h"
#include "bus/memory.h"
#include "bus/records.h"
#include "bus/wait.h"

#define RING RING_BYTES_MIN
#define WORKERS 2U
#define PROCESSES 20U // one after the other
#define ORDERS 1000U  // of each to each worker
#define A_MINUTE_MS 60000U

struct end {
	int worker_fd, process_fd, bell;
	struct memory_file theirs, ours;
	struct ring_writer writer;
};

static struct appliance appliance;
static struct end end[WORKERS];

static void check(int result)
{
	if (result < 0)
		fail_msg("%s", appliance.error.message);
}

// ---------------------------------------------------------------- the process

static void open_end(struct end *e)
{
	const size_t bytes = bus_file_bytes(RING);
	char why[200];

	assert_true(memory_file_map(&e->theirs, e->worker_fd, bytes, why, sizeof(why)));
	assert_true(memory_file_map_for_writing(&e->ours, e->process_fd, bytes, why, sizeof(why)));
	assert_int_equal(ring_writer_attach(&e->writer, &((struct bus_file *)e->ours.at)->writer,
					    &((const struct bus_file *)e->theirs.at)->reader, RING),
			 RING_OK);
}

static void close_end(struct end *e)
{
	memory_file_close(&e->theirs);
	memory_file_close(&e->ours);
}

/// Whoever reads may sleep.
static void show(struct end *e)
{
	const uint64_t one = 1;

	ring_commit(&e->writer);
	shared_fence();
	if (shared_acquire32(&e->writer.reader->sleeps) % 2 != 0)
		assert_int_equal(write(e->bell, &one, sizeof(one)), sizeof(one));
}

/// Of a player who is not there.
static void order(struct end *e)
{
	const struct timespec pause = {.tv_nsec = 100000};
	void *body;

	while (ring_reserve(&e->writer, sizeof(struct game_ask), GAME_ASK, &body) != RING_OK) {
		show(e);
		nanosleep(&pause, NULL);
	}
	*(struct game_ask *)body = (struct game_ask){.player = 99};
}

/// Dies in the middle of an order.
static void *live(void *unused UNUSED)
{
	for (unsigned i = 0; i < ORDERS; i++)
		for (unsigned w = 0; w < WORKERS; w++) {
			order(&end[w]);
			if (i % 7 == 0 || i + 1 == ORDERS)
				show(&end[w]);
		}
	for (unsigned w = 0; w < WORKERS; w++)
		order(&end[w]);
	return NULL;
}

// ---------------------------------------------------------------- the supervisor

static void start(void)
{
	struct pg_plan *plan = &appliance.plan;

	appliance_plan(&appliance, PG_ENGINE_EPOLL, WORKERS, 16);
	plan->listener_profile[0] = PG_PROFILE_SESSION;
	plan->issued_capacity = 16;
	plan->message_memory_mib = 16;
	plan->policy.game.read_budget_us = 100;
	appliance_prepare(&appliance);
	appliance_start(&appliance);
	for (uint32_t w = 0; w < WORKERS; w++) {
		struct pg_game_rings rings = {.worker = w, .ring_bytes = RING, .process_fd = -1};

		end[w] = (struct end){.process_fd = -1, .bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
		rings.bell_fd = end[w].bell;
		rings.worker_fd = end[w].worker_fd = pg_game_file("worker", RING, false, -1, &appliance.error);
		check(rings.worker_fd);
		check(pg_game_attach(appliance.gateway, &rings, &appliance.error));
		check(pg_game_seal(end[w].worker_fd, &appliance.error));
	}
}

static void stop(void)
{
	appliance_stop(&appliance);
	appliance_give_up(&appliance);
	for (unsigned w = 0; w < WORKERS; w++) {
		close(end[w].worker_fd);
		close(end[w].process_fd);
		close(end[w].bell);
	}
}

/// @param read  up to where the process before it had read
static void give(struct end *e, uint64_t read)
{
	struct memory_file worker;
	char why[200];
	int fd;

	assert_true(memory_file_map(&worker, e->worker_fd, bus_file_bytes(RING), why, sizeof(why)));
	fd = pg_game_next_file("process", RING, false, e->process_fd,
			       ((const struct bus_file *)worker.at)->reader.released, read, &appliance.error);
	memory_file_close(&worker);
	check(fd);
	if (e->process_fd >= 0)
		close(e->process_fd);
	e->process_fd = fd;
}

static void hear_all(void)
{
	for (uint32_t w = 0; w < WORKERS; w++) {
		struct pg_error error;

		assert_true(pg_game_hear(appliance.gateway, 0, w, end[w].process_fd, &error) != PG_OK); // not sealed
		check(pg_game_seal(end[w].process_fd, &appliance.error));
		check(pg_game_hear(appliance.gateway, 0, w, end[w].process_fd, &appliance.error));
		assert_true(pg_game_hear(appliance.gateway, 0, w, end[w].process_fd, &error) != PG_OK); // is heard
	}
}

static void end_all(uint64_t *read)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	int next[WORKERS], bell[WORKERS];

	for (uint32_t w = 0; w < WORKERS; w++) {
		struct pg_error error;

		next[w] = pg_game_blank_file("worker", RING, false, &appliance.error);
		bell[w] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		check(next[w]);
		check(pg_game_end(appliance.gateway, 0, w, next[w], bell[w], &appliance.error));
		assert_true(pg_game_end(appliance.gateway, 0, w, next[w], bell[w], &error) != PG_OK); // is asked for
	}
	for (unsigned i = 0; !pg_game_ended(appliance.gateway, 0, read); i++) {
		assert_true(i < A_MINUTE_MS);
		nanosleep(&pause, NULL);
	}
	for (uint32_t w = 0; w < WORKERS; w++) {
		check(pg_game_seal(next[w], &appliance.error));
		close(end[w].worker_fd);
		close(end[w].bell);
		end[w].worker_fd = next[w];
		end[w].bell = bell[w];
	}
}

static uint64_t orders(unsigned worker)
{
	return counter_get(&appliance.page->worker[worker].process[0].orders);
}

// ---------------------------------------------------------------- tests

static void every_order_of_each_process_is_carried_out_once(void **state UNUSED)
{
	uint64_t read[WORKERS] = {0};

	start();
	for (unsigned p = 1; p <= PROCESSES; p++) {
		pthread_t process;

		for (unsigned w = 0; w < WORKERS; w++) {
			give(&end[w], read[w]);
			open_end(&end[w]);
		}
		assert_int_equal(pthread_create(&process, NULL, live, NULL), 0); // says something at once
		hear_all();
		pthread_join(process, NULL);
		end_all(read);
		for (unsigned w = 0; w < WORKERS; w++) {
			assert_int_equal(orders(w), p * ORDERS);
			close_end(&end[w]);
		}
	}
	stop();
}

/// It goes on writing when it is gone, as fast as it can: that makes no difference to whoever comes next.
static void who_is_gone_and_still_writes_is_followed_all_the_same(void **state UNUSED)
{
	uint64_t read[WORKERS] = {0};

	start();
	for (unsigned p = 0; p < PROCESSES; p++) {
		pthread_t process;
		uint64_t ended[WORKERS];

		for (unsigned w = 0; w < WORKERS; w++) {
			give(&end[w], read[w]);
			open_end(&end[w]);
		}
		hear_all();
		assert_int_equal(pthread_create(&process, NULL, live, NULL), 0);
		end_all(read);
		for (unsigned w = 0; w < WORKERS; w++)
			ended[w] = orders(w);
		pthread_cancel(process);
		pthread_join(process, NULL);
		for (unsigned w = 0; w < WORKERS; w++) {
			assert_int_equal(orders(w), ended[w]);
			close_end(&end[w]);
		}
	}
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_of_each_process_is_carried_out_once),
		cmocka_unit_test(who_is_gone_and_still_writes_is_followed_all_the_same),
	};

	return cmocka_run_group_tests_name("game_switch", tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// appliance.c: see appliance.h.

#include "appliance.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "compiler.h"

// Below those that the kernel chooses, and claimed by name, as in pyshim/bench/rig/ports.py.
enum { FIRST_PORT = 18000, CLAIMABLE_PORTS = 14000, STRIDE = 997 };

static bool claim(uint16_t port)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX}; // its first byte is 0: no file
	const int length = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "pollgate-port-%u", port);
	const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_return_code(fd, errno);
	if (bind(fd, (const struct sockaddr *)&name, size) == 0)
		return true; // open until the process ends
	close(fd);
	return false;
}

static bool is_free(uint16_t port)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const int rc = bind(fd, (const struct sockaddr *)&address, sizeof(address));

	close(fd);
	return rc == 0;
}

uint16_t free_port(void)
{
	static uint32_t tried;
	const uint32_t start = (uint32_t)getpid() * STRIDE;

	for (uint32_t i = 0; i < CLAIMABLE_PORTS; i++) {
		const uint16_t port = (uint16_t)(FIRST_PORT + (start + tried++) % CLAIMABLE_PORTS);

		if (claim(port) && is_free(port))
			return port;
	}
	fail_msg("no port is free");
	return 0;
}

void appliance_plan(struct appliance *a, uint8_t engine, uint32_t workers, uint32_t capacity)
{
	struct pg_plan *plan = &a->plan;

	memset(a, 0, sizeof(*a));
	plan->abi_version = PG_ABI_VERSION;
	plan->engine = engine;
	plan->port_count = 1;
	plan->listener_count = 1;
	plan->listener_port[0] = free_port();
	plan->worker_count = workers;
	for (uint32_t i = 0; i < workers; i++)
		plan->worker[i].cpu = i % (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	plan->session_capacity = capacity;
	strcpy(plan->isa, "auto");
	strcpy(plan->port[0].name, "lo");
	plan->port[0].address_count = 1;
	plan->port[0].address[0] = (struct pg_address){.family = 4, .prefix_len = 8, .bytes = {127, 0, 0, 1}};
	plan->sockets.receive_buffer_bytes = plan->sockets.send_buffer_bytes = 4 << 20;
	plan->sockets.pages = PG_PAGES_HUGE_IF_FREE;
	plan->policy.idle_timeout_ns = 60000000000ULL;
}

void appliance_prepare(struct appliance *a)
{
	const struct pg_state_plan state = {
		.capacity = a->plan.session_capacity,
		.workers = a->plan.worker_count,
		.issued_capacity = a->plan.issued_capacity,
		.netcode_capacity = a->plan.netcode.capacity,
	};

	a->page = calloc(1, pg_stats_page_size());
	a->state_size = pg_state_size_for(&state);
	a->state = mmap(NULL, a->state_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_non_null(a->page);
	assert_true(a->state != MAP_FAILED);
	assert_int_equal(pg_state_init_for(a->state, a->state_size, &state, &a->error), PG_OK);
	pg_stats_page_init(a->page, state.workers, 1, 0);
}

void appliance_give_up(struct appliance *a)
{
	free(a->page);
	pg_state_release(a->state);
	munmap(a->state, a->state_size);
}

void appliance_start(struct appliance *a)
{
	a->gateway = pg_open(&a->plan, a->page, a->state, a->state_size, &a->error);
	if (!a->gateway)
		fail_msg("%s", a->error.message);
	if (pg_start(a->gateway, &a->error) != PG_OK)
		fail_msg("%s", a->error.message);
}

void appliance_stop(struct appliance *a)
{
	if (pg_stop(a->gateway, SETTLE_MS, &a->error) != PG_OK)
		fail_msg("%s", a->error.message);
	pg_close(a->gateway);
	a->gateway = NULL;
}

uint64_t sum(const uint64_t *counters, unsigned n)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < n; i++)
		total += counters[i];
	return total;
}

uint64_t appliance_total(const struct appliance *a, size_t counter)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < a->plan.worker_count; i++)
		all += counter_get((const uint64_t *)((const uint8_t *)&a->page->worker[i] + counter));
	return all;
}

void appliance_assert_conserved(const struct appliance *a)
{
	for (uint32_t i = 0; i < a->plan.worker_count; i++) {
		const struct pg_worker_stats *s = &a->page->worker[i];
		const uint64_t handled = sum(s->handled, PG_MESSAGES);

		assert_int_equal(s->received + s->handed_in, handled + sum(s->dropped, PG_DROPS) + s->handed_out);
		assert_int_equal(s->received, s->port[0].rx_packets);
		assert_int_equal(s->tx_offered, handled - s->unanswered + s->tx_originated);
		assert_int_equal(s->tx_offered, s->tx_sent + sum(s->tx_dropped, PG_TX_DROPS));
		assert_int_equal(s->tx_sent, s->port[0].tx_packets);
		assert_int_equal(sum(s->handling, PG_HANDLING_BUCKETS), handled - s->unanswered);
	}
	assert_int_equal(TOTAL(a, handed_in), TOTAL(a, handed_out));
}

uint8_t engine_of(void **state)
{
	return *(const uint8_t *)*state;
}

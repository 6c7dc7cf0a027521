// SPDX-License-Identifier: BSD-3-Clause
// tests/test_pool.c: packet buffers that a real card could use, with DPDK's own memory.
//
//   test_pool va|pa   by which addresses devices go: virtual ones on ordinary pages, or physical ones on huge pages
//
// EAL starts once in a process, so each of the two is a run of its own. Huge pages that are not there skip the second.

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_memory.h>

#include "port/pool.h"
#include "unit.h"

#define BUFFERS 2000
#define DATA_ROOM 2176
#define ORDINARY_PAGE 4096U
#define HUGE_PAGE_MIN (2U << 20)
#define SKIPPED 77 // of Meson

static const struct pg_pool_plan plan = {.name = "node0",
					 .node = -1,
					 .mbufs = BUFFERS,
					 .cache = 0,
					 .data_room_bytes = DATA_ROOM};

struct pool_test {
	struct rte_mempool *pool;
	struct rte_mbuf *mbuf[BUFFERS];
};

static struct pool_test test;

static int make(void **state)
{
	struct pg_error error = {0};

	test.pool = pool_make(&plan, &error);
	if (!test.pool) {
		fail_msg("%s", error.message);
		return -1;
	}
	if (rte_pktmbuf_alloc_bulk(test.pool, test.mbuf, BUFFERS) != 0)
		fail_msg("the pool has not %d buffers", BUFFERS);
	*state = &test;
	return 0;
}

static int give_back(void **state)
{
	struct pool_test *t = *state;

	rte_pktmbuf_free_bulk(t->mbuf, BUFFERS);
	rte_mempool_free(t->pool);
	return 0;
}

static void every_buffer_has_the_address_that_a_device_uses(void **state)
{
	const struct pool_test *t = *state;

	for (unsigned i = 0; i < BUFFERS; i++) {
		const struct rte_mbuf *m = t->mbuf[i];

		assert_int_equal(rte_mbuf_iova_get(m), rte_mem_virt2iova(m->buf_addr));
		assert_int_not_equal(rte_mbuf_iova_get(m), RTE_BAD_IOVA);
	}
}

static void every_buffer_is_in_one_piece_for_a_device(void **state)
{
	const struct pool_test *t = *state;

	for (unsigned i = 0; i < BUFFERS; i++) {
		const struct rte_mbuf *m = t->mbuf[i];

		for (unsigned offset = 0; offset < m->buf_len; offset++)
			if (offset + 1 == m->buf_len || ((uintptr_t)m->buf_addr + offset) % ORDINARY_PAGE == 0)
				assert_int_equal(rte_mem_virt2iova((const uint8_t *)m->buf_addr + offset),
						 rte_mbuf_iova_get(m) + offset);
	}
}

static void pool_is_not_marked_as_one_that_no_device_uses(void **state)
{
	const struct pool_test *t = *state;

	assert_int_equal(t->pool->flags & RTE_MEMPOOL_F_NON_IO, 0);
}

static void buffers_lie_one_behind_the_other(void **state)
{
	const struct pool_test *t = *state;
	const size_t step = (size_t)t->pool->header_size + t->pool->elt_size + t->pool->trailer_size;
	unsigned behind = 0;

	for (unsigned i = 1; i < BUFFERS; i++)
		behind += (uintptr_t)t->mbuf[i] - (uintptr_t)t->mbuf[i - 1] == step;
	// Huge pages have borders, too, where addresses are physical ones.
	assert_true(behind >= BUFFERS - 1U - BUFFERS * DATA_ROOM / HUGE_PAGE_MIN * 2);
}

static void two_pools_stand_side_by_side(void **state)
{
	struct pg_pool_plan other = plan;
	struct rte_mempool *pool;
	struct pg_error error;

	(void)state;
	snprintf(other.name, sizeof(other.name), "node1");
	other.mbufs = 64;
	pool = pool_make(&other, &error);
	assert_non_null(pool);
	rte_mempool_free(pool);
}

static void too_many_buffers_are_refused_with_the_pools_name(void **state)
{
	struct pg_pool_plan huge = plan;
	struct pg_error error = {0};

	(void)state;
	snprintf(huge.name, sizeof(huge.name), "huge");
	huge.mbufs = 1000000;
	assert_null(pool_make(&huge, &error));
	assert_int_equal(error.code, PG_ERROR_MEMORY);
	assert_non_null(strstr(error.message, "mbuf pool huge: 1000000 mbufs"));
}

static void pool_without_device_addresses_is_refused(void **state)
{
	struct pg_error error = {0};
	struct rte_mempool *pool = rte_mempool_create(
		"blind", 64, sizeof(struct rte_mbuf) + DATA_ROOM, 0, sizeof(struct rte_pktmbuf_pool_private),
		rte_pktmbuf_pool_init, NULL, rte_pktmbuf_init, NULL, SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);

	(void)state;
	assert_non_null(pool);
	assert_int_equal(pool_check(pool, &error), PG_ERROR_INTERNAL);
	assert_non_null(strstr(error.message, "no device uses"));
	pool->flags &= ~RTE_MEMPOOL_F_NON_IO; // as if nothing said so
	assert_int_equal(pool_check(pool, &error), PG_ERROR_INTERNAL);
	assert_non_null(strstr(error.message, "device address"));
	rte_mempool_free(pool);
}

static void buffer_with_anothers_address_is_refused(void **state)
{
	struct pool_test *t = *state;
	struct rte_mbuf *m = t->mbuf[BUFFERS / 2];
	const rte_iova_t right = rte_mbuf_iova_get(m);
	struct pg_error error = {0};

	assert_int_equal(pool_check(t->pool, &error), PG_OK);
	rte_mbuf_iova_set(m, right + ORDINARY_PAGE);
	assert_int_equal(pool_check(t->pool, &error), PG_ERROR_INTERNAL);
	assert_non_null(strstr(error.message, "device address"));
	rte_mbuf_iova_set(m, right);
}

/// @return false: this machine cannot
static bool start_eal(const char *mode)
{
	char *virtual_addresses[] = {"test_pool",      "--no-huge",      "--no-shconf",   "-m", "64", "--no-pci",
				     "--no-telemetry", "--iova-mode=va", "--log-level=3", NULL};
	char *physical_addresses[] = {"test_pool",      "--in-memory",   "--no-pci", "--no-telemetry",
				      "--iova-mode=pa", "--log-level=3", NULL};
	const bool physical = strcmp(mode, "pa") == 0;
	char **arguments = physical ? physical_addresses : virtual_addresses;
	int count = 0;

	while (arguments[count])
		count++;
	return rte_eal_init(count, arguments) >= 0;
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_buffer_has_the_address_that_a_device_uses, make, give_back),
		cmocka_unit_test_setup_teardown(every_buffer_is_in_one_piece_for_a_device, make, give_back),
		cmocka_unit_test_setup_teardown(pool_is_not_marked_as_one_that_no_device_uses, make, give_back),
		cmocka_unit_test_setup_teardown(buffers_lie_one_behind_the_other, make, give_back),
		cmocka_unit_test_setup_teardown(two_pools_stand_side_by_side, make, give_back),
		cmocka_unit_test(too_many_buffers_are_refused_with_the_pools_name),
		cmocka_unit_test(pool_without_device_addresses_is_refused),
		cmocka_unit_test_setup_teardown(buffer_with_anothers_address_is_refused, make, give_back),
	};
	int rc;

	if (argc != 2 || (strcmp(argv[1], "va") != 0 && strcmp(argv[1], "pa") != 0)) {
		fprintf(stderr, "usage: test_pool va|pa\n");
		return 2;
	}
	if (!start_eal(argv[1])) {
		fprintf(stderr, "DPDK does not start in IOVA mode %s here; physical addresses need free huge pages\n",
			argv[1]);
		return strcmp(argv[1], "pa") == 0 ? SKIPPED : 1;
	}
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rte_eal_cleanup();
	return rc;
}

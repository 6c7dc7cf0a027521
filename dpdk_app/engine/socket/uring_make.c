// SPDX-License-Identifier: BSD-3-Clause
// engine/socket/uring_make.c: the ring and the buffers of a worker of the io_uring engine, and why they cannot be had.

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/socket/uring.h"

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26) // linux/mman.h, which clashes with older sys/mman.h
#endif
#define HUGE_PAGE (2U << 20)
#define RING_BYTES (URING_BUFFERS * sizeof(struct io_uring_buf))
static_assert(RING_BYTES % CACHE_LINE == 0 && RING_BYTES + URING_BUFFERS * sizeof(struct uring_buffer) <= HUGE_PAGE,
	      "one huge page is enough");

// ---------------------------------------------------------------- ring

/// kernel.io_uring_disabled: 0 nobody's, 1 unprivileged processes', 2 everybody's.
static int disabled_for(void)
{
	FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
	int value = 0;

	if (!file)
		return 0;                    // a kernel that cannot disable it
	if (fscanf(file, "%d", &value) != 1) // NOLINT(cert-err34-c): the kernel's own digits
		value = 0;
	fclose(file);
	return value;
}

int uring_error(uint32_t worker, int why, struct pg_error *error)
{
	const int disabled = why == EPERM ? disabled_for() : 0;

	if (disabled != 0)
		return error_set(error, PG_ERROR_SYSTEM,
				 "worker %u: kernel.io_uring_disabled is %d on this host; use engine: epoll, or "
				 "sysctl -w kernel.io_uring_disabled=0",
				 worker, disabled);
	switch (why) {
	case EPERM:
	case EACCES:
		return error_set(error, PG_ERROR_SYSTEM,
				 "worker %u: io_uring is forbidden here, as containers' seccomp profiles do; use "
				 "engine: epoll, or a profile that allows io_uring_setup, io_uring_enter and "
				 "io_uring_register",
				 worker);
	case ENOSYS:
		return error_set(error, PG_ERROR_SYSTEM,
				 "worker %u: this kernel has no io_uring, or a seccomp profile hides it; use "
				 "engine: epoll",
				 worker);
	case EINVAL:
		return error_set(error, PG_ERROR_SYSTEM,
				 "worker %u: this kernel's io_uring is older than Linux 6.1; use engine: epoll, or a "
				 "newer kernel",
				 worker);
	case ENOMEM:
		return error_set(error, PG_ERROR_MEMORY,
				 "worker %u: the kernel has no memory for io_uring's rings; raise the limit of "
				 "locked memory, which all processes of this user share (ulimit -l, LimitMEMLOCK=), "
				 "or use engine: epoll",
				 worker);
	default:
		return error_set(error, PG_ERROR_SYSTEM, "worker %u: io_uring: %s; use engine: epoll", worker,
				 strerror(why));
	}
}

int uring_make(struct io_uring *ring, uint32_t worker, struct pg_error *error)
{
	struct io_uring_params params = {
		// One thread submits and receives, and the kernel's share of its work is done when that thread asks for
		// completions rather than when a datagram interrupts it. Disabled, because that thread is not this one.
		.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
		.cq_entries = URING_COMPLETIONS,
	};
	const int rc = io_uring_queue_init_params(URING_SUBMISSIONS, ring, &params);

	if (rc == 0)
		return PG_OK;
	return uring_error(worker, -rc, error);
}

bool uring_enable(struct io_uring *ring)
{
	// io_uring_enable_rings() is in the header of liburing 2.3, but its shared library does not export it.
	return syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) == 0;
}

// ---------------------------------------------------------------- buffers

/// Ordinary pages, where they will do; the kernel may join them into huge ones of its own accord.
static void *map_memory(uint8_t pages)
{
	void *memory = MAP_FAILED;

	if (pages != PG_PAGES_ORDINARY)
		memory = mmap(NULL, HUGE_PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);
	if (memory != MAP_FAILED)
		return memory;
	return pages == PG_PAGES_HUGE ? NULL : pages_alloc(HUGE_PAGE);
}

static int memory_error(uint32_t worker, uint8_t pages, struct pg_error *error)
{
	if (pages == PG_PAGES_HUGE)
		return error_set(error, PG_ERROR_MEMORY,
				 "worker %u: no huge page of 2 MB is free for its buffers, it needs one; "
				 "sysctl -w vm.nr_hugepages=NUMBER, or eal.huge_pages: auto",
				 worker);
	return error_set(error, PG_ERROR_MEMORY, "worker %u: no memory for %u buffers", worker, URING_BUFFERS);
}

int uring_buffers_make(struct uring_buffers *b, struct io_uring *ring, uint32_t worker, uint8_t pages,
		       struct pg_error *error)
{
	struct io_uring_buf_reg registration = {.ring_entries = URING_BUFFERS, .bgid = URING_GROUP};
	int rc;

	b->memory = map_memory(pages);
	if (!b->memory)
		return memory_error(worker, pages, error);
	b->size = HUGE_PAGE;
	b->free = b->memory; // the kernel wants it to begin a page
	b->buffer = (struct uring_buffer *)((uint8_t *)b->memory + RING_BYTES);
	registration.ring_addr = (uintptr_t)b->free;
	rc = io_uring_register_buf_ring(ring, &registration, 0);
	if (rc != 0)
		return uring_error(worker, -rc, error);
	io_uring_buf_ring_init(b->free);
	for (unsigned id = 0; id < URING_BUFFERS; id++)
		uring_buffer_return(b, (uint16_t)id);
	b->taken = b->returned;
	uring_buffers_show(b);
	return PG_OK;
}

void uring_buffers_free(struct uring_buffers *b)
{
	pages_free(b->memory, b->size);
}

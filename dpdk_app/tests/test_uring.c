// SPDX-License-Identifier: BSD-3-Clause
// test_uring.c: engine io_uring by itself: buffers, answers without a copy, and kernels that forbid it.

#include "unit.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "socket_players.h"

/// Chat of so many bytes in all.
static void chat(const struct appliance *a, int fd, uint32_t player, size_t length)
{
	uint8_t message[PG_DATAGRAM_MAX], text[PG_DATAGRAM_MAX];

	memset(text, 'x', sizeof(text));
	assert_int_equal(build_chat(message, 3, player, text, length - 28), length);
	send_to(a, fd, message, length);
}

static void test_answers_without_a_copy_are_the_same(UNUSED void **state)
{
	struct appliance a;
	uint8_t answer[2048];
	const int fd = player_socket();

	allot(&a, PG_ENGINE_IO_URING, 1);
	a.plan.sockets.zero_copy_bytes = 256;
	appliance_start(&a);
	for (unsigned i = 0; i < 300; i++) {
		const size_t length = i % 2 ? 540 : 60;

		chat(&a, fd, 7, length);
		assert_int_equal(next_answer(fd, answer, sizeof(answer)), length);
		assert_int_equal(get_le32(answer), 103);
		assert_int_equal(answer[length - 1], 'x');
	}
	appliance_stop(&a);
	assert_conserved(&a);
	assert_int_equal(TOTAL(&a, tx_sent), 300);
	close(fd);
	appliance_give_up(&a);
}

/// From now on the limit of locked memory is this process's, too, although root runs it.
static void give_up_locking(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct powers[_LINUX_CAPABILITY_U32S_3];

	assert_return_code(syscall(SYS_capget, &header, powers), errno);
	powers[CAP_IPC_LOCK / 32].effective &= ~(1U << CAP_IPC_LOCK % 32);
	powers[CAP_IPC_LOCK / 32].permitted &= ~(1U << CAP_IPC_LOCK % 32);
	assert_return_code(syscall(SYS_capset, &header, powers), errno);
}

static void lock_nothing_more(void)
{
	const struct rlimit none = {0};

	assert_return_code(setrlimit(RLIMIT_MEMLOCK, &none), errno);
}

/// 300 long answers, none of which may be charged to locked memory. Runs in a process of its own.
static void answer_without_locking(struct appliance *a)
{
	uint8_t answer[2048];
	int fd;

	give_up_locking();
	appliance_start(a);
	lock_nothing_more(); // the ring has what it needs
	fd = player_socket();
	for (unsigned i = 0; i < 300; i++) {
		chat(a, fd, 7, 540);
		assert_int_equal(next_answer(fd, answer, sizeof(answer)), 540);
		assert_int_equal(answer[539], 'x');
	}
	appliance_stop(a);
	assert_conserved(a);
	assert_int_equal(TOTAL(a, tx_sent), 300);
}

/// Without a copy, the kernel charges what it sends to the locked memory of the user.
static void test_an_answer_that_may_not_be_locked_leaves_as_a_copy(UNUSED void **state)
{
	struct appliance a;
	int status;
	pid_t child;

	allot(&a, PG_ENGINE_IO_URING, 1);
	a.plan.sockets.zero_copy_bytes = 256;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		setenv("CMOCKA_TEST_ABORT", "1", true); // a failure here is not to run the other tests once more
		answer_without_locking(&a);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	appliance_give_up(&a);
}

static void test_huge_pages_are_used_or_missed_by_name(UNUSED void **state)
{
	struct appliance a;
	void *page = mmap(NULL, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	allot(&a, PG_ENGINE_IO_URING, 1);
	a.plan.sockets.pages = PG_PAGES_HUGE;
	if (page != MAP_FAILED) {
		munmap(page, 2 << 20);
		appliance_start(&a);
		appliance_stop(&a);
	} else {
		assert_refused(&a, PG_ERROR_MEMORY, "no huge page of 2 MB is free");
	}
	appliance_give_up(&a);
}

/// From now on io_uring_setup fails in this process.
static void forbid_io_uring(int why)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)why),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {COUNT(filter), filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		_exit(3);
}

static void test_a_refusal_of_the_kernel_says_what_to_do(UNUSED void **state)
{
	static const struct {
		int why;
		const char *said;
	} refusal[] = {
		{EPERM, "io_uring"}, // the profile's, or the host's own setting
		{ENOSYS, "this kernel has no io_uring, or a seccomp profile hides it; use engine: epoll"},
		{EINVAL, "older than Linux 6.1; use engine: epoll"},
		{ENOMEM, "raise the limit of locked memory"},
		{EMFILE, "Too many open files"},
	};

	for (unsigned i = 0; i < COUNT(refusal); i++) {
		struct appliance a;
		int status;
		pid_t child;

		allot(&a, PG_ENGINE_IO_URING, 1);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			forbid_io_uring(refusal[i].why);
			a.gateway = pg_open(&a.plan, a.page, a.state, a.state_size, &a.error);
			_exit(a.gateway || !strstr(a.error.message, refusal[i].said) ||
			      !strstr(a.error.message, "engine: epoll"));
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		if (status != 0)
			fail_msg("errno %d is not explained by \"%s\"", refusal[i].why, refusal[i].said);
		appliance_give_up(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_without_a_copy_are_the_same),
		cmocka_unit_test(test_an_answer_that_may_not_be_locked_leaves_as_a_copy),
		cmocka_unit_test(test_huge_pages_are_used_or_missed_by_name),
		cmocka_unit_test(test_a_refusal_of_the_kernel_says_what_to_do),
	};

	return cmocka_run_group_tests_name("uring", tests, NULL, NULL);
}

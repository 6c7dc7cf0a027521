// SPDX-License-Identifier: BSD-3-Clause
// test_watchdog.c: who is stuck ends, who was frozen goes on.

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pollgate.h"
#include "unit.h"

static void test_a_process_that_is_stuck_ends(UNUSED void **state)
{
	int status;
	const pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		pg_watchdog(1);
		for (;;)
			pause();
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGALRM);
}

static void test_a_process_that_was_frozen_goes_on(UNUSED void **state)
{
	const struct timespec frozen = {.tv_sec = 3};
	int status;
	const pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		pg_watchdog(1);
		raise(SIGSTOP);
		pg_watchdog(60); // its next turn
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, WUNTRACED), child);
	assert_true(WIFSTOPPED(status));
	nanosleep(&frozen, NULL);
	assert_int_equal(kill(child, SIGCONT), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_process_that_is_stuck_ends),
		cmocka_unit_test(test_a_process_that_was_frozen_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: BSD-3-Clause
// single_step.h: a look after every instruction of a call: what a crash there would leave.

#ifndef POLLGATE_TESTS_SINGLE_STEP_H
#define POLLGATE_TESTS_SINGLE_STEP_H

#include <signal.h>

#include "unit.h"

/// The CPU traps after every instruction while TF is set.
__attribute__((noinline, unused)) static void single_step_on(void)
{
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
}

__attribute__((noinline, unused)) static void single_step_end(void)
{
	__asm__ volatile("pushfq; andq $-0x101, (%%rsp); popfq" ::: "memory", "cc");
}

/// @param look  called with SIGTRAP, until single_step_end()
__attribute__((unused)) static void single_step(void (*look)(int))
{
	const struct sigaction action = {.sa_handler = look};

	assert_int_equal(sigaction(SIGTRAP, &action, NULL), 0);
	single_step_on();
}

#endif

// SPDX-License-Identifier: BSD-3-Clause
// runtime/watchdog.c: ends a worker process that is stuck, in a driver say, and that nobody else ends.

#include <signal.h>
#include <sys/time.h>

#include "pollgate.h"

static void forgive(int number)
{
	(void)number; // the handler is gone now: the next expiry ends the process
}

void pg_watchdog(uint32_t seconds)
{
	struct sigaction once = {.sa_handler = forgive, .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};
	const struct itimerval timer = {{.tv_sec = seconds}, {.tv_sec = seconds}};

	sigaction(SIGALRM, &once, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

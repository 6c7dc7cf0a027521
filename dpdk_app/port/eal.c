// SPDX-License-Identifier: BSD-3-Clause
// port/eal.c: starting DPDK's environment and hearing what it says.

#include <stdio.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "pollgate.h"
#include "stats/error.h"

void pg_log_to(int fd, int debug)
{
	FILE *stream = fd >= 0 ? fdopen(fd, "w") : fopen("/dev/null", "w");

	if (!stream)
		return;
	setvbuf(stream, NULL, _IOLBF, BUFSIZ);
	rte_openlog_stream(stream);
	rte_log_set_global_level(debug ? RTE_LOG_DEBUG : RTE_LOG_INFO);
}

int pg_eal_init(int argc, char *argv[], struct pg_error *error)
{
	if (rte_eal_init(argc, argv) >= 0)
		return PG_OK;
	// Not every failure says why; then the log does.
	return error_set(error, PG_ERROR_SYSTEM, "DPDK's environment could not be initialised%s%s",
			 rte_errno ? ": " : "", rte_errno ? rte_strerror(rte_errno) : "");
}

// SPDX-License-Identifier: BSD-3-Clause
// port/eal.c: starting DPDK's environment and hearing what it says.

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "pollgate.h"
#include "stats/error.h"

/// The stream of a descriptor, made once: whoever is told again keeps it, as any thread may be writing to it.
static FILE *stream_of(int fd)
{
	static FILE *stream;
	static int of = INT_MIN;

	if (stream && of == fd)
		return stream;
	stream = fd >= 0 ? fdopen(fd, "w") : fopen("/dev/null", "w");
	if (stream)
		setvbuf(stream, NULL, _IOLBF, BUFSIZ);
	of = fd;
	return stream;
}

void pg_log_to(int fd, int debug)
{
	FILE *stream = stream_of(fd);

	if (!stream)
		return;
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

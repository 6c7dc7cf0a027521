// SPDX-License-Identifier: BSD-3-Clause
// port/about.h: what a port's state speaks of, as text in the statistics page.

#ifndef POLLGATE_PORT_ABOUT_H
#define POLLGATE_PORT_ABOUT_H

#include <string.h>

#include "pollgate.h"

/// The end of a path that is too long says more than its beginning.
static inline void about_path(char about[PG_ABOUT_MAX], const char *path)
{
	const size_t size = strlen(path) + 1;

	if (size > PG_ABOUT_MAX)
		memcpy(about, path + size - PG_ABOUT_MAX, PG_ABOUT_MAX);
	else
		memcpy(about, path, size);
}

#endif

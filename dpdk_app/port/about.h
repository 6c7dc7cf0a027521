// SPDX-License-Identifier: BSD-3-Clause
// port/about.h: the subject of a port's state (an interface, a socket, a file), as text in the statistics page.

#ifndef POLLGATE_PORT_ABOUT_H
#define POLLGATE_PORT_ABOUT_H

#include <string.h>

#include "pollgate.h"

/// Copy a text. Of a path that is too long the end is kept, which says more than its beginning.
static inline void about_path(char about[PG_ABOUT_MAX], const char *path)
{
	const size_t size = strlen(path) + 1;

	if (size > PG_ABOUT_MAX)
		memcpy(about, path + size - PG_ABOUT_MAX, PG_ABOUT_MAX);
	else
		memcpy(about, path, size);
}

#endif

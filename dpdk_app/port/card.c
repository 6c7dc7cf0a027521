// SPDX-License-Identifier: BSD-3-Clause
// port/card.c: see card.h.

#include "port/card.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/// Inodes of the kernel's directories for a card and, through its link, for its driver.
static bool look(const char *path, ino_t *device, ino_t *driver)
{
	char link[PATH_MAX];
	struct stat of;

	if (stat(path, &of) != 0)
		return false;
	*device = of.st_ino;
	if ((size_t)snprintf(link, sizeof(link), "%s/driver", path) >= sizeof(link) || stat(link, &of) != 0)
		return false;
	*driver = of.st_ino;
	return true;
}

void card_begin(struct card *card, const char *path)
{
	if ((size_t)snprintf(card->path, sizeof(card->path), "%s", path) >= sizeof(card->path) ||
	    !look(path, &card->device, &card->driver))
		card->path[0] = '\0';
}

bool card_stands(const struct card *card)
{
	ino_t device, driver;

	if (card->path[0] == '\0')
		return true;
	if (!look(card->path, &device, &driver))
		return errno != ENOENT && errno != ENOTDIR; // else it was not to be asked
	return device == card->device && driver == card->driver;
}

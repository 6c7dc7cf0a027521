// SPDX-License-Identifier: BSD-3-Clause
// port/memif.c: see memif.h.

#include "port/memif.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "port/about.h"
#include "port/arguments.h"

#define DEFAULT_SOCKET "/run/memif.sock" // of the driver
#define ASK_EVERY_NS 1000000000ULL
#define CONNECTING_NS 1000000000ULL // what connecting may take
#define ACCEPTS_CONNECTIONS 0x10000 // of the kernel: __SO_ACCEPTCON

void memif_begin(struct memif *memif, const char *driver, const char *arguments)
{
	char role[16] = "client", abstract[8] = "yes", path[sizeof(memif->path)] = DEFAULT_SOCKET;

	*memif = (struct memif){.role = MEMIF_NONE};
	if (strcmp(driver, "net_memif") != 0)
		return;
	argument_next(arguments, "role", role, sizeof(role));
	argument_next(arguments, "socket-abstract", abstract, sizeof(abstract));
	argument_next(arguments, "socket", path, sizeof(path));
	memif->role = strcmp(role, "server") == 0 || strcmp(role, "master") == 0 ? MEMIF_LISTENS : MEMIF_CONNECTS;
	memif->abstract = strcmp(abstract, "no") != 0;
	memcpy(memif->path, path, sizeof(path));
	if (!memif->abstract)
		stat(path, &memif->file);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/// Whoever listens anew makes the file anew.
static bool file_is_another(const struct memif *memif)
{
	struct stat now;

	return !memif->abstract && stat(memif->path, &now) == 0 && S_ISSOCK(now.st_mode) &&
	       !same_file(&now, &memif->file);
}

static const char *field(const char *line, unsigned number)
{
	for (; number > 0; number--) {
		line += strcspn(line, " ");
		line += strspn(line, " ");
	}
	return line;
}

/// A line of /proc/net/unix: number, references, protocol, flags, type, state, inode, name.
static bool line_listens(const char *line, const char *name)
{
	const char *at = field(line, 7);

	return (strtoul(field(line, 3), NULL, 16) & ACCEPTS_CONNECTIONS) &&
	       strtoul(field(line, 4), NULL, 16) == SOCK_SEQPACKET && strcspn(at, "\n") == strlen(name) &&
	       strncmp(at, name, strlen(name)) == 0;
}

/// In this network namespace. The kernel is asked, not the peer: asking must change nothing at the other end.
static bool kernel_lists_listener(const struct memif *memif)
{
	char name[sizeof(memif->path) + 1], line[512];
	FILE *file = fopen("/proc/net/unix", "re");
	bool listens = false;

	if (!file)
		return false;
	snprintf(name, sizeof(name), "%s%s", memif->abstract ? "@" : "", memif->path);
	while (!listens && fgets(line, sizeof(line), file))
		listens = line_listens(line, name);
	fclose(file);
	return listens;
}

static bool somebody_listens(const struct memif *memif)
{
	return file_is_another(memif) || kernel_lists_listener(memif);
}

static enum pg_device_state state_while_down(struct memif *memif, uint64_t now_ns)
{
	if (memif->role == MEMIF_LISTENS)
		return PG_DEVICE_ALONE;
	if (now_ns - memif->down_ns < CONNECTING_NS)
		return memif->was_up ? PG_DEVICE_PEERLESS : PG_DEVICE_WELL;
	if (memif->asked_ns == 0 || now_ns - memif->asked_ns >= ASK_EVERY_NS) {
		memif->listens = somebody_listens(memif);
		memif->asked_ns = now_ns;
	}
	return memif->listens ? PG_DEVICE_PEER_BACK : PG_DEVICE_PEERLESS;
}

enum pg_device_state memif_state(struct memif *memif, bool up, uint64_t now_ns, char about[PG_ABOUT_MAX])
{
	if (memif->role == MEMIF_NONE)
		return PG_DEVICE_WELL;
	about_path(about, memif->path);
	if (up) {
		memif->was_up = true;
		memif->down_ns = memif->asked_ns = 0;
		return PG_DEVICE_WELL;
	}
	if (memif->down_ns == 0)
		memif->down_ns = now_ns;
	return state_while_down(memif, now_ns);
}

// SPDX-License-Identifier: BSD-3-Clause
// port/memif.h: the other end of a memif: is it there, and does it help to open the device again?
//
// The driver tells whether it is connected. A device that listens accepts a connection at any time. A device that connects
// does so once, when it is opened, and never again. For the control thread only.

#ifndef POLLGATE_PORT_MEMIF_H
#define POLLGATE_PORT_MEMIF_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/stat.h>

#include "pollgate.h"

#define MEMIF_PATH_MAX 108 // of a socket's address

enum memif_role { MEMIF_NONE, MEMIF_LISTENS, MEMIF_CONNECTS }; // what we do; MEMIF_NONE: this device has no such end

struct memif {
	enum memif_role role;
	bool abstract; // the socket has a name and no file
	char path[MEMIF_PATH_MAX];
	struct stat file; // when the device was opened; all zero: there was none
	bool was_up;
	bool listens;      // somebody does, when last asked
	uint64_t down_ns;  // since when the link is down; 0: it is not
	uint64_t asked_ns; // when somebody was last looked for; 0: not since the link went down
};

/// @param driver     as DPDK calls it
/// @param arguments  of the device; NULL: none
void memif_begin(struct memif *memif, const char *driver, const char *arguments);

/// @param up  as the driver says
/// @param about  out: the socket, where the state is not well
enum pg_device_state memif_state(struct memif *memif, bool up, uint64_t now_ns, char about[PG_ABOUT_MAX]);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// engine/socket/bind.h: a UDP socket at one of our addresses and ports, or the sentence that says why there is none.

#ifndef POLLGATE_BIND_H
#define POLLGATE_BIND_H

#include <stdbool.h>
#include <stdint.h>

#include "pollgate.h"

struct endpoint {
	const struct pg_port_plan *port;
	const struct pg_address *address;
	uint16_t udp_port;
	bool may_be_away; // the address need not be this host's at the moment
};

/// @param shared  by SO_REUSEPORT with the other workers; it takes nothing before open_ears()
/// @return a bound socket, or -errno
int bound_socket(const struct endpoint *e, bool shared);

/// Have a socket take what has at least one byte of payload: nothing that is empty means anything to us, and each ends
/// a receive of io_uring's that would have gone on by itself. The filter is given the UDP header, too.
void open_ears(int fd);

/// A socket that shares would also share with a second pollgate: one that does not finds out.
int make_sure_of(const struct endpoint *e, struct pg_error *error);

/// Say why there is no such socket.
/// @param why  an errno
int bind_error(const struct endpoint *e, int why, struct pg_error *error);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// opponents.c: what `pollgate bench sessions-sealed` compares the gateway with, and the load on it: a bare echo on kernel
// sockets, which receives and sends in bursts as the gateway's engine does, a server on ENet, which seals nothing, and one
// on netcode's reference implementation, which seals.
//
//     opponents echo-serve PORT            prints "ready", and serves until it is killed
//     opponents echo-load PORT PLAYERS RATE WINDOW SECONDS
//     opponents enet-serve PORT            likewise, with with_enet.c, -DWITH_ENET and -lenet
//     opponents enet-load PORT PLAYERS RATE WINDOW SECONDS
//     opponents netcode-serve PORT         likewise, with with_netcode.c, -DWITH_NETCODE, netcode.c and -lsodium
//     opponents netcode-load PORT PLAYERS RATE WINDOW SECONDS
//
// A load prints "connected" when all its players are, plays when a line comes, and prints how many messages were answered.
// RATE is in messages a second of all; WINDOW, when it is not 0, is how many are unanswered at a time instead.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opponents.h"

struct kind {
	const char *name;
	int (*serve)(int port);
	int (*load)(int port, struct play *play);
};

static const struct kind kinds[] = {
	{"echo", echo_serve, echo_load},
#ifdef WITH_ENET
	{"enet", enet_serve, enet_load},
#endif
#ifdef WITH_NETCODE
	{"netcode", netcode_serve, netcode_load},
#endif
};

/// @param what  "echo-serve", for example
static const struct kind *kind_of(const char *what)
{
	const char *dash = strchr(what, '-');

	for (unsigned i = 0; dash && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(what, kinds[i].name, (size_t)(dash - what)) == 0)
			return &kinds[i];
	return NULL;
}

int main(int count, char **argument)
{
	const char *what = count > 2 ? argument[1] : "";
	const int port = count > 2 ? (int)strtol(argument[2], NULL, 10) : 0;
	const struct kind *kind = kind_of(what);
	struct play play = {0};

	if (kind && count == 3 && strstr(what, "-serve"))
		return kind->serve(port);
	if (!kind || count != 7) {
		fputs("usage: opponents echo-serve|enet-serve|netcode-serve PORT\n"
		      "       opponents echo-load|enet-load|netcode-load PORT PLAYERS RATE WINDOW SECONDS\n",
		      stderr);
		return 2;
	}
	play.players = (unsigned)strtoul(argument[3], NULL, 10);
	play.rate = strtod(argument[4], NULL);
	play.window = (unsigned)strtoul(argument[5], NULL, 10);
	play.length = (uint64_t)(strtod(argument[6], NULL) * NS);
	return kind->load(port, &play);
}

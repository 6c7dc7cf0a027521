// SPDX-License-Identifier: BSD-3-Clause
// opponents.h: the servers that there are to compare with, and the load on each.

#ifndef OPPONENTS_H
#define OPPONENTS_H

#include "play.h"

/// One that serves returns only when it cannot.
int echo_serve(int port);
int echo_load(int port, struct play *play);
int enet_serve(int port);
int enet_load(int port, struct play *play);
int netcode_serve(int port);
int netcode_load(int port, struct play *play);

#endif

// SPDX-License-Identifier: BSD-3-Clause
// socket_players.h: players with sockets of their own, and an appliance with a socket engine.

#ifndef POLLGATE_TESTS_SOCKET_PLAYERS_H
#define POLLGATE_TESTS_SOCKET_PLAYERS_H

#include <sys/types.h>

#include "appliance.h"
#include "frames.h"

#define CAPACITY 4096
#define PLAYERS 48

void allot(struct appliance *a, uint8_t engine, uint32_t workers);

/// The laws; and in this profile nothing is handed over, left without an answer or sent on its own.
void assert_conserved(const struct appliance *a);
int player_socket(void);
void send_to(const struct appliance *a, int fd, const void *bytes, size_t length);

/// The next answer. The kernel interrupts whoever made a ring to take it apart, some time after it was closed.
ssize_t next_answer(int fd, void *answer, size_t room);
void assert_refused(struct appliance *a, int code, const char *said);

#endif

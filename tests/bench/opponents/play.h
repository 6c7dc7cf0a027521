// SPDX-License-Identifier: BSD-3-Clause
// play.h: what a load plays, and how far it has come.

#ifndef OPPONENTS_PLAY_H
#define OPPONENTS_PLAY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define BURST 32
#define MESSAGE_BYTES 28 // the message alone, for those that add what is theirs
#define REPLY_BYTES 12   // likewise
#define NS 1000000000ULL
#define CONNECT_S 30 // for all players

struct play {
	unsigned players;
	double rate;     // messages a second of all
	unsigned window; // messages that are unanswered at a time, instead; 0: the rate
	uint64_t began, length;
	unsigned next; // whose turn it is
	uint64_t sent, answered;
};

uint64_t now_ns(void);

/// @return 1, and why is said
int die(const char *what);

struct sockaddr_in at_port(int port);

/// A server serves from now on.
void say_ready(void);

/// All players are connected: wait for the line that begins the play.
void begin(struct play *play);

/// How many messages are due?
unsigned due(const struct play *play);

/// Who says the next one.
unsigned next_player(struct play *play);

bool over(const struct play *play);

/// Tell what came of it.
/// @return 0
int end(const struct play *play);

/// Not all players could connect.
/// @return 1
int few_connected(unsigned connected, const struct play *play);

#endif

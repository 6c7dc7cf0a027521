// SPDX-License-Identifier: BSD-3-Clause
// play.c: see play.h.

#include "play.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BURST_PACED 16 // messages that a load sends at once, as `pollgate load` does over sockets
#define BURST_WINDOWED 4
#define DRAIN_NS 50000000ULL

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

int die(const char *what)
{
	fprintf(stderr, "opponents: %s: %s\n", what, strerror(errno));
	return 1;
}

struct sockaddr_in at_port(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

void say_ready(void)
{
	puts("ready");
	fflush(stdout);
}

void begin(struct play *play)
{
	char line[16];

	puts("connected");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(1);
	play->began = now_ns();
}

unsigned due(const struct play *play)
{
	const uint64_t passed = now_ns() - play->began;
	const unsigned most = play->window ? BURST_WINDOWED : BURST_PACED;
	uint64_t total;

	if (passed > play->length)
		return 0;
	total = play->window ? play->answered + play->window : (uint64_t)(play->rate * (double)passed / NS);
	if (total <= play->sent)
		return 0;
	return total - play->sent < most ? (unsigned)(total - play->sent) : most;
}

unsigned next_player(struct play *play)
{
	return play->next++ % play->players;
}

bool over(const struct play *play)
{
	return now_ns() - play->began > play->length + DRAIN_NS;
}

int end(const struct play *play)
{
	printf("{\"sent\": %llu, \"answered\": %llu}\n", (unsigned long long)play->sent,
	       (unsigned long long)play->answered);
	return 0;
}

int few_connected(unsigned connected, const struct play *play)
{
	fprintf(stderr, "opponents: %u of %u players are connected after %d s\n", connected, play->players, CONNECT_S);
	return 1;
}

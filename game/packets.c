// SPDX-License-Identifier: BSD-3-Clause
// packets.c: what the gateway says over the socket, and what it is told.

#include "game.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NS_PER_MS 1000000ULL
#define PACKET_MAX 512

/// One packet with its descriptors, which are closed when it has been taken: what is mapped needs none.
struct packet {
	union {
		struct attach_head head;
		struct attach_welcome welcome;
		struct attach_text text;
		struct attach_rings rings;
		struct attach_pair pair;
		struct attach_topic topic;
		char bytes[PACKET_MAX];
	} as;
	size_t length;
	int fd[DESCRIPTORS_MAX];
	unsigned fds;
};

// ---------------------------------------------------------------- what each kind does

static void on_welcome(pgg *game, const struct attach_welcome *welcome)
{
	char why[160];

	if (!ring_size_fits(welcome->ring_bytes, why, sizeof(why))) {
		game_over(game, PGG_DETACHED, PGG_REFUSED, "the gateway offers %s", why);
		return;
	}
	game->ring_bytes = welcome->ring_bytes;
	game->workers_said = welcome->workers < WORKERS_MAX ? welcome->workers : WORKERS_MAX;
	game->is_welcome = true;
}

static void on_text(pgg *game, const struct attach_text *said, enum attach_kind kind)
{
	char text[ATTACH_TEXT_MAX];

	memcpy(text, said->text, sizeof(text));
	text[sizeof(text) - 1] = 0;
	if (kind == ATTACH_NOBODY) {
		game->answered++;
		game->was_nobody = true;
	} else {
		game_over(game, PGG_DETACHED, kind == ATTACH_REFUSED ? PGG_REFUSED : PGG_ENDED, "%s", text);
	}
}

static void on_pair(pgg *game, struct packet *packet)
{
	struct attach_pair *pair = &packet->as.pair;

	pair->name[ATTACH_NAME_MAX - 1] = 0;
	if (!name_fits(pair->name) || pair->role < ATTACH_WRITES || pair->role > ATTACH_RENEWS) {
		game_over(game, PGG_DETACHED, PGG_SYSTEM, "the gateway made a ring for no process");
		return;
	}
	if (pair->role == ATTACH_ENDS)
		peer_give_up(game, pair->name);
	else
		rings_of_peer(game, pair->name, pair->role, packet->fd, packet->fds);
	if (pair->role == ATTACH_WRITES) {
		game->answered++;
		game->was_nobody = false;
	}
}

static void on_readers(pgg *game, struct attach_topic *said)
{
	const struct peer *peer;
	unsigned at = 0;

	said->name[ATTACH_NAME_MAX - 1] = 0;
	if (!name_fits(said->name))
		return;
	peer = said->on != 0 ? peer_get(game, said->name) : peer_find(game, said->name);
	while (at < game->readers &&
	       !(game->reader[at].topic == said->topic && peer && game->peer[game->reader[at].peer] == peer))
		at++;
	if (at < game->readers && said->on == 0)
		game->reader[at] = game->reader[--game->readers];
	for (uint16_t i = 0; at == game->readers && said->on != 0 && i < game->peers && at < READERS_MAX; i++)
		if (game->peer[i] == peer)
			game->reader[game->readers++] = (struct reader_of_topic){said->topic, i};
}

static size_t length_of(uint16_t kind)
{
	switch (kind) {
	case ATTACH_WELCOME:
		return sizeof(struct attach_welcome);
	case ATTACH_REFUSED:
	case ATTACH_NOBODY:
	case ATTACH_DETACHED:
		return sizeof(struct attach_text);
	case ATTACH_RINGS:
		return sizeof(struct attach_rings);
	case ATTACH_PAIR:
		return sizeof(struct attach_pair);
	case ATTACH_READERS:
		return sizeof(struct attach_topic);
	default:
		return 0;
	}
}

/// Both versions are in the sentence: that is what somebody has to change.
static bool head_fits(pgg *game, const struct packet *packet)
{
	const struct attach_head *head = &packet->as.head;

	if (packet->length < sizeof(*head) || head->magic != ATTACH_MAGIC)
		game_over(game, PGG_DETACHED, PGG_REFUSED, "what listens on this socket is no gateway");
	else if (head->version != ATTACH_VERSION)
		game_over(game, PGG_DETACHED, PGG_REFUSED,
			  "the gateway speaks version %u of the bus, this library (pollgate-game " PGG_VERSION
			  ") version %u: install both from one release",
			  head->version, ATTACH_VERSION);
	else if (length_of(head->kind) == 0 || packet->length < length_of(head->kind))
		game_over(game, PGG_DETACHED, PGG_REFUSED,
			  "the gateway said something of kind %u and %zu bytes, which is nothing", head->kind,
			  packet->length);
	else if ((head->kind == ATTACH_WELCOME) == game->is_welcome && head->kind != ATTACH_REFUSED)
		game_over(game, PGG_DETACHED, PGG_REFUSED, "the gateway said something of kind %u out of order",
			  head->kind);
	return game->over == OVER_NOT;
}

static void take(pgg *game, struct packet *packet)
{
	if (!head_fits(game, packet))
		return;
	switch (packet->as.head.kind) {
	case ATTACH_WELCOME:
		on_welcome(game, &packet->as.welcome);
		break;
	case ATTACH_RINGS:
		rings_of_worker(game, packet->as.rings.worker, packet->fd, packet->fds);
		break;
	case ATTACH_PAIR:
		on_pair(game, packet);
		break;
	case ATTACH_READERS:
		on_readers(game, &packet->as.topic);
		break;
	default:
		on_text(game, &packet->as.text, packet->as.head.kind);
	}
}

// ---------------------------------------------------------------- the socket

static void keep_descriptors(struct packet *packet, struct msghdr *message)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
		const size_t fds = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < fds && packet->fds < DESCRIPTORS_MAX; i++)
			memcpy(&packet->fd[packet->fds++], CMSG_DATA(part) + i * sizeof(int), sizeof(int));
	}
}

/// @return false: there is none now
static bool receive(pgg *game, struct packet *packet)
{
	struct iovec bytes = {packet->as.bytes, sizeof(packet->as.bytes)};
	union {
		struct cmsghdr first;
		char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
	} control;
	struct msghdr message = {
		.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	ssize_t length = recvmsg(game->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (length < 0 && errno == ECONNRESET) // told once, before what the gateway said last
		length = recvmsg(game->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	packet->fds = 0;
	packet->length = length > 0 ? (size_t)length : 0;
	if (length > 0) {
		keep_descriptors(packet, &message);
		return true;
	}
	if (length == 0 || (errno != EAGAIN && errno != EINTR))
		game_over(game, PGG_END, PGG_ENDED, "the gateway ended");
	return false;
}

void packets_take(pgg *game)
{
	struct packet packet;

	while (game->over == OVER_NOT && receive(game, &packet)) {
		take(game, &packet);
		for (unsigned i = 0; i < packet.fds; i++)
			close(packet.fd[i]);
	}
}

bool packets_wait(pgg *game, uint64_t until_ns)
{
	struct pollfd ready = {.fd = game->socket, .events = POLLIN};
	const uint64_t now = clock_ns();

	if (game->over != OVER_NOT || now >= until_ns)
		return false;
	if (poll(&ready, 1, (int)((until_ns - now) / NS_PER_MS) + 1) > 0)
		packets_take(game);
	return game->over == OVER_NOT;
}

int packets_send(pgg *game, const void *packet, size_t bytes)
{
	if (send(game->socket, packet, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return PGG_OK;
	return errno == EAGAIN ? PGG_FULL : PGG_SYSTEM;
}

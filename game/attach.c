// SPDX-License-Identifier: BSD-3-Clause
// attach.c: how an attachment begins and ends.

#include "game.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS 1000000ULL
#define ALIVE_BYTES 4096 // a page

static_assert(PGG_NAME_MAX == ATTACH_NAME_MAX && PGG_LIST_MAX == GAME_LIST_MAX && PGG_OWN_FIRST == GAME_TYPE_FIRST &&
		      PGG_OWN_LAST == GAME_TYPE_LAST && PGG_BODY_MAX == SESSION_MESSAGE_MAX,
	      "as in bus/attach.h, bus/records.h and wire/session.h");

uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * NS_PER_MS + (uint64_t)now.tv_nsec;
}

void pgg_options_init(struct pgg_options *options)
{
	*options = (struct pgg_options){.timeout_ms = 10000, .spin_ns = 50000};
}

bool name_fits(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	const size_t bytes = name ? strnlen(name, ATTACH_NAME_MAX) : 0;

	return bytes > 0 && bytes < ATTACH_NAME_MAX && strspn(name, allowed) == bytes;
}

COLD void game_over(pgg *game, enum pgg_event_type type, enum pgg_result result, const char *format, ...)
{
	va_list arguments;

	if (game->over != OVER_NOT)
		return;
	game->over = OVER_COMES;
	game->over_type = type;
	game->over_result = result;
	va_start(arguments, format);
	vsnprintf(game->over_text, sizeof(game->over_text), format, arguments);
	va_end(arguments);
}

// ---------------------------------------------------------------- before the socket

/// What cannot be attached with, in a sentence.
static bool options_fit(const struct pgg_options *options, char *why, size_t why_bytes)
{
	const size_t longest = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (!options->path || options->path[0] == 0)
		snprintf(why, why_bytes,
			 "options.path names no socket: it is game.listen of the gateway's configuration");
	else if (strncmp(options->path, "unix:", 5) == 0)
		snprintf(why, why_bytes,
			 "options.path begins with `unix:`, as game.listen does; here it is the path alone");
	else if (strlen(options->path) > longest)
		snprintf(why, why_bytes, "options.path has %zu bytes; the path of a socket has %zu at most",
			 strlen(options->path), longest);
	else if (!name_fits(options->name))
		snprintf(why, why_bytes, "options.name is %s%s%s; a name has 1 to %d letters, digits, `-`, `_` and `.`",
			 options->name ? "`" : "", options->name ? options->name : "none", options->name ? "`" : "",
			 ATTACH_NAME_MAX - 1);
	else if (options->token && strlen(options->token) >= ATTACH_TOKEN_MAX)
		snprintf(why, why_bytes, "options.token has %zu bytes; a token has %d at most", strlen(options->token),
			 ATTACH_TOKEN_MAX - 1);
	else
		return true;
	return false;
}

/// A page that a child of fork() finds empty.
static const uint32_t *make_alive(void)
{
	uint32_t *alive = mmap(NULL, ALIVE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (alive == MAP_FAILED)
		return NULL;
	if (madvise(alive, ALIVE_BYTES, MADV_WIPEONFORK) != 0) {
		munmap(alive, ALIVE_BYTES);
		return NULL;
	}
	*alive = 1;
	return alive;
}

static pgg *make(const struct pgg_options *options)
{
	pgg *game = calloc(1, sizeof(*game));

	if (!game)
		return NULL;
	game->options = *options;
	game->socket = -1;
	game->alive = make_alive();
	if (!game->alive || !players_init(&game->players)) {
		pgg_close(game);
		return NULL;
	}
	memcpy(game->name, options->name, strlen(options->name));
	return game;
}

// ---------------------------------------------------------------- the socket

struct attach_head attach_head(enum attach_kind kind)
{
	return (struct attach_head){.magic = ATTACH_MAGIC, .version = ATTACH_VERSION, .kind = (uint16_t)kind};
}

static bool reach(pgg *game)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = game->options.path;

	memcpy(address.sun_path, path, strlen(path));
	game->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (game->socket >= 0 && connect(game->socket, (struct sockaddr *)&address, sizeof(address)) == 0)
		return true;
	game_over(game, PGG_END, PGG_SYSTEM, "%s: %s%s", path, strerror(errno),
		  errno == ENOENT || errno == ECONNREFUSED ? "; is the gateway running, and is this its game.listen?" :
		  errno == EACCES ? "; game.permissions, game.owner and game.group of the gateway say who may attach" :
				    "");
	return false;
}

static bool greet(pgg *game)
{
	const char *token = game->options.token;
	struct attach_hello hello = {
		.head = attach_head(ATTACH_HELLO),
		.wants = game->options.wants_moves ? ATTACH_WANTS_MOVES : 0,
		.version = PGG_VERSION,
	};

	memcpy(hello.name, game->name, sizeof(hello.name));
	if (token)
		memcpy(hello.token, token, strlen(token));
	if (packets_send(game, &hello, sizeof(hello)) == PGG_OK)
		return true;
	packets_take(game); // it may have said why
	game_over(game, PGG_END, PGG_SYSTEM, "%s: %s", game->options.path, strerror(errno));
	return false;
}

/// Rings of a worker that is just starting again may come later.
static void listen_until_attached(pgg *game)
{
	const uint64_t until = clock_ns() + game->options.timeout_ms * NS_PER_MS;

	while (!game->is_welcome || game->workers < game->workers_said)
		if (!packets_wait(game, until))
			break;
	if (!game->is_welcome)
		game_over(game, PGG_END, PGG_LATE, "%s: the gateway has not answered for %u ms", game->options.path,
			  game->options.timeout_ms);
}

static void tell(struct pgg_error *error, enum pgg_result result, const char *text)
{
	if (!error)
		return;
	error->result = result;
	snprintf(error->text, sizeof(error->text), "%s", text);
}

pgg *pgg_open(const struct pgg_options *options, struct pgg_error *error)
{
	char why[640];
	pgg *game;

	tell(error, PGG_OK, "");
	if (!options_fit(options, why, sizeof(why))) {
		tell(error, PGG_ARGUMENT, why);
		return NULL;
	}
	game = make(options);
	if (!game) {
		tell(error, PGG_MEMORY, pgg_result_text(PGG_MEMORY));
		return NULL;
	}
	if (reach(game) && greet(game))
		listen_until_attached(game);
	game->options.path = game->options.name = game->options.token = NULL; // the caller's
	if (game->over == OVER_NOT)
		return game;
	tell(error, game->over_result, game->over_text);
	pgg_close(game);
	return NULL;
}

// ---------------------------------------------------------------- the end

/// In a child of fork() rings are not mapped, and their addresses may be something else's.
static void close_rings(pgg *game)
{
	for (unsigned i = 0; i < game->workers; i++)
		source_close(game, &game->worker[i]->source);
	for (unsigned i = 0; i < game->peers; i++) {
		source_close(game, &game->peer[i]->source);
		unmap(game, &game->peer[i]->sink.own);
		unmap(game, &game->peer[i]->sink.theirs);
	}
}

/// @param finished  events of the last poll
static void close_after(pgg *game, unsigned finished)
{
	if (game->alive && *game->alive != 0) {
		give_back_first(game, finished);
		flush(game);
		close_rings(game);
	}
	for (unsigned i = 0; i < game->workers; i++) {
		if (game->worker[i]->sink.bell >= 0)
			close(game->worker[i]->sink.bell);
		free(game->worker[i]);
	}
	for (unsigned i = 0; i < game->peers; i++)
		free(game->peer[i]);
	if (game->socket >= 0)
		close(game->socket);
	if (game->alive)
		munmap((void *)game->alive, ALIVE_BYTES);
	free(game->players.slot);
	free(game->players.leaving);
	free(game->event_end);
	free(game);
}

void pgg_close(pgg *game)
{
	if (game)
		close_after(game, UINT_MAX);
}

void pgg_close_after(pgg *game, int finished)
{
	if (game)
		close_after(game, finished > 0 ? (unsigned)finished : 0);
}

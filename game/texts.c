// SPDX-License-Identifier: BSD-3-Clause
// texts.c: words for results and reasons, and what can be asked about without an event.

#include "game.h"

#include <stdarg.h>
#include <stdio.h>

const char *pgg_result_text(int result)
{
	static const char *const text[] = {
		[-PGG_OK] = "no error",
		[-PGG_FULL] = "whoever reads it has not kept up; try again later, or leave it",
		[-PGG_NOT_HERE] = "no such player is in, or no such process is known",
		[-PGG_TOO_LONG] = "longer than such a message may be",
		[-PGG_EMPTY] = "a message of this type has a body, and this one has none",
		[-PGG_WRONG_LENGTH] = "shorter than a message of this type is",
		[-PGG_WRONG_TYPE] =
			"nothing of this type is sent to players: those of enum pgg_type are, and 64 to 199",
		[-PGG_TOO_MANY] = "more players or topics than there can be in one",
		[-PGG_ARGUMENT] = "a value that cannot be",
		[-PGG_FORKED] =
			"this process is a child of the one that attached; it has to attach itself, under another name",
		[-PGG_ENDED] = "not attached to the gateway any more",
		[-PGG_LATE] = "the gateway has not answered in time",
		[-PGG_REFUSED] = "the gateway refused",
		[-PGG_SYSTEM] = "the operating system refused; errno says why",
		[-PGG_MEMORY] = "out of memory",
		[-PGG_PROFILE] =
			"the player's profile has no such thing: to netcode go messages of type 64, 1 to 1,200 bytes, not reliable",
	};

	if (result > 0 || result < PGG_PROFILE)
		return "unknown result";
	return text[-result];
}

void say_why(pgg *game, enum pgg_result result, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(game->why, sizeof(game->why), format, arguments);
	va_end(arguments);
	game->why_result = result;
}

const char *pgg_why(pgg *game, int result)
{
	if (result != game->why_result || result >= PGG_OK)
		return pgg_result_text(result);
	if (game->why[0] == 0)
		snprintf(game->why, sizeof(game->why), "player %u is not in, as far as this process has been told",
			 game->why_player);
	return game->why;
}

const char *pgg_left_text(unsigned why)
{
	switch (why) {
	case 0:
		return "unknown";
#define CLOSED(NAME, name, number) \
	case (number):             \
		return #name;
#include "wire/closed.def"
	default:
		return "other";
	}
}

bool pgg_is_here(const pgg *game, uint32_t player)
{
	const struct player *found = player != 0 ? players_find(&game->players, player) : NULL;

	return found && found->is_named;
}

uint32_t pgg_players(const pgg *game)
{
	return game->players.named;
}

int pgg_fd(const pgg *game)
{
	return game->socket;
}

void pgg_read_statistics(const pgg *game, struct pgg_statistics *out)
{
	*out = game->statistics;
}

// SPDX-License-Identifier: BSD-3-Clause
// arena.c: a game behind a gateway: attacks are judged here, scores are told to everybody, chat reaches everybody.
//
//   cc arena.c $(pkg-config --cflags --libs pollgate-game) -o arena
//   ./arena /run/pollgate/game.sock
//
// Types of its own: 64 HEALTH (u32 left, u32 who hit) to who was hit, 65 SCORE (u32 player, u32 score, u32 beaten) to all, 66
// MISSED (u32 target) to who attacked. arena.py is the same game. Exit codes: 0 the gateway ended, 1 it ended the attachment, 2
// usage, 3 it could not be reached.

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <pollgate_game.h>

#define EVERYBODY 1 // the group
#define SEATS 65536 // a power of two, and far more than players
#define HEALTH_MAX 100
#define DAMAGE 25
#define RANGE_M 20.0F

enum own_type { HEALTH = PGG_OWN_FIRST, SCORE, MISSED };

struct fighter {
	uint32_t player; // 0: a free seat. Seats are kept for who comes back
	uint32_t health, score;
	bool is_in;
	float position[3];
};

/// As wire/PROTOCOL.md has it.
struct attack {
	uint32_t target, attack;
	float direction[3];
};

static struct fighter seats[SEATS];
static volatile sig_atomic_t is_wanted = 1;

static void stop(int number)
{
	(void)number;
	is_wanted = 0;
}

static struct fighter *seat_of(uint32_t player)
{
	uint32_t at = player * 2654435761U % SEATS;

	while (seats[at].player != 0 && seats[at].player != player)
		at = (at + 1) % SEATS;
	return &seats[at];
}

/// A message of three numbers at most. A player who does not keep up, or just left, misses it.
static struct pgg_message numbers(enum own_type type, const uint32_t *number, uint32_t count)
{
	return (struct pgg_message){.type = (uint8_t)type,
				    .reliable = true,
				    .priority = PGG_URGENT,
				    .body = number,
				    .length = count * (uint32_t)sizeof(*number)};
}

static void on_joined(pgg *game, const struct pgg_event *event)
{
	struct fighter *who = seat_of(event->player);

	if (event->as.joined.how != PGG_HOW_AGAIN) {
		*who = (struct fighter){.player = event->player, .health = HEALTH_MAX, .score = who->score};
		printf("arena: player %" PRIu32 " is in\n", event->player);
	}
	who->is_in = true;
	pgg_group_join(game, EVERYBODY, event->player);
}

static void on_moved(const struct pgg_event *event)
{
	for (uint32_t i = 0; i < event->as.moved.count; i++) {
		const struct pgg_position *moved = &event->as.moved.at[i];
		struct fighter *who = seat_of(moved->player);

		if (who->is_in)
			memcpy(who->position, moved->position, sizeof(who->position));
	}
}

static bool is_in_range(const struct fighter *a, const struct fighter *b)
{
	float square = 0;

	for (unsigned i = 0; i < 3; i++)
		square += (a->position[i] - b->position[i]) * (a->position[i] - b->position[i]);
	return square <= RANGE_M * RANGE_M;
}

static void beat(pgg *game, struct fighter *who, struct fighter *beaten)
{
	static const float origin[3], still[3];
	const uint32_t score[] = {who->player, ++who->score, beaten->player};
	const struct pgg_message told = numbers(SCORE, score, 3);

	printf("arena: player %" PRIu32 " beats %" PRIu32 ": %" PRIu32 "\n", who->player, beaten->player, who->score);
	pgg_send_group(game, EVERYBODY, 0, &told);
	beaten->health = HEALTH_MAX;
	memcpy(beaten->position, origin, sizeof(beaten->position));
	pgg_place(game, beaten->player, origin, still);
}

static void on_attack(pgg *game, struct fighter *who, const struct pgg_message *message)
{
	const struct attack *attack = message->body; // its length was checked by the gateway, and bodies are aligned
	struct fighter *target = seat_of(attack->target);

	if (!target->is_in || target == who || !is_in_range(who, target)) {
		const struct pgg_message missed = numbers(MISSED, &attack->target, 1);

		pgg_send(game, who->player, &missed);
		return;
	}
	target->health -= DAMAGE;
	pgg_send(game, target->player, message); // sees the blow
	const uint32_t left[] = {target->health, who->player};
	const struct pgg_message told = numbers(HEALTH, left, 2);

	pgg_send(game, target->player, &told);
	if (target->health == 0)
		beat(game, who, target);
}

static void on_message(pgg *game, const struct pgg_event *event)
{
	struct fighter *who = seat_of(event->player);

	if (event->as.message.type == PGG_TYPE_CHAT)
		pgg_send_group(game, EVERYBODY, 0, &event->as.message);
	else if (event->as.message.type == PGG_TYPE_ATTACK && who->is_in)
		on_attack(game, who, &event->as.message);
}

/// @return false: it was the last
static bool handle(pgg *game, const struct pgg_event *event)
{
	switch (event->type) {
	case PGG_JOINED:
		on_joined(game, event);
		return true;
	case PGG_LEFT:
		seat_of(event->player)->is_in = false;
		printf("arena: player %" PRIu32 " is out: %s\n", event->player, pgg_left_text(event->as.left.why));
		return true;
	case PGG_MOVED:
		on_moved(event);
		return true;
	case PGG_MESSAGE:
		on_message(game, event);
		return true;
	case PGG_END:
	case PGG_DETACHED:
		printf("arena: %s\n", event->as.ended.text);
		return false;
	default:
		return true;
	}
}

int main(int argc, char **argv)
{
	struct pgg_event events[256] = {{0}};
	struct pgg_options options;
	struct pgg_error error;
	int n = 0, i = 0;

	pgg_options_init(&options);
	options.path = argc == 2 ? argv[1] : NULL;
	options.name = "arena";
	options.wants_moves = true;
	if (argc != 2)
		return fputs("usage: arena SOCKET\n", stderr), 2;
	pgg *game = pgg_open(&options, &error);

	if (!game)
		return fprintf(stderr, "arena: %s\n", error.text), 3;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	puts("arena: attached");
	while (is_wanted && i == n && pgg_wait(game, 1000) >= 0) {
		n = pgg_poll(game, events, 256);
		for (i = 0; i < n && handle(game, &events[i]); i++)
			continue;
	}
	pgg_close(game);
	return i < n && events[i].type == PGG_DETACHED ? 1 : 0;
}

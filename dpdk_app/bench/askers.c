// SPDX-License-Identifier: BSD-3-Clause
// bench/askers.c: see askers.h.

#include "bench/askers.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN 8 // in this part of a tick

bool askers_make(struct askers *askers, const struct movers *movers, uint64_t tick_cycles)
{
	const uint32_t n = movers->plan->players;

	*askers = (struct askers){.movers = movers, .delay = tick_cycles / AGAIN};
	askers->epoch = calloc(n, sizeof(*askers->epoch));
	askers->waits = calloc(n, sizeof(*askers->waits));
	askers->again = calloc(n, sizeof(*askers->again));
	askers->due = calloc(n, sizeof(*askers->due));
	return askers->epoch && askers->waits && askers->again && askers->due;
}

void askers_free(struct askers *askers)
{
	free(askers->epoch);
	free(askers->waits);
	free(askers->again);
	free(askers->due);
}

static void write_question(struct askers *askers, uint32_t player, uint8_t *frame)
{
	const struct plain_look question = {
		.header = {.packet_type = PLAIN_LOOK, .packet_size = ASKERS_QUESTION_BYTES},
		.player_id = player + 1,
		.epoch = ++askers->epoch[player],
	};
	uint8_t *payload = frame + sizeof(struct frame_front);

	memset(payload, 0, ASKERS_QUESTION_BYTES);
	memcpy(payload, &question, sizeof(question));
	movers_front(askers->movers, player, ASKERS_FRAME, frame);
}

bool askers_ask(struct askers *askers, uint32_t player, uint32_t tick, uint8_t *frame)
{
	if (askers->waits[player] || movers_lose(askers->movers, player, tick))
		return false;
	write_question(askers, player, frame);
	return true;
}

uint64_t askers_due(const struct askers *askers)
{
	return askers->waiting != 0 ? askers->due[askers->first] : UINT64_MAX;
}

bool askers_ask_again(struct askers *askers, uint64_t now, uint8_t *frame)
{
	const uint32_t player = askers->waiting != 0 ? askers->again[askers->first] : 0;

	if (askers_due(askers) > now)
		return false;
	askers->first = (askers->first + 1) % askers->movers->plan->players;
	askers->waiting--;
	askers->waits[player] = false;
	write_question(askers, player, frame);
	return true;
}

static void ask_later(struct askers *askers, uint32_t player, uint64_t now)
{
	const uint32_t at = (askers->first + askers->waiting) % askers->movers->plan->players;

	if (askers->waits[player])
		return;
	askers->waits[player] = true;
	askers->again[at] = player;
	askers->due[at] = now + askers->delay;
	askers->waiting++;
}

bool askers_answered(struct askers *askers, uint32_t player, const uint8_t *payload, uint16_t length, uint64_t now)
{
	struct plain_sight sight;

	memcpy(&sight, payload, sizeof(sight));
	if (length > sizeof(sight) + sight.about)
		return true;
	ask_later(askers, player, now);
	return false;
}

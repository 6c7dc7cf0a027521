// SPDX-License-Identifier: BSD-3-Clause
// prediction.c: where the own player is before the game has said so, and what becomes of that when the game disagrees.

#include "pollgate_client.h"

void pgc_prediction_init(struct pgc_prediction *player, const struct pgc_motion *start, pgc_step *step, void *context)
{
	*player = (struct pgc_prediction){.motion = *start, .step = step, .context = context};
}

void pgc_prediction_move(struct pgc_prediction *player, const struct pgc_input *input)
{
	if (player->inputs == PGC_INPUTS_MAX) { // the oldest counts as seen
		player->first = (player->first + 1) % PGC_INPUTS_MAX;
		player->inputs--;
	}
	player->input[(player->first + player->inputs++) % PGC_INPUTS_MAX] = *input;
	player->step(player->context, &player->motion, input);
}

void pgc_prediction_seen(struct pgc_prediction *player, uint64_t until_ns)
{
	while (player->inputs > 0 && player->input[player->first].at_ns <= until_ns) {
		player->first = (player->first + 1) % PGC_INPUTS_MAX;
		player->inputs--;
	}
}

void pgc_prediction_correct(struct pgc_prediction *player, const struct pgc_motion *to, uint64_t seen_until_ns,
			    float moved[3])
{
	const struct pgc_motion before = player->motion;

	pgc_prediction_seen(player, seen_until_ns);
	player->motion = *to;
	for (uint32_t i = 0; i < player->inputs; i++)
		player->step(player->context, &player->motion, &player->input[(player->first + i) % PGC_INPUTS_MAX]);
	for (unsigned axis = 0; moved && axis < 3; axis++)
		moved[axis] = player->motion.position[axis] - before.position[axis];
}

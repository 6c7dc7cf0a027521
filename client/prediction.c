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
	const uint32_t at = (player->first + player->inputs++) % PGC_INPUTS_MAX;

	player->input[at] = *input;
	player->step(player->context, &player->motion, input);
	player->after[at] = player->motion;
}

void pgc_prediction_seen(struct pgc_prediction *player, uint64_t until_ns)
{
	while (player->inputs > 0 && player->input[player->first].at_ns <= until_ns) {
		player->first = (player->first + 1) % PGC_INPUTS_MAX;
		player->inputs--;
	}
}

static bool is_same(const struct pgc_motion *a, const struct pgc_motion *b)
{
	bool same = true;

	for (unsigned axis = 0; axis < 3; axis++)
		same &= a->position[axis] == b->position[axis] && a->velocity[axis] == b->velocity[axis];
	return same;
}

uint64_t pgc_prediction_refused(const struct pgc_prediction *player, const struct pgc_motion *refused)
{
	for (uint32_t i = player->inputs; i > 0; i--) {
		const uint32_t at = (player->first + i - 1) % PGC_INPUTS_MAX;

		if (is_same(&player->after[at], refused))
			return player->input[at].at_ns;
	}
	return 0;
}

/// Of the inputs that are applied again, what is said is another place.
static void apply_again(struct pgc_prediction *player)
{
	for (uint32_t i = 0; i < player->inputs; i++) {
		const uint32_t at = (player->first + i) % PGC_INPUTS_MAX;

		player->step(player->context, &player->motion, &player->input[at]);
		player->after[at] = player->motion;
	}
}

void pgc_prediction_correct(struct pgc_prediction *player, const struct pgc_motion *to, uint64_t seen_until_ns,
			    float moved[3])
{
	const struct pgc_motion before = player->motion;

	pgc_prediction_seen(player, seen_until_ns);
	player->motion = *to;
	apply_again(player);
	for (unsigned axis = 0; moved && axis < 3; axis++)
		moved[axis] = player->motion.position[axis] - before.position[axis];
}

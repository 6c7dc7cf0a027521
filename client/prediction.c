// SPDX-License-Identifier: BSD-3-Clause
// prediction.c: where the own player is before the game has said so, and what becomes of that when the game disagrees.

#include "pollgate_client.h"

void pgc_prediction_init(struct pgc_prediction *prediction, const struct pgc_motion *start, pgc_step *step,
			 void *context)
{
	*prediction = (struct pgc_prediction){.motion = *start, .step = step, .context = context};
}

void pgc_prediction_move(struct pgc_prediction *prediction, const struct pgc_input *input)
{
	if (prediction->inputs == PGC_INPUTS_MAX) { // the oldest counts as seen
		prediction->first = (prediction->first + 1) % PGC_INPUTS_MAX;
		prediction->inputs--;
	}
	prediction->input[(prediction->first + prediction->inputs++) % PGC_INPUTS_MAX] = *input;
	prediction->step(prediction->context, &prediction->motion, input);
}

void pgc_prediction_seen(struct pgc_prediction *prediction, uint64_t until_ns)
{
	while (prediction->inputs > 0 && prediction->input[prediction->first].at_ns <= until_ns) {
		prediction->first = (prediction->first + 1) % PGC_INPUTS_MAX;
		prediction->inputs--;
	}
}

void pgc_prediction_correct(struct pgc_prediction *prediction, const struct pgc_motion *to, uint64_t seen_until_ns,
			    float moved[3])
{
	const struct pgc_motion before = prediction->motion;

	pgc_prediction_seen(prediction, seen_until_ns);
	prediction->motion = *to;
	for (uint32_t i = 0; i < prediction->inputs; i++)
		prediction->step(prediction->context, &prediction->motion,
				 &prediction->input[(prediction->first + i) % PGC_INPUTS_MAX]);
	for (unsigned axis = 0; moved && axis < 3; axis++)
		moved[axis] = prediction->motion.position[axis] - before.position[axis];
}

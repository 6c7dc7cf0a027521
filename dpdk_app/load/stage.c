// SPDX-License-Identifier: BSD-3-Clause
// load/stage.c: see stage.h.

#include "load/stage.h"

#include <string.h>

/// The carrier did not take a datagram: as on a network, the client repeats what matters, and the rest is lost.
static void lose(struct stage *stage, const struct staged *staged, enum pg_load_unsent why)
{
	if (staged->message == NO_MESSAGE)
		return;
	stage->lost |= 1ULL << staged->message;
	stage->why[staged->message] = why;
}

int stage_send(struct stage *stage, struct transport *carrier)
{
	struct outgoing_message outgoing[LOAD_BURST];
	const unsigned room = carrier->ops->room(carrier, outgoing, stage->count);
	uint64_t taken;
	int refusal;

	for (unsigned i = 0; i < room; i++) {
		const struct staged *staged = &stage->staged[i];

		memcpy(outgoing[i].payload, staged->bytes, staged->length);
		outgoing[i].message = (struct message){.player = staged->player, .length = staged->length};
		outgoing[i].unsent = PG_LOAD_QUEUE_FULL;
	}
	taken = room > 0 ? carrier->ops->send(carrier, outgoing, room) : 0;
	for (unsigned i = 0; i < stage->count; i++)
		if (i >= room || !(taken >> i & 1))
			lose(stage, &stage->staged[i], i < room ? outgoing[i].unsent : PG_LOAD_QUEUE_FULL);
	stage->count = 0;
	refusal = carrier->refusal;
	carrier->refusal = 0; // told once
	return refusal;
}

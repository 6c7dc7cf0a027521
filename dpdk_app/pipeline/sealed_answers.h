// SPDX-License-Identifier: BSD-3-Clause
// pipeline/sealed_answers.h: the answers of the session profile as frames, in either lane.

#ifndef POLLGATE_PIPELINE_SEALED_ANSWERS_H
#define POLLGATE_PIPELINE_SEALED_ANSWERS_H

#include "net/reply.h"
#include "net/return_headers.h"
#include "pipeline/frames.h"
#include "pipeline/session_stages.h"

static COLD void learn_return_headers(const struct ingress *ingress, const struct burst *burst, uint32_t slot,
				      unsigned i, struct packet p)
{
	if (ingress->shard->store->return_headers)
		return_headers_learn(&ingress->shard->store->return_headers[slot], burst->frame[i], &p,
				     ingress->identity, ingress->port);
}

/// An answer of any length lies where the payload lay.
ALWAYS_INLINE void answer_sealed(const struct ingress *ingress, struct burst *burst, const struct sealed *s,
				 struct packet *p, const unsigned tx_offload)
{
	const unsigned i = s->at;
	const unsigned checksums = reply_resized(burst->frame[i], p, ingress->identity, s->length, true, tx_offload);

	finish_answer(burst, i, p, checksums, tx_offload);
}

ALWAYS_INLINE void conclude_sealed(struct ingress *ingress, struct burst *burst, const struct sealed *s,
				   struct packet *p, const unsigned tx_offload)
{
	if (unlikely(s->learn))
		learn_return_headers(ingress, burst, s->slot, s->at, *p);
	if (likely(s->result == PG_DROP_NONE))
		answer_sealed(ingress, burst, s, p, tx_offload);
	else
		conclude_unanswered(ingress, burst, s->at, s->result, s->owner);
}

#endif

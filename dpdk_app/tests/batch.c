// SPDX-License-Identifier: BSD-3-Clause
// batch.c: see batch.h.

#include "batch.h"

#include <string.h>

#include "unit.h"

void batch_clear(struct batch *b)
{
	memset(b, 0, sizeof(*b));
	memset(b->burst.drop, 0xee, sizeof(b->burst.drop)); // every frame must get its verdict
}

void batch_add(struct batch *b, const struct frame *f)
{
	memcpy(b->memory[b->n], f->bytes, f->len);
	b->burst.frame[b->n] = b->memory[b->n];
	b->burst.length[b->n] = f->len;
	b->received[b->n] = f->len;
	b->n++;
}

void batch_run(struct batch *b, struct rig *rig)
{
	rig->path->run[rig->rx_offload][rig->tx_offload](&rig->ingress, &b->burst, b->n, rig->now);
}

// SPDX-License-Identifier: BSD-3-Clause
// port/progress.c: see progress.h.

#include "port/progress.h"

#define STANDS_NS 1000000000ULL     // nothing left for so long, although it was tried
#define STANDS_TRIES 3              // times that the kernel threw away what was tried
#define STAYS_FULL_NS 2000000000ULL // the ring took nothing for so long, although something was offered

static void begin(struct progress *p, const struct transmit_totals *now, uint64_t now_ns)
{
	*p = (struct progress){.known = true, .moved = *now, .moved_ns = now_ns, .seen = *now};
}

/// The kernel says so: it sent nothing, and lost what it tried.
static bool nothing_leaves(const struct progress *p, const struct transmit_totals *now, uint64_t now_ns)
{
	const bool offered = now->accepted != p->moved.accepted || now->refused != p->moved.refused;

	return offered && now->lost - p->moved.lost >= STANDS_TRIES && now_ns - p->moved_ns >= STANDS_NS;
}

/// The driver says so; others may send through the same interface.
static bool stays_full(struct progress *p, const struct transmit_totals *now, uint64_t now_ns)
{
	const bool refuses = now->refused != p->seen.refused;

	if (now->accepted != p->seen.accepted)
		p->refused_ns = 0;
	else if (refuses && p->refused_ns == 0)
		p->refused_ns = now_ns;
	return refuses && p->refused_ns != 0 && now_ns - p->refused_ns >= STAYS_FULL_NS;
}

bool progress_stands(struct progress *p, const struct transmit_totals *now, bool up, uint64_t now_ns)
{
	bool stands;

	if (!p->known || !up) {
		begin(p, now, now_ns);
		return false;
	}
	if (now->left != p->moved.left) {
		p->moved = *now;
		p->moved_ns = now_ns;
	}
	stands = stays_full(p, now, now_ns) || nothing_leaves(p, now, now_ns);
	p->seen = *now;
	return stands;
}

// SPDX-License-Identifier: BSD-3-Clause
// load/transport.h: what carries messages to the target and answers back: kernel sockets, a device, or a test.

#ifndef POLLGATE_LOAD_TRANSPORT_H
#define POLLGATE_LOAD_TRANSPORT_H

#include <stdint.h>

#include "load/inflight.h"
#include "load/players.h"
#include "pollgate_load.h"
#include "stats/error.h" // error_set

#define LOAD_BURST 64

/// A message on its way out; `payload` is the transport's, MESSAGE_MAX bytes.
struct outgoing_message {
	uint8_t *payload;
	struct message message;
	enum pg_load_unsent unsent; // set by send(), of one that was not taken
};

struct transport {
	const struct transport_ops *ops;
	struct pg_load_page *page; // the transport counts what it does not hand up: stray, invalid and host
	unsigned burst;            // messages to give at once: 1 … LOAD_BURST
	int refusal;               // errno of the last message that the target or the network refused; 0: none
};

/// The kernel, the network or the target says that it refused a datagram.
ALWAYS_INLINE void transport_refused(struct transport *t, int code)
{
	t->refusal = code;
	counter_add(&t->page->counts.refusals, 1);
	counter_set(&t->page->counts.refusal, (uint64_t)code);
}

/// The reader of the page wants the trial to end.
ALWAYS_INLINE bool load_stopped(const struct pg_load_page *page)
{
	return __atomic_load_n(&page->stop, __ATOMIC_RELAXED) != 0;
}

struct transport_ops {
	/// Make ready for a trial. @return PG_OK, or the code in `error`
	int (*begin)(struct transport *t, const struct pg_load_trial *trial, struct pg_error *error);

	/// Where the next messages are to be written. @return how many there is room for, at most n
	unsigned (*room)(struct transport *t, struct outgoing_message *outgoing, unsigned n);

	/// Send what room() was asked for. @return bit i: message i was taken; the others are gone, too
	uint64_t (*send)(struct transport *t, struct outgoing_message *outgoing, unsigned n);

	/// What has arrived; payloads are valid until the next call. @return at most LOAD_BURST
	unsigned (*receive)(struct transport *t, struct answer *answer);

	/// Wait until `until` (TSC) or until something arrives. May return at once.
	void (*wait)(struct transport *t, uint64_t until);

	/// A player goes on from another UDP port. NULL: none can.
	/// @return false: there is none for the player
	bool (*rebind)(struct transport *t, uint32_t player);

	/// Say in a sentence what a `refusal` means. @return the code in `error`
	int (*explain)(const struct transport *t, int refusal, struct pg_error *error);

	void (*close)(struct transport *t);
};

/// Both check their part of the plan. NULL on failure, with nothing left open.
struct transport *transport_over_sockets(const struct pg_load_plan *plan, struct pg_load_page *page,
					 struct pg_error *error);
struct transport *transport_over_device(const struct pg_load_plan *plan, struct pg_load_page *page,
					struct pg_error *error);

#endif

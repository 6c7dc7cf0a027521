// SPDX-License-Identifier: BSD-3-Clause
// pipeline/profile.h: what a listener speaks: a table of functions and of what they need, for each line of
// wire/profiles.def.
//
// An ingress knows the number of each listener's profile. The stages of a burst are a second table, made for each
// micro-architecture level (pipeline/lanes.h): a profile has loops of its own there, or is served by take(). What it keeps
// in a worker process, and does between bursts, is a third (runtime/profile_life.h).

#ifndef POLLGATE_PIPELINE_PROFILE_H
#define POLLGATE_PIPELINE_PROFILE_H

#include "pipeline/pipeline.h"

/// A datagram of a burst, whoever took its frame off.
struct arrival {
	uint8_t *payload; // the answer lies where the datagram lay
	const struct peer *peer;
	uint16_t length; // as received; then of the answer, which is no longer
	uint8_t at;      // index into the burst
	uint8_t profile; // enum pg_profile
	uint8_t result;  // PG_DROP_NONE: answered; another enum pg_drop; or PACKET_…
	uint8_t owner;   // of PACKET_ELSEWHERE: another worker, who is to have the payload as received
	bool learn;      // the way that it came leads to the peer of `slot`: profile.learn() is called for it
	uint32_t slot;   // of whom it is, in the profile's own terms
};

/// How a datagram came in.
struct way_in {
	const uint8_t *frame; // its headers are as received; NULL: by a socket
	const struct packet *packet;
	uint8_t socket_index; // as in struct datagram_burst
};

/// Handle a group of datagrams of one burst, in the order of their arrival. Each is PG_DROP_NONE before; what is not
/// dropped is counted among stats->handled, by who handles it; what is dropped is counted by the caller.
typedef void profile_take(struct ingress *ingress, struct arrival *arrival, unsigned n, uint64_t now);

/// What is known of a profile before the first packet.
struct profile {
	/// Tell a port, whose first listener speaks it, what its fast frame is. NULL: what identity_init() expects, or
	/// none.
	void (*expect)(struct identity *identity);

	/// Of a profile without loops of its own, which has one. The limit of sources was applied, unless it does so itself.
	profile_take *take;

	/// Of an arrival that asks for it, before its answer is written: remember how the peer is reached. NULL: nothing asks.
	void (*learn)(struct ingress *ingress, uint32_t slot, const struct way_in *way);

	bool issued;         // its sessions are issued: it needs a worker's shard
	bool netcode;        // it needs the plan's part of netcode, and a worker's
	bool limits_sources; // take() applies the limit of sources itself, to those who have proved nothing
	bool unfragmented;   // what does not fit the path is lost rather than cut
};

#define PROFILE(NAME, name, loops) extern const struct profile name##_profile;
#include "wire/profiles.def"

/// @param number  enum pg_profile
const struct profile *profile_of(unsigned number);

/// Tell the ingress, and the identity of its port, what the plan's listeners speak.
void ingress_speak(struct ingress *ingress, const struct pg_plan *plan);
void identity_expect(struct identity *identity, const struct pg_plan *plan);

/// Bit n: a listener of the plan speaks profile n.
uint32_t profiles_spoken(const struct pg_plan *plan);

/// What is wrong with a listener's profile, in words that follow its name. NULL: it is one that there is, with all that it
/// needs.
const char *profile_misfit(const struct pg_plan *plan, uint32_t listener);

/// Is nothing wrong with any?
bool profiles_fit(const struct pg_plan *plan);

#endif

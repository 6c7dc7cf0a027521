// SPDX-License-Identifier: BSD-3-Clause
// pipeline/lanes.h: a burst of frames between its stages: a lane for each profile that has loops of its own, and one for all
// others; and those loops as a table.
//
// Included by burst.c, and compiled like it once per micro-architecture level. A function of the table is called once for a
// burst or a group of it, never for a packet: what nearly every packet is, is sorted and answered in loops that call nothing.

#ifndef POLLGATE_PIPELINE_LANES_H
#define POLLGATE_PIPELINE_LANES_H

#include "net/parse.h"
#include "pipeline/fast_data.h"
#include "pipeline/gathered.h"
#include "pipeline/session_stages.h"
#include "pipeline/stages.h"

/// A frame that needed taking apart.
struct parsed {
	struct packet packet;
	uint8_t frame;
};

/// Of the plain profile, in the order of arrival.
struct plain_frames {
	struct lookup game[BURST_MAX];
	struct source source[BURST_MAX]; // of each of those, where its listener limits its sources
	struct packet packet[BURST_MAX];
	unsigned game_count;
	bool mixed; // some of the game datagrams are LANE_OTHER
};

/// Of the session profile: what nearly every frame is, and all else.
struct sealed_frames {
	struct fast_lane fast;
	struct sealed_lane lane;
	struct packet packet[BURST_MAX]; // of each datagram in `lane`
};

/// Of all profiles without loops of their own.
struct gathered_frames {
	struct gathered gathered;
	struct packet packet[BURST_MAX];
};

/// The frames of a burst, by what they turned out to be.
struct lanes {
	struct plain_frames plain;
	struct sealed_frames sealed;
	struct gathered_frames others;
	struct parsed host[BURST_MAX];
	unsigned host_count;
	uint32_t used; // bit n: there may be datagrams of profile n
};

/// How a profile takes its datagrams out of frames, and answers them.
struct frame_loops {
	/// Sort frames from the i-th on, as many as are common ones: to the first listener, which speaks this profile.
	/// [device verifies checksums]
	/// @return index of the first that the general parser is to look at, or n
	unsigned (*sort[2])(struct ingress *ingress, struct burst *burst, unsigned i, unsigned n, struct lanes *lanes);

	/// Sort those that the general parser took apart: datagrams to listeners that speak this profile.
	void (*sort_parsed)(struct ingress *ingress, struct burst *burst, const struct parsed *parsed, unsigned n,
			    struct lanes *lanes);

	/// Handle and answer all that was sorted. [device computes checksums]
	void (*serve[2])(struct ingress *ingress, struct burst *burst, struct lanes *lanes, uint64_t now);
};

#endif

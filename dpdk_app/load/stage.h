// SPDX-License-Identifier: BSD-3-Clause
// load/stage.h: datagrams of clients that wait to be handed to the carrier together.

#ifndef POLLGATE_LOAD_STAGE_H
#define POLLGATE_LOAD_STAGE_H

#include "load/transport.h"
#include "pollgate_client.h"

#define NO_MESSAGE (-1)

/// A datagram.
struct staged {
	uint32_t player;
	uint16_t length;
	int message; // of the turn, which is lost with it; NO_MESSAGE
	uint8_t bytes[PGC_DATAGRAM_MAX];
};

/// All zero: none.
struct stage {
	unsigned count;
	struct staged staged[LOAD_BURST];
	uint64_t lost;                       // messages of the turn whose datagrams were not taken
	enum pg_load_unsent why[LOAD_BURST]; // of these
};

/// Hand all of it to the carrier. What that does not take is lost, as on a network.
/// @return errno of the last that the carrier says to have been refused; 0: none
int stage_send(struct stage *stage, struct transport *carrier);

#endif

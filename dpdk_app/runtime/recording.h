// SPDX-License-Identifier: BSD-3-Clause
// runtime/recording.h: the workers' journals in the memory of a recording.

#ifndef POLLGATE_RUNTIME_RECORDING_H
#define POLLGATE_RUNTIME_RECORDING_H

#include "pollgate_recording.h"
#include "runtime/engine.h"

/// A worker's journal goes on in its share of the recording, from all of its worlds.
void recording_open(const struct pg_gateway *g, const struct worker *w);

#endif

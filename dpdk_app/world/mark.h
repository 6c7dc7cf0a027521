// SPDX-License-Identifier: BSD-3-Clause
// world/mark.h: what somebody who is found is to the observer whose turn it is.

#ifndef POLLGATE_WORLD_MARK_H
#define POLLGATE_WORLD_MARK_H

#include "wire/world.h"

#define MARK_NEW 0                       // not seen so far; of who is in slot s, the mark is s + 1
#define MARK_TAKEN (WORLD_SLOTS_MAX + 1) // the observer, and who is on the list already: within nothing
#define MARK_WEIGHT_ONE (1U << 16)

#endif

// SPDX-License-Identifier: BSD-3-Clause
// shared.h: of the bus, as the model checker has it: in place of the product's.

#ifndef POLLGATE_BUS_SHARED_H
#define POLLGATE_BUS_SHARED_H

#include "model.h"

#endif

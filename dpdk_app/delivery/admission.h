// SPDX-License-Identifier: BSD-3-Clause
// delivery/admission.h: is a message understood, and within its limit?

#ifndef POLLGATE_DELIVERY_ADMISSION_H
#define POLLGATE_DELIVERY_ADMISSION_H

#include "delivery/context.h"
#include "delivery/piece.h"

#define ADMISSION_MEMORY_MS 250 // until what found no memory may come again
#define ADMISSION_ORDER_MS 100  // until what was too far ahead may

/// Is it of a type that comes this way, and a body of that type as far as can be told? Of pieces and of what is compressed that
/// shows when they are joined and expanded.
bool admission_understood(const struct delivery_context *ctx, const struct piece *piece);

/// Charge its type's limit.
/// @return `now` or before if it conforms; else when it does, and nothing is charged
uint64_t admission_charge(const struct delivery_context *ctx, uint64_t conforms_at[PG_REQUESTS],
			  const struct piece *piece, uint64_t now);

#endif

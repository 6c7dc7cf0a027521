// SPDX-License-Identifier: BSD-3-Clause
// delivery/path_mtu.h: how long a delivery's datagrams may be: what the path is believed to carry (RFC 8899).
//
// struct outbound's `room` says it. It shrinks to the least where long datagrams vanish while others arrive, and where the path
// is another; it grows when a PROBE of more is acknowledged, and by nothing else. wire/PROTOCOL.md, "Path MTU".

#ifndef POLLGATE_DELIVERY_PATH_MTU_H
#define POLLGATE_DELIVERY_PATH_MTU_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

enum path_search {
	PATH_WHOLE,     // the path carries the longest datagrams: nothing is searched for
	PATH_TO_SEARCH, // it may carry more: a search is to begin
	PATH_SEARCHING, // PROBEs leave, when nothing else waits
	PATH_SEARCHED,  // it carries no more: the next search begins at `next`
};

/// All zero: nothing is known to be lost, nothing is searched for.
struct path_mtu {
	uint32_t longs;       // bit n: datagram newest_long - n was long, and it is not known what became of it
	uint32_t newest_long; // counter of the newest long datagram
	uint32_t probe;       // counter of the PROBE that is on its way; 0: none is
	uint16_t next;        // in 32 ms, modulo 2^16: when the next PROBE may leave, or the next search begins
	uint8_t search : 2;   // enum path_search
	uint8_t tried : 2;    // PROBEs of this size
	uint8_t lost : 2;     // long datagrams, in a row
	uint8_t changed : 1;  // `room` is not what was last told to whoever keeps it
};
static_assert(sizeof(struct path_mtu) == 16, "a part of each connected player's memory");

/// Does it matter what becomes of a datagram?
ALWAYS_INLINE bool path_mtu_tries(const struct path_mtu *path)
{
	return (path->longs | path->probe) != 0;
}

struct arrived;
struct delivery;
struct delivery_context;

/// A connection begins, or its path carries less than was thought before anything was said.
void path_mtu_begin(const struct delivery_context *ctx, struct delivery *c, uint16_t room);

/// The path is another, or it swallows long datagrams: it carries the least, until a search says more. Messages that must not be
/// cut and do not fit any more are lost.
void path_mtu_shrink(struct delivery_context *ctx, struct delivery *c, uint64_t now);

/// A datagram was filled.
/// @param room  bytes of messages in it
void path_mtu_left(struct delivery *c, uint32_t counter, uint32_t room);

/// Something was acknowledged, and `c->acknowledged` knows it.
void path_mtu_told(struct delivery_context *ctx, struct delivery *c, struct arrived arrived, uint64_t now);

/// Another timeout passed.
void path_mtu_timed_out(struct delivery_context *ctx, struct delivery *c, uint64_t now);

/// When the next PROBE leaves, if nothing else happens; UINT64_MAX: none does.
uint64_t path_mtu_wake(const struct delivery_context *ctx, const struct delivery *c, uint64_t now);

/// The handshake tried longer datagrams in vain: the first search is a while later.
void path_mtu_put_off(const struct delivery_context *ctx, struct delivery *c, uint64_t now);

/// Begin a search if it is time for one.
/// @return whether it begins
bool path_mtu_search(const struct delivery_context *ctx, struct delivery *c, uint64_t now);

/// When that is; UINT64_MAX: when the path is another.
uint64_t path_mtu_search_at(const struct delivery_context *ctx, const struct delivery *c, uint64_t now);

/// Bytes of the PROBE that leaves now; 0: none does.
uint16_t path_mtu_probe(const struct delivery_context *ctx, struct delivery *c, uint64_t now);

/// It left.
void path_mtu_probed(const struct delivery_context *ctx, struct delivery *c, uint32_t counter, uint64_t now);

#endif

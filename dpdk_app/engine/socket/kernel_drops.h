// SPDX-License-Identifier: BSD-3-Clause
// engine/socket/kernel_drops.h: what the kernel dropped at a socket before a worker could take it, and why.
//
// A socket has one count for everything: its buffer was full (the workers are too slow), a checksum was wrong (a
// stranger's doing), its filter refused it. How many found a buffer full is known only of the whole network namespace.

#ifndef POLLGATE_KERNEL_DROPS_H
#define POLLGATE_KERNEL_DROPS_H

#include <stdint.h>
#include <stdio.h>

/// Datagrams of one family that found a buffer full, in this network namespace.
struct overflow {
	uint64_t seen;      // the kernel's count when it was last read
	uint64_t fresh;     // what it grew by then
	uint64_t unclaimed; // of these and of the round before, not yet found in the count of a socket of ours
};

/// Control thread only.
struct kernel_drops {
	struct overflow v4;
	struct overflow v6;
};

/// Begin to count: earlier losses are not ours.
void kernel_drops_begin(struct kernel_drops *drops);

/// Read the namespace's counts again, after those of the sockets: a socket counts a loss first.
void kernel_drops_refresh(struct kernel_drops *drops);

/// The namespace counts `now`. A loss may be in that count before the socket's is read, so what nobody claimed is kept
/// for one round.
void overflow_advance(struct overflow *overflow, uint64_t now);

/// Of `n` datagrams that a socket of this family newly counts as dropped, those that its buffer had no room for. Should
/// sockets of other programs lose some at the same time, up to as many of ours with wrong checksums are among them.
uint32_t kernel_drops_claim(struct overflow *overflow, uint32_t n);

/// The sum of `<prefix>RcvbufErrors` and `<prefix>MemErrors`, in the form of /proc/net/snmp (a line of names before the
/// line of their values) or of /proc/net/snmp6 (a name and its value on a line).
uint64_t snmp_overflows(FILE *file);
uint64_t snmp6_overflows(FILE *file);

/// Datagrams that a socket dropped since it was made.
/// @return `otherwise` when the kernel does not tell
uint32_t socket_drops(int fd, uint32_t otherwise);

#endif

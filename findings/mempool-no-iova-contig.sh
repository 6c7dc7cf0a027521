#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# DPDK: mbufs of a pool with RTE_MEMPOOL_F_NO_IOVA_CONTIG have a device address near 0 that looks like any other.
#
# Package: Debian 12, libdpdk-dev 22.11.11-0+deb12u1 (apt), as installed, with gcc and pkgconf.
# Needs no device, no huge pages, no root.
#
# The flag's text is "allocated objects won't necessarily be contiguous in IO memory". Where IO addresses are virtual
# (--iova-mode=va) all memory is contiguous in IO memory, so one expects it to make no difference there beside a tighter
# layout. It does: no object gets an address at all. rte_mempool_virt2iova() says RTE_BAD_IOVA (its own text has that),
# but rte_pktmbuf_init() adds the header's size to it without looking: buf_iova is RTE_BAD_IOVA + 128, which wraps round
# to 0x7f. A driver that would check for RTE_BAD_IOVA finds none; one that does not hands a card address 0x7f + headroom.
# Without the flag, buf_iova is buf_addr.
#
# Source: lib/mempool/rte_mempool.h (RTE_MEMPOOL_F_NO_IOVA_CONTIG, rte_mempool_virt2iova), lib/mbuf/rte_mbuf.c
# (rte_pktmbuf_init) of v22.11; https://doc.dpdk.org/api-22.11/rte__mempool_8h.html
#
# Output seen:
#   without the flag: buf_iova - buf_addr = 0x0, marked as non-IO: no
#   with the flag:    buf_iova = 0x7f, RTE_BAD_IOVA: no, marked as non-IO: yes
#
# Exit code: 0 as above, 1 it behaves otherwise, 2 it could not be tried.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
pkg-config --atleast-version=22.11 libdpdk || { echo "apt-get install libdpdk-dev gcc pkgconf"; exit 2; }
echo "libdpdk $(pkg-config --modversion libdpdk)"

cat >"$dir/pools.c" <<'C'
#include <inttypes.h>
#include <stdio.h>
#include <rte_eal.h>
#include <rte_mbuf.h>

static struct rte_mbuf *first_of(const char *name, unsigned flags, struct rte_mempool **pool)
{
	*pool = rte_mempool_create(name, 63, sizeof(struct rte_mbuf) + 2176, 0,
				   sizeof(struct rte_pktmbuf_pool_private), rte_pktmbuf_pool_init, NULL,
				   rte_pktmbuf_init, NULL, SOCKET_ID_ANY, flags);
	return *pool ? rte_pktmbuf_alloc(*pool) : NULL;
}

int main(int argc, char **argv)
{
	struct rte_mempool *plain, *flagged;
	struct rte_mbuf *a, *b;

	if (rte_eal_init(argc, argv) < 0)
		return 2;
	a = first_of("plain", 0, &plain);
	b = first_of("flagged", RTE_MEMPOOL_F_NO_IOVA_CONTIG, &flagged);
	if (!a || !b)
		return 2;
	printf("without the flag: buf_iova - buf_addr = 0x%" PRIx64 ", marked as non-IO: %s\n",
	       rte_mbuf_iova_get(a) - (uintptr_t)a->buf_addr, plain->flags & RTE_MEMPOOL_F_NON_IO ? "yes" : "no");
	printf("with the flag:    buf_iova = 0x%" PRIx64 ", RTE_BAD_IOVA: %s, marked as non-IO: %s\n",
	       rte_mbuf_iova_get(b), rte_mbuf_iova_get(b) == RTE_BAD_IOVA ? "yes" : "no",
	       flagged->flags & RTE_MEMPOOL_F_NON_IO ? "yes" : "no");
	return rte_mbuf_iova_get(a) == (uintptr_t)a->buf_addr && rte_mbuf_iova_get(b) == sizeof(struct rte_mbuf) - 1 ? 0 : 1;
}
C
read -ra flags < <(pkg-config --cflags --libs libdpdk)
gcc -O1 -w "$dir/pools.c" -o "$dir/pools" "${flags[@]}"
HOME=$dir XDG_RUNTIME_DIR=$dir "$dir/pools" --no-huge --no-shconf -m 64 --no-pci --no-telemetry --iova-mode=va --log-level=3

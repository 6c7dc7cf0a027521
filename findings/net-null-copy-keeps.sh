#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# DPDK 25.11.4 (Debian unstable: dpdk 25.11.4-1, the first release with it is 25.07): net_null with copy=1 frees nothing.
#
# The null device is what one measures and tests with where there is no card. Without arguments it frees every packet
# buffer that is sent over it. With copy=1, which only adds a copy of the bytes "as a wire would", it returns from
# rte_eth_tx_burst() as if it had taken the buffers, and never frees them: whoever sends has no buffer left after as many
# packets as the pool has buffers, receives nothing more either, and finds no error counter that moved. A program that
# frees them itself would free twice on DPDK 22.11 to 25.03. To be sure, one has to ask the device: send one buffer and see
# whether the pool has it back.
#
# Source: doc/guides/nics/null.rst of DPDK ("On Tx it just frees all sent packets"; copy "copies data of the packet before
# Rx/Tx"); eth_null_copy_tx() in drivers/net/null/rte_eth_null.c, whose loop had rte_pktmbuf_free() in older releases.
#
# Seen, three seconds of testpmd's txonly with 8,192 buffers: "net_null0: 27900128 packets",
# "net_null0,copy=1: 8064 packets" (128 buffers are in the cache of the thread).
# Fails when copy=1 sends more than there are buffers. Run as root; needs debootstrap and some minutes, as the release is
# unpacked into a temporary folder; DEBIAN_MIRROR names another mirror.

set -euo pipefail
readonly buffers=8192
work=$(mktemp -d)
trap 'umount "$work/sid/proc" 2>/dev/null || true; rm -rf "$work"' EXIT
debootstrap --variant=minbase --include=dpdk-dev sid "$work/sid" "${DEBIAN_MIRROR-http://deb.debian.org/debian}" >"$work/log" 2>&1 ||
	{ tail "$work/log" && exit 1; }
mount -t proc proc "$work/sid/proc"
chroot "$work/sid" dpkg-query -W dpdk-dev

# sent DEVICE: the packets that leave in three seconds.
sent() {
	(sleep 1 && echo start && sleep 3 && echo stop && echo quit) |
		timeout 60 chroot "$work/sid" dpdk-testpmd --no-huge -m 256 --no-pci --in-memory --no-telemetry \
			--lcores 0,1@0 --vdev "$1" -- -i --forward-mode=txonly --total-num-mbufs=$buffers 2>&1 |
		sed -n 's/.*TX-packets: \([0-9]*\).*/\1/p' | head -n 1
}

plain=$(sent net_null0) copying=$(sent net_null0,copy=1)
printf 'net_null0: %s packets\nnet_null0,copy=1: %s packets\n' "$plain" "$copying"
((plain > 100 * buffers && copying > 0 && copying <= buffers))

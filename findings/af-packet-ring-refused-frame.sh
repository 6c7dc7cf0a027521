#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A frame that the far end of a veth refuses stops DPDK's af_packet for every frame behind it; all count as sent.
#
# Versions: Debian 12's dpdk-dev and librte-net-af-packet23 22.11.11-0+deb12u1, and a Linux kernel in which veth_xmit()
# returns NET_XMIT_DROP (6.x; run on 6.18).
# Behaviour: the MTU of a veth's far end is lower than the near end's. Thirty-two frames that are longer than it and
# then thirty-two short ones are sent. The driver says that all 64 were sent and none was dropped; the kernel sent
# none, not even the short ones: tpacket_snd() gives a frame that was dropped back to the ring as TP_STATUS_SEND_REQUEST
# and stops there, so that the first is tried again at every kick, for ever. One would expect the long ones to be lost
# and the short ones to leave.
# Seen:   short alone: testpmd TX-packets 32, kernel tx_packets 32
#         short behind long: testpmd TX-packets 64, TX-errors 0, kernel tx_packets 0
# Sources: Linux net/packet/af_packet.c, tpacket_snd(), "skb was destructed already"; drivers/net/veth.c, veth_xmit();
#          DPDK drivers/net/af_packet/rte_eth_af_packet.c, eth_af_packet_tx().
# Needs root; makes a network namespace of its own, which is gone when it ends.
set -euo pipefail

if [[ ${1-} != inside ]]; then
	command -v dpdk-testpmd >/dev/null || apt-get install -y dpdk-dev dpdk librte-net-af-packet23 >/dev/null
	exec unshare --net --mount sh -c 'mount -t sysfs sysfs /sys && exec "$@"' sh "$0" inside
fi

sent_by_kernel() { # sent_by_kernel COMMANDS: run testpmd with them on near0; prints what it says, then the kernel's count
	ip link add near0 type veth peer name far0
	sysctl -qw net.ipv6.conf.near0.disable_ipv6=1 net.ipv6.conf.far0.disable_ipv6=1
	ip link set far0 mtu 600
	ip link set near0 up
	ip link set far0 up
	local before
	before=$(cat /sys/class/net/near0/statistics/tx_packets)
	{
		sleep 3
		printf '%s\n' "$1"
		sleep 1
		printf '%s\n' 'show port stats 0' quit
	} | timeout 60 dpdk-testpmd --no-huge -m 256 --no-pci --no-shconf -l 0,1 --no-telemetry \
		--vdev net_af_packet0,iface=near0 -- -i --port-topology=loop --total-num-mbufs=8192 2>/dev/null |
		grep -A8 'NIC statistics for port 0' | grep -oE 'TX-(packets|errors): *[0-9]+' | tr -s ' ' | paste -sd' '
	echo "kernel $(($(cat /sys/class/net/near0/statistics/tx_packets) - before))"
	ip link delete near0
}

short=$'set fwd io\nset burst 32\nset txpkts 64\nstart tx_first 1\nstop'
long=$'set fwd io\nset burst 32\nset txpkts 1400\nstart tx_first 1\nstop'

alone=$(sent_by_kernel "$short" | paste -sd' ')
behind=$(sent_by_kernel "$long"$'\n'"$short" | paste -sd' ')
echo "short alone:       $alone"
echo "short behind long: $behind"
[[ $alone == 'TX-packets: 32 TX-errors: 0 kernel 32' ]] || { echo "the short frames alone do not leave as expected"; exit 1; }
[[ $behind == 'TX-packets: 64 TX-errors: 0 kernel 0' ]] || { echo "the behaviour has changed"; exit 1; }

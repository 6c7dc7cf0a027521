#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Linux (seen on 6.18): whether a UDP socket counts a datagram with a wrong checksum depends on its length.
#
# The count of a socket's drops (SO_MEMINFO, SO_RXQ_OVFL, the last column of /proc/net/udp) is read as "the program was
# too slow". It also holds datagrams with wrong checksums, which are somebody else's doing, but only long ones: up to 76
# bytes with the UDP header (CHECKSUM_BREAK) the kernel verifies while it takes the header apart, before it looks for a
# socket, and no socket counts them; longer ones are verified when they are read, and count as the socket's own.
# The namespace's InCsumErrors has both.
#
# Source: include/linux/skbuff.h (CHECKSUM_BREAK, __skb_checksum_validate_complete), net/ipv4/udp.c (__udp4_lib_rcv,
# __skb_recv_udp).
#
# Seen: "68 bytes of UDP: drops 0, InCsumErrors 1" and "77 bytes of UDP: drops 1, InCsumErrors 1".
# Fails when that changes. Run as root; everything happens on the loopback interface of a namespace of its own.

set -euo pipefail
unshare --net bash -euo pipefail -c 'ip link set lo up && python3 -' <<'PYTHON'
import re
import socket
import struct
import sys
from pathlib import Path

SO_MEMINFO, SK_MEMINFO_DROPS = 55, 8


def checksum_errors() -> int:
    names, values = re.findall(r"^Udp: (.*)$", Path("/proc/net/snmp").read_text(), re.MULTILINE)
    return int(dict(zip(names.split(), values.split(), strict=True))["InCsumErrors"])


def drops(sock: socket.socket) -> int:
    return struct.unpack("9I", sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[SK_MEMINFO_DROPS]


def send_wrong(length: int) -> tuple[int, int]:
    """How many drops and checksum errors one datagram of so many bytes, UDP header and all, brings."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.2)
        before = checksum_errors()
        header = struct.pack(">HHHH", 40_000, receiver.getsockname()[1], length, 0x1234)
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
            raw.sendto(header + bytes(length - 8), ("127.0.0.1", 0))
        try:
            receiver.recv(2048)
        except TimeoutError:
            pass
        return drops(receiver), checksum_errors() - before


found = {length: send_wrong(length) for length in (68, 76, 77, 600)}
for length, (dropped, wrong) in found.items():
    print(f"{length} bytes of UDP: drops {dropped}, InCsumErrors {wrong}")
sys.exit(found != {68: (0, 1), 76: (0, 1), 77: (1, 1), 600: (1, 1)})
PYTHON

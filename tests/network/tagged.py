# SPDX-License-Identifier: BSD-3-Clause
"""Players behind VLAN tags: a namespace whose only way to the wire puts tags on every frame.

The kernel's own VLAN interfaces are a module that not every machine has, and know no tag without an
identifier. A tap interface and a thread that puts tags on and takes them off can do all of it.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import socket
import struct
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.network.namespace import PLAYERS4, PLAYERS6, PLAYERS_INTERFACE, Namespace, Wire

TAP = Path("/dev/net/tun")
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS, PACKET_AUXDATA = 263, 6, 8
SO_RCVBUFFORCE = 33
TP_STATUS_CSUMNOTREADY, TP_STATUS_VLAN_VALID = 1 << 3, 1 << 4
VNET_HDR = struct.Struct("=BBHHHH")  # struct virtio_net_hdr: flags, ..., csum_start, csum_offset
NEEDS_CSUM = 1
PACKET_OUTGOING = 4
MACS_BYTES = 12

Tag = tuple[int, int]  # TPID, TCI
C_TAG, S_TAG = 0x8100, 0x88A8
STACKS: dict[str, tuple[Tag, ...]] = {
    "802.1Q": ((C_TAG, 100),),
    "priority and identifier": ((C_TAG, 5 << 13 | 4094),),
    "priority only": ((C_TAG, 3 << 13),),
    "two 802.1Q": ((C_TAG, 200), (C_TAG, 7)),
    "802.1ad": ((S_TAG, 300),),
    "QinQ": ((S_TAG, 200), (C_TAG, 7)),
}


class TaggedPlayers:
    """A namespace with PLAYERS4 and PLAYERS6, reached through `tags` only, outermost first."""

    def __init__(self, wire: Wire, tags: Sequence[Tag]) -> None:
        self._wire = wire
        self._tags = b"".join(struct.pack("!HH", *tag) for tag in tags)
        self.namespace = Namespace()
        self._tap = self.namespace.call(lambda: open_tap("tap0", IFF_VNET_HDR))
        self._trunk = wire.players.call(_open_trunk)
        self._ending, self._end = os.pipe()
        self._thread = threading.Thread(target=self._carry)
        inside = self.namespace.run
        inside("sysctl", "-qw", "net.ipv6.conf.tap0.addr_gen_mode=1")
        inside("ip", "link", "set", "tap0", "mtu", "1492", "up")
        inside("ip", "address", "add", f"{PLAYERS4}/24", "dev", "tap0")
        inside("ip", "address", "add", f"{PLAYERS6}/64", "dev", "tap0", "nodad")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.write(self._end, b"\0")
        self._thread.join()
        _, lost = struct.unpack("II", self._trunk.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        for fd in (self._ending, self._end, self._tap):
            os.close(fd)
        self._trunk.close()
        self.namespace.close()
        assert lost == 0, f"the tests' own trunk lost {lost} frames: whatever failed may be due to that"

    def _carry(self) -> None:
        with selectors.DefaultSelector() as selector:
            for source in (self._tap, self._trunk, self._ending):
                selector.register(source, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._ending in ready:
                    return
                if self._tap in ready:
                    frame = os.read(self._tap, 2048)[VNET_HDR.size :]
                    self._trunk.send(frame[:MACS_BYTES] + self._tags + frame[MACS_BYTES:])
                if self._trunk in ready:
                    self._deliver()

    def _deliver(self) -> None:
        frame, ancillary, _, origin = self._trunk.recvmsg(2048, socket.CMSG_SPACE(20))
        unfinished = False
        for _, kind, data in ancillary:
            status, tci, tpid = struct.unpack("I12xHH", data)
            unfinished = kind == PACKET_AUXDATA and status & TP_STATUS_CSUMNOTREADY != 0
            if kind == PACKET_AUXDATA and status & TP_STATUS_VLAN_VALID:
                # The kernel took the outermost tag off and says so beside the frame.
                frame = frame[:MACS_BYTES] + struct.pack("!HH", tpid, tci) + frame[MACS_BYTES:]
        rest = frame[MACS_BYTES:]
        if origin[2] != PACKET_OUTGOING and rest.startswith(self._tags):
            frame = frame[:MACS_BYTES] + rest[len(self._tags) :]
            os.write(self._tap, (_unfinished(frame) if unfinished else bytes(VNET_HDR.size)) + frame)


def _unfinished(frame: bytes) -> bytes:
    """What goes before a UDP frame that virtio-net left without its checksum, for a device to complete."""
    header = 14 + (40 if frame[14] >> 4 == 6 else (frame[14] & 15) * 4)
    return VNET_HDR.pack(NEEDS_CSUM, 0, 0, 0, header, 6)


def open_tap(name: str = "tap0", flags: int = 0) -> int:
    """A queue of a tap interface in this thread's namespace; the interface ends with its last queue."""
    tap = os.open(TAP, os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | flags))
    return tap


def _open_trunk() -> socket.socket:
    trunk = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    trunk.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    # It hears untagged players too, and its thread is a slow one.
    trunk.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
    trunk.bind((PLAYERS_INTERFACE, ETH_P_ALL))
    return trunk

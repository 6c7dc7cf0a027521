# SPDX-License-Identifier: BSD-3-Clause
"""Frames as they are, at an interface of a namespace: for neighbours that no kernel plays."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

from scapy.layers.l2 import Ether
from scapy.packet import Packet

from tests.network.namespace import PLAYERS_INTERFACE, Namespace
from tests.network.players import ANSWER_TIMEOUT_S

ETH_P_ALL = 3
PACKET_OUTGOING = 4


class RawInterface:
    """Sends frames, and hears those that come in."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def send(self, frame: Packet) -> None:
        self._socket.send(bytes(frame))

    def hear(self, wanted: Callable[[Packet], bool], timeout_s: float = ANSWER_TIMEOUT_S) -> Packet:
        """The next frame for which `wanted` is true; a failure when none comes."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            for frame in self.heard():
                if wanted(frame):
                    return frame
        raise AssertionError(f"no such frame within {timeout_s} s")

    def heard(self) -> Iterator[Packet]:
        """What has come in; returns when nothing came for a moment."""
        while True:
            try:
                data, origin = self._socket.recvfrom(2048)
            except TimeoutError:
                return
            if origin[2] != PACKET_OUTGOING:
                yield Ether(data)


@contextlib.contextmanager
def raw_interface(namespace: Namespace, name: str = PLAYERS_INTERFACE) -> Iterator[RawInterface]:
    """An interface of a namespace, from now on."""

    def make() -> socket.socket:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.bind((name, ETH_P_ALL))
        sock.settimeout(0.2)
        return sock

    with namespace.call(make) as sock:
        yield RawInterface(sock)

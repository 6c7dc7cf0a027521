# SPDX-License-Identifier: BSD-3-Clause
"""A server that acknowledges messages of the plain profile, does wrong on purpose, and keeps count of it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.ports import free_port

RECEIVE_BUFFER_BYTES = 8 << 20
SO_RCVBUFFORCE = 33  # which Python does not name
NOTED = 500
IDLE_S = 0.1  # after which what is held back is sent; less than the drain of any test
HEADER = struct.Struct("<IIQ")
ANSWER = 100

Address = Any


@dataclass(frozen=True)
class Faults:
    """What is done wrong, to every so-many-th message; 0: never."""

    lose: int = 0  # not answered
    duplicate: int = 0  # answered twice
    reorder: int = 0  # answered after the player's next answered message
    garble: int = 0  # answered rightly, and once more with nonsense
    hold_first: int = 0  # the first so many are answered when release() is called
    delay_s: float = 0.0  # every answer is late by this much
    stall_after: int = 0  # after so many messages, nothing is done for stall_s
    stall_s: float = 0.0


class Server:
    """Listens on a free port of a loopback address in a thread of its own; a context manager."""

    def __init__(self, faults: Faults | None = None, *, address: str = "127.0.0.1") -> None:
        self.faults = faults or Faults()
        self.received = self.lost = self.duplicated = self.reordered = self.garbled = self.held_back = 0
        self.bodies: list[bytes] = []  # of the first messages: type and body, without size and timestamp
        self._socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        with contextlib.suppress(PermissionError):  # as root beyond the host's limit: nothing is lost here
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
        self._socket.bind((address, free_port(address=address)))  # nobody else's when it is closed
        self._socket.settimeout(IDLE_S / 4)
        self.port: int = self._socket.getsockname()[1]
        self.target = f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"
        self._held: dict[Address, bytes] = {}
        self._first: list[tuple[bytes, Address]] = []
        self._release = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End: the port is closed from now on."""
        self._ended.set()
        self._thread.join(timeout=60)
        self._socket.close()
        assert not self._thread.is_alive()

    def release(self) -> None:
        """Answer what `hold_first` held back when the next message arrives."""
        self._release.set()

    def wait_until(self, what: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Wait for something that arriving messages bring about."""
        deadline = time.monotonic() + timeout_s
        while not what():
            assert time.monotonic() < deadline, f"not within {timeout_s} s"
            time.sleep(0.005)

    def _serve(self) -> None:
        last = time.monotonic()
        while not self._ended.is_set():
            try:
                data, source = self._socket.recvfrom(2048)
            except TimeoutError:
                if time.monotonic() - last > IDLE_S:
                    self._flush()
                continue
            last = time.monotonic()
            self.received += 1
            self._handle(data, source)

    def _handle(self, data: bytes, source: Address) -> None:
        faults, number = self.faults, self.received
        kind, size, stamp = HEADER.unpack_from(data)
        answer = HEADER.pack(kind + ANSWER, size, stamp) + data[HEADER.size :]
        if number <= NOTED:
            self.bodies.append(data[:4] + data[HEADER.size :])
        if number == faults.stall_after:
            time.sleep(faults.stall_s)
        if number <= faults.hold_first:
            self._first.append((answer, source))
            self.held_back += 1
            return
        if self._release.is_set():
            for held, whose in self._first:
                self._socket.sendto(held, whose)
            self._first.clear()
        if _due(faults.lose, number):
            self.lost += 1
        elif _due(faults.reorder, number) and source not in self._held:
            self._held[source] = answer
        else:
            self._answer(answer, source)

    def _answer(self, answer: bytes, source: Address) -> None:
        if self.faults.delay_s:
            time.sleep(self.faults.delay_s)
        self._socket.sendto(answer, source)
        if _due(self.faults.duplicate, self.received):
            self._socket.sendto(answer, source)
            self.duplicated += 1
        if _due(self.faults.garble, self.received):
            self._socket.sendto(self._nonsense(answer), source)
            self.garbled += 1
        if held := self._held.pop(source, None):
            self._socket.sendto(held, source)
            self.reordered += 1

    def _nonsense(self, answer: bytes) -> bytes:
        """By turns: too short for a header, a size that is not its own, an unknown type, not an answer."""
        kind, size, stamp = HEADER.unpack_from(answer)
        rest = answer[HEADER.size :]
        wrong = (
            answer[: HEADER.size - 1],
            HEADER.pack(kind, size + 1, stamp) + rest,
            HEADER.pack(199, size, stamp) + rest,
            HEADER.pack(kind - ANSWER, size, stamp) + rest,
        )
        return wrong[self.garbled % len(wrong)]

    def _flush(self) -> None:
        """What was held back for a next message that did not come: answered late, and in order."""
        for source, answer in self._held.items():
            self._socket.sendto(answer, source)
        self._held.clear()


def _due(every: int, number: int) -> bool:
    return every > 0 and number % every == 0

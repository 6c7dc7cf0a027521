# SPDX-License-Identifier: BSD-3-Clause
"""A game process as the supervisor sees one: it says what bus/attach.h lets it say, and more."""

from __future__ import annotations

import mmap
import os
import select
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

MAGIC = 0x31425047
VERSION = 3
HELLO, WELCOME, REFUSED, RINGS, OPEN, PAIR, NOBODY, TOPIC, READERS, DETACHED, MAPPED = range(1, 12)
WRITES, READS, ENDS, RENEWS = 1, 2, 3, 4
TIMEOUT_S = 60.0
DESCRIPTORS_MAX = 8


def head(kind: int, version: int = VERSION, magic: int = MAGIC) -> bytes:
    return struct.pack("<IHH", magic, version, kind)


def hello(name: bytes | str, *, token: bytes = b"", wants: int = 0, version: int = VERSION) -> bytes:
    raw = name.encode() if isinstance(name, str) else name
    return head(HELLO, version) + struct.pack("<II32s128s32s", wants, 0, raw, token, b"test 1")


def open_(name: str) -> bytes:
    return head(OPEN) + struct.pack("<II32s", 0, 0, name.encode())


def topic(number: int, *, on: bool = True) -> bytes:
    return head(TOPIC) + struct.pack("<II32s", number, on, b"")


@dataclass(frozen=True)
class Said:
    """A packet of the supervisor's."""

    kind: int
    packet: bytes
    fds: tuple[int, ...]

    @property
    def text(self) -> str:
        return self.packet[12:].partition(b"\0")[0].decode()

    @property
    def reason(self) -> int:
        return int.from_bytes(self.packet[8:10], "little")

    @property
    def numbers(self) -> tuple[int, int]:
        """Workers and ring_bytes; worker and incarnation; topic and whether."""
        first, second = struct.unpack_from("<II", self.packet, 8)
        return first, second

    @property
    def name(self) -> str:
        return self.packet[16:48].partition(b"\0")[0].decode()


class Process:
    """A connection to the attach socket."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(TIMEOUT_S)
        self.socket.connect(str(path))
        self._fds: list[int] = []
        self._early: deque[Said] = deque()  # heard and not asked for yet

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()

    def say(self, packet: bytes) -> None:
        self.socket.send(packet)

    def hear(self) -> Said | None:
        """The next packet; None at the end of the stream."""
        return self._early.popleft() if self._early else self._hear()

    def _hear(self) -> Said | None:
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self.socket, 1024, DESCRIPTORS_MAX)
                break
            except (
                ConnectionResetError
            ):  # it closed without reading all of ours: what it said comes after that
                continue
        self._fds += fds
        if not data:
            return None
        magic, version, kind = struct.unpack_from("<IHH", data)
        assert (magic, version) == (MAGIC, VERSION)
        return Said(kind, data, tuple(fds))

    def hear_all(self, count: int) -> list[Said]:
        found = [said for _ in range(count) if (said := self.hear()) is not None]
        assert len(found) == count
        return found

    def hears_nothing(self) -> bool:
        return not self._early and not select.select([self.socket], [], [], 0.2)[0]

    def attach(self, name: str, *, token: bytes = b"", workers: int = 1) -> list[Said]:
        """Say HELLO and hear WELCOME; the newest RINGS of each worker. Say that they are mapped."""
        rings = self.arrive(name, token=token, workers=workers)
        self.say(head(MAPPED))
        return rings

    def arrive(self, name: str, *, token: bytes = b"", workers: int = 1) -> list[Said]:
        """The same before it says so: what it maps now for writing stays so."""
        self.say(hello(name, token=token))
        first = self.hear()
        assert first is not None
        assert first.kind == WELCOME, first.text
        assert first.numbers[0] == workers
        self.say(
            open_(name if isinstance(name, str) else name.decode())
        )  # to itself: what comes before it is all
        rings: dict[int, Said] = {}
        while (said := self._hear()) is not None and said.kind != NOBODY:
            if said.kind != RINGS:
                self._early.append(said)
                continue
            assert len(said.fds) == 3
            rings[said.numbers[0]] = said  # what processes before it did not read comes first
        assert sorted(rings) == list(range(workers))
        return [rings[worker] for worker in range(workers)]


def wait_until_sealed(fd: int) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            mmap.mmap(fd, os.fstat(fd).st_size).close()  # whole pages, however large
        except PermissionError:
            return
        assert time.monotonic() < deadline
        time.sleep(0.01)


def refusal(path: Path, *packets: bytes) -> Said:
    """What somebody hears who says this: it is the last."""
    with Process(path) as process:
        for packet in packets:
            process.say(packet)
        said = process.hear()
        assert said is not None
        assert said.kind == REFUSED
        assert process.hear() is None
        return said

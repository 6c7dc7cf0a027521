# SPDX-License-Identifier: BSD-3-Clause
"""The file of a recording: two lines of text, what each worker wrote down one after the other, a last line.

The first line is MAGIC, the second one JSON: `Header`. What workers wrote is laid out as
dpdk_app/world/journal.h says, from the beginning of a block on. The last line is `sha256 ` and the sum of all
before it, in hexadecimal digits (FIPS 180-4): frames have sums of their own, but not what has no effect on
any.
"""

from __future__ import annotations

import errno
import hashlib
import json
import mmap
import os
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyshim.errors import UnavailableError, UsageError

MAGIC = b"pollgate recording 3\n"
_WITHOUT_SUM = b"pollgate recording 2\n"  # as files of before are, which have no last line
_SUM = b"sha256 "
_SUM_LINE = re.compile(rb"sha256 ([0-9a-f]{64})\n")
_SUM_BYTES = len(_SUM) + 2 * hashlib.sha256().digest_size + 1
_HEADER_BYTES_MAX = 1 << 20
_WORLDS_MAX = 32
_WORKERS_MAX = 32


@dataclass(frozen=True, slots=True)
class RecordedWorld:
    """What its positions mean: metres = low_m + quanta * quantum_m."""

    name: str
    low_m: tuple[float, float, float]
    quantum_m: float
    tick_hz: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a recording is of."""

    version: str  # of pollgate
    saved: str  # when: ISO 8601
    why: str  # it was written then
    worlds: tuple[RecordedWorld, ...]
    workers: tuple[int, ...]  # bytes of each


@dataclass(frozen=True, slots=True)
class Saved:
    """A file that was written."""

    path: Path
    size_bytes: int
    sha256: str  # as its last line says; whoever keeps that elsewhere can tell another file from it
    took_s: float


def check_path(path: Path) -> None:
    """Look whether there can be a file at `path`: who finds out at the end has lost the recording.

    A file is made beside it, for a moment, as the recording's own will be.

    Raises:
        UnavailableError: there cannot; the message names the key.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.NamedTemporaryFile(prefix=f".{path.name}.", dir=path.parent):
            pass
    except OSError as problem:
        raise cannot(path, problem) from problem


def cannot(path: Path, problem: OSError) -> UnavailableError:
    """What is said when a recording cannot be written."""
    return UnavailableError(
        f"record.path: the recording cannot be written to {path}: {problem.strerror}; name a file in a "
        "directory that this user may write to and that has room"
    )


def write_recording(path: Path, header: Header, journals: Iterable[bytes | memoryview]) -> tuple[int, str]:
    """Replace the file at `path`, for its owner alone to read; returns its bytes, and its sum.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    summed = hashlib.sha256()
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            for piece in (MAGIC, _line(header), *journals):
                file.write(piece)
                summed.update(piece)
            file.write(_SUM + summed.hexdigest().encode() + b"\n")
            written = file.tell()
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    return written, summed.hexdigest()


def _line(header: Header) -> bytes:
    return json.dumps(asdict(header), separators=(",", ":")).encode() + b"\n"


class Recording:
    """A file that was read: who wrote it may be anybody."""

    def __init__(self, path: Path) -> None:
        """Map it.

        Raises:
            UsageError: it cannot be read, or is no recording.
        """
        self.path = path
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as problem:  # ValueError: it is empty
            text = problem.strerror if isinstance(problem, OSError) else "it is empty"
            raise UsageError(f"{path}: the recording cannot be read: {text}") from problem
        try:
            self.header, self._at = self._read_header()
        except BaseException:
            self._map.close()
            raise

    def _read_header(self) -> tuple[Header, int]:
        if self._map[: len(MAGIC)] not in {MAGIC, _WITHOUT_SUM}:
            raise UsageError(
                f"{self.path}: this is no recording of this version of pollgate, which begins with "
                f"{MAGIC.decode().strip()!r}"
            )
        end = self._map.find(b"\n", len(MAGIC), len(MAGIC) + _HEADER_BYTES_MAX)
        try:
            header = _header(json.loads(self._map[len(MAGIC) : end])) if end >= 0 else None
        except (ValueError, TypeError, KeyError, RecursionError):
            header = None
        if header is None:
            raise UsageError(f"{self.path}: the recording's second line says nothing that can be read")
        self._end = end + 1 + sum(header.workers)
        length = self._end + (_SUM_BYTES if self._map[: len(MAGIC)] == MAGIC else 0)
        if length != len(self._map):
            raise UsageError(
                f"{self.path}: the recording has {len(self._map)} bytes and should have {length}; it was "
                "cut off"
            )
        if self.said_sha256() == "":
            raise UsageError(f"{self.path}: the recording's last line says nothing that can be read")
        return header, end + 1

    def journal(self, worker: int) -> memoryview:
        """What a worker wrote down."""
        begin = self._at + sum(self.header.workers[:worker])
        return memoryview(self._map)[begin : begin + self.header.workers[worker]]

    def said_sha256(self) -> str | None:
        """As its last line says; empty: that is none; None: files of before have no such line."""
        last = self._map[self._end :]
        if not last:
            return None
        found = _SUM_LINE.fullmatch(last)
        return found[1].decode() if found else ""

    def found_sha256(self) -> str:
        """Of all before the last line, as it is now."""
        with memoryview(self._map) as whole, whole[: self._end] as summed:
            return hashlib.sha256(summed).hexdigest()

    def close(self) -> None:
        """Let go of the file; all views of it must be gone."""
        self._map.close()


def _header(found: Any) -> Header:
    """Raises ValueError, TypeError or KeyError when it is none."""
    worlds, workers = found["worlds"], found["workers"]
    if not (0 < len(worlds) <= _WORLDS_MAX and 0 < len(workers) <= _WORKERS_MAX):
        raise ValueError
    if not all(type(one) is int and one >= 0 for one in workers):
        raise ValueError
    return Header(
        version=_text(found["version"]),
        saved=_text(found["saved"]),
        why=_text(found["why"]),
        worlds=tuple(map(_world, worlds)),
        workers=tuple(workers),
    )


def _world(found: Any) -> RecordedWorld:
    x, y, z = map(float, found["low_m"])
    return RecordedWorld(_text(found["name"]), (x, y, z), float(found["quantum_m"]), int(found["tick_hz"]))


def _text(found: Any) -> str:
    """What is printed to whoever replays the file: nothing that their terminal would obey."""
    text = str(found)
    if not text.isprintable():
        raise ValueError
    return text

# SPDX-License-Identifier: BSD-3-Clause
"""Reads a statistics page by what it says of itself, without pollgate.h."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = struct.Struct("<QIIIIQ16sIIII")
_ENTRY = struct.Struct("<32s48s32s16s160sIIIIIIII")


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of a page."""

    field: str
    metric: str
    labels: str
    unit: str
    meaning: str
    kind: int
    offset: int
    worker_stride: int
    index_stride: int
    width: int
    count: int
    names: tuple[str, ...]


def directory(page: bytes) -> Iterator[Entry]:
    """Every field that a page has."""
    *_, start, entries, size = _HEADER.unpack_from(page)
    for at in range(start, start + entries * size, size):
        *texts, kind, offset, worker, index, width, count, names, _ = _ENTRY.unpack_from(page, at)
        said = [text.rstrip(b"\0").decode() for text in texts]
        yield Entry(*said, kind, offset, worker, index, width, count, _names(page, names, count))


def numbers(page: bytes, entry: Entry, worker: int = 0, index: int = 0) -> dict[str, int]:
    """What a field counts, by the names of its elements: of a number, the empty one."""
    at = entry.offset + worker * entry.worker_stride + index * entry.index_stride
    found = struct.unpack_from(f"<{entry.count}{'Q' if entry.width == 8 else 'I'}", page, at)
    return {name: value for name, value in zip(entry.names, found, strict=True) if name or entry.count == 1}


def _names(page: bytes, at: int, count: int) -> tuple[str, ...]:
    return tuple(name.decode() for name in page[at : at + 4096].split(b"\0")[:count])

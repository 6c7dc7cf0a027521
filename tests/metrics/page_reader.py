# SPDX-License-Identifier: BSD-3-Clause
"""Reads a statistics page by what it says of itself, without pollgate.h."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = struct.Struct("<QIIIIQ16sIIIIIIII")
_ENTRY = struct.Struct("<32s48s32s16s160sIIIIIIII")
_SET = struct.Struct("<16sIIII")


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
    set: int  # 1 + index into the sets; 0: of nothing that is named


@dataclass(frozen=True, slots=True)
class Set:
    """What there are several of, with names that are known at run time."""

    label: str
    names: dict[int, str]  # by slot, of those that have one


def directory(page: bytes) -> Iterator[Entry]:
    """Every field that a page has."""
    *_, start, entries, size, _, _, _, _ = _HEADER.unpack_from(page)
    for at in range(start, start + entries * size, size):
        *texts, kind, offset, worker, index, width, count, names, named = _ENTRY.unpack_from(page, at)
        said = [text.rstrip(b"\0").decode() for text in texts]
        yield Entry(*said, kind, offset, worker, index, width, count, _names(page, names, count), named)


def sets(page: bytes) -> list[Set]:
    """What is named in a page, and how."""
    *_, start, found, size, _ = _HEADER.unpack_from(page)
    return [_set(page, start + index * size) for index in range(found)]


def _set(page: bytes, at: int) -> Set:
    label, most, names, size, _ = _SET.unpack_from(page, at)
    called = [page[names + slot * size :][:size].partition(b"\0")[0].decode() for slot in range(most)]
    return Set(label.rstrip(b"\0").decode(), {slot: name for slot, name in enumerate(called) if name})


def numbers(page: bytes, entry: Entry, worker: int = 0, index: int = 0) -> dict[str, int]:
    """What a field counts, by the names of its elements: of a number, the empty one."""
    at = entry.offset + worker * entry.worker_stride + index * entry.index_stride
    found = struct.unpack_from(f"<{entry.count}{'Q' if entry.width == 8 else 'I'}", page, at)
    return {name: value for name, value in zip(entry.names, found, strict=True) if name or entry.count == 1}


def _names(page: bytes, at: int, count: int) -> tuple[str, ...]:
    return tuple(name.decode() for name in page[at : at + 4096].split(b"\0")[:count])

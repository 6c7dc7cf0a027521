# SPDX-License-Identifier: BSD-3-Clause
"""Is this file a capture that can be replayed, and how many packets does it hold?"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

from pyshim.host import pcapng
from pyshim.host.facts import Capture
from pyshim.host.walk import MAX_SNAPLEN, RECORD_WRONG, Buffer, Walk, wrong_link_type
from pyshim.system.regular_file import NotRegularError, open_regular

_FILE_HEADER_BYTES = 24
_RECORD_HEADER_BYTES = 16
_LINKTYPE_BITS = 0x03FFFFFF  # libpcap's LT_LINKTYPE; those above say how long the frame check sequence is
_LOOK_BYTES = 128 << 20  # of a file that is replayed once: a second's work
_BYTE_ORDER = {
    b"\xd4\xc3\xb2\xa1": "<",  # microseconds, little-endian
    b"\xa1\xb2\xc3\xd4": ">",
    b"\x4d\x3c\xb2\xa1": "<",  # nanoseconds
    b"\xa1\xb2\x3c\x4d": ">",
}
_COMPRESSED = {
    b"\x1f\x8b": "gunzip",
    b"\x28\xb5\x2f\xfd": "unzstd",
    b"\x04\x22\x4d\x18": "unlz4",
    b"\xfd7zXZ": "unxz",
}


def inspect_capture(path: Path, *, endless: bool = False) -> Capture:
    """Look through a capture as libpcap will, and count its packets.

    Touches 16 bytes per packet through a memory map, about 0.3 µs each. A record that the end of the file
    cuts off is not counted: a capture that was interrupted has one.

    Args:
        endless: for infinite_rx, which keeps every packet in memory, so that their exact number matters.
            Else only the first 128 MiB are looked at.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            header = file.read(_FILE_HEADER_BYTES) or b""
            if problem := _header_problem(header, endless=endless):
                return Capture(path, problem)
            limit = os.fstat(file.fileno()).st_size if endless else _LOOK_BYTES
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                found = _walk(data, header, limit)
    except OSError as error:
        return Capture(path, _unreadable(error))
    if endless and not found.packets:
        return Capture(path, found.problem or "holds no packet", 0)
    return Capture(path, found.problem, found.packets, found.longest_bytes)


def _unreadable(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "does not exist"
        case NotRegularError() | IsADirectoryError():
            return "is not a regular file"
        case PermissionError():
            return f"cannot be read by uid {os.geteuid()}"
        case _:
            return f"cannot be read: {error.strerror}"


def _header_problem(header: bytes, *, endless: bool) -> str | None:
    if not header:
        return "is empty"
    for magic, command in _COMPRESSED.items():
        if header.startswith(magic):
            return f"is compressed; run {command} on it first"
    if header.startswith(pcapng.MAGIC):
        if endless:
            return "is pcapng, which infinite_rx does not replay; convert it with editcap -F pcap"
        return None
    order = _BYTE_ORDER.get(header[:4])
    if order is None or len(header) < _FILE_HEADER_BYTES:
        return "is not a pcap file"
    (link_type,) = struct.unpack_from(order + "I", header, 20)
    return wrong_link_type(link_type & _LINKTYPE_BITS)


def _walk(data: Buffer, header: bytes, limit: int) -> Walk:
    if header.startswith(pcapng.MAGIC):
        return pcapng.walk_pcapng(data, limit)
    return _walk_pcap(data, _BYTE_ORDER[header[:4]], limit)


def _walk_pcap(data: Buffer, order: str, limit: int) -> Walk:
    lengths = struct.Struct(order + "8xII").unpack_from
    at, end = _FILE_HEADER_BYTES, len(data)
    packets = longest = 0
    while at + _RECORD_HEADER_BYTES <= end and at < limit:
        captured, original = lengths(data, at)
        behind = at + _RECORD_HEADER_BYTES + captured
        if captured > MAX_SNAPLEN or (behind > end and captured > original):
            problem = f"packet {packets + 1} (at byte {at}) is broken: {RECORD_WRONG}"
            return Walk(packets, longest, problem)
        if behind > end:
            break
        at = behind
        packets += 1
        longest = max(longest, captured)
    return Walk(packets, longest)

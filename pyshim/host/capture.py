# SPDX-License-Identifier: BSD-3-Clause
"""Is this file a capture that can be replayed, and how many packets does it hold?"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

from pyshim.host.facts import Capture

_FILE_HEADER_BYTES = 24
_RECORD_HEADER_BYTES = 16
_LINKTYPE_ETHERNET = 1
_PCAPNG = b"\x0a\x0d\x0d\x0a"
_BYTE_ORDER = {
    b"\xd4\xc3\xb2\xa1": "<",  # microseconds, little-endian
    b"\xa1\xb2\xc3\xd4": ">",
    b"\x4d\x3c\xb2\xa1": "<",  # nanoseconds
    b"\xa1\xb2\x3c\x4d": ">",
}


def inspect_capture(path: Path, *, count: bool = False) -> Capture:
    """Check the header of a pcap file and, when asked, walk its records.

    Counting touches 16 bytes per packet through a memory map, about 0.3 µs each. A record that the end
    of the file cuts off is not counted.
    """
    try:
        if not path.is_file():
            return Capture(path, "does not exist" if not path.exists() else "is not a regular file")
        with path.open("rb") as file:
            header = file.read(_FILE_HEADER_BYTES)
            if problem := _header_problem(header):
                return Capture(path, problem)
            if not count:
                return Capture(path, None)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                packets, longest = _walk(data, _BYTE_ORDER[header[:4]])
    except PermissionError:
        return Capture(path, f"cannot be read by uid {os.getuid()}")
    except OSError as error:
        return Capture(path, f"cannot be read: {error.strerror}")
    return Capture(path, None if packets else "holds no packet", packets, longest)


def _header_problem(header: bytes) -> str | None:
    if not header:
        return "is empty"
    if header.startswith(_PCAPNG):
        return "is pcapng, which DPDK does not read; write it with -F pcap (tcpdump -w writes pcap already)"
    order = _BYTE_ORDER.get(header[:4])
    if order is None or len(header) < _FILE_HEADER_BYTES:
        return "is not a pcap file"
    (link_type,) = struct.unpack_from(order + "I", header, 20)
    link_type &= 0x0FFFFFFF  # the upper bits say how long the frame check sequence is
    if link_type != _LINKTYPE_ETHERNET:
        return f"holds packets of link type {link_type}; only Ethernet (1) can be replayed"
    return None


def _walk(data: mmap.mmap, order: str) -> tuple[int, int]:
    """Packets, and the length of the longest, of a mapped capture."""
    captured_length = struct.Struct(order + "8xI4x").unpack_from
    offset, end = _FILE_HEADER_BYTES, len(data)
    packets = longest = 0
    while offset + _RECORD_HEADER_BYTES <= end:
        (length,) = captured_length(data, offset)
        offset += _RECORD_HEADER_BYTES + length
        if offset > end:
            break
        packets += 1
        longest = max(longest, length)
    return packets, longest

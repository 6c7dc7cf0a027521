# SPDX-License-Identifier: BSD-3-Clause
"""A pcapng file as libpcap reads it for DPDK: which of its packets arrive, and what is wrong with the others.

libpcap gives a file one link type and one snapshot length, those of its first interface, and refuses the
description of an interface with others. DPDK asks again after every refusal, so that the packets of such an
interface are skipped without a word, as is what is broken. draft-ietf-opsawg-pcapng is the format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from pyshim.host.walk import MAX_SNAPLEN, RECORD_WRONG, Buffer, Walk, wrong_link_type

MAGIC = b"\x0a\x0d\x0d\x0a"

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_BLOCK_MIN, _INTERFACE_MIN = 12, 20
_ORDER = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
# By type of block: where its fixed part ends, and the fields in it, which begin behind type and length.
_PACKET_HEAD = {_OLD_PACKET: (28, "HHIIII"), _PACKET: (28, "IIIII"), _SIMPLE_PACKET: (12, "I")}


@dataclass(slots=True)
class _File:
    """What has been read so far."""

    order: str = "<"
    first: tuple[int, int] | None = None  # link type and snapshot length of the first interface
    interfaces: list[tuple[int, int]] = field(default_factory=list)  # of this section
    packets: int = 0
    longest: int = 0


def walk_pcapng(data: Buffer, limit: int) -> Walk:
    """Look at every block that begins before `limit`."""
    file = _File()
    for at, kind, length in _blocks(data, file, limit):
        if length < (_INTERFACE_MIN if kind == _INTERFACE else _BLOCK_MIN):
            return Walk(file.packets, file.longest, f"block at byte {at} is broken: {RECORD_WRONG}")
        if kind == _SECTION:
            file.interfaces.clear()
        elif kind == _INTERFACE:
            link_type, snaplen = struct.unpack_from(file.order + "HxxI", data, at + 8)
            file.interfaces.append((link_type, snaplen or MAX_SNAPLEN))
            file.first = file.first or file.interfaces[-1]
        elif kind in _PACKET_HEAD and (problem := _take_packet(data, file, at, kind, length)):
            return Walk(file.packets, file.longest, problem)
    return Walk(file.packets, file.longest)


def _blocks(data: Buffer, file: _File, limit: int) -> Iterator[tuple[int, int, int]]:
    """Place, type and length of each whole block; the length is -1 of one that is broken, the last."""
    at, end = 0, len(data)
    while at + _BLOCK_MIN <= end and at < limit:
        if data[at : at + 4] == MAGIC:
            file.order = _ORDER.get(bytes(data[at + 8 : at + 12]), file.order)
        kind, length = struct.unpack_from(file.order + "II", data, at)
        if length < _BLOCK_MIN or length % 4 or length > MAX_SNAPLEN + 65536:
            yield at, kind, -1
            return
        if at + length > end:
            return  # cut off
        if struct.unpack_from(file.order + "I", data, at + length - 4)[0] != length:
            yield at, kind, -1
            return
        yield at, kind, length
        at += length


def _take_packet(data: Buffer, file: _File, at: int, kind: int, length: int) -> str | None:
    """Count a packet; the problem when libpcap would not hand it on."""
    head, fields = _PACKET_HEAD[kind]
    if head > length - 4:
        return f"block at byte {at} is broken: {RECORD_WRONG}"
    values = struct.unpack_from(file.order + fields, data, at + 8)
    interface = 0 if kind == _SIMPLE_PACKET else values[0]
    if interface >= len(file.interfaces):
        return f"has a packet of an interface that it does not describe (at byte {at})"
    if problem := _wrong_interface(file, *file.interfaces[interface]):
        return problem
    snaplen = file.interfaces[interface][1]
    captured = min(values[0], snaplen) if kind == _SIMPLE_PACKET else values[-2]
    what = f"packet {file.packets + 1} (at byte {at}) is broken: it says {captured} bytes"
    if captured > snaplen:
        return f"{what}, the snapshot length is {snaplen}"
    if head + captured > length - 4:
        return f"{what}, its block has {length}"
    file.packets += 1
    file.longest = max(file.longest, captured)
    return None


def _wrong_interface(file: _File, link_type: int, snaplen: int) -> str | None:
    """Why libpcap hands on no packet of an interface, if so."""
    assert file.first is not None
    if problem := wrong_link_type(link_type):
        return problem
    if link_type != file.first[0]:
        return (
            f"describes an interface of link type {file.first[0]} first, so DPDK skips its Ethernet packets; "
            "convert it with editcap -F pcap"
        )
    if snaplen != file.first[1]:
        return (
            f"has packets of an interface with a snapshot length of {snaplen}, its first one has "
            f"{file.first[1]}; DPDK reads one such length of a file: convert it with editcap -F pcap"
        )
    return None

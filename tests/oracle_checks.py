# SPDX-License-Identifier: BSD-3-Clause
"""What the oracle checks in bytes alone, knowing no gate: sums, messages of `plain`, options, addresses."""

from __future__ import annotations

import math
import struct
from ipaddress import IPv6Address

MESSAGE_KINDS = {1: "move", 2: "attack", 3: "chat", 4: "heartbeat", 5: "skill"}
MESSAGE_BYTES = {1: 44, 2: 40, 4: 20, 5: 28}
FLOATS_AT = {1: range(20, 44, 4), 2: range(28, 40, 4)}


class DropError(Exception):
    """The frame is refused for the reason in `args[0]`."""


def ones_complement_sum(data: bytes) -> int:
    """RFC 1071: the sum of 16-bit words with end-around carry; 0xffff over data that holds its checksum."""
    total = 0
    for (word,) in struct.iter_unpack("!H", data + b"\0" * (len(data) % 2)):
        total += word
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def solicited_node(address: IPv6Address) -> IPv6Address:
    """RFC 4291 2.7.1: the multicast group at which neighbours ask for `address`."""
    return IPv6Address(IPv6Address("ff02::1:ff00:0").packed[:13] + address.packed[13:])


def require(condition: bool, reason: str) -> None:
    if not condition:
        raise DropError(reason)


def check_message(message: bytes) -> int:
    """The packet_type of a message of the `plain` profile that is right in every byte."""
    require(len(message) >= 16, "truncated")
    packet_type: int
    packet_type, packet_size = struct.unpack_from("<II", message)
    require(packet_type in MESSAGE_KINDS, "message_type")
    require(packet_size == len(message), "message_size")
    if packet_type == 3:
        require(len(message) >= 28, "message_size")
        _, reserved, text_bytes = struct.unpack_from("<BBH", message, 24)
        require(1 <= text_bytes <= 512 and 28 + text_bytes == len(message), "message_size")
        require(reserved == 0, "message_reserved")
        try:
            message[28:].decode("utf-8", "strict")
        except UnicodeDecodeError:
            raise DropError("bad_utf8") from None
        return packet_type
    require(len(message) == MESSAGE_BYTES[packet_type], "message_size")
    for at in FLOATS_AT.get(packet_type, ()):
        require(math.isfinite(struct.unpack_from("<f", message, at)[0]), "not_finite")
    return packet_type


def has_router_alert(options: bytes) -> bool:
    """RFC 2711's for MLD, among options that may be skipped (RFC 8200 4.2)."""
    found = False
    while options:
        if options[0] == 0:
            options = options[1:]
            continue
        if len(options) < 2 or len(options) < 2 + options[1]:
            return False
        if options[:2] == b"\x05\x02":
            found |= options[2:4] == bytes(2)
        elif options[0] & 0xC0:
            return False
        options = options[2 + options[1] :]
    return found


def is_station(mac: bytes) -> bool:
    """Can it be one station's?"""
    return not mac[0] & 1 and mac != bytes(6)


def neighbor_options(data: bytes) -> dict[int, bytes]:
    """The neighbour discovery options in `data` by type, the first of each: six bytes of it, a MAC or not."""
    found: dict[int, bytes] = {}
    while data:
        require(len(data) >= 2 and data[1] > 0 and len(data) >= 8 * data[1], "bad_neighbor_discovery")
        found.setdefault(data[0], data[2:8])
        data = data[8 * data[1] :]
    return found

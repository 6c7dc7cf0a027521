# SPDX-License-Identifier: BSD-3-Clause
"""What somebody without the key can send at best, and how fast a wire brings it.

It is a datagram that gets as far as one can without the key: its header is right, its counter is fresh, and
its tag is random. The shortest is the worst: the most of them fit on a wire.
"""

from __future__ import annotations

from enum import StrEnum
from random import Random

from pyshim.protocol.session_wire import HEADER_BYTES, PREFIX_BYTES, TAG_BYTES, Header, Kind

_AHEAD = range(1 << 16, 1 << 31)  # counters that no player of a benchmark comes to
_ON_WIRE_BYTES = 8 + 4 + 12  # preamble, FCS, gap between frames
LINE_BITS_PER_S = 10_000_000_000


class Attack(StrEnum):
    """Where forged packets seem to come from; they are the shortest unless it is said."""

    SPOOFED = "spoofed"  # the address of the session's own player
    SPOOFED_MOVES = "spoofed-moves"  # likewise, and each is as long as a move
    ELSEWHERE = "elsewhere"  # addresses where nobody is connected


def forged_datagram(session: int, random: Random, body_bytes: int = 0) -> bytes:
    """DATA of a session, made by somebody who has not its key; it would have so many bytes of messages."""
    rest = PREFIX_BYTES + body_bytes + TAG_BYTES
    header = Header(Kind.DATA, HEADER_BYTES + rest, session, random.choice(_AHEAD))
    return header.pack() + random.randbytes(rest)


def line_rate(frame_bytes: float) -> float:
    """Packets per second that 10 GbE carries of frames so long, without FCS."""
    return LINE_BITS_PER_S / 8 / (frame_bytes + _ON_WIRE_BYTES)

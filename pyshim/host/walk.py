# SPDX-License-Identifier: BSD-3-Clause
"""What both formats of capture files share: the outcome of looking through one, and what can be replayed."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import TypeAlias

Buffer: TypeAlias = mmap.mmap | bytes

MAX_SNAPLEN = 262_144  # libpcap's MAXIMUM_SNAPLEN: it takes a longer packet for a broken file
RECORD_WRONG = "its length cannot be; what follows is lost"
_LINKTYPE_ETHERNET = 1


@dataclass(frozen=True, slots=True)
class Walk:
    """What a look through a capture found."""

    packets: int
    longest_bytes: int
    problem: str | None = None  # as the end of a sentence that begins with the path


def wrong_link_type(link_type: int) -> str | None:
    """Why packets of this type cannot be replayed, if so."""
    if link_type == _LINKTYPE_ETHERNET:
        return None
    return f"holds packets of link type {link_type}; only Ethernet ({_LINKTYPE_ETHERNET}) can be replayed"

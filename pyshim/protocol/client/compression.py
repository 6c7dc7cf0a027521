# SPDX-License-Identifier: BSD-3-Clause
"""Compressed bodies: which are worth it, and what they expand to, never more than they say."""

from __future__ import annotations

import struct
import zlib

from pyshim import messages
from pyshim.protocol.session_wire import BODY_MAX_BYTES, COMPRESSIBLE, WireError

LEVEL = 6
_RULES = {rule.upper: rule.from_bytes + 1 for rule in messages.COMPRESSED}
WORTH_FROM_BYTES: dict[int, int] = {  # bodies shorter than this are sent as they are
    kind: _RULES[one.compressed] for kind in COMPRESSIBLE if (one := messages.of(kind)) is not None
}
_LENGTH = struct.Struct("<I")


def squeeze(number: int, body: bytes) -> bytes | None:
    """The compressed body, if that saves a tenth."""
    worth_from = WORTH_FROM_BYTES.get(number)
    if worth_from is None or len(body) < worth_from:
        return None
    squeezed = _LENGTH.pack(len(body)) + zlib.compress(body, LEVEL)
    return squeezed if len(squeezed) * 10 <= len(body) * 9 else None


def expand(number: int, squeezed: bytes) -> bytes:
    """What was compressed.

    Raises:
        WireError: the type may not be compressed, or it does not expand to exactly the length that it says.
    """
    if number not in COMPRESSIBLE:
        *others, last = (str(int(kind)) for kind in sorted(COMPRESSIBLE))
        may = f"{', '.join(others)} and {last}"
        raise WireError(f"a compressed message of type {number}; only {may} may be")
    if len(squeezed) < _LENGTH.size:
        raise WireError("a compressed body without its length")
    (length,) = _LENGTH.unpack_from(squeezed)
    if not 1 <= length <= BODY_MAX_BYTES:
        raise WireError(f"a compressed body of {length} bytes; there are 1 to 65536")
    stream = zlib.decompressobj()
    try:
        body = stream.decompress(squeezed[_LENGTH.size :], length + 1)
    except zlib.error as error:
        raise WireError(f"a compressed body that is no zlib stream: {error}") from error
    if len(body) != length or not stream.eof or stream.unused_data:
        raise WireError(f"a compressed body that does not expand to the {length} bytes that it says")
    return body

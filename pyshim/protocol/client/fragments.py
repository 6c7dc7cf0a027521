# SPDX-License-Identifier: BSD-3-Clause
"""Messages that are longer than a datagram: cut into pieces, and joined again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pyshim.protocol.session_wire import DATA_MIN_BYTES, FRAGMENTS_MAX, PIECE_BYTES, Message


class ViolationError(Exception):
    """The peer broke a rule in what was taken already: the connection is to be closed."""


def room(max_datagram: int) -> int:
    """Bytes for messages in a datagram."""
    return max_datagram - DATA_MIN_BYTES


def cut(body: bytes) -> list[bytes]:
    """A body as pieces, each of which fits any datagram; a short one is one piece."""
    pieces = [body[at : at + PIECE_BYTES] for at in range(0, len(body), PIECE_BYTES)] or [body]
    assert len(pieces) <= FRAGMENTS_MAX, f"a body of {len(body)} bytes"
    return pieces


@dataclass(slots=True)
class Reassembly:
    """Joins the pieces of one channel, which come in order."""

    _pieces: list[bytes] = field(default_factory=list)
    _of: tuple[int, int, bool, int] | None = None  # type, count, compression and priority of it

    @property
    def pieces(self) -> int:
        """How many of a message that is not whole have come."""
        return len(self._pieces)

    @property
    def held_bytes(self) -> int:
        """What it keeps."""
        return sum(map(len, self._pieces))

    def feed(self, message: Message) -> Message | None:
        """The next message of the channel; returns a whole one, which is no fragment any more.

        Raises:
            ViolationError: it is not the piece that must follow.
        """
        if message.piece is None:
            if self._of is not None:
                raise ViolationError("a message between two pieces")
            return message
        index, count = message.piece
        of = (message.type, count, message.compressed, message.priority)
        if index != len(self._pieces) or (self._of is not None and of != self._of):
            raise ViolationError(f"piece {index} of {count} does not follow")
        self._of = of
        self._pieces.append(message.body)
        if index + 1 < count:
            return None
        body = b"".join(self._pieces)
        self._pieces, self._of = [], None
        return replace(message, body=body, piece=None)

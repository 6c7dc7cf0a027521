# SPDX-License-Identifier: BSD-3-Clause
"""What a game wants to say, before it is cut into what a datagram carries, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from pyshim.protocol.client.compression import squeeze
from pyshim.protocol.client.errors import Undelivered


class Priority(IntEnum):
    """Who goes first when a datagram leaves. Urgent messages do not wait for one."""

    URGENT = 0
    NORMAL = 1
    BULK = 2


class Delivery:
    """What becomes of one reliable message. Done once: acknowledged, or failed."""

    __slots__ = ("_callbacks", "done", "failure")

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.done = False
        self.failure: Undelivered | None = None
        self._callbacks: list[Callable[[], None]] = []

    def on_done(self, callback: Callable[[], None]) -> None:
        """Call back when it is done, at once if it is."""
        if self.done:
            callback()
        else:
            self._callbacks.append(callback)

    def settle(self, failure: Undelivered | None = None) -> None:
        """It is acknowledged, or will never be; later calls change nothing."""
        if self.done:
            return
        self.done, self.failure = True, failure
        for callback in self._callbacks:
            callback()
        self._callbacks.clear()


@dataclass(slots=True, eq=False)
class Outgoing:
    """One message, whole."""

    type: int
    body: bytes  # as it travels: compressed if `compressed`
    compressed: bool
    channel: int
    priority: Priority
    delivery: Delivery | None  # None: not reliable
    was_sent: bool = False  # some of it, in this connection
    missing: int = 0  # pieces that are not acknowledged
    cost_bytes: int = 0  # of the body, not compressed: what it costs of its limit
    flush_at: float = field(default=float("inf"))

    @classmethod
    def unreliable(cls, number: int, body: bytes, priority: Priority) -> Outgoing:
        """One that may be lost."""
        return cls(
            number,
            body,
            compressed=False,
            channel=0,
            priority=priority,
            delivery=None,
            cost_bytes=len(body),
        )

    @classmethod
    def reliable(cls, number: int, body: bytes, priority: Priority, channel: int) -> Outgoing:
        """One that arrives, or fails; compressed where that is worth it."""
        squeezed = squeeze(number, body)
        return cls(
            number,
            body if squeezed is None else squeezed,
            compressed=squeezed is not None,
            channel=channel,
            priority=priority,
            delivery=Delivery(),
            cost_bytes=len(body),
        )

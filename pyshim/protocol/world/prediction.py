# SPDX-License-Identifier: BSD-3-Clause
"""Where the own player is before the game has said so, and what becomes of that when the game disagrees.

A player who moves does not wait for a round trip: each input is applied at once, and kept. A CORRECTION says
where the game had the player when it had seen the inputs until some time. From there those that it had not
seen are applied again. One that answers a refused movement says which that was, so that the time is known:
that of the input after which the player said so.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from pyshim.protocol.world.about import Vector

KEPT_INPUTS: Final = 256  # some seconds; older ones count as seen

Input = TypeVar("Input")
_SAID = struct.Struct("<6f")


@dataclass(frozen=True, slots=True)
class Motion:
    """Where the player is and where it is going, as in MOVE and CORRECTION."""

    position: Vector  # metres
    velocity: Vector  # metres per second


def _as_said(motion: Motion) -> tuple[float, ...]:
    """As it is in a MOVE."""
    return _SAID.unpack(_SAID.pack(*motion.position, *motion.velocity))


class Prediction(Generic[Input]):
    """The own player. `step` is the game's: what an input does to a motion, the same for the same values."""

    def __init__(
        self, start: Motion, step: Callable[[Motion, Input], Motion], kept: int = KEPT_INPUTS
    ) -> None:
        """The player is at `start`; of its inputs the newest `kept` can be applied again."""
        self._step = step
        self._motion = start
        self._inputs: deque[tuple[float, Input, Motion]] = deque(maxlen=kept)  # when, what, and then

    @property
    def motion(self) -> Motion:
        """Where the player is, as far as this end knows. It goes into the next MOVE."""
        return self._motion

    @property
    def unseen(self) -> int:
        """How many inputs would be applied again."""
        return len(self._inputs)

    def move(self, given: Input, at_s: float) -> Motion:
        """Apply an input, given at this time of the caller's clock, and keep it."""
        self._motion = self._step(self._motion, given)
        self._inputs.append((at_s, given, self._motion))
        return self._motion

    def seen(self, until_s: float) -> None:
        """The game has seen what was given until then, and agrees: it is not applied again."""
        while self._inputs and self._inputs[0][0] <= until_s:
            self._inputs.popleft()

    def correct(self, to: Motion, seen_until_s: float, refused: Motion | None = None) -> Vector:
        """A CORRECTION came: start there, and apply what the game had not seen when it said so.

        `seen_until_s` is when the newest input was given that it had seen: a round trip ago, unless the game
        says better in its own messages. A movement that was `refused`, as the correction names it, says it
        exactly, if it is that after one of the inputs that are kept. Returns how far the player is moved by
        it, in metres, so that a game may let what it draws follow over some frames.
        """
        self._see(seen_until_s, refused)
        before = self._motion.position
        self._motion = to
        again = [(at_s, given) for at_s, given, _ in self._inputs]
        self._inputs.clear()
        for at_s, given in again:
            self.move(given, at_s)
        x, y, z = (now - was for now, was in zip(self._motion.position, before, strict=True))
        return x, y, z

    def _see(self, until_s: float, refused: Motion | None) -> None:
        said = _as_said(refused) if refused is not None else ()
        newest = max((i for i, one in enumerate(self._inputs, 1) if _as_said(one[2]) == said), default=0)
        if newest == 0:
            self.seen(until_s)
        for _ in range(newest):
            self._inputs.popleft()

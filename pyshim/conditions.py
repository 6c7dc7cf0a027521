# SPDX-License-Identifier: BSD-3-Clause
"""Ports that do not serve though the worker process does: what to tell, and when to open them again.

An interface that is down or gone, an address that is elsewhere, or a peer is waited for. Where only a new
opening helps, the worker process is replaced in order: it ends as when it is told to, but its players stay,
and the next one goes on with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyshim.plan import PortPlan

LONGEST_SPACING_S = 30.0
CALM_S = 60.0  # without a reopening: the next one is a first one again


class DeviceState(IntEnum):
    """As `enum pg_device_state` of the data plane."""

    WELL = 0
    NARROW = 1
    DOWN = 2
    AWAY = 3
    GONE = 4
    REPLACED = 5
    STUCK = 6
    RESET = 7
    LEAVING = 8
    ALONE = 9
    PEERLESS = 10
    PEER_BACK = 11
    FULL = 12
    FILE_AWAY = 13


_REOPENED = frozenset(
    {
        DeviceState.REPLACED,
        DeviceState.STUCK,
        DeviceState.RESET,
        DeviceState.LEAVING,
        DeviceState.PEER_BACK,
        DeviceState.FILE_AWAY,
    }
)
_SERVING = frozenset({DeviceState.WELL, DeviceState.NARROW, DeviceState.ALONE})


@dataclass(frozen=True, slots=True)
class Condition:
    """How a port is."""

    state: DeviceState = DeviceState.WELL
    about: str = ""  # the interface, address or file that the state is one of
    longest_frame: int = 0  # that passes, of NARROW

    @property
    def serves(self) -> bool:
        """Whether packets come and go."""
        return self.state in _SERVING

    @property
    def wants_reopening(self) -> bool:
        """Whether its device has to be opened again."""
        return self.state in _REOPENED


_SENTENCES = {
    DeviceState.WELL: "{about} serves again",
    DeviceState.NARROW: (
        "packets of more than {mtu} bytes do not pass {about} or its other end, and are dropped as refused; "
        "give both ends the same MTU (ip link set {about} mtu BYTES), and take {about} down and up"
    ),
    DeviceState.DOWN: "interface {about} is down; bring it and its other end up (ip link set {about} up)",
    DeviceState.AWAY: (
        "{about} is not an address of this host at the moment; it is waited for, and all sessions are kept"
    ),
    DeviceState.GONE: (
        "interface {about} is gone; it is waited for, all sessions are kept, and it is opened again when it "
        "is back"
    ),
    DeviceState.REPLACED: "interface {about} is another one now, or was away meanwhile; it is opened again",
    DeviceState.STUCK: (
        "nothing leaves through {about} any more: its other end refuses a frame (is its MTU lower?); it is "
        "opened again, and what waited to leave is lost"
    ),
    DeviceState.RESET: "its device asks to be reset; it is opened again",
    DeviceState.LEAVING: (
        "its device is being taken away from this host or from its driver, and is let go of; it is waited "
        "for, all sessions are kept, and it is opened again when it is back"
    ),
    DeviceState.ALONE: "nobody is connected to {about}; whoever connects is served",
    DeviceState.PEERLESS: (
        "nobody listens on {about}, to which it connects; it is waited for, all sessions are kept, and it is "
        "opened again when somebody does"
    ),
    DeviceState.PEER_BACK: "somebody listens on {about} again; it is opened again",
    DeviceState.FULL: (
        "{about} has less in it than was written: is its disk full? What is to leave is dropped as refused; "
        "make room and move {about} away, and it is begun anew"
    ),
    DeviceState.FILE_AWAY: "{about} is not the file any more that was opened; it is opened again",
}
_LINK_DOWN = "the link of its device is down; look at the cable and at its other end"
_ETHERNET_BYTES = 14


def sentence(port: str, condition: Condition) -> str:
    """What to tell the operator of a port."""
    if condition.state is DeviceState.DOWN and not condition.about:  # a card, which is no interface
        return f"port {port}: {_LINK_DOWN}"
    told = _SENTENCES[condition.state].format(
        about=condition.about or "its device", mtu=condition.longest_frame - _ETHERNET_BYTES
    )
    return f"port {port}: {told}"


@dataclass(frozen=True, slots=True)
class Conditions:
    """Those of all ports, and the reopenings so far. A value: what was seen comes in, a new one comes out."""

    names: tuple[str, ...]
    ports: tuple[Condition, ...] = ()
    reopened: int = 0  # ever
    in_a_row: int = 0
    last_s: float = 0.0  # of the last reopening

    @classmethod
    def of(cls, ports: Sequence[PortPlan]) -> Conditions:
        """Before the first look: what is down was warned of as the plan was made, and is not told again."""
        known = (Condition(DeviceState.DOWN, port.down) if port.down else Condition() for port in ports)
        return cls(tuple(port.name for port in ports), tuple(known))

    def seen(self, ports: Sequence[Condition]) -> tuple[Conditions, tuple[str, ...]]:
        """The new value, and a sentence for each change."""
        before = self.ports or (Condition(),) * len(ports)
        told = tuple(
            sentence(name, now if now.state is not DeviceState.WELL else replace(now, about=was.about))
            for name, was, now in zip(self.names, before, ports, strict=True)
            if was != now and (was.state, now.state) != (DeviceState.WELL, DeviceState.WELL)
        )
        return replace(self, ports=tuple(ports)), told

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Why not every port serves, one sentence each."""
        return tuple(
            sentence(name, port)
            for name, port in zip(self.names, self.ports, strict=False)
            if not port.serves
        )

    def reopening_due(self, now_s: float) -> bool:
        """Whether the worker process is to be replaced now: not too soon after the last time."""
        return any(port.wants_reopening for port in self.ports) and (
            self.in_a_row == 0 or now_s - self.last_s >= self._spacing_s
        )

    def reopening(self, now_s: float) -> Conditions:
        """The worker process is being replaced at `now_s`."""
        calm = now_s - self.last_s >= CALM_S
        return replace(
            self,
            reopened=self.reopened + 1,
            in_a_row=1 if calm or self.in_a_row == 0 else self.in_a_row + 1,
            last_s=now_s,
        )

    @property
    def _spacing_s(self) -> float:
        return float(min(2.0 ** min(self.in_a_row - 1, 16), LONGEST_SPACING_S))

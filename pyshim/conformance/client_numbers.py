# SPDX-License-Identifier: BSD-3-Clause
"""Against a client: section 12, the number under which it is seen.

Most of it needs a client that goes to another network when a chat message of the operator tells it to.
"""

from __future__ import annotations

import os
import struct

from pyshim.conformance import bodies, layout
from pyshim.conformance.as_gateway import Gateway, Setting
from pyshim.conformance.checks import Check
from pyshim.conformance.layout import Message
from pyshim.conformance.loop import Script, Steps
from pyshim.conformance.peer import PATIENCE_S, SILENCE_S, Heard, StoppedError, Traffic
from pyshim.conformance.scenario import Scenario

NUMBER = Check("number", "12", "NUMBER is acknowledged, and without another network the number stays")
SPARE_USED = Check(
    "spare-used", "12", "A client on another network writes its spare in everything that it sends"
)
SPARE_COUNTER = Check(
    "spare-counter", "12", "Under its spare a client's counters go on, in the header with the spare's offset"
)
SPARE_BOTH = Check(
    "spare-both", "12", "A client takes what comes under its spare, and under the number before"
)
SPARE_LEFT = Check(
    "spare-left", "12", "3 s after the first came under its spare a client drops the number before"
)
SPARE_NEXT = Check(
    "spare-newest", "12", "A spare that was not used is replaced by the next, which the next network sees"
)
SPARE_NONE = Check("spare-none", "12", "A client without a spare keeps its number on another network")

ANOTHER_NETWORK = "another network"  # what the operator's chat says
_FIRST, _UNUSED, _SECOND = 0x01777777, 0x01777778, 0x01777779
_OFFSETS = (0xFFFFFFF0, 0x90000001)  # counters wrap around


def number(gateway: Gateway) -> Script:
    """A spare in WELCOME, and another by NUMBER."""
    traffic = yield from gateway.begin()
    counter = gateway.say(traffic, Message(bodies.NUMBER, struct.pack("<III", 77, 8, 9), 3, 0), wants=1)
    named = yield from gateway.taken(traffic, counter)
    yield from gateway.pause(1.5)
    numbers = {heard.header.session for heard in traffic.heard}
    gateway.verdicts.judge(
        NUMBER,
        named and numbers == {gateway.ticket.session},
        f"it was {'' if named else 'not '}acknowledged; the client writes {sorted(numbers)}",
    )


def _sealed(gateway: Gateway, since: int) -> list[Heard]:
    """What came, opened or not."""
    return [heard for heard in gateway.heard[since:] if heard.kind in layout.SEALED]


def _move(gateway: Gateway, traffic: Traffic, identity: int) -> Steps[list[Heard]]:
    """Tell the client that it is on another network; what it sends there.

    Raises:
        StoppedError: it does not go there.
    """
    yield from gateway.alive(traffic)
    before = _sealed(gateway, 0)[-1]
    since = len(gateway.heard)
    body = bodies.event(0, bodies.chat(7, ANOTHER_NETWORK))
    gateway.say(traffic, Message(bodies.CHAT + bodies.EVENT, body, 3, identity))
    first = yield from gateway.expect(
        lambda heard: (
            heard.kind in layout.SEALED
            and (heard.source, heard.header.session) != (before.source, before.header.session)
        )
    )
    if first is None:
        raise StoppedError(
            f"the client went to no other network when the operator's chat told it {ANOTHER_NETWORK!r}; "
            "have it do so"
        )
    yield from gateway.pause(0.5)
    said = _sealed(gateway, since)
    return said[said.index(first) :]


def _shown(said: list[Heard]) -> str:
    return ", ".join(f"{shown:#x}" for shown in sorted({heard.header.session for heard in said}))


def _give(gateway: Gateway, traffic: Traffic, spare: int, identity: int) -> Steps[None]:
    """NUMBER, that is acknowledged.

    Raises:
        StoppedError: it is not.
    """
    gateway.spare(traffic, spare, _OFFSETS)
    message = Message(bodies.NUMBER, struct.pack("<III", spare, *_OFFSETS), 3, identity)
    if not (yield from gateway.taken(traffic, gateway.say(traffic, message, wants=1))):
        raise StoppedError("NUMBER was not acknowledged")


def _hears(gateway: Gateway, traffic: Traffic, under: int, seconds: float = PATIENCE_S) -> Steps[bool]:
    """Whether a PING under a number is answered."""
    token, traffic.session = os.urandom(4), under
    gateway.say(traffic, Message(bodies.PING, token))
    heard = yield from gateway.expect(
        lambda heard: any((one.type, one.body) == (bodies.PONG, token) for one in heard.messages), seconds
    )
    return heard is not None


def networks(gateway: Gateway) -> Script:
    """A client that is told of another network three times, and is given spares in between."""
    traffic = yield from gateway.begin()
    judge, issued = gateway.verdicts.judge, gateway.ticket.session
    last = max(heard.counter for heard in traffic.heard)
    said = yield from _move(gateway, traffic, 0)
    judge(SPARE_USED, {one.header.session for one in said} == {_FIRST}, f"it wrote {_shown(said)}")
    under = [one for one in said if one.header.session == _FIRST]
    if not under:
        raise StoppedError("the client does not write its spare")
    goes_on = all(one.traffic is traffic and one.counter > last for one in under)
    judge(
        SPARE_COUNTER,
        goes_on,
        f"{under[0]} with counter {under[0].header.counter:#x} in its header came after {last}",
    )
    before = yield from _hears(gateway, traffic, issued)
    after = yield from _hears(gateway, traffic, _FIRST)
    came = [
        f"under the {name} was {'' if was else 'not '}answered"
        for name, was in (("number before", before), ("spare", after))
    ]
    judge(SPARE_BOTH, before and after, f"a PING {', and one '.join(came)}")
    yield from gateway.pause(3.5)
    late = yield from _hears(gateway, traffic, issued, SILENCE_S)
    judge(SPARE_LEFT, not late, f"a PING under it was {'' if late else 'not '}answered")
    traffic.session = _FIRST
    yield from _later_networks(gateway, traffic)


def _later_networks(gateway: Gateway, traffic: Traffic) -> Script:
    judge = gateway.verdicts.judge
    yield from _give(gateway, traffic, _UNUSED, 1)
    yield from _give(gateway, traffic, _SECOND, 2)
    said = yield from _move(gateway, traffic, 3)
    kept = {one.header.session for one in said} == {_SECOND}
    judge(SPARE_NEXT, kept, f"it wrote {_shown(said)} after {_UNUSED:#x} and {_SECOND:#x} were given")
    if not kept:
        return
    traffic.session = _SECOND
    yield from _give(gateway, traffic, 0, 4)
    said = yield from _move(gateway, traffic, 5)
    judge(SPARE_NONE, {one.header.session for one in said} == {_SECOND}, f"it wrote {_shown(said)}")


SCENARIOS = (
    Scenario(number, (NUMBER,), setting=Setting(spare=_FIRST)),
    Scenario(
        networks,
        (SPARE_USED, SPARE_COUNTER, SPARE_BOTH, SPARE_LEFT, SPARE_NEXT, SPARE_NONE),
        setting=Setting(spare=_FIRST),
    ),
)

# SPDX-License-Identifier: BSD-3-Clause
"""Key updates between the Python client, the model gateway and the C core, on networks of all kinds."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from pyshim.protocol.client import Settings
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.client.phases import PhaseRules
from pyshim.protocol.session_bodies import move_body
from pyshim.protocol.session_wire import SEALED, Kind, MessageType, read_header
from tests.session.core_gateway import CoreGateway
from tests.session.internet import Internet, LinkConditions, Player
from tests.session.model_gateway import ModelGateway
from tests.session.test_client import STORM, say, texts
from tests.session.wiretap import nonces

OFTEN = PhaseRules(datagrams=25)
ROUGH = LinkConditions(loss=0.1, doubling=0.2, delay_s=(0.005, 0.12))


@pytest.fixture
def core() -> Iterator[CoreGateway]:
    with CoreGateway() as gateway:
        yield gateway


def flags(internet: Internet, *, to_gateway: bool) -> list[int]:
    """Phases as they show, of all that was sent in one direction: each time that it changed."""
    headers = [read_header(datagram) for way, datagram in internet.tap if way == to_gateway]
    shown = [header.flags for header in headers if header.kind in SEALED]
    return [flag for flag, before in zip(shown, [-1, *shown], strict=False) if flag != before]


def join(internet: Internet, gateway: CoreGateway | ModelGateway, phases: PhaseRules) -> Player:
    player = internet.join(gateway.issue(7), Settings(phases=phases))
    assert internet.run(30, lambda: player.session.is_connected), player.session.failure
    return player


def chat(internet: Internet, player: Player, messages: int = 300) -> None:
    """Say much to oneself; every message arrives, in order."""
    said = [str(number) for number in range(messages)]
    deliveries = []
    for text in said:
        deliveries.append(say(internet, player, text, to=7))
        internet.run(0.03)
    assert internet.run(120, lambda: all(delivery.done for delivery in deliveries))
    assert internet.run(120, lambda: len(texts(player)) == messages)
    assert texts(player) == said


@pytest.mark.parametrize("conditions", [LinkConditions(), ROUGH, STORM], ids=["still", "rough", "storm"])
@pytest.mark.parametrize("who", ["client", "gateway", "both"])
def test_updates_lose_nothing_whoever_begins(who: str, conditions: LinkConditions) -> None:
    rules = OFTEN if who != "client" else PhaseRules()
    gateway = ModelGateway(Random(1).randbytes, phases=rules)
    internet = Internet(gateway)
    player = join(internet, gateway, OFTEN if who != "gateway" else PhaseRules())
    internet.conditions = conditions
    chat(internet, player)
    assert len(flags(internet, to_gateway=True)) > 5
    assert len(flags(internet, to_gateway=False)) > 5
    assert player.session.ignored.forged == 0


@pytest.mark.parametrize("conditions", [LinkConditions(), ROUGH, STORM], ids=["still", "rough", "storm"])
def test_core_follows_the_client_through_many_phases(core: CoreGateway, conditions: LinkConditions) -> None:
    internet = Internet(core)
    player = join(internet, core, OFTEN)
    internet.conditions = conditions
    chat(internet, player)
    updates = core.stats().key_updates
    assert updates > 5
    assert len(flags(internet, to_gateway=False)) == updates + 1
    assert core.drops["bad_tag"] == 0
    assert player.session.ignored.forged == 0
    core.check_books()


def test_no_phase_is_left_before_something_of_it_was_acknowledged() -> None:
    gateway = ModelGateway(Random(1).randbytes)
    internet = Internet(gateway)
    player = join(internet, gateway, PhaseRules(datagrams=0))
    internet.run(1)
    internet.on_wire = lambda to_gateway, _datagram: to_gateway
    before = len(internet.tap)
    for _ in range(50):
        walk(internet, player)
    last = [read_header(datagram).flags for to_gateway, datagram in internet.tap[before:] if to_gateway]
    assert len(last) >= 50
    assert sorted(last, key=lambda flag: flag != last[0]) == last
    internet.on_wire = lambda _to_gateway, _datagram: True
    chat(internet, player, 20)


def walk(internet: Internet, player: Player) -> None:
    move = Outgoing.unreliable(MessageType.MOVE, move_body((1, 2, 3), (0, 0, 0)), Priority.NORMAL)
    player.session.send(move, internet.now)
    internet.run(0.05)


def pass_time(internet: Internet, core: CoreGateway, seconds: float) -> None:
    """Long, in steps shorter than the idle time-out; nothing is on its way while time flies."""
    end = internet.now + seconds
    while internet.now < end:
        internet.now += 20
        core.expire(internet.now)
        internet.run(0.3)


def test_core_updates_by_itself_within_the_hour_and_the_client_follows(core: CoreGateway) -> None:
    internet = Internet(core)
    player = join(internet, core, PhaseRules(seconds=86_400.0))
    pass_time(internet, core, 2000)
    assert core.stats().key_updates == 0
    pass_time(internet, core, 1600)
    walk(internet, player)
    assert core.stats().key_updates == 1
    assert flags(internet, to_gateway=True) == [0, 1]
    assert flags(internet, to_gateway=False) == [0, 1]
    chat(internet, player, 20)
    assert core.drops["bad_tag"] == 0
    core.check_books()


def test_client_updates_by_itself_within_the_hour(core: CoreGateway) -> None:
    internet = Internet(core)
    player = join(internet, core, PhaseRules(seconds=1000))
    pass_time(internet, core, 3300)
    walk(internet, player)
    assert core.stats().key_updates == 3
    assert core.drops["bad_tag"] == 0


def test_whoever_flips_flags_delays_no_update(core: CoreGateway) -> None:
    """A man on the side sends each datagram again with the other flag and a counter that is ahead."""
    internet = Internet(core)
    player = join(internet, core, OFTEN)
    forged = 0

    def flip(to_gateway: bool, datagram: bytes) -> bool:
        nonlocal forged
        header = read_header(datagram)
        if header.kind is Kind.DATA:
            ahead = (header.counter + 100).to_bytes(4, "little")
            for flag in (0, 1):
                changed = datagram[:1] + bytes([flag]) + datagram[2:8] + ahead + datagram[12:]
                forged += 1
                if to_gateway:
                    internet.inject(player.address, changed)
                else:
                    player.session.receive(changed, internet.now)
        return True

    internet.on_wire = flip
    chat(internet, player)
    internet.on_wire = lambda _to_gateway, _datagram: True
    internet.run(1)  # what still flies arrives
    assert core.stats().key_updates > 5
    assert core.drops["bad_tag"] + player.session.ignored.forged == forged > 1000
    core.check_books()


@pytest.mark.parametrize("conditions", [LinkConditions(), STORM], ids=["still", "storm"])
def test_no_key_seals_two_datagrams_with_one_nonce(core: CoreGateway, conditions: LinkConditions) -> None:
    internet = Internet(core)
    ticket = core.issue(7)
    player = internet.join(ticket, Settings(phases=OFTEN))
    assert internet.run(30, lambda: player.session.is_connected)
    internet.conditions = conditions
    chat(internet, player)
    found = nonces(internet.tap, {ticket.session: ticket.key}, internet.secrets)
    assert len({key for key, _ in found}) > 10
    assert len(set(found)) == len(found)

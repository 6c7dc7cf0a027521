# SPDX-License-Identifier: BSD-3-Clause
"""Key updates of the C client: against the model gateway and the C core, on networks of all kinds."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from pyshim.protocol.client.phases import PhaseRules
from pyshim.protocol.session_crypto import key_material, next_secret
from pyshim.protocol.session_wire import SEALED, Kind, read_header
from tests.client.c_client import Library
from tests.client.world import World, c, heard
from tests.session.core_gateway import CoreGateway
from tests.session.internet import LinkConditions, Player
from tests.session.model_gateway import ModelGateway

ROUGH = LinkConditions(loss=0.1, doubling=0.2, delay_s=(0.005, 0.12))
STORM = LinkConditions(loss=0.2, doubling=0.2, delay_s=(0.005, 0.12))


@pytest.fixture
def core() -> Iterator[CoreGateway]:
    with CoreGateway() as gateway:
        yield gateway


def flags(world: World, *, to_gateway: bool) -> list[int]:
    """Phases as they show, of all that was sent in one direction: each time that it changed."""
    headers = [read_header(datagram) for way, datagram in world.internet.tap if way == to_gateway]
    shown = [header.flags for header in headers if header.kind in SEALED]
    return [flag for flag, before in zip(shown, [-1, *shown], strict=False) if flag != before]


def chat(world: World, player: Player, messages: int) -> None:
    """Say much to oneself; every message arrives, in order."""
    game = c(player)
    for number in range(messages):
        assert game.chat(7, str(number), game.delivery(1, receipt=0)) == 0
        world.internet.run(0.03)
    assert world.internet.run(120, lambda: len(heard(player, "CHAT")) >= messages)
    assert [values[-1] for values in heard(player, "CHAT")] == [str(number) for number in range(messages)]


@pytest.mark.parametrize("conditions", [LinkConditions(), ROUGH, STORM], ids=["still", "rough", "storm"])
def test_client_follows_the_gateway_through_many_phases(library: Library, conditions: LinkConditions) -> None:
    world = World(library, ModelGateway(Random(1).randbytes, phases=PhaseRules(datagrams=25)))
    player = world.connected()
    world.internet.conditions = conditions
    chat(world, player, 300)
    phases = len(flags(world, to_gateway=False))
    assert phases > 5
    assert len(flags(world, to_gateway=True)) >= phases - 1
    assert heard(player, "CLOSED") == []


def pass_time(world: World, core: CoreGateway | None, seconds: float) -> None:
    """Long, in steps shorter than the idle time-out; nothing is on its way while time flies."""
    end = world.internet.now + seconds
    while world.internet.now < end:
        world.internet.now += 20
        if core is not None:
            core.expire(world.internet.now)
        world.internet.run(0.3)


def test_client_updates_by_itself_within_the_hour(library: Library) -> None:
    world = World(library, ModelGateway(Random(1).randbytes, phases=PhaseRules(seconds=86_400)))
    player = world.connected()
    pass_time(world, None, 3500)
    assert flags(world, to_gateway=True) == [0]
    pass_time(world, None, 100)
    assert flags(world, to_gateway=True) == [0, 1]
    assert flags(world, to_gateway=False) == [0, 1]
    chat(world, player, 10)


def test_client_and_core_go_through_hours_together(library: Library, core: CoreGateway) -> None:
    world = World(library, core)
    player = world.connected()
    pass_time(world, core, 11_000)
    chat(world, player, 10)
    assert core.stats().key_updates == 3
    assert core.drops["bad_tag"] == 0
    assert heard(player, "CLOSED") == []
    core.check_books()


def test_client_tells_the_keys_of_each_phase_that_it_is_asked_for(library: Library) -> None:
    world = World(library, ModelGateway(Random(1).randbytes, phases=PhaseRules(datagrams=25)))
    told: list[str] = []
    log = library.ffi.callback(
        "void (*)(void *, const char *)", lambda _, line: told.append(library.ffi.string(line).decode())
    )
    player = world.connected(key_log=log)
    chat(world, player, 100)
    session, seat = world.gateway.seat(7)  # type: ignore[attr-defined]
    secrets = [seat.secret]
    while len(secrets) < len(told):
        secrets.append(next_secret(secrets[-1]))
    assert len(told) == seat.keys.seals + 1 > 3
    assert told == [f"{session} {key_material(secret).hex()}" for secret in secrets]


def test_whoever_flips_flags_delays_no_update(library: Library) -> None:
    """A man on the side sends each datagram before it comes, with either flag and a counter ahead."""
    world = World(library, ModelGateway(Random(1).randbytes, phases=PhaseRules(datagrams=25)))
    player = world.connected()
    forged = 0

    def flip(to_gateway: bool, datagram: bytes) -> bool:
        nonlocal forged
        header = read_header(datagram)
        if not to_gateway and header.kind is Kind.DATA:
            ahead = (header.counter + 100).to_bytes(4, "little")
            for flag in (0, 1):
                forged += 1
                changed = datagram[:1] + bytes([flag]) + datagram[2:8] + ahead + datagram[12:]
                c(player).receive(changed, world.internet.now)
        return True

    before = c(player).statistics().datagrams_refused
    world.internet.on_wire = flip
    chat(world, player, 300)
    assert len(flags(world, to_gateway=True)) > 5
    assert c(player).statistics().datagrams_refused == before + forged

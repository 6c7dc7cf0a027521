# SPDX-License-Identifier: BSD-3-Clause
"""Listeners of both profiles side by side in the appliance: what speaks one is nothing to the other."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pyshim.protocol.client import Chat, Disconnected
from pyshim.protocol.session_wire import Kind, pack_hello, read_challenge
from tests.engines.engines import ALL, GATES
from tests.gate import Samples
from tests.issuing.gateway import Api
from tests.network.namespace import GATE4, GATE6, PLAYERS4, PLAYERS6, Wire
from tests.network.players import ANSWER_TIMEOUT_S, acknowledgement, every_kind
from tests.session.deployment import Deployment, founded, heard, kill, playing, quiet, settings

pytestmark = ALL

SESSION, PLAIN = 8080, 8089
NONCE = bytes(range(16))
QUIET_S = 0.2  # for what must not come
PROFILES = {SESSION: "session", PLAIN: "plain"}

_source_ports = itertools.count(20000)


@pytest.fixture(params=[(SESSION, PLAIN), (PLAIN, SESSION)], ids=["session-first", "plain-first"])
def ports(request: pytest.FixtureRequest) -> tuple[int, int]:
    """In the order of the configuration."""
    order: tuple[int, int] = request.param
    return order


@pytest.fixture(params=[1, 2], ids=["one-address", "two-addresses"])
def gates(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The frames that are recognised at once are those of a port with one address of IPv4."""
    return GATES if request.param == 2 else (f"{GATE4}/24", f"{GATE6}/64")


def both(engine: str, ports: tuple[int, int], gates: tuple[str, ...]) -> dict[str, Any]:
    """A configuration with both listeners, in this order, at all of these addresses."""
    listen = [{"port": port, "profile": PROFILES[port]} for port in ports]
    return settings(engine, listen=listen, port={"address": list(gates)})


@pytest.fixture
def deployment(
    wire: Wire, engine: str, ports: tuple[int, int], gates: tuple[str, ...], tmp_path: Path
) -> Iterator[Deployment]:
    with founded(wire, both(engine, ports, gates), tmp_path) as it:
        yield it


class Stranger:
    """A UDP socket that asks, and what comes back."""

    def __init__(self, deployment: Deployment, to: str, port: int) -> None:
        family, own = (socket.AF_INET6, PLAYERS6) if ":" in to else (socket.AF_INET, PLAYERS4)

        def connect() -> socket.socket:
            made = socket.socket(family, socket.SOCK_DGRAM)
            made.bind((own, next(_source_ports)))
            made.connect((to, port))
            return made

        self._socket = deployment.wire.players.call(connect)

    def __enter__(self) -> Stranger:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, datagram: bytes) -> bytes:
        self._socket.settimeout(ANSWER_TIMEOUT_S)
        self._socket.send(datagram)
        return self._socket.recv(2048)

    def say(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self._socket.send(datagram)

    def is_not_answered(self) -> None:
        self._socket.settimeout(QUIET_S)
        with pytest.raises(TimeoutError):
            self._socket.recv(2048)


def targets(gates: tuple[str, ...]) -> list[str]:
    return [gate.partition("/")[0] for gate in gates]


def dropped(samples: Samples) -> int:
    """Without what the players' kernel says of its own accord."""
    name = "pollgate_drops_total"
    return int(samples.value(name) - samples.value(name, reason="not_for_us"))


def await_drops(deployment: Deployment, count: int) -> None:
    """Whoever is not answered by now was not only not looked at yet."""
    deployment.gate.wait_until(lambda: dropped(deployment.gate.metrics()) >= count)


def sealed_kinds(session: int) -> list[bytes]:
    """Of every kind and some lengths, a header that can be, and zeros."""
    lengths = (12, 28, 36, 40, 48, 52, 72, 508, 1400)
    heads = ((kind, length) for kind in range(12) for length in lengths)
    return [
        bytes([kind, 0])
        + length.to_bytes(2, "little")
        + session.to_bytes(4, "little")
        + (1).to_bytes(4, "little")
        + bytes(length - 12)
        for kind, length in heads
    ]


def test_plain_messages_are_nothing_to_a_listener_of_profile_session(
    deployment: Deployment, gates: tuple[str, ...]
) -> None:
    for number, target in enumerate(targets(gates)):
        messages = every_kind(1000 + number)
        before = dropped(deployment.gate.metrics())
        with Stranger(deployment, target, SESSION) as stranger:
            stranger.say(*messages)
            await_drops(deployment, before + len(messages))
            stranger.is_not_answered()
        assert dropped(deployment.gate.metrics()) == before + len(messages)
        with Stranger(deployment, target, PLAIN) as stranger:
            assert [stranger.ask(message) for message in messages] == [*map(acknowledgement, messages)]
    assert deployment.total("sessions", state="active") == len(gates)


def test_the_session_profile_is_nothing_to_a_plain_listener(
    deployment: Deployment, gates: tuple[str, ...]
) -> None:
    ticket = deployment.issue(7)
    hello = pack_hello(ticket.session, NONCE)
    for target in targets(gates):
        datagrams = [hello, *sealed_kinds(ticket.session)]
        before = dropped(deployment.gate.metrics())
        with Stranger(deployment, target, PLAIN) as stranger:
            stranger.say(*datagrams)
            await_drops(deployment, before + len(datagrams))
            stranger.is_not_answered()
        assert dropped(deployment.gate.metrics()) == before + len(datagrams)
        with Stranger(deployment, target, SESSION) as stranger:
            assert read_challenge(stranger.ask(hello)).client_nonce == NONCE


def test_what_is_not_sealed_by_the_player_is_not_answered_and_stops_nobody(
    deployment: Deployment, gates: tuple[str, ...]
) -> None:
    ticket = deployment.issue(7)

    async def game() -> None:
        async with playing(ticket) as (alice,):
            await asyncio.to_thread(partial(forge, ticket.session))
            await alice.chat("still here", to=7)
            assert [chat.text for chat in await heard(alice, Chat)] == ["still here"]
            assert not any(isinstance(event, Disconnected) for event in alice.session.events)

    def forge(session: int) -> None:
        handshakes = (Kind.HELLO, Kind.CONFIRM)
        for target in targets(gates):
            with Stranger(deployment, target, SESSION) as stranger:
                for named in (session, session ^ 1, session ^ 1 << 31, 0, 2**32 - 1):
                    stranger.say(*(forged for forged in sealed_kinds(named) if forged[0] not in handshakes))
                stranger.is_not_answered()

    deployment.play(game, timeout_s=120)
    assert deployment.total("session_connections_total") == 1
    assert deployment.total("session_path_changes_total") == 0


def test_silent_players_are_reached_after_a_crash_from_where_they_expect_it(
    wire: Wire, engine: str, tmp_path: Path
) -> None:
    async def game() -> None:
        async with playing(*tickets) as players:
            for alice, ticket in zip(players, tickets, strict=True):
                await alice.chat("before", to=7 + tickets.index(ticket))
                await heard(alice, Chat)
                await quiet(alice)
            await asyncio.to_thread(partial(kill, deployment, 1))
            for ticket in tickets:
                await asyncio.to_thread(partial(send, ticket.session))
            for alice in players:
                assert [chat.text for chat in await heard(alice, Chat)] == ["after"]
                assert not any(isinstance(event, Disconnected) for event in alice.session.events)

    def send(session: int) -> None:
        body = {"type": "chat", "text": "after"}
        assert Api(deployment.gate)("POST", f"/v1/sessions/{session}/messages", body).status == 202

    with founded(wire, both(engine, (PLAIN, SESSION), GATES), tmp_path) as deployment:
        tickets = [replace(deployment.issue(7 + n), host=host) for n, host in enumerate(targets(GATES))]
        deployment.play(game)
        assert deployment.total("session_connections_total") == len(tickets)

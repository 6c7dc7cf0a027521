# SPDX-License-Identifier: BSD-3-Clause
"""Several gateways behind one address: a program in front tells from a datagram's first bytes whose it is."""

from __future__ import annotations

import asyncio
import json
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest

from pyshim.protocol.client import Chat, Client, Settings, Ticket, TimedOut
from tests.gate import Gate
from tests.issuing.gateway import Api, configuration
from tests.session.deployment import heard, playing

IDS = (3, 0xF1)
TIMEOUT_S = 120
GATEWAY_BYTE = 7  # of a datagram: the upper 8 bits of its session's number


class Front:
    """Sends each datagram to the gateway that its eighth byte names, and its answers back."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, int]] = set()  # the byte, in either direction
        self.unknown = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.gateways: dict[int, int] = {}  # id to port
        self._ways: dict[tuple[Any, int], socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ, None)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._selector.close()
        for each in (self._socket, *self._ways.values()):
            each.close()

    def _run(self) -> None:
        while not self._over.is_set():
            for key, _ in self._selector.select(0.1):
                try:
                    self._pass(key)
                except ConnectionRefusedError:
                    continue

    def _pass(self, key: selectors.SelectorKey) -> None:
        player = key.data
        if player is not None:
            datagram = key.fileobj.recv(2048)  # type: ignore[union-attr]
            self.seen.add(("back", datagram[GATEWAY_BYTE]))
            self._socket.sendto(datagram, player)
            return
        datagram, player = self._socket.recvfrom(2048)
        gateway = datagram[GATEWAY_BYTE]
        self.seen.add(("there", gateway))
        if gateway not in self.gateways:
            self.unknown += 1
            return
        if (player, gateway) not in self._ways:
            way = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            way.connect(("127.0.0.1", self.gateways[gateway]))
            self._selector.register(way, selectors.EVENT_READ, player)
            self._ways[player, gateway] = way
        self._ways[player, gateway].send(datagram)


def gateway_config(directory: Path, gateway_id: int, **control: Any) -> dict[str, Any]:
    config = configuration(directory, **control)
    config["sessions"] |= {"gateway": {"id": gateway_id, "bits": 8}}
    return config


def port_of(config: dict[str, Any]) -> int:
    port: int = config["listen"][0]["port"]
    return port


def issued(gate: Gate, player_id: int) -> Ticket:
    return Ticket.from_json(json.dumps(Api(gate).issue(player_id)))


def foreign(gate: Gate) -> float:
    return gate.metrics().value("pollgate_drops_total", reason="session_foreign")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with Gate(gateway_config(tmp_path, IDS[0]), tmp_path) as running:
        yield running


def test_players_of_two_gateways_play_through_one_address(tmp_path: Path) -> None:
    with Front() as front, ExitStack() as stack:
        gates = []
        for number in IDS:
            directory = tmp_path / str(number)
            directory.mkdir()
            config = gateway_config(directory, number, advertise=f"127.0.0.1:{front.port}")
            front.gateways[number] = port_of(config)
            gates.append(stack.enter_context(Gate(config, directory)))
        tickets = [issued(gate, player) for player in (7, 8) for gate in gates]
        assert {ticket.port for ticket in tickets} == {front.port}
        assert [ticket.session >> 24 for ticket in tickets] == [*IDS, *IDS]

        async def game() -> None:
            async with asyncio.timeout(TIMEOUT_S), playing(*tickets) as players:
                for one, other in ((0, 2), (1, 3)):
                    await players[one].chat(f"of {one}", to=8)
                    assert [event.text for event in await heard(players[other], Chat)] == [f"of {one}"]

        asyncio.run(game())
        assert front.seen == {(way, number) for way in ("there", "back") for number in IDS}
        assert front.unknown == 0
        assert [foreign(gate) for gate in gates] == [0, 0]
        assert [gate.metrics().value("pollgate_session_connections_total") for gate in gates] == [2, 2]


def test_a_session_of_another_gateway_is_dropped_under_its_own_reason_and_not_answered(gate: Gate) -> None:
    ticket = issued(gate, 7)

    async def stray() -> None:
        other = replace(ticket, session=ticket.session ^ 1 << 31)
        with pytest.raises(TimedOut):
            async with Client(other, Settings(connect_timeout_s=3)):
                pass

    asyncio.run(stray())
    assert foreign(gate) > 0
    samples = gate.metrics()
    assert samples.value("pollgate_drops_total", reason="session_unknown") == 0
    assert sum(value for _, value in samples.matching("pollgate_session_denied_total")) == 0

    async def at_home() -> None:
        async with asyncio.timeout(TIMEOUT_S), playing(ticket) as (player,):
            await player.chat("mine", to=7)
            assert await heard(player, Chat)

    asyncio.run(at_home())


def test_a_worker_that_is_restarted_knows_the_numbers_of_its_gateway(gate: Gate) -> None:
    ticket = issued(gate, 7)

    async def game() -> None:
        async with asyncio.timeout(TIMEOUT_S), playing(ticket) as (player,):
            await asyncio.to_thread(gate.kill_worker)
            await asyncio.to_thread(gate.wait_metric, "pollgate_worker_restarts_total", 1)
            await player.chat("still here", to=7)
            assert await heard(player, Chat)

    asyncio.run(game())
    assert issued(gate, 8).session >> 24 == IDS[0]
    assert foreign(gate) == 0


def test_another_id_needs_a_restart_and_changes_no_number_until_then(gate: Gate, tmp_path: Path) -> None:
    ticket = issued(gate, 7)
    config = json.loads(gate.config_path.read_text())
    config["sessions"]["gateway"]["id"] = IDS[1]
    gate.write_config(config)
    gate.reload()
    assert "sessions.gateway.id needs a restart" in gate.wait_for_line("reload refused")
    assert issued(gate, 8).session >> 24 == IDS[0]
    assert Api(gate)("GET", f"/v1/sessions/{ticket.session}").status == 200

    gate.stop()
    with Gate(config, tmp_path) as anew:
        assert Api(anew)("GET", f"/v1/sessions/{ticket.session}").status == 404
        assert issued(anew, 8).session >> 24 == IDS[1]

# SPDX-License-Identifier: BSD-3-Clause
"""The whole appliance with profile netcode, with clients that were made from the standard alone."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gate import TIMEOUT_S
from tests.netcode.gateway import CAPACITY, NetcodeGate, configuration, conserved
from tests.netcode.model import Client, Kind, State

pytestmark = pytest.mark.usefixtures("books")


@pytest.fixture(scope="module", params=["epoll", "io_uring"])
def gate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetcodeGate]:
    directory = tmp_path_factory.mktemp("netcode")
    with NetcodeGate(configuration(directory, engine=request.param), directory) as gate:
        yield gate


@pytest.fixture
def books(gate: NetcodeGate) -> Iterator[None]:
    """After every test nobody is connected, and every packet was counted once."""
    yield
    await_(lambda: gate.metrics().value("pollgate_sessions", state="connected") == 0)
    await_(lambda: conserved(gate.metrics()))


def await_(reached: Callable[[], bool]) -> None:
    bound_s = time.monotonic() + TIMEOUT_S
    while not reached():
        assert time.monotonic() < bound_s
        time.sleep(0.05)


def leave(client: Client) -> None:
    client.send(Kind.DISCONNECT)
    client.socket.close()


def ignored(gate: NetcodeGate, client: Client, packet: bytes, reason: str) -> None:
    """A packet gets no answer, and is counted as dropped for this."""
    before = gate.drops(reason)
    client.send_raw(packet)
    await_(lambda: gate.drops(reason) == before + 1)
    assert client.listen() in (None, Kind.KEEP_ALIVE)  # the latter is what a connected client gets anyway


def test_a_client_gets_in_is_kept_alive_and_leaves(gate: NetcodeGate) -> None:
    requests, responses = gate.packets("request"), gate.packets("response")
    client = gate.connected(user_data=b"of the studio")
    assert client.index is not None
    assert client.index < CAPACITY
    assert client.max_clients == CAPACITY
    kept = client.count(Kind.KEEP_ALIVE)
    client.until(lambda: client.count(Kind.KEEP_ALIVE) >= kept + 5)
    leave(client)
    await_(lambda: gate.metrics().value("pollgate_sessions", state="connected") == 0)
    assert gate.packets("request") > requests
    assert gate.packets("response") > responses


def test_payloads_end_as_nobodys_and_the_client_stays(gate: NetcodeGate) -> None:
    before = gate.packets("payload")
    client = gate.connected()
    for length in (1, 100, 1200):
        client.send(Kind.PAYLOAD, bytes(length))
    await_(lambda: gate.packets("payload") == before + 3)
    kept = client.count(Kind.KEEP_ALIVE)
    client.until(lambda: client.count(Kind.KEEP_ALIVE) >= kept + 2)
    leave(client)


def test_a_client_that_says_nothing_is_kept_alive_until_its_timeout(gate: NetcodeGate) -> None:
    expired = gate.metrics().value("pollgate_sessions_expired_total")
    client = gate.connected(timeout_s=1)
    client.last_sent_s = float("inf")
    client.until(lambda: gate.metrics().value("pollgate_sessions_expired_total") == expired + 1)
    assert client.count(Kind.KEEP_ALIVE) > 1
    client.socket.close()


def test_clients_have_indexes_of_their_own_and_one_too_many_is_denied(gate: NetcodeGate) -> None:
    clients = [gate.connected(100 + number) for number in range(CAPACITY)]
    assert {client.index for client in clients} == set(range(CAPACITY))
    denied = gate.metrics().value("pollgate_netcode_denied_total")
    with gate.client(99) as one_more:
        one_more.until(lambda: one_more.state is State.DENIED)
    assert gate.metrics().value("pollgate_netcode_denied_total") > denied
    for client in clients:
        leave(client)


def test_a_token_is_ignored_from_another_address(gate: NetcodeGate) -> None:
    client = gate.connected()
    with Client(client.token, ("127.0.0.1", gate.port), address="127.0.0.2") as thief:
        ignored(gate, thief, client.token.request(), "netcode_connected")
        leave(client)
        await_(lambda: gate.metrics().value("pollgate_sessions", state="connected") == 0)
        ignored(gate, thief, client.token.request(), "netcode_token_used")


def test_a_request_that_is_replayed_changes_nothing(gate: NetcodeGate) -> None:
    client = gate.connected()
    ignored(gate, client, client.token.request(), "netcode_connected")
    kept = client.count(Kind.KEEP_ALIVE)
    client.until(lambda: client.count(Kind.KEEP_ALIVE) > kept)
    leave(client)


def test_a_packet_that_is_replayed_is_ignored(gate: NetcodeGate) -> None:
    client = gate.connected()
    packet = client.send(Kind.PAYLOAD, b"x")
    await_(lambda: gate.packets("payload") > 0)
    before = gate.drops("replayed")
    client.send_raw(packet)
    await_(lambda: gate.drops("replayed") == before + 1)
    leave(client)


def test_what_a_request_may_not_be_is_ignored(gate: NetcodeGate) -> None:
    good = gate.token().request()
    other_servers = gate.token(servers=["127.0.0.1:9", "[::1]:9"]).request()
    with gate.client() as client:
        ignored(gate, client, good[:-1], "netcode_header")
        ignored(gate, client, good + b"\0", "netcode_header")
        ignored(gate, client, good[:5] + b"X" + good[6:], "netcode_header")
        ignored(gate, client, good[:14] + bytes(8) + good[22:], "netcode_protocol")
        ignored(gate, client, gate.token(ttl_s=0).request(), "netcode_expired")
        ignored(gate, client, good[:-1] + bytes([good[-1] ^ 1]), "netcode_token")
        ignored(gate, client, gate.token(key=bytes(32)).request(), "netcode_token")
        ignored(gate, client, other_servers, "netcode_address")
        ignored(gate, client, bytes([0x16]) + bytes(17), "session_unknown")
        ignored(gate, client, bytes([0x12]) + bytes(400), "netcode_header")


def test_a_flood_of_requests_without_a_token_is_not_answered(gate: NetcodeGate) -> None:
    before = gate.metrics().value("pollgate_transmit_offered_packets_total")
    request = bytearray(gate.token(key=bytes(32)).request())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        flood.connect(("127.0.0.1", gate.port))
        for number in range(500):
            request[40:44] = number.to_bytes(4, "little")
            flood.send(request)
        await_(lambda: conserved(gate.metrics()))
        flood.setblocking(False)
        with pytest.raises(BlockingIOError):
            flood.recv(2048)
    assert gate.metrics().value("pollgate_transmit_offered_packets_total") == before


def test_a_killed_worker_keeps_every_client(tmp_path: Path) -> None:
    with NetcodeGate(configuration(tmp_path), tmp_path) as own:
        clients = [own.connected(100 + number, timeout_s=30) for number in range(CAPACITY)]
        (worker,) = own.worker_pids()
        os.kill(worker, signal.SIGKILL)
        for client in clients:
            kept = client.count(Kind.KEEP_ALIVE)
            client.until(lambda c=client, n=kept + 3: c.count(Kind.KEEP_ALIVE) >= n)  # type: ignore[misc]
            client.until(lambda: own.worker_pids() not in ([], [worker]))
        assert own.metrics().value("pollgate_sessions_recovered_total") == CAPACITY
        for client in clients:
            leave(client)


def test_clients_are_told_that_the_gateway_ends(tmp_path: Path) -> None:
    with NetcodeGate(configuration(tmp_path), tmp_path) as own:
        client = own.connected()
        own.process.send_signal(signal.SIGTERM)
        client.until(lambda: client.state is State.DISCONNECTED)
        assert own.process.wait(TIMEOUT_S) == 0
        client.socket.close()

# SPDX-License-Identifier: BSD-3-Clause
"""What the kernel loses before a worker, or does not send after it, is counted to the datagram."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.engines import OWN, PORTS, SOCKETS, everything
from tests.engines.rules import dropping
from tests.network.namespace import PLAYERS4, Wire
from tests.network.players import (
    Crowd,
    Growth,
    NetworkGate,
    acknowledgement,
    chat,
    config,
    heartbeat,
    serving,
)

pytestmark = SOCKETS
FLOOD = 3000  # far more than 16 KiB of receive buffer hold
SMALL = 10  # sessions
ELSEWHERE = 9001  # a UDP port that the module's gate does not have


@pytest.fixture(scope="module")
def gate(wire: Wire, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkGate]:
    settings = everything(
        engine,
        sockets={"receive_buffer_kib": 16},
        workers={"stall_timeout_s": 60},
    )
    with serving(wire, settings, tmp_path_factory.mktemp("losses")) as running:
        yield running


@contextlib.contextmanager
def stopped(gate: NetworkGate) -> Iterator[None]:
    """The worker process does nothing for the time of the `with` block."""
    pid = gate.worker_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        gate.wait_until(lambda: set(thread_states(pid)) == {"T"})
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
def test_datagrams_that_a_full_receive_buffer_loses_are_missed_to_the_last(
    gate: NetworkGate, crowd: Crowd, family: int
) -> None:
    player = crowd.player(family=family)
    player.plays(heartbeat(player.id))
    grown = Growth(gate)
    with stopped(gate):
        player.send(*[heartbeat(player.id, number) for number in range(FLOOD)])
    gate.wait_until(lambda: missed(grown) + grown.handled("heartbeat") == FLOOD)
    kept = grown.handled("heartbeat")
    assert 0 < kept < FLOOD
    # Those that came first are those that there was room for.
    answers = [player.receive() for _ in range(kept)]
    assert answers == [acknowledgement(heartbeat(player.id, number)) for number in range(kept)]
    player.plays(heartbeat(player.id))  # it goes on
    assert missed(grown) == FLOOD - kept
    assert grown.of("pollgate_received_packets_total") == kept + 1
    assert grown.of("pollgate_drops_total") == 0


@pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
def test_wrong_checksums_and_empty_datagrams_are_errors_and_nobody_is_too_slow(
    gate: NetworkGate, wire: Wire, crowd: Crowd, family: int
) -> None:
    player = crowd.player(family=family)
    player.plays(heartbeat(player.id))
    grown = Growth(gate)
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    words = chat(7, b"a" * 100)  # up to 76 bytes the kernel finds it out before it looks for a socket
    header = b"".join(n.to_bytes(2, "big") for n in (40_000, PORTS[0], 8 + len(words)))
    with wire.players.call(lambda: socket.socket(kind, socket.SOCK_RAW, socket.IPPROTO_UDP)) as raw:
        for checksum in (b"\x12\x34", b"\x56\x78"):  # one of them at most is right
            raw.sendto(header + checksum + words, (OWN[family][0], 0))
    player.send(b"", b"", b"")
    player.plays(heartbeat(player.id, 2))
    gate.wait_until(lambda: errors(grown) >= 4)
    assert errors(grown) <= 5
    assert grown.handled("chat") + errors(grown) == 5
    assert missed(grown) == 0
    assert grown.of("pollgate_drops_total") == 0


@pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
def test_answers_that_the_firewall_does_not_let_out_are_refused_and_the_others_leave(
    gate: NetworkGate, wire: Wire, crowd: Crowd, family: int
) -> None:
    muted, heard = crowd.players(2, family=family)
    for player in (muted, heard):
        player.plays(heartbeat(player.id))
    grown = Growth(gate)
    to_muted = ("-p", "udp", "--dport", str(muted.id))
    with dropping(wire.gate, "OUTPUT", *to_muted, family=family) as rule:
        with stopped(gate):  # so that one burst has both kinds in it
            for number in range(10):
                muted.send(heartbeat(muted.id, number))
                heard.send(heartbeat(heard.id, number))
        wanted = [acknowledgement(heartbeat(heard.id, number)) for number in range(10)]
        assert [heard.receive() for _ in range(10)] == wanted
        gate.wait_until(lambda: unsent(grown, "refused") == 10)
        # sendmmsg does not say why it stopped halfway: what it stopped at is offered again, to hear.
        assert rule.packets() >= 10
    muted.plays(heartbeat(muted.id))
    assert grown.handled("heartbeat") == grown.of("pollgate_transmit_offered_packets_total") == 21
    assert grown.of("pollgate_transmit_drops_total") == 10


def test_answers_without_a_way_are_refused(gate: NetworkGate, wire: Wire, crowd: Crowd) -> None:
    player = crowd.player()
    player.plays(heartbeat(player.id))
    grown = Growth(gate)
    wire.gate.run("ip", "route", "add", "unreachable", f"{PLAYERS4}/32")
    player.send(heartbeat(player.id, 1))
    gate.wait_until(lambda: unsent(grown, "refused") == 1)
    wire.gate.run("ip", "route", "del", "unreachable", f"{PLAYERS4}/32")
    player.plays(heartbeat(player.id, 2))
    assert grown.of("pollgate_transmit_drops_total") == 1


def test_a_full_table_refuses_strangers_and_serves_its_players(
    wire: Wire, crowd: Crowd, engine: str, tmp_path: Path
) -> None:
    settings = config(engine=engine, sessions={"capacity": SMALL}, listen=[{"port": ELSEWHERE}])
    with serving(wire, settings, tmp_path) as gate:
        players = crowd.players(SMALL // 2, port=ELSEWHERE)
        players += crowd.players(SMALL // 2, family=6, port=ELSEWHERE)
        for player in players:
            player.plays(heartbeat(player.id))
        grown = Growth(gate)
        stranger = crowd.player(port=ELSEWHERE)
        stranger.send(*[heartbeat(stranger.id)] * 3)
        for player in players:
            player.plays(heartbeat(player.id))
        assert (grown.dropped("table_full"), grown.of("pollgate_drops_total")) == (3, 3)
        assert grown.of("pollgate_sessions_admitted_total") == 0
        stranger.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.receive()


def thread_states(pid: int) -> Iterator[str]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield (task / "stat").read_text().rpartition(")")[2].split()[0]


def missed(grown: Growth) -> int:
    return grown.of("pollgate_port_receive_missed_total", port="game0")


def errors(grown: Growth) -> int:
    return grown.of("pollgate_port_receive_errors_total", port="game0")


def unsent(grown: Growth, reason: str) -> int:
    return grown.of("pollgate_transmit_drops_total", reason=reason)

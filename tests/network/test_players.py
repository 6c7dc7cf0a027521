# SPDX-License-Identifier: BSD-3-Clause
"""Ordinary UDP sockets play against the appliance over a veth pair, and are acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.network.malformed import MALFORMED
from tests.network.namespace import GATE_INTERFACE, GATE_MAC, Wire
from tests.network.players import (
    KINDS,
    Crowd,
    Growth,
    NetworkGate,
    all_play,
    changed,
    chat,
    config,
    every_kind,
    fragments_are_joined,
    heartbeat,
    is_balanced,
    serving,
)

OTHER_PORT = 8089
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])


@pytest.fixture(scope="module")
def gate(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkGate]:
    with serving(wire, config(), tmp_path_factory.mktemp("players")) as running:
        yield running


@FAMILIES
@pytest.mark.parametrize("kind", range(5), ids=KINDS)
def test_a_message_comes_back_byte_for_byte_from_where_it_was_sent(
    gate: NetworkGate, crowd: Crowd, family: int, kind: int
) -> None:
    grown = Growth(gate)
    player = crowd.player(family=family)
    player.plays(every_kind(player.id)[kind])
    assert grown.handled(KINDS[kind]) == 1


@FAMILIES
def test_hundreds_of_sockets_are_each_acknowledged_and_each_a_session(
    gate: NetworkGate, crowd: Crowd, family: int
) -> None:
    grown = Growth(gate)
    players = crowd.players(400, family=family)
    assert all_play(players) == 400 * len(KINDS)
    assert [grown.handled(kind) for kind in KINDS] == [400] * len(KINDS)
    assert grown.of("pollgate_sessions", state="active") == 400
    assert grown.of("pollgate_sessions_admitted_total") == 400


def test_addresses_with_the_same_port_are_different_players(
    gate: NetworkGate, wire: Wire, crowd: Crowd
) -> None:
    wire.add_address("10.0.0.77/24")
    first = crowd.player()
    second = crowd.player(source="10.0.0.77", source_port=first.id)
    for player in (first, second, first):
        player.plays(*every_kind(player.id))


@FAMILIES
@pytest.mark.parametrize("length", [1, 2, 255, 511, 512])
def test_chat_of_any_length_comes_back(gate: NetworkGate, crowd: Crowd, family: int, length: int) -> None:
    player = crowd.player(family=family)
    player.plays(chat(player.id, bytes(0x20 + i % 0x5F for i in range(length))))


def test_chat_of_512_bytes_in_other_scripts_comes_back(gate: NetworkGate, crowd: Crowd) -> None:
    player = crowd.player()
    player.plays(chat(player.id, "😀".encode() * 128), chat(player.id, "é".encode() * 256))


@FAMILIES
def test_a_second_player_on_a_socket_is_refused_in_silence(
    gate: NetworkGate, crowd: Crowd, family: int
) -> None:
    grown = Growth(gate)
    player = crowd.player(family=family)
    player.plays(heartbeat(player.id))
    player.is_ignored(*every_kind(player.id + 1))
    assert grown.dropped("player_mismatch") == len(KINDS)
    assert grown.of("pollgate_sessions", state="active") == 1


def test_the_same_player_is_admitted_again_from_another_port(gate: NetworkGate, crowd: Crowd) -> None:
    first, second = crowd.players(2)
    second.id = first.id
    for player in (first, second, first):
        player.plays(*every_kind(player.id))


@FAMILIES
@pytest.mark.parametrize(("reason", "wrong"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_message_is_counted_and_never_answered(
    gate: NetworkGate, crowd: Crowd, family: int, reason: str, wrong: bytes
) -> None:
    grown = Growth(gate)
    player = crowd.player(family=family)
    player.id = 7
    player.is_ignored(wrong)
    assert grown.dropped(reason) == 1


def test_a_malformed_message_makes_no_session(gate: NetworkGate, crowd: Crowd) -> None:
    grown = Growth(gate)
    stranger, witness = crowd.players(2)
    stranger.send(*(wrong for _, wrong in MALFORMED.values()))
    witness.plays(heartbeat(witness.id))
    assert grown.of("pollgate_sessions_admitted_total") == 1


@FAMILIES
def test_another_udp_port_is_not_ours_and_gets_no_answer(
    gate: NetworkGate, crowd: Crowd, family: int
) -> None:
    grown = Growth(gate)
    stranger = crowd.player(family=family, port=OTHER_PORT)
    witness = crowd.player(family=family)
    stranger.send(*every_kind(stranger.id))
    witness.plays(heartbeat(witness.id))
    assert grown.dropped("not_for_us") >= len(KINDS)  # and perhaps a word between the kernels
    assert sum(grown.handled(kind) for kind in KINDS) == 1
    stranger.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        stranger.receive()


@FAMILIES
def test_a_large_datagram_is_refused_and_never_answered(gate: NetworkGate, crowd: Crowd, family: int) -> None:
    grown = Growth(gate)
    player = crowd.player(family=family)
    player.is_ignored(bytes(3000))  # three fragments of at most 1,500 bytes
    joined = family == 4 and fragments_are_joined()
    assert (grown.dropped("ip_fragment"), grown.dropped("too_long")) == ((0, 1) if joined else (3, 0))


@pytest.mark.usefixtures("namespaces")
def test_every_ipv4_fragment_is_counted_where_the_kernel_leaves_them_alone(tmp_path: Path) -> None:
    settings = config(port={"device": f"net_pcap0,iface={GATE_INTERFACE}", "mac": GATE_MAC})
    with Wire() as wire, closing(Crowd(wire.players)) as crowd, serving(wire, settings, tmp_path) as gate:
        grown = Growth(gate)
        crowd.player().is_ignored(bytes(3000))
        assert grown.dropped("ip_fragment") == 3


def test_silent_players_are_forgotten_and_admitted_again(gate: NetworkGate, crowd: Crowd) -> None:
    players = crowd.players(100)
    all_play(players, one_heartbeat)
    held = gate.metrics().value("pollgate_sessions", state="active")
    grown = Growth(gate)
    impatient = config(sessions={"capacity": 4096, "idle_timeout_s": 0.2})
    with changed(gate, impatient, after=config()):
        gate.wait_until(lambda: gate.metrics().value("pollgate_sessions", state="active") == 0)
    assert grown.of("pollgate_sessions_expired_total") == held >= 100
    # A forgotten address is nobody's: another player may have it.
    for player in players:
        player.id += 1000
    all_play(players, one_heartbeat)
    assert grown.of("pollgate_sessions_admitted_total") == 100


def test_limits_count_by_address_whatever_the_port(wire: Wire, gate: NetworkGate, crowd: Crowd) -> None:
    wire.add_address("10.0.0.78/24")
    many = crowd.players(10)
    other = crowd.player(source="10.0.0.78")
    limited = config(listen=[{"port": 8080, "limits": {"source_pps": 1, "source_burst": 50}}])
    with changed(gate, limited, after=config()):
        grown = Growth(gate)
        for player in many:
            player.send(*[heartbeat(player.id)] * 20)
        other.plays(*[heartbeat(other.id)] * 20)
        passed = grown.handled("heartbeat") - 20
        assert 50 <= passed < 200
        assert grown.dropped("source_rate_limited") == 200 - passed


def test_the_books_balance_while_players_are_connected(gate: NetworkGate, crowd: Crowd) -> None:
    all_play(crowd.players(50) + crowd.players(50, family=6))
    gate.wait_until(lambda: is_balanced(gate.metrics()))


def one_heartbeat(player: int) -> list[bytes]:
    return [heartbeat(player)]

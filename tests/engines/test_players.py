# SPDX-License-Identifier: BSD-3-Clause
"""What a player meets is the same whichever engine serves: answers, sessions, refusals."""

from __future__ import annotations

import contextlib
import itertools
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.engines.engines import (
    ALL,
    OTHER4,
    OTHER6,
    OWN,
    PORTS,
    Endpoint,
    Verdict,
    everything,
    judge,
)
from tests.network.malformed import MALFORMED
from tests.network.namespace import PLAYERS4, PLAYERS6, Wire
from tests.network.players import (
    ANSWER_TIMEOUT_S,
    KINDS,
    Crowd,
    Growth,
    NetworkGate,
    Player,
    Traffic,
    all_play,
    changed,
    chat,
    every_kind,
    fragments_are_joined,
    heartbeat,
    is_balanced,
    serving,
)

pytestmark = ALL
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
PLAYERS = {4: PLAYERS4, 6: PLAYERS6}
GENEROUS = {"source_pps": 1_000_000, "source_burst": 1_000_000}


@pytest.fixture(scope="module")
def gate(wire: Wire, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkGate]:
    with serving(wire, everything(engine), tmp_path_factory.mktemp("players")) as running:
        for own in (OTHER4, OTHER6):
            wire.players.run("ping", "-n", "-c", "1", "-W", "10", own)
        yield running


@pytest.fixture
def stranger(wire: Wire, family: int) -> Iterator[socket.socket]:
    """A socket that takes datagrams from anywhere."""
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    with wire.players.call(lambda: socket.socket(kind, socket.SOCK_DGRAM)) as made:
        made.settimeout(ANSWER_TIMEOUT_S)
        made.bind((PLAYERS[family], 0))
        yield made


def ask(stranger: socket.socket, message: bytes, target: Endpoint) -> Verdict:
    stranger.sendto(message, target)
    answer, source = stranger.recvfrom(65536)
    return Verdict(answer, source[:2])


# ---------------------------------------------------------------- answers


@FAMILIES
@pytest.mark.parametrize("kind", range(5), ids=KINDS)
def test_every_message_is_acknowledged_as_the_oracle_does_from_where_it_was_sent_to(
    gate: NetworkGate, stranger: socket.socket, family: int, kind: int
) -> None:
    grown = Growth(gate)
    message = every_kind(7)[kind]
    targets = list(itertools.product(OWN[family], PORTS))
    for target in targets:
        verdict = judge(message, stranger.getsockname()[:2], target)
        assert verdict.source == target
        assert ask(stranger, message, target) == verdict
    gate.wait_until(lambda: grown.handled(KINDS[kind]) == len(targets))


@FAMILIES
@pytest.mark.parametrize("length", [1, 511, 512])
def test_chat_of_any_length_is_acknowledged_whole(
    gate: NetworkGate, stranger: socket.socket, family: int, length: int
) -> None:
    message = chat(7, bytes(0x20 + i % 0x5F for i in range(length)))
    target = (OWN[family][0], PORTS[0])
    assert ask(stranger, message, target) == judge(message, stranger.getsockname()[:2], target)


@FAMILIES
def test_hundreds_of_sockets_are_each_acknowledged_and_each_a_session(
    gate: NetworkGate, crowd: Crowd, family: int
) -> None:
    grown = Growth(gate)
    players = crowd.players(300, family=family)
    assert all_play(players) == 300 * len(KINDS)
    assert [grown.handled(kind) for kind in KINDS] == [300] * len(KINDS)
    assert grown.of("pollgate_sessions", state="active") == 300
    assert grown.of("pollgate_sessions_admitted_total") == 300
    gate.wait_until(lambda: is_balanced(gate.metrics()))


# ---------------------------------------------------------------- sessions


@FAMILIES
def test_a_peer_has_a_session_with_each_udp_port(
    gate: NetworkGate, stranger: socket.socket, family: int
) -> None:
    grown = Growth(gate)
    for number, port in enumerate(PORTS):  # as another player on each
        message = heartbeat(100 + number)
        assert ask(stranger, message, (OWN[family][0], port)).answer is not None
    assert grown.of("pollgate_sessions_admitted_total") == len(PORTS)
    assert grown.dropped("player_mismatch") == 0


@FAMILIES
def test_a_peer_has_one_session_with_all_addresses(
    gate: NetworkGate, stranger: socket.socket, family: int
) -> None:
    grown = Growth(gate)
    for own in OWN[family]:
        assert ask(stranger, heartbeat(100), (own, PORTS[0])).source == (own, PORTS[0])
    assert grown.of("pollgate_sessions_admitted_total") == 1


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


def test_silent_players_are_forgotten_and_admitted_again(
    gate: NetworkGate, crowd: Crowd, engine: str
) -> None:
    players = crowd.players(100)
    all_play(players, one_heartbeat)
    held = gate.metrics().value("pollgate_sessions", state="active")
    grown = Growth(gate)
    impatient = everything(engine, sessions={"capacity": 4096, "idle_timeout_s": 0.2})
    with changed(gate, impatient, after=everything(engine)):
        gate.wait_until(lambda: gate.metrics().value("pollgate_sessions", state="active") == 0)
    assert grown.of("pollgate_sessions_expired_total") == held >= 100
    for player in players:  # a forgotten address is nobody's: another player may have it
        player.id += 1000
    all_play(players, one_heartbeat)
    assert grown.of("pollgate_sessions_admitted_total") == 100


# ---------------------------------------------------------------- refusals

# A socket refuses what is empty by itself: test_losses.py.
NOT_EMPTY = {what: malformed for what, malformed in MALFORMED.items() if malformed[1]}


@FAMILIES
@pytest.mark.parametrize(("reason", "wrong"), NOT_EMPTY.values(), ids=NOT_EMPTY)
def test_a_malformed_message_is_counted_once_and_never_answered(
    gate: NetworkGate, crowd: Crowd, family: int, reason: str, wrong: bytes
) -> None:
    player = crowd.player(family=family)
    player.id = 7
    here, target = player.socket.getsockname()[:2], player.socket.getpeername()[:2]
    assert judge(wrong, here, target) == Verdict(drop=reason)
    grown = Growth(gate)
    player.is_ignored(wrong)
    assert (grown.dropped(reason), grown.refused()) == (1, 1)
    assert grown.of("pollgate_sessions_admitted_total") == 1  # the witness's


@FAMILIES
def test_a_message_from_port_0_is_a_bad_source(
    gate: NetworkGate, wire: Wire, crowd: Crowd, family: int
) -> None:
    grown = Growth(gate)
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    with wire.players.call(lambda: socket.socket(kind, socket.SOCK_RAW, socket.IPPROTO_UDP)) as raw:
        if family == 6:  # RFC 3542 3.1: the kernel puts the checksum where it is told
            raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_CHECKSUM, 6)
        message = heartbeat(7)
        header = b"".join(n.to_bytes(2, "big") for n in (0, PORTS[0], 8 + len(message), 0))
        raw.sendto(header + message, (OWN[family][0], 0))
    witness = crowd.player(family=family)
    witness.plays(heartbeat(witness.id))
    assert (grown.dropped("bad_source"), grown.refused()) == (1, 1)
    assert grown.of("pollgate_sessions_admitted_total") == 1


@FAMILIES
def test_a_datagram_longer_than_any_frame_is_refused(
    gate: NetworkGate, crowd: Crowd, engine: str, family: int
) -> None:
    grown = Growth(gate)
    player = crowd.player(family=family)
    lengths = [1473, 1536, 1537, 9000, 60_000]
    if engine == "dpdk":
        lengths = [
            1481,
            9000,
        ]  # beyond two tags and an IPv4 header; 60,000 would fill its ring with fragments
    player.is_ignored(*[bytes(length) for length in lengths])
    if engine == "dpdk" and not (family == 4 and fragments_are_joined()):
        assert grown.dropped("ip_fragment") == grown.refused() > len(lengths)
    else:
        assert grown.dropped("too_long") == grown.refused() == len(lengths)


@FAMILIES
def test_the_longest_datagram_of_a_frame_is_looked_into(gate: NetworkGate, crowd: Crowd, family: int) -> None:
    grown = Growth(gate)
    player = crowd.player(family=family)
    longest = 1500 - 8 - (20 if family == 4 else 40)
    player.is_ignored(bytes(longest))
    assert (grown.dropped("message_type"), grown.refused()) == (1, 1)


# ---------------------------------------------------------------- limits and reloads


def test_limits_count_by_address_whatever_the_port(
    wire: Wire, gate: NetworkGate, crowd: Crowd, engine: str
) -> None:
    wire.add_address("10.0.0.78/24")
    many = crowd.players(10)
    other = crowd.player(source="10.0.0.78")
    listen = [{"port": PORTS[0], "limits": {"source_pps": 1, "source_burst": 50}}, {"port": PORTS[1]}]
    with changed(gate, everything(engine, listen=listen), after=everything(engine)):
        grown = Growth(gate)
        for player in many:
            player.send(*[heartbeat(player.id)] * 20)
        other.plays(*[heartbeat(other.id)] * 20)
        gate.wait_until(lambda: limited(grown) + grown.handled("heartbeat") == 220)
        passed = 200 - limited(grown)
        assert 50 <= passed < 200
        answers: list[bytes] = []
        gate.wait_until(lambda: take_answers(many, answers) == passed)


def test_a_reload_under_traffic_loses_nothing(gate: NetworkGate, crowd: Crowd, engine: str) -> None:
    players = crowd.players(40) + crowd.players(40, family=6)
    listen = [{"port": port, "limits": GENEROUS} for port in PORTS]
    patient = {"capacity": 4096, "idle_timeout_s": 300}
    grown = Growth(gate)
    with Traffic(players) as traffic:
        traffic.await_sent(100)
        with changed(gate, everything(engine, listen=listen, sessions=patient), after=everything(engine)):
            traffic.await_sent(100)
        traffic.await_sent(100)
        traffic.end()
        traffic.settle(lambda: traffic.sent)
    assert grown.refused() == grown.of("pollgate_transmit_drops_total") == 0
    assert grown.of("pollgate_sessions_admitted_total") == len(players)
    assert grown.of("pollgate_port_receive_missed_total") == 0


def test_a_raised_limit_is_raised_for_those_who_met_the_old_one(
    gate: NetworkGate, crowd: Crowd, engine: str
) -> None:
    player = crowd.player()
    strict, generous = (
        everything(engine, listen=[{"port": PORTS[0], "limits": limits}, {"port": PORTS[1]}])
        for limits in ({"source_pps": 1, "source_burst": 50}, GENEROUS)
    )
    with changed(gate, strict, after=generous):
        grown = Growth(gate)
        player.send(*[heartbeat(player.id)] * 100)
        gate.wait_until(lambda: limited(grown) + grown.handled("heartbeat") == 100)
        passed = grown.handled("heartbeat")
        assert passed < 100
    answers: list[bytes] = []
    gate.wait_until(lambda: take_answers([player], answers) == passed)
    player.socket.settimeout(ANSWER_TIMEOUT_S)
    player.plays(*[heartbeat(player.id)] * 100)


def test_metrics_move_to_another_address_by_a_reload(
    gate: NetworkGate, wire: Wire, crowd: Crowd, engine: str
) -> None:
    with wire.gate.call(lambda: socket.create_server(("127.0.0.1", 0))) as free:
        there = free.getsockname()[1]
    here = int(gate.url().rpartition(":")[2])
    player = crowd.player()
    old, new = (everything(engine, metrics={"listen": f"127.0.0.1:{port}"}) for port in (here, there))
    with changed(gate, new, after=old):
        player.plays(heartbeat(player.id))
        assert [is_ready_at(wire, port) for port in (here, there)] == [False, True]
    player.plays(heartbeat(player.id))
    assert gate.get("/readyz")[0] == 200


def is_ready_at(wire: Wire, port: int) -> bool:
    """Whether a metrics server is at a port of pollgate's namespace, and says that every worker polls."""

    def ask() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60) as answer:
            return bool(answer.status == 200)

    try:
        return wire.gate.call(ask)
    except urllib.error.URLError:
        return False


def limited(grown: Growth) -> int:
    return grown.dropped("source_rate_limited")


def take_answers(players: list[Player], taken: list[bytes]) -> int:
    """Take what lies at the players' sockets; how many there are with those taken before."""
    for player in players:
        player.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                taken.append(player.receive())
    return len(taken)


def one_heartbeat(player: int) -> list[bytes]:
    return [heartbeat(player)]

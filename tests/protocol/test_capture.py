# SPDX-License-Identifier: BSD-3-Clause
"""The demo capture: who is in it, whether it is the same every time, and what its hostile packets are."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path

import pytest
from scapy.utils import rdpcap

from pyshim.protocol import capture
from pyshim.protocol.capture import Scene, frames, write
from pyshim.protocol.edge_cases import HOSTILE, NEIGHBORLY, EdgeCase, Gate
from tests.oracle import Oracle, Verdict

GATE = Gate(bytes.fromhex("020000000002"), IPv4Address("10.0.0.1"), IPv6Address("fd00::1"), 8080)
SCENE = Scene(GATE, players=500, packets=10_000, seed=1, hostile=0.02)


def oracle() -> Oracle:
    addresses = (IPv4Interface(f"{GATE.address}/24"), IPv6Interface(f"{GATE.address6}/64"))
    return Oracle(GATE.mac.hex(":"), addresses, [GATE.port])


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    judge = oracle()
    return [judge.answer(frame, at_us / 1e6) for at_us, frame in frames(SCENE)]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "demo.pcap"
    write(path, SCENE)
    return path


def test_exactly_the_hostile_packets_are_refused(verdicts: list[Verdict]) -> None:
    refused = Counter(verdict.drop for verdict in verdicts if verdict.drop)
    rounds, rest = divmod(200, len(HOSTILE))
    expected = Counter(case.drop for case in HOSTILE * rounds + HOSTILE[:rest])
    assert refused == expected


def test_players_mostly_move_and_do_everything(verdicts: list[Verdict]) -> None:
    kinds = Counter(verdict.kind for verdict in verdicts if verdict.kind)
    assert kinds["move"] > 0.8 * SCENE.packets
    assert min(kinds[kind] for kind in ("attack", "chat", "heartbeat", "skill")) > 0.02 * SCENE.packets


def test_neighbors_ask_every_question(verdicts: list[Verdict]) -> None:
    kinds = Counter(verdict.kind for verdict in verdicts)
    asked = [kinds[kind] for kind in ("arp", "icmp_echo", "icmpv6_echo", "neighbor_solicitation")]
    assert sum(asked) == 50
    assert min(asked) >= 50 // len(NEIGHBORLY)


def test_every_player_has_a_session() -> None:
    judge = oracle()
    for at_us, frame in frames(SCENE):
        judge.answer(frame, at_us / 1e6)
    assert judge.sessions == SCENE.players + 1  # and the attacker


def test_some_frames_are_tagged_once_or_twice_and_some_are_ipv6() -> None:
    outer = Counter(frame[12:14].hex() for _, frame in frames(SCENE))
    assert outer["0800"] > outer["86dd"] > outer["8100"] > outer["88a8"] > 0


def test_every_refusal_of_the_document_is_there() -> None:
    # What is missing depends on the gate's limits and not on the packet; and a host with the gate's address:
    # the operator would hear of one that is not there.
    assert {case.drop for case in HOSTILE} == {
        *("truncated", "too_long", "not_ethernet_ii", "not_for_us", "bad_ip_header", "ip_options"),
        *(
            "ip_fragment",
            "ip_checksum",
            "bad_source",
            "group_frame",
            "udp_length",
            "udp_checksum",
            "udp_checksum_missing",
        ),
        *("bad_arp", "bad_icmp", "bad_neighbor_discovery", "message_type", "message_size"),
        *("message_reserved", "not_finite", "bad_utf8", "player_mismatch"),
    }


@pytest.mark.parametrize(
    "case", [c for c in HOSTILE if c.drop != "player_mismatch"], ids=lambda case: case.name
)
def test_hostile_packet_is_refused_for_what_it_is(case: EdgeCase) -> None:
    assert oracle().answer(case.build(GATE), 0).drop == case.drop


def test_same_arguments_write_the_same_bytes(written: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again.pcap", tmp_path / "other.pcap"
    write(again, SCENE)
    write(other, Scene(GATE, players=500, packets=10_000, seed=2, hostile=0.02))
    assert again.read_bytes() == written.read_bytes() != other.read_bytes()


def test_without_hostility_nothing_is_refused() -> None:
    judge = oracle()
    peaceful = Scene(GATE, players=50, packets=1000, seed=1, hostile=0.0)
    assert {judge.answer(frame, 0).drop for _, frame in frames(peaceful)} == {None}


def test_scapy_reads_it_back(written: Path) -> None:
    packets = rdpcap(str(written))
    assert [bytes(packet) for packet in packets] == [frame for _, frame in frames(SCENE)]
    assert packets[-1].time > packets[0].time


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed: apt install tcpdump")
def test_tcpdump_reads_it(written: Path) -> None:
    done = subprocess.run(
        ["tcpdump", "-n", "-r", str(written)], capture_output=True, text=True, check=True, timeout=60
    )
    # A packet that it cannot name is dumped in further lines, which are indented.
    assert sum(not line.startswith("\t") for line in done.stdout.splitlines()) == SCENE.packets


def test_command_line_writes_for_another_gate(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    options = ["--players", "10", "--packets", "100", "--mac", "02:00:00:00:00:07", "--address", "192.0.2.1"]
    assert (
        capture.main([str(path), *options, "--address6", "fd00::9", "--port", "9000", "--hostile", "0"]) == 0
    )
    gate = Gate(bytes.fromhex("020000000007"), IPv4Address("192.0.2.1"), IPv6Address("fd00::9"), 9000)
    expected = [frame for _, frame in frames(Scene(gate, 10, 100, 1, 0.0))]
    assert [bytes(packet) for packet in rdpcap(str(path))] == expected


def test_unwritable_place_is_one_sentence_and_exit_code_69(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "missing" / "x.pcap"
    assert capture.main([str(path), "--packets", "10"]) == 69
    assert capsys.readouterr().err == f"{path}: cannot write the capture: No such file or directory\n"


@pytest.mark.parametrize(
    "options", [["--hostile", "2"], ["--players", "0"], ["--port", "70000"], ["--mac", "01:00:00:00:00:00"]]
)
def test_impossible_option_is_a_usage_error(options: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as refused:
        capture.main([str(tmp_path / "x.pcap"), *options])
    assert refused.value.code == 2
    assert list(tmp_path.iterdir()) == []

# SPDX-License-Identifier: BSD-3-Clause
"""The traditional server is a fair opponent: it answers as the protocol says, and starts and ends as told."""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Interface
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from pyshim.bench.rig import opponent
from pyshim.bench.rig.opponent import parse_traditional, traditional_server
from pyshim.errors import UnavailableError
from tests.bench.commands import bench
from tests.network.players import ATTACK, CHAT, MOVE, SKILL, chat, every_kind, heartbeat, message
from tests.oracle import Oracle
from tests.ports import free_port

LOOPBACK = "127.0.0.1"
WAIT_S = 60.0  # for what must come
NAN, INFINITE = float("nan"), float("inf")

# All that an opponent has to see; whether chat is UTF-8 it may overlook.
MESSAGES = {
    **{f"kind {number}": kind for number, kind in enumerate(every_kind(7), start=1)},
    "the longest chat": chat(7, b"a" * 512),
    "nothing": b"",
    "half a header": heartbeat(7)[:15],
    "one byte too few": heartbeat(7)[:-1],
    "one byte too many": heartbeat(7) + b"\0",
    "a size that is not its own": struct.pack("<IIQI", 4, 21, 0, 7),
    "another type's size": message(MOVE, heartbeat(7)[16:]),
    "a skill with a move's size": message(SKILL, bytes(28)),
    "type 0": message(0, heartbeat(7)[16:]),
    "type 6": message(6, heartbeat(7)[16:]),
    "a type beyond a byte": message(0x0104, heartbeat(7)[16:]),
    "a position that is no number": message(MOVE, struct.pack("<I6f", 7, NAN, *[0] * 5)),
    "an infinite speed": message(MOVE, struct.pack("<I6f", 7, *[0] * 5, -INFINITE)),
    "a wild direction": message(ATTACK, struct.pack("<III3f", 7, 1, 1, 0, 0, INFINITE)),
    "empty chat": chat(7, b""),
    "chat of 513 bytes": chat(7, b"a" * 513),
    "chat that claims more": message(CHAT, struct.pack("<IIBBH", 7, 0, 0, 0, 5) + b"four"),
    "chat with a reserved byte": message(CHAT, struct.pack("<IIBBH", 7, 0, 0, 1, 1) + b"a"),
    "another player": heartbeat(8),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return traditional_server(Path(), tmp_path_factory.mktemp("traditional"))


class Running:
    """The server on a port of its own."""

    def __init__(self, program: Path, *args: str) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [str(program), "--address", LOOPBACK, "--port", str(self.port), *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def end(self, number: signal.Signals) -> str:
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=WAIT_S)
        return said


@pytest.fixture
def running(program: Path) -> Iterator[Running]:
    made = Running(program)
    yield made
    made.process.kill()
    made.process.communicate(timeout=WAIT_S)


def oracle_answers(oracle: Oracle, source_port: int, sent: bytes) -> bytes | None:
    frame = (
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        / IP(src="10.0.0.2", dst="10.0.0.1")
        / UDP(sport=source_port, dport=8080)
        / Raw(sent)
    )
    reply = oracle.answer(bytes(frame), 0.0).reply
    return None if reply is None else bytes(Ether(reply)[UDP].payload)


def test_every_message_is_answered_or_refused_as_the_oracle_says(running: Running) -> None:
    oracle = Oracle("02:00:00:00:00:02", [IPv4Interface("10.0.0.1/24")], [8080])
    answered = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as player:
        player.connect((LOOPBACK, running.port))
        player.settimeout(WAIT_S)
        for name, sent in MESSAGES.items():
            expected = oracle_answers(oracle, 1024, sent)
            marker = heartbeat(7, answered + 1)
            player.send(sent)
            player.send(marker)
            if expected is not None:
                assert player.recv(2048) == expected, name
            assert player.recv(2048) == oracle_answers(oracle, 1024, marker), name
            answered += 1 + (expected is not None)

    refused = 2 * len(MESSAGES) - answered
    assert 0 < refused < len(MESSAGES)
    said = running.end(signal.SIGTERM)
    assert said == f"received {2 * len(MESSAGES)}, answered {answered}, refused {refused}, not sent 0\n"


def test_players_are_told_apart_by_their_address(running: Running) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        for number, player in enumerate((one, other), start=1):
            player.connect((LOOPBACK, running.port))
            player.settimeout(WAIT_S)
            player.send(heartbeat(number))
            assert struct.unpack_from("<IIQI", player.recv(2048)) == (104, 20, 0, number)


def test_one_thread_per_cpu_ends_with_an_interrupt(program: Path) -> None:
    running = Running(program, "--cpus", "0")
    assert running.end(signal.SIGINT) == "received 0, answered 0, refused 0, not sent 0\n"
    assert running.process.returncode == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--port", "65536"], "--port takes 1 to 65535, not 65536"),
        (["--port", "1", "--cpus", "x"], "--cpus takes numbers of CPUs with commas between them, not x"),
        (["--port", "8080", "--address", "here"], "--address takes an IPv4 address, not here"),
        ([], "usage: traditional --port N [--address IPV4] [--cpus 0,1]"),
    ],
)
def test_a_wrong_option_is_one_sentence(program: Path, args: list[str], said: str) -> None:
    ended = subprocess.run([program, *args], capture_output=True, text=True, timeout=WAIT_S, check=False)

    assert (ended.returncode, ended.stderr) == (1, f"traditional: {said}\n")


def test_a_missing_compiler_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(
        UnavailableError, match=r"^no C\+\+ compiler .*apt-get install g\+\+.*--traditional FILE$"
    ):
        traditional_server(Path(), tmp_path)


def test_a_source_that_does_not_compile_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "broken.cpp"
    source.write_text("int main( {")
    monkeypatch.setattr(opponent, "SOURCE", source)

    with pytest.raises(UnavailableError, match=r"cannot compile the traditional server: .*error"):
        traditional_server(Path(), tmp_path)


def test_a_server_that_was_compiled_elsewhere_is_taken(program: Path, tmp_path: Path) -> None:
    assert traditional_server(parse_traditional(str(program)), tmp_path) == program
    assert list(tmp_path.iterdir()) == []


def test_a_given_server_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    ended = bench("engines", "--traditional", str(tmp_path / "nothing"), cwd=tmp_path)

    assert ended.returncode == 2
    assert "nothing is not a program" in ended.stderr

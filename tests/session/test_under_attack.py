# SPDX-License-Identifier: BSD-3-Clause
"""The whole appliance under attack, through capture files and real sockets, as an operator sees it."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from pyshim.protocol.client import Client, Ticket
from pyshim.protocol.session_wire import CHALLENGE_BYTES, HELLO_BYTES, Kind, pack_hello
from tests.appliance.replay import replay
from tests.gate import Gate, Samples
from tests.issuing.gateway import Api, configuration
from tests.strategies import LISTENERS, MAC_BYTES, OWN4

MILLION = 1_000_000
TIMEOUT_S = 120
HEADERS_BYTES = 14 + 20 + 8
STRANGER_MAC = bytes.fromhex("020000000007")


def spoofed_hellos(count: int, random: Random) -> Iterator[bytes]:
    """HELLOs for sessions of this gateway that nobody was issued, each from an address of its own."""
    to = int(OWN4[0])
    ip = struct.pack("!BBHHHBBHII", 0x45, 0, 28 + HELLO_BYTES, 0, 0, 64, 17, 0, 0, to)
    partial = sum(struct.unpack("!10H", ip))
    ethernet = MAC_BYTES + STRANGER_MAC + b"\x08\x00"
    udp = struct.pack("!HHHH", 40000, LISTENERS[0], 8 + HELLO_BYTES, 0)
    first = random.randrange(1, 1 << 20)
    for at in range(count):
        source = 0x0B000000 + first + at * 7  # 11.0.0.0/8 and beyond
        checksum = partial + (source >> 16) + (source & 0xFFFF)
        checksum = (checksum & 0xFFFF) + (checksum >> 16)
        checksum = ~((checksum & 0xFFFF) + (checksum >> 16)) & 0xFFFF
        hello = pack_hello(random.randrange(1, 1 << 24), random.randbytes(16))
        yield b"".join((ethernet, ip[:10], struct.pack("!HI", checksum, source), ip[16:], udp, hello))


def test_a_million_spoofed_hellos_pass_through_the_appliance_and_leave_no_session(tmp_path: Path) -> None:
    hellos = list(spoofed_hellos(MILLION, Random(1)))
    ended = replay(
        tmp_path,
        [hellos],
        listen=[{"port": LISTENERS[0], "profile": "session"}],
        control={"listen": f"unix:{tmp_path}/control.sock"},
    )
    books, summary = ended.books, ended.summary
    assert books.received == MILLION
    assert books.handled.keys() <= {"session_hello"}
    assert books.dropped.keys() <= {"source_rate_limited", "handshake_budget"}
    assert summary["pollgate_sessions"] == {"active": 0, "issued": 0, "connected": 0}
    assert summary["pollgate_message_memory_bytes"] == {"0": 0}
    assert sum(summary["pollgate_session_denied_total"]["0"].values()) == 0  # a HELLO tells nothing
    answers = ended.answers()
    assert len(answers) == books.handled["session_hello"]
    assert sum(map(len, answers)) <= sum(map(len, hellos))
    assert all(len(answer) <= len(hellos[0]) for answer in answers)


def test_hellos_for_a_session_that_was_issued_get_a_shorter_answer_each(tmp_path: Path) -> None:
    assert CHALLENGE_BYTES < HELLO_BYTES
    with Gate(configuration(tmp_path), tmp_path) as gate:
        session = Api(gate).issue(7)["session"]
        port = int(Api(gate).issue(8)["address"].rpartition(":")[2])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.settimeout(TIMEOUT_S)
            stranger.sendto(pack_hello(session, bytes(16)), ("127.0.0.1", port))
            answer = stranger.recv(2048)
        assert (len(answer), answer[0]) == (CHALLENGE_BYTES, Kind.CHALLENGE)
        assert gate.metrics().value("pollgate_sessions", state="connected") == 0
        assert gate.metrics().value("pollgate_sessions", state="issued") == 2


@contextmanager
def flood(session: int, port: int) -> Iterator[list[int]]:
    """An attacker sends forged packets for a session as fast as it can; how many is in the list."""
    random, over, sent = Random(9), threading.Event(), [0]
    datagrams = [
        struct.pack("<BBHII", Kind.DATA, 0, 100, session, random.randrange(1 << 32)) + random.randbytes(88)
        for _ in range(1000)
    ]

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            while not over.is_set():
                for datagram in datagrams:
                    stranger.sendto(datagram, ("127.0.0.1", port))
                sent[0] += len(datagrams)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        yield sent
    finally:
        over.set()
        sender.join(TIMEOUT_S)


async def speak(ticket: Ticket, player_id: int, words: int) -> None:
    """Connect and say so many words to oneself; each must arrive."""
    async with asyncio.timeout(TIMEOUT_S), Client(ticket) as game:
        for at in range(words):
            await game.chat(f"word {at}", to=player_id)


@pytest.mark.parametrize("engine", ["epoll", "io_uring"])
@pytest.mark.parametrize(("source_pps", "reason"), [(0, "bad_tag"), (500, "source_rate_limited")])
def test_a_player_is_heard_while_forged_packets_for_his_session_pour_in(
    engine: str, source_pps: int, reason: str, tmp_path: Path
) -> None:
    config = configuration(tmp_path) | {"engine": engine}
    config["listen"][0]["limits"] = {"source_pps": source_pps}
    config["delivery"] = {"messages_pps": {"chat": 0}}
    with Gate(config, tmp_path) as gate:
        told = Api(gate).issue(7)
        ticket = Ticket.from_json(json.dumps(told))
        with flood(told["session"], config["listen"][0]["port"]) as sent:
            asyncio.run(speak(ticket, 7, 100))
        seen: Samples = gate.metrics()
        assert sent[0] > 0
        assert seen.value("pollgate_drops_total", reason=reason) > 0
        assert seen.value("pollgate_session_messages_received_total", type="chat") == 100
        assert seen.value("pollgate_session_connections_total") == 1
        assert seen.value("pollgate_worker_restarts_total") == 0

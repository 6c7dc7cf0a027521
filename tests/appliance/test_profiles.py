# SPDX-License-Identifier: BSD-3-Clause
"""A listener speaks its own profile only: what the other would answer is dropped, and nobody is let in by it.

The port has one IPv4 address: only then is the most frequent frame of the first listener's profile recognised
at once.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from tests.appliance.conservation import assert_no_buffer_is_missing
from tests.appliance.replay import Ended, pcap_port, run_to_end
from tests.strategies import MAC_BYTES, Datagram, Link

INTERFACES = (IPv4Interface("10.0.0.1/24"),)
FIRST, SECOND = 8080, 8081
PEER = bytes.fromhex("020000000007")
PLAYER = IPv4Address("10.0.0.7")
CROWD = 150  # more than two bursts


def serve(directory: Path, frames: Sequence[bytes], *profiles: str) -> Ended:
    """Let listeners with these profiles have the frames."""
    ports = [pcap_port(directory, [frames], interfaces=INTERFACES)]
    listen = [{"port": FIRST + n, "profile": profile} for n, profile in enumerate(profiles)]
    control = {"listen": f"unix:{directory}/control.sock"} if "session" in profiles else {}
    return run_to_end(directory, ports, listen=listen, control=control)


def frame(listener: int, payload: bytes, source_port: int) -> bytes:
    """A frame as long as that of a PLAYER_MOVE, without tags or options."""
    link = Link(MAC_BYTES, PEER)
    built = Datagram(link, PLAYER, INTERFACES[0].ip, {}, source_port, listener, True, payload).frame()
    assert len(built) == 86
    return built


def move(listener: int, player: int) -> bytes:
    """A PLAYER_MOVE of the plain profile."""
    return frame(listener, struct.pack("<IIQI6f", 1, 44, 0, player, 1, 2, 3, 4, 5, 6), 5000 + player)


def data(listener: int, number: int) -> bytes:
    """DATA of the session profile, of a session that was never issued."""
    return frame(listener, struct.pack("<BBHII", 5, 0, 44, number, 1) + bytes(32), 5000 + number)


def answers(ended: Ended) -> list[bytes]:
    """What was sent after the announcements."""
    return ended.answers(interfaces=INTERFACES)


def test_plain_moves_to_a_session_listener_are_dropped_and_admit_nobody(tmp_path: Path) -> None:
    ended = serve(tmp_path, [move(FIRST, player) for player in range(CROWD)], "session")
    assert answers(ended) == []
    assert ended.books.handled == {}
    assert ended.books.dropped == {"session_header": CROWD}
    assert (ended.books.admitted, ended.books.sessions) == (0, 0)
    assert_no_buffer_is_missing(ended.summary)


@pytest.mark.parametrize(
    ("profiles", "plain"), [(("session", "plain"), SECOND), (("plain", "session"), FIRST)]
)
def test_plain_moves_are_answered_by_the_plain_one_of_two_listeners(
    profiles: tuple[str, str], plain: int, tmp_path: Path
) -> None:
    moves = [move(port, player) for player in range(CROWD) for port in (FIRST, SECOND)]
    ended = serve(tmp_path, moves, *profiles)
    assert len(answers(ended)) == CROWD
    assert {answer[34:36] for answer in answers(ended)} == {plain.to_bytes(2, "big")}
    assert ended.books.handled == {"move": CROWD}
    assert ended.books.dropped == {"session_header": CROWD}
    assert ended.books.admitted == CROWD


@pytest.mark.parametrize(("profile", "reason"), [("plain", "message_type"), ("session", "session_unknown")])
def test_data_of_sessions_that_nobody_issued_is_dropped_and_admits_nobody(
    profile: str, reason: str, tmp_path: Path
) -> None:
    ended = serve(tmp_path, [data(FIRST, number) for number in range(CROWD)], profile)
    assert answers(ended) == []
    assert ended.books.handled == {}
    assert ended.books.dropped == {reason: CROWD}
    assert ended.books.admitted == 0

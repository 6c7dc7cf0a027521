# SPDX-License-Identifier: BSD-3-Clause
"""More than one of everything: listeners, addresses, queues, ports, workers, and code for several CPUs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path

import pytest

from tests.appliance.conservation import assert_no_buffer_is_missing
from tests.appliance.replay import Ended, announcements, pcap_port, replay, run_to_end, sample
from tests.mutations import spoiled
from tests.oracle import Address, Interface, Oracle, Verdict
from tests.strategies import (
    INTERFACES,
    LISTENERS,
    MAC,
    MAC_BYTES,
    OWN4,
    OWN6,
    Datagram,
    Link,
    arp_frame,
    datagrams,
    valid_frames,
)

PEER = bytes.fromhex("020000000007")
PLAYER4, PLAYER6 = IPv4Address("10.0.0.7"), IPv6Address("fd00::7")
UNTAGGED = Link(MAC_BYTES, PEER)
CPUS = sorted(os.sched_getaffinity(0))
needs_two_cpus = pytest.mark.skipif(len(CPUS) < 2, reason="two workers need two CPUs")


def message(player: int, number: int = 0) -> bytes:
    return b"\x04\0\0\0\x14\0\0\0" + number.to_bytes(8, "little") + player.to_bytes(4, "little")


def datagram(
    source: Address,
    destination: Address,
    source_port: int,
    player: int,
    *,
    link: Link = UNTAGGED,
    port: int = 0,
) -> bytes:
    """A heartbeat; `port` is the listener's, the first one's by default."""
    said = message(player)
    return Datagram(link, source, destination, {}, source_port, port or LISTENERS[0], True, said).frame()


def judge(burst: Sequence[bytes], interfaces: Sequence[Interface] = INTERFACES) -> list[Verdict]:
    oracle = Oracle(MAC, interfaces, LISTENERS, host_reply_burst=1_000_000)
    return [oracle.answer(frame, 0) for frame in burst]


def replies(verdicts: Sequence[Verdict]) -> list[bytes]:
    return [verdict.reply for verdict in verdicts if verdict.reply is not None]


# ---- one port


def test_same_peer_has_a_session_with_each_listener(tmp_path: Path) -> None:
    first, second = LISTENERS
    burst = [
        datagram(PLAYER4, OWN4[0], 5000, 1, port=first),
        datagram(PLAYER4, OWN4[0], 5000, 2, port=second),
        datagram(PLAYER4, OWN4[0], 5000, 2, port=first),  # who is player 1 there
        datagram(PLAYER4, OWN4[0], 5000, 1, port=second),
        datagram(PLAYER4, OWN4[0], 5000, 2, port=9001),  # where nobody listens
    ]
    verdicts = judge(burst)
    assert [verdict.drop for verdict in verdicts] == [None, None, *["player_mismatch"] * 2, "not_for_us"]
    ended = replay(tmp_path, [burst])
    assert ended.answers() == replies(verdicts)
    assert ended.books.sessions == 2
    assert ended.books.dropped == {"player_mismatch": 2, "not_for_us": 1}


def test_every_address_of_a_port_answers_from_itself(tmp_path: Path) -> None:
    burst = [datagram(PLAYER4, own, 5000 + n, n) for n, own in enumerate(OWN4)]
    burst += [datagram(PLAYER6, own, 5000 + n, n) for n, own in enumerate(OWN6)]
    answers = replay(tmp_path, [burst]).answers()
    assert answers == replies(judge(burst))
    assert [answer[26:30] for answer in answers[:2]] == [own.packed for own in OWN4]
    assert [answer[22:38] for answer in answers[2:]] == [own.packed for own in OWN6]


def test_eight_addresses_are_announced_and_answered(tmp_path: Path) -> None:
    most: list[Interface] = [IPv4Interface(f"10.0.{n}.1/24") for n in range(4)]
    most += [IPv6Interface(f"fd00:{n}::1/64") for n in range(4)]
    burst = [
        datagram(PLAYER4 if own.version == 4 else PLAYER6, own.ip, 5000 + n, n) for n, own in enumerate(most)
    ]
    ended = run_to_end(tmp_path, [pcap_port(tmp_path, [burst], interfaces=most)])
    assert ended.answers(interfaces=most) == replies(judge(burst, most))
    assert ended.books.handled == {"heartbeat": 8}


@pytest.mark.parametrize(
    "tags",
    [((0x8100, 0x6064),), ((0x88A8, 0xE001),), ((0x88A8, 0x0FFF), (0x8100, 0x2001))],
    ids=["vlan", "service-vlan", "qinq"],
)
@pytest.mark.parametrize("version", [4, 6])
def test_tags_come_back_as_they_were_sent(
    tags: tuple[tuple[int, int], ...], version: int, tmp_path: Path
) -> None:
    link = Link(MAC_BYTES, PEER, tags)
    source, own = (PLAYER4, OWN4[0]) if version == 4 else (PLAYER6, OWN6[0])
    burst = [datagram(source, own, 5000, 1, link=link)]
    (answer,) = replay(tmp_path, [burst]).answers()
    assert answer[12 : 12 + 4 * len(tags)] == link.header(0)[12:-2]
    assert [answer] == replies(judge(burst))


def test_device_without_a_configured_mac_answers_with_its_own(tmp_path: Path) -> None:
    question = arp_frame(Link(b"\xff" * 6, PEER), PLAYER4, OWN4[0])
    port = pcap_port(tmp_path, [[question]])
    del port["mac"]
    ended = run_to_end(tmp_path, [port])
    mac = ended.sent()[0][6:12]
    assert not mac[0] & 1
    assert mac != bytes(6)
    assert ended.sent()[: len(announcements())] == announcements(mac.hex(":"))
    (answer,) = ended.answers(mac=mac.hex(":"))
    assert answer[6:12] == answer[22:28] == mac


# ---- several queues, ports and workers


def test_one_worker_serves_every_queue_of_a_port(tmp_path: Path) -> None:
    queues = [[datagram(PLAYER4, OWN4[0], 1000 * q + n, n) for n in range(1, 100)] for q in range(1, 4)]
    ended = run_to_end(
        tmp_path, [pcap_port(tmp_path, queues)], workers={"cpus": CPUS[-1:]}, sessions={"capacity": 1024}
    )
    assert ended.answers() == replies(judge(queues[0]))
    assert ended.sent(queue=1) == replies(judge(queues[1]))
    assert ended.sent(queue=2) == replies(judge(queues[2]))
    assert ended.books.sessions == 297
    assert ended.summary["pollgate_received_packets_total"] == {"0": 297}


@needs_two_cpus
def test_two_workers_share_the_queues_of_a_port(tmp_path: Path) -> None:
    queues = [[datagram(PLAYER4, OWN4[0], 1000 * q + n, n) for n in range(1, 100)] for q in (1, 2)]
    ended = run_to_end(tmp_path, [pcap_port(tmp_path, queues)], workers={"cpus": CPUS[:2]})
    assert ended.answers() == replies(judge(queues[0]))
    assert ended.sent(queue=1) == replies(judge(queues[1]))
    assert ended.summary["pollgate_received_packets_total"] == {"0": 99, "1": 99}
    assert_no_buffer_is_missing(ended.summary)


@dataclass(frozen=True, slots=True)
class Side:
    """One of two ports, and what is played to it."""

    name: str
    interfaces: tuple[Interface, ...]
    burst: list[bytes]


def _two_sides() -> tuple[Side, Side]:
    """Two networks that share neither our addresses nor their players'."""
    own = IPv4Address("172.16.0.1")
    there: tuple[Interface, ...] = (IPv4Interface("172.16.0.1/24"), IPv6Interface("fd01::1/64"))
    beyond = [datagram(IPv4Address("172.16.0.9"), own, 1000 + n, n) for n in range(150)]
    beyond += [datagram(PLAYER4, OWN4[0], 1, 1)]  # the other port's address is not this one's
    beyond += [arp_frame(Link(b"\xff" * 6, PEER), IPv4Address("172.16.0.9"), own)]
    near = [case.frame() for case in sample(datagrams(), 150)]
    return Side("game0", INTERFACES, near), Side("game1", there, beyond)


def _assert_each_side_was_answered(ended: Ended, sides: Sequence[Side]) -> None:
    handled: Counter[str | None] = Counter()
    dropped: Counter[str | None] = Counter()
    for side in sides:
        verdicts = judge(side.burst, side.interfaces)
        assert ended.answers(side.name, interfaces=side.interfaces) == replies(verdicts)
        handled.update(verdict.kind for verdict in verdicts if verdict.kind)
        dropped.update(verdict.drop for verdict in verdicts if verdict.drop)
        received = ended.summary["pollgate_port_receive_packets_total"][side.name]
        assert received == len(side.burst)
    assert ended.books.handled == handled
    assert ended.books.dropped == dropped
    assert dropped["not_for_us"] >= 1
    assert_no_buffer_is_missing(ended.summary)


@pytest.mark.parametrize(
    "cpus", [CPUS[-1:], pytest.param(CPUS[:2], marks=needs_two_cpus)], ids=["one-worker", "two-workers"]
)
def test_each_port_answers_for_its_own_addresses(cpus: list[int], tmp_path: Path) -> None:
    sides = _two_sides()
    ports = [
        pcap_port(tmp_path, [side.burst], name=side.name, number=number, interfaces=side.interfaces)
        for number, side in enumerate(sides)
    ]
    ended = run_to_end(tmp_path, ports, workers={"cpus": cpus}, eal={"memory_mib": 192})
    _assert_each_side_was_answered(ended, sides)
    assert len(ended.summary["pollgate_received_packets_total"]) == len(cpus)


@needs_two_cpus
def test_capacity_is_that_of_the_appliance_and_not_of_each_worker(tmp_path: Path) -> None:
    queues = [[datagram(PLAYER4, OWN4[0], 1000 * q + n, n) for n in range(1, 50)] for q in (1, 2)]
    config = {"workers": {"cpus": CPUS[:2]}, "sessions": {"capacity": 20}}
    ended = run_to_end(tmp_path, [pcap_port(tmp_path, queues)], **config)
    assert ended.books.sessions == ended.books.answered == 20
    assert ended.books.dropped == {"table_full": 78}


# ---- code for several CPUs

LEVELS = {
    "v2": {"sse4_2", "ssse3", "popcnt"},
    "v3": {"avx2", "bmi1", "bmi2", "fma", "movbe", "f16c"},
    "v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}


def _cpu_flags() -> set[str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return set(next(line for line in lines if line.startswith("flags")).split())


@pytest.mark.parametrize("level", LEVELS)
def test_every_isa_level_sends_the_same_bytes(level: str, tmp_path: Path) -> None:
    if missing := LEVELS[level] - _cpu_flags():
        pytest.skip(f"this CPU has no {', '.join(sorted(missing))}")
    burst = sample(valid_frames | spoiled.map(lambda case: case.frame), 400)
    ended = replay(tmp_path, [burst], workers={"isa": level})
    (levels,) = ended.summary["pollgate_build_info"].values()
    assert levels == {level: 1}
    assert ended.answers() == replies(judge(burst))

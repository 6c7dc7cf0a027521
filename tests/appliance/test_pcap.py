# SPDX-License-Identifier: BSD-3-Clause
"""Frames in through net_pcap, frames out through net_pcap: the oracle, the C core and the appliance agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace as changed
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyshim.protocol.capture import Scene, frames
from pyshim.protocol.edge_cases import FOOTHOLD, HOSTILE, NEIGHBORLY, EdgeCase
from pyshim.protocol.edge_cases import Gate as Target
from tests.appliance.conservation import assert_no_buffer_is_missing
from tests.appliance.replay import Ended, announcements, replay, sample, unlike
from tests.core_harness import CoreHarness, Result
from tests.mutations import (
    ANY,
    IP4,
    IP6,
    NEEDS,
    Mutation,
    spoiled,
    spoiled_arp,
    spoiled_datagrams,
    spoiled_icmp,
    spoiled_icmpv6,
)
from tests.oracle import Oracle, Verdict
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
    requests,
    valid_frames,
)

TARGET = Target(MAC_BYTES, OWN4[0], OWN6[0], LISTENERS[0])
PEER = bytes.fromhex("020000000007")
PLAYER = IPv4Address("10.0.0.7")
ENOUGH = 1_000_000  # answers of the host side: none is refused for its rate


def agree(directory: Path, burst: Sequence[bytes]) -> list[Verdict]:
    """Give the frames to the appliance, the C core and the oracle; what they agreed on, frame by frame."""
    oracle = Oracle(MAC, INTERFACES, LISTENERS, host_reply_burst=ENOUGH)
    verdicts = [oracle.answer(frame, 0) for frame in burst]
    with CoreHarness(MAC, INTERFACES, LISTENERS, host_reply_burst=ENOUGH) as core:
        for frame, result, verdict in zip(burst, core.run(burst), verdicts, strict=True):
            assert result == Result(verdict.reply, verdict.drop), frame.hex()
    ended = replay(directory, [burst])
    replies = [verdict.reply for verdict in verdicts if verdict.reply is not None]
    assert ended.answers() == unlike(replies, announcements())
    assert ended.books.handled == Counter(verdict.kind for verdict in verdicts if verdict.kind)
    assert ended.books.dropped == Counter(verdict.drop for verdict in verdicts if verdict.drop)
    assert ended.books.sessions == oracle.sessions
    assert_ports_count_what_passed(ended, burst)
    assert_no_buffer_is_missing(ended.summary)
    return verdicts


def assert_ports_count_what_passed(ended: Ended, burst: Sequence[bytes]) -> None:
    sent = ended.sent()
    assert ended.summary["pollgate_port_receive_packets_total"] == {"game0": len(burst)}
    assert ended.summary["pollgate_port_receive_bytes_total"] == {"game0": sum(map(len, burst))}
    assert ended.summary["pollgate_port_transmit_packets_total"] == {"game0": len(sent)}
    assert ended.summary["pollgate_port_transmit_bytes_total"] == {"game0": sum(map(len, sent))}
    assert ended.books.received == len(burst)
    assert ended.books.offered == ended.books.originated + ended.books.answered
    assert not ended.books.unsent


# ---- families of frames


def test_every_message_and_host_request_is_answered_byte_for_byte(tmp_path: Path) -> None:
    verdicts = agree(tmp_path, sample(valid_frames, 500))
    assert {verdict.kind for verdict in verdicts if verdict.kind} == {
        *("move", "attack", "chat", "heartbeat", "skill"),
        *("arp", "icmp_echo", "neighbor_solicitation", "icmpv6_echo"),
    }
    # Two players of one address may have drawn different numbers; nothing else is refused here.
    assert {verdict.drop for verdict in verdicts} <= {None, "player_mismatch"}


@pytest.mark.parametrize("packet_type", [1, 2, 3, 4, 5])
def test_every_message_type_is_answered_over_both_ip_versions_with_and_without_tags(
    packet_type: int, tmp_path: Path
) -> None:
    drawn = sample(datagrams(packet_type=packet_type), 300)
    assert {(case.version, len(case.link.tags)) for case in drawn} == {
        (v, n) for v in (4, 6) for n in range(3)
    }
    agree(tmp_path, [case.frame() for case in drawn])


@pytest.mark.parametrize(
    "mutations",
    [ANY, IP4, IP6, tuple(how for how in NEEDS if "packet_type" in NEEDS[how])],
    ids=["any", "ipv4", "ipv6", "floats"],
)
def test_every_way_to_spoil_a_datagram_is_dropped_under_its_reason_and_never_answered(
    mutations: tuple[Mutation, ...], tmp_path: Path
) -> None:
    cases = [case for how in mutations for case in sample(spoiled_datagrams(how), 12)]
    assert {case.how for case in cases} == {how.__name__ for how in mutations}
    verdicts = agree(tmp_path, [case.frame for case in cases])
    assert [verdict.drop for verdict in verdicts] == [case.drop for case in cases]


def test_every_host_request_is_answered_byte_for_byte(tmp_path: Path) -> None:
    drawn = sample(requests, 300)
    verdicts = agree(tmp_path, [request.frame for request in drawn])
    assert [verdict.kind for verdict in verdicts] == [request.kind for request in drawn]


def test_every_spoiled_host_request_is_dropped_under_its_reason_and_never_answered(tmp_path: Path) -> None:
    cases = sample(spoiled_arp() | spoiled_icmp() | spoiled_icmpv6(), 400)
    verdicts = agree(tmp_path, [case.frame for case in cases])
    assert [verdict.drop for verdict in verdicts] == [case.drop for case in cases]


def test_every_edge_case_of_the_generator_gets_what_it_says(tmp_path: Path) -> None:
    order: tuple[EdgeCase, ...] = (FOOTHOLD, *HOSTILE, *NEIGHBORLY)
    verdicts = agree(tmp_path, [edge_case.build(TARGET) for edge_case in order])
    assert [verdict.drop for verdict in verdicts] == [edge_case.drop for edge_case in order]


@given(st.data())
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
def test_bursts_of_good_and_bad_frames_get_the_same_answers(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    drawn = st.lists(valid_frames | spoiled.map(lambda case: case.frame), min_size=8, max_size=64)
    agree(tmp_path_factory.mktemp("run"), data.draw(drawn) * 4)


def test_every_cut_of_a_datagram_is_truncated(tmp_path: Path) -> None:
    whole = [changed(case, padding=b"").frame() for case in sample(datagrams(), 6)]
    cuts = [frame[:length] for frame in whole for length in range(1, len(frame))]
    assert {verdict.drop for verdict in agree(tmp_path, cuts)} == {"truncated"}


def test_whole_demo_capture_gets_the_same_answers(tmp_path: Path) -> None:
    scene = Scene(TARGET, players=4000, packets=20_000, seed=1, hostile=0.02)
    verdicts = agree(tmp_path, [frame for _, frame in frames(scene)])
    assert {edge_case.drop for edge_case in HOSTILE} <= {verdict.drop for verdict in verdicts}


# ---- limits


def heartbeat(port: int, player: int = 1, source: IPv4Address = PLAYER) -> bytes:
    """A heartbeat to our first address."""
    message = b"\x04\0\0\0\x14\0\0\0" + bytes(8) + player.to_bytes(4, "little")
    link = Link(MAC_BYTES, PEER)
    return Datagram(link, source, OWN4[0], {}, port, LISTENERS[0], True, message).frame()


def ports_of(answers: Sequence[bytes]) -> list[int]:
    """The UDP destination ports of IPv4 answers without tags."""
    return [int.from_bytes(answer[36:38], "big") for answer in answers]


def test_source_limit_counts_an_address_and_not_its_ports(tmp_path: Path) -> None:
    # All of them arrive in one burst, at one time: no token is added meanwhile.
    listen = [{"port": LISTENERS[0], "limits": {"source_pps": 1, "source_burst": 10}}]
    other = IPv4Address("10.0.0.8")
    crowd = [heartbeat(5000 + n) for n in range(40)] + [heartbeat(6000 + n, source=other) for n in range(4)]
    ended = replay(tmp_path, [crowd], listen=listen)
    assert ports_of(ended.answers()) == [*range(5000, 5010), *range(6000, 6004)]
    assert ended.books.handled == {"heartbeat": 14}
    assert ended.books.dropped == {"source_rate_limited": 30}
    assert ended.books.sessions == 14


def test_host_answers_stop_at_their_burst(tmp_path: Path) -> None:
    questions = [arp_frame(Link(MAC_BYTES, PEER), PLAYER, OWN4[0])] * 50
    ended = replay(tmp_path, [questions], host={"reply_pps": 1, "reply_burst": 7})
    assert len(ended.answers()) == 7
    assert ended.books.handled == {"arp": 7}
    assert ended.books.dropped == {"host_rate_limited": 43}


def test_host_answers_nothing_at_a_rate_of_zero_and_players_do_not_notice(tmp_path: Path) -> None:
    crowd = [arp_frame(Link(MAC_BYTES, PEER), PLAYER, OWN4[0]), heartbeat(5000)] * 20
    ended = replay(tmp_path, [crowd], host={"reply_pps": 0})
    assert ended.books.handled == {"heartbeat": 20}
    assert ended.books.dropped == {"host_rate_limited": 20}


def test_full_table_refuses_new_addresses_and_keeps_the_others(tmp_path: Path) -> None:
    crowd = [heartbeat(5000 + n) for n in range(24)] * 2
    ended = replay(tmp_path, [crowd], sessions={"capacity": 16})
    assert ports_of(ended.answers()) == [*range(5000, 5016)] * 2
    assert ended.books.dropped == {"table_full": 16}
    assert ended.books.sessions == 16


def test_other_player_at_a_taken_address_is_refused(tmp_path: Path) -> None:
    ended = replay(tmp_path, [[heartbeat(5000, 1), heartbeat(5000, 2), heartbeat(5000, 1)]])
    assert ended.books.handled == {"heartbeat": 2}
    assert ended.books.dropped == {"player_mismatch": 1}

# SPDX-License-Identifier: BSD-3-Clause
"""The C core and the oracle are given the same bursts and must agree on every byte, reason and count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP
from scapy.layers.inet6 import ICMPv6MLReport2, IPv6, RouterAlert
from scapy.layers.l2 import Ether

from pyshim.protocol.capture import Scene, frames
from pyshim.protocol.edge_cases import Gate
from tests.core_harness import BURST_MAX, CoreHarness, Result
from tests.mutations import NEEDS, Mutation, Spoiled, spoiled, spoiled_datagrams
from tests.oracle import BURSTS_APART_S, Oracle, SourceLimit, Verdict
from tests.oracle_checks import ones_complement_sum
from tests.strategies import (
    GROUPS,
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
    listener_queries,
    network_frame,
    requests,
    valid_frames,
)

questions = valid_frames | listener_queries()
mixed_bursts = st.lists(questions | spoiled.map(lambda case: case.frame), max_size=16)
PEER = bytes.fromhex("020000000007")


def agree(
    bursts: Sequence[Sequence[bytes]],
    *,
    capacity: int = 1024,
    host_reply_burst: int = 4096,
    limits: dict[int, SourceLimit] | None = None,
    step_s: float = 0.0,
) -> list[Verdict]:
    """Run bursts through both, `step_s` apart; what they agreed on."""
    oracle = Oracle(MAC, INTERFACES, LISTENERS, capacity, host_reply_burst=host_reply_burst, limits=limits)
    verdicts = []
    with CoreHarness(
        MAC, INTERFACES, LISTENERS, capacity, host_reply_burst=host_reply_burst, limits=limits
    ) as core:
        for number, burst in enumerate(bursts):
            now_s = number * step_s
            expected = [oracle.answer(frame, now_s) for frame in burst]
            results = core.burst(burst, now_s)
            for frame, result, verdict in zip(burst, results, expected, strict=True):
                assert result == Result(verdict.reply, verdict.drop), frame.hex()
            verdicts += expected
        counts = core.counts()
    assert counts.received == len(verdicts)
    assert counts.handled == Counter(verdict.kind for verdict in verdicts if verdict.kind)
    assert counts.dropped == Counter(verdict.drop for verdict in verdicts if verdict.drop)
    handled, dropped = sum(counts.handled.values()), sum(counts.dropped.values())
    assert counts.received == handled + dropped + counts.to_kernel + counts.forwarded
    assert counts.sessions_active == counts.sessions_admitted == oracle.sessions
    return verdicts


@given(st.lists(mixed_bursts, min_size=1, max_size=3))
def test_mixed_bursts_get_the_same_answers(bursts: list[list[bytes]]) -> None:
    agree(bursts)


@given(st.lists(datagrams().map(Datagram.frame), min_size=1, max_size=32))
def test_burst_of_messages_gets_the_same_answers(burst: list[bytes]) -> None:
    agree([burst])


@pytest.mark.parametrize("mutation", list(NEEDS), ids=lambda mutation: mutation.__name__)
@given(data=st.data())
def test_every_mutation_gets_its_reason_and_no_answer(mutation: Mutation, data: st.DataObject) -> None:
    case = data.draw(spoiled_datagrams(mutation))
    assert [verdict.drop for verdict in agree([[case.frame]])] == [case.drop]


@given(spoiled)
def test_spoiled_frame_gets_its_reason_and_no_answer(case: Spoiled) -> None:
    assert [verdict.drop for verdict in agree([[case.frame]])] == [case.drop]


@given(st.lists(requests.map(lambda request: request.frame), min_size=1, max_size=8))
def test_host_requests_get_the_same_answers(burst: list[bytes]) -> None:
    assert all(verdict.reply for verdict in agree([burst]))


def _without_tags(frame: bytes) -> bytes:
    while frame[12:14] in (b"\x81\x00", b"\x88\xa8", b"\x91\x00"):
        frame = frame[:12] + frame[16:]
    return frame


@given(st.lists(listener_queries(), min_size=1, max_size=8))
def test_queries_for_listeners_are_taken_and_reported_in_time(queries: list[bytes]) -> None:
    verdicts = agree([queries])
    assert {verdict.kind for verdict in verdicts} == {"mld_query"}
    with CoreHarness(MAC, INTERFACES, LISTENERS) as core:
        core.burst(queries)
        reports = core.announcer(9000)  # more than any of them allows
        assert core.announcer(10000) == []
    assert reports
    told = [Ether(_without_tags(report)) for report in reports]
    for frame in told:
        assert (frame.src, frame[IPv6].src, frame[IPv6].hlim) == (MAC, "::", 1)
        assert frame[RouterAlert].value == 0
        # scapy computes a checksum of 0 anew
        whole = bytes(frame[IPv6])
        del frame[IPv6].payload.payload.cksum
        assert bytes(frame[IPv6]) == whole
    assert {str(group) for group in GROUPS} >= {
        record.dst for frame in told if ICMPv6MLReport2 in frame for record in frame[ICMPv6MLReport2].records
    }


@given(datagrams())
def test_every_cut_of_a_datagram_is_truncated(datagram: Datagram) -> None:
    whole = replace(datagram, padding=b"").frame()
    cuts = [whole[:end] for end in range(len(whole))]
    verdicts = agree([cuts[start : start + BURST_MAX] for start in range(0, len(cuts), BURST_MAX)])
    assert {verdict.drop for verdict in verdicts} == {"truncated"}


@given(questions, st.data())
def test_any_byte_changed_gets_the_same_verdict(frame: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(frame) - 1))
    agree([[frame[:at] + bytes([data.draw(st.integers(0, 255))]) + frame[at + 1 :]]])


@given(st.binary(max_size=200))
def test_noise_gets_the_same_verdict(noise: bytes) -> None:
    agree([[noise, MAC_BYTES + PEER + noise, MAC_BYTES + PEER + b"\x08\x00" + noise]])


@given(st.lists(datagrams(packet_type=4), min_size=1, max_size=24), st.integers(1, 4))
def test_small_table_fills_at_the_same_message(burst: list[Datagram], capacity: int) -> None:
    agree([[datagram.frame() for datagram in burst]], capacity=capacity)


@given(st.lists(st.lists(datagrams(packet_type=4), max_size=8), min_size=1, max_size=4), st.integers(1, 5))
def test_source_limit_refuses_the_same_messages(bursts: list[list[Datagram]], limit: int) -> None:
    few = [
        [
            replace(datagram, source=IPv4Address("10.0.0.7"), destination=OWN4[0], ip={}).frame()
            for datagram in burst
        ]
        for burst in bursts
    ]
    agree(few, limits={LISTENERS[0]: SourceLimit(10, limit)}, step_s=BURSTS_APART_S)


@given(st.lists(requests.map(lambda request: request.frame), min_size=1, max_size=12), st.integers(1, 6))
def test_host_answers_stop_at_the_same_request(burst: list[bytes], limit: int) -> None:
    agree([burst], host_reply_burst=limit)


def test_no_host_answer_at_all_when_their_rate_is_zero() -> None:
    ping = network_frame(Link(MAC_BYTES, PEER), IPv4Address("10.0.0.7"), OWN4[0], ICMP(type=8), {})
    with CoreHarness(MAC, INTERFACES, LISTENERS, host_reply_pps=0) as core:
        assert core.burst([ping]) == [Result(None, "host_rate_limited")]


def test_echo_of_zeros_has_the_checksum_of_zeros() -> None:
    # The one message whose right checksum is 0xffff: an incremental update yields 0, which is wrong.
    ping = network_frame(
        Link(MAC_BYTES, PEER), IPv4Address("10.0.0.7"), OWN4[0], ICMP(type=8, id=0, seq=0), {}
    )
    (verdict,) = agree([[ping]])
    assert verdict.reply is not None
    assert verdict.reply[34:42] == bytes.fromhex("0000ffff00000000")


@pytest.mark.parametrize("sender", ["127.0.0.1", "224.0.0.1", "255.255.255.255", "10.0.0.255"])
def test_arp_sender_that_nobody_can_be_is_bad_arp(sender: str) -> None:
    frame = arp_frame(Link(MAC_BYTES, PEER), IPv4Address(sender), OWN4[0])
    assert [verdict.drop for verdict in agree([[frame]])] == ["bad_arp"]


@given(datagrams(version=4), st.integers(0, 0xFFFF))
def test_every_ip_checksum_is_right_in_the_answer(datagram: Datagram, identification: int) -> None:
    frame = replace(datagram, ip=datagram.ip | {"id": identification}).frame()
    (verdict,) = agree([[frame]])
    assert verdict.reply is not None
    at = 14 + 4 * len(datagram.link.tags)
    assert ones_complement_sum(verdict.reply[at : at + 20]) == 0xFFFF


@given(datagrams(packet_type=4))
def test_idle_session_is_freed_and_its_address_is_free_for_another(datagram: Datagram) -> None:
    first = replace(datagram, message=datagram.message[:16] + b"\x01\0\0\0").frame()
    other = replace(datagram, message=datagram.message[:16] + b"\x02\0\0\0").frame()
    with CoreHarness(MAC, INTERFACES, LISTENERS, 16, idle_timeout_s=30) as core:
        assert core.burst([first, other], 0)[1].drop == "player_mismatch"
        assert core.expire(29.9) == 0
        assert core.expire(30.1) == 1
        assert core.burst([other], 31)[0].drop is None
        assert core.counts().sessions_expired == 1


@given(datagrams(packet_type=4))
def test_refused_player_does_not_keep_a_session_alive(datagram: Datagram) -> None:
    first = replace(datagram, message=datagram.message[:16] + b"\x01\0\0\0").frame()
    other = replace(datagram, message=datagram.message[:16] + b"\x02\0\0\0").frame()
    with CoreHarness(MAC, INTERFACES, LISTENERS, 16, idle_timeout_s=30) as core:
        core.burst([first], 0)
        core.burst([other], 20)
        assert core.expire(31) == 1


def test_demo_capture_gets_the_same_answers() -> None:
    own4, own6 = OWN4[0], OWN6[0]
    scene = Scene(Gate(MAC_BYTES, own4, own6, LISTENERS[0]), players=200, packets=4000, seed=3, hostile=0.1)
    packets = [frame for _, frame in frames(scene)]
    agree([packets[start : start + 32] for start in range(0, len(packets), 32)])

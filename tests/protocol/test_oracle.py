# SPDX-License-Identifier: BSD-3-Clause
"""The oracle itself: it answers what is valid, refuses what is spoiled, and its answers are well formed."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from pyshim.protocol.plain import ACK_OFFSET, Plain
from tests.mutations import NEEDS, Mutation, Spoiled, spoiled, spoiled_datagrams
from tests.oracle import Oracle, SourceLimit
from tests.oracle_checks import MESSAGE_KINDS
from tests.strategies import INTERFACES, LISTENERS, MAC, Datagram, Request, datagrams, requests


def fresh(capacity: int = 64, host_reply_pps: int = 1000, host_reply_burst: int = 128) -> Oracle:
    return Oracle(
        MAC,
        INTERFACES,
        LISTENERS,
        capacity,
        host_reply_pps=host_reply_pps,
        host_reply_burst=host_reply_burst,
    )


@given(datagrams())
def test_valid_message_is_acknowledged_to_where_it_came_from(datagram: Datagram) -> None:
    frame = datagram.frame()
    verdict = fresh().answer(frame, 0)
    assert verdict.reply is not None
    assert (verdict.kind, verdict.drop) == (MESSAGE_KINDS[datagram.message[0]], None)
    link = datagram.link.header(0)[:-2]
    assert (
        verdict.reply[: len(link)] == datagram.link.source + bytes.fromhex(MAC.replace(":", "")) + link[12:]
    )
    packet = (IP if datagram.version == 4 else IPv6)(verdict.reply[len(link) + 2 :])
    assert ip_address(packet.src) == datagram.destination
    assert ip_address(packet.dst) == datagram.source
    assert (packet[UDP].sport, packet[UDP].dport) == (datagram.port, datagram.source_port)
    answer = Plain(bytes(packet[UDP].payload)[: len(datagram.message)])
    assert answer.packet_type == datagram.message[0] + ACK_OFFSET
    assert bytes(answer)[4:] == datagram.message[4:]
    assert len(verdict.reply) <= len(frame)


@given(requests)
def test_host_request_is_answered(request: Request) -> None:
    verdict = fresh().answer(request.frame, 0)
    assert (verdict.kind, verdict.drop) == (request.kind, None)
    assert verdict.reply is not None
    assert Ether(verdict.reply).src == MAC


@given(spoiled)
def test_spoiled_frame_is_dropped_for_its_reason_and_never_answered(case: Spoiled) -> None:
    verdict = fresh().answer(case.frame, 0)
    assert (verdict.reply, verdict.kind, verdict.drop) == (None, None, case.drop), case.how


@pytest.mark.parametrize("mutation", list(NEEDS), ids=lambda mutation: mutation.__name__)
@given(data=st.data())
def test_every_mutation_gets_its_reason(mutation: Mutation, data: st.DataObject) -> None:
    case = data.draw(spoiled_datagrams(mutation))
    assert fresh().answer(case.frame, 0).drop == case.drop


@given(datagrams())
def test_every_cut_of_a_datagram_is_truncated(datagram: Datagram) -> None:
    whole = replace(datagram, padding=b"").frame()
    oracle = fresh()
    assert {oracle.answer(whole[:end], 0).drop for end in range(len(whole))} == {"truncated"}


@given(datagrams(packet_type=4))
def test_session_belongs_to_its_first_player_until_it_is_idle(datagram: Datagram) -> None:
    other = replace(datagram, message=datagram.message[:16] + b"\x99\x88\x77\x66").frame()
    first = replace(datagram, message=datagram.message[:16] + b"\x01\x00\x00\x00").frame()
    oracle = fresh()
    assert oracle.answer(first, 0).kind == "heartbeat"
    assert oracle.answer(other, 1).drop == "player_mismatch"
    assert oracle.expire(30.0) == 0
    assert oracle.expire(30.1) == 1
    assert oracle.answer(other, 31).kind == "heartbeat"


@given(datagrams(version=4))
def test_full_table_refuses_new_addresses_only(datagram: Datagram) -> None:
    known = replace(datagram, source=IPv4Address("203.0.113.1")).frame()
    new = replace(datagram, source=IPv4Address("203.0.113.2")).frame()
    oracle = fresh(capacity=1)
    assert [oracle.answer(frame, 0).drop for frame in (known, new, known)] == [None, "table_full", None]


@given(datagrams(), st.integers(1, 10))
def test_source_over_its_limit_is_refused_whatever_its_port(datagram: Datagram, burst: int) -> None:
    oracle = Oracle(MAC, INTERFACES, LISTENERS, limits={port: SourceLimit(10, burst) for port in LISTENERS})
    drops = [oracle.answer(replace(datagram, source_port=1 + n).frame(), 5).drop for n in range(burst + 1)]
    assert drops == [None] * burst + ["source_rate_limited"]
    assert oracle.answer(datagram.frame(), 5.2).drop is None


@given(requests, st.integers(1, 10))
def test_host_answers_stop_at_their_limit(request: Request, burst: int) -> None:
    oracle = fresh(host_reply_pps=1, host_reply_burst=burst)
    drops = [oracle.answer(request.frame, 5).drop for _ in range(burst + 1)]
    assert drops == [None] * burst + ["host_rate_limited"]
    assert fresh(host_reply_pps=0).answer(request.frame, 5).drop == "host_rate_limited"

# SPDX-License-Identifier: BSD-3-Clause
"""What sockets give the core is answered as in a frame: the same reasons, payloads and counters."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshim.dataplane import tsc_hz
from pyshim.errors import UsageError
from pyshim.plan import AddressPlan, ListenerPlan, ListenerPolicy, Plan, Policy, PortPlan, SocketPlan
from tests import strategies
from tests.mutations import BAD_TEXTS, NON_FINITE
from tests.native.core import CORE_BURST_MAX, Answer, Core, Datagram
from tests.oracle import BURSTS_APART_S, Oracle, SourceLimit
from tests.strategies import INTERFACES, LISTENERS, MAC, OWN4

NO_LIMITS = (SourceLimit(), SourceLimit())
HEARTBEAT = struct.pack("<IIQI", 4, 20, 7, 1)
PEER = Datagram(IPv4Address("203.0.113.9"), 4000, 0, HEARTBEAT)


def plan(capacity: int, limits: Sequence[SourceLimit] = NO_LIMITS) -> Plan:
    """The gate that `tests.strategies` sends to."""
    addresses = tuple(AddressPlan.of(interface) for interface in INTERFACES)
    return Plan(
        engine="epoll",
        eal_args=(),
        control_cpus=(),
        main_lcore=0,
        workers=(),
        ports=(PortPlan("test", "none", None, addresses, MAC, False, "software", 0, 1, 64, 64, -1),),
        pools=(),
        listeners=tuple(ListenerPlan(port, "plain", "open") for port in LISTENERS),
        session_capacity=capacity,
        state_bytes=0,
        sockets=SocketPlan(0, 0, 0, "ordinary"),
        huge_pages=False,
        isa="auto",
        log_level="info",
        policy=Policy(
            30 * 10**9, 0, 1, tuple(ListenerPolicy(li.source_pps, li.source_burst) for li in limits)
        ),
        notes=(),
    )


@st.composite
def damaged_messages(draw: st.DrawFn) -> bytes:
    """A message of which a byte, a number, the text or the length is not what it was."""
    message = draw(strategies.messages())
    at = draw(st.integers(0, len(message) - 1))
    text = draw(st.sampled_from([b"", b"a" * 513, *BAD_TEXTS]))
    chat = struct.pack("<IIQ", 3, 28 + len(text), 7) + strategies.chat_body(1, 0, 0, text)
    word = at // 4 * 4
    return draw(
        st.sampled_from([message[:at], message + b"\0", chat])
        | st.integers(0, 255).map(lambda byte: message[:at] + bytes([byte]) + message[at + 1 :])
        | st.sampled_from(NON_FINITE).map(lambda bits: message[:word] + bits + message[word + 4 :])
    )


@st.composite
def in_frames(draw: st.DrawFn) -> strategies.Datagram:
    """Any message, whole or damaged, from any player, now and then from port 0."""
    datagram = draw(strategies.datagrams())
    message = draw(st.just(datagram.message) | damaged_messages())
    return replace(datagram, message=message, source_port=draw(st.just(datagram.source_port) | st.just(0)))


def bare(datagram: strategies.Datagram) -> Datagram:
    """The same without its frame."""
    listener = LISTENERS.index(datagram.port)
    return Datagram(datagram.source, datagram.source_port, listener, datagram.message)


def agree(
    bursts: Sequence[Sequence[strategies.Datagram]],
    capacity: int = 1024,
    limits: Sequence[SourceLimit] = NO_LIMITS,
    step_s: float = 0.0,
) -> list[str | None]:
    """Run bursts through frames, datagrams and oracle, `step_s` apart; the drop reasons they agreed on."""
    oracle = Oracle(MAC, INTERFACES, LISTENERS, capacity, limits=dict(zip(LISTENERS, limits, strict=True)))
    drops: list[str | None] = []
    with Core(plan(capacity, limits)) as framed, Core(plan(capacity, limits)) as core:
        for number, burst in enumerate(bursts):
            now_s = number * step_s
            now_tsc = round((1 + now_s) * tsc_hz())
            frames = [datagram.frame() for datagram in burst]
            answers = core.datagrams([bare(datagram) for datagram in burst], now_tsc)
            for datagram, frame, answer, same in zip(
                burst, frames, answers, framed.burst(frames, now_tsc), strict=True
            ):
                payload = same.reply and same.reply[-len(datagram.message) :]
                assert answer == Answer(payload, same.drop), datagram
                assert answer.drop == oracle.answer(frame, now_s).drop, datagram
            drops += [answer.drop for answer in answers]
        of_frames, of_datagrams = framed.stats(), core.stats()
    assert of_datagrams.handled == of_frames.handled
    assert of_datagrams.dropped == of_frames.dropped
    assert of_datagrams.received == sum(of_datagrams.handled.values()) + sum(of_datagrams.dropped.values())
    assert of_datagrams.received == len(drops)
    assert of_datagrams.sessions_active == of_frames.sessions_active == oracle.sessions
    assert of_datagrams.sessions_admitted == of_frames.sessions_admitted
    return drops


@given(st.lists(st.lists(in_frames(), max_size=16), min_size=1, max_size=3))
def test_random_messages_get_the_same_answers_without_their_frames(
    bursts: list[list[strategies.Datagram]],
) -> None:
    agree(bursts)


@given(st.lists(strategies.datagrams(packet_type=4), min_size=1, max_size=24), st.integers(1, 4))
def test_small_table_fills_at_the_same_message(burst: list[strategies.Datagram], capacity: int) -> None:
    agree([burst], capacity)


@given(st.lists(st.lists(strategies.datagrams(), max_size=8), min_size=1, max_size=4), st.integers(1, 5))
def test_source_limit_refuses_the_same_messages(bursts: list[list[strategies.Datagram]], limit: int) -> None:
    near = {"source": IPv4Address("10.0.0.7"), "destination": OWN4[0], "ip": {}}
    few = [[replace(datagram, **near) for datagram in burst] for burst in bursts]
    agree(few, limits=(SourceLimit(10, limit), SourceLimit()), step_s=BURSTS_APART_S)


@pytest.mark.parametrize("length", [1473, 1474, 9000, 65507])
def test_datagram_that_no_frame_holds_is_too_long(length: int) -> None:
    with Core(plan(16)) as core:
        assert core.datagrams([replace(PEER, payload=bytes(length)), PEER], 0) == [
            Answer(None, "too_long"),
            Answer(struct.pack("<I", 104) + HEARTBEAT[4:], None),
        ]


def test_more_datagrams_than_a_burst_holds_are_refused_in_a_sentence() -> None:
    with Core(plan(16)) as core:
        assert all(answer.reply for answer in core.datagrams([PEER] * CORE_BURST_MAX, 0))
        with pytest.raises(UsageError, match="65 datagrams in one burst; a burst holds 64"):
            core.datagrams([PEER] * (CORE_BURST_MAX + 1), 0)
        assert core.stats().received == CORE_BURST_MAX


@pytest.mark.parametrize("listener", [-1, 2, 16, 255])
def test_datagram_for_a_listener_that_is_not_planned_is_refused_in_a_sentence(listener: int) -> None:
    with Core(plan(16)) as core:
        with pytest.raises(UsageError, match=f"listener {listener}; the plan has 2"):
            core.datagrams([replace(PEER, listener=listener)], 0)
        assert core.stats().received == 0

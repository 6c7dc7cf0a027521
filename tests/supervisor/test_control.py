# SPDX-License-Identifier: BSD-3-Clause
"""The conversation of supervisor and worker process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshim.errors import ExitCode, InternalError, UnavailableError
from pyshim.plan import (
    DeliveryPolicy,
    ListenerPlan,
    ListenerPolicy,
    Plan,
    Policy,
    PoolPlan,
    PortPlan,
    QueueRef,
    SocketPlan,
    WorkerPlan,
)
from pyshim.run import control
from pyshim.system.packet_socket import PACKET_BYTES_MAX

U32 = st.integers(0, 2**32 - 1)
BY_TYPE = st.tuples(*[U32] * 7)
TEXT = st.text(max_size=200)
DELIVERIES = st.builds(
    DeliveryPolicy,
    *[U32] * 5,
    compress_min=st.tuples(*[st.none() | U32] * 3),
    message_pps=BY_TYPE,
    message_burst=BY_TYPE,
)
POLICIES = st.builds(
    Policy,
    idle_timeout_ns=st.integers(10**8, 86_400 * 10**9),
    host_reply_pps=U32,
    host_reply_burst=U32,
    listeners=st.lists(st.builds(ListenerPolicy, *[U32] * 6), max_size=16).map(tuple),
    delivery=DELIVERIES,
    others=st.dictionaries(st.text(max_size=20), U32, max_size=3),
)
PLAN = Plan(
    engine="dpdk",
    eal_args=("--lcores", "0@0,1@1"),
    control_cpus=(0,),
    main_lcore=0,
    workers=(WorkerPlan(1, 1, (QueueRef(0, 0),), "it is free"),),
    ports=(PortPlan("game0", "net_null0", "net_null0", (), None, False, "auto", 0, 1, 1024, 1024, -1),),
    pools=(PoolPlan("any", -1, 4095, 256, 2176, "enough"),),
    listeners=(ListenerPlan(8080, "plain", "open"),),
    session_capacity=1024,
    state_bytes=65536,
    sockets=SocketPlan(4 << 20, 4 << 20, 0, "ordinary"),
    huge_pages=False,
    isa="auto",
    log_level="info",
    policy=Policy(30 * 10**9, 1000, 128, (ListenerPolicy(0, 64),)),
    notes=("a note",),
)
MESSAGES = st.one_of(
    st.just(control.Start(PLAN)),
    st.builds(control.Reload, U32, POLICIES, st.booleans()),
    st.builds(control.Stop, st.floats(0, 10)),
    st.builds(control.GamePresence, U32, st.booleans(), st.booleans()),
    st.builds(control.GameEnded, U32, U32, st.lists(st.integers(0, (1 << 64) - 1), max_size=3).map(tuple)),
    st.builds(control.GameDetach, U32),
    st.builds(control.GameMapped, U32, U32, TEXT),
    st.builds(control.GameBroken, U32, TEXT),
    st.builds(control.Started, TEXT),
    st.builds(control.Applied, U32),
    st.builds(control.Refused, U32, TEXT),
    st.builds(control.Failed, st.integers(0, 255), TEXT),
    st.just(control.Stopped()),
)


def test_what_is_written_after_an_end_travels_with_it() -> None:
    with contextlib.ExitStack() as stack:
        ours, theirs = (stack.enter_context(contextlib.closing(end)) for end in control.Channel.pair())
        made = [stack.enter_context(open(os.devnull)) for _ in range(4)]  # noqa: PTH123
        assert ours.send(control.GameEnd(3, 7, tuple(file.fileno() for file in made)))
        received = theirs.receive()
        assert isinstance(received, control.GameEnd)
        assert (received.process, received.files, len(list(received.by_worker))) == (3, 7, 2)
        for fd in received.fds:
            os.close(fd)


@pytest.mark.parametrize("heard", [True, False])
def test_rings_travel_with_their_descriptors(heard: bool) -> None:
    with contextlib.ExitStack() as stack:
        ours, theirs = (stack.enter_context(contextlib.closing(end)) for end in control.Channel.pair())
        made = [stack.enter_context(open(os.devnull)) for _ in range(6 if heard else 4)]  # noqa: PTH123
        fds = tuple(file.fileno() for file in made)
        rings = control.GameRings(3, "arena", 7, True, False, heard, (8, 1 << 40), fds)
        assert ours.send(rings)
        received = theirs.receive()
        assert isinstance(received, control.GameRings)
        for fd in received.fds:
            stack.callback(os.close, fd)
        assert not set(received.fds) & set(fds)
        assert all(os.path.sameopenfile(one, other) for one, other in zip(received.fds, fds, strict=True))
        assert replace(received, fds=fds) == rings
        worker, bell, own = received.fds[:2], received.fds[2:4], received.fds[4:] or (-1, -1)
        assert list(received.by_worker) == [
            (worker[0], own[0], bell[0], 8),
            (worker[1], own[1], bell[1], 1 << 40),
        ]
        assert not any(os.get_inheritable(fd) for fd in received.fds)
        with pytest.raises(BlockingIOError):
            theirs.receive()


def test_what_a_process_writes_travels_by_descriptors() -> None:
    with contextlib.ExitStack() as stack:
        ours, theirs = (stack.enter_context(contextlib.closing(end)) for end in control.Channel.pair())
        made = stack.enter_context(open(os.devnull))  # noqa: PTH123
        assert ours.send(control.GameHear(3, 7, (made.fileno(),)))
        received = theirs.receive()
        assert isinstance(received, control.GameHear)
        (fd,) = received.fds
        stack.callback(os.close, fd)
        assert os.path.sameopenfile(fd, made.fileno())
        assert (received.process, received.files) == (3, 7)


@given(message=MESSAGES)
def test_every_message_arrives_as_it_was_sent(message: control.Message) -> None:
    assert control.decode(control.encode(message)) == message


@given(data=st.binary(max_size=300))
def test_garbage_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(InternalError):
        control.decode(data)


@given(message=MESSAGES, field=st.sampled_from(["version", "kind", "unheard_of"]))
def test_a_message_with_one_field_off_is_refused(message: control.Message, field: str) -> None:
    body = json.loads(control.encode(message)) | {field: ["nonsense"]}
    with pytest.raises(InternalError):
        control.decode(json.dumps(body).encode())


def test_a_message_of_another_version_is_refused() -> None:
    body = json.loads(control.encode(control.Started()))
    body["version"] += 1
    with pytest.raises(InternalError, match="version"):
        control.decode(json.dumps(body).encode())


def test_a_message_that_is_too_long_is_not_sent() -> None:
    one, _other = control.Channel.pair()
    with pytest.raises(InternalError, match="limit"):
        one.send(control.Failed(70, "x" * PACKET_BYTES_MAX))


def test_the_longest_message_fits_the_socket() -> None:
    one, other = control.Channel.pair()
    room = PACKET_BYTES_MAX - len(control.encode(control.Failed(70, "")))
    message = control.Failed(70, "x" * room)
    assert one.send(message)
    assert other.receive() == message


def test_messages_keep_their_borders_and_order() -> None:
    one, other = control.Channel.pair()
    one.send(control.Applied(1))
    one.send(control.Applied(2))
    assert [other.receive(), other.receive()] == [control.Applied(1), control.Applied(2)]


def test_nothing_sent_yet_is_not_the_end() -> None:
    _one, other = control.Channel.pair()
    with pytest.raises(BlockingIOError):
        other.receive()


def test_a_closed_other_side_is_the_end_of_reading_and_of_writing() -> None:
    one, other = control.Channel.pair()
    one.close()
    assert other.receive() is None
    assert not other.send(control.Started())


def test_a_packet_longer_than_any_message_is_refused() -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    one.send(b"x" * (PACKET_BYTES_MAX + 1))
    with pytest.raises(InternalError, match="more than"):
        control.Channel(other).receive()


def test_an_unread_socket_is_an_error_and_not_a_wait() -> None:
    one, _other = control.Channel.pair()
    message = control.Failed(70, "x" * 10_000)
    with pytest.raises(InternalError, match="full"):
        all(one.send(message) for _ in range(1000))  # ten megabytes: no socket buffers that


def test_a_failure_keeps_its_exit_code_and_sentence() -> None:
    assert control.failure(UnavailableError("no device")) == control.Failed(ExitCode.UNAVAILABLE, "no device")

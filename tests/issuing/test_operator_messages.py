# SPDX-License-Identifier: BSD-3-Clause
"""Messages on their way: one under way, the others in order, each with exactly one answer."""

from __future__ import annotations

import select
import threading

import pytest

from pyshim.errors import InternalError
from pyshim.operator_messages import WAITING_MAX, OperatorMessage, OperatorQueue, SendOutcome, SendResult
from pyshim.run import control

SENT = SendResult(SendOutcome.SENT)


def operator_message(number: int) -> OperatorMessage:
    return OperatorMessage(number, 203, b"\x00\xff" * number)


class Sender:
    """Posts messages and keeps what was answered, by number."""

    def __init__(self, operator_queue: OperatorQueue) -> None:
        self.operator_queue = operator_queue
        self.answers: list[tuple[int, SendResult]] = []

    def send(self, number: int) -> None:
        self.operator_queue.send(
            operator_message(number), lambda result: self.answers.append((number, result))
        )


@pytest.fixture
def sender() -> Sender:
    return Sender(OperatorQueue())


def rings(operator_queue: OperatorQueue) -> bool:
    return bool(select.select([operator_queue], [], [], 0)[0])


def test_messages_are_taken_in_order_one_at_a_time(sender: Sender) -> None:
    operator_queue = sender.operator_queue
    assert not rings(operator_queue)
    sender.send(1)
    sender.send(2)
    assert rings(operator_queue)
    operator_queue.hear()
    assert not rings(operator_queue)
    first = operator_queue.take()
    assert first is not None
    assert first[1] == operator_message(1)
    assert operator_queue.take() is None
    operator_queue.settle(first[0], SENT)
    second = operator_queue.take()
    assert second is not None
    assert second[1] == operator_message(2)
    operator_queue.settle(second[0], SendResult(SendOutcome.REFUSED, "no"))
    assert sender.answers == [(1, SENT), (2, SendResult(SendOutcome.REFUSED, "no"))]
    assert operator_queue.take() is None


def test_an_answer_to_another_message_changes_nothing(sender: Sender) -> None:
    sender.send(1)
    taken = sender.operator_queue.take()
    assert taken is not None
    sender.operator_queue.settle(taken[0] + 1, SENT)
    assert sender.answers == []
    sender.operator_queue.settle(taken[0], SENT)
    sender.operator_queue.settle(taken[0], SENT)
    assert sender.answers == [(1, SENT)]


def test_when_the_worker_is_lost_everybody_is_told_and_the_next_message_goes(sender: Sender) -> None:
    for number in (1, 2, 3):
        sender.send(number)
    taken = sender.operator_queue.take()
    assert taken is not None
    sender.operator_queue.lose()
    assert sorted(number for number, _ in sender.answers) == [1, 2, 3]
    assert {result.outcome for _, result in sender.answers} == {SendOutcome.BUSY}
    assert ["unknown" in result.text for _, result in sorted(sender.answers, key=lambda a: a[0])] == [
        True,
        False,
        False,
    ]
    sender.operator_queue.settle(taken[0], SENT)
    assert len(sender.answers) == 3
    sender.send(4)
    following = sender.operator_queue.take()
    assert following is not None
    assert following[1] == operator_message(4)


def test_too_many_messages_are_refused_at_once(sender: Sender) -> None:
    for number in range(WAITING_MAX + 1):
        sender.send(number)
    assert [(number, result.outcome) for number, result in sender.answers] == [
        (WAITING_MAX, SendOutcome.BUSY)
    ]


def test_nothing_is_posted_after_the_end(sender: Sender) -> None:
    sender.send(1)
    sender.operator_queue.close()
    sender.send(2)
    sender.operator_queue.close()
    assert [result.outcome for _, result in sender.answers] == [SendOutcome.BUSY] * 2


def test_messages_of_many_threads_are_each_answered_once(sender: Sender) -> None:
    operator_queue, count = sender.operator_queue, 200
    threads = [
        threading.Thread(target=lambda first=first: [sender.send(first + n) for n in range(count // 4)])
        for first in range(0, count, count // 4)
    ]
    for thread in threads:
        thread.start()
    taken = 0
    while taken < count:
        assert select.select([operator_queue], [], [], 10)[0], f"no letter came after {taken}"
        operator_queue.hear()
        while (one := operator_queue.take()) is not None:
            taken += 1
            operator_queue.settle(one[0], SENT)
    for thread in threads:
        thread.join(10)
    assert sorted(number for number, _ in sender.answers) == list(range(count))


@pytest.mark.parametrize(
    "message",
    [
        control.Deliver(7, OperatorMessage(1048576, 207, bytes(range(256)) * 256, 2, False, 0)),
        control.Deliver(0, OperatorMessage(1, 206, b"")),
        control.Delivered(2**40, SendResult(SendOutcome.REFUSED, "he is not — connected")),
        control.Delivered(1, SENT),
    ],
)
def test_messages_and_results_travel_as_they_are(message: control.Message) -> None:
    one, other = control.Channel.pair()
    assert one.send(message)
    assert other.receive() == message


def test_a_message_that_is_cut_is_no_message() -> None:
    data = control.encode(control.Deliver(1, OperatorMessage(1, 206, b"12345678")))
    for wrong in (data.replace(b"MTIz", b"M!Iz"), data.replace(b'"session": 1, ', b""), data[:-1]):
        with pytest.raises(InternalError):
            control.decode(wrong)

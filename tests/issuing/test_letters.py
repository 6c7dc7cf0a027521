# SPDX-License-Identifier: BSD-3-Clause
"""Letters on their way: one under way, the others in order, each with exactly one answer."""

from __future__ import annotations

import select
import threading

import pytest

from pyshim.errors import InternalError
from pyshim.letters import WAITING_MAX, Fate, Letter, Post, Verdict
from pyshim.run import control

SENT = Verdict(Fate.SENT)


def letter(number: int) -> Letter:
    return Letter(number, 203, b"\x00\xff" * number)


class Sender:
    """Posts letters and keeps what was answered, by number."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self.answers: list[tuple[int, Verdict]] = []

    def send(self, number: int) -> None:
        self.post.send(letter(number), lambda verdict: self.answers.append((number, verdict)))


@pytest.fixture
def sender() -> Sender:
    return Sender(Post())


def rings(post: Post) -> bool:
    return bool(select.select([post], [], [], 0)[0])


def test_letters_are_taken_in_order_one_at_a_time(sender: Sender) -> None:
    post = sender.post
    assert not rings(post)
    sender.send(1)
    sender.send(2)
    assert rings(post)
    post.hear()
    assert not rings(post)
    first = post.take()
    assert first is not None
    assert first[1] == letter(1)
    assert post.take() is None
    post.settle(first[0], SENT)
    second = post.take()
    assert second is not None
    assert second[1] == letter(2)
    post.settle(second[0], Verdict(Fate.REFUSED, "no"))
    assert sender.answers == [(1, SENT), (2, Verdict(Fate.REFUSED, "no"))]
    assert post.take() is None


def test_an_answer_to_another_letter_changes_nothing(sender: Sender) -> None:
    sender.send(1)
    taken = sender.post.take()
    assert taken is not None
    sender.post.settle(taken[0] + 1, SENT)
    assert sender.answers == []
    sender.post.settle(taken[0], SENT)
    sender.post.settle(taken[0], SENT)
    assert sender.answers == [(1, SENT)]


def test_when_the_worker_is_lost_everybody_is_told_and_the_next_letter_goes(sender: Sender) -> None:
    for number in (1, 2, 3):
        sender.send(number)
    taken = sender.post.take()
    assert taken is not None
    sender.post.lose()
    assert sorted(number for number, _ in sender.answers) == [1, 2, 3]
    assert {verdict.fate for _, verdict in sender.answers} == {Fate.BUSY}
    assert ["unknown" in verdict.text for _, verdict in sorted(sender.answers, key=lambda a: a[0])] == [
        True,
        False,
        False,
    ]
    sender.post.settle(taken[0], SENT)
    assert len(sender.answers) == 3
    sender.send(4)
    following = sender.post.take()
    assert following is not None
    assert following[1] == letter(4)


def test_too_many_letters_are_refused_at_once(sender: Sender) -> None:
    for number in range(WAITING_MAX + 1):
        sender.send(number)
    assert [(number, verdict.fate) for number, verdict in sender.answers] == [(WAITING_MAX, Fate.BUSY)]


def test_nothing_is_posted_after_the_end(sender: Sender) -> None:
    sender.send(1)
    sender.post.close()
    sender.send(2)
    sender.post.close()
    assert [verdict.fate for _, verdict in sender.answers] == [Fate.BUSY] * 2


def test_letters_of_many_threads_are_each_answered_once(sender: Sender) -> None:
    post, count = sender.post, 200
    threads = [
        threading.Thread(target=lambda first=first: [sender.send(first + n) for n in range(count // 4)])
        for first in range(0, count, count // 4)
    ]
    for thread in threads:
        thread.start()
    taken = 0
    while taken < count:
        assert select.select([post], [], [], 10)[0], f"no letter came after {taken}"
        post.hear()
        while (one := post.take()) is not None:
            taken += 1
            post.settle(one[0], SENT)
    for thread in threads:
        thread.join(10)
    assert sorted(number for number, _ in sender.answers) == list(range(count))


@pytest.mark.parametrize(
    "message",
    [
        control.Deliver(7, Letter(1048576, 207, bytes(range(256)) * 256, 2, False, 0)),
        control.Deliver(0, Letter(1, 206, b"")),
        control.Delivered(2**40, Verdict(Fate.REFUSED, "he is not — connected")),
        control.Delivered(1, SENT),
    ],
)
def test_letters_and_verdicts_travel_as_they_are(message: control.Message) -> None:
    one, other = control.Channel.pair()
    assert one.send(message)
    assert other.receive() == message


def test_a_letter_that_is_cut_is_no_message() -> None:
    data = control.encode(control.Deliver(1, Letter(1, 206, b"12345678")))
    for wrong in (data.replace(b"MTIz", b"M!Iz"), data.replace(b'"session": 1, ', b""), data[:-1]):
        with pytest.raises(InternalError):
            control.decode(wrong)

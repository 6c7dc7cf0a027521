# SPDX-License-Identifier: BSD-3-Clause
"""What a process says is taken as a whole, or refused in one sentence."""

from __future__ import annotations

import contextlib
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshim.bus import messages
from pyshim.bus.messages import Hello, Mapped, Open, Reason, RefusedError, Topic, read_hello, read_request
from tests.bus import process

HELLO = process.hello("arena", token=b"secret", wants=1)


def test_a_hello_says_who_it_is() -> None:
    assert read_hello(HELLO, "9") == Hello("arena", wants_moves=True, token=b"secret", version="test 1")


@pytest.mark.parametrize(
    ("packet", "reason", "sentence"),
    [
        (b"", Reason.MALFORMED, "a packet of 0 bytes; the shortest has 8"),
        (HELLO[:-1], Reason.MALFORMED, "a HELLO of 207 bytes; it has 208"),
        (HELLO + b"\0", Reason.MALFORMED, "a HELLO of 209 bytes"),
        (process.head(1, magic=7) + HELLO[8:], Reason.MALFORMED, "does not begin as those of a game process"),
        (process.open_("arena"), Reason.MALFORMED, "a message of kind 5 before the HELLO"),
        (process.hello("arena", wants=2), Reason.MALFORMED, "bits that nobody has a meaning for"),
        (
            process.hello("arena", version=2),
            Reason.VERSION,
            "test 1 speaks version 2 of the game bus, and the gateway, pollgate 9, version 3",
        ),
        (process.head(1, 4), Reason.VERSION, "the game library (it does not say which) speaks version 4"),
        (process.hello(""), Reason.NAME, 'the name "" is none'),
        (process.hello("a b"), Reason.NAME, 'the name "a b" is none'),
        (process.hello(b"a\0b"), Reason.NAME, 'the name "a" is none'),
        (process.hello(b"a" * 32), Reason.NAME, "is none that a game process can have"),
        (process.hello(b'\xff"\n'), Reason.NAME, 'the name "???" is none'),
    ],
)
def test_anything_else_is_refused_with_what_is_wrong(packet: bytes, reason: Reason, sentence: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_hello(packet, "9")
    assert caught.value.reason is reason
    assert sentence in str(caught.value)


def test_an_attached_process_says_whom_it_writes_to_and_what_it_hears() -> None:
    assert read_request(process.open_("lobby"), "9") == Open("lobby")
    assert read_request(process.topic(7), "9") == Topic(7, on=True)
    assert read_request(process.topic(7, on=False), "9") == Topic(7, on=False)
    assert read_request(process.head(process.MAPPED), "9") == Mapped()
    for packet in (
        HELLO,
        process.open_("lobby") + b"\0",
        process.head(2),
        process.topic(7)[:-1],
        process.head(process.MAPPED) + b"\0",
    ):
        with pytest.raises(RefusedError, match="which none may send"):
            read_request(packet, "9")


@given(st.binary(max_size=209), st.sampled_from([HELLO, process.open_("lobby"), process.topic(7)]), st.data())
def test_no_bytes_are_more_than_refused(noise: bytes, packet: bytes, data: st.DataObject) -> None:
    changed = bytearray(packet)
    for _ in range(data.draw(st.integers(0, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    for said in (noise, bytes(changed), packet[:8] + noise):
        for read in (read_hello, read_request):
            with contextlib.suppress(RefusedError):
                read(said, "9")


def test_a_sentence_that_is_too_long_is_cut() -> None:
    numbers = "".join(str(number) for number, _ in zip(count(), range(400), strict=False))
    packet = messages.refused(Reason.FULL, numbers)
    assert len(packet) == 412
    assert packet[-1] == 0

# SPDX-License-Identifier: BSD-3-Clause
"""Against either end: messages that are not known, cannot be, are many, or come too early."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pyshim.conformance import bodies
from pyshim.conformance.checks import Check
from pyshim.conformance.layout import Data, Kind, Message
from pyshim.conformance.loop import Script
from pyshim.conformance.peer import SILENCE_S, Peer, Traffic, Want
from pyshim.conformance.scenario import Scenario

UNKNOWN_TAKEN = Check(
    "unknown-taken", "14", "A message of a type that is not known is skipped, and its datagram acknowledged"
)
UNKNOWN_OTHERS = Check(
    "unknown-others", "14", "A message that is skipped leaves the others of its datagram alone"
)
BODY_SKIPPED = Check(
    "body-skipped", "14", "A body that is not what its type says is skipped, and its datagram acknowledged"
)
BROKEN = Check(
    "broken-closed", "14", "What is no message of the document at all ends the connection: CLOSE 7"
)
ZEROS_REFUSED = Check(
    "zeros-refused",
    "5",
    "DATA with other bits in wants or its reserved byte, and a PROBE that is not zeros, are not taken",
)
GAMES_OWN = Check(
    "games-own",
    "14",
    "A message of the game's own types is taken, whatever is in its body: it is acknowledged",
)
FIFTY = Check("fifty", "5", "Fifty messages in one datagram are taken")
FAR_REFUSED = Check(
    "far-refused", "6", "An id of more than 255 ahead is refused: its datagram is not acknowledged"
)
FAR_BUSY = Check(
    "far-busy", "7", "An id of more than 255 ahead gets BUSY with reason 4 and the datagram's counter"
)
COMPRESSED_WRONG = Check(
    "compressed-wrong", "14", "A body that does not expand to its length is skipped, and acknowledged"
)


Row = tuple[str, Message, Check]


def _wrong(peer: Peer) -> Iterator[Row]:
    """Bodies that cannot be, of types that go to the other end."""
    if peer.is_client:
        yield "a CHAT_EVENT, which comes from gateways", Message(203, bytes(13)), UNKNOWN_TAKEN
        yield "a MOVE of 23 bytes", Message(bodies.MOVE, bytes(23)), BODY_SKIPPED
        endless = struct.pack("<6f", *[float("nan")] * 6)
        yield "a MOVE that is not finite", Message(bodies.MOVE, endless), BODY_SKIPPED
        yield "a HEARTBEAT of one byte", Message(bodies.HEARTBEAT, b"x", 3, 0), BODY_SKIPPED
        sender, chat = b"", bodies.CHAT
    else:
        yield "a MOVE, which comes from clients", Message(bodies.MOVE, bodies.move()), UNKNOWN_TAKEN
        yield "an ATTACK_EVENT of 23 bytes", Message(202, bytes(23)), BODY_SKIPPED
        yield "a LIMITS that is cut off", Message(bodies.LIMITS, b"\1\0\1\0", 3, 0), BODY_SKIPPED
        sender, chat = bytes(4), bodies.CHAT + bodies.EVENT
    yield "a chat that is not UTF-8", Message(chat, sender + b"\1\0\0\0\0\0\1\0\xff", 1, 0), BODY_SKIPPED
    body = bodies.compress(sender + bodies.chat(1, "x" * 90), 97)
    named = "a chat that says another length than it expands to"
    yield named, Message(chat, body, 2, 0, compressed=True), COMPRESSED_WRONG


def _with_body(body: bytes) -> Want:
    """A datagram with such a message."""
    return lambda heard: any(one.body == body for one in heard.messages)


def skipped(peer: Peer) -> Script:
    """Unknown types and bodies that cannot be, beside a PING."""
    traffic = yield from peer.begin()
    rows = (
        ("an unreliable message of type 63", Message(bodies.UNKNOWN, b"new"), UNKNOWN_TAKEN),
        ("a reliable message of type 63", Message(bodies.UNKNOWN, b"new", 0, 0), UNKNOWN_TAKEN),
        ("a message of type 62", Message(bodies.UNKNOWN - 1, b""), UNKNOWN_TAKEN),
        *((f"a message of type {kind}", Message(kind, b"\xff"), GAMES_OWN) for kind in (64, 127, 128, 199)),
        *_wrong(peer),
        ("a compressed PING", Message(bodies.PING, bodies.compress(bytes(4)), compressed=True), BODY_SKIPPED),
        ("a PING of 5 bytes", Message(bodies.PING, bytes(5)), BODY_SKIPPED),
        ("a BUSY of 7 bytes", Message(bodies.BUSY, bytes(7)), BODY_SKIPPED),
    )
    for number, (name, message, check) in enumerate(rows):
        token = struct.pack("<I", number)
        before = len(traffic.heard)
        counter = peer.say(traffic, message, Message(bodies.PING, token), wants=1)
        named = yield from peer.taken(traffic, counter, 2.0)
        peer.verdicts.judge(
            check, named, f"the datagram with {name} was {'' if named else 'not '}acknowledged"
        )
        ponged = any(one.body == token for _, one in traffic.messages(bodies.PONG, since=before))
        if not ponged and traffic.closed_s is None:
            answer = yield from peer.expect(_with_body(token), 3.0)
            ponged = answer is not None
        peer.verdicts.judge(
            UNKNOWN_OTHERS, ponged, f"the PING beside {name} was {'' if ponged else 'not '}answered"
        )
        if traffic.closed_s is not None:
            peer.verdicts.judge(check, False, f"CLOSE came for {name}")
            traffic = yield from peer.begin()


def _broken(long: int) -> Iterator[tuple[str, tuple[Message, ...], bytes]]:
    piece = struct.pack("<HH", 0, 2) + bytes(458)
    yield "a header that is cut off", (), b"\1\0\1"
    yield "a body that is cut off", (), struct.pack("<BBH", 1, 0, 24) + bytes(23)
    yield "51 messages", (Message(bodies.HEARTBEAT),) * 51, b""
    yield "bit 3 of the flags", (Message(bodies.MOVE, bodies.move(), stray_flags=8),), b""
    yield "a channel without being reliable", (Message(bodies.MOVE, bodies.move(), channel=1),), b""
    yield "a fragment that is not reliable", (Message(long, piece, piece=True),), b""
    yield "a fragment on channel 3", (Message(long, piece, 3, 0, piece=True),), b""
    for index, count in ((2, 2), (0, 1), (0, 145), (0, 0)):
        body = struct.pack("<HH", index, count) + bytes(458)
        yield f"piece {index} of {count}", (Message(long, body, 0, 0, piece=True),), b""
    yield "a first piece of 100 bytes", (Message(long, piece[:104], 0, 0, piece=True),), b""
    other = struct.pack("<HH", 1, 3) + bytes(458)
    yield (
        "a piece of another count than the one before",
        (Message(long, piece, 0, 0, piece=True), Message(long, other, 0, 1, piece=True)),
        b"",
    )


def broken(peer: Peer) -> Script:
    """What is no message of the document at all, each in a connection of its own."""
    for name, messages, rest in _broken(peer.long_type):
        traffic = yield from peer.begin()
        peer.say_data(traffic, Data(messages=messages), rest=rest)
        reason = yield from peer.closed(traffic, 3.0)
        came = "no CLOSE" if reason is None else f"CLOSE {reason}"
        peer.verdicts.judge(BROKEN, reason == 7, f"{came} came for {name}")
        traffic.over = True


def zeros(peer: Peer) -> Script:
    """Sealed datagrams with something where zeros belong; a CLOSE for them is right, too."""
    messages = (Message(bodies.PING, b"zero"),)
    rows = (
        ("wants 3", Kind.DATA, Data(wants=3, messages=messages).pack()),
        ("a reserved byte of 1", Kind.DATA, Data(wants=1, reserved=1, messages=messages).pack()),
        ("a PROBE with a 1 in it", Kind.PROBE, bytes(99) + b"\1"),
    )
    for name, kind, secret in rows:
        traffic = yield from peer.begin()
        yield from peer.alive(traffic)
        counter = peer.seal(traffic, kind, secret)
        named = yield from peer.taken(traffic, counter, SILENCE_S)
        peer.verdicts.judge(ZEROS_REFUSED, not named, f"{name} was {'' if named else 'not '}acknowledged")
        traffic.over = True


def fifty(peer: Peer) -> Script:
    """As many messages as a datagram may have."""
    traffic = yield from peer.begin()
    pings = [Message(bodies.PING, struct.pack("<I", n)) for n in range(50)]
    counter = peer.say(traffic, *pings, wants=1)
    named = yield from peer.taken(traffic, counter)
    peer.verdicts.judge(FIFTY, named, f"the datagram was {'' if named else 'not '}acknowledged")


def far(peer: Peer) -> Script:
    """An id that is too far ahead."""
    traffic = yield from peer.begin()
    before = len(traffic.heard)
    message = peer.harmless(300)
    counter = peer.say(traffic, message, wants=1)
    named = yield from peer.taken(traffic, counter, SILENCE_S)
    peer.verdicts.judge(
        FAR_REFUSED,
        not named,
        f"the datagram with id 300, where 0 is next, was {'' if named else 'not '}acknowledged",
    )
    judge_busy(peer, traffic, FAR_BUSY, before, (counter,), 4, message.type)


def judge_busy(  # noqa: PLR0913, PLR0917 - what a BUSY says
    peer: Peer, traffic: Traffic, check: Check, since: int, counters: tuple[int, ...], reason: int, kind: int
) -> None:
    """Whether a BUSY came that names one of these datagrams, this reason and this type."""
    said = [
        struct.unpack("<IBBH", one.body)
        for _, one in traffic.messages(bodies.BUSY, since=since)
        if len(one.body) == 8
    ]
    right = [one for one in said if one[0] in counters and one[1] == reason and one[2] == kind]
    came = f"BUSY for counter {said[0][0]}, reason {said[0][1]}, type {said[0][2]}" if said else "no BUSY"
    peer.verdicts.judge(check, bool(right), f"{came} came for counters {list(counters)[:4]}, type {kind}")


SCENARIOS = (
    Scenario(skipped, (UNKNOWN_TAKEN, UNKNOWN_OTHERS, GAMES_OWN, BODY_SKIPPED, COMPRESSED_WRONG)),
    Scenario(broken, (BROKEN,)),
    Scenario(zeros, (ZEROS_REFUSED,)),
    Scenario(fifty, (FIFTY,)),
    Scenario(far, (FAR_REFUSED, FAR_BUSY)),
)

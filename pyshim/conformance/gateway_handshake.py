# SPDX-License-Identifier: BSD-3-Clause
"""Against a gateway: sections 2 and 3, from HELLO to WELCOME, and all that must be met with silence."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pyshim.conformance import layout
from pyshim.conformance.as_client import WELCOME_LAYOUT, Asked, Player
from pyshim.conformance.checks import Check
from pyshim.conformance.layout import Header, Kind
from pyshim.conformance.loop import Script, Steps
from pyshim.conformance.peer import SILENCE_S, StoppedError
from pyshim.conformance.scenario import Scenario

CHALLENGE = Check("challenge", "3", "A HELLO is answered by a CHALLENGE of 68 bytes with its nonce")
CHALLENGE_PROOF = Check(
    "challenge-proof", "3", "The proof of a CHALLENGE is made with the key of the session"
)
COOKIES_DIFFER = Check("cookies-differ", "3", "Two HELLOs with different nonces get different cookies")
HELLO_REFUSED = Check(
    "hello-refused", "2", "A HELLO with another length, flag, counter or padding is not answered"
)
HELLO_VERSION = Check(
    "hello-version",
    "3",
    "A HELLO of another version gets DENIED 2, with the versions spoken and a proof of 0",
)
UNKNOWN_HELLO = Check(
    "unknown-hello", "3", "A HELLO for a number never issued gets a CHALLENGE like any other"
)
UNKNOWN_CONFIRM = Check("unknown-confirm", "3", "A CONFIRM for a number never issued gets nothing")
OTHER_GATEWAY = Check("other-gateway", "1", "A number of another gateway is not answered")
CONFIRM_REFUSED = Check(
    "confirm-refused",
    "3",
    "A CONFIRM with a wrong proof, cookie, nonce, address, size, share or padding gets nothing",
)
CONFIRM_VERSION = Check(
    "confirm-version", "3", "A CONFIRM of another version gets DENIED 2 or nothing, never a WELCOME"
)
COOKIE_LIVES = Check("cookie-lives", "3", "A cookie is good for nearly 4 s")
COOKIE_DIES = Check("cookie-dies", "3", "A cookie is good for no more than 4 s")
COOKIE_OLDER = Check(
    "cookie-older", "3", "A CONFIRM whose cookie is older than the last accepted one is dropped"
)
WELCOME_REPEATED = Check(
    "welcome-repeated",
    "3",
    "A repeated CONFIRM gets the same server nonce and share, in a WELCOME of the next counter",
)
WELCOME_SMALLER = Check(
    "welcome-smaller", "3", "Before DATA a repeated CONFIRM may ask for less, and its WELCOME grants that"
)
WELCOME_LARGER = Check(
    "welcome-larger", "3", "To a repeated CONFIRM that asks for more the WELCOME is as long as before"
)
SIZES = Check("sizes", "3", "Each of 1,400, 1,232, 1,000 and 508 bytes is granted")
NEW_KEYS = Check(
    "new-keys", "3", "A CONFIRM with a newer cookie gets another server nonce and begins with counter 1"
)
OLD_KEYS = Check(
    "old-keys", "3", "After another CONFIRM was accepted and its keys used, the keys before are dead"
)
ONCE_LOST = Check(
    "once-lost", "3", "A ticket for one confirmation stands until DATA came, whatever became of WELCOMEs"
)
ONCE_USED = Check(
    "once-used", "3", "A ticket for one confirmation that was used gets DENIED 5 with a right proof"
)
REVOKED = Check(
    "revoked", "3", "A revoked session is closed with reason 4, and its CONFIRM gets DENIED 4, proved"
)
EXPIRED = Check(
    "expired", "3", "An expired session is closed with reason 3, and its CONFIRM gets DENIED 3, proved"
)


def hello(player: Player) -> Script:
    """HELLOs are answered."""
    first = yield from player.ask()
    second = yield from player.ask()
    for asked in (first, second):
        datagram = asked.challenge.datagram
        player.verdicts.judge(
            CHALLENGE,
            len(datagram) == layout.CHALLENGE_BYTES,
            f"{asked.challenge} with the nonce of the HELLO",
        )
        proved = layout.challenge_is_proved(datagram, player.ticket.key)
        player.verdicts.judge(CHALLENGE_PROOF, proved, "a right proof" if proved else "a wrong proof")
    differ = first.cookie != second.cookie
    player.verdicts.judge(COOKIES_DIFFER, differ, f"{first.cookie.hex()} and {second.cookie.hex()}")


def _wrong_hellos(session: int, nonce: bytes) -> Iterator[tuple[str, bytes]]:
    right = layout.pack_hello(session, nonce)
    body = right[layout.HEADER_BYTES :]

    def with_header(**fields: int) -> bytes:
        known = {"kind": 1, "length": 72, "session": session}
        return Header(**(known | fields)).pack() + body

    yield "71 bytes", with_header(length=71)[:-1]
    yield "73 bytes", with_header(length=73) + b"\0"
    yield "a length field of 71 in 72 bytes", with_header(length=71)
    yield "a flag", with_header(flags=1)
    yield "a counter", with_header(counter=1)
    yield "kind 0", with_header(kind=0)
    yield "kind 2, of the other direction", with_header(kind=2)
    yield "kind 12", with_header(kind=12)
    yield "a reserved field of 1", layout.pack_hello(session, nonce, reserved=1)
    yield "padding that is not 0", layout.pack_hello(session, nonce, padding=bytes(39) + b"\1")


def hellos_refused(player: Player) -> Script:
    """Broken HELLOs, each of which is to be met with silence."""
    yield from player.ask()  # somebody answers at all
    names = [name for name, _ in _wrong_hellos(player.ticket.session, bytes(16))]
    nonces = [os.urandom(16) for _ in names]
    for number, nonce in enumerate(nonces):
        datagram = list(_wrong_hellos(player.ticket.session, nonce))[number][1]
        player.send(datagram)
        yield from player.pause(0.05)
    player.send(b"\1\0\5\0\0")
    yield from player.pause(SILENCE_S)
    answered = [
        name
        for name, nonce in zip(names, nonces, strict=True)
        if any(nonce in one.datagram for one in player.heard)
    ]
    player.verdicts.judge(
        HELLO_REFUSED, not answered, f"answered was the one with {answered[0]}" if answered else "silence"
    )


def hello_version(player: Player) -> Script:
    """A HELLO of a version that nobody speaks."""
    nonce = os.urandom(16)
    heard = None
    for _ in range(3):
        player.send(layout.pack_hello(player.ticket.session, nonce, version=999))
        heard = yield from player.expect(lambda heard: nonce in heard.datagram, 2.0)
        if heard is not None:
            break
    if heard is None:
        player.verdicts.judge(HELLO_VERSION, False, "nothing came")
        return
    datagram = heard.datagram
    right = heard.kind == Kind.DENIED and datagram[28] == 2 and not any(datagram[32:48])
    versions = list(datagram[29:32])
    holds = right and 2 in versions and versions == sorted(versions, reverse=True)
    player.verdicts.judge(HELLO_VERSION, holds, f"{heard}: {datagram[12:].hex()}")


def unknown_numbers(player: Player) -> Script:
    """Numbers that this gateway never issued, and those of another gateway."""
    own = player.ticket
    nonce = os.urandom(16)
    unknown = own.session ^ 0x5A5  # below the gateway's bits
    player.rules.allow(unknown)
    heard = None
    for _ in range(3):
        player.send(layout.pack_hello(unknown, nonce))
        heard = yield from player.expect(lambda heard: nonce in heard.datagram, 2.0)
        if heard is not None:
            break
    right = (
        heard is not None and heard.kind == Kind.CHALLENGE and len(heard.datagram) == layout.CHALLENGE_BYTES
    )
    player.verdicts.judge(UNKNOWN_HELLO, right, f"{heard or 'nothing'} came")
    if heard is not None and right:
        share = layout.Secret().share
        player.send(layout.pack_confirm(unknown, nonce, heard.datagram[28:52], share, own.key))
        answer = yield from player.expect(lambda heard: heard.kind in (Kind.WELCOME, Kind.DENIED), SILENCE_S)
        player.verdicts.judge(UNKNOWN_CONFIRM, answer is None, f"{answer or 'nothing'} came")
    yield from player.ask()
    elsewhere = own.session ^ 0x80000000
    player.rules.allow(elsewhere)
    nonce = os.urandom(16)
    player.send(layout.pack_hello(elsewhere, nonce))
    answer = yield from player.expect(lambda heard: nonce in heard.datagram, SILENCE_S)
    player.verdicts.judge(OTHER_GATEWAY, answer is None, f"{answer or 'nothing'} came")


def _wrong_confirms(player: Player, asked: Asked) -> Iterator[tuple[str, bytes, int]]:
    session, key = player.ticket.session, player.ticket.key

    def confirm(  # noqa: PLR0913 - what can be wrong
        *,
        nonce: bytes = asked.nonce,
        cookie: bytes = asked.cookie,
        share: bytes = asked.secret.share,
        proved_with: bytes = key,
        size: int = 1200,
        said: int | None = None,
        padding: bytes = b"",
    ) -> bytes:
        return layout.pack_confirm(
            session, nonce, cookie, share, proved_with, size=size, said=said, padding=padding
        )

    yield "a wrong proof", confirm(proved_with=bytes(32)), 0
    changed = bytes([asked.cookie[0] ^ 1]) + asked.cookie[1:]
    yield "a cookie that was changed", confirm(cookie=changed), 0
    yield "another nonce", confirm(nonce=os.urandom(16)), 0
    yield "another address", confirm(), 1
    yield "507 bytes", confirm(size=507), 0
    yield "1,401 bytes", confirm(size=1401), 0
    yield "a max_datagram that is not its length", confirm(said=1199), 0
    yield "a share of 0", confirm(share=bytes(32)), 0
    yield "padding that is not 0", confirm(padding=b"\0\0\1"), 0


def confirms_refused(player: Player) -> Script:
    """Broken CONFIRMs, each with a cookie of its own, and each to be met with silence."""
    count = len(list(_wrong_confirms(player, (yield from player.ask()))))
    answered = ""
    for number in range(count):
        asked = yield from player.ask()
        name, datagram, via = list(_wrong_confirms(player, asked))[number]
        player.send(datagram, via)
        heard = yield from player.expect(lambda heard: heard.kind in (Kind.WELCOME, Kind.DENIED), 0.3)
        if heard is not None and not answered:
            answered = f"the one with {name} got {heard}"
    player.verdicts.judge(CONFIRM_REFUSED, not answered, answered or "silence")
    asked = yield from player.ask()
    player.send(
        layout.pack_confirm(
            player.ticket.session,
            asked.nonce,
            asked.cookie,
            asked.secret.share,
            player.ticket.key,
            version=999,
        )
    )
    heard = yield from player.expect(lambda heard: heard.kind in (Kind.WELCOME, Kind.DENIED), SILENCE_S)
    holds = heard is None or (
        heard.kind == Kind.DENIED and heard.datagram[28] == 2 and not any(heard.datagram[32:48])
    )
    player.verdicts.judge(CONFIRM_VERSION, holds, f"{heard or 'nothing'} came")


def cookie_age(player: Player) -> Script:
    """A cookie that is used late, and one that is used too late."""
    asked = yield from player.ask()
    yield from player.pause(2.5)
    granted = yield from _granted(player, asked)
    player.verdicts.judge(COOKIE_LIVES, granted, f"{'a WELCOME' if granted else 'nothing'} came after 2.5 s")
    asked = yield from player.ask()
    yield from player.pause(6.0)
    granted = yield from _granted(player, asked)
    player.verdicts.judge(COOKIE_DIES, not granted, f"{'a WELCOME' if granted else 'nothing'} came after 6 s")


def _granted(player: Player, asked: Asked) -> Steps[bool]:
    """Whether a CONFIRM gets a WELCOME."""
    player.confirm(asked)
    heard = yield from player.expect(lambda heard: heard.kind == Kind.WELCOME, 2 * SILENCE_S)
    return heard is not None


def cookie_order(player: Player) -> Script:
    """Two cookies, confirmed in the wrong order."""
    older = yield from player.ask()
    yield from player.pause(0.1)
    newer = yield from player.ask()
    traffic = yield from player.welcomed(newer)
    player.say(traffic)
    granted = yield from _granted(player, older)
    player.verdicts.judge(
        COOKIE_OLDER, not granted, f"{'a WELCOME' if granted else 'nothing'} came for the older one"
    )


def welcome(player: Player) -> Script:
    """A CONFIRM, its repetition, and sizes that change."""
    asked = yield from player.ask()
    traffic = yield from player.welcomed(asked, 1000)
    for size, granted, check in (
        (1000, 1000, WELCOME_REPEATED),
        (508, 508, WELCOME_SMALLER),
        (1000, 508, WELCOME_LARGER),
    ):
        before = len(traffic.heard)
        player.confirm(asked, size)
        heard = yield from player.expect(lambda heard: heard.kind == Kind.WELCOME)
        if heard is None:
            player.verdicts.judge(check, False, f"nothing came for a repeated CONFIRM of {size} bytes")
            continue
        same = heard.traffic is traffic and heard.counter > traffic.heard[before - 1].counter
        player.verdicts.judge(
            check,
            same and len(heard.datagram) == granted,
            f"{heard} with {'the same' if same else 'another'} server nonce and share came for {size} bytes",
        )


def sizes(player: Player) -> Script:
    """Each size that a client tries."""
    for size in layout.DATAGRAM_SIZES:
        traffic = yield from player.connect(size)
        player.verdicts.judge(SIZES, traffic.size == size, f"{traffic.size} bytes were granted for {size}")


def reconnect(player: Player) -> Script:
    """The same ticket, confirmed again while it is connected."""
    before = yield from player.connect()
    after = yield from player.connect()
    first = after.heard[0]
    player.verdicts.judge(
        NEW_KEYS, after is not before and first.counter == 1, f"counter {first.counter} came first"
    )
    lives = yield from player.alive(after)
    if not lives:
        raise StoppedError("no PING under the new keys was answered")
    answered = yield from player.alive(before)
    player.verdicts.judge(
        OLD_KEYS, not answered, f"a PING under the old keys was {'answered' if answered else 'not'}"
    )


def once(player: Player) -> Script:
    """A ticket for one confirmation whose first WELCOME is taken for lost."""
    yield from player.welcomed((yield from player.ask()))
    asked = yield from player.ask()
    player.confirm(asked)
    heard = yield from player.expect(lambda heard: heard.kind in (Kind.WELCOME, Kind.DENIED))
    stands = heard is not None and heard.kind == Kind.WELCOME
    player.verdicts.judge(ONCE_LOST, stands, f"{heard or 'nothing'} came for another CONFIRM before DATA")
    if heard is None or heard.traffic is None:
        return
    player.say(heard.traffic, layout.Message(4, b"", 3, 0), wants=1)
    yield from player.alive(heard.traffic)
    yield from _denied(player, ONCE_USED, 5)


def _denied(player: Player, check: Check, reason: int) -> Script:
    """A CONFIRM that gets DENIED."""
    asked = yield from player.ask()
    heard = None
    for _ in range(3):
        player.confirm(asked)
        heard = yield from player.expect(lambda heard: heard.kind in (Kind.WELCOME, Kind.DENIED), 1.0)
        if heard is not None:
            break
    if heard is None or heard.kind != Kind.DENIED:
        player.verdicts.judge(check, False, f"{heard or 'nothing'} came; DENIED {reason} was to come")
        return
    datagram = heard.datagram
    right = datagram[12:28] == asked.nonce and layout.denied_is_proved(datagram, player.ticket.key)
    player.verdicts.judge(
        check,
        right and datagram[28] == reason,
        f"DENIED {datagram[28]} with a {'right' if right else 'wrong'} nonce and proof",
    )


def revoked(player: Player) -> Script:
    """A session that is revoked while its player is connected."""
    traffic = yield from player.connect()
    yield from player.alive(traffic)
    player.issuer.revoke(player.ticket.session)
    reason = yield from player.closed(traffic)
    player.verdicts.judge(REVOKED, reason == 4, f"CLOSE {reason} came" if reason else "no CLOSE came")
    yield from _denied(player, REVOKED, 4)


def expired(player: Player) -> Script:
    """A session of a few seconds."""
    traffic = yield from player.connect()
    yield from player.alive(traffic)
    yield from player.pause(player.welcome(traffic).expires_in_s)
    reason = yield from player.closed(traffic)
    player.verdicts.judge(EXPIRED, reason == 3, f"CLOSE {reason} came" if reason else "no CLOSE came")
    yield from _denied(player, EXPIRED, 3)


SCENARIOS = (
    Scenario(hello, (CHALLENGE, CHALLENGE_PROOF, COOKIES_DIFFER)),
    Scenario(hellos_refused, (HELLO_REFUSED,)),
    Scenario(hello_version, (HELLO_VERSION,)),
    Scenario(unknown_numbers, (UNKNOWN_HELLO, UNKNOWN_CONFIRM, OTHER_GATEWAY)),
    Scenario(confirms_refused, (CONFIRM_REFUSED, CONFIRM_VERSION)),
    Scenario(cookie_age, (COOKIE_LIVES, COOKIE_DIES)),
    Scenario(cookie_order, (COOKIE_OLDER,)),
    Scenario(welcome, (WELCOME_LAYOUT, WELCOME_REPEATED, WELCOME_SMALLER, WELCOME_LARGER)),
    Scenario(sizes, (SIZES,)),
    Scenario(reconnect, (NEW_KEYS, OLD_KEYS)),
    Scenario(once, (ONCE_LOST, ONCE_USED), once=True),
    Scenario(revoked, (REVOKED,)),
    Scenario(expired, (EXPIRED,), ttl_s=4),
)

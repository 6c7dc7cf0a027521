# SPDX-License-Identifier: BSD-3-Clause
"""Against a client: section 3, from its first HELLO to a WELCOME that it takes, past many that it drops."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise, takewhile

from pyshim.conformance import layout
from pyshim.conformance.as_gateway import STARTS_S, Gateway, Setting
from pyshim.conformance.checks import Check
from pyshim.conformance.layout import Kind
from pyshim.conformance.loop import Script
from pyshim.conformance.peer import PATIENCE_S, Heard, StoppedError
from pyshim.conformance.scenario import Scenario

HELLO_REPEATS = Check(
    "hello-repeats", "3", "A HELLO is repeated after 250 ms, then after twice the time before, up to 2 s"
)
HELLO_SAME = Check("hello-same", "3", "A repeated HELLO has the nonce of the first")
CHALLENGE_FORGED = Check(
    "challenge-forged",
    "3",
    "A CHALLENGE with a wrong proof, nonce, length or address is dropped, and the right one taken",
)
CHALLENGE_FIRST = Check("challenge-first", "3", "Of two right CHALLENGEs of one nonce the first is taken")
CONFIRM_REPEATS = Check(
    "confirm-repeats", "3", "A CONFIRM is repeated after 250 ms, then after twice the time before, up to 2 s"
)
CONFIRM_SMALLER = Check(
    "confirm-smaller",
    "3",
    "When two CONFIRMs of one size bring nothing, the next of 1,400, 1,232, 1,000, 508 is asked for",
)
COOKIE_ANEW = Check(
    "cookie-anew", "3", "4 s after its CHALLENGE came a client asks for another cookie, with another nonce"
)
WELCOME_LATE = Check("welcome-late", "3", "A WELCOME for a nonce that was left is dropped")
WELCOME_REFUSED = Check(
    "welcome-refused",
    "3",
    "A WELCOME with a wrong tag, length, padding or share, or for more than was asked, is dropped",
)
WELCOME_TAKEN = Check("welcome-taken", "3", "After those the right WELCOME is taken")
WELCOME_GRANTS = Check(
    "welcome-grants", "3", "A WELCOME that grants less is taken, and nothing longer is sent"
)
WELCOME_LOST = Check("welcome-lost", "3", "A WELCOME of the second counter is taken, when the first was lost")
SPEAKS = Check("speaks", "3", "A client that took a WELCOME says something at once")
DENIED_VERSION = Check("denied-version", "3", "DENIED 2 ends no attempt: anybody can have sent it")
DENIED_FORGED = Check("denied-forged", "3", "A DENIED with a wrong proof or another nonce is dropped")
DENIED = Check("denied", "3", "A DENIED with the right nonce and proof ends the attempt")


def _judge_times(gateway: Gateway, check: Check, heard: Sequence[Heard]) -> None:
    """Whether repetitions came at about 250 ms, 500 ms, 1 s, 2 s: one that is late is judged mildly."""
    expected_s, due_s = 0.25, heard[0].at_s
    for before, after in pairwise(heard):
        took_s = after.at_s - before.at_s
        due_s += 0.7 * expected_s
        # Who was held up may be late with one and not with the next: only the sum is early for certain.
        gateway.verdicts.judge(
            check,
            after.at_s >= due_s and took_s <= 2 * expected_s + 4,
            f"a repetition came after {took_s * 1000:.0f} ms, where {expected_s * 1000:.0f} are expected",
        )
        expected_s = min(2.0, 2 * expected_s)


def hello_lost(gateway: Gateway) -> Script:
    """The first HELLOs are lost."""
    gateway.handshake.challenges = False
    gateway.start()
    heard = [(yield from gateway.hello())]
    while len(heard) < 4:
        following = yield from gateway.expect(lambda one: one.kind == Kind.HELLO)
        if following is None:
            gateway.verdicts.judge(HELLO_REPEATS, False, f"no further HELLO came after {len(heard)}")
            return
        heard.append(following)
    _judge_times(gateway, HELLO_REPEATS, heard)
    nonces = {one.datagram[16:32] for one in heard}
    gateway.verdicts.judge(HELLO_SAME, len(nonces) == 1, f"{len(nonces)} nonces came in {len(heard)} HELLOs")
    gateway.handshake.challenges = True
    gateway.challenge(heard[-1].datagram[16:32])
    yield from gateway.connected()


def challenges(gateway: Gateway) -> Script:
    """Forged CHALLENGEs, then two right ones."""
    gateway.handshake.challenges = False
    gateway.start()
    first = yield from gateway.hello()
    nonce, session, key = first.datagram[16:32], gateway.ticket.session, gateway.ticket.key
    right = layout.pack_challenge(session, nonce, gateway.cookies[nonce], key)
    forged = os.urandom(24)
    gateway.send(layout.pack_challenge(session, nonce, forged, bytes(32)))
    gateway.send(layout.pack_challenge(session, os.urandom(16), forged, key))
    gateway.send(layout.pack_challenge(session ^ 1, nonce, forged, key))
    gateway.send(right[:2] + b"\x43\0" + right[4:-1])
    gateway.send(right[:1] + b"\1" + right[2:])
    gateway.send(layout.pack_challenge(session, nonce, forged, key), via=1)
    early = yield from gateway.expect(lambda one: one.kind == Kind.CONFIRM, 0.2)
    if early is not None:
        gateway.verdicts.judge(CHALLENGE_FORGED, False, "a CONFIRM came after a forged CHALLENGE")
        return
    # The HELLO may have been repeated meanwhile; with another nonce it is another attempt.
    nonce = next(one.datagram[16:32] for one in reversed(gateway.heard) if one.kind == Kind.HELLO)
    gateway.challenge(nonce)
    gateway.send(layout.pack_challenge(session, nonce, os.urandom(24), key))
    confirm = yield from gateway.expect(lambda one: one.kind == Kind.CONFIRM)
    if confirm is None:
        gateway.verdicts.judge(
            CHALLENGE_FORGED, False, "no CONFIRM came for the right CHALLENGE after forged ones"
        )
        return
    cookie = confirm.datagram[32:56]
    gateway.verdicts.judge(CHALLENGE_FORGED, cookie != forged, "a CONFIRM for the right one came")
    first_one = cookie == gateway.cookies[nonce]
    gateway.verdicts.judge(
        CHALLENGE_FIRST, first_one, f"the cookie of {'the first' if first_one else 'another'} came"
    )


def confirm_lost(gateway: Gateway) -> Script:
    """CONFIRMs of more than 1,000 bytes are lost."""
    gateway.handshake.welcomes = False
    gateway.start()
    nonce = (yield from gateway.confirm(STARTS_S)).datagram[16:32]
    until = gateway.now() + 12
    yield from gateway.listen(until, lambda one: one.kind == Kind.CONFIRM and len(one.datagram) <= 1000)
    confirms = [one for one in gateway.heard if one.kind == Kind.CONFIRM]
    _judge_times(gateway, CONFIRM_REPEATS, [one for one in confirms if one.datagram[16:32] == nonce][:4])
    sizes = [len(one.datagram) for one in confirms]
    tried = list(dict.fromkeys(sizes))
    steps = [at for at, size in enumerate(sizes) if at and size != sizes[at - 1]]
    falls = all(size in layout.DATAGRAM_SIZES for size in tried) and tried == sorted(tried, reverse=True)
    holds = (
        falls and tried[-1] <= 1000 and all(sizes.count(size) >= 2 for size in tried[:-1]) and len(steps) < 4
    )
    gateway.verdicts.judge(CONFIRM_SMALLER, holds, f"CONFIRMs of {sizes} bytes came")
    gateway.handshake.welcomes = True
    gateway.welcome(confirms[-1])
    yield from gateway.connected()


def cookie_old(gateway: Gateway) -> Script:
    """No CONFIRM of the first nonce is answered, until the client has left it."""
    gateway.handshake.welcomes = False
    gateway.start()
    first = yield from gateway.confirm(STARTS_S)
    nonce = first.datagram[16:32]
    challenged_s = first.at_s
    gateway.handshake.challenges = False
    anew = yield from gateway.expect(
        lambda one: one.kind == Kind.HELLO and one.datagram[16:32] != nonce, 4 + PATIENCE_S
    )
    if anew is None:
        gateway.verdicts.judge(COOKIE_ANEW, False, "no HELLO with another nonce came within 10 s")
        return
    took_s = anew.at_s - challenged_s
    gateway.verdicts.judge(COOKIE_ANEW, took_s > 2.5, f"a HELLO with another nonce came after {took_s:.1f} s")
    last = next(one for one in reversed(gateway.heard) if one.kind == Kind.CONFIRM)
    late = gateway.welcome(last)
    yield from gateway.pause(0.1)
    gateway.handshake.challenges = gateway.handshake.welcomes = True
    gateway.challenge(anew.datagram[16:32])
    yield from gateway.connected()
    yield from gateway.pause(0.3)
    dropped = not late.heard
    gateway.verdicts.judge(WELCOME_LATE, dropped, f"the keys of the late WELCOME were {'not ' * dropped}used")


def welcomes(gateway: Gateway) -> Script:
    """WELCOMEs that are wrong, then a right one."""
    gateway.handshake.welcomes = False
    gateway.start()
    confirm = yield from gateway.confirm(STARTS_S)
    size = len(confirm.datagram)
    wrong = []

    def say(name: str, **fields: int | bytes) -> None:
        share = fields.pop("share", None)
        made = gateway.traffic_of(confirm, anew=True, share=share if isinstance(share, bytes) else None)
        gateway.welcome(confirm, made, **fields)  # type: ignore[arg-type]
        wrong.append((name, made))

    say("a wrong tag", tag=1)
    say("a max_datagram that is not its length", said=size - 8)
    say("padding that is not 0", padding=b"\1")
    say("a share of 0", share=bytes(32))
    if size < layout.DATAGRAM_SIZES[0]:
        say("more than was asked for", size=layout.DATAGRAM_SIZES[0])
    yield from gateway.pause(0.15)
    smaller = yield from gateway.expect(lambda one: one.kind == Kind.CONFIRM and len(one.datagram) < size)
    if smaller is not None:
        confirm = smaller
        say("more than was asked for last", size=size)
        yield from gateway.pause(0.15)
    used = next((name for name, made in wrong if made.heard), "")
    gateway.verdicts.judge(
        WELCOME_REFUSED, not used, f"one with {used} was taken" if used else "each was dropped"
    )
    if used:
        return
    last = next(one for one in reversed(gateway.heard) if one.kind == Kind.CONFIRM)
    right = gateway.welcome(last)
    gateway.handshake.welcomes = True
    try:
        traffic = yield from gateway.connected()
    except StoppedError as why:
        gateway.verdicts.judge(WELCOME_TAKEN, False, str(why))
        return
    gateway.verdicts.judge(WELCOME_TAKEN, True, f"it was taken, {'at once' if traffic is right else 'later'}")


def welcome_smaller(gateway: Gateway) -> Script:
    """A gateway that grants 508 bytes."""
    gateway.start()
    try:
        traffic = yield from gateway.connected(STARTS_S)
    except StoppedError as why:
        gateway.verdicts.judge(WELCOME_GRANTS, False, str(why))
        return
    yield from gateway.pause(3.0)
    unproved = takewhile(lambda one: one.kind != Kind.PROBE, traffic.heard)
    longest = max((len(one.datagram) for one in unproved), default=0)
    asked = [len(one.datagram) for one in gateway.heard if one.kind == Kind.CONFIRM]
    taken = asked[-1] > 508 or asked[0] <= 508  # else it dropped what granted less than it asked for
    gateway.verdicts.judge(
        WELCOME_GRANTS,
        taken and longest <= 508,
        f"CONFIRMs of {asked}, then datagrams of up to {longest} bytes came",
    )


def welcome_lost(gateway: Gateway) -> Script:
    """The first WELCOME is lost."""
    gateway.handshake.welcomes = False
    gateway.start()
    confirm = yield from gateway.confirm(STARTS_S)
    first = gateway.welcome(confirm, is_lost=True)
    again = yield from gateway.confirm()
    gateway.welcome(again)
    gateway.handshake.welcomes = True
    said_s = gateway.now()
    try:
        traffic = yield from gateway.connected()
    except StoppedError as why:
        gateway.verdicts.judge(WELCOME_LOST, False, str(why))
        return
    same = traffic is first
    gateway.verdicts.judge(
        WELCOME_LOST, same, f"{traffic.heard[0]} came under {'its' if same else 'other'} keys"
    )
    took_s = traffic.heard[0].at_s - said_s
    gateway.verdicts.judge(SPEAKS, took_s < 4.0, f"{traffic.heard[0]} came {took_s:.1f} s after WELCOME")


def denied_forged(gateway: Gateway) -> Script:
    """DENIED that everybody could have sent."""
    gateway.handshake.challenges = gateway.handshake.welcomes = False
    gateway.start()
    first = yield from gateway.hello()
    nonce, session = first.datagram[16:32], gateway.ticket.session
    gateway.send(layout.pack_denied(session, nonce, 2, None, b"\3\0\0"))
    again = yield from gateway.expect(lambda one: one.kind == Kind.HELLO)
    gateway.verdicts.judge(DENIED_VERSION, again is not None, f"{again or 'nothing'} came afterwards")
    if again is None:
        return
    gateway.handshake.challenges = True
    gateway.challenge(again.datagram[16:32])
    confirm = yield from gateway.confirm()
    nonce = confirm.datagram[16:32]
    gateway.send(layout.pack_denied(session, nonce, 4, bytes(32)))
    gateway.send(layout.pack_denied(session, nonce, 5, None))
    gateway.send(layout.pack_denied(session, os.urandom(16), 6, gateway.ticket.key))
    after = yield from gateway.expect(lambda one: one.kind == Kind.CONFIRM and one.datagram[16:32] == nonce)
    gateway.verdicts.judge(
        DENIED_FORGED, after is not None, f"{after or 'nothing'} came for the same nonce afterwards"
    )


def denied(gateway: Gateway) -> Script:
    """DENIED as it should be."""
    gateway.handshake.welcomes = False
    gateway.start()
    confirm = yield from gateway.confirm(STARTS_S)
    nonce = confirm.datagram[16:32]
    gateway.send(layout.pack_denied(gateway.ticket.session, nonce, 5, gateway.ticket.key))
    yield from gateway.pause(1.0)
    before = len(gateway.heard)
    yield from gateway.pause(3.0)
    more = [one for one in gateway.heard[before:] if one.datagram[16:32] == nonce]
    gateway.verdicts.judge(
        DENIED, not more, f"{more[0] if more else 'nothing'} came for that nonce afterwards"
    )


SCENARIOS = (
    Scenario(hello_lost, (HELLO_REPEATS, HELLO_SAME)),
    Scenario(challenges, (CHALLENGE_FORGED, CHALLENGE_FIRST)),
    Scenario(confirm_lost, (CONFIRM_REPEATS, CONFIRM_SMALLER)),
    Scenario(cookie_old, (COOKIE_ANEW, WELCOME_LATE)),
    Scenario(welcomes, (WELCOME_REFUSED, WELCOME_TAKEN)),
    Scenario(welcome_smaller, (WELCOME_GRANTS,), setting=Setting(idle_timeout_ms=3000, grants=508)),
    Scenario(welcome_lost, (WELCOME_LOST, SPEAKS), setting=Setting(idle_timeout_ms=15_000)),
    Scenario(denied_forged, (DENIED_VERSION, DENIED_FORGED)),
    Scenario(denied, (DENIED,)),
)

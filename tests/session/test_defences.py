# SPDX-License-Identifier: BSD-3-Clause
"""What strangers and greedy players can do to a gateway: each attack beside a player who goes on."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path
from random import Random

import pytest

from pyshim._native._pollgate import ffi, lib
from pyshim.config import Config
from pyshim.dataplane import Datagram
from pyshim.plan import DEFAULT_DELIVERY, REQUEST_TYPES, DeliveryPolicy, ListenerPolicy, Policy
from pyshim.planner import policy_of
from pyshim.protocol.client import Connected, Denied
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.client.ticket import Ticket
from pyshim.protocol.session_crypto import BadTagError, DirectionKey, TrafficKeys, derive
from pyshim.protocol.session_wire import (
    DATAGRAM_MAX_BYTES,
    Denial,
    Kind,
    MessageType,
    confirm_without_proof,
    move_body,
    pack_hello,
    read_header,
)
from pyshim.sessions import NoRoomError
from tests.session.core_gateway import NO_LIMITS, CoreGateway, plan
from tests.session.internet import Internet, Player, Weather
from tests.session.test_client import say, texts

BURST = 64
MIB = 1 << 20
STRANGER = 1000  # an address that no player has


def policy(limits: ListenerPolicy | None = None, delivery: DeliveryPolicy = NO_LIMITS) -> Policy:
    return Policy(30.0, 0, 1, (limits or ListenerPolicy(0, 1),), delivery)


def as_configured() -> Policy:
    """What who writes nothing but `profile: session` gets."""
    ports = [{"name": "game0", "address": ["127.0.0.1/8"]}]
    listen = [{"port": 8081, "profile": "session"}]
    return policy_of(Config.model_validate({"engine": "epoll", "ports": ports, "listen": listen}))


@pytest.fixture
def gateway() -> Iterator[CoreGateway]:
    """One without limits: what holds even then."""
    with CoreGateway(plan(policy())) as it:
        yield it


def join(internet: Internet, ticket: Ticket) -> Player:
    player = internet.join(ticket)
    assert internet.run(30, lambda: player.session.is_connected), player.session.failure
    return player


MOVE = move_body((1.0, 2.0, 3.0), (0.0, 0.0, 0.0))


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def state_of(gateway: CoreGateway) -> bytes:
    """The session state, byte for byte."""
    size = lib.pg_state_size(64, 1, 64)
    return bytes(ffi.buffer(gateway.core.native_state, size))


def forged(session: int, sequence: int, random: Random, size: int = 100, kind: Kind = Kind.DATA) -> bytes:
    """A sealed datagram by somebody who knows a session's number and nothing else."""
    head = struct.pack("<BBHIIII", kind, 0, size, session, sequence & 0xFFFFFFFF, sequence, 0xFFFFFFFF)
    return head + random.randbytes(size - len(head))


# ---------------------------------------------------------------- strangers


def test_a_million_spoofed_hellos_leave_nothing_behind_and_get_no_more_than_they_bring() -> None:
    count, random = 1_000_000, Random(1)
    with CoreGateway(plan(as_configured())) as gateway:
        internet = Internet(gateway)
        alice = join(internet, gateway.issue(7))
        target = gateway.issue(8)
        hello = pack_hello(target.session, bytes(16))
        came, left, drops = 0, 0, Counter[str | None]()

        def wave(size: int) -> None:
            nonlocal came, left
            for _ in range(size // BURST):
                nonces = random.randbytes(16 * BURST)
                datagrams = [hello[:24] + nonces[16 * k : 16 * k + 16] + hello[40:] for k in range(BURST)]
                sources = [random.randrange(1 << 20, 1 << 23) for _ in range(BURST)]
                internet.now += BURST / 1e6  # a million a second
                for drop, answer in gateway.burst(sources, datagrams, internet.now):
                    drops[drop] += 1
                    came += len(hello)
                    left += len(answer)

        wave(BURST * 1000)  # so that everything that is made once is made
        before, memory = state_of(gateway), resident_bytes()
        already = gateway.stats()
        wave(count - BURST * 1000)
        assert resident_bytes() - memory < MIB
        assert state_of(gateway) == before
        assert left <= came
        assert sum(drops.values()) == count
        assert drops.keys() <= {None, "source_rate_limited", "connection_rate_limited", "handshake_budget"}
        stats = gateway.stats()
        assert (stats.connected, stats.connections, stats.sessions_active) == (1, already.connections, 0)
        assert stats.handled["session_hello"] == drops[None] + 1
        gateway.check_books()
        # She never noticed, and who has a key gets in.
        delivery = say(internet, alice, "still here", to=7)
        assert internet.run(5, lambda: delivery.done)
        assert delivery.failure is None
        join(internet, target)


def requests(ticket: Ticket, unknown: int, random: Random) -> Iterator[bytes]:
    """Whatever a stranger may send: every kind, for a session that is and one that is not."""
    for session in (ticket.session, unknown, 0):
        nonce = random.randbytes(16)
        for version in (1, 2):
            yield pack_hello(session, nonce, version)
        for size in (508, 1400):
            body = confirm_without_proof(session, size, nonce, random.randbytes(24))
            yield body + random.randbytes(16)
        for kind in range(12):
            for size in (0, 1, 16):
                head = struct.pack("<BBHIIII", kind, 0, 20 + size, session, 1, 0, 0)
                yield head + random.randbytes(size)
        yield pack_hello(session, nonce)[:-1]
        yield forged(session, 1, random, 36)


def test_no_stranger_gets_more_bytes_than_he_sent(gateway: CoreGateway) -> None:
    internet, random = Internet(gateway), Random(2)
    ticket = gateway.issue(7)
    alice = join(internet, ticket)
    asked = answered = 0
    for at, datagram in enumerate(requests(ticket, ticket.session ^ 0x00F00000, random)):
        ((_, answer),) = gateway.burst([STRANGER + at], [datagram], internet.now)
        assert len(answer) <= len(datagram), Kind(datagram[0])
        asked += 1
        answered += answer != b""
    assert 0 < answered < asked
    heard = internet.run(10, lambda: any(address >= STRANGER for address, _ in gateway.due(internet.now)))
    assert not heard  # nothing is repeated to who asked once
    assert alice.session.is_connected
    gateway.check_books()


def test_confirm_with_a_strangers_cookie_or_a_guessed_key_changes_nothing(gateway: CoreGateway) -> None:
    internet, random = Internet(gateway), Random(3)
    ticket = gateway.issue(7)
    nonce = random.randbytes(16)
    ((_, challenge),) = gateway.burst([STRANGER], [pack_hello(ticket.session, nonce)], internet.now)
    cookie = challenge[36:60]
    confirm = confirm_without_proof(ticket.session, 508, nonce, cookie) + random.randbytes(16)
    before = state_of(gateway)
    attempts = [
        (STRANGER, confirm, "bad_proof"),  # a right cookie, no key
        (STRANGER + 1, confirm, "cookie_forged"),  # of another address
        (STRANGER, confirm.replace(nonce, random.randbytes(16)), "cookie_forged"),
        (STRANGER, confirm.replace(cookie, random.randbytes(24)), "cookie_forged"),
    ]
    for source, datagram, reason in attempts:
        assert gateway.burst([source], [datagram], internet.now) == [(reason, b"")]
    assert gateway.burst([STRANGER], [confirm], internet.now + 5) == [("cookie_old", b"")]
    assert state_of(gateway) == before
    assert gateway.stats().connections == 0


@pytest.mark.parametrize("where", ["her own address", "another", "everywhere"])
def test_a_flood_of_forged_packets_stops_no_message_of_the_session_that_it_names(where: str) -> None:
    with CoreGateway(plan(as_configured())) as gateway:
        internet, random = Internet(gateway), Random(4)
        ticket = gateway.issue(7)
        alice = join(internet, ticket)
        drops: Counter[str | None] = Counter()
        deliveries = []
        for at in range(300):
            if at % 20 == 0:
                deliveries.append(say(internet, alice, f"{at}", to=7))
            sequences = [random.choice([at, at + 200, random.randrange(1 << 32)]) for _ in range(BURST)]
            datagrams = [forged(ticket.session, sequence, random) for sequence in sequences]
            sources = {
                "her own address": [alice.address] * BURST,
                "another": [STRANGER] * BURST,
                "everywhere": [random.randrange(STRANGER, 1 << 20) for _ in range(BURST)],
            }[where]
            answers = gateway.burst(sources, datagrams, internet.now)
            assert all(answer == b"" for _, answer in answers)
            drops.update(drop for drop, _ in answers)
            internet.run(0.01)
        assert internet.run(10, lambda: all(delivery.done for delivery in deliveries))
        assert [delivery.failure for delivery in deliveries] == [None] * len(deliveries)
        assert drops.keys() <= {"bad_tag", "replayed", "source_rate_limited"}
        assert drops["bad_tag"] > 0
        if where == "another":
            assert drops["source_rate_limited"] > drops["bad_tag"]
        assert sum(isinstance(event, Connected) for event in alice.heard) == 1
        assert gateway.stats().connected == 1
        gateway.check_books()


def test_forged_close_and_path_response_do_nothing(gateway: CoreGateway) -> None:
    internet, random = Internet(gateway), Random(5)
    ticket = gateway.issue(7)
    alice = join(internet, ticket)
    for kind, size in ((Kind.CLOSE, 40), (Kind.PATH_RESPONSE, 44)):
        for source in (alice.address, STRANGER):
            datagram = forged(ticket.session, 5, random, size, kind)
            assert gateway.burst([source], [datagram], internet.now) == [("bad_tag", b"")]
    delivery = say(internet, alice, "hi", to=7)
    assert internet.run(5, lambda: delivery.done)
    assert gateway.stats().path_changes == 0
    assert sum(gateway.stats().closed.values()) == 0


# ---------------------------------------------------------------- limits of a source


def ipv6(prefix: int, host: int, payload: bytes) -> Datagram:
    return Datagram(IPv6Address((0x20010DB8 << 96) + (prefix << 64) + host), 4000 + host % 1000, 0, payload)


def test_unproved_datagrams_are_limited_by_ipv4_address_and_by_64_of_ipv6() -> None:
    with CoreGateway(plan(policy(ListenerPolicy(10, 8)))) as gateway:
        hello = pack_hello(gateway.issue(7).session, bytes(16))
        now = gateway.tsc(100.0)
        one = gateway.core.datagrams([ipv6(1, host, hello) for host in range(1, 41)], now)
        assert Counter(answer.drop for answer in one) == {None: 8, "source_rate_limited": 32}
        other = gateway.core.datagrams([ipv6(2, 1, hello)], now)
        assert [answer.drop for answer in other] == [None]
        assert [drop for drop, _ in gateway.burst([1] * 10, [hello] * 10, 100.0)][7:] == [
            None,
            "source_rate_limited",
            "source_rate_limited",
        ]
        assert gateway.stats().dropped["source_rate_limited"] == 34


def test_a_connected_player_is_not_counted_with_strangers_behind_his_address() -> None:
    with CoreGateway(plan(policy(ListenerPolicy(1, 4)))) as gateway:
        internet = Internet(gateway)
        alice = join(internet, gateway.issue(7))
        hello = pack_hello(gateway.issue(8).session, bytes(16))
        drops = Counter(drop for drop, _ in gateway.burst([alice.address] * 64, [hello] * 64, internet.now))
        assert drops["source_rate_limited"] >= 60
        deliveries = [say(internet, alice, f"{at}", to=7) for at in range(30)]
        assert internet.run(5, lambda: all(delivery.done for delivery in deliveries))
        assert len(texts(alice)) == 30
        gateway.check_books()


def test_connections_are_limited_by_source_and_others_get_in() -> None:
    limits = ListenerPolicy(0, 1, connections_pps=1, connections_burst=20)
    with CoreGateway(plan(policy(limits))) as gateway:
        internet = Internet(gateway)
        hello = pack_hello(gateway.issue(7).session, bytes(16))
        drops = Counter(drop for drop, _ in gateway.burst([STRANGER] * 64, [hello] * 64, internet.now))
        assert drops == {None: 20, "connection_rate_limited": 44}
        join(internet, gateway.issue(8))
        assert gateway.stats().dropped["connection_rate_limited"] == 44
        gateway.check_books()


def test_handshakes_take_no_more_than_their_share_and_players_go_on() -> None:
    delivery = replace(NO_LIMITS, handshake_permille=1)
    with CoreGateway(plan(policy(delivery=delivery))) as gateway:
        internet = Internet(gateway)
        alice = join(internet, gateway.issue(7))
        hello = pack_hello(gateway.issue(8).session, bytes(16))
        drops: Counter[str | None] = Counter()
        for at in range(400):  # at one instant: all of a worker's time, and more
            sources = range(STRANGER + at * BURST, STRANGER + (at + 1) * BURST)
            drops.update(drop for drop, _ in gateway.burst(list(sources), [hello] * BURST, internet.now))
        assert drops.keys() == {None, "handshake_budget"}
        deliveries = [say(internet, alice, f"{at}", to=7) for at in range(30)]
        assert internet.run(5, lambda: all(delivery.done for delivery in deliveries))
        assert gateway.stats().dropped["handshake_budget"] == drops["handshake_budget"]
        join(internet, gateway.issue(9))  # the budget grows again as time passes
        gateway.check_books()


# ---------------------------------------------------------------- limits of a session


def greedy(gateway: CoreGateway) -> tuple[Internet, Player, Player]:
    internet = Internet(gateway)
    return internet, join(internet, gateway.issue(7)), join(internet, gateway.issue(8))


def bodies() -> dict[str, tuple[int, bytes]]:
    chat = struct.pack("<IBBH", 0, 0, 0, 1) + b"a"
    return {
        "move": (MessageType.MOVE, MOVE),
        "attack": (MessageType.ATTACK, struct.pack("<II3f", 0, 1, 1.0, 0.0, 0.0)),
        "chat": (MessageType.CHAT, chat),
        "heartbeat": (MessageType.HEARTBEAT, b""),
        "skill": (MessageType.SKILL, struct.pack("<II", 1, 0)),
        "bulk": (MessageType.BULK, struct.pack("<I", 0) + b"data"),
    }


@pytest.mark.parametrize("name", REQUEST_TYPES)
def test_messages_are_limited_by_type_in_each_session(name: str) -> None:
    at = REQUEST_TYPES.index(name)
    pps, burst = [0] * 6, [1] * 6
    pps[at], burst[at] = 1, 10
    delivery = replace(NO_LIMITS, message_pps=tuple(pps), message_burst=tuple(burst))
    with CoreGateway(plan(policy(delivery=delivery))) as gateway:
        internet, mallory, alice = greedy(gateway)
        kind, body = bodies()[name]
        for _ in range(40):
            mallory.session.send(Outgoing.unreliable(kind, body, Priority.URGENT), internet.now)
            internet.run(0.001)
        alice.session.send(Outgoing.unreliable(kind, body, Priority.URGENT), internet.now)
        other = "move" if name != "move" else "heartbeat"
        for _ in range(20):
            kind, body = bodies()[other]
            mallory.session.send(Outgoing.unreliable(kind, body, Priority.URGENT), internet.now)
            internet.run(0.001)
        internet.run(0.1)
        stats = gateway.stats()
        assert 10 <= stats.messages.received[name] - 1 <= 12
        assert stats.dropped["message_rate_limited"] >= 28
        assert stats.messages.received[other] >= 20
        assert (mallory.session.is_connected, alice.session.is_connected) == (True, True)
        gateway.check_books()


def test_a_reliable_message_beyond_the_limit_comes_again_and_is_taken_once() -> None:
    at = REQUEST_TYPES.index("chat")
    pps, burst = [0] * 6, [1] * 6
    pps[at], burst[at] = 20, 5
    delivery = replace(NO_LIMITS, message_pps=tuple(pps), message_burst=tuple(burst))
    with CoreGateway(plan(policy(delivery=delivery))) as gateway:
        internet = Internet(gateway)
        alice = join(internet, gateway.issue(7))
        deliveries = []
        for number in range(12):
            deliveries.append(say(internet, alice, f"{number}", to=7))
            internet.run(0.02)
        assert internet.run(10, lambda: all(delivery.done for delivery in deliveries))
        assert texts(alice) == [f"{number}" for number in range(12)]
        assert gateway.stats().dropped["message_rate_limited"] > 0
        gateway.check_books()


def test_datagrams_of_a_session_are_limited_and_another_session_does_not_feel_it() -> None:
    limits = ListenerPolicy(0, 1, session_pps=10, session_burst=20)
    with CoreGateway(plan(policy(limits))) as gateway:
        internet, mallory, alice = greedy(gateway)
        for _ in range(100):
            mallory.session.send(Outgoing.unreliable(MessageType.MOVE, MOVE, Priority.URGENT), internet.now)
            internet.run(0.001)
        internet.run(0.1)
        assert gateway.stats().dropped["session_rate_limited"] >= 70
        refused = gateway.stats().dropped["session_rate_limited"]
        delivery = say(internet, alice, "hi", to=8)
        assert internet.run(1, lambda: delivery.done)
        assert texts(alice) == ["hi"]
        internet.run(20, lambda: False)
        delivery = say(internet, mallory, "sorry", to=8)
        assert internet.run(5, lambda: delivery.done)  # he is heard again when he keeps to it
        assert gateway.stats().dropped["session_rate_limited"] >= refused
        gateway.check_books()


def test_limits_of_the_default_configuration_let_a_lively_player_through() -> None:
    assert as_configured().delivery == DEFAULT_DELIVERY
    with CoreGateway(plan(as_configured())) as gateway:
        internet = Internet(gateway)
        alice = join(internet, gateway.issue(7))
        for at in range(600):  # ten seconds at 60 Hz, an attack each quarter, a word each second
            alice.session.send(Outgoing.unreliable(MessageType.MOVE, MOVE, Priority.URGENT), internet.now)
            if at % 15 == 0:
                kind, body = bodies()["attack"]
                alice.session.send(Outgoing.unreliable(kind, body, Priority.URGENT), internet.now)
            if at % 60 == 0:
                say(internet, alice, "on my way", to=7)
            internet.run(1 / 60)
        internet.run(1)
        stats = gateway.stats()
        assert stats.messages.received["move"] == 600
        assert len(texts(alice)) == 10
        assert not any(stats.dropped.values())


# ---------------------------------------------------------------- keys


def test_everything_said_in_an_earlier_connection_is_refused_in_the_next(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    ticket = gateway.issue(7)
    said: list[bytes] = []

    def overhear(to_gateway: bool, datagram: bytes) -> bool:
        if to_gateway:
            said.append(datagram)
        return True

    internet.on_wire = overhear
    alice = join(internet, ticket)
    for word in ("one", "two", "three"):
        say(internet, alice, word, to=7)
        internet.run(0.3)
    first = internet.players.pop()
    overheard = list(said)
    internet.run(6)  # its cookies are old by then
    again = internet.join(ticket)
    again.address = first.address
    assert internet.run(10, lambda: again.session.is_connected)
    delivery = say(internet, again, "four", to=7)
    assert internet.run(5, lambda: delivery.done)
    internet.run(1)
    connections = gateway.stats().connections
    drops: Counter[str | None] = Counter()
    for datagram in overheard * 2:
        drops.update(drop for drop, _ in gateway.burst([first.address], [datagram], internet.now))
    answered = sum(datagram[0] == Kind.HELLO for datagram in overheard) * 2
    assert drops[None] == answered
    assert drops.keys() <= {None, "bad_tag", "replayed", "cookie_old"}
    internet.run(1)
    assert texts(again) == ["four"]
    assert gateway.stats().connections == connections
    assert again.session.is_connected
    gateway.check_books()


def sealed_with(wire: list[bytes], ticket: Ticket) -> Iterator[tuple[DirectionKey, int, bytes]]:
    """Every sealed datagram of a session that went over the wire: key, counter and bytes."""
    nonces: list[bytes] = []
    keys: list[TrafficKeys] = []
    for datagram in wire:
        header = read_header(datagram)
        if header.kind is Kind.CONFIRM and datagram[24:40] not in nonces:
            nonces.append(datagram[24:40])
        if header.kind is Kind.WELCOME:
            for nonce in nonces:
                made = derive(ticket.key, ticket.session, nonce, datagram[20:36])
                if made not in keys:
                    keys.append(made)
        if header.kind in (Kind.HELLO, Kind.CHALLENGE, Kind.CONFIRM, Kind.DENIED):
            continue
        clear = 36 if header.kind is Kind.WELCOME else 20
        yield *_opener(keys, datagram, header.sequence, clear), datagram


def _opener(keys: list[TrafficKeys], datagram: bytes, sequence: int, clear: int) -> tuple[DirectionKey, int]:
    for both in reversed(keys):
        for key in (both.client_to_gateway, both.gateway_to_client):
            try:
                key.open(sequence, datagram, clear)
            except BadTagError:
                continue
            return key, sequence
    raise AssertionError(f"nobody sealed this {Kind(datagram[0]).name}")


def test_no_key_ever_seals_two_datagrams_under_one_counter(gateway: CoreGateway) -> None:
    internet = Internet(gateway, weather=Weather(loss=0.1, doubling=0.2, delay_s=(0.005, 0.06)))
    ticket = gateway.issue(7)
    for _ in range(4):  # four clients, one after the other, of one ticket
        alice = join(internet, ticket)
        for at in range(20):
            say(internet, alice, f"{at}", to=7, channel=at % 4)
            internet.run(0.05)
        internet.players.remove(alice)
    sealed: dict[tuple[DirectionKey, int], bytes] = {}
    for key, counter, datagram in sealed_with(internet.wire, ticket):
        assert sealed.setdefault((key, counter), datagram) == datagram
    assert len({key for key, _ in sealed}) >= 8  # two directions of each
    assert len(sealed) > 200


# ---------------------------------------------------------------- tickets and addresses


def test_a_ticket_that_may_be_used_once_is_worth_nothing_to_who_steals_it_later(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    ticket = gateway.issue(7, once=True)
    alice = join(internet, ticket)
    thief = internet.join(ticket)
    assert internet.run(15, lambda: thief.session.failure is not None)
    assert isinstance(thief.session.failure, Denied)
    assert thief.session.failure.reason == Denial.CONSUMED
    delivery = say(internet, alice, "mine", to=7)
    assert internet.run(5, lambda: delivery.done)
    assert texts(alice) == ["mine"]
    assert gateway.stats().denied["consumed"] >= 1
    assert gateway.stats().connections == 1


def test_when_every_slot_is_taken_nobody_is_issued_a_session_and_nobody_loses_his() -> None:
    with CoreGateway(plan(policy(), issued_capacity=4)) as gateway:
        internet = Internet(gateway)
        players = [join(internet, gateway.issue(number)) for number in range(1, 5)]
        with pytest.raises(NoRoomError):
            gateway.issue(5)
        deliveries = [
            say(internet, player, "hi", to=number) for number, player in enumerate(players, start=1)
        ]
        assert internet.run(5, lambda: all(delivery.done for delivery in deliveries))
        assert gateway.stats().connected == 4


def test_a_stolen_datagram_moves_no_session_and_brings_the_thief_little(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    alice = join(internet, gateway.issue(7))
    stolen: list[bytes] = []

    def intercept(to_gateway: bool, datagram: bytes) -> bool:
        if to_gateway and datagram[0] == Kind.DATA:
            stolen.append(datagram)
            return False
        return True

    internet.on_wire = intercept
    for _ in range(20):
        alice.session.send(Outgoing.unreliable(MessageType.MOVE, MOVE, Priority.URGENT), internet.now)
        internet.run(0.02)
    internet.on_wire = lambda _to_gateway, _datagram: True
    sent = received = 0
    kinds: Counter[int] = Counter()
    for datagram in stolen:  # each authentic, the newest, and from where she is not
        for _, answer in gateway.receive(STRANGER, datagram, internet.now):
            received += len(answer)
            kinds[answer[0]] += 1
        sent += len(datagram)
        assert received <= 3 * sent
        internet.now += 0.01
    assert kinds == {Kind.PATH_CHALLENGE: 1}  # once a second at most
    delivery = say(internet, alice, "here I am", to=7)
    departures = []
    for _ in range(200):
        internet.run(0.01)
        departures += [address for address, _ in gateway.due(internet.now)]
    assert delivery.done
    assert STRANGER not in departures
    assert texts(alice) == ["here I am"]
    assert gateway.stats().path_changes == 0


def test_a_players_datagram_never_exceeds_what_he_agreed_on(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    alice = join(internet, gateway.issue(7))
    for at in range(50):
        say(internet, alice, "x" * 500 + f"{at}", to=7)
    internet.run(5)
    assert len(texts(alice)) == 50
    assert max(map(len, internet.wire)) <= DATAGRAM_MAX_BYTES

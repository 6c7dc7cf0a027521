# SPDX-License-Identifier: BSD-3-Clause
"""What is worth nothing to who overhears or steals it: datagrams, tickets, keys of an earlier connection."""

from __future__ import annotations

from collections import Counter

from pyshim.protocol.client import Connected, Denied
from pyshim.protocol.client.outgoing import Outgoing, Priority
from pyshim.protocol.session_wire import Denial, Kind, MessageType
from tests.session.attack import MOVE, STRANGER, join
from tests.session.core_gateway import CoreGateway
from tests.session.internet import Internet, LinkConditions
from tests.session.model_world import say, texts
from tests.session.raw_player import RawPlayer
from tests.session.wiretap import nonces

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


def test_no_key_ever_seals_two_datagrams_under_one_counter(gateway: CoreGateway) -> None:
    internet = Internet(gateway, conditions=LinkConditions(loss=0.1, doubling=0.2, delay_s=(0.005, 0.06)))
    ticket = gateway.issue(7)
    for _ in range(4):  # four clients, one after the other, of one ticket
        alice = join(internet, ticket)
        for at in range(20):
            say(internet, alice, f"{at}", to=7, channel=at % 4)
            internet.run(0.05)
        internet.players.remove(alice)
    found = nonces(internet.tap, {ticket.session: ticket.key}, internet.secrets)
    assert len(found) == len(set(found))
    datagrams = Counter(key for key, _ in found)
    # Two directions of each client: keys that never sealed a second datagram would prove nothing.
    assert sum(count > 1 for count in datagrams.values()) >= 8


# ---------------------------------------------------------------- tickets and addresses


def test_a_ticket_that_may_be_used_once_is_worth_nothing_to_who_steals_it_later(gateway: CoreGateway) -> None:
    internet = Internet(gateway)
    ticket = gateway.issue(7, once=True)
    alice = join(internet, ticket)
    internet.run(1)  # she says something at once: with that it is hers
    thief = internet.join(ticket)
    assert internet.run(15, lambda: thief.session.failure is not None)
    assert isinstance(thief.session.failure, Denied)
    assert thief.session.failure.reason == Denial.CONSUMED
    delivery = say(internet, alice, "mine", to=7)
    assert internet.run(5, lambda: delivery.done)
    assert texts(alice) == ["mine"]
    assert gateway.stats().denied["consumed"] >= 1
    assert gateway.stats().connections == 1


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
    for datagram in stolen:  # each authentic, the newest, and not from Alice's address
        for _, answer in gateway.receive(STRANGER, datagram, internet.now):
            received += len(answer)
            kinds[answer[0]] += 1
        sent += len(datagram)
        assert received <= 3 * sent
        internet.now += 0.01
    assert kinds == {Kind.PATH_CHALLENGE: 1}  # once a second at most
    delivery = say(internet, alice, "here I am", to=7)
    egress = []
    for _ in range(200):
        internet.run(0.01)
        egress += [address for address, _ in gateway.due(internet.now)]
    assert delivery.done
    assert STRANGER not in egress
    assert texts(alice) == ["here I am"]
    assert gateway.stats().path_changes == 0


def test_who_copies_datagrams_faster_and_carries_challenges_does_not_take_the_session(
    gateway: CoreGateway,
) -> None:
    internet = Internet(gateway, LinkConditions(delay_s=(0.02, 0.03)))
    alice = join(internet, gateway.issue(7))
    thief = internet.new_address()
    to_thief = Counter[int]()

    def copy(to_gateway: bool, datagram: bytes) -> bool:
        """Everything of hers comes from the thief first, at once; what he is asked she is asked."""
        if to_gateway:
            for _, answer in gateway.receive(thief, datagram, internet.now):
                to_thief[answer[0]] += 1
                if answer[0] == Kind.PATH_CHALLENGE:
                    alice.session.receive(answer, internet.now)
        return True

    internet.on_wire = copy
    deliveries = []
    for second in range(55):
        deliveries.append(say(internet, alice, f"{second}", to=7))
        for _ in range(20):
            alice.session.send(Outgoing.unreliable(MessageType.MOVE, MOVE, Priority.URGENT), internet.now)
            internet.run(0.05)
    assert internet.run(10, lambda: all(delivery.done for delivery in deliveries))
    assert [delivery.failure for delivery in deliveries] == [None] * len(deliveries)
    assert texts(alice) == [f"{second}" for second in range(55)]
    assert to_thief[Kind.PATH_CHALLENGE] > 50  # he went on
    assert gateway.stats().path_changes == 2  # there, and back when she answered herself
    assert sum(isinstance(event, Connected) for event in alice.heard) == 1
    gateway.check_books()


def test_an_answer_to_a_challenge_is_not_used_up_by_who_sends_it_from_elsewhere(gateway: CoreGateway) -> None:
    player = RawPlayer(gateway, gateway.issue(7))
    player.connect()
    _, challenge = player.send(player.data(b""), source=9)
    response = player.sealed(Kind.PATH_RESPONSE, player.opened(challenge))
    assert player.drop(response, source=5) == "bad_path_response"
    assert player.drop(response) == "bad_path_response"
    assert player.drop(response, source=9) is None
    assert gateway.stats().path_changes == 1
    assert player.drop(response, source=9) == "replayed"

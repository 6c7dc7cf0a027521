# SPDX-License-Identifier: BSD-3-Clause
"""Game processes as the supervisor serves them: who comes and goes, and what the worker process hears of it.

Everything is bounded, and nothing waits. What follows from an event is decided in `pyshim.bus.registry`.
"""

from __future__ import annotations

import hmac
import selectors
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from pyshim import __version__
from pyshim.bus import messages
from pyshim.bus.between import Between
from pyshim.bus.counted import DEATHS, Counted
from pyshim.bus.files import Files, Given
from pyshim.bus.messages import Hello, Mapped, Open, Reason, RefusedError, Topic
from pyshim.bus.pages import HugePages, or_unavailable
from pyshim.bus.peers import HELLO_LIMIT_S, MAPPED_LIMIT_S, STRANGERS_MAX, Door, Peer, Standing
from pyshim.bus.registry import (
    NO_FILES,
    Detach,
    DropFiles,
    End,
    GiveRings,
    GiveUp,
    Hear,
    MakeFiles,
    Phase,
    Place,
    Presence,
    Refuse,
    Registry,
    Renew,
    Step,
    TakeRings,
    Welcome,
    Why,
)
from pyshim.errors import UnavailableError
from pyshim.host.memory import available_bytes, free_huge_pages
from pyshim.plan import HUGE_PAGE_BYTES, Plan, Policy
from pyshim.run import control
from pyshim.run.game_orders import Orders
from pyshim.run.game_told import Figures, Names, Told
from pyshim.run.reloading import RefusedError as ReloadRefusedError
from pyshim.stats import GameFigures

PACKETS_PER_TURN = 32  # of one process


class GameBus:
    """The game processes of a run; of the main thread only. Without a game in the plan it does nothing."""

    def __init__(self, plan: Plan, token: bytes | None, names: Names) -> None:
        """Listen, and make the memory of those whom routes name; `names`: in the statistics page, by index.

        Raises:
            UnavailableError: the socket or the memory is not to be had.
        """
        self._plan = plan.game
        self._workers = len(plan.workers)
        self._token = token
        self._names = names
        self._nameless: set[int] = set()  # places that were another name's, until workers have the new rings
        self._dropped: dict[int, Why] = {}
        self._tell = Told(plan.policy.game.names)
        self._registry = Registry(plan.game.processes)
        self._huge = HugePages(plan.game, lambda: free_huge_pages(HUGE_PAGE_BYTES))
        free = or_unavailable(available_bytes)
        self._files = Files(self._workers, plan.game.ring_bytes, free, self._huge.may_take)
        self._orders = Orders(self._files)
        self._between = Between(plan.game.ring_bytes, free, self._say)
        self._peers: dict[int, Peer] = {}
        self._connections = 0  # ever
        self._selector: selectors.BaseSelector | None = None
        self._door: Door | None = None
        self.counted = Counted()
        self._figures = Figures(self._files, self._between, self.counted, plan.game.ring_bytes)
        self._news = True
        if not plan.game.path:
            return
        with ExitStack() as on_failure:
            on_failure.callback(self.close)
            self._door = Door(plan.game)
            self._make_room(plan.policy)
            on_failure.pop_all()

    def close(self) -> None:
        """End: processes read the end of the stream."""
        if self._door is not None:
            self._door.close()
        for peer in self._peers.values():
            peer.close()
        self._peers.clear()
        self._files.close()
        self._between.close()

    def watch(self, selector: selectors.BaseSelector, tell: Callable[[str, str], None]) -> None:
        """Attend to who comes, from now on; `tell`: level and sentence, for the operator."""
        self._selector, self._tell.operator = selector, tell
        if self._door is not None:
            selector.register(self._door.fileno(), selectors.EVENT_READ, self._on_door)

    def turn(self) -> bool:
        """What is due by time; whether there is news for metrics since the last turn."""
        now_s = time.monotonic()
        self._files.close_one()
        for peer in [one for one in self._peers.values() if one.is_late(now_s)]:
            self._is_late(peer)
        news, self._news = self._news, False
        return news

    def _is_late(self, peer: Peer) -> None:
        match peer.standing:
            case Standing.SILENT:
                text = f"it said nothing for {HELLO_LIMIT_S:g} s; a game process begins with HELLO"
                self._refuse(peer.number, Reason.MALFORMED, text)
            case Standing.GIVEN:
                text = f"it did not say for {MAPPED_LIMIT_S:g} s that it has mapped its rings (MAPPED)"
                self._misspoke(peer, RefusedError(Reason.MALFORMED, text))
            case _:
                self._forget(peer)

    @property
    def figures(self) -> GameFigures | None:
        """For metrics; None without a game."""
        return None if self._door is None else self._figures(self._registry.places)

    @property
    def places(self) -> tuple[Place, ...]:
        """The names, and who has them."""
        return tuple(place for _, place in sorted(self._registry.places.items()))

    # ------------------------------------------------------------ routes

    def routed(self, policy: Policy) -> Policy:
        """A policy with the indexes that names have here, for the worker process."""
        names = policy.game.names
        known = [name for name in names if self._registry.index_of(name) is not None]
        return replace(policy, game=replace(policy.game, indexes=self._registry.indexes(known)))

    def propose(self, policy: Policy, running: Policy) -> Policy:
        """Make room for whom a new policy names beside the running one; returns it with their indexes.

        Raises:
            ReloadRefusedError: there is none.
        """
        if not self._plan.path:
            return policy
        try:
            self._take(self._registry.route((*running.game.names, *policy.game.names)))
        except RefusedError as refused:
            raise ReloadRefusedError(
                f"reload refused, the old configuration stays: game.routes: {refused}"
            ) from refused
        return self.routed(policy)

    def settle(self, policy: Policy) -> None:
        """This is what runs, whether it was proposed or stays."""
        if self._plan.path:
            self._take(self._registry.route(policy.game.names))
            self._tell.routes(policy.game.names, self.places)

    def _make_room(self, policy: Policy) -> None:
        self._take(self._registry.route(policy.game.names))
        for place in self.places:
            if place.files == NO_FILES:
                raise UnavailableError(f"game.ring_kib: there is no memory for the rings of {place.name}")

    # ------------------------------------------------------------ the worker process

    def start(self, channel: control.Channel, plan: Plan) -> None:
        """A worker process is there: tell it what to do, and give it the memory that the last one left."""
        for index, place in tuple(self._registry.places.items()):
            if place.files != NO_FILES:
                self._renew(index, place)
        given = tuple(index for index, place in self._registry.places.items() if place.files != NO_FILES)
        channel.send(control.Start(replace(plan, policy=self.routed(plan.policy)), len(given)))
        self._orders.channel = channel
        for index in given:
            self._orders.rings(index, self._registry.places[index])

    def _renew(self, index: int, place: Place) -> None:
        """What the next worker process writes; a process that cannot go on with that is detached."""
        try:
            left = self._files.renew(index, place.name, attached=place.phase is Phase.HERE)
            self.counted.unread[DEATHS] += left.messages
        except UnavailableError as problem:
            why = f"the next worker cannot go on with its rings: {problem}"
        else:
            if not self._files.is_behind(index):
                return
            why = "it has not read what several workers left"
        self._take(self._registry.broken(index, why, time.monotonic()))

    def started(self) -> None:
        """It has all of its memory."""
        self._huge.worker_has_its_own = True

    def worker_gone(self) -> None:
        """It has ended."""
        self._orders.channel, self._huge.worker_has_its_own = None, False
        for index in tuple(self._dropped):
            self._bury(index)
        self._registry = self._registry.worker_gone()

    def heard(self, report: control.GameReport) -> None:
        """What the worker process says."""
        now_s = time.monotonic()
        if isinstance(report, control.GameMapped) and self._is_of(report.process, report.files):
            # So it has let go of what was there before.
            self._bury(report.process)
        match report:
            case control.GameMapped(index, files, "") if self._is_of(index, files):
                self._nameless.discard(index)
                self._names.name(index, self._registry.places[index].name)
                try:
                    self._files.seal(index)
                except UnavailableError as why:
                    self._take(self._registry.unmappable(index, files, str(why), now_s))
                else:
                    self._take(self._registry.mapped(index, files))
            case control.GameMapped(index, files, problem):
                self._take(self._registry.unmappable(index, files, problem, now_s))
            case control.GameEnded(index, files, read) if self._is_of(index, files):
                self._ended(index, files, read)
            case control.GameBroken(index, text):
                self._take(self._registry.broken(index, text, now_s))

    def _bury(self, index: int) -> None:
        """No worker writes to what was dropped any more: whatever nobody read is counted."""
        why = self._dropped.pop(index, None)
        if why is not None:
            self.counted.unread[why.name.lower()] += self._files.bury(index).messages
            self._news = True

    def _is_of(self, index: int, files: int) -> bool:
        place = self._registry.places.get(index)
        return place is not None and place.files == files

    @contextmanager
    def _or_other_files(self, index: int) -> Iterator[None]:
        """What cannot be gone on with is given up."""
        try:
            yield
        except UnavailableError as why:
            self._take(self._registry.broken(index, str(why), time.monotonic()))

    def _ended(self, index: int, files: int, read: tuple[int, ...]) -> None:
        with self._or_other_files(index):
            left = self._files.ended(index, self._registry.places[index].name, read)
            self.counted.unread[DEATHS] += left.messages
            self._take(self._registry.ended(index, files))

    # ------------------------------------------------------------ what follows from events

    def _take(self, step: Step) -> None:
        """Go on with the registry that follows from an event, and do what it takes."""
        self._registry = step.registry
        self._news = True
        for level, sentence in step.told:
            self._tell(level, sentence)
        for what in step.do:
            self._carry_out(what)

    def _carry_out(self, what: object) -> None:
        places = self._registry.places
        match what:
            case MakeFiles(index) if index in places:
                self._make(index, places[index].name)
            case DropFiles(index, why):
                self._files.drop(index)
                self._dropped[index] = why
                self._between.left(places[index], self.places)
            case GiveUp(index, name):
                self._names.unname(index)
                self._nameless.add(index)
                self._between.forget(name, self.places)
            case GiveRings(index) if index in places and places[index].files:
                self._orders.rings(index, places[index])
            case Hear(index):
                with self._or_other_files(index):
                    self._orders.hear(index, places[index])
            case End(index):
                with self._or_other_files(index):
                    self._orders.end(index, places[index])
            case TakeRings(index):
                self._orders.detach(index)
            case Presence(index):
                self._on_presence(index, places[index])
            case _:
                self._tell_process(what)

    def _tell_process(self, what: object) -> None:
        match what:
            case Welcome(index):
                self._welcome(index)
            case Renew(index):
                self._send_rings(self._registry.places[index], self._files.new_for_process(index))
            case Refuse(peer, reason, text):
                self._refuse(peer, reason, text)
            case Detach(peer, text):
                self._detach(peer, text)

    def _make(self, index: int, name: str) -> None:
        if index not in self._nameless:
            self._names.name(index, name)
        try:
            self._files.make(index, name)
        except UnavailableError as problem:
            self._take(self._registry.unmade(index, str(problem)))

    def _on_presence(self, index: int, place: Place) -> None:
        self._orders.presence(index, place)
        if place.phase is Phase.HERE:
            self._between.came(place, self.places)
        else:
            self._between.left(place, self.places)

    def _welcome(self, index: int) -> None:
        place = self._registry.places[index]
        try:
            self._files.give(index, place.name)
        except (UnavailableError, OSError) as problem:
            self._take(self._registry.unwelcome(index, str(problem), time.monotonic()))
            return
        self.counted.attached += 1
        self._peers[place.peer].give(time.monotonic())
        self._say(place.peer, messages.welcome(self._workers, self._plan.ring_bytes, __version__))
        self._send_rings(place, self._files.for_process(index))

    def _send_rings(self, place: Place, rings: Iterable[Given]) -> None:
        for given in rings:
            self._say(place.peer, messages.rings(given.worker, given.incarnation), given.fds)

    def _refuse(self, number: int, reason: Reason, text: str) -> None:
        peer = self._peers[number]
        self.counted.refused[reason.name.lower()] += 1
        self._news = True
        self._tell("refused", f"game: process {peer.pid} of user {peer.uid} is refused: {text}")
        self._part(peer, messages.refused(reason, text))

    def _detach(self, number: int, text: str) -> None:
        self.counted.detached["broken"] += 1
        self._part(self._peers[number], messages.detached(text))

    def _part(self, peer: Peer, word: bytes) -> None:
        peer.leave(word, time.monotonic())
        self._attend(peer)

    def _say(self, number: int, packet: bytes, fds: tuple[int, ...] = ()) -> None:
        peer = self._peers.get(number)
        if peer is None or peer.gone or peer.standing is Standing.LEAVING:
            return
        if not peer.send(packet, fds):
            self._cut_off(peer, "does_not_read", "it does not read its socket")
        elif peer.has_waiting:
            self._attend(peer)

    def _attend(self, peer: Peer) -> None:
        """A process that does not read what it is told is not listened to meanwhile."""
        if self._selector is not None:
            way = selectors.EVENT_WRITE if peer.has_waiting else selectors.EVENT_READ
            self._selector.modify(peer.fileno(), way, lambda: self._on_peer(peer))

    # ------------------------------------------------------------ connections

    def _on_door(self) -> None:
        assert self._door is not None
        assert self._selector is not None
        end = self._door.accept()
        if end is None:
            return
        self._connections += 1
        try:
            peer = Peer(self._connections, end, time.monotonic())
        except OSError:
            end.close()
            return
        self._peers[peer.number] = peer
        self._selector.register(peer.fileno(), selectors.EVENT_READ, lambda: self._on_peer(peer))
        if peer.pidfd is not None:
            self._selector.register(peer.pidfd, selectors.EVENT_READ, lambda: self._has_ended(peer))
        strangers = sum(one.is_stranger for one in self._peers.values())
        if peer.uid not in self._plan.users:
            text = f"user {peer.uid} is none of those who may attach; name it in game.users"
            self._refuse(peer.number, Reason.USER, text)
        elif strangers > STRANGERS_MAX:
            text = f"{STRANGERS_MAX} processes are about to attach already; try again in a moment"
            self._refuse(peer.number, Reason.FULL, text)
        if strangers > STRANGERS_MAX:
            self._forget(peer)

    def _on_peer(self, peer: Peer) -> None:
        """It said something, can be told more, or is gone."""
        if peer.has_waiting:
            peer.flush()
            self._attend(peer)
        for _ in range(PACKETS_PER_TURN):
            if peer.has_waiting:
                return
            try:
                packet = peer.receive()
            except BlockingIOError:
                break
            if packet is None:
                self._gone(peer, "is gone")
                return
            if peer.standing is not Standing.LEAVING:
                self._on_packet(peer, packet)
            if peer.number not in self._peers:
                return

    def _on_packet(self, peer: Peer, packet: bytes) -> None:
        try:
            if peer.standing is Standing.SILENT:
                self._on_hello(peer, messages.read_hello(packet, __version__))
                return
            match messages.read_request(packet, __version__):
                case Open(name):
                    self._between.open(self._here(peer, "an OPEN"), name, self._registry.named(name))
                case Topic(topic, on):
                    self._between.subscribe(self._here(peer, "a TOPIC"), topic, self.places, on=on)
                case Mapped():
                    self._mapped(peer, self._here(peer, "a MAPPED"))
        except RefusedError as refused:
            self._misspoke(peer, refused)

    def _on_hello(self, peer: Peer, hello: Hello) -> None:
        if self._token is not None and not hmac.compare_digest(hello.token, self._token):
            what = "no token" if not hello.token else "another token"
            raise RefusedError(Reason.TOKEN, f"{what} than that of game.token_file")
        self._bury_dead(hello.name)
        peer.standing = Standing.NAMED
        self._take(self._registry.hello(peer.number, peer.pid, hello, time.monotonic()))

    def _mapped(self, peer: Peer, place: Place) -> None:
        if peer.standing is not Standing.GIVEN:
            raise RefusedError(Reason.MALFORMED, "it said MAPPED again, and there was nothing to map")
        peer.standing = Standing.NAMED
        self._take(self._registry.heard(place.name))

    def _bury_dead(self, name: str) -> None:
        """Whoever has the name may have ended without its connection: a child of it can have that."""
        place = self._registry.named(name)
        owner = None if place is None else self._peers.get(place.peer)
        if owner is not None and owner.is_dead:
            self._has_ended(owner)

    def _misspoke(self, peer: Peer, refused: RefusedError) -> None:
        index = self._registry.held_by(peer.number)
        if index is None:
            self._refuse(peer.number, refused.reason, str(refused))
            return
        self._cut_off(peer, "malformed", str(refused))

    def _cut_off(self, peer: Peer, counted: str, why: str) -> None:
        self.counted.detached[counted] += 1
        self._take(self._registry.gone(peer.number, f"is detached: {why}", time.monotonic(), "warning"))
        self._part(peer, messages.detached(why))

    def _has_ended(self, peer: Peer) -> None:
        """Its last words count."""
        self._on_peer(peer)
        self._gone(peer, "has ended")

    def _gone(self, peer: Peer, how: str) -> None:
        if self._registry.held_by(peer.number) is not None:
            self.counted.detached["gone"] += 1
            self._take(self._registry.gone(peer.number, how, time.monotonic()))
        self._forget(peer)

    def _forget(self, peer: Peer) -> None:
        if self._peers.pop(peer.number, None) is None:
            return
        if self._selector is not None:
            self._selector.unregister(peer.fileno())
            if peer.pidfd is not None:
                self._selector.unregister(peer.pidfd)
        peer.close()

    def _here(self, peer: Peer, what: str) -> Place:
        """The place of a process that is attached.

        Raises:
            RefusedError: it is not yet.
        """
        index = self._registry.held_by(peer.number)
        if index is None or self._registry.places[index].phase is not Phase.HERE:
            raise RefusedError(Reason.MALFORMED, f"{what} before the WELCOME")
        return self._registry.places[index]

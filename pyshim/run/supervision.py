# SPDX-License-Identifier: BSD-3-Clause
"""The supervisor's event loop: what a run does to its worker process, its operator and its configuration.

Everything in it is bounded. What follows from what happens to a worker process is decided in `worker_life`.
"""

from __future__ import annotations

import selectors
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pyshim.conditions import Conditions
from pyshim.dataplane import OwnState, Pulse, RunState, StatsPage
from pyshim.errors import ExitCode, InternalError, UnavailableError
from pyshim.plan import Plan
from pyshim.run import control
from pyshim.run.address_conflicts import AddressConflicts
from pyshim.run.asking import Asking
from pyshim.run.child import Child, start_limit_s
from pyshim.run.ends import End, start_failure
from pyshim.run.game_bus import GameBus
from pyshim.run.liveness import Liveness
from pyshim.run.recording import RecordingKeeper
from pyshim.run.reload_socket import Outcome
from pyshim.run.reloading import LiveConfig, RefusedError
from pyshim.run.restarts import Restarts
from pyshim.run.run_status import Status
from pyshim.run.runtime_directory import remove_runtime_directory
from pyshim.run.shortfall import queue_shortfalls
from pyshim.run.stale_sockets import remove_stale_sockets
from pyshim.run.worker_life import Do, Life, Phase, Step
from pyshim.stats import Snapshot
from pyshim.system.running_clock import RunningClock
from pyshim.system.signals import Signals
from pyshim.views.advice import Adviser

TURN_S = 0.05
VIEW_S = 1.0
DRAIN_S = 2.0
LAST_MESSAGES_MAX = 16  # that a worker process can have sent before it died

_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line asks of one run."""

    config_path: Path
    for_s: float | None = None  # from the start of the worker
    until_idle_s: float | None = None  # since the last received packet


class View(Protocol):
    """Whoever shows a run to the user."""

    def started(self, plan: Plan, metrics_url: str | None) -> None:
        """Every worker polls; once per run."""

    def update(self, snapshot: Snapshot) -> None:
        """About once a second."""

    def event(self, level: str, message: str) -> None:
        """Something happened that the operator may want to know: one sentence."""

    def finished(self, snapshot: Snapshot, elapsed_s: float) -> None:
        """The run has ended after so long; once per run, and not when it failed before anything served."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What outlives every worker process."""

    page: StatsPage
    state: OwnState
    asking: Asking
    game: GameBus
    keeper: RecordingKeeper


class Supervision:
    """The effects of one run, and what it remembers; of the main thread only."""

    def __init__(
        self, options: RunOptions, view: View, live: LiveConfig, memory: Memory, status: Status
    ) -> None:
        """Nothing runs yet."""
        self._options = options
        self._view = view
        self._adviser = Adviser()
        self._live = live
        self._page = memory.page
        self._state = memory.state
        self._asking = memory.asking
        self._game = memory.game
        self._keeper = memory.keeper
        self._status = status

        self._clock = RunningClock()
        self._selector = selectors.DefaultSelector()
        workers = live.config.workers
        self._life = Life(Restarts(workers.restart_limit, workers.restart_window_s))
        self._child: Child | None = None
        self._said_stopped = False
        self._failure: control.Failed | None = None  # what the worker process said about its end
        self._standing = False  # a poll loop, at the last look
        self._reload_successful = True
        self._conditions = Conditions.of(live.plan.ports)

        self._reload_asked = False
        self._reload_socket = live.reload_socket

        self._liveness = Liveness()
        self._address_conflicts = AddressConflicts()
        self._started_s: float | None = None  # of the first worker process
        self._received = 0
        self._received_s = 0.0  # when that number last grew
        self._shown_s = 0.0

    def close(self) -> None:
        """Leave no worker process behind, and no file of one that ran."""
        self._bury()
        self._selector.close()
        eal = self._live.config.eal
        if self._started_s is not None and not eal.in_memory:
            remove_runtime_directory(eal.file_prefix)

    def run(self, signals: Signals) -> None:
        """Everything from the first start to the end."""
        self._selector.register(signals.fileno(), selectors.EVENT_READ, lambda: self._on_signals(signals))
        self._asking.watch(self._selector, self._ask)
        self._selector.register(self._reload_socket.fileno(), selectors.EVENT_READ, self._on_reload_socket)
        self._game.watch(self._selector, self._tell)
        for warning in self._live.plan.warnings:
            self._tell("warning", warning)
        for note in self._live.plan.notes:
            self._tell("info", note)
        if self._reload_socket.unheard is not None:
            self._tell(
                "info",
                f"`pollgate reload` does not reach this gateway ({self._reload_socket.unheard}): use SIGHUP",
            )
        if self._live.plan.state_huge_pages and not self._state.huge_pages:
            self._tell("info", "the session state is in ordinary pages: too few huge pages are free for it")
        try:
            self._attend(signals)
        except Exception:
            if self._started_s is not None:
                self._finish()
            raise
        self._finish()

    def _attend(self, signals: Signals) -> None:
        """Everything that happens, until the run has ended."""
        self._on_signals(signals)  # of the time in which all this was set up
        while self._life.phase is not Phase.ENDED:
            self._turn(self._clock.now_s())
            for key, _ in self._selector.select(TURN_S):
                # A callback may have removed another one's descriptor, and with it its worker process.
                if key.fd in self._selector.get_map():
                    key.data()

    def _finish(self) -> None:
        """Whatever ended the run: what it came to is for the view."""
        self._bury()
        self._life = self._life.ended()
        self._publish()
        if not self._said_stopped:
            self._page.settle()
        if self._started_s is not None:
            self._keeper.finish()
        self._tell_of_recording()
        elapsed_s = 0.0 if self._started_s is None else self._clock.now_s() - self._started_s
        self._view.finished(self._status.snapshot(), elapsed_s)

    # ------------------------------------------------------------ the clock

    def _turn(self, now_s: float) -> None:
        """What is due by time rather than by an event."""
        self._status.turned_s = time.monotonic()
        self._take(self._life.due(now_s))
        if self._life.phase is Phase.RUNNING:
            self._watch(now_s)
        self._advance_reload(now_s)
        if self._game.turn():
            self._publish()
        self._tell_of_recording()
        if self._started_s is not None and now_s - self._shown_s >= VIEW_S:
            self._shown_s = now_s
            self._show(now_s)
        for_s = self._options.for_s
        if self._started_s is not None and for_s is not None and now_s - self._started_s >= for_s:
            self._take(self._life.stop(now_s))

    def _tell_of_recording(self) -> None:
        for level, sentence in self._keeper.news():
            self._tell(level, sentence)

    def _show(self, now_s: float) -> None:
        """Give the view its figures, and the operator what follows from them."""
        snapshot = self._status.snapshot()
        self._view.update(snapshot)
        for level, sentence in self._adviser.news(snapshot):
            self._tell(level, sentence)
        self._address_conflicts, sentences = self._address_conflicts.look(snapshot.ports, now_s)
        for told in sentences:
            self._tell("warning", told)

    def _watch(self, now_s: float) -> None:
        """Look at the running worker: does it turn, does it receive, are its ports well?"""
        pulse = self._page.pulse()
        self._look_at_ports(pulse)
        if self._life.serves:
            self._look_at_loops(pulse, now_s)
        if pulse.received != self._received:
            self._received, self._received_s = pulse.received, now_s
        idle_s = self._options.until_idle_s
        if idle_s is not None and now_s - self._received_s >= idle_s:
            self._take(self._life.stop(now_s))
        elif self._life.serves and self._conditions.reopening_due(now_s):
            self._conditions = self._conditions.reopening(now_s)
            self._take(self._life.hand_over(now_s))

    def _look_at_loops(self, pulse: Pulse, now_s: float) -> None:
        timeout_s = self._live.config.workers.stall_timeout_s
        found = self._liveness.look(pulse.heartbeats, pulse.threads, timeout_s, now_s)
        self._standing = bool(found.standing)
        self._publish()
        for level, sentence in found.told:
            self._tell(level, sentence)
        if found.stalled:
            who = ", ".join(map(str, found.stalled))
            self._take(
                self._life.condemn(f"stalled: no heartbeat of worker {who} for {timeout_s:g} s", now_s)
            )

    def _look_at_ports(self, pulse: Pulse) -> None:
        self._conditions, told = self._conditions.seen(pulse.ports)
        self._publish()
        for line in told:
            self._tell("warning", line)

    # ------------------------------------------------------------ the worker process

    def _take(self, step: Step) -> None:
        """Go on with the life that follows from an event, and do what it takes."""
        self._life = step.life
        self._publish()
        for level, sentence in step.told:
            self._tell(level, sentence)
        if self._life.phase is Phase.WAITING and self._live.pending is not None:
            self._commit()  # the next worker process starts with the new policy
        for what in step.do:
            self._carry_out(what)

    def _carry_out(self, what: Do) -> None:
        match what:
            case Do.SPAWN:
                self._spawn()
            case Do.ABORT:
                self._signal(signal.SIGABRT)
            case Do.KILL:
                self._signal(signal.SIGKILL)
            case Do.STOP | Do.HAND_OVER if self._child is not None:
                self._child.channel.send(control.Stop(DRAIN_S, dismiss=what is Do.STOP))

    def _spawn(self) -> None:
        remove_stale_sockets(self._live.plan)
        limit_s = start_limit_s(self._live.config.workers.stall_timeout_s)
        try:
            child = Child(self._page.fd, self._state.fd, limit_s, self._keeper.fd)
        except UnavailableError as problem:
            if not self._life.served:
                raise
            self._take(self._life.missed(str(problem), self._clock.now_s()))
            return
        self._child = child
        self._said_stopped, self._failure = False, None
        self._selector.register(child.pidfd, selectors.EVENT_READ, self._on_death)
        self._selector.register(child.channel.fileno(), selectors.EVENT_READ, self._on_message)
        self._selector.register(child.log_fd, selectors.EVENT_READ, self._on_log)
        self._take(self._life.spawned(limit_s, self._clock.now_s()))
        self._game.start(child.channel, self._live.plan)

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None:
            self._child.signal(number)

    def _on_log(self) -> None:
        if self._child is not None:
            lines = self._child.read_log()
            if not lines and self._life.phase in {Phase.STOPPING, Phase.REPLACING}:
                self._unregister(self._child.log_fd)  # its end, perhaps: what is left is read at the death
            for line in lines:
                self._tell("debug", line)

    def _on_message(self) -> bool:
        """Handle one message; False when there is none, or none any more."""
        assert self._child is not None
        try:
            message = self._child.channel.receive()
        except BlockingIOError:
            return False
        match message:
            case control.Started(dropped):
                self._game.started()
                self._on_started(dropped, self._clock.now_s())
            case control.Applied(generation):
                if self._live.pending == generation:
                    self._commit()
            case control.Refused(generation, text):
                if self._live.pending == generation:
                    self._refuse(text)
            case control.Delivered() | control.LookedAt():
                self._asking.heard(message)
                self._ask()
            case control.GameMapped() | control.GameEnded() | control.GameBroken():
                self._game.heard(message)
            case control.Failed():
                self._failure = message
            case control.Stopped():
                self._said_stopped = True
            case None:
                self._unregister(self._child.channel.fileno())  # it has ended, or will in a moment
                return False
            case _:
                raise InternalError(f"the worker process said {type(message).__name__}")
        return True

    def _ask(self) -> None:
        """Something was posted for the worker process, or it is done with something."""
        serves = self._child is not None and self._life.phase is Phase.RUNNING
        self._asking.go_on(self._child.channel if self._child is not None and serves else None)

    def _on_started(self, dropped: str, now_s: float) -> None:
        if dropped:
            self._tell(
                "warning",
                "the worker process before this one was of another version of pollgate; of what it "
                f"left in the session state, this could not be kept: {dropped}",
            )
            self._state.told()
        step = self._life.started()
        if not step.life.serves:
            return
        self._liveness, self._standing = Liveness(), False
        self._received_s = now_s
        first = self._started_s is None
        self._take(step)
        if self._child is not None:
            self._child.serves()
        if first:
            self._started_s = self._shown_s = now_s
            self._view.started(self._live.plan, self._live.metrics_url)
            if self._status.issued_at is not None:
                self._tell("info", f"sessions are issued at {self._status.issued_at}")
            for told in queue_shortfalls(self._live.plan, self._status.snapshot()):
                self._tell("warning", told)
        self._look_at_ports(self._page.pulse())

    def _on_death(self) -> None:
        """The worker process has ended, whyever."""
        child = self._child
        assert child is not None
        for _ in range(LAST_MESSAGES_MAX):
            if not self._on_message():
                break
        while lines := child.read_log():
            for line in lines:
                self._tell("debug", line)
        end = End(
            child.reap(),
            tuple(child.log.lines),
            self._failure,
            self._life.condemned,
            short_of_memory=child.died_of_memory,
        )
        self._bury()
        if not self._life.served and self._life.phase is not Phase.STOPPING:
            raise start_failure(end, self._live.plan)
        starting = self._life.phase is Phase.STARTING
        death = end.as_death(self._live.plan, in_order=self._said_stopped, starting=starting)
        if not death.in_order:
            self._keeper.worker_died()
        self._take(self._life.died(death, self._clock.now_s()))

    def _bury(self) -> None:
        """Let go of the worker process; one that still runs is killed."""
        self._asking.lose()
        self._game.worker_gone()
        if self._child is not None:
            for fd in (self._child.pidfd, self._child.channel.fileno(), self._child.log_fd):
                self._unregister(fd)
            self._child.close()
            self._child = None

    def _unregister(self, fd: int) -> None:
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    # ------------------------------------------------------------ signals

    def _on_signals(self, signals: Signals) -> None:
        for number in signals.arrived():
            match number:
                case signal.SIGHUP:
                    self._reload_asked = True
                case signal.SIGINT:
                    self._take(self._life.interrupted(self._clock.now_s()))
                case signal.SIGTERM:
                    self._take(self._life.stop(self._clock.now_s()))

    # ------------------------------------------------------------ reload

    def _on_reload_socket(self) -> None:
        self._reload_asked = self._reload_socket.heard() or self._reload_asked

    def _advance_reload(self, now_s: float) -> None:
        """From the asking to the outcome: it is read, then proposed to the worker process."""
        if self._live.overdue(now_s):
            self._refuse("the workers did not take the new configuration in time")
        try:
            if self._live.reading:
                self._propose(now_s)
            elif self._reload_asked and self._live.pending is None and self._takes_policies:
                self._reload_asked = False
                self._reload_socket.begin()
                self._live.read(now_s)
        except RefusedError as refused:
            self._refused(str(refused), ExitCode.CONFIG)

    @property
    def _takes_policies(self) -> bool:
        """Whether a new policy can be used: by a worker process that serves, or by the next one."""
        return self._life.phase in {Phase.RUNNING, Phase.WAITING}

    def _propose(self, now_s: float) -> None:
        message = self._live.proposed(now_s, self._game.propose) if self._takes_policies else None
        if message is None:
            return
        if self._child is None:
            self._commit()  # the next worker process starts with it
        else:
            self._child.channel.send(message)

    def _commit(self) -> None:
        told = self._live.commit()
        self._game.settle(self._live.plan.policy)
        self._keeper.seconds = self._live.config.record.seconds
        self._reload_successful = True
        self._publish()
        self._tell("info", told)
        self._reload_socket.answer(Outcome(ExitCode.DONE, told))

    def _refuse(self, why: str) -> None:
        self._live.drop()
        self._game.settle(self._live.plan.policy)
        self._refused(f"reload refused, the old configuration stays: {why}", ExitCode.INTERNAL)

    def _refused(self, told: str, code: ExitCode) -> None:
        self._reload_successful = False
        self._publish()
        self._tell("error", told)
        self._reload_socket.answer(Outcome(code, told))

    # ------------------------------------------------------------ telling

    def _publish(self) -> None:
        """Let metrics and readiness know how things stand."""
        self._status.now = RunState(
            worker_restarts=self._life.restarts.total,
            worker_reopenings=self._conditions.reopened,
            workers_running=self._life.serves and not self._standing,
            obstacles=(*self._life.waiting.obstacles, *self._conditions.obstacles),
            config_reload_successful=self._reload_successful,
            game=self._game.figures,
        )

    def _tell(self, level: str, message: str) -> None:
        if _LEVELS.index(level) >= _LEVELS.index(self._live.config.log.level):
            self._view.event(level, message)

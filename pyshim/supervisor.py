# SPDX-License-Identifier: BSD-3-Clause
"""Starts the worker process, watches it, starts it again when it dies, reloads it, and ends it.

One event loop; everything in it is bounded. The supervisor owns what must outlive a worker process, the
statistics page and the session state, and never touches EAL itself.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pyshim import control
from pyshim.child import Child, start_limit_s
from pyshim.conditions import Conditions
from pyshim.config import Config, load_config
from pyshim.dataplane import (
    PageNames,
    Pulse,
    RunState,
    StatsPage,
    gain_nothing,
    limit_capabilities,
    new_state,
)
from pyshim.descriptor_limit import raise_descriptor_limit
from pyshim.eal_messages import crash_error, explain, last_meaningful
from pyshim.errors import ExitCode, InternalError, PollgateError, UnavailableError
from pyshim.host import gather
from pyshim.host.users import has_file_capabilities
from pyshim.letters import Post
from pyshim.liveness import Liveness
from pyshim.memory_file import SessionState
from pyshim.plan import Plan, plan
from pyshim.planner.descriptors import descriptors_needed
from pyshim.reload_socket import Outcome
from pyshim.reloading import LiveConfig, RefusedError
from pyshim.restarts import Restarts
from pyshim.rivals import Rivals
from pyshim.running_clock import RunningClock
from pyshim.runtime_directory import remove_runtime_directory
from pyshim.shortfall import queue_shortfalls
from pyshim.signals import Signals
from pyshim.stale_sockets import remove_stale_sockets
from pyshim.stats import Snapshot
from pyshim.views.advice import Adviser
from pyshim.waiting import Waiting

if TYPE_CHECKING:
    from pyshim.sessions import SessionTable

TURN_S = 0.05
VIEW_S = 1.0
DRAIN_S = 2.0
STOP_LIMIT_S = 4.0  # draining and closing the devices
LAST_MESSAGES_MAX = 16  # that a worker process can have sent before it died
ABORT_GRACE_S = 0.2  # for a core dump's first pages; the kernel finishes it in spite of SIGKILL's haste

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
        """The run has ended normally after so long; once per run."""


def run(options: RunOptions, view: View, lost: Callable[[], Mapping[str, int]]) -> None:
    """Run the appliance until a signal or until `options` end it. For the main thread.

    Args:
        options: what the command line asks.
        view: must not block.
        lost: lines that could not be written, by stream; asked by any thread.

    Raises:
        ConfigError, PlanError: before anything was started.
        UnavailableError: a device, memory, CPU, permission or the metrics port is not to be had.
        InternalError: the worker process died too often, or a bug.
    """
    config = load_config(options.config_path)
    host = gather(config)
    decided = plan(config, host)
    raise_descriptor_limit(descriptors_needed(decided, host)[0])
    _keep_little(decided)
    with ExitStack() as stack:
        signals = stack.enter_context(Signals())
        page = stack.enter_context(
            StatsPage.create(len(decided.workers), len(decided.ports), len(decided.pools))
        )
        state = stack.enter_context(new_state(decided))
        # The worker process inherits this: Python and EAL's control threads stay off the workers' CPUs.
        stack.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
        try:
            os.sched_setaffinity(0, decided.control_cpus)
        except OSError as problem:
            raise UnavailableError(
                f"the control CPUs {list(decided.control_cpus)} cannot be used: {problem.strerror}; "
                "compare workers.cpus with `taskset -cp $$`"
            ) from problem
        post = stack.enter_context(closing(Post()))
        control_api = stack.enter_context(_control_api(config, state, post))
        status = _Status(page, PageNames.of(decided), control_api, lost)
        live = stack.enter_context(
            LiveConfig(options.config_path, config, decided, status.snapshot, status.age_s)
        )
        memory = _Memory(page, state, post)
        supervisor = stack.enter_context(closing(_Supervisor(options, view, live, memory, status)))
        supervisor.run(signals)


@dataclass(frozen=True, slots=True)
class _ControlApi:
    """Where sessions are issued, and how many stand."""

    where: str
    sessions: SessionTable


@contextmanager
def _control_api(config: Config, state: SessionState, post: Post) -> Iterator[_ControlApi | None]:
    """Serve the control API, if there is anything to issue; what it needs is loaded only then."""
    if not config.issues_sessions:
        yield None
        return
    from pyshim.issuing.server import ControlServer  # noqa: PLC0415
    from pyshim.sessions import SessionTable  # noqa: PLC0415

    with SessionTable(state) as sessions, ControlServer(config, sessions, post) as server:
        yield _ControlApi(server.where, sessions)


def _keep_little(decided: Plan) -> None:
    """Of this process's powers, those that the next worker process starts with."""
    limit_capabilities(decided.confinement.starting)
    if not has_file_capabilities():  # a worker process would not get them again under no_new_privs
        gain_nothing()


class _Phase(Enum):
    STARTING = auto()  # a worker process exists and has not said Started
    RUNNING = auto()
    REPLACING = auto()  # told to end, and the next one goes on
    WAITING = auto()  # no worker process; the next one comes when its time has come
    STOPPING = auto()  # told to end
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class _Memory:
    """What outlives every worker process."""

    page: StatsPage
    state: SessionState
    post: Post


class _Status:
    """Where every snapshot comes from. Metrics threads read `now`, so it is replaced, never changed."""

    def __init__(
        self,
        page: StatsPage,
        names: PageNames,
        control_api: _ControlApi | None,
        lost: Callable[[], Mapping[str, int]],
    ) -> None:
        self._page = page
        self._names = names
        self._lost = lost
        self.control_api = control_api
        self.now = RunState()
        self.turned_s = time.monotonic()  # when the supervisor's loop last turned

    def age_s(self) -> float:
        """How old what the supervisor knows is; any thread may ask."""
        return time.monotonic() - self.turned_s

    def snapshot(self) -> Snapshot:
        """Everything at this moment; any thread may ask."""
        issued = self.control_api.sessions.count() if self.control_api else 0
        state = replace(
            self.now, sessions_issued=issued, supervisor_age_s=self.age_s(), output_lost=self._lost()
        )
        return self._page.snapshot(self._names, state)


class _Supervisor:
    """The state of one run; of the main thread only."""

    def __init__(
        self, options: RunOptions, view: View, live: LiveConfig, memory: _Memory, status: _Status
    ) -> None:
        self._options = options
        self._view = view
        self._adviser = Adviser()
        self._live = live
        self._page = memory.page
        self._state = memory.state
        self._post = memory.post
        self._status = status

        self._clock = RunningClock()
        self._selector = selectors.DefaultSelector()
        self._phase = _Phase.WAITING
        self._child: Child | None = None
        self._said_stopped = False
        self._failure: control.Failed | None = None  # what the worker process said about its end
        self._reason: str | None = None  # why the supervisor itself ended it
        self._deadline_s = 0.0  # of the phase; meaningless while running
        self._kill_at_s: float | None = None
        workers = live.config.workers
        self._restarts = Restarts(workers.restart_limit, workers.restart_window_s)
        self._waiting = Waiting()
        self._conditions = Conditions.of(live.plan.ports)

        self._reload_asked = False
        self._reload_socket = live.reload_socket

        self._liveness = Liveness()
        self._rivals = Rivals()
        self._started_s: float | None = None  # of the first worker process
        self._received = 0
        self._received_s = 0.0  # when that number last grew
        self._shown_s = 0.0
        self._interrupts = 0

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
        self._selector.register(self._post.fileno(), selectors.EVENT_READ, self._on_letters)
        self._selector.register(self._reload_socket.fileno(), selectors.EVENT_READ, self._on_reload_socket)
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
        self._on_signals(signals)  # of the time in which all this was set up
        if self._phase is not _Phase.ENDED:
            self._spawn()
        while self._phase is not _Phase.ENDED:
            for key, _ in self._selector.select(TURN_S):
                # A callback may have removed another one's descriptor, and with it its worker process.
                if key.fd in self._selector.get_map():
                    key.data()
            self._turn(self._clock.now_s())
        self._set(workers_running=False)
        elapsed_s = 0.0 if self._started_s is None else self._clock.now_s() - self._started_s
        self._view.finished(self._status.snapshot(), elapsed_s)

    # ------------------------------------------------------------ the clock

    def _turn(self, now_s: float) -> None:
        """What is due by time rather than by an event."""
        self._status.turned_s = time.monotonic()
        if self._kill_at_s is not None and now_s >= self._kill_at_s:
            self._kill_at_s = None
            self._signal(signal.SIGKILL)
        match self._phase:
            case _Phase.STARTING if now_s >= self._deadline_s:
                limit_s = start_limit_s(self._live.config.workers.stall_timeout_s)
                self._condemn(f"did not start within {limit_s:.0f} s", now_s)
            case _Phase.WAITING if now_s >= self._deadline_s:
                self._spawn()
            case _Phase.RUNNING:
                self._watch(now_s)
            case _Phase.STOPPING | _Phase.REPLACING if now_s >= self._deadline_s and self._reason is None:
                self._reason = f"did not end within {STOP_LIMIT_S:.0f} s"
                self._signal(signal.SIGKILL)
        if self._live.overdue(now_s):
            self._refuse("the workers did not take the new configuration in time")
        if (
            self._reload_asked
            and self._live.pending is None
            and self._phase in {_Phase.RUNNING, _Phase.WAITING}
        ):
            self._reload_asked = False
            self._reload(now_s)
        if self._started_s is not None and now_s - self._shown_s >= VIEW_S:
            self._shown_s = now_s
            snapshot = self._status.snapshot()
            self._view.update(snapshot)
            for sentence in self._adviser.news(snapshot):
                self._tell("warning", sentence)
            self._rivals, sentences = self._rivals.look(snapshot.ports, now_s)
            for told in sentences:
                self._tell("warning", told)
        for_s = self._options.for_s
        if self._started_s is not None and for_s is not None and now_s - self._started_s >= for_s:
            self._stop(now_s)

    def _watch(self, now_s: float) -> None:
        """Look at the running worker: does it turn, does it receive?"""
        pulse = self._page.pulse()
        self._look_at_ports(pulse)
        timeout_s = self._live.config.workers.stall_timeout_s
        found = self._liveness.look(pulse.heartbeats, pulse.threads, timeout_s, now_s)
        if self._reason is None:
            self._set(workers_running=not found.standing)
            for level, sentence in found.told:
                self._tell(level, sentence)
            if found.stalled:
                who = ", ".join(map(str, found.stalled))
                self._condemn(f"stalled: no heartbeat of worker {who} for {timeout_s:g} s", now_s)
        if pulse.received != self._received:
            self._received = pulse.received
            self._received_s = now_s
        idle_s = self._options.until_idle_s
        if idle_s is not None and now_s - self._received_s >= idle_s:
            self._stop(now_s)
        elif self._reason is None and self._conditions.reopening_due(now_s):
            self._replace(now_s)

    def _look_at_ports(self, pulse: Pulse) -> None:
        self._conditions, told = self._conditions.seen(pulse.ports)
        for line in told:
            self._tell("warning", line)
        self._set()

    # ------------------------------------------------------------ the worker process

    def _spawn(self) -> None:
        remove_stale_sockets(self._live.plan)
        try:
            limit_s = start_limit_s(self._live.config.workers.stall_timeout_s)
            child = Child(self._page.fd, self._state.fd, limit_s)
        except UnavailableError as problem:
            if self._started_s is None:
                raise
            self._wait_for_it(str(problem))
            return
        self._child = child
        self._phase = _Phase.STARTING
        self._deadline_s = self._clock.now_s() + limit_s
        self._said_stopped, self._failure, self._reason, self._kill_at_s = False, None, None, None
        self._selector.register(child.pidfd, selectors.EVENT_READ, self._on_death)
        self._selector.register(child.channel.fileno(), selectors.EVENT_READ, self._on_message)
        self._selector.register(child.log_fd, selectors.EVENT_READ, self._on_log)
        child.channel.send(control.Start(self._live.plan))

    def _condemn(self, reason: str, now_s: float) -> None:
        """End a worker process that does not do its work; its death is handled like any other."""
        if self._reason is None:
            self._reason = reason
            self._set(workers_running=False)
            self._signal(signal.SIGABRT)
            self._kill_at_s = now_s + ABORT_GRACE_S

    def _replace(self, now_s: float) -> None:
        """End the worker process in order, its players unaware; the next one opens the devices anew."""
        assert self._child is not None
        self._conditions = self._conditions.reopening(now_s)
        self._phase = _Phase.REPLACING
        self._deadline_s = now_s + STOP_LIMIT_S
        self._set(workers_running=False, worker_reopenings=self._conditions.reopened)
        self._child.channel.send(control.Stop(DRAIN_S, dismiss=False))

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None:
            self._child.signal(number)

    def _on_log(self) -> None:
        if self._child is not None:
            lines = self._child.read_log()
            if not lines and self._phase in {_Phase.STOPPING, _Phase.REPLACING}:
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
            case control.Started():
                self._on_started(self._clock.now_s())
            case control.Applied(generation):
                if self._live.pending == generation:
                    self._commit()
            case control.Refused(generation, text):
                if self._live.pending == generation:
                    self._refuse(text)
            case control.Delivered(number, verdict):
                self._post.settle(number, verdict)
                self._on_letters()
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

    # ------------------------------------------------------------ the operator's messages

    def _on_letters(self) -> None:
        """Messages were posted, or the worker process is done with one: give it the next."""
        self._post.hear()
        if self._child is None or self._phase is not _Phase.RUNNING:
            self._post.lose()
        elif (next_one := self._post.take()) is not None:
            self._child.channel.send(control.Deliver(*next_one))

    def _on_started(self, now_s: float) -> None:
        if self._phase is not _Phase.STARTING or self._reason is not None:
            return
        self._phase = _Phase.RUNNING
        self._liveness = Liveness()
        self._received_s = now_s
        self._waiting = self._waiting.over()
        self._set(workers_running=True)
        if self._started_s is None:
            self._started_s = self._shown_s = now_s
            self._view.started(self._live.plan, self._live.metrics_url)
            if self._status.control_api is not None:
                self._tell("info", f"sessions are issued at {self._status.control_api.where}")
            for told in queue_shortfalls(self._live.plan, self._status.snapshot()):
                self._tell("warning", told)
        else:
            self._tell("info", "the worker process serves again")
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
        how = child.reap()
        log = tuple(child.log.lines)
        self._bury()
        self._set(workers_running=False)
        in_order = self._said_stopped and self._reason is None
        if self._phase is _Phase.STOPPING:
            self._phase = _Phase.ENDED
            if not self._said_stopped:
                self._tell("warning", f"the worker process {self._story(how)}; packets in its hands are lost")
        elif self._started_s is None:
            raise self._start_failure(how, log)
        elif self._phase is _Phase.REPLACING and in_order:
            self._start_next(0.0)
        elif missing := self._missing(how, log):
            self._wait_for_it(missing)
        else:
            self._plan_restart(how, log)

    def _story(self, how: str) -> str:
        """How it ended and why, as far as anybody said so."""
        if self._failure is not None:
            return f"failed: {self._failure.message}"
        return f"{self._reason} and {how}" if self._reason is not None else how

    def _start_failure(self, how: str, log: tuple[str, ...]) -> PollgateError:
        """What its end stands for, if it came before it served."""
        if self._failure is None:
            return crash_error(
                f"the worker process {self._story(how)} before it served", log, self._live.plan
            )
        kind = UnavailableError if self._failure.exit_code == ExitCode.UNAVAILABLE else InternalError
        return kind(explain(self._failure.message, log, self._live.plan))

    def _missing(self, how: str, log: tuple[str, ...]) -> str | None:
        """What was not there, if that is why it ended; a crash while it served is none of that."""
        if self._failure is None and self._phase is not _Phase.STARTING:
            return None
        problem = self._start_failure(how, log)
        return str(problem) if isinstance(problem, UnavailableError) else None

    def _plan_restart(self, how: str, log: tuple[str, ...]) -> None:
        now_s = self._clock.now_s()
        self._restarts = self._restarts.died(now_s)
        story = self._story(how)
        if self._restarts.exhausted:
            last = last_meaningful(log)
            raise InternalError(
                f"the worker process died {len(self._restarts.recent)} times within "
                f"{self._restarts.window_s:g} s and is not started again (workers.restart_limit is "
                f"{self._restarts.limit}); the last time it {story}"
                + (f"; the last line of its log: {last}" if last else "")
            )
        self._set(worker_restarts=self._restarts.total)
        wait_s = self._restarts.wait_s
        when = f"in {wait_s:g} s" if wait_s else "now"
        self._tell("warning", f"the worker process {story}; it is started again {when}")
        self._start_next(wait_s)

    def _wait_for_it(self, reason: str) -> None:
        """Something that was there is not there now: all is kept, and tried again without end."""
        now_s = self._clock.now_s()
        self._waiting, tell = self._waiting.missed(reason, now_s)
        if tell:
            self._tell(
                "warning",
                f"the worker process cannot start: {reason}; all sessions are kept, and it is tried again "
                "until it can",
            )
        self._set()
        self._start_next(self._waiting.wait_s)

    def _start_next(self, wait_s: float) -> None:
        self._phase = _Phase.WAITING
        self._deadline_s = self._clock.now_s() + wait_s
        if self._live.pending is not None:
            self._commit()  # the next worker process starts with the new policy

    def _bury(self) -> None:
        """Let go of the worker process; one that still runs is killed."""
        self._post.lose()
        if self._child is not None:
            for fd in (self._child.pidfd, self._child.channel.fileno(), self._child.log_fd):
                self._unregister(fd)
            self._child.close()
            self._child = None
            self._kill_at_s = None

    def _unregister(self, fd: int) -> None:
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    # ------------------------------------------------------------ signals

    def _on_signals(self, signals: Signals) -> None:
        for number in signals.arrived():
            if number == signal.SIGHUP:
                self._reload_asked = True
            elif number in {signal.SIGINT, signal.SIGTERM}:
                self._interrupts += number == signal.SIGINT
                if self._interrupts >= 2 and self._phase is _Phase.STOPPING:
                    self._reason = "was told to end at once"
                    self._signal(signal.SIGKILL)
                self._stop(self._clock.now_s())

    def _stop(self, now_s: float) -> None:
        if self._phase is _Phase.WAITING:
            self._phase = _Phase.ENDED
        elif self._phase in {_Phase.STARTING, _Phase.RUNNING, _Phase.REPLACING}:
            self._phase = _Phase.STOPPING
            self._deadline_s = now_s + STOP_LIMIT_S
            self._set(workers_running=False)
            if self._child is not None:
                self._child.channel.send(control.Stop(DRAIN_S))

    # ------------------------------------------------------------ reload

    def _on_reload_socket(self) -> None:
        self._reload_asked = self._reload_socket.heard() or self._reload_asked

    def _reload(self, now_s: float) -> None:
        self._reload_socket.begin()
        try:
            message = self._live.propose(now_s)
        except RefusedError as refused:
            self._refused(str(refused), ExitCode.CONFIG)
            return
        if self._child is None:
            self._commit()  # the next worker process starts with it
        else:
            self._child.channel.send(message)

    def _commit(self) -> None:
        told = self._live.commit()
        self._set(config_reload_successful=True)
        self._tell("info", told)
        self._reload_socket.answer(Outcome(ExitCode.DONE, told))

    def _refuse(self, why: str) -> None:
        self._live.drop()
        self._refused(f"reload refused, the old configuration stays: {why}", ExitCode.INTERNAL)

    def _refused(self, told: str, code: ExitCode) -> None:
        self._set(config_reload_successful=False)
        self._tell("error", told)
        self._reload_socket.answer(Outcome(code, told))

    # ------------------------------------------------------------ telling

    def _set(
        self,
        *,
        worker_restarts: int | None = None,
        worker_reopenings: int | None = None,
        workers_running: bool | None = None,
        config_reload_successful: bool | None = None,
    ) -> None:
        now = self._status.now
        reload = config_reload_successful
        self._status.now = RunState(
            now.worker_restarts if worker_restarts is None else worker_restarts,
            now.worker_reopenings if worker_reopenings is None else worker_reopenings,
            now.workers_running if workers_running is None else workers_running,
            (*self._waiting.obstacles, *self._conditions.obstacles),
            now.config_reload_successful if reload is None else reload,
        )

    def _tell(self, level: str, message: str) -> None:
        if _LEVELS.index(level) >= _LEVELS.index(self._live.config.log.level):
            self._view.event(level, message)

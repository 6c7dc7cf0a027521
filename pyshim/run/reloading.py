# SPDX-License-Identifier: BSD-3-Clause
"""A changed configuration file → what changes while packets flow, or why nothing does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from pyshim.config import Config, load_config
from pyshim.config.reload import restart_needed
from pyshim.config.values import Endpoint
from pyshim.errors import RAISE_PROCESS_LIMIT, ConfigError, UnavailableError
from pyshim.management.server import ManagementServer, Served
from pyshim.plan import Plan, Policy
from pyshim.planner import policy_of
from pyshim.planner.former import warn_of_former
from pyshim.run.control import Reload
from pyshim.run.reload_socket import ReloadSocket

APPLY_LIMIT_S = 3.0
READ_LIMIT_S = 20.0  # for the file and, if metrics move, for their address


class RefusedError(Exception):
    """A reload that changes nothing; the message is one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Change:
    """A configuration that can replace the running one."""

    config: Config
    plan: Plan
    metrics_moved: bool


def read_change(path: Path, running: Config, plan: Plan) -> Change:
    """What the file at `path` would change of `running`, which runs as `plan`.

    Raises:
        RefusedError: the file is wrong, or changes something that needs a restart.
    """
    try:
        wanted = load_config(path)
    except ConfigError as problem:
        raise RefusedError(
            f"reload refused, the old configuration stays: {'; '.join(problem.problems)}"
        ) from problem
    if keys := restart_needed(running, wanted):
        verb = "needs" if len(keys) == 1 else "need"
        raise RefusedError(
            f"reload refused, nothing was changed: {', '.join(keys)} {verb} a restart of pollgate"
        )
    return Change(
        config=wanted,
        plan=replace(plan, policy=policy_of(wanted), log_level=wanted.log.level),
        metrics_moved=wanted.metrics.listen != running.metrics.listen,
    )


@dataclass(frozen=True, slots=True)
class _Proposal:
    """A change, and the address of its metrics, which is served already."""

    change: Change
    metrics: Served | None

    def withdraw(self) -> None:
        """Nothing comes of it."""
        if self.change.metrics_moved and self.metrics is not None:
            self.metrics.close()


class _Reading:
    """A proposal in the making, in a thread of its own.

    A file system may hang, and a resolver may not answer: neither may keep the supervisor from its work.
    """

    def __init__(self, propose: Callable[[], _Proposal], deadline_s: float) -> None:
        """Begin.

        Raises:
            RefusedError: the kernel starts no thread.
        """
        self.deadline_s = deadline_s
        self._propose = propose
        self._lock = threading.Lock()
        self._outcome: _Proposal | RefusedError | None = None
        self._abandoned = False
        try:
            threading.Thread(target=self._run, name="reload", daemon=True).start()
        except RuntimeError:
            raise RefusedError(f"reload refused, nothing was changed: {RAISE_PROCESS_LIMIT}") from None

    def _run(self) -> None:
        try:
            outcome: _Proposal | RefusedError = self._propose()
        except RefusedError as refused:
            outcome = refused
        except Exception as problem:
            outcome = RefusedError(f"reload refused, nothing was changed: {problem!r}; this is a bug")
        with self._lock:
            self._outcome = outcome
            abandoned = self._abandoned
        if abandoned and isinstance(outcome, _Proposal):
            outcome.withdraw()

    def outcome(self) -> _Proposal | None:
        """What came of it; None while it goes on.

        Raises:
            RefusedError: the old configuration stays.
        """
        with self._lock:
            outcome = self._outcome
        if isinstance(outcome, RefusedError):
            raise outcome
        return outcome

    def abandon(self) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            self._abandoned = True
            outcome = self._outcome
        if isinstance(outcome, _Proposal):
            outcome.withdraw()


@dataclass(frozen=True, slots=True)
class _Pending:
    """A proposal that the data plane has not acknowledged."""

    generation: int
    proposal: _Proposal
    deadline_s: float


class LiveConfig:
    """The configuration that runs, the metrics that belong to it, and the change under way, if any.

    A change is read, proposed to the data plane, then committed or dropped; until then all that runs is the
    old one. While open, as a context manager, it serves metrics.
    """

    def __init__(
        self,
        path: Path,
        config: Config,
        plan: Plan,
        server: ManagementServer,
        listen: Endpoint | None,
    ) -> None:
        """`config` runs as `plan` and was read from `path`; `server` serves metrics, at first at `listen`."""
        self.config = config
        self.plan = plan
        self._path = path
        self._server = server
        self._listen = listen
        self.reload_socket = ReloadSocket(path)
        self._metrics: Served | None = None
        self._generation = 0
        self._reading: _Reading | None = None
        self._pending: _Pending | None = None

    def __enter__(self) -> Self:
        """Serve metrics, and hear who asks for a reload.

        Raises:
            UnavailableError: the metrics' address cannot be had.
        """
        self._metrics = self._serve(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving them."""
        self._abandon()
        self.drop()
        self.reload_socket.close()
        if self._metrics is not None:
            self._metrics.close()

    @property
    def metrics_url(self) -> str | None:
        """Where metrics are served; None when they are not."""
        return None if self._metrics is None else self._metrics.url

    @property
    def pending(self) -> int | None:
        """Generation of the change under way."""
        return None if self._pending is None else self._pending.generation

    def overdue(self, now_s: float) -> bool:
        """Whether there is a change under way that should have been acknowledged by now."""
        return self._pending is not None and now_s >= self._pending.deadline_s

    @property
    def reading(self) -> bool:
        """Whether the file is being read again."""
        return self._reading is not None

    def read(self, now_s: float) -> None:
        """Begin to read the file again.

        Raises:
            RefusedError: the old configuration stays, whole.
        """
        self._reading = _Reading(self._propose, now_s + READ_LIMIT_S)

    def proposed(self, now_s: float, routed: Callable[[Policy, Policy], Policy]) -> Reload | None:
        """What the data plane must take, when all is read; None before.

        `routed` makes room for the game processes of a policy beside those of the running one.

        Raises:
            RefusedError: the old configuration stays, whole.
        """
        assert self._reading is not None
        try:
            proposal = self._reading.outcome()
        except RefusedError:
            self._reading = None
            raise
        if proposal is None:
            if now_s >= self._reading.deadline_s:
                self._abandon()
                raise RefusedError(
                    f"reload refused, nothing was changed: within {READ_LIMIT_S:.0f} s the configuration "
                    "could not be read, or the name in metrics.listen not be resolved"
                )
            return None
        self._reading = None
        plan = proposal.change.plan
        try:
            policy = routed(plan.policy, self.plan.policy)
        except RefusedError:
            proposal.withdraw()
            raise
        self._generation += 1
        self._pending = _Pending(self._generation, proposal, now_s + APPLY_LIMIT_S)
        return Reload(self._generation, policy, plan.log_level == "debug")

    def _propose(self) -> _Proposal:
        """Read and check the change, in a thread of its own. Raises RefusedError."""
        change = read_change(self._path, self.config, self.plan)
        if not change.metrics_moved:
            return _Proposal(change, self._metrics)
        # The new address first: when it cannot be had, the old one has never been away.
        try:
            return _Proposal(change, self._serve(change.config.metrics.listen))
        except UnavailableError as problem:
            raise RefusedError(f"reload refused, nothing was changed: {problem}") from problem

    def _abandon(self) -> None:
        if self._reading is not None:
            self._reading.abandon()
            self._reading = None

    def commit(self) -> str:
        """The change under way is now what runs; returns what to tell the operator."""
        assert self._pending is not None
        done, self._pending = self._pending, None
        change = done.proposal.change
        self.config, self.plan = change.config, change.plan
        told = ["configuration reloaded"]
        if change.metrics_moved:
            old, self._metrics = self._metrics, done.proposal.metrics
            if old is not None:
                old.close()
            told.append(f"metrics: {self.metrics_url or 'none'}")
        return "; ".join((*told, *warn_of_former(change.config)))

    def drop(self) -> None:
        """Forget the change under way, if there is one."""
        dropped, self._pending = self._pending, None
        if dropped is not None:
            dropped.proposal.withdraw()

    def _serve(self, listen: Endpoint | None) -> Served | None:
        return None if listen is None else self._server.open_figures(listen)

# SPDX-License-Identifier: BSD-3-Clause
"""A changed configuration file → what changes while packets flow, or why nothing does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from pyshim.config import Config, load_config
from pyshim.config.reload import restart_needed
from pyshim.control import Reload
from pyshim.errors import ConfigError, UnavailableError
from pyshim.metrics import MetricsServer
from pyshim.plan import Plan
from pyshim.planner import policy_of
from pyshim.reload_socket import ReloadSocket
from pyshim.stats import Snapshot

APPLY_LIMIT_S = 3.0


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
class _Pending:
    """A change that the data plane has not acknowledged."""

    generation: int
    change: Change
    metrics: MetricsServer | None
    deadline_s: float


class LiveConfig:
    """The configuration that runs, the metrics server that belongs to it, and the change under way, if any.

    A change is proposed, then committed or dropped; until then all that runs is the old one. While open, as a
    context manager, it serves metrics.
    """

    def __init__(
        self,
        path: Path,
        config: Config,
        plan: Plan,
        source: Callable[[], Snapshot],
        age_s: Callable[[], float],
    ) -> None:
        """`config` runs as `plan` and was read from `path`; metrics are served from `source`.

        `age_s` tells how long ago the supervisor last looked.
        """
        self.config = config
        self.plan = plan
        self._path = path
        self._source = source
        self._age_s = age_s
        self.reload_socket = ReloadSocket(path)
        self._metrics: MetricsServer | None = None
        self._generation = 0
        self._pending: _Pending | None = None

    def __enter__(self) -> Self:
        """Serve metrics, and hear who asks for a reload.

        Raises:
            UnavailableError: the metrics' address cannot be had.
        """
        self._metrics = self._serve(self.config)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving them."""
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

    def propose(self, now_s: float) -> Reload:
        """Read the file again and begin the change; the data plane must take what is returned.

        Raises:
            RefusedError: the old configuration stays, whole.
        """
        change = read_change(self._path, self.config, self.plan)
        metrics = self._metrics
        if change.metrics_moved:
            # The new address first: when it cannot be had, the old one has never been away.
            try:
                metrics = self._serve(change.config)
            except UnavailableError as problem:
                raise RefusedError(f"reload refused, nothing was changed: {problem}") from problem
        self._generation += 1
        self._pending = _Pending(self._generation, change, metrics, now_s + APPLY_LIMIT_S)
        return Reload(self._generation, change.plan.policy, change.plan.log_level == "debug")

    def commit(self) -> str:
        """The change under way is now what runs; returns what to tell the operator."""
        assert self._pending is not None
        done, self._pending = self._pending, None
        self.config, self.plan = done.change.config, done.change.plan
        if not done.change.metrics_moved:
            return "configuration reloaded"
        old, self._metrics = self._metrics, done.metrics
        if old is not None:
            old.close()
        return f"configuration reloaded; metrics: {self.metrics_url or 'none'}"

    def drop(self) -> None:
        """Forget the change under way, if there is one."""
        dropped, self._pending = self._pending, None
        if dropped is not None and dropped.change.metrics_moved and dropped.metrics is not None:
            dropped.metrics.close()

    def _serve(self, config: Config) -> MetricsServer | None:
        listen = config.metrics.listen
        return None if listen is None else MetricsServer(listen, self._source, self._age_s).start()

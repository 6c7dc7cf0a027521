# SPDX-License-Identifier: BSD-3-Clause
"""Sets up a run: the configuration becomes a plan, and what must outlive a worker process is made.

The supervisor owns that, the statistics page and the session state; it never touches EAL itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager

from pyshim.config import Config, load_config
from pyshim.dataplane import PageNames, StatsPage, gain_nothing, limit_capabilities, new_state
from pyshim.errors import UnavailableError
from pyshim.host import gather
from pyshim.host.users import has_file_capabilities
from pyshim.letters import Post
from pyshim.memory_file import SessionState
from pyshim.metrics import MetricsServer
from pyshim.plan import Plan, plan
from pyshim.planner.descriptors import descriptors_needed
from pyshim.process_limits import raise_cpu_time_limit, raise_descriptor_limit
from pyshim.reloading import LiveConfig
from pyshim.resolving import resolved
from pyshim.run_status import ControlApi, Status
from pyshim.signals import Signals
from pyshim.supervision import Memory, RunOptions, Supervision, View

__all__ = ["RunOptions", "View", "run"]


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
    # Before the signals are taken: nobody attends to them while a name is waited for.
    served = resolved(config)
    host = gather(config)
    decided = plan(config, host)
    raise_descriptor_limit(descriptors_needed(decided, host)[0])
    raise_cpu_time_limit()
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
        control_api = stack.enter_context(_control_api(served, state, post))
        status = Status(page, PageNames.of(decided), control_api, lost)
        live = stack.enter_context(
            LiveConfig(
                options.config_path,
                config,
                decided,
                lambda listen: MetricsServer(listen, status.snapshot, status.age_s).start(),
                served.metrics.listen,
            )
        )
        memory = Memory(page, state, post)
        supervisor = stack.enter_context(closing(Supervision(options, view, live, memory, status)))
        supervisor.run(signals)


@contextmanager
def _control_api(config: Config, state: SessionState, post: Post) -> Iterator[ControlApi | None]:
    """Serve the control API, if there is anything to issue; what it needs is loaded only then."""
    if not config.issues_sessions:
        yield None
        return
    from pyshim.issuing.server import ControlServer  # noqa: PLC0415
    from pyshim.sessions import SessionTable  # noqa: PLC0415

    with SessionTable(state) as sessions, ControlServer(config, sessions, post) as server:
        yield ControlApi(server.where, sessions)


def _keep_little(decided: Plan) -> None:
    """Of this process's powers, those that the next worker process starts with."""
    limit_capabilities(decided.confinement.starting)
    if not has_file_capabilities():  # a worker process would not get them again under no_new_privs
        gain_nothing()

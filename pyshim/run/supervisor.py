# SPDX-License-Identifier: BSD-3-Clause
"""Sets up a run: the configuration becomes a plan, and what must outlive a worker process is made.

The supervisor owns that, the statistics page and the session state; it never touches EAL itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from pyshim.config import Config, load_config
from pyshim.connect_tokens import TokenMaker
from pyshim.dataplane import OwnState, PageNames, StatsPage, gain_nothing, limit_capabilities, new_state
from pyshim.errors import UnavailableError
from pyshim.host import gather
from pyshim.host.users import has_file_capabilities
from pyshim.issuing.access import advertised, read_game_token, read_private_key
from pyshim.looks import LookQueue
from pyshim.management.server import ManagementServer
from pyshim.management.sessions import Gateway
from pyshim.management.worlds import WorldsAsked
from pyshim.operator_messages import OperatorQueue
from pyshim.plan import Plan
from pyshim.planner import plan
from pyshim.planner.descriptors import descriptors_needed
from pyshim.recording.keeping import RecordingMemory
from pyshim.run.asking import Asking
from pyshim.run.game_bus import GameBus
from pyshim.run.recording import RecordingKeeper
from pyshim.run.reloading import LiveConfig
from pyshim.run.resolving import resolved
from pyshim.run.run_status import Status
from pyshim.run.supervision import Memory, RunOptions, Supervision, View
from pyshim.sessions import SessionTable
from pyshim.system.process_limits import raise_cpu_time_limit, raise_descriptor_limit
from pyshim.system.signals import Signals

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
    decided, tokens = _with_private_key(config, plan(config, host))
    raise_descriptor_limit(descriptors_needed(decided, host)[0])
    raise_cpu_time_limit()
    _keep_little(decided)
    with ExitStack() as stack:
        signals = stack.enter_context(Signals())
        page = stack.enter_context(StatsPage.create(len(decided.workers), PageNames.of(decided)))
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
        keeper = RecordingKeeper(stack.enter_context(_recording(config, decided)), config.record.seconds)
        operator_queue = stack.enter_context(closing(OperatorQueue()))
        look_queue = stack.enter_context(closing(LookQueue()))
        gateway = stack.enter_context(_issuing(config, state, operator_queue, tokens))
        status = Status(page, decided.engine, gateway.sessions if gateway else None, lost)
        if gateway is not None and decided.game.path:
            gateway = replace(gateway, game=status.snapshot)
        if gateway is not None and decided.worlds:
            gateway = replace(gateway, worlds=WorldsAsked(decided.worlds, look_queue, status.snapshot))
        if gateway is not None and keeper.records:
            gateway = replace(gateway, record=keeper.save)
        server = stack.enter_context(ManagementServer(status.snapshot, status.age_s, gateway))
        if gateway is not None:
            control = stack.enter_context(closing(server.open_control(served)))
            status.issued_at = control.where
        live = stack.enter_context(
            LiveConfig(options.config_path, config, decided, server, served.metrics.listen)
        )
        game = stack.enter_context(closing(GameBus(decided, read_game_token(config), page.of("process"))))
        memory = Memory(page, state, Asking(operator_queue, look_queue), game, keeper)
        supervisor = stack.enter_context(closing(Supervision(options, view, live, memory, status)))
        supervisor.run(signals)


@contextmanager
def _recording(config: Config, decided: Plan) -> Iterator[RecordingMemory | None]:
    """The memory of what is done to the worlds, if that is recorded."""
    if config.record.path is None:
        yield None
        return
    with RecordingMemory(decided, Path(config.record.path)) as memory:
        yield memory


@contextmanager
def _issuing(
    config: Config, state: OwnState, operator_queue: OperatorQueue, tokens: TokenMaker | None
) -> Iterator[Gateway | None]:
    """What sessions are issued and connect tokens made with, if there is anything to give to players."""
    if not config.lets_in:
        yield None
        return
    with SessionTable(state, [world.name for world in config.worlds]) as sessions:
        yield Gateway(
            sessions, operator_queue, advertised(config) if config.issues_sessions else None, tokens
        )


def _with_private_key(config: Config, decided: Plan) -> tuple[Plan, TokenMaker | None]:
    """The plan with the key of connect tokens, and what makes such; neither without profile netcode.

    Raises:
        PlanError: the key cannot be had.
    """
    netcode = decided.netcode
    if netcode.capacity == 0:
        return decided, None
    key = read_private_key(config)
    tokens = TokenMaker(netcode.protocol_id, netcode.servers, key)
    return replace(decided, netcode=replace(netcode, private_key=key.hex())), tokens


def _keep_little(decided: Plan) -> None:
    """Keep the capabilities that the next worker process starts with, and give up the others."""
    limit_capabilities(decided.confinement.starting)
    if not has_file_capabilities():  # a worker process would not get them again under no_new_privs
        gain_nothing()

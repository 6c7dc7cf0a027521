# SPDX-License-Identifier: BSD-3-Clause
"""The worker process: runs the data plane for the supervisor that started it, and ends with it.

It is Python for a few milliseconds; then its main thread sleeps on the control socket while poll loops run in
C. So nothing heavy is imported here. Run as `python -m pyshim.run.worker --control FD --stats FD --state FD
--start-limit SECONDS`, and `--recording FD` if something is recorded.
"""

from __future__ import annotations

import argparse
import errno
import os
import select
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from pyshim.dataplane import (
    Gateway,
    StatsPage,
    gain_nothing,
    limit_capabilities,
    log_to,
    wake_when_orphaned,
    watchdog,
)
from pyshim.errors import ExitCode, InternalError, PollgateError, UnavailableError
from pyshim.run import control
from pyshim.run.worker_game import Games
from pyshim.system.memory_file import SessionState
from pyshim.system.worker_process import MODULE

HOUSEKEEPING_MS = 100
DRAIN_S = 2.0  # when the supervisor is gone and cannot say how long
APPLY_LIMIT_S = 1.0
DISMISS_LIMIT_S = 0.5  # ten thousand players of a worker are told in a few milliseconds

# The supervisor has its own, shorter bounds. These end a process that it left behind stuck in a driver.
TURN_LIMIT_S = 10
STOP_LIMIT_S = 6

_SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_RAISE_LIMITS = "raise the limits of this process on files (ulimit -n) and memory, or those of the host"

_STDERR = 2
_SUPERVISORS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Serve until told to stop; the exit code is that of the failure, if there was one."""
    # The supervisor alone decides on these, even when a service manager sends them to every process. First of
    # all, so that every thread of EAL inherits it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SUPERVISORS)
    parser = argparse.ArgumentParser(prog=MODULE, description=__doc__)
    for name in ("control", "stats", "state"):
        parser.add_argument(f"--{name}", type=int, required=True, metavar="FD", help="inherited descriptor")
    parser.add_argument("--recording", type=int, metavar="FD", help="inherited descriptor")
    parser.add_argument("--start-limit", type=int, required=True, metavar="SECONDS")
    options = parser.parse_args(arguments)

    channel = control.Channel.of_fd(options.control)
    try:
        state = SessionState(options.state, huge_pages=False)
        serve(channel, StatsPage.attach(options.stats), state, options.recording, options.start_limit)
    except PollgateError as problem:
        _fail(channel, control.failure(problem))
    except OSError as problem:
        if problem.errno in _SCARCE:
            _fail(channel, control.failure(UnavailableError(f"{problem.strerror}; {_RAISE_LIMITS}")))
        _fail_of_a_bug(channel, problem)
    except Exception as problem:
        _fail_of_a_bug(channel, problem)
    _end(ExitCode.DONE)


def _fail(channel: control.Channel, failure: control.Failed) -> NoReturn:
    channel.send(failure)
    _end(failure.exit_code)


def _fail_of_a_bug(channel: control.Channel, problem: Exception) -> NoReturn:
    # To the supervisor's log, for whoever reports the bug; the user gets the sentence.
    with suppress(OSError):  # its pipe may be full
        traceback.print_exc()
    _fail(channel, control.Failed(ExitCode.INTERNAL, f"the worker process failed: {problem!r}"))


def serve(
    channel: control.Channel,
    page: StatsPage,
    state: SessionState,
    recording_fd: int | None,
    start_limit_s: int,
) -> None:
    """Run one data plane from the Start message to the Stop message, or to the end of the stream.

    Raises:
        PollgateError: it could not start, or its loops did not stop.
    """
    watchdog(start_limit_s)
    start = _wait(channel, start_limit_s * 1000)
    if not isinstance(start, control.Start):
        return
    plan = start.plan
    # EAL's own threads inherit this: they stay off the workers' CPUs.
    os.sched_setaffinity(0, plan.control_cpus)
    log_to(_STDERR, debug=plan.log_level == "debug")

    wake_when_orphaned()
    gain_nothing()
    limit_capabilities(plan.confinement.starting)
    gateway = Gateway(plan, page, state, recording_fd)
    gateway.confine(plan.confinement)
    games = Games(channel, gateway)
    _map_games(channel, games, start.game_rings, start_limit_s)
    gateway.start()
    gateway.housekeep()  # who hears that it has started finds out how its ports are
    channel.send(control.Started(gateway.dropped()))

    stop = _attend(channel, gateway, games)

    watchdog(STOP_LIMIT_S)
    if stop.dismiss:
        gateway.dismiss(DISMISS_LIMIT_S)  # a player who is not told in time finds out by a timeout
    gateway.stop(stop.drain_s)
    gateway.housekeep()
    gateway.close()
    channel.send(control.Stopped())


def _map_games(channel: control.Channel, games: Games, count: int, limit_s: int) -> None:
    """Before the first packet: what is for a game process must not go elsewhere."""
    for _ in range(count):
        order = _wait(channel, limit_s * 1000)
        if not isinstance(order, control.GameRings):
            raise InternalError(f"the supervisor said {type(order).__name__} in place of rings")
        games.obey(order)


def _attend(channel: control.Channel, gateway: Gateway, games: Games) -> control.Stop:
    """Answer the supervisor until it wants an end; returns how."""
    while True:
        watchdog(TURN_LIMIT_S)
        gateway.housekeep()
        games.report()
        match _wait(channel, games.wait_ms(HOUSEKEEPING_MS)):
            case control.Reload(generation, policy, debug):
                try:
                    gateway.apply(policy, APPLY_LIMIT_S)
                except PollgateError as problem:
                    channel.send(control.Refused(generation, str(problem)))
                else:
                    log_to(_STDERR, debug=debug)
                    channel.send(control.Applied(generation))
            case control.Deliver(number, operator_message):
                channel.send(control.Delivered(number, gateway.send(operator_message)))
            case (
                control.GameRings()
                | control.GameHear()
                | control.GamePresence()
                | control.GameEnd()
                | control.GameDetach()
            ) as order:
                games.obey(order)
            case control.LookAt() as look:
                channel.send(_look(gateway, look))
            case control.Stop() as stop:
                return stop
            case None:
                pass
            case unexpected:
                raise InternalError(f"the supervisor said {type(unexpected).__name__} to a running worker")


def _write_all(fd: int, data: memoryview) -> None:
    """However often it takes."""
    written = 0
    while written < len(data):
        written += os.write(fd, data[written:])


def _look(gateway: Gateway, look: control.LookAt) -> control.LookedAt:
    """Write what a world shows into the supervisor's file."""
    (fd,) = look.fds
    try:
        shown = gateway.look(look.world, look.player_id)
        for part in shown.parts:
            _write_all(fd, part)
    except (PollgateError, OSError) as problem:
        return control.LookedAt(look.number, str(problem))
    finally:
        os.close(fd)
    return control.LookedAt(look.number, "", shown.tick, shown.entities, shown.found, shown.seen)


def _wait(channel: control.Channel, timeout_ms: int) -> control.Message | None:
    """The next message; None when none came in time. A supervisor that is gone counts as its Stop."""
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    if not poll.poll(timeout_ms):
        return None
    return channel.receive() or control.Stop(DRAIN_S)


def _end(code: int) -> NoReturn:
    """Leave without the interpreter's clean-up: it would unmap what a loop that did not stop still uses."""
    with suppress(OSError):  # a pipe that nobody reads
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: BSD-3-Clause
"""The generator's process: plays for the process that started it, and ends with it.

Its main thread plays in C; a second one listens, so that the end of the owner ends a trial at once. Run as
`python -m pyshim.load.process --wire FD --page FD`.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import NoReturn

from pyshim.dataplane import log_to
from pyshim.errors import ExitCode, InternalError, PollgateError
from pyshim.load.messages import Ended, Failed, Message, Open, Opened, Planned, Play, Wire
from pyshim.load.native import Page, Players
from pyshim.load.planning import check_cpu, device_plan
from pyshim.plan import Plan

ORPHAN_LIMIT_S = 2.0  # from the owner's end to this process's: a driver may be slow to let go
_STDERR = 2
_OWNERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Play until the owner is gone; the exit code is that of the failure, if there was one."""
    # The owner alone decides on these. First of all, so that every thread inherits it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _OWNERS)
    parser = argparse.ArgumentParser(prog="pyshim.load.process", description=__doc__)
    for name in ("wire", "page", "tickets"):
        parser.add_argument(f"--{name}", type=int, required=True, metavar="FD", help="inherited descriptor")
    options = parser.parse_args(arguments)

    wire, page = Wire.of_fd(options.wire), Page(options.page)
    inbox: SimpleQueue[Message | None] = SimpleQueue()
    threading.Thread(target=_listen, args=(wire, page, inbox), daemon=True).start()
    try:
        serve(wire, page, inbox, options.tickets)
    except PollgateError as problem:
        wire.send(Failed(int(problem.exit_code), str(problem)))
        _end(problem.exit_code)
    except Exception as problem:
        # To the owner's log, for whoever reports the bug; the user gets the sentence.
        with suppress(OSError):  # its pipe may be full
            traceback.print_exc()
        wire.send(Failed(ExitCode.INTERNAL, f"the generator's process failed: {problem!r}"))
        _end(ExitCode.INTERNAL)
    _end(ExitCode.DONE)


def _listen(wire: Wire, page: Page, inbox: SimpleQueue[Message | None]) -> None:
    """Hand on what the owner says; when it is gone, end the trial and, if that does not help, the process."""
    try:
        while (message := wire.receive()) is not None:
            inbox.put(message)
    finally:
        page.stop()
        inbox.put(None)
        time.sleep(ORPHAN_LIMIT_S)
        _end(ExitCode.INTERNAL)


def serve(wire: Wire, page: Page, inbox: SimpleQueue[Message | None], tickets: int) -> None:
    """From Open to the end of the stream.

    Args:
        tickets: descriptor of the file with the players' tickets, which is read once.

    Raises:
        PollgateError: sockets or device cannot be opened, or the target refuses.
    """
    order = inbox.get()
    if not isinstance(order, Open):
        return
    with open(tickets, "rb") as file:
        held = file.read()
    players = Players(order, _prepare(order, wire), page, held)
    wire.send(Opened())
    while (message := inbox.get()) is not None:
        if not isinstance(message, Play):
            raise InternalError(f"the owner said {type(message).__name__} to an open generator")
        players.play(message.trial)
        wire.send(Ended())
    players.close()


def _prepare(order: Open, wire: Wire) -> Plan | None:
    """Check what this host has for the order, and set this process up for it."""
    log_to(_STDERR, debug=False)
    if order.device is None:
        check_cpu(order.cpu, sorted(os.sched_getaffinity(0)))
        if order.cpu is not None:
            os.sched_setaffinity(0, {order.cpu})
        return None
    from pyshim.host import gather  # noqa: PLC0415 - over sockets, no device is looked at

    plan = device_plan(order, gather)
    wire.send(Planned(plan))
    return plan


def _end(code: int) -> NoReturn:
    """Leave without the interpreter's clean-up: it would unmap what a trial that did not stop still uses."""
    with suppress(OSError):  # a pipe that nobody reads
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: BSD-3-Clause
"""Where the command `pollgate` begins: until a command has more to do then, Ctrl-C ends it without a word."""

from __future__ import annotations

import os
import signal
from types import FrameType


def main() -> int:
    """Run the command line; returns its exit code, or raises SystemExit with it."""
    end_at_once_when_told_to()
    from pyshim.cli import main as run_command  # noqa: PLC0415 - its imports take a while

    return run_command()


def end_at_once_when_told_to() -> None:
    """Have Ctrl-C end the process as SIGTERM does, and not wherever Python is, with a traceback.

    Who must clean up, tell what was found, or drain, takes these signals over when it begins.
    """
    first = os.getpid() == 1  # of a container: the kernel ends that one by no signal that it does not handle
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where the caller has it ignored
        signal.signal(signal.SIGINT, _end if first else signal.SIG_DFL)
    if first:
        signal.signal(signal.SIGTERM, _end)
    # A mask is inherited over exec; blocked, they would end nothing.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)

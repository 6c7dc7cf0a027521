# SPDX-License-Identifier: BSD-3-Clause
"""One worker process as its supervisor sees it: a pid, a control channel and a log."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack, closing

from pyshim.eal.messages import TAIL_LINES
from pyshim.errors import RAISE_PROCESS_LIMIT, UnavailableError
from pyshim.run.control import Channel
from pyshim.system import oom
from pyshim.system.worker_process import MODULE

START_LIMIT_S = 30.0  # for opening devices and making tables
_START_GRACE_S = 5  # the supervisor is the first to end what does not start
_LINE_BYTES_MAX = 1000
_PIPE_BYTES = 65536


def _what_to_do(problem: OSError) -> str:
    if problem.errno == errno.EAGAIN:
        return RAISE_PROCESS_LIMIT
    if problem.errno == errno.ENOMEM:
        return "free memory, or raise the memory limits of this process"
    if problem.errno in (errno.EMFILE, errno.ENFILE):
        return "see `ulimit -n` (systemd: LimitNOFILE), and fs.file-max for the whole host"
    return "check the limits of this process"


def start_limit_s(stall_timeout_s: float) -> float:
    """How long a worker process may take until it serves: on a host where a pause is no stall, no less."""
    return max(START_LIMIT_S, stall_timeout_s)


class LogTail:
    """The last lines that a process wrote, out of bytes that come in any portions."""

    def __init__(self, lines: int = TAIL_LINES) -> None:
        """Keep so many lines."""
        self.lines: deque[str] = deque(maxlen=lines)
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Take in bytes; returns the lines that they completed. A line that never ends is cut."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LINE_BYTES_MAX:
            whole.append(self._rest)
            self._rest = b""
        fresh = [line[:_LINE_BYTES_MAX].decode(errors="replace").rstrip() for line in whole]
        fresh = ["".join(c if c.isprintable() else "?" for c in line.expandtabs()) for line in fresh if line]
        self.lines.extend(fresh)
        return fresh


class Child:
    """A started worker process. Its three descriptors become readable: `pidfd`, `channel`, `log_fd`."""

    def __init__(
        self, stats_fd: int, state_fd: int, start_limit_s: float, recording_fd: int | None = None
    ) -> None:
        """Start the process; it inherits this one's CPU affinity and the memory files.

        It ends itself when it does not serve within `start_limit_s` and nobody has ended it for that.

        Raises:
            UnavailableError: no process can be started.
        """
        self.log = LogTail()
        with ExitStack() as on_failure:
            try:
                files = {"stats": stats_fd, "state": state_fd}
                if recording_fd is not None:
                    files["recording"] = recording_fd
                self._start(files, start_limit_s, on_failure)
            except OSError as problem:
                raise UnavailableError(
                    f"no worker process can be started: {problem.strerror}; {_what_to_do(problem)}"
                ) from problem
            on_failure.pop_all()

    def _start(self, files: Mapping[str, int], start_limit_s: float, on_failure: ExitStack) -> None:
        """Everything that takes a descriptor or a process; what is taken is given back `on_failure`."""
        self.channel, theirs = Channel.pair()
        on_failure.callback(self.channel.close)
        with closing(theirs):
            self.log_fd, log_end = os.pipe2(os.O_CLOEXEC)
            on_failure.callback(os.close, self.log_fd)
            # At both: a supervisor that does not read, being frozen, must not hold up who serves packets.
            for end in (self.log_fd, log_end):
                os.set_blocking(end, False)
            inherited = {"control": theirs.fileno(), **files}
            command = [sys.executable, "-P", "-m", MODULE]
            for name, fd in inherited.items():
                command += [f"--{name}", str(fd)]
            command += ["--start-limit", str(math.ceil(start_limit_s) + _START_GRACE_S)]
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log_end,
                    stderr=log_end,
                    pass_fds=tuple(inherited.values()),
                    start_new_session=True,  # so that Ctrl-C reaches the supervisor only
                )
            finally:
                os.close(log_end)
        on_failure.callback(self._process.wait)
        on_failure.callback(self._process.kill)
        self.pid = self._process.pid
        self.pidfd = os.pidfd_open(self.pid)
        oom.offer_first(self.pid)
        self._kills_before = oom.kills()

    def read_log(self) -> list[str]:
        """The lines that arrived since the last call, of one pipe's worth at most; does not wait."""
        try:
            return self.log.feed(os.read(self.log_fd, _PIPE_BYTES))
        except BlockingIOError:
            return []

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; none is sent to a process that has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def reap(self) -> str:
        """After `pidfd` became readable: how it ended, as the end of "the worker process ..."."""
        code = self._process.wait(timeout=5)
        if code >= 0:
            return f"ended with exit code {code}"
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"

    def serves(self) -> None:
        """It does from now on."""
        oom.offer_before_supervisor(self.pid)

    @property
    def died_of_memory(self) -> bool:
        """Whether a reaped child was killed outright while the kernel killed processes for want of memory."""
        return self._process.returncode == -signal.SIGKILL and oom.kills() > self._kills_before

    def close(self) -> None:
        """Release everything; a process that still runs is killed."""
        if self._process.poll() is None:
            self._process.kill()
            # A killed process ends when the kernel has torn it down; only one stuck in a driver takes longer.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=5)
        self.channel.close()
        os.close(self.log_fd)
        os.close(self.pidfd)

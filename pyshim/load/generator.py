# SPDX-License-Identifier: BSD-3-Clause
"""The generator as its user sees it: a child process that plays trials and counts into a shared page.

A process of its own, because DPDK can be initialised once per process, and because a crash in a driver must
not take the command along.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Self

from pyshim.eal.messages import explain, last_meaningful
from pyshim.errors import ExitCode, InternalError, PollgateError, UnavailableError, UsageError
from pyshim.load.messages import Ended, Failed, Message, Opened, Planned, Play, Wire
from pyshim.load.native import Page
from pyshim.load.planning import in_options, opening
from pyshim.load.result import Counts, Latency, Result, Times
from pyshim.load.scenario import Crowd, Device, Sockets, Target, Trial
from pyshim.load.tickets import Ticket, pack
from pyshim.plan import Plan
from pyshim.run.child import LogTail
from pyshim.system.interruption import interruptible

OPEN_LIMIT_S = 40.0
TRIAL_SLACK_S = 20.0  # beyond its duration and drain: to find the target, and to wait for a CPU
CONNECT_LIMIT_S = 30.0  # for all players of profile session, before a trial begins
STOP_LIMIT_S = 15.0
WATCH_S = 0.25
_PIPE_BYTES = 65_536


class Generator:
    """Players, ready to play; a context manager that owns their process.

    with Generator(crowd, target, Sockets()) as generator:
        result = generator.run(Trial(players=100, seconds=5, rate_pps=1000))
    """

    def __init__(
        self,
        crowd: Crowd,
        target: Target,
        via: Sockets | Device,
        *,
        prefix: Sequence[str] = (),
        tickets: Sequence[Ticket] = (),
    ) -> None:
        """Check that these fit each other; the process starts with the block.

        Args:
            crowd: its `players` is the most that any trial may use.
            tickets: one for each player, who then speaks profile session; (): profile plain.
            prefix: goes before the command of the process: `ip netns exec NAME`, say.

        Raises:
            UsageError: they do not.
        """
        self.crowd, self.target, self.via = crowd, target, via
        self._order = opening(crowd, target, via, tickets=len(tickets))
        self._tickets = pack(tickets)
        self._prefix = tuple(prefix)
        self._log = LogTail()
        self._plan: Plan | None = None
        self._stack = contextlib.ExitStack()
        self.stopped = False
        self._stopped_at_s = 0.0
        self._running = False

    def __enter__(self) -> Self:
        """Start the process, and open its sockets or its device.

        Raises:
            UnavailableError: one of them cannot be had.
            UsageError: an option has to be another one.
        """
        try:
            self._start()
            self._wire.send(self._order)
            self._await_opened()
            self._running = True
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.close()

    def run(self, trial: Trial, watch: Callable[[Counts], None] | None = None) -> Result:
        """Play one trial.

        Args:
            watch: called about four times a second with the counts so far.

        Raises:
            UsageError: more players than there are.
            UnavailableError: the target refuses, or cannot be found.
            InternalError: the generator's process died.
        """
        if trial.players > self.crowd.players:
            raise UsageError(f"{trial.players:,} players of {self.crowd.players:,}: make the crowd larger")
        self._wire.send(Play(trial))
        watched = (lambda: watch(self._page.counts())) if watch else None
        slack_s = TRIAL_SLACK_S + (CONNECT_LIMIT_S if self._tickets else 0.0)
        message = self._await(trial.seconds + trial.drain_s + slack_s, watched)
        if not isinstance(message, Ended):
            raise self._failure(message)
        page = self._page
        counts = page.counts()
        latency = Latency.of(page.recorded(), counts.latency_sum_s, counts.latency_max_s)
        replied = Latency.of(page.recorded_replies(), counts.reply_sum_s, counts.reply_max_s)
        unseen = Latency.of(page.recorded_unseen(), counts.world.unseen_sum_s, counts.world.unseen_max_s)
        times = Times(latency, replied, unseen)
        return Result.of(trial, counts, times, tsc_hz=page.tsc_hz, cut_short=self.stopped)

    def stop(self) -> None:
        """End the running trial at once, and every later one; run() returns what there is.

        From a signal handler or any thread.
        """
        self._stopped_at_s = time.monotonic()
        self.stopped = True
        if self._running:
            self._page.stop()

    @property
    def pid(self) -> int:
        """The process that plays, while the block lasts."""
        return self._process.pid

    def close(self) -> None:
        """End the process, whatever it does, and release everything. May be called again."""
        self._running = False
        self._stack.close()

    # ------------------------------------------------------------ the process

    def _start(self) -> None:
        self._page = Page.create()
        self._stack.callback(self._page.close)
        self._wire, theirs = Wire.pair()
        self._stack.callback(self._wire.close)
        self._log_fd, log_end = os.pipe2(os.O_CLOEXEC)
        self._stack.callback(os.close, self._log_fd)
        # At both ends: an owner that does not read, because it is frozen, must not hold up who plays.
        for end in (self._log_fd, log_end):
            os.set_blocking(end, False)
        tickets = self._ticket_file()
        inherited = (theirs.fileno(), self._page.fd, tickets)
        command = [*self._prefix, sys.executable, "-P", "-m", "pyshim.load.process"]
        for name, fd in zip(("wire", "page", "tickets"), inherited, strict=True):
            command += [f"--{name}", str(fd)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log_end,
                stderr=log_end,
                pass_fds=inherited,
                start_new_session=True,  # so that Ctrl-C reaches its owner only
            )
        except OSError as problem:
            raise UnavailableError(
                f"no process can be started for the generator: {problem.strerror}; check this user's limits"
            ) from problem
        finally:
            theirs.close()
            os.close(log_end)
            os.close(tickets)
        self._stack.callback(self._end)

    def _ticket_file(self) -> int:
        """A file without a name, which only the process reads."""
        fd = os.memfd_create("pollgate-tickets", os.MFD_CLOEXEC)
        with open(fd, "wb", closefd=False) as file:
            file.write(self._tickets)
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    def _end(self) -> None:
        """Let it close its device; a process that takes too long is killed."""
        self._wire.close()
        self._read_log()
        try:
            self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            # A killed process ends when the kernel has torn it down; only one stuck in a driver takes longer.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=5)

    def _await_opened(self) -> None:
        message = self._await(OPEN_LIMIT_S)
        if isinstance(message, Planned):
            self._plan = message.plan
            message = self._await(OPEN_LIMIT_S)
        if not isinstance(message, Opened):
            raise self._failure(message, opening=True)

    def _await(self, limit_s: float, watch: Callable[[], None] | None = None) -> Message | None:
        """The next message, None when the process is gone; log lines are read meanwhile.

        Raises:
            InternalError: it said nothing for so long.
        """
        poll = select.poll()
        poll.register(self._wire.fileno(), select.POLLIN)
        poll.register(self._log_fd, select.POLLIN)
        now = time.monotonic()
        deadline, next_watch = now + limit_s, now + WATCH_S
        while now < deadline:
            if self.stopped:
                deadline = min(deadline, self._stopped_at_s + STOP_LIMIT_S)
            if now >= next_watch:
                if watch is not None:
                    watch()
                next_watch = now + WATCH_S
            with interruptible():
                ready = dict(poll.poll((next_watch - now) * 1000))
            if self._log_fd in ready and not self._read_log():
                poll.unregister(self._log_fd)
            if self._wire.fileno() in ready:
                return self._wire.receive()
            now = time.monotonic()
        raise InternalError(
            f"the generator's process said nothing for {limit_s:.0f} s; {self._last_words()}; "
            "please report this"
        )

    def _read_log(self) -> bool:
        """Take in what the process wrote; False at the end of it."""
        try:
            data = os.read(self._log_fd, _PIPE_BYTES)
        except BlockingIOError:
            return True
        self._log.feed(data)
        return bool(data)

    # ------------------------------------------------------------ failures

    def _failure(self, message: Message | None, *, opening: bool = False) -> PollgateError:
        self._read_log()
        if message is None:
            return InternalError(f"the generator's process {self._how_it_ended()}; {self._last_words()}")
        if not isinstance(message, Failed):
            return InternalError(f"the generator's process said {type(message).__name__} unasked")
        text = message.message
        if message.exit_code == ExitCode.USAGE:
            return UsageError(text)
        if message.exit_code != ExitCode.UNAVAILABLE:
            return InternalError(text)
        if opening and self._plan is not None:
            text = explain(text, list(self._log.lines), self._plan)
        return UnavailableError(in_options(text))

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "closed its control socket and hangs"
        if code >= 0:
            return f"ended with exit code {code}"
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-code).name}"
        return f"was killed by signal {-code}"

    def _last_words(self) -> str:
        last = last_meaningful(list(self._log.lines))
        return f"its last word: {last}" if last else "it wrote nothing"

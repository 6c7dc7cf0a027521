# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's testpmd, talked to at its prompt: what its ports have counted, and how fast it forwards."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pyshim.bench.rig.observe import PATIENCE_S
from pyshim.bench.rig.processes import START_TIMEOUT_S, WARM_UP_S, finish, read_until
from pyshim.errors import InternalError, UnavailableError
from pyshim.plan import Plan
from pyshim.system.interruption import sleep

TESTPMD = "dpdk-testpmd"

_PROMPT = rb"testpmd> "
_ANSWER = rb"(?s)Tx-pps:\s+\d+.*testpmd> "  # the last line of figures, and the prompt after it
_END_S = 60.0


def testpmd_path() -> str:
    """Where testpmd is.

    Raises:
        UnavailableError: it is not installed.
    """
    path = shutil.which(TESTPMD)
    if path is None:
        raise UnavailableError(f"{TESTPMD} is not installed; on Debian: apt-get install dpdk-dev")
    return path


class Testpmd:
    """One that runs and has shown its prompt, so that it forwards."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """See `running_testpmd`."""
        self._process = process

    def counted(self, port: int, name: str) -> int:
        """What a port has counted under a name such as `TX-packets`, or its rate since the last time.

        Raises:
            UnavailableError: it ended, or does not answer.
        """
        said = self._ask(f"show port stats {port}\n", _ANSWER)
        found = re.search(rb"%s:\s+(\d+)" % name.encode(), said)
        if found is None:
            raise UnavailableError(
                f"{TESTPMD} does not tell {name} of port {port}: another version than known"
            )
        return int(found[1])

    def quit(self) -> None:
        """End it.

        Raises:
            UnavailableError: it does not.
        """
        try:
            self._process.communicate(b"quit\n", timeout=_END_S)
        except subprocess.TimeoutExpired as problem:
            raise UnavailableError(f"{TESTPMD} did not end when it was told to") from problem

    def _ask(self, command: str, answer: bytes) -> bytes:
        if self._process.stdin is None:
            raise InternalError("testpmd was started without a pipe for its commands")
        try:
            self._process.stdin.write(command.encode())
            self._process.stdin.flush()
        except BrokenPipeError as problem:
            raise UnavailableError(f"{TESTPMD} ended while it was measured") from problem
        return read_until(TESTPMD, self._process, answer, START_TIMEOUT_S)


@contextmanager
def running_testpmd(arguments: Sequence[str], before: Sequence[str] = ()) -> Iterator[Testpmd]:
    """It forwards while the block lasts; nothing of it is left after that.

    Args:
        arguments: for EAL, `--`, and its own.
        before: goes before the command, such as `nice`.

    Raises:
        UnavailableError: it is not installed, or does not start.
    """
    # What it prints into a pipe would come when it ends; commands before the prompt can get lost.
    process = subprocess.Popen(
        (*before, "stdbuf", "--output=L", testpmd_path(), *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
    )
    try:
        read_until(TESTPMD, process, _PROMPT, START_TIMEOUT_S)
        yield Testpmd(process)
    finally:
        process.kill()
        finish(process)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def measure_testpmd(plan: Plan, mode: str, seconds: float) -> float:
    """Packets per second that testpmd forwards on the plan's first device, with the same cores and memory.

    testpmd itself computes the rate between two questions, from its own clock.
    """
    arguments = [
        *(*plan.eal_args, "--"),
        *("--interactive", f"--forward-mode={mode}", "--auto-start", "--nb-cores=1"),
        f"--total-num-mbufs={plan.pools[0].mbufs}",
    ]
    with running_testpmd(arguments) as running:
        sleep(WARM_UP_S)
        running.counted(0, "Rx-pps")
        deadline = time.monotonic() + seconds + PATIENCE_S
        rate = 0
        while not rate and time.monotonic() < deadline:
            sleep(seconds)
            rate = running.counted(0, "Rx-pps")
        running.quit()
    if not rate:
        raise UnavailableError(f"{TESTPMD} forwarded nothing in {PATIENCE_S:.0f} s")
    return float(rate)

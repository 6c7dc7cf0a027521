# SPDX-License-Identifier: BSD-3-Clause
"""A flood: testpmd sends the frames of a capture over and over, as fast as the machine lets it."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyshim.bench.rig.processes import TESTPMD, TESTPMD_START_S, ask_testpmd, finish, testpmd_path
from pyshim.errors import UnavailableError

_NICE = 19  # whoever shares the CPU goes first
_MEMORY_MIB = 128
_PORT = 1  # that it sends on
_END_S = 10.0
_SENT = re.compile(rb"TX-packets:\s+(\d+)")


@dataclass(slots=True)
class Flood:
    """What runs; once it has ended, how fast it was."""

    sent_pps: float = 0.0


def _command(capture: Path, interface: str, cpu: int) -> tuple[str, ...]:
    return (
        *("nice", "-n", str(_NICE), testpmd_path(), "--lcores", f"0@{cpu},1@{cpu}", "--main-lcore", "0"),
        *("--no-huge", "--no-shconf", "-m", str(_MEMORY_MIB), "--no-pci", "--no-telemetry"),
        *("--vdev", f"net_pcap0,rx_pcap={capture},infinite_rx=1"),
        *("--vdev", f"net_af_packet0,iface={interface},framecnt=1024,qdisc_bypass=1"),
        *("--", "--interactive", "--forward-mode=io", "--auto-start", "--nb-cores=1"),
        "--total-num-mbufs=8192",
    )


@contextmanager
def flood(capture: Path, interface: str, cpu: int) -> Iterator[Flood]:
    """Frames of a capture come out of an interface, endlessly, while the block lasts.

    Raises:
        UnavailableError: testpmd is missing, or none came out.
    """
    process = subprocess.Popen(
        _command(capture, interface, cpu),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
    )
    running = Flood()
    try:
        time.sleep(TESTPMD_START_S)
        began = time.monotonic()
        ask_testpmd(process, f"show port stats {_PORT}\n")
        yield running
        elapsed_s = time.monotonic() - began
        ask_testpmd(process, f"show port stats {_PORT}\nquit\n")
        said, _ = process.communicate(timeout=_END_S)
    except subprocess.TimeoutExpired as problem:
        raise UnavailableError(f"{TESTPMD} did not end when it was told to") from problem
    finally:
        process.kill()
        finish(process)
    # Its output is buffered until it ends and read then.
    sent = [int(count) for count in _SENT.findall(said)]
    if len(sent) < 2 or sent[1] == sent[0]:
        raise UnavailableError(f"{TESTPMD} sent nothing to {interface}: {_last(said)}")
    running.sent_pps = (sent[1] - sent[0]) / elapsed_s


def _last(said: bytes) -> str:
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    return next((line for line in lines if "rror" in line), lines[-1] if lines else "no output")

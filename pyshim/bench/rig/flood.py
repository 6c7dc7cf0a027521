# SPDX-License-Identifier: BSD-3-Clause
"""A flood: testpmd sends the frames of a capture over and over, as fast as the machine lets it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyshim.bench.rig.observe import PATIENCE_S
from pyshim.bench.rig.testpmd import TESTPMD, Testpmd, running_testpmd
from pyshim.errors import UnavailableError
from pyshim.system.interruption import sleep

_NICE = ("nice", "-n", "19")  # whoever shares the CPU goes first
_MEMORY_MIB = 128
_PORT = 1  # that it sends on
_AGAIN_S = 0.05


@dataclass(slots=True)
class Flood:
    """What runs; once it has ended, how fast it was."""

    sent_pps: float = 0.0


def _arguments(capture: Path, interface: str, cpu: int) -> tuple[str, ...]:
    return (
        *("--lcores", f"0@{cpu},1@{cpu}", "--main-lcore", "0"),
        *("--no-huge", "--no-shconf", "-m", str(_MEMORY_MIB), "--no-pci", "--no-telemetry"),
        *("--vdev", f"net_pcap0,rx_pcap={capture},infinite_rx=1"),
        *("--vdev", f"net_af_packet0,iface={interface},framecnt=1024,qdisc_bypass=1"),
        *("--", "--interactive", "--forward-mode=io", "--auto-start", "--nb-cores=1"),
        "--total-num-mbufs=8192",
    )


@contextmanager
def flood(capture: Path, interface: str, cpu: int, inside: Sequence[str]) -> Iterator[Flood]:
    """Frames of a capture come out of an interface, endlessly, while the block lasts.

    Args:
        capture: read over and over.
        interface: of the network that `inside` leads into.
        cpu: that testpmd has, when nobody else wants it.
        inside: put before a command, it runs in that network.

    Raises:
        UnavailableError: testpmd is missing, or none came out.
    """
    with running_testpmd(_arguments(capture, interface, cpu), (*inside, *_NICE)) as sender:
        before = _begun(sender, interface)
        began, running = time.monotonic(), Flood()
        yield running
        elapsed_s = time.monotonic() - began
        running.sent_pps = (sender.counted(_PORT, "TX-packets") - before) / elapsed_s
        sender.quit()


def _begun(sender: Testpmd, interface: str) -> int:
    """Wait for its first packets, which come when nobody else wants the CPU; how many there were."""
    deadline = time.monotonic() + PATIENCE_S
    while not (sent := sender.counted(_PORT, "TX-packets")):
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"{TESTPMD} sent nothing to {interface} in {PATIENCE_S:.0f} s: others have its CPU, or the "
                "interface takes nothing"
            )
        sleep(_AGAIN_S)
    return sent

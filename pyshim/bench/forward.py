# SPDX-License-Identifier: BSD-3-Clause
"""`bench forward`: MOVE → MOVE_ACK with everything on, against testpmd's 5tswap on the same device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from pyshim import dataplane
from pyshim.bench.frames import GATE_ADDRESS, GATE_MAC, GATE_PORT, MoveCapture, write_moves
from pyshim.bench.pairs import compare
from pyshim.bench.processes import GatewayRun, measure_gateway, measure_testpmd, testpmd_path
from pyshim.bench.report import Row
from pyshim.config import load_config
from pyshim.errors import UnavailableError
from pyshim.host import gather
from pyshim.plan import Plan, plan

SESSIONS = (512, 10_000)
AGAINST = "testpmd-5tswap"

_CONFIG = """\
eal: {{memory_mib: 512}}
ports:
  - name: game0
    device: "net_pcap0,rx_pcap={capture},infinite_rx=1"
    address: [{address}]
    mac: "{mac}"
workers: {{cpus: auto}}
listen: [{{port: {port}}}]
metrics: {{listen: "127.0.0.1:0"}}
"""


def forward(pairs: int, seconds: float, progress: Callable[[str], None]) -> list[Row]:
    """Measure every row.

    Args:
        pairs: how often each of the two is measured, in turn.
        seconds: how long each measurement lasts.
        progress: told what is being done, one line at a time.

    Raises:
        PollgateError: testpmd is missing, or one of the two does not run here.
    """
    testpmd_path()
    with TemporaryDirectory(prefix="pollgate-bench-") as directory:
        return [_row(Path(directory), sessions, pairs, seconds, progress) for sessions in SESSIONS]


def _row(directory: Path, sessions: int, pairs: int, seconds: float, progress: Callable[[str], None]) -> Row:
    name = f"plain-{sessions}"
    capture = write_moves(directory / f"{name}.pcap", sessions)
    config = directory / f"{name}.yaml"
    config.write_text(
        _CONFIG.format(capture=capture.path, address=GATE_ADDRESS, mac=GATE_MAC, port=GATE_PORT)
    )
    decided = _plan(config)
    runs: list[GatewayRun] = []
    tsc_hz = float(dataplane.tsc_hz())

    def ours() -> float:
        runs.append(measure_gateway(config, seconds, tsc_hz))
        return runs[-1].packets_per_s

    measured = compare(
        ours,
        lambda: measure_testpmd(decided, "5tswap", seconds),
        pairs,
        lambda done: progress(f"{name}: {done} of {pairs} pairs"),
    )
    _refuse_drops(runs, capture)
    return Row(
        name=name,
        unit="packets/s",
        value=median(measured.ours),
        samples=measured.ours,
        against=AGAINST,
        against_samples=measured.theirs,
        ratio=measured.ratio,
        limited_by="gateway",
        details={
            "frame_bytes": capture.frame_bytes,
            "flows": sessions,
            "device": "net_pcap infinite_rx",
            "worker_cpus": [worker.cpu for worker in decided.workers],
            "huge_pages": decided.huge_pages,
            "cycles_per_packet": median(run.cycles_per_packet for run in runs),
        },
    )


def _plan(config: Path) -> Plan:
    loaded = load_config(config)
    return plan(loaded, gather(loaded))


def _refuse_drops(runs: list[GatewayRun], capture: MoveCapture) -> None:
    """A rate of packets that were thrown away would be no figure at all."""
    dropped = sum(run.dropped for run in runs)
    if dropped:
        raise UnavailableError(
            f"the gateway dropped {dropped} of the benchmark's packets ({capture.sessions} sessions); "
            "its rate is not comparable"
        )

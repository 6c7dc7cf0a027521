# SPDX-License-Identifier: BSD-3-Clause
"""The gateway on captures that net_pcap plays for ever from memory: what several benchmarks measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from pyshim.bench.rig.frames import GATE_ADDRESS, GATE_MAC, GATE_PORT, Capture
from pyshim.bench.rig.processes import GatewayRun, Stage, measure_gateway
from pyshim.config import load_config
from pyshim.errors import UnavailableError
from pyshim.host import gather
from pyshim.plan import Plan
from pyshim.planner import plan
from pyshim.planner.memory import MBUF_BYTES, index_bytes, state_bytes

DEVICE = "net_pcap infinite_rx"
DEFAULT_CAPACITY = 65_536

# More than a source of a capture sends, however fast that is played: each datagram is charged, none refused.
NEVER_REACHED = "{source_pps: 1000000, source_burst: 10000}"
UNLIMITED = "{}"

_CONFIG = """\
eal: {{huge_pages: {huge_pages}, memory_mib: {memory_mib}}}
ports:
  - name: game0
    device: "net_pcap0,{captures},infinite_rx=1"
    address: [{address}]
    mac: "{mac}"
workers: {{cpus: {cpus}}}
listen: [{{port: {port}, limits: {limits}}}]
sessions: {{capacity: {capacity}}}
metrics: {{listen: "127.0.0.1:0"}}
"""
_LEAST_MIB = 512
_BESIDE_MIB = 128  # DPDK itself, descriptors, caches
_POINTERS_BYTES = 64  # per frame: rings of the pool and of the device


def memory_mib(frames: int) -> int:
    """What `eal.memory_mib` must be in ordinary pages: each replayed frame has a buffer of its own."""
    buffers = frames * (MBUF_BYTES + _POINTERS_BYTES)
    return max(_LEAST_MIB, _BESIDE_MIB + (buffers >> 20))


def needed_bytes(frames: int, capacity: int, workers: int = 1) -> int:
    """All memory that a gateway takes that replays so many frames."""
    return (memory_mib(frames) << 20) + state_bytes(capacity, workers) + index_bytes(capacity, workers)


@dataclass(slots=True)
class Replay:
    """A gateway that can be measured again and again, and what the measurements showed beside the rate."""

    name: str
    config: Path
    captures: tuple[Capture, ...]  # one per queue
    plan: Plan
    tsc_hz: float
    runs: list[GatewayRun] = field(default_factory=list)

    def measure(self, seconds: float, stage: Stage | None = None) -> float:
        """Packets per second.

        Args:
            seconds: how long to measure.
            stage: where the gateway may still run from the last time; None starts another one.

        Raises:
            UnavailableError: it dropped some; a rate of packets thrown away would be no figure at all.
        """
        sessions = sum(capture.sessions for capture in self.captures)
        measure = measure_gateway if stage is None else stage.measure
        run = measure(self.config, seconds, self.tsc_hz, sessions)
        if run.dropped:
            raise UnavailableError(
                f"{self.name}: the gateway dropped {run.dropped:,} of the benchmark's packets "
                f"({sessions:,} sessions); its rate is not comparable"
            )
        self.runs.append(run)
        return run.packets_per_s

    @property
    def cycles_per_packet(self) -> float:
        """Cycles of busy turns per packet: the median over the measurements so far."""
        return median(run.cycles_per_packet for run in self.runs)

    def details(self) -> dict[str, object]:
        """What every row tells of how it was measured."""
        return {
            "frame_bytes": self.captures[0].frame_bytes,
            "flows": sum(capture.sessions for capture in self.captures),
            "sessions": sum(capture.sessions for capture in self.captures),
            "frames": sum(capture.frames for capture in self.captures),
            "device": DEVICE,
            "worker_cpus": [worker.cpu for worker in self.plan.workers],
            "control_cpus": list(self.plan.control_cpus),
            "huge_pages": self.plan.huge_pages,
            "cycles_per_packet": self.cycles_per_packet,
        }


@dataclass(frozen=True, slots=True)
class Setting:
    """What may differ from one gateway to another, beside its captures."""

    capacity: int = DEFAULT_CAPACITY  # sessions that fit
    cpus: Sequence[int] | None = None  # of the workers; None leaves the choice to the gateway
    huge_pages: bool = False  # for packet buffers, and those of what it is compared with
    limits: str = UNLIMITED  # of the listener, as in a configuration


def prepare(directory: Path, name: str, captures: Sequence[Capture], setting: Setting = Setting()) -> Replay:
    """Write the configuration of a gateway and plan it.

    Args:
        directory: where the configuration goes.
        name: of the row, and of the file.
        captures: one per queue.
        setting: the rest.
    """
    # Loads DPDK, which the benchmarks' other commands can do without.
    from pyshim import dataplane  # noqa: PLC0415

    config = directory / f"{name}.yaml"
    config.write_text(
        _CONFIG.format(
            huge_pages="true" if setting.huge_pages else "false",
            memory_mib=memory_mib(sum(capture.frames for capture in captures)),
            captures=",".join(f"rx_pcap={capture.path}" for capture in captures),
            address=GATE_ADDRESS,
            mac=GATE_MAC,
            cpus="auto" if setting.cpus is None else list(setting.cpus),
            port=GATE_PORT,
            capacity=setting.capacity,
            limits=setting.limits,
        )
    )
    loaded = load_config(config)
    return Replay(name, config, tuple(captures), plan(loaded, gather(loaded)), float(dataplane.tsc_hz()))

# SPDX-License-Identifier: BSD-3-Clause
"""The session profile on a capture of sealed packets that net_pcap plays for ever from memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from pyshim.bench.rig.frames import GATE_ADDRESS, GATE_MAC, GATE_PORT, Capture, write_moves
from pyshim.bench.rig.replay import DEVICE, memory_mib
from pyshim.bench.rig.sealed_frames import BURST, Connection, write_sealed_moves
from pyshim.bench.rig.sealed_native import issue_all
from pyshim.bench.rig.sealed_run import Server, ServerRun, serve_once
from pyshim.config import load_config
from pyshim.dataplane import new_state
from pyshim.errors import UnavailableError
from pyshim.host import gather
from pyshim.plan import Plan
from pyshim.planner import plan
from pyshim.protocol.session_wire import VERSION

Writer = Callable[[Path, Sequence[Connection]], Capture]

_CONFIG = """\
eal: {{huge_pages: {huge_pages}, memory_mib: {memory_mib}}}
ports:
  - name: game0
    device: "{device}"
    address: [{address}]
    mac: "{mac}"
listen: [{{port: {port}, profile: session, limits: {limits}}}]
sessions: {{idle_timeout_s: 3600}}
delivery: {delivery}
metrics: {{listen: null}}
"""


@dataclass(frozen=True, slots=True)
class SealedLimits:
    """Limits of a listener and of messages, as in a configuration."""

    listener: str
    delivery: str


UNLIMITED = SealedLimits("{}", "{messages_pps: {move: 0}}")

# More than a session of a capture sends, however fast that is played: each is charged, none refused.
NEVER_REACHED = SealedLimits(
    "{source_pps: 500, connections_pps: 20, session_pps: 1000000, session_burst: 10000}",
    "{messages_pps: {move: 1000000}, messages_burst: {move: 10000}}",
)


@dataclass(slots=True)
class SealedReplay:
    """A capture with who serves it, and what the measurements showed beside the rate."""

    config: Path
    capture: Capture
    plan: Plan
    runs: dict[Server, list[ServerRun]] = field(default_factory=lambda: {server: [] for server in Server})

    def measure(self, server: Server, seconds: float) -> float:
        """Packets per second.

        Raises:
            UnavailableError: it does not run, or refuses packets: a rate of those would be no figure at all.
        """
        run = self.serve(server, seconds)
        if run.refused:
            raise UnavailableError(f"{server}: {run.refused:,} of the capture's packets were refused")
        return run.packets_per_s

    def serve(self, server: Server, seconds: float) -> ServerRun:
        """One measurement, whatever became of the packets.

        Raises:
            UnavailableError: it does not run.
        """
        run = serve_once(self.config, server, self.capture.sessions, seconds)
        self.runs[server].append(run)
        return run

    @property
    def cycles_per_packet(self) -> float:
        """Cycles of the gateway's busy turns per packet: the median over the measurements so far."""
        return median(run.cycles_per_packet for run in self.runs[Server.GATEWAY])

    def details(self) -> dict[str, object]:
        """What a row tells of how it was measured."""
        cycles = {server: [run.cycles_per_packet for run in runs] for server, runs in self.runs.items()}
        return {
            "frame_bytes": self.capture.frame_bytes,
            "flows": self.capture.sessions,
            "sessions": self.capture.sessions,
            "frames": self.capture.frames,
            "device": DEVICE,
            "protocol_version": VERSION,
            "fed": "replay windows of a burst are rewound once it is served; those cycles are left out",
            "worker_cpus": [worker.cpu for worker in self.plan.workers],
            "control_cpus": list(self.plan.control_cpus),
            "huge_pages": self.plan.huge_pages,
            "cycles_per_packet": self.cycles_per_packet,
            **{
                f"cycles_{server.replace('-', '_')}": median(cycles[server])
                for server in (Server.CRYPTO_ONLY, Server.CRYPTO_ANSWERS)
                if cycles[server]
            },
        }


def prepare_sealed(  # noqa: PLR0913 - what may differ from one to another
    directory: Path,
    name: str,
    sessions: int,
    *,
    huge_pages: bool,
    limits: SealedLimits = UNLIMITED,
    write: Writer = write_sealed_moves,
) -> SealedReplay:
    """Write the capture and the configuration of a gateway for it.

    Args:
        directory: where both go.
        name: of both files.
        sessions: how many there are, all connected.
        huge_pages: whether packet buffers lie in such.
        limits: of sources, sessions and messages.
        write: makes the capture: whole bursts, at most one more than the sessions would fill.

    Raises:
        PollgateError: this machine has not the memory.
    """
    config, path = directory / f"{name}.yaml", directory / f"{name}.pcap"
    config.write_text(
        _CONFIG.format(
            huge_pages="true" if huge_pages else "false",
            memory_mib=memory_mib(sessions + BURST),
            device=f"net_pcap0,rx_pcap={path},infinite_rx=1",
            address=GATE_ADDRESS,
            mac=GATE_MAC,
            port=GATE_PORT,
            limits=limits.listener,
            delivery=limits.delivery,
        )
    )
    write_moves(path, 1)  # for the plan, which wants a capture there; it says where sessions are issued
    loaded = load_config(config)
    state = new_state(plan(loaded, gather(loaded)))
    capture = write(path, issue_all(state, sessions))
    state.close()
    decided = plan(loaded, gather(loaded))  # with buffers for all of the capture
    return SealedReplay(config, capture, decided)

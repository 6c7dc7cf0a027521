# SPDX-License-Identifier: BSD-3-Clause
"""The session profile on a capture of sealed packets that net_pcap plays for ever from memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from pyshim.bench.rig.frames import GATE_ADDRESS, GATE_MAC, GATE_PORT, Capture, write_moves
from pyshim.bench.rig.replay import DEVICE, memory_mib
from pyshim.bench.rig.sealed_frames import BURST, write_sealed_moves
from pyshim.bench.rig.sealed_native import issue_all
from pyshim.bench.rig.sealed_run import Side, SideRun, serve_once
from pyshim.config import load_config
from pyshim.dataplane import new_state
from pyshim.host import gather
from pyshim.plan import Plan, plan

_CONFIG = """\
eal: {{huge_pages: {huge_pages}, memory_mib: {memory_mib}}}
ports:
  - name: game0
    device: "net_pcap0,rx_pcap={capture},infinite_rx=1"
    address: [{address}]
    mac: "{mac}"
listen: [{{port: {port}, profile: session}}]
sessions: {{idle_timeout_s: 3600}}
delivery: {{messages_pps: {{move: 0}}}}
metrics: {{listen: null}}
"""


@dataclass(slots=True)
class SealedReplay:
    """A capture with who serves it, and what the measurements showed beside the rate."""

    config: Path
    capture: Capture
    plan: Plan
    runs: dict[Side, list[SideRun]] = field(default_factory=lambda: {side: [] for side in Side})

    def measure(self, side: Side, seconds: float) -> float:
        """Packets per second.

        Raises:
            UnavailableError: it does not run, or refuses packets.
        """
        run = serve_once(self.config, side, self.capture.sessions, self.capture.frames, seconds)
        self.runs[side].append(run)
        return run.packets_per_s

    def details(self) -> dict[str, object]:
        """What a row tells of how it was measured."""
        cycles = {side: [run.cycles_per_packet for run in runs] for side, runs in self.runs.items()}
        return {
            "frame_bytes": self.capture.frame_bytes,
            "flows": self.capture.sessions,
            "sessions": self.capture.sessions,
            "frames": self.capture.frames,
            "device": DEVICE,
            "fed": "the replay windows are rewound whenever the capture begins again",
            "worker_cpus": [worker.cpu for worker in self.plan.workers],
            "control_cpus": list(self.plan.control_cpus),
            "huge_pages": self.plan.huge_pages,
            "cycles_per_packet": median(cycles[Side.GATEWAY]),
            **({"cycles_crypto_only": median(of)} if (of := cycles[Side.CRYPTO_ONLY]) else {}),
        }


def prepare_sealed(directory: Path, name: str, sessions: int, *, huge_pages: bool) -> SealedReplay:
    """Write the capture and the configuration of a gateway for it.

    Raises:
        PollgateError: this machine has not the memory.
    """
    config, path = directory / f"{name}.yaml", directory / f"{name}.pcap"
    config.write_text(
        _CONFIG.format(
            huge_pages="true" if huge_pages else "false",
            memory_mib=memory_mib(sessions + BURST),
            capture=path,
            address=GATE_ADDRESS,
            mac=GATE_MAC,
            port=GATE_PORT,
        )
    )
    write_moves(path, 1)  # for the plan, which wants a capture there; it says where sessions are issued
    loaded = load_config(config)
    decided = plan(loaded, gather(loaded))
    state = new_state(decided)
    capture = write_sealed_moves(path, issue_all(state, sessions))
    state.close()
    return SealedReplay(config, capture, decided)

# SPDX-License-Identifier: BSD-3-Clause
"""The session profile on a capture of an attack that net_pcap plays for ever from memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pyshim.bench.rig.forged_frames import write_attack
from pyshim.bench.rig.forgery import Attack, line_rate
from pyshim.bench.rig.sealed import SealedReplay, prepare_sealed
from pyshim.bench.rig.sealed_frames import BURST
from pyshim.bench.rig.sealed_run import Server, ServerRun
from pyshim.errors import UnavailableError

_DROPS = {
    Attack.SPOOFED: {"bad_tag"},
    Attack.SPOOFED_MOVES: {"bad_tag"},
    Attack.ELSEWHERE: {"bad_tag", "source_rate_limited"},
}


@dataclass(frozen=True, slots=True)
class AttackedReplay:
    """A capture of an attack, and the one of the same sessions alone."""

    attack: Attack
    attacked: SealedReplay
    baseline: SealedReplay

    def measure(self, seconds: float) -> float:
        """Packets per second that the worker gets through, authentic and forged.

        Raises:
            UnavailableError: it does not run, or did with some packets what it should not.
        """
        run = self.attacked.serve(Server.GATEWAY, seconds)
        check(run, self.attack)
        return run.packets_per_s

    def beside(self, seconds: float) -> float:
        """Measure the same sessions alone, for what their packets cost now; returns what the line carries.

        Raises:
            UnavailableError: it does not run, or refused packets.
        """
        self.baseline.measure(Server.GATEWAY, seconds)
        return self.line_rate_pps

    @property
    def line_rate_pps(self) -> float:
        """As many forged packets fit on the wire."""
        return line_rate(self.attacked.capture.frame_bytes)

    def details(self) -> dict[str, object]:
        """What a row tells of how it was measured, and what a forged packet cost beside an authentic one."""
        authentic = self.baseline.cycles_per_packet
        runs = self.attacked.runs[Server.GATEWAY]
        forged = sum(sum(run.dropped.values()) for run in runs)
        reasons = sorted({reason for run in runs for reason in run.dropped})
        return {
            **self.attacked.details(),
            "cycles_per_forged_packet": (BURST * self.attacked.cycles_per_packet - authentic) / (BURST - 1),
            "cycles_per_authentic_packet": authentic,
            "authentic_share": 1 / BURST,
            "dropped_shares": {
                reason: sum(run.dropped.get(reason, 0) for run in runs) / forged for reason in reasons
            },
            "line_rate_pps": self.line_rate_pps,
        }


def prepare_attacked(directory: Path, name: str, attack: Attack, sessions: int) -> AttackedReplay:
    """Write both captures, and the configuration of a gateway for each.

    Raises:
        PollgateError: this machine has not the memory.
    """
    return AttackedReplay(
        attack,
        prepare_sealed(
            directory, name, sessions, huge_pages=False, write=partial(write_attack, attack=attack)
        ),
        prepare_sealed(directory, f"{name}-peace", sessions, huge_pages=False),
    )


def check(run: ServerRun, attack: Attack) -> None:
    """Whether every authentic packet was answered, and every forged one dropped for what is wrong with it.

    Raises:
        UnavailableError: it was not so.
    """
    authentic = run.received // BURST
    forged = run.received - authentic
    if (
        run.answered != authentic
        or sum(run.dropped.values()) != forged
        or run.dropped.keys() - _DROPS[attack]
    ):
        told = ", ".join(f"{count:,} as {reason}" for reason, count in sorted(run.dropped.items()))
        raise UnavailableError(
            f"{attack}: of {authentic:,} authentic packets {run.answered:,} were answered, of {forged:,} "
            f"forged ones were dropped: {told or 'none'}; that is a fault of the gateway or of this benchmark"
        )

# SPDX-License-Identifier: BSD-3-Clause
"""What `run` writes when nobody watches a terminal: a line a second, or nothing but one JSON object."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console

from pyshim.output import PATIENCE_S, settle
from pyshim.plan import Plan
from pyshim.stats import Snapshot
from pyshim.views.rates import Rates, total_rates
from pyshim.views.summary import print_summary, summary_json


class JsonView:
    """Nothing on `out` but the final JSON object; events and the metrics' address on `err`."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        """Write to these streams; by default to standard output and standard error."""
        self._out = out or sys.stdout
        self._err = err or sys.stderr

    def __enter__(self) -> Self:
        """No effect: there is no terminal to restore."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """No effect."""

    def started(self, plan: Plan, metrics_url: str | None) -> None:
        """Announce where metrics are served."""
        if metrics_url is not None:
            self._tell(f"metrics: {metrics_url}")

    def update(self, snapshot: Snapshot) -> None:
        """Silent until the end."""

    def event(self, level: str, message: str) -> None:
        """One line per event."""
        self._tell(f"{level}: {message}")

    def finished(self, snapshot: Snapshot, elapsed_s: float) -> None:
        """The JSON object, on one line."""
        print(summary_json(snapshot, elapsed_s), file=self._out, flush=True)

    def _tell(self, line: str) -> None:
        print(line, file=self._err, flush=True)


class LineView(JsonView):
    """One `key=value` line per update on `out`, a summary at the end; events on `err`."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        """Write to these streams; by default to standard output and standard error."""
        super().__init__(out, err)
        self._started_at_s = time.monotonic()
        self._before: Snapshot | None = None

    def started(self, plan: Plan, metrics_url: str | None) -> None:
        """Announce where metrics are served, and start the clock."""
        super().started(plan, metrics_url)
        self._started_at_s = time.monotonic()

    def update(self, snapshot: Snapshot) -> None:
        """One line: what happened since the previous one."""
        since_s = self._before.taken_at_s if self._before else self._started_at_s
        rates = total_rates(self._before, snapshot, snapshot.taken_at_s - since_s)
        self._before = snapshot
        print(line(snapshot, rates, snapshot.taken_at_s - self._started_at_s), file=self._out, flush=True)

    def finished(self, snapshot: Snapshot, elapsed_s: float) -> None:
        """The summary as a table."""
        console = Console(file=self._out)
        # Written by us and not by rich, which ends the process its own way when the reader has gone.
        with console.capture() as text:
            print_summary(console, snapshot, elapsed_s)
        settle(self._out, PATIENCE_S)  # lines that a slow reader has not taken leave no room
        print(text.get(), end="", file=self._out, flush=True)


def line(snapshot: Snapshot, rates: Rates, uptime_s: float) -> str:
    """One interval as `key=value` pairs; units are in the keys, `-` stands where nothing was measured."""
    drops = {name: rate for name, rate in rates.drops_pps.items() if rate}
    pairs = {
        "up_s": f"{max(uptime_s, 0):.0f}",
        "workers": "running" if snapshot.workers_running else "down",
        "rx_pps": f"{rates.received_pps:.0f}",
        "tx_pps": f"{rates.sent_pps:.0f}",
        "messages_ps": f"{rates.messages_pps:.0f}",
        "answers_ps": f"{rates.answers_pps:.0f}",
        "rx_mbps": f"{rates.receive_mbps:.1f}",
        "tx_mbps": f"{rates.transmit_mbps:.1f}",
        "sessions": f"{sum(worker.players for worker in snapshot.workers)}",
        "connected": f"{sum(worker.connected for worker in snapshot.workers)}",
        "drops_ps": f"{sum(drops.values()):.0f}",
        "tx_drops_ps": f"{sum(rates.transmit_drops_pps.values()):.0f}",
        "busy": _or_dash(rates.busy, 1),
        "off_cpu": _or_dash(rates.off_cpu, 1),
        "cycles_per_packet": _or_dash(rates.cycles_per_packet, 1),
        "p50_us": _or_dash(rates.handling_p50_s, 1e6),
        "p99_us": _or_dash(rates.handling_p99_s, 1e6),
        "restarts": f"{snapshot.worker_restarts}",
    }
    if drops:
        worst = sorted(drops, key=lambda name: (-drops[name], name))[:3]
        pairs["worst_drops"] = ",".join(f"{name}:{drops[name]:.0f}" for name in worst)
    return " ".join(f"{key}={value}" for key, value in pairs.items())


def _or_dash(value: float | None, factor: float) -> str:
    return "-" if value is None else f"{value * factor:.3g}"

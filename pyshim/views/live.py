# SPDX-License-Identifier: BSD-3-Clause
"""The table that `run` keeps up to date on a terminal."""

from __future__ import annotations

import sys
import time
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pyshim import __version__
from pyshim.output import backlog, count_lost
from pyshim.plan import Plan
from pyshim.stats import PoolSnapshot, Snapshot
from pyshim.views import units
from pyshim.views.rates import Rates, summed, total_rates, worker_rates
from pyshim.views.summary import print_summary

DROPS_SHOWN_MAX = 8  # the rest is one line
DROPS_SHOWN_MIN = 2
FIXED_LINES = 23  # of the table, besides one per drop reason, pool and worker
POOL_LOW = 0.10  # share of free buffers below which a pool is coloured: the alert's threshold
OFF_CPU_SHOWN = 0.01  # share of time without the CPU from which on it is said
BUSY_HIGH = 0.90  # likewise
BACKLOG_MAX = 4  # pieces that a terminal has not taken: it was stopped (Ctrl-S), and nothing is drawn
EVENTS_MAX = 200  # that are kept for such a terminal, the latest ones

_EVENT_STYLES = {"warning": "yellow", "error": "bold red", "critical": "bold red"}


@dataclass(frozen=True, slots=True)
class Frame:
    """All that one drawing of the table shows."""

    snapshot: Snapshot
    total: Rates
    workers: tuple[Rates, ...]
    cpus: tuple[int, ...]  # of the workers, by index
    uptime_s: float
    metrics_url: str | None


class LiveView:
    """Draws in place on a terminal; events scroll by above; at the end the table gives way to the summary."""

    def __init__(self, console: Console | None = None) -> None:
        """Draw on `console`; by default on standard output."""
        # The stream that is standard output now: rich would ask again, and then find its own.
        self._console = console or Console(file=sys.stdout, highlight=False)
        self._stream = self._console.file
        self._events: deque[Text] = deque()  # that are not printed yet
        self._events_lost = 0
        # Drawn once per update, not on a timer: between two snapshots nothing can change.
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._started_at_s = time.monotonic()
        self._before: Snapshot | None = None
        self._metrics_url: str | None = None
        self._cpus: tuple[int, ...] = ()

    def __enter__(self) -> Self:
        """No effect: drawing begins with started()."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the terminal back as it was, however the run ended."""
        self._live.stop()

    def started(self, plan: Plan, metrics_url: str | None) -> None:
        """Begin to draw."""
        self._metrics_url = metrics_url
        self._cpus = tuple(worker.cpu for worker in plan.workers)
        self._started_at_s = time.monotonic()
        self._live.update(Text(" pollgate is starting …", style="dim"))
        self._live.start(refresh=True)

    def update(self, snapshot: Snapshot) -> None:
        """Draw what happened since the previous update."""
        since_s = self._before.taken_at_s if self._before else self._started_at_s
        elapsed_s = snapshot.taken_at_s - since_s
        frame = Frame(
            snapshot=snapshot,
            total=total_rates(self._before, snapshot, elapsed_s),
            workers=worker_rates(self._before, snapshot, elapsed_s),
            cpus=self._cpus,
            uptime_s=max(snapshot.taken_at_s - self._started_at_s, 0.0),
            metrics_url=self._metrics_url,
        )
        self._before = snapshot
        self._print_events()
        if not self._is_stopped():
            self._live.update(draw(frame, self._console.height), refresh=True)

    def event(self, level: str, message: str) -> None:
        """A line above the table; on a terminal that is stopped, once it goes on."""
        style = _EVENT_STYLES.get(level, "dim")
        self._events.append(Text.assemble(time.strftime(" %H:%M:%S "), (message, style)))
        if len(self._events) > EVENTS_MAX:
            self._events.popleft()
            self._events_lost += 1
            count_lost(self._stream, 1)
        self._print_events()

    def _is_stopped(self) -> bool:
        return backlog(self._stream) >= BACKLOG_MAX

    def _print_events(self) -> None:
        if self._events_lost and not self._is_stopped():
            self._console.print(Text(f" {self._events_lost} earlier events are not shown", style="yellow"))
            self._events_lost = 0
        while self._events and not self._is_stopped():
            self._console.print(self._events.popleft())

    def finished(self, snapshot: Snapshot, elapsed_s: float) -> None:
        """Replace the table by the summary."""
        self._print_events()
        self._live.stop()
        print_summary(self._console, snapshot, elapsed_s)


def draw(frame: Frame, height: int) -> RenderableType:
    """The table; fits 80 columns, uses no more than it needs of a wider terminal.

    In a low terminal (`height` in lines) it lists fewer drop reasons, so that the workers stay in sight.
    """
    fixed = FIXED_LINES + _has_connections(frame.snapshot)  # one line more with profile session
    room = height - fixed - len(frame.snapshot.pools) - len(frame.workers)
    drops = _drops(frame, max(DROPS_SHOWN_MIN, min(DROPS_SHOWN_MAX, room)))
    parts = [_header(frame), _traffic(frame), _state(frame), *([drops] if drops else []), _workers(frame)]
    parts.append(
        Text("Ctrl-C ends it with a summary; pollgate reload -c FILE takes a changed FILE", style="dim")
    )
    return Group(*(Padding(part, (1, 0, 0, 1)) for part in parts))


def _header(frame: Frame) -> RenderableType:
    snapshot = frame.snapshot
    running = ("running", "green") if snapshot.workers_running else ("workers down", "bold red")
    restarts = (f"restarts {snapshot.worker_restarts}", "yellow" if snapshot.worker_restarts else "")
    dot = (" · ", "dim")
    line = Text.assemble(
        (f"pollgate {__version__}", "bold"),
        *(dot, running, dot, f"up {units.uptime(frame.uptime_s)}", dot, restarts),
    )
    if snapshot.isa:
        line.append_text(Text.assemble(dot, f"x86-64-{snapshot.isa}"))
    if not snapshot.config_reload_successful:
        line.append_text(Text.assemble(dot, ("last reload refused", "yellow")))
    if frame.metrics_url is not None:
        line.append_text(Text.assemble("\n", (frame.metrics_url, "dim")))
    return line


def _traffic(frame: Frame) -> RenderableType:
    rates = frame.total
    table = _table()
    table.add_column("traffic", min_width=22)
    for heading in ("in", "out"):
        table.add_column(heading, justify="right", min_width=12)
    table.add_row("packets/s", units.rate(rates.received_pps), units.rate(rates.sent_pps))
    table.add_row("messages/s", units.rate(rates.messages_pps), units.rate(rates.answers_pps))
    if _has_connections(frame.snapshot):
        table.add_row("session messages/s", units.rate(rates.taken_ps), units.rate(rates.queued_ps))
    table.add_row("Mbit/s", units.number(rates.receive_mbps), units.number(rates.transmit_mbps))
    return table


def _state(frame: Frame) -> RenderableType:
    snapshot, rates = frame.snapshot, frame.total
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", min_width=22)
    table.add_column()
    sessions = units.count(sum(worker.players for worker in snapshot.workers))
    if _has_connections(snapshot):
        connected = sum(worker.connected for worker in snapshot.workers)
        sessions += f"   {units.count(connected)} connected of {units.count(snapshot.sessions_issued)} issued"
    table.add_row("sessions", sessions)
    table.add_row("busy", Text.assemble(units.share(rates.busy), *_cycles(rates)))
    if rates.off_cpu is not None and rates.off_cpu >= OFF_CPU_SHOWN:
        # The CPU is shared: busy and handling are of the time that is left.
        table.add_row("CPU taken by others", Text(units.share(rates.off_cpu), style="yellow"))
    table.add_row(
        "handling", f"p50 {units.duration(rates.handling_p50_s)}   p99 {units.duration(rates.handling_p99_s)}"
    )
    for pool in snapshot.pools:
        table.add_row(f"pool {pool.name}", _pool(pool))
    for port in snapshot.ports:
        if port.link_up is False:
            table.add_row(f"port {port.name}", Text("link down", style="yellow"))
        if lost := port.rx_missed + port.rx_nombuf:
            table.add_row(f"port {port.name}", Text(f"{units.count(lost)} missed", style="yellow"))
    return table


def _has_connections(snapshot: Snapshot) -> bool:
    """Whether profile session is in use."""
    return snapshot.sessions_issued > 0 or any(worker.connections for worker in snapshot.workers)


def _cycles(rates: Rates) -> list[str | tuple[str, str]]:
    if rates.cycles_per_packet is None:
        return []
    return [f"   {units.number(rates.cycles_per_packet)}", (" cycles per packet", "dim")]


def _pool(pool: PoolSnapshot) -> Text:
    low = pool.size > 0 and pool.available < POOL_LOW * pool.size
    free = Text(units.count(pool.available), style="bold red" if low else "")
    return free.append(f" of {units.count(pool.size)} buffers free", style="dim")


def _drops(frame: Frame, limit: int) -> RenderableType | None:
    workers = frame.snapshot.workers
    rows = [
        (name, frame.total.drops_pps.get(name, 0.0), total)
        for name, total in summed(worker.dropped for worker in workers).items()
    ] + [
        (f"transmit: {name}", frame.total.transmit_drops_pps.get(name, 0.0), total)
        for name, total in summed(worker.tx_dropped for worker in workers).items()
    ]
    # By total: an order by rate would make the rows dance.
    rows = sorted((row for row in rows if row[2]), key=lambda row: (-row[2], row[0]))
    if not rows:
        return None
    table = _table()
    table.add_column("drops", min_width=22)
    table.add_column("per second", justify="right", min_width=12)
    table.add_column("total", justify="right", min_width=12)
    for name, rate, total in rows[:limit]:
        table.add_row(name, units.rate(rate), units.count(total), style="" if rate else "dim")
    if rest := rows[limit:]:
        table.add_row(
            f"{len(rest)} more reasons",
            units.rate(sum(rate for _, rate, _ in rest)),
            units.count(sum(total for _, _, total in rest)),
            style="dim",
        )
    return table


def _workers(frame: Frame) -> RenderableType:
    table = _table()
    table.add_column("worker", justify="right")
    for heading in ("cpu", "packets/s", "sent/s", "busy", "cycles", "p50", "p99", "sessions"):
        table.add_column(heading, justify="right")
    for position, (worker, rates) in enumerate(zip(frame.snapshot.workers, frame.workers, strict=True)):
        busy_style = "yellow" if rates.busy is not None and rates.busy > BUSY_HIGH else ""
        table.add_row(
            str(worker.index),
            str(frame.cpus[position]) if position < len(frame.cpus) else units.ABSENT,
            units.rate(rates.received_pps),
            units.rate(rates.sent_pps),
            Text(units.share(rates.busy), style=busy_style),
            units.number(rates.cycles_per_packet),
            units.duration(rates.handling_p50_s),
            units.duration(rates.handling_p99_s),
            units.count(worker.players),
        )
    return table


def _table() -> Table:
    return Table(
        box=box.SIMPLE_HEAD, show_edge=False, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0)
    )

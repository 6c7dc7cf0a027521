# SPDX-License-Identifier: BSD-3-Clause
"""What a run came to: totals, where every packet ended, and if the books balance; as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pyshim.metrics.families import values
from pyshim.stats import Snapshot, by_label
from pyshim.views import units
from pyshim.views.rates import merged, quantile, summed


@dataclass(frozen=True, slots=True)
class Balance:
    """One side of the conservation law: a total, and where its packets ended."""

    name: str  # of the total
    total: int
    parts: tuple[tuple[str, int], ...]

    @property
    def missing(self) -> int:
        """Packets that no part accounts for; 0 when the books balance."""
        return self.total - sum(count for _, count in self.parts)


def balances(snapshot: Snapshot) -> tuple[Balance, Balance]:
    """Receive and transmit, over all workers. Exact only at a quiet moment: after the drain of a run."""
    workers = snapshot.workers
    receive = Balance(
        "received",
        sum(worker.received for worker in workers),
        (
            ("handled", sum(sum(worker.handled.values()) for worker in workers)),
            ("dropped", sum(sum(worker.dropped.values()) for worker in workers)),
            ("to kernel", sum(worker.to_kernel for worker in workers)),
            ("forwarded", sum(worker.forwarded for worker in workers)),
        ),
    )
    transmit = Balance(
        "offered to transmit",
        sum(worker.tx_offered for worker in workers),
        (
            ("sent", sum(worker.tx_sent for worker in workers)),
            ("dropped", sum(sum(worker.tx_dropped.values()) for worker in workers)),
        ),
    )
    return receive, transmit


def summary_json(snapshot: Snapshot, elapsed_s: float) -> str:
    """One JSON object: every metric by name, and `elapsed_seconds`. See METRICS.md for the shape."""
    return json.dumps({"elapsed_seconds": round(elapsed_s, 6), **values(snapshot)}, allow_nan=False)


def print_summary(console: Console, snapshot: Snapshot, elapsed_s: float) -> None:
    """Write the summary that ends a run for people."""
    console.print(summary(snapshot, elapsed_s))


def summary(snapshot: Snapshot, elapsed_s: float) -> RenderableType:
    """The summary as something rich can draw; fits 80 columns."""
    headline = Text.assemble((" Ran for ", "bold"), (units.uptime(elapsed_s), "bold"))
    if snapshot.worker_restarts:
        times = "once" if snapshot.worker_restarts == 1 else f"{snapshot.worker_restarts} times"
        headline.append(f", the worker was restarted {times}", style="yellow")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("total", min_width=26)
    table.add_column("packets", justify="right", min_width=16)
    table.add_column("per second", justify="right", min_width=11)
    for title, counts in _sections(snapshot):
        for indent, name, value in _rows(title, counts):
            table.add_row(
                Text(indent + name, style="dim" if indent else ""),
                units.count(value),
                units.rate(value / elapsed_s) if elapsed_s > 0 else units.ABSENT,
            )
    books = Text("\n").join(_sentence(balance) for balance in balances(snapshot))
    return Group(
        "",
        headline,
        "",
        Padding(table, (0, 0, 0, 1)),
        "",
        Padding(_tail(snapshot), (0, 1)),
        Padding(books, (0, 1)),
    )


def _sections(snapshot: Snapshot) -> list[tuple[tuple[str, int], dict[str, int]]]:
    workers = snapshot.workers
    handled = summed(worker.handled for worker in workers)
    dropped = summed(worker.dropped for worker in workers)
    unsent = summed(worker.tx_dropped for worker in workers)
    sections = [
        (("received", sum(worker.received for worker in workers)), {}),
        (("handled", sum(handled.values())), handled),
        (("dropped", sum(dropped.values())), dropped),
        (("to kernel", sum(worker.to_kernel for worker in workers)), {}),
        (("forwarded", sum(worker.forwarded for worker in workers)), {}),
        (("of another worker's session", sum(worker.handed_out for worker in workers)), {}),
        (("sent", sum(worker.tx_sent for worker in workers)), {}),
        (("not sent", sum(unsent.values())), unsent),
        *_message_sections(snapshot),
        (("missed by the ports", sum(port.rx_missed + port.rx_nombuf for port in snapshot.ports)), {}),
    ]
    always = {"received", "handled", "dropped", "sent"}
    return [section for section in sections if section[0][0] in always or section[0][1]]


def _message_sections(snapshot: Snapshot) -> list[tuple[tuple[str, int], dict[str, int]]]:
    """What was said in sessions of profile session."""
    said = [worker.messages for worker in snapshot.workers]
    taken, queued = summed(one.received for one in said), summed(one.sent for one in said)
    lost = summed(one.lost for one in said) | _lost_to_processes(snapshot)
    return [
        (("session messages in", sum(taken.values())), taken),
        (("session messages out", sum(queued.values())), queued),
        (("sent again", sum(one.resent for one in said)), {}),
        (("not delivered", sum(lost.values())), lost),
    ]


def _lost_to_processes(snapshot: Snapshot) -> dict[str, int]:
    """Messages that routes gave to game processes and that did not get there; of names of the past, too."""
    retired = [one for group, one in snapshot.retired.items() if group == "PROCESS_COUNT"]
    processes = (*snapshot.instances.get("PROCESS_COUNT", ()), *retired)
    lost = summed(by_label(process, "lost") for process in processes)
    return {f"game process: {reason}": count for reason, count in lost.items()}


def _rows(title: tuple[str, int], counts: dict[str, int]) -> list[tuple[str, str, int]]:
    some = sorted(((name, count) for name, count in counts.items() if count), key=lambda item: -item[1])
    return [("", *title), *(("  ", name, count) for name, count in some)]


def _tail(snapshot: Snapshot) -> Text:
    workers = snapshot.workers
    sessions = Text.assemble(
        "sessions: ",
        f"{units.count(sum(worker.players for worker in workers))} active, ",
        f"{units.count(sum(worker.sessions_admitted + worker.connections for worker in workers))} admitted, ",
        f"{units.count(sum(worker.fallen_silent for worker in workers))} expired",
    )
    if recovered := sum(worker.sessions_recovered for worker in workers):
        sessions.append(f", {units.count(recovered)} recovered after a crash")
    lines = [sessions, *_connections(snapshot)]
    handling = merged(worker.handling for worker in workers)
    received = sum(worker.received for worker in workers)
    cycles = sum(worker.cycles_busy for worker in workers) / received if received else None
    return Text("\n").join(
        (
            *lines,
            Text(
                f"handling: p50 {units.duration(quantile(handling, 0.5))}, "
                f"p99 {units.duration(quantile(handling, 0.99))}; "
                f"{units.number(cycles)} cycles per packet"
            ),
        )
    )


def _connections(snapshot: Snapshot) -> Iterator[Text]:
    """One line about profile session, where it was used."""
    workers = snapshot.workers
    made = sum(worker.connections for worker in workers)
    denied = sum(sum(worker.denied.values()) for worker in workers)
    if not (made or denied or snapshot.sessions_issued):
        return
    closed = {name: count for name, count in summed(worker.closed for worker in workers).items() if count}
    why = ", ".join(f"{name} {units.count(count)}" for name, count in closed.items())
    yield Text(
        f"connections: {units.count(sum(worker.connected for worker in workers))} connected of "
        f"{units.count(snapshot.sessions_issued)} issued, {units.count(made)} made, "
        f"{units.count(denied)} denied" + (f"; closed: {why}" if why else "")
    )


def _sentence(balance: Balance) -> Text:
    # Parts that cannot be used yet (no kernel path, say) are zero: they would only make the line longer.
    parts = [(name, count) for name, count in balance.parts if count] or balance.parts[:1]
    text = Text(f"{balance.name} {units.count(balance.total)} = ")
    text.append(" + ".join(f"{name} {units.count(count)}" for name, count in parts))
    if balance.missing:
        text.append(
            f"  ✗ {units.count(balance.missing)} not accounted for: please report this", style="bold red"
        )
    else:
        text.append("  ✓", style="green")
    return text

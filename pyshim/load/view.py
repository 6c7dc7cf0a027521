# SPDX-License-Identifier: BSD-3-Clause
"""How a load shows itself: a bar with live figures per step, then a table of what each step came to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from pyshim.load.result import Counts, Result
from pyshim.load.run import Load, Played, Round
from pyshim.load.world_report import world_notes
from pyshim.output import backlog
from pyshim.views import units
from pyshim.views.terminal import draws

_EACH_STEP_SHOWN = 12  # bars; a longer ladder scrolls by as lines of the table only

_BACKLOG_MAX = 4  # pieces that a terminal has not taken: it was stopped (Ctrl-S), and nothing is drawn


class Bars:
    """A bar per step on a terminal; a line as each step begins on anything else; nothing when `silent`."""

    def __init__(self, rounds: Sequence[Round], console: Console, *, silent: bool = False) -> None:
        """Draw on `console`; nothing is drawn before the first step."""
        self._rounds = rounds
        self._console = console
        self._live = draws(console.file)
        self._silent = silent and not self._live
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[figures]}", style="dim"),
            console=console,
            transient=True,
            # Drawn when there are figures, not on a timer: for a terminal that was stopped, frames pile up.
            auto_refresh=False,
            disable=not self._live,
        )
        self._tasks = [
            self._progress.add_task(
                str(each),
                total=each.trial.seconds,
                visible=index < _EACH_STEP_SHOWN,
                start=False,
                figures="",
            )
            for index, each in enumerate(rounds)
        ]
        self._index = 0
        self._before: tuple[float, Counts] | None = None

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the terminal back as it was."""
        self._progress.stop()

    def begin(self, index: int) -> None:
        """Round `index` begins."""
        self._index, self._before = index, None
        each = self._rounds[index]
        if self._live:
            self._progress.update(self._tasks[index], visible=True)
            self._progress.start_task(self._tasks[index])
            self._draw()
        elif not self._silent:
            line = f"step {index + 1} of {len(self._rounds)}: {each} for {each.trial.seconds:g} s"
            self._console.print(line, style="dim", highlight=False)

    def watch(self, counts: Counts) -> None:
        """Move the bar, and say what happened since the last time."""
        if not self._live:
            return
        now_s = time.monotonic()
        figures = ""
        if self._before is not None:
            since_s = now_s - self._before[0]
            figures = _figures(self._before[1], counts, since_s)
        self._before = now_s, counts
        self._progress.update(self._tasks[self._index], completed=counts.elapsed_s, figures=figures)
        self._draw()

    def end(self, result: Result) -> None:
        """The bar stays, with what became of the messages."""
        if self._live:
            figures = f"{units.count(result.acknowledged)} of {units.count(result.sent)} answered"
            task = self._tasks[self._index]
            self._progress.update(task, completed=result.elapsed_s, figures=figures)
            self._progress.stop_task(task)
            self._draw()

    def _draw(self) -> None:
        if backlog(self._console.file) < _BACKLOG_MAX:
            self._progress.refresh()


def _figures(before: Counts, now: Counts, since_s: float) -> str:
    unanswered = units.count(max(0, now.sent - now.acknowledged))
    if now.offered == before.offered:
        return f"waiting for answers; {unanswered} unanswered"
    sent = units.rate((now.sent - before.sent) / since_s)
    acknowledged = now.acknowledged - before.acknowledged
    answered = units.rate(acknowledged / since_s)
    mean_s = (now.latency_sum_s - before.latency_sum_s) / acknowledged if acknowledged else None
    return f"{sent}/s sent, {answered}/s answered in {units.duration(mean_s)}; {unanswered} unanswered"


def table(load: Load, played: Sequence[Played]) -> RenderableType:
    """What each step came to; fits 80 columns."""
    rows = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=0)
    rows.add_column("step", min_width=12, no_wrap=True)
    for heading in ("sent/s", "acked/s", "lost", "p50", "p95", "p99", "p99.9", "max"):
        rows.add_column(heading, justify="right", min_width=6)
    for each in played:
        result, latency = each.result, each.result.latency
        rows.add_row(
            str(each.round) + (" *" if result.limited_by_generator else ""),
            units.rate(result.sent_pps),
            units.rate(result.acknowledged_pps),
            Text(_percent(result.loss_ratio), style="yellow" if result.lost else ""),
            *(
                units.duration(value)
                for value in (latency.p50_s, latency.p95_s, latency.p99_s, latency.p99_9_s, latency.max_s)
            ),
        )
    notes = Text("\n").join(Text(line, style=style) for line, style in _notes(load, played))
    return Group("", Padding(rows, (0, 0, 0, 1)), "", Padding(notes, (0, 1)))


def _percent(share: float) -> str:
    """`0 %` is only what is none at all."""
    if 0 < share < 0.0001:
        return "< 0.01 %"
    return f"{share * 100:.3g} %"


def _notes(load: Load, played: Sequence[Played]) -> Iterator[tuple[str, str]]:
    yield f"{load.target}; a round trip counts from when its message was due", "dim"
    for each in played:
        result, name = each.result, str(each.round)
        yield f"{name}: {_books(result)}", ""
        if result.cut_short:
            yield (
                f"{name} was cut short after {result.elapsed_s:.1f} of {each.round.trial.seconds:g} s",
                "yellow",
            )
        if result.limits:
            text = f"* {name} is limited by the generator, so it says little about the target: "
            yield text + "; ".join(result.limits), "yellow"
        if result.refused_by is not None:
            yield f"{name}: {_datagrams(result.refusals)} refused: {result.refused_by}", "yellow"
        if result.lost:
            yield (
                f"{name}: what the gateway refused, its pollgate_drops_total names: source_rate_limited, "
                "say, is a limit of all players of one address",
                "",
            )
        if result.heard or result.sent_of_type["game"]:
            yield f"{name}: {_replies(result)}", ""
        if load.crowd.world is not None:
            yield from world_notes(
                result.world, result.unseen, load.crowd.world, each.round.trial.players, result.elapsed_s
            )
        if result.duplicated:
            yield (
                f"{name}: what came twice was answered twice: does another gateway have this address, too? "
                "What one of them refuses, the other one may answer",
                "yellow",
            )
        for delay in result.delays:
            yield f"{name}: {delay}; round trips count that, too", ""
    if ceilings := [each.result.ceiling_pps for each in played if each.result.ceiling_pps]:
        busiest = max(each.result.busy for each in played)
        ceiling = units.rate(max(ceilings))
        yield f"generator: busy {units.share(busiest)} at most; its ceiling is at least {ceiling}/s", "dim"


def _books(result: Result) -> str:
    """Where every message ended, and what else came."""
    parts = [f"{units.count(result.sent)} sent = {units.count(result.acknowledged)} acknowledged"]
    parts[0] += f" + {units.count(result.lost)} lost"
    for name in ("duplicated", "reordered", "invalid", "stray"):
        if count := getattr(result, name):
            parts.append(f"{units.count(count)} {name}")
    if result.not_sent:
        reasons = ", ".join(
            f"{units.count(count)} {reason.replace('_', ' ')}"
            for reason, count in result.unsent.items()
            if count
        )
        parts.append(f"{units.count(result.not_sent)} not sent ({reasons})")
    return ", ".join(parts)


def _replies(result: Result) -> str:
    """What the game did with what it was told."""
    said, replied = units.count(result.sent_of_type["game"]), result.replied
    text = f"the game sent players {units.count(result.heard)} messages, "
    text += f"{units.count(result.replies)} of them replies to {said}"
    if not result.replies:
        return text
    return f"{text}, in {units.duration(replied.p50_s)} at p50 and {units.duration(replied.p99_s)} at p99"


def _datagrams(count: int) -> str:
    return "1 datagram was" if count == 1 else f"{units.count(count)} datagrams were"

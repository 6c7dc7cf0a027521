# SPDX-License-Identifier: BSD-3-Clause
"""The benchmarks as commands, made from their table; all of them have the same options."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pyshim import __version__
from pyshim.bench.catalogue import BENCHES
from pyshim.bench.description import Bench, Extra, Request
from pyshim.bench.interest import ways
from pyshim.bench.reports.bars import bars
from pyshim.bench.reports.costs import costs
from pyshim.bench.reports.html import refuse_html, write_html
from pyshim.bench.reports.report import Report, Row, as_json, as_table
from pyshim.bench.reports.results import write_results
from pyshim.bench.reports.worlds import growth, stages, steps
from pyshim.host.machine import host_facts
from pyshim.system.interruption import interrupts_held

cli_app = typer.Typer(no_args_is_help=True, help="Measure against what a user would pick instead, in turn.")

_COMMON = (
    ("json", Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")], False),
    (
        "pairs",
        Annotated[int, typer.Option(min=1, max=1000, help="How often each of the two is measured.")],
        7,
    ),
    (
        "seconds",
        Annotated[float, typer.Option(min=0.2, max=3600, help="How long each measurement lasts.")],
        2.0,
    ),
    (
        "html",
        Annotated[
            Path | None,
            typer.Option("--html", metavar="FILE", help="Also write a page with plots; needs matplotlib."),
        ],
        None,
    ),
)


@cli_app.callback()
def benchmarks() -> None:
    """Measure against what a user would pick instead, in turn. Ctrl-C gives the results so far."""


@cli_app.command("results")
def results_command(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The page to write, Markdown.")],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE.json...", help="What benchmarks printed with --json.")
    ],
) -> None:
    """Set what was measured beside each claim that this project started from."""
    write_results(out, files, lambda line: typer.echo(line, err=True))


def measure(bench: Bench, request: Request) -> tuple[Report, BaseException | None]:
    """Run a benchmark; what it found until an interrupt or a failure, and that interrupt or failure."""
    rows: list[Row] = []
    notes: list[str] = []
    ended: BaseException | None = None
    try:
        for found in bench.rows(request):
            if isinstance(found, Row):
                common = {"pairs": len(found.samples), "seconds": request.seconds}
                rows.append(replace(found, details={**common, **found.details}))
                if not (found.complete or bench.in_rounds):
                    ended = KeyboardInterrupt()
                    break
            else:
                notes.append(found.text)
    except (Exception, KeyboardInterrupt) as problem:
        ended = problem
    report = Report(
        bench.name, __version__, host_facts(), ended is None, tuple(rows), tuple(notes), bench.x_axis
    )
    return report, ended


def _run(bench: Bench, request: Request, *, json: bool, html: Path | None) -> None:
    if html is not None:
        refuse_html(html)  # now, and not after minutes of measuring
    # Both end a benchmark alike: it leaves no process behind and tells what it found.
    with interrupts_held() as interruption:
        report, ended = measure(bench, request)
    if ended is None and interruption.came:
        ended = KeyboardInterrupt()
    if report.rows or ended is None or isinstance(ended, KeyboardInterrupt):
        if json:
            typer.echo(as_json(report))
        else:
            beside = (table(report.rows) for table in (costs, stages, steps, growth, ways, bars))
            Console().print(as_table(report, list(beside)))
        if html is not None:
            write_html(html, report)
        sys.stdout.flush()
    if ended is not None:
        raise ended


def _parameter(name: str, annotation: Any, default: object) -> Parameter:
    return Parameter(name.replace("-", "_"), Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _parsed(extra: Extra, given: str | bool) -> object:
    if isinstance(given, bool):
        return extra.parse("yes" if given else extra.default)
    return extra.parse(given)


def _extra_parameter(extra: Extra) -> Parameter:
    if extra.flag:
        switch = typer.Option(f"--{extra.name}", help=extra.help)
        return _parameter(extra.name, Annotated[bool, switch], False)

    def checked(text: str) -> str:
        try:
            extra.parse(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        return text

    option = typer.Option(f"--{extra.name}", metavar=extra.metavar, help=extra.help, callback=checked)
    return _parameter(extra.name, Annotated[str, option], extra.default)


def _command(bench: Bench) -> Callable[..., None]:
    """A function with the options of a benchmark, as typer wants to see it."""

    def command(**given: Any) -> None:
        messages = Console(stderr=True)
        request = Request(
            pairs=given["pairs"],
            seconds=given["seconds"],
            progress=lambda line: messages.print(line, style="dim", highlight=False),
            extra={extra.name: _parsed(extra, given[extra.name.replace("-", "_")]) for extra in bench.extras},
        )
        _run(bench, request, json=given["json"], html=given["html"])

    parameters = [_parameter(*common) for common in _COMMON] + [
        _extra_parameter(extra) for extra in bench.extras
    ]
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # what inspect looks for
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = bench.measures
    return command


for _bench in BENCHES:
    cli_app.command(_bench.name)(_command(_bench))

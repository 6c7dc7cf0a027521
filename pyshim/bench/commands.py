# SPDX-License-Identifier: BSD-3-Clause
"""The benchmarks as commands."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

cli_app = typer.Typer(no_args_is_help=True, help="Measure against what a user would pick instead, in turn.")


@cli_app.callback()
def benchmarks() -> None:
    """Measure against what a user would pick instead, in turn."""


@cli_app.command("forward")
def forward_command(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    pairs: Annotated[int, typer.Option(min=1, max=1000, help="How often each of the two is measured.")] = 7,
    seconds: Annotated[float, typer.Option(min=0.2, max=3600, help="How long each measurement lasts.")] = 2.0,
) -> None:
    """MOVE to MOVE_ACK with everything on, against dpdk-testpmd's 5tswap on the same device."""
    from pyshim.bench.forward import forward  # noqa: PLC0415 - starts nothing until it is asked
    from pyshim.bench.report import as_json, as_table  # noqa: PLC0415

    messages = Console(stderr=True)
    rows = forward(pairs, seconds, lambda line: messages.print(line, style="dim", highlight=False))
    if json:
        typer.echo(as_json("forward", rows))
    else:
        Console().print(as_table("forward", rows))

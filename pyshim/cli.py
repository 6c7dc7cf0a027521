# SPDX-License-Identifier: BSD-3-Clause
"""The command `pollgate`: reads the command line, starts what it asks for, and ends with the right exit code.

What a command needs is imported inside it, so that `--help` and a usage error answer at once.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import math
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pyshim import __version__
from pyshim.errors import RAISE_PROCESS_LIMIT, ExitCode, InternalError, PollgateError
from pyshim.output import (
    PATIENCE_S,
    Output,
    OutputError,
    ReaderGoneError,
    open_standard_streams,
    settle,
    standard_error,
    standard_output,
)

INTERRUPTED = 128 + 2  # what a shell reports for SIGINT


class _Commands(TyperGroup):
    """The commands: four are loaded only when asked for, and an interrupt ends quietly."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), "token", "load", "bench", "conformance"]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name == "bench":
            from pyshim.bench import cli_app

            group = typer.main.get_group(cli_app)
            group.name = "bench"
            return group
        if cmd_name == "token":
            from pyshim.issuing.commands import cli_app as token_app

            token = typer.main.get_group(token_app)
            token.name = "token"
            return token
        if cmd_name == "conformance":
            from pyshim.conformance.commands import cli_app as conformance_app

            conformance = typer.main.get_group(conformance_app)
            conformance.name = "conformance"
            return conformance
        if cmd_name == "load":
            from pyshim.load.commands import cli_app as load_app

            command = typer.main.get_command(load_app)
            command.name = "load"
            return command
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: Any) -> Any:
        # Here and not in main(): click answers an interrupt with an exit code of its own.
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        except EOFError as error:
            raise InternalError(_report(error)) from error


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pollgate {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A UDP game gateway on DPDK."""


def _positive(value: float | None) -> float | None:
    if value is not None and not (value > 0 and math.isfinite(value)):
        raise typer.BadParameter(f"{value:g} is not a number of seconds greater than 0")
    return value


ConfigOption = Annotated[
    Path, typer.Option("-c", "--config", metavar="FILE", help="The configuration, a YAML file.")
]


@app.command()
def run(
    config: ConfigOption,
    for_s: Annotated[
        float | None,
        typer.Option("--for", metavar="SECONDS", callback=_positive, help="End after this time."),
    ] = None,
    until_idle_s: Annotated[
        float | None,
        typer.Option(
            "--until-idle",
            metavar="SECONDS",
            callback=_positive,
            help="End this long after the last received packet.",
        ),
    ] = None,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print nothing but the summary, as one JSON object keyed by metric name."
        ),
    ] = False,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C; `pollgate reload`, or SIGHUP, reloads the configuration."""
    from pyshim.config.located import located
    from pyshim.run.supervisor import RunOptions
    from pyshim.run.supervisor import run as supervise
    from pyshim.views import choose

    options = RunOptions(config_path=config, for_s=for_s, until_idle_s=until_idle_s)
    with located(config), Output(tell=not json) as output:
        try:
            with choose(json=json) as view:
                supervise(options, view, output.lost)
        except Exception:
            if json:
                with suppress(OutputError):  # what ended the run is the sentence that there is
                    output.deliver()
            raise
        if json:
            output.deliver()


@app.command()
def reload(config: ConfigOption) -> None:
    """Have the gateway of a configuration read it again; wait until it has, or says why not."""
    from pyshim.run.reload_socket import ask_to_reload

    print(ask_to_reload(config))


@app.command(name="map")
def map_(
    config: ConfigOption,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="A .png or .svg file.")],
    world: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which world, if there are several.")
    ] = None,
    player: Annotated[
        int | None, typer.Option(metavar="ID", min=1, help="Show whom this player sees, too.")
    ] = None,
) -> None:
    """Draw a world of a running gateway: how many are where, whom a player sees, and what it costs."""
    from pyshim.config import load_config
    from pyshim.issuing.client import Client
    from pyshim.views.mapping import check_output, write_map

    check_output(output)
    with Client(load_config(config)) as client:
        print(write_map(client, world, player, output))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What a gateway recorded.")],
    player: Annotated[
        int | None, typer.Option(metavar="ID", min=1, help="Tell where this player was, tick by tick.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Do again what a recording says was done to the worlds; fails if anything comes out otherwise."""
    from pyshim.recording.commands import replay as play_again

    if not play_again(file, as_json=json, player=player):
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def check(config: ConfigOption) -> None:
    """Validate a configuration and print what `run` would do with it; touches no device."""
    from rich.console import Console

    from pyshim.config import load_config
    from pyshim.config.located import located
    from pyshim.host import gather
    from pyshim.issuing.access import check_files
    from pyshim.planner import plan
    from pyshim.recording.files import check_path
    from pyshim.views.plan_text import render_plan

    with located(config):
        settings = load_config(config)
        decided = plan(settings, gather(settings))
        if settings.lets_in:
            check_files(settings)
        if settings.record.path is not None:
            check_path(Path(settings.record.path))
    console = Console(highlight=False)
    # Written by us and not by rich, which ends the process its own way when the reader of a pipe has gone.
    with console.capture() as text:
        console.print(render_plan(decided))
    sys.stdout.write(text.get())


def _report(error: BaseException) -> str:
    kind, text = type(error).__name__, " ".join(str(error).split())
    hint = "" if _debug() else "; POLLGATE_DEBUG=1 shows where"
    return (
        f"pollgate {__version__} failed unexpectedly: {kind}{f': {text}' if text else ''}; this is a bug, "
        f"please report it in the project's issue tracker with the configuration{hint}"
    )


def _debug() -> bool:
    return os.environ.get("POLLGATE_DEBUG") == "1"


def main() -> int:
    """Run the command line of this process; returns its exit code, or raises SystemExit with it."""
    open_standard_streams()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = standard_output(), standard_error()
    try:
        return _run_command()
    finally:
        settle(sys.stderr, PATIENCE_S)
        sys.stdout, sys.stderr = before


def _run_command() -> int:
    try:
        try:
            typer.main.get_command(app)(prog_name="pollgate")
        finally:
            sys.stdout.flush()
    except ReaderGoneError:
        return ExitCode.DONE
    except PollgateError as error:
        if _debug():
            traceback.print_exc()
        print(error, file=sys.stderr)
        return error.exit_code
    except Exception as error:
        if _debug():
            traceback.print_exc()
        if isinstance(error, RuntimeError) and "start new thread" in str(error):
            print(f"no further thread can be started; {RAISE_PROCESS_LIMIT}", file=sys.stderr)
            return ExitCode.UNAVAILABLE
        print(_report(error), file=sys.stderr)
        return ExitCode.INTERNAL
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())

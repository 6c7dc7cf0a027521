# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate conformance`: its command lines, and what they print."""
# ruff: noqa: PLC0415 - what they need is imported once they are asked: `pollgate --help` loads this file

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from pyshim.errors import ExitCode, PollgateError, UnavailableError, UsageError
from pyshim.system.interruption import interrupts_held

if TYPE_CHECKING:
    from pyshim.conformance.checks import Verdict
    from pyshim.conformance.peer import Peer
    from pyshim.conformance.scenario import Scenario
    from pyshim.protocol.client.ticket import Ticket

    P = TypeVar("P", bound=Peer)

cli_app = typer.Typer(
    no_args_is_help=True,
    help="Somebody else's client or gateway against every rule of PROTOCOL.md that a datagram can show.",
)

_FIRST_PLAYER = (
    4_000_000_000  # far from those of a game: to issue a session to a player revokes the one before
)

OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--only", metavar="ID", help="Only what decides this check, or this scenario; may be repeated."
    ),
]
JobsOption = Annotated[
    int, typer.Option("--jobs", metavar="N", min=1, max=64, help="So many scenarios at a time.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
ListOption = Annotated[bool, typer.Option("--list", help="Print the checks, and end.")]


class NotConformingError(PollgateError):
    """A check failed."""

    exit_code = ExitCode.FAILED


@cli_app.command()
def gateway(  # noqa: PLR0913, PLR0917 - each is an option of the command
    config: Annotated[
        Path | None,
        typer.Option(
            "-c",
            "--config",
            metavar="FILE",
            help="The configuration of a gateway that runs here: it issues the tickets.",
        ),
    ] = None,
    ticket: Annotated[
        list[Path] | None,
        typer.Option(
            "--ticket", metavar="FILE", help="A ticket that was issued; may be repeated, for --jobs."
        ),
    ] = None,
    first_player: Annotated[
        int,
        typer.Option(
            "--first-player", metavar="N", min=1, help="With --config: players from this number on."
        ),
    ] = _FIRST_PLAYER,
    only: OnlyOption = None,
    jobs: JobsOption = 4,
    json: JsonOption = False,
    list_checks: ListOption = False,
) -> None:
    """Be a client of a gateway, well and badly, and say what it does wrong; exit code 1 if it does."""
    _need_cryptography()
    from pyshim.conformance import gateway_run
    from pyshim.conformance.sockets import SocketPort, SystemNetwork

    scenarios = _chosen(gateway_run.SCENARIOS, gateway_run.checks(), only)
    if list_checks:
        _list(scenarios)
        return
    if (config is None) == (not ticket):
        raise UsageError(
            "give -c FILE of a gateway that runs here, or --ticket FILE of one that runs anywhere"
        )

    def port(of: Ticket) -> SocketPort:
        return SocketPort(remote=(of.host, of.port))

    if config is None:
        files = gateway_run.TicketFiles([_read_ticket(path) for path in ticket or ()])
        at_once = min(jobs, len(files.free))
        with interrupts_held():
            found, heard = gateway_run.play_all(SystemNetwork(), scenarios, files, port, at_once)
    else:
        from pyshim.config import load_config
        from pyshim.conformance.issuing import ControlApi

        issuer = ControlApi(load_config(config), first_player)
        with interrupts_held():
            found, heard = gateway_run.play_all(SystemNetwork(), scenarios, issuer, port, jobs)
    _tell(found, heard, "gateway", _asked(scenarios, only), json=json)


@cli_app.command(context_settings={"allow_extra_args": False, "ignore_unknown_options": False})
def client(  # noqa: PLR0913, PLR0917 - each is an option of the command
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND…",
            help="What starts the client, behind --; {ticket}, {session}, {key}, {address} are filled in, "
            "and in its environment as POLLGATE_TICKET and so on. Without it the client is started by hand.",
        ),
    ] = None,
    listen: Annotated[
        str,
        typer.Option(
            "--listen", metavar="HOST:PORT", help="Where the kit is a gateway; port 0 is any free one."
        ),
    ] = "127.0.0.1:0",
    ticket: Annotated[
        Path, typer.Option("--ticket", metavar="FILE", help="By hand: where each ticket is written.")
    ] = Path("ticket.json"),
    only: OnlyOption = None,
    jobs: JobsOption = 4,
    show: Annotated[bool, typer.Option("--show", help="Show what the client writes.")] = False,
    json: JsonOption = False,
    list_checks: ListOption = False,
) -> None:
    """Be the gateway of a client, well and badly, and say what it does wrong; exit code 1 if it does."""
    _need_cryptography()
    import tempfile

    from pyshim.conformance import client_run
    from pyshim.conformance.as_gateway import Subject
    from pyshim.conformance.sockets import SocketPort, SystemNetwork
    from pyshim.conformance.subjects import ByHand, Started

    scenarios = _chosen(client_run.SCENARIOS, client_run.checks(), only)
    if list_checks:
        _list(scenarios)
        return
    address = _address(listen)
    with interrupts_held(), tempfile.TemporaryDirectory(prefix="pollgate-conformance-") as directory:

        def end(scenario: str) -> tuple[SocketPort, Subject, tuple[str, int]]:
            port = SocketPort(local=address)
            subject = (
                Started(command, Path(directory), show) if command else ByHand(ticket.absolute(), scenario)
            )
            return port, subject, port.local

        at_once = jobs if command and address[1] == 0 else 1
        found, heard = client_run.play_all(SystemNetwork(), scenarios, end, at_once)
    _tell(found, heard, "client", _asked(scenarios, only), json=json)


def _need_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as problem:
        raise UnavailableError(
            "the Python package cryptography, which the kit needs, is missing; install pollgate[protocol]"
        ) from problem


def _chosen(
    scenarios: Sequence[Scenario[P]], checks: Sequence[Any], only: Sequence[str] | None
) -> list[Scenario[P]]:
    """Those that are asked for.

    Raises:
        UsageError: nobody decides one of them.
    """
    if not only:
        return list(scenarios)
    every = {check.id for check in checks} - {check.id for one in scenarios for check in one.checks}
    chosen = []
    for name in only:
        found = [
            one
            for one in scenarios
            if name in every or name == one.name or name in {check.id for check in one.checks}
        ]
        if not found:
            raise UsageError(
                f"--only {name}: no check or scenario has this name; --list prints those that there are"
            )
        chosen += [one for one in found if one not in chosen]
    return chosen


def _asked(scenarios: Sequence[Scenario[P]], only: Sequence[str] | None) -> set[str] | None:
    """The checks that are shown, beside those that fail; None: all."""
    if not only:
        return None
    return set(only) | {check.id for one in scenarios if one.name in only for check in one.checks}


def _list(scenarios: Sequence[Scenario[Any]]) -> None:
    from pyshim.conformance.report import as_table

    print(as_table(scenarios))


def _read_ticket(path: Path) -> Ticket:
    from pyshim.protocol.client.ticket import Ticket

    try:
        return Ticket.from_json(path)
    except OSError as problem:
        raise UnavailableError(f"{path} cannot be read: {problem.strerror}") from problem


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"--listen {text}: expected HOST:PORT, such as 127.0.0.1:0 or [::1]:9000")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _tell(found: Sequence[Verdict], heard: int, subject: str, asked: set[str] | None, *, json: bool) -> None:
    """Print what came of it.

    Raises:
        UnavailableError: nobody was there.
        NotConformingError: a check failed.
    """
    from pyshim.conformance import layout, report
    from pyshim.conformance.checks import Outcome

    shown = [one for one in found if asked is None or one.check.id in asked or one.outcome is Outcome.FAIL]
    if json:
        print(json_format.dumps(report.as_object(shown, subject, layout.VERSION), indent=2))
    else:
        print(report.as_text(shown, subject))
    sys.stdout.flush()
    if not heard:
        raise UnavailableError(f"no datagram came from the {subject}: nothing was looked at")
    failed = report.counts(shown)[Outcome.FAIL]
    if failed:
        raise NotConformingError(f"the {subject} fails {failed} check{'s' if failed > 1 else ''}")

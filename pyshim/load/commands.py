# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate load`: its command line, checked and turned into a Load."""
# ruff: noqa: PLC0415 - what it needs is imported once it is asked: `pollgate --help` loads this file

from __future__ import annotations

import json as jsonlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyshim.errors import UsageError

if TYPE_CHECKING:
    from pyshim.load.run import Load, Name, Outcome, Round
    from pyshim.load.scenario import Crowd, Device, Sockets, Step, Target
    from pyshim.load.tickets import Ticket

_DEFAULT_PLAYERS, _DEFAULT_RATE_PPS, _DEFAULT_SECONDS = 100, 10.0, 10.0

cli_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_PACE, _PLAYERS, _VIA = "How much", "Players", "Over which way"
_SESSION = "Profile session"


_HELP = """Players against a gateway: what is acknowledged, what is lost, and how long it takes.

Messages leave at the times that the rate gives, whatever the target does. A late one leaves as soon as it \
can, and round trips count from the time that was meant: coordinated omission is corrected. A figure that is \
limited by the generator is marked with a star.
"""


@dataclass(frozen=True, slots=True)
class _Pace:
    """How much is asked for, as the options say it; None: not given."""

    players: int | None
    rate_pps: float | None
    seconds: float | None
    window: int | None
    ladder: bool
    steps: str | None
    step_seconds: float | None
    ramp_s: float | None
    drain_s: float


@dataclass(frozen=True, slots=True)
class _Way:
    """How the target is reached, as the options say it."""

    addresses: tuple[str, ...]
    cpu: int | None
    device: str | None
    mac: str | None
    target_mac: str | None
    memory_mib: int | None
    huge_pages: bool


@cli_app.command(help=_HELP)
def load(  # noqa: PLR0913, PLR0917 - one parameter per option
    target: Annotated[
        str | None,
        typer.Argument(metavar="HOST:PORT", help="IPv4 address, [IPv6 address] or name, and port."),
    ] = None,
    players: Annotated[
        int | None, typer.Option(metavar="N", rich_help_panel=_PACE, help="Players; 100 if not given.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="R", rich_help_panel=_PACE, help="Messages per second of each; 10 if not given."
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", rich_help_panel=_PACE, help="How long; 10 if not given.")
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            rich_help_panel=_PACE,
            help="Instead of --rate: as fast as the target answers, N messages unanswered at a time.",
        ),
    ] = None,
    ladder: Annotated[
        bool,
        typer.Option(
            "--ladder", rich_help_panel=_PACE, help="Play 100x10, 500x20, 1000x30, 2000x50 and 5000x60."
        ),
    ] = False,
    steps: Annotated[
        str | None,
        typer.Option(
            metavar="NxR,…", rich_help_panel=_PACE, help="Play these steps: players x rate of each."
        ),
    ] = None,
    step_seconds: Annotated[
        float | None, typer.Option(metavar="S", rich_help_panel=_PACE, help="How long each; 10 if not given.")
    ] = None,
    ramp: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            rich_help_panel=_PACE,
            help="Before the first step, let its rate grow from 0 for so long; reported on its own.",
        ),
    ] = None,
    drain: Annotated[
        float,
        typer.Option(
            metavar="S",
            rich_help_panel=_PACE,
            help="Wait so long for answers to the last messages of a step.",
        ),
    ] = 0.5,
    mix: Annotated[
        str | None,
        typer.Option(
            metavar="TYPE=N,…",
            rich_help_panel=_PLAYERS,
            help="How often each type is sent: move, attack, chat, heartbeat, skill, and with tickets game; "
            "move=85,attack=5,chat=3,heartbeat=5,skill=2 if not given.",
        ),
    ] = None,
    motion: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            rich_help_panel=_PLAYERS,
            help="waypoint: everyone to places of their own; crowd: to a few places that all share.",
        ),
    ] = "waypoint",
    arena: Annotated[
        float,
        typer.Option(metavar="METRES", rich_help_panel=_PLAYERS, help="Side of the square they walk in."),
    ] = 1000.0,
    chat_bytes: Annotated[
        int, typer.Option(metavar="N", rich_help_panel=_PLAYERS, help="Text of a chat message.")
    ] = 32,
    game_type: Annotated[
        int,
        typer.Option(
            metavar="N", rich_help_panel=_PLAYERS, help="Type of messages of the game's own, from 64 on."
        ),
    ] = 64,
    game_bytes: Annotated[
        int,
        typer.Option(metavar="N", rich_help_panel=_PLAYERS, help="Body of a message of the game's own."),
    ] = 32,
    seed: Annotated[
        int,
        typer.Option(metavar="N", rich_help_panel=_PLAYERS, help="The same seed sends the same messages."),
    ] = 1,
    first_player_id: Annotated[
        int, typer.Option(metavar="N", rich_help_panel=_PLAYERS, help="The others follow.")
    ] = 1,
    address: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            rich_help_panel=_VIA,
            help="Where players send from; may be repeated. Without --device: addresses of this host. With "
            "it: the players' own, with prefix length, such as 10.0.0.2/24.",
        ),
    ] = None,
    cpu: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, rich_help_panel=_VIA, help="Where the generator runs."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="DEVICE",
            rich_help_panel=_VIA,
            help="Over a DPDK device, past the kernel: net_memif0,role=client,…; net_af_packet0,iface=…; "
            "0000:03:00.0.",
        ),
    ] = None,
    mac: Annotated[
        str | None,
        typer.Option(metavar="MAC", rich_help_panel=_VIA, help="Use this one in place of the device's own."),
    ] = None,
    target_mac: Annotated[
        str | None,
        typer.Option(metavar="MAC", rich_help_panel=_VIA, help="The target's, if it is not to be asked for."),
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(metavar="MIB", rich_help_panel=_VIA, help="For packet buffers; 256 if not given."),
    ] = None,
    huge_pages: Annotated[
        bool, typer.Option("--huge-pages", rich_help_panel=_VIA, help="Take packet buffers from huge pages.")
    ] = False,
    tickets: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=_SESSION,
            help="Players speak profile session, each with a ticket of this file: one JSON object a line, as "
            "`pollgate token issue --json` prints it.",
        ),
    ] = None,
    issue: Annotated[
        Path | None,
        typer.Option(
            metavar="CONFIG",
            rich_help_panel=_SESSION,
            help="The same with tickets that the gateway which runs with this configuration issues to them "
            "now, for a day; sessions that they had are revoked.",
        ),
    ] = None,
    storm: Annotated[
        bool,
        typer.Option(
            "--storm",
            rich_help_panel=_SESSION,
            help="Before each step, all players connect anew at once.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    json_schema: Annotated[
        bool, typer.Option("--json-schema", help="Print the JSON Schema of that object, and end.")
    ] = False,
) -> None:
    """Check the options, play, and print what came of it."""
    if json_schema:
        from pyshim.load.report import schema

        typer.echo(jsonlib.dumps(schema(), indent=2))
        return
    if target is None:
        raise UsageError("no target is given; name it as HOST:PORT, such as pollgate load 10.0.0.1:8080")
    from pyshim.load.planning import opening
    from pyshim.load.run import Load
    from pyshim.load.scenario import OF_SESSIONS, Crowd, parse_mix, parse_motion

    name, rounds = _rounds(
        _Pace(players, rate, seconds, window, ladder, steps, step_seconds, ramp, drain),
    )
    crowd = Crowd(
        players=max(each.trial.players for each in rounds),
        motion=parse_motion(motion),
        arena_m=arena,
        chat_bytes=chat_bytes,
        game_type=game_type,
        game_bytes=game_bytes,
        seed=seed,
        first_player_id=first_player_id,
        **({} if mix is None else {"mix": parse_mix(mix)}),
    )
    way = _Way(tuple(address or ()), cpu, device, mac, target_mac, memory, huge_pages)
    found, via = _reach(target, way)
    opening(crowd, found, via)  # refuses what does not fit together, before anything starts
    held = _tickets(tickets, issue, crowd)
    if not held and (words := [kind for kind, weight in crowd.mix if weight and kind in OF_SESSIONS]):
        raise UsageError(f"--mix: {words[0]} is of players of profile session; give --tickets or --issue")
    if storm:
        rounds = _storms(rounds, there=bool(held))
    _play(Load(name, crowd, found, via, rounds, drain, held), json=json)


def _tickets(file: Path | None, config: Path | None, crowd: Crowd) -> tuple[Ticket, ...]:
    """One for each player, or none.

    Raises:
        PollgateError: they cannot be read, or are not issued.
    """
    from pyshim.load.tickets import issue_tickets, read_tickets

    if file is not None and config is not None:
        raise UsageError("--tickets and --issue exclude each other; give one of them")
    if file is not None:
        found = read_tickets(file)
        if len(found) < crowd.players:
            raise UsageError(
                f"--tickets: {file} has {len(found):,} tickets for {crowd.players:,} players; each needs one"
            )
        return found[: crowd.players]
    if config is None:
        return ()
    from pyshim.config import load_config
    from pyshim.config.located import located
    from pyshim.issuing.client import Client

    with located(config), Client(load_config(config)) as client:
        return issue_tickets(client, range(crowd.first_player_id, crowd.first_player_id + crowd.players))


def _storms(rounds: tuple[Round, ...], *, there: bool) -> tuple[Round, ...]:
    if not there:
        raise UsageError("--storm needs --tickets or --issue: players of profile plain have no connections")
    return tuple(replace(each, trial=replace(each.trial, storm=True)) for each in rounds)


def _rounds(pace: _Pace) -> tuple[Name, tuple[Round, ...]]:
    """What is played, in order.

    Raises:
        UsageError: options that exclude each other.
    """
    from pyshim.load.run import Round, paced_rounds
    from pyshim.load.scenario import LADDER, Step, Trial, parse_steps

    single = {
        "--players": pace.players,
        "--rate": pace.rate_pps,
        "--seconds": pace.seconds,
        "--window": pace.window,
    }
    given = [option for option, value in single.items() if value is not None]
    if pace.ladder and pace.steps is not None:
        raise UsageError("--ladder and --steps exclude each other; give one of them")
    if pace.ladder or pace.steps is not None:
        which = "--ladder" if pace.ladder else "--steps"
        if given:
            instead = "use --step-seconds" if given[0] == "--seconds" else "leave it out"
            raise UsageError(f"{given[0]} does not go with {which}; {instead}")
        chosen: tuple[Step, ...] = LADDER if pace.steps is None else parse_steps(pace.steps)
        each_s = _seconds("--step-seconds", pace.step_seconds)
        name: Name = "ladder" if pace.ladder else "steps"
        return name, paced_rounds(chosen, each_s, _ramp(pace.ramp_s), pace.drain_s)
    if pace.step_seconds is not None:
        raise UsageError("--step-seconds needs --ladder or --steps; use --seconds")
    players = _DEFAULT_PLAYERS if pace.players is None else pace.players
    seconds = _seconds("--seconds", pace.seconds)
    if pace.window is not None:
        if pace.rate_pps is not None or pace.ramp_s is not None:
            other = "--rate" if pace.rate_pps is not None else "--ramp"
            raise UsageError(
                f"{other} does not go with --window, which has the target set the pace; choose one"
            )
        if pace.window < 1:
            raise UsageError(f"--window: found {pace.window}, allowed: 1 or more")
        trial = Trial(players, seconds, window=pace.window, drain_s=pace.drain_s)
        return "window", (Round(trial, None),)
    rate_pps = _DEFAULT_RATE_PPS if pace.rate_pps is None else pace.rate_pps
    return "rate", paced_rounds((Step(players, rate_pps),), seconds, _ramp(pace.ramp_s), pace.drain_s)


def _ramp(value: float | None) -> float:
    return 0.0 if value is None else _seconds("--ramp", value)


def _seconds(option: str, value: float | None) -> float:
    if value is not None and not 0 < value < float("inf"):
        raise UsageError(f"{option}: {value:g} is not a number of seconds greater than 0")
    return _DEFAULT_SECONDS if value is None else value


def _reach(target: str, way: _Way) -> tuple[Target, Sockets | Device]:
    from pyshim.load.targets import is_address, parse_target, resolve

    endpoint = parse_target(target)
    via = _via(way)
    versions = {address.version for address in via.addresses}
    # A name is looked up for the kind of address that it is played from; an address is what it is.
    version = versions.pop() if len(versions) == 1 and not is_address(endpoint.host) else None
    return resolve(endpoint, version=version, mac=way.target_mac), via


def _via(way: _Way) -> Sockets | Device:
    from pyshim.load.scenario import Device, Sockets
    from pyshim.load.targets import local_addresses, own_addresses

    if way.device is None:
        of_device = {
            "--mac": way.mac is not None,
            "--target-mac": way.target_mac is not None,
            "--memory": way.memory_mib is not None,
            "--huge-pages": way.huge_pages,
        }
        if given := [option for option, there in of_device.items() if there]:
            raise UsageError(f"{given[0]} needs --device; over sockets the kernel sees to that")
        return Sockets(local_addresses(way.addresses), way.cpu)
    return Device(
        way.device,
        own_addresses(way.addresses),
        mac=way.mac,
        cpu=way.cpu,
        huge_pages=way.huge_pages,
        **({} if way.memory_mib is None else {"memory_mib": way.memory_mib}),
    )


def _play(asked: Load, *, json: bool) -> None:
    from rich.console import Console

    from pyshim.load.run import play
    from pyshim.load.view import Bars

    with Bars(asked.rounds, Console(stderr=True), silent=json) as bars:
        outcome = play(asked, bars)
    _print(asked, outcome, json=json)
    if outcome.failure is not None:
        raise outcome.failure
    if outcome.signal is not None:
        raise typer.Exit(128 + outcome.signal)


def _print(asked: Load, outcome: Outcome, *, json: bool) -> None:
    if json:
        from pyshim.load.report import as_json

        typer.echo(as_json(asked, outcome.played))
        return
    from rich.console import Console

    from pyshim.load.view import table

    console = Console(highlight=False)
    # Written by us and not by rich, which ends the process its own way when the reader of a pipe has gone.
    with console.capture() as text:
        console.print(table(asked, outcome.played))
    sys.stdout.write(text.get())

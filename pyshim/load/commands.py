# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate load`: its command line, checked and turned into a Load."""
# ruff: noqa: PLC0415 - what it needs is imported once it is asked: `pollgate --help` loads this file

from __future__ import annotations

import json as jsonlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyshim.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from pyshim.load.run import Load, Outcome

cli_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_PACE, _PLAYERS, _VIA = "How much", "Players", "Over which way"
_SESSION = "Profile session"
_WORLD = "A world"
_IMPAIRED = "An impaired network"


_HELP = """Players against a gateway: what is acknowledged, what is lost, and how long it takes.

Messages leave at the times that the rate gives, whatever the target does. A late one leaves as soon as it \
can, and round trips count from the time that was meant: coordinated omission is corrected. A figure that is \
limited by the generator is marked with a star.
"""


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
    world: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            rich_help_panel=_WORLD,
            help="With --issue or --rules: players play this world of that configuration, at its tick rate "
            "unless --rate is given; what they see and hear is checked. Exit code 1: not all is as it should "
            "be.",
        ),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            metavar="CONFIG",
            rich_help_panel=_WORLD,
            help="With --world: players speak profile plain, and ask what they see in the world of this "
            "configuration of the gateway.",
        ),
    ] = None,
    walk: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            rich_help_panel=_WORLD,
            help="spread: everywhere; town: four of five in a twentieth of the ground; crowd: all in one.",
        ),
    ] = "spread",
    ground: Annotated[
        float | None,
        typer.Option(
            metavar="METRES",
            rich_help_panel=_WORLD,
            help="Side of the square, in the middle of the world, that they walk in; if not given, so large "
            "that each has 40 others in sight.",
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(metavar="M/S", rich_help_panel=_WORLD, help="At which they walk; 6 if not given."),
    ] = None,
    standing: Annotated[
        float, typer.Option(metavar="%", rich_help_panel=_WORLD, help="So many of them stand.")
    ] = 0.0,
    loss: Annotated[
        float,
        typer.Option(
            metavar="%", rich_help_panel=_IMPAIRED, help="So many datagrams are lost, in each direction."
        ),
    ] = 0.0,
    duplicate: Annotated[
        float, typer.Option(metavar="%", rich_help_panel=_IMPAIRED, help="So many come twice.")
    ] = 0.0,
    reorder: Annotated[
        float,
        typer.Option(
            metavar="%",
            rich_help_panel=_IMPAIRED,
            help="So many are held back, so that others overtake them,",
        ),
    ] = 0.0,
    reorder_ms: Annotated[
        int, typer.Option(metavar="MS", rich_help_panel=_IMPAIRED, help="for so long at most.")
    ] = 30,
    rebind: Annotated[
        float,
        typer.Option(
            metavar="S",
            rich_help_panel=_IMPAIRED,
            help="Every player goes on from another UDP port so often, at times of its own.",
        ),
    ] = 0.0,
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
    from pyshim.load import options
    from pyshim.load.planning import opening
    from pyshim.load.run import Load
    from pyshim.load.scenario import OF_SESSIONS, Crowd, parse_mix, parse_motion
    from pyshim.load.world import DEFAULT_MIX as WORLD_MIX
    from pyshim.load.world import DRAIN_S, Walking

    pace = options.Pace(players, rate, seconds, window, ladder, steps, step_seconds, ramp, drain)
    played = None
    weights = None if mix is None else parse_mix(mix)
    if world is not None:
        of = options.Rules(issue, rules)
        played = options.world_asked(world, of, pace, Walking(walk, ground, speed, standing / 100))
        pace = replace(pace, rate_pps=rate or float(played.tick_hz), drain_s=max(drain, DRAIN_S))
        weights = options.plain_mix(weights) if rules else weights or WORLD_MIX
    elif rules is not None:
        raise UsageError("--rules needs --world NAME: which world of the configuration is played")
    if rules is not None and tickets is not None:
        raise UsageError("--rules and --tickets exclude each other: players of profile plain have no tickets")
    ticketed = tickets is not None or issue is not None
    network = options.Network(loss, duplicate, reorder, reorder_ms, rebind)
    name, rounds = options.rounds_asked(pace)
    crowd = Crowd(
        players=max(each.trial.players for each in rounds),
        motion=parse_motion(motion),
        arena_m=arena,
        chat_bytes=chat_bytes,
        game_type=game_type,
        game_bytes=game_bytes,
        seed=seed,
        first_player_id=first_player_id,
        world=played,
        impairment=options.impairment_asked(network, ticketed=ticketed, asks=rules is not None),
        **({} if weights is None else {"mix": weights}),
    )
    way = options.Way(tuple(address or ()), cpu, device, mac, target_mac, memory, huge_pages)
    found, via = options.way_there(target, way)
    opening(crowd, found, via)  # refuses what does not fit together, before anything starts
    held = options.tickets_asked(tickets, issue, crowd)
    if not held and (words := [kind for kind, weight in crowd.mix if weight and kind in OF_SESSIONS]):
        raise UsageError(f"--mix: {words[0]} is of players of profile session; give --tickets or --issue")
    if storm:
        rounds = options.with_storms(rounds, there=bool(held))
    _play(Load(name, crowd, found, via, rounds, pace.drain_s, held), json=json)


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
    if asked.crowd.world is not None and any(each.result.world.faults for each in outcome.played):
        raise typer.Exit(ExitCode.FAILED)


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

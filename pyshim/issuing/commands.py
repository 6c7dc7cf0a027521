# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate token`: issue, list, inspect, revoke sessions of a running gateway, send to players."""
# ruff: noqa: PLC0415

from __future__ import annotations

import base64
import json as json_format
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyshim import messages
from pyshim.errors import UsageError
from pyshim.system.private_file import private_file

if TYPE_CHECKING:
    from pyshim.issuing.client import Client

cli_app = typer.Typer(no_args_is_help=True, help="Sessions that a running gateway issues to players.")

_PAGE = 1000

ConfigOption = Annotated[
    Path, typer.Option("-c", "--config", metavar="FILE", help="The configuration that the gateway runs with.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]
SessionArgument = Annotated[int, typer.Argument(metavar="SESSION", min=1, help="The session's number.")]


class MessageType(StrEnum):
    """What can be sent."""

    vars().update({name.upper(): name for name in messages.SENDABLE})


class Priority(StrEnum):
    """How urgent it is."""

    vars().update({name.upper(): name for name in messages.PRIORITIES})


_CHAT, _NORMAL = MessageType("chat"), Priority("normal")


@cli_app.command()
def issue(  # noqa: PLR0913, PLR0917 - each is an option of the command
    config: ConfigOption,
    player: Annotated[int, typer.Option("--player", metavar="N", min=1, help="The player's number.")],
    ttl: Annotated[
        int, typer.Option("--ttl", metavar="SECONDS", min=1, help="How long the session is worth something.")
    ] = 3600,
    once: Annotated[bool, typer.Option("--once", help="The session can be connected once only.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write the ticket there, for its owner's eyes only, and print no key.",
        ),
    ] = None,
    world: Annotated[
        str | None,
        typer.Option("--world", metavar="NAME", help="The world that the player is in; else the listener's."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Issue a session to a player; an earlier one is revoked. The key is told here and never again."""
    wanted: dict[str, Any] = {"player_id": player, "ttl": ttl, "once": once}
    if world is not None:
        wanted["world"] = world
    if out is None:
        with _client(config) as client:
            answer = client.ask("POST", "/v1/sessions", wanted)
    else:
        with private_file(out, "--out") as file, _client(config) as client:
            answer = client.ask("POST", "/v1/sessions", wanted)
            file.write(json_format.dumps(answer) + "\n")
        del answer["key"]
    _print(answer, json=json)


@cli_app.command()
def connect(  # noqa: PLR0913, PLR0917 - each is an option of the command
    config: ConfigOption,
    client_id: Annotated[
        int, typer.Option("--client", metavar="N", min=0, max=2**64 - 1, help="The client's number.")
    ],
    ttl: Annotated[
        int, typer.Option("--ttl", metavar="SECONDS", min=1, help="How long the token lets in.")
    ] = 30,
    timeout: Annotated[
        int,
        typer.Option(
            "--timeout", metavar="SECONDS", min=-1, help="Silence after which both sides give up; -1 never."
        ),
    ] = 10,
    user_data: Annotated[
        Path | None,
        typer.Option("--user-data", metavar="FILE", help="Up to 256 bytes for the game; - is stdin."),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option("--address", metavar="ADDRESS:PORT", help="Another gateway to try, in this order."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Write the token's 2048 bytes there, for its owner's eyes only."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make a connect token of profile netcode; it is told here and never again."""
    wanted: dict[str, Any] = {"client_id": client_id, "ttl": ttl, "timeout": timeout}
    if user_data is not None:
        wanted["user_data"] = base64.b64encode(_read(user_data)).decode()
    if address:
        wanted["addresses"] = address
    if out is None:
        with _client(config) as client:
            answer = client.ask("POST", "/v1/netcode/tokens", wanted)
    else:
        with private_file(out, "--out") as file, _client(config) as client:
            answer = client.ask("POST", "/v1/netcode/tokens", wanted)
            file.flush()
            file.buffer.write(base64.b64decode(answer.pop("token")))
    _print(answer, json=json)


@cli_app.command("list")
def list_sessions(
    config: ConfigOption,
    player: Annotated[
        int | None, typer.Option("--player", metavar="N", min=1, help="Of this player only.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the sessions that stand; with --json one object a line."""
    with _client(config) as client:
        for number, session in enumerate(_sessions(client, player)):
            if number == 0 and not json:
                print(_LIST_LINE.format(*_LIST_HEADS))
            print(json_format.dumps(session) if json else _line(session))


@cli_app.command()
def inspect(config: ConfigOption, session: SessionArgument, json: JsonOption = False) -> None:
    """Print what is known of a session; never its key."""
    with _client(config) as client:
        answer = client.ask("GET", f"/v1/sessions/{session}")
    _print(answer, json=json)


@cli_app.command()
def revoke(config: ConfigOption, session: SessionArgument) -> None:
    """End a session at once; its player is told and cannot come back with it."""
    with _client(config) as client:
        client.ask("DELETE", f"/v1/sessions/{session}")


@cli_app.command()
def send(  # noqa: PLR0913, PLR0917 - each is an option of the command
    config: ConfigOption,
    session: SessionArgument,
    text: Annotated[str | None, typer.Option("--text", help="Of chat: the words.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Of all but chat: the bytes; - is stdin."),
    ] = None,
    kind: Annotated[MessageType, typer.Option("--type", help="What it is.")] = _CHAT,
    number: Annotated[
        int | None,
        typer.Option(
            "--number",
            metavar="N",
            min=messages.GAME.number,
            max=messages.GAME.last,
            help="Of game: which of the game's own types it is.",
        ),
    ] = None,
    priority: Annotated[Priority, typer.Option("--priority", help="How urgent it is.")] = _NORMAL,
    channel: Annotated[int, typer.Option("--channel", min=0, max=3, help="0 to 2 are in order.")] = 0,
    unreliable: Annotated[bool, typer.Option("--unreliable", help="It may be lost.")] = False,
) -> None:
    """Send a message to a player who is connected."""
    body: dict[str, Any] = {
        "type": kind.value,
        "priority": priority.value,
        "channel": channel,
        "reliable": not unreliable,
    }
    if number is not None:
        body["number"] = number
    if text is not None:
        body["text"] = text
    if file is not None:
        body["body"] = base64.b64encode(_read(file)).decode()
    with _client(config) as client:
        client.ask("POST", f"/v1/sessions/{session}/messages", body)


def _read(file: Path) -> bytes:
    from pyshim.system.regular_file import read_regular

    try:
        return sys.stdin.buffer.read() if str(file) == "-" else read_regular(file)
    except OSError as problem:
        raise UsageError(f"{file} cannot be read: {problem.strerror}") from problem


@contextmanager
def _client(path: Path) -> Iterator[Client]:
    """The gateway that runs with this configuration. What is wrong with a key gets its line."""
    from pyshim.config import load_config
    from pyshim.config.located import located
    from pyshim.issuing.client import Client

    with located(path), Client(load_config(path)) as client:
        yield client


def _sessions(client: Client, player: int | None) -> Iterator[dict[str, Any]]:
    if player is not None:
        yield from client.ask("GET", f"/v1/sessions?player_id={player}")["sessions"]
        return
    start: int | None = 0
    while start is not None:
        page = client.ask("GET", f"/v1/sessions?from={start}&limit={_PAGE}")
        yield from page["sessions"]
        start = page["next"]


_LIST_HEADS = ("session", "player", "expires in", "connected from")
_LIST_LINE = "{:>10}  {:>10}  {:>10}  {}"


def _line(session: dict[str, Any]) -> str:
    left = f"{session['expires_in']:.0f} s"
    return _LIST_LINE.format(session["session"], session["player_id"], left, session["peer"] or "-")


def _print(answer: dict[str, Any], *, json: bool) -> None:
    """One object: as it came, or a line for every field."""
    if json:
        print(json_format.dumps(answer))
        return
    width = max(map(len, answer))
    for name, value in answer.items():
        if value is not None:
            shown = ", ".join(f"{part:g}" for part in value) if isinstance(value, list) else value
            print(f"{name:{width}}  {shown}")

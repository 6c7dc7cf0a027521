# SPDX-License-Identifier: BSD-3-Clause
"""The game behind the gate: processes on this host that hear what players say, and answer."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator

from pyshim.config import values
from pyshim.config.control import FileName
from pyshim.config.defined import defined
from pyshim.config.game_values import (
    EVERY_TYPE,
    TYPES_IN_WORDS,
    Types,
    parse_listen,
    parse_permissions,
    parse_process_name,
    parse_ring_kib,
    parse_types,
)
from pyshim.config.section import Section, sentence, text_schema

PROCESSES_MAX = 32  # as PG_GAME_PROCESSES_MAX of the data plane
ROUTES_MAX = 32
ROUTE_PROCESSES_MAX = 8

ProcessName: TypeAlias = Annotated[
    str,
    AfterValidator(sentence(parse_process_name)),
    text_schema("the name of a game process such as arena", r"^[A-Za-z0-9._-]{1,31}$"),
]
GameAddress: TypeAlias = Annotated[
    values.UnixSocket,
    PlainValidator(sentence(parse_listen)),
    PlainSerializer(str, return_type=str),
    text_schema("unix:/path", r"^unix:.+$"),
]
Permissions: TypeAlias = Annotated[
    str,
    AfterValidator(sentence(parse_permissions)),
    text_schema('three octal digits in quotes such as "0660"', r"^0?[0-7]{3}$"),
]
Account: TypeAlias = Annotated[
    str,
    AfterValidator(sentence(values.parse_user_name)),
    text_schema("a name such as game", r"^[a-z_][a-z0-9_-]{0,31}$"),
]
RouteTypes: TypeAlias = Annotated[
    Types,
    PlainValidator(parse_types, json_schema_input_type=str | int),
    PlainSerializer(str, return_type=str),
    text_schema(TYPES_IN_WORDS),
]
UdpPort: TypeAlias = Annotated[int, Field(ge=1, le=65_535)]


def _one_or_several(found: object) -> object:
    """One type is a list of it, as with `to`."""
    return (found,) if isinstance(found, str | int) else found


_SeveralTypes: TypeAlias = Annotated[tuple[RouteTypes, ...], Field(strict=False, min_length=1, max_length=64)]


class RouteConfig(Section):
    """Which messages of players go to which game processes. The first route that fits is a message's."""

    to: (
        ProcessName
        | Annotated[
            tuple[ProcessName, ...], Field(strict=False, min_length=1, max_length=ROUTE_PROCESSES_MAX)
        ]
    ) = Field(
        description="A game process, or several, which share the players: all messages of a player go to "
        "one of them."
    )
    listen: Annotated[tuple[UdpPort, ...], Field(strict=False, min_length=1, max_length=16)] | None = Field(
        default=None,
        description="UDP ports of profiles session and netcode that it is of; null is all of them.",
    )
    types: (
        Annotated[
            _SeveralTypes, BeforeValidator(_one_or_several, json_schema_input_type=RouteTypes | _SeveralTypes)
        ]
        | None
    ) = Field(
        default=None,
        description="Types of message by name or number; game is all of the game's own, 64 to 199; null is "
        "all that players say to others or to the game.",
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The processes."""
        return (self.to,) if isinstance(self.to, str) else self.to

    @property
    def numbers(self) -> tuple[int, ...]:
        """The types, as on the wire."""
        types = EVERY_TYPE if self.types is None else self.types
        return tuple(sorted({number for one in types for number in one.numbers()}))


@defined("game", behind=True)
class GameConfig(Section):
    """Game processes on this host. Routes reload live."""

    listen: GameAddress | None = Field(
        default=None,
        description="unix:/path, where game processes attach; null is no game. Of a path 107 bytes at most.",
    )
    permissions: Permissions = Field(default="0660", description="Mode of that file.")
    owner: Account | None = Field(
        default=None, description="User whose it is; null is who starts the gateway."
    )
    group: Account | None = Field(default=None, description="Group whose it is; null likewise.")
    users: Annotated[tuple[Account, ...], Field(strict=False, min_length=1, max_length=64)] | None = Field(
        default=None,
        description="Users whose processes may attach, as the kernel names them; null is who started the "
        "gateway, and root.",
    )
    token_file: FileName | None = Field(
        default=None, description="File with a token that a process must know, too."
    )
    processes: int = Field(
        default=PROCESSES_MAX,
        ge=1,
        le=PROCESSES_MAX,
        description="Game processes that can have a name: those of routes, and others that attach.",
    )
    ring_kib: Annotated[int, Field(ge=4, le=1_048_576), AfterValidator(parse_ring_kib)] = Field(
        default=1024,
        description="Memory for what is on its way, in KiB, in each direction between each worker and each "
        "process; a power of two. The longest message takes a quarter of it at most.",
    )
    huge_pages: Literal["auto", "never"] = Field(
        default="auto",
        description="Memory between processes and workers in huge pages of 2 MB; auto: as far as more "
        "are free than the gateway itself needs.",
    )
    routes: tuple[RouteConfig, ...] = Field(
        default=(),
        strict=False,
        max_length=ROUTES_MAX,
        description="What players say, and who gets it. What no route takes, the gateway handles as without "
        "a game. Reloads live.",
        json_schema_extra={"minItems": 0},
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The processes that routes name, each once."""
        return tuple(dict.fromkeys(name for route in self.routes for name in route.names))

# SPDX-License-Identifier: BSD-3-Clause
"""Issued sessions, in the session state that workers read: issue, look, revoke.

Of the supervisor's process. Any of its threads may call; one at a time gets in.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Self

from pyshim._native import decode
from pyshim._native._pollgate import ffi, lib
from pyshim.dataplane import OwnState, check, new_error
from pyshim.errors import PollgateError, UsageError

KEY_BYTES = 32
NUMBERS = range(1, 2**32)  # of sessions and of players
LIST_MAX = 1000

_END = 2**32 - 1
_NAME_MAX = 31  # of a world


class NoRoomError(PollgateError):
    """Every slot is taken by a session that stands, or whose connection has still to be closed."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A session that was just issued; the only time that its key is told."""

    session: int
    player_id: int
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Motion:
    """Where a player said to be."""

    position: tuple[float, float, float]
    velocity: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Connection:
    """What a player who is connected is connected by."""

    address: IPv4Address | IPv6Address
    port: int
    silent_s: float  # since the player's last packet
    packets_sent: int  # to the player, of this connection
    max_datagram: int  # bytes of UDP payload


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session that stands."""

    session: int
    player_id: int
    expires_in_s: float
    once: bool  # may be confirmed once only
    world: str | None  # that a game process or its ticket names; None: as the listener says, or none
    connections: int  # so far
    connection: Connection | None
    motion: Motion | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some sessions in the order of their slots."""

    sessions: tuple[SessionInfo, ...]
    next: int | None  # where to go on; None after the last


class SessionTable:
    """The issued sessions of the session state that this process made; `state` must outlive it."""

    def __init__(self, state: OwnState, worlds: Sequence[str] = ()) -> None:
        """Open it; `worlds` are the names of those that players can be in, in the plan's order."""
        self._worlds = tuple(worlds)
        self._lock = threading.Lock()
        self._native: Any = state.native

    def issue(self, player_id: int, ttl_s: int, *, once: bool = False, world: str | None = None) -> Issued:
        """A new session with a new key for `ttl_s` seconds; the player's session of before is revoked.

        In `world` the player is, wherever it connects; None: in that of the listener.

        Raises:
            UsageError: player 0, a time that sessions cannot have, or a world that there is not.
            NoRoomError: every slot is taken.
        """
        if player_id not in NUMBERS or ttl_s not in NUMBERS:
            raise UsageError(f"player {player_id} for {ttl_s} s: both are whole numbers from 1 to 2^32-1")
        key = secrets.token_bytes(KEY_BYTES)
        request: Any = ffi.new("struct pg_issue_request *")
        request.player_id, request.ttl_s, request.once = player_id, ttl_s, once
        request.world = self._world(world)
        ffi.memmove(request.key, key, KEY_BYTES)
        session: Any = ffi.new("uint32_t *")
        error = new_error()
        with self._open() as native:
            code = lib.pg_session_issue(native, request, session, error)
        ffi.memmove(request.key, bytes(KEY_BYTES), KEY_BYTES)
        if code in _REFUSALS:
            raise _REFUSALS[code](decode.text(error.message))
        check(code, error)
        return Issued(session[0], player_id, key)

    def revoke(self, session: int) -> bool:
        """End a session; its player is told with the next packet. False: there is no such session."""
        with self._open() as native:
            return session in NUMBERS and lib.pg_session_revoke(native, session)

    def inspect(self, session: int) -> SessionInfo | None:
        """A session that stands; None when there is no such."""
        out: Any = ffi.new("struct pg_session_info *")
        with self._open() as native:
            found = session in NUMBERS and lib.pg_session_inspect(native, session, out)
        return self._info(out) if found else None

    def of_player(self, player_id: int) -> SessionInfo | None:
        """The session that a player has; None when there is none."""
        with self._open() as native:
            session = lib.pg_session_of_player(native, player_id) if player_id in NUMBERS else 0
        return self.inspect(session)

    def page(self, start: int = 0, limit: int = LIST_MAX) -> Page:
        """At most `limit` sessions from slot `start` on."""
        limit = min(limit, LIST_MAX)
        out: Any = ffi.new("struct pg_session_info[]", limit)
        position: Any = ffi.new("uint32_t *", min(start, _END))
        with self._open() as native:
            count = lib.pg_session_list(native, position, out, limit)
        return Page(
            tuple(self._info(out[index]) for index in range(count)),
            None if position[0] == _END else position[0],
        )

    def count(self) -> int:
        """How many sessions stand."""
        with self._open() as native:
            return lib.pg_session_count(native)

    def _world(self, name: str | None) -> int:
        if name is None:
            return 0
        if name not in self._worlds:
            allowed = ", ".join(self._worlds) or "none, the configuration has no worlds"
            raise UsageError(f"world: there is no {name[:_NAME_MAX]!r}; allowed: {allowed}")
        return 1 + self._worlds.index(name)

    def _info(self, native: Any) -> SessionInfo:
        return SessionInfo(
            session=native.session,
            player_id=native.player_id,
            expires_in_s=native.expires_in_ms / 1000,
            once=bool(native.once),
            world=self._worlds[native.world - 1] if 0 < native.world <= len(self._worlds) else None,
            connections=native.connections,
            connection=_connection(native) if native.connected else None,
            motion=Motion(_vector(native.position), _vector(native.velocity)) if native.has_motion else None,
        )

    @contextmanager
    def _open(self) -> Iterator[Any]:
        with self._lock:
            if self._native is None:
                raise UsageError("the table of issued sessions is closed")
            yield self._native

    def close(self) -> None:
        """Issue no more; the sessions stay with the state."""
        with self._lock:
            self._native = None

    def __enter__(self) -> Self:
        """Nothing more to do: it is open from its making."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


_REFUSALS: dict[int, type[PollgateError]] = {
    lib.PG_ERROR_USAGE: UsageError,
    lib.PG_ERROR_MEMORY: NoRoomError,
}


def _connection(native: Any) -> Connection:
    size = 4 if native.peer.family == 4 else 16
    return Connection(
        address=ip_address(bytes(ffi.buffer(native.peer.bytes, size))),
        port=native.peer_port,
        silent_s=native.silent_ms / 1000,
        packets_sent=native.packets_sent,
        max_datagram=native.max_datagram,
    )


def _vector(native: Any) -> tuple[float, float, float]:
    x, y, z = native
    return x, y, z

# SPDX-License-Identifier: BSD-3-Clause
"""Connect tokens of profile netcode: what a client gets from its login service, and gets in with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pyshim._native import encode
from pyshim._native._pollgate import ffi, lib
from pyshim.dataplane import check, new_error
from pyshim.plan import NetcodeServer

USER_DATA_BYTES = 256
TOKEN_BYTES = 2048
CLIENT_IDS = range(2**64)


@dataclass(frozen=True, slots=True)
class ConnectToken:
    """A token that was just made; only its client and whoever has the private key may see it."""

    client_id: int
    expires_s: int  # Unix time
    token: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenMaker:
    """Makes tokens for one protocol. Pure but for the clock and the keys that are drawn."""

    protocol_id: int
    servers: tuple[NetcodeServer, ...]  # that tokens name when nobody says others
    private_key: bytes = field(repr=False)
    unix_s: Callable[[], float] = time.time

    def make(
        self,
        client_id: int,
        ttl_s: int,
        timeout_s: int,
        *,
        user_data: bytes = b"",
        servers: tuple[NetcodeServer, ...] = (),
    ) -> ConnectToken:
        """A token for `ttl_s` seconds, in which the client can begin to connect.

        Args:
            client_id: the studio's own number, at most 64 bits; one client with it is connected at a time.
            ttl_s: how long it is worth something.
            timeout_s: of silence, after which both sides give up; negative never.
            user_data: at most 256 bytes, for the game.
            servers: 1 to 32 that the client tries in this order; none: this gateway.

        Raises:
            UsageError: there can be no such token.
        """
        created_s = int(self.unix_s())
        grant: Any = ffi.new("struct pg_netcode_grant *")
        grant.protocol_id, grant.client_id = self.protocol_id, client_id
        grant.created_s, grant.expires_s, grant.timeout_s = created_s, created_s + ttl_s, timeout_s
        encode.fill_servers(grant, servers or self.servers)
        ffi.memmove(grant.user_data, user_data, len(user_data))
        token: Any = ffi.new("uint8_t[]", TOKEN_BYTES)
        error = new_error()
        check(lib.pg_netcode_token(grant, self.private_key, token, error), error)
        return ConnectToken(client_id, created_s + ttl_s, bytes(ffi.buffer(token)))

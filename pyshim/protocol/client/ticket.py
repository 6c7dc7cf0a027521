# SPDX-License-Identifier: BSD-3-Clause
"""What the control API issues to a player: the number of a session, its key, and where the gateway is."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pyshim.protocol.client.errors import BadTicketError
from pyshim.protocol.session_crypto import ISSUED_KEY_BYTES
from pyshim.system.regular_file import read_regular


@dataclass(frozen=True, slots=True)
class Ticket:
    """A session that was issued. The key is a secret: it is not shown, and never travels over UDP."""

    session: int
    key: bytes = field(repr=False)
    host: str
    port: int

    def __post_init__(self) -> None:
        """Refuse what cannot have been issued.

        Raises:
            BadTicketError: a number or the key is not one.
        """
        if not 0 < self.session < 1 << 32:
            raise BadTicketError(f"session: {self.session} is no session number, allowed are 1 to 4294967295")
        if len(self.key) != ISSUED_KEY_BYTES:
            raise BadTicketError(f"key: {len(self.key)} bytes, but an issued key has {ISSUED_KEY_BYTES}")
        if not 0 < self.port < 1 << 16:
            raise BadTicketError(f"address: {self.port} is no UDP port, allowed are 1 to 65535")

    @classmethod
    def from_json(cls, text: str | bytes | Path) -> Self:
        """The answer of `POST /v1/sessions` or of `pollgate token`: as text, or a file of it.

        Raises:
            BadTicketError: it is not such an answer.
            OSError: the file cannot be read.
        """
        try:
            data = read_regular(text) if isinstance(text, Path) else text
            found = json.loads(data, object_pairs_hook=_fields)
        except ValueError as error:
            raise BadTicketError(f"a ticket is JSON as the control API issues it: {error}") from error
        if not isinstance(found, dict) or not {"session", "key", "address"} <= found.keys():
            raise BadTicketError("a ticket is a JSON object with session, key and address")
        host, port = _address(found["address"])
        if isinstance(found["session"], bool) or not isinstance(found["session"], int):
            raise BadTicketError(f"session: {found['session']!r} is no number")
        return cls(found["session"], _key(found["key"]), host, port)


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise BadTicketError("a ticket names each of its fields once; this one names one twice")
    return fields


def _key(found: Any) -> bytes:
    try:
        return base64.b64decode(found + "=", altchars=b"-_", validate=True)
    except (TypeError, ValueError) as error:
        raise BadTicketError("key: expected 43 characters of base64url") from error


def _address(found: Any) -> tuple[str, int]:
    host, colon, port = str(found).rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise BadTicketError(
            f"address: {found!r}, expected host:port, such as 192.0.2.1:8081 or [2001:db8::1]:8081"
        )
    return host.removeprefix("[").removesuffix("]"), int(port)

# SPDX-License-Identifier: BSD-3-Clause
"""Tickets of players of the session profile: read from a file, or issued in bulk by a running gateway."""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyshim.errors import UsageError
from pyshim.issuing.client import Client

KEY_BYTES = 32
TTL_S = 86_400
_PACKED = struct.Struct("<I32s")  # struct pg_load_ticket


@dataclass(frozen=True, slots=True)
class Ticket:
    """What lets one player in."""

    session: int
    key: bytes


def parse_tickets(text: str, where: str) -> tuple[Ticket, ...]:
    """One JSON object a line, as `pollgate token issue --json` prints them; empty lines do not count.

    Raises:
        UsageError: a line is none; the sentence names it.
    """
    tickets = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            tickets.append(_ticket(json.loads(line)))
        except (ValueError, KeyError, TypeError) as problem:
            raise UsageError(
                f"{where}:{number}: this is no ticket; each line is a JSON object with session and key, as "
                "`pollgate token issue --json` prints it"
            ) from problem
    return tuple(tickets)


def read_tickets(path: Path) -> tuple[Ticket, ...]:
    """The tickets of a file.

    Raises:
        UsageError: it cannot be read, or a line is no ticket.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8"
        raise UsageError(f"--tickets: {path} cannot be read: {why}") from problem
    return parse_tickets(text, str(path))


def issue_tickets(client: Client, players: Iterable[int]) -> tuple[Ticket, ...]:
    """A ticket for each of these players; whoever had a session loses it.

    Raises:
        PollgateError: the gateway does not answer, or has no room for so many.
    """
    return tuple(
        _ticket(client.ask("POST", "/v1/sessions", {"player_id": player, "ttl": TTL_S})) for player in players
    )


def pack(tickets: Sequence[Ticket]) -> bytes:
    """As the generator takes them."""
    return b"".join(_PACKED.pack(ticket.session, ticket.key) for ticket in tickets)


def _ticket(answer: dict[str, Any]) -> Ticket:
    session, text = answer["session"], answer["key"]
    if not isinstance(session, int) or not 0 < session < 1 << 32 or not isinstance(text, str):
        raise ValueError("a session is a number of 32 bits, a key a text")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as problem:
        raise ValueError("a key is base64url") from problem
    if len(key) != KEY_BYTES:
        raise ValueError("a key has 32 bytes")
    return Ticket(session, key)

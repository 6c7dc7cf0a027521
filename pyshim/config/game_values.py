# SPDX-License-Identifier: BSD-3-Clause
"""Values of the section `game`: each is checked and brought into its canonical form."""

from __future__ import annotations

import re
from typing import NamedTuple

from pydantic_core import PydanticCustomError

from pyshim import messages
from pyshim.config import values
from pyshim.config.section import OWN_ERROR
from pyshim.config.values import UnixSocket, quoted

GAME_TYPE_FIRST = 64  # as in bus/records.h: numbers of message types that are the game's own
GAME_TYPE_LAST = 199
GAME = "game"  # the word for all of them
RELAYED = {one.name: one.number for one in messages.MESSAGES if one.kind == "RELAYED"}
TYPES_IN_WORDS = (
    f"{', '.join(RELAYED)}, game, a number from {GAME_TYPE_FIRST} to {GAME_TYPE_LAST}, or a range such as "
    "64-79"
)

_PROCESS_NAME = re.compile(r"[A-Za-z0-9._-]{1,31}")
_PERMISSIONS = re.compile(r"0?[0-7]{3}")
_RANGE = re.compile(r"([0-9]{1,3})(?:-([0-9]{1,3}))?")


class Types(NamedTuple):
    """Message types, by number: from the first one to the last."""

    first: int
    last: int

    def __str__(self) -> str:
        """As a user writes it."""
        name = next((name for name, number in RELAYED.items() if number == self.first), None)
        if name is not None:
            return name
        if self == (GAME_TYPE_FIRST, GAME_TYPE_LAST):
            return GAME
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def numbers(self) -> range:
        """Each of them."""
        return range(self.first, self.last + 1)


EVERY_TYPE = (*(Types(number, number) for number in RELAYED.values()), Types(GAME_TYPE_FIRST, GAME_TYPE_LAST))


def parse_process_name(text: str) -> str:
    """What a game process calls itself. Raises ValueError with a finished sentence."""
    if not _PROCESS_NAME.fullmatch(text):
        raise ValueError(
            f"found {quoted(text)}, allowed: the name of a game process, 1 to 31 letters, digits, '-', '_' "
            "and '.', such as arena"
        )
    return text


def parse_listen(text: str) -> UnixSocket:
    """`unix:/path`. Raises ValueError with a finished sentence."""
    if text.partition(":")[0] != "unix":
        raise ValueError(
            f"found {quoted(text)}, allowed: unix:/path, such as unix:/run/pollgate/game.sock: a game "
            "process shares memory with the gateway, so it runs on this host"
        )
    address = values.parse_control_address(text)
    assert isinstance(address, UnixSocket)
    return address


def parse_permissions(text: str) -> str:
    """The mode of the socket's file, in octal. Raises ValueError with a finished sentence."""
    if not _PERMISSIONS.fullmatch(text):
        raise ValueError(f'found {quoted(text)}, allowed: three octal digits in quotes, such as "0660"')
    return text.rjust(4, "0")


def parse_ring_kib(number: int) -> int:
    """A power of two. Raises PydanticCustomError with a finished sentence."""
    if number & (number - 1):
        near = 1 << number.bit_length()
        text = f"found {number}, allowed: a power of two from 4 to 1048576, such as {near // 2} or {near}"
        raise PydanticCustomError(OWN_ERROR, "{text}", {"text": text})
    return number


def parse_types(found: object) -> Types:
    """One entry of a route's types: a name, a number or a range. Raises PydanticCustomError."""
    if isinstance(found, Types):
        return found
    text = str(found) if isinstance(found, int) and not isinstance(found, bool) else found
    if not isinstance(text, str):
        raise PydanticCustomError("string_type", "not text")
    try:
        return _types(text)
    except ValueError as error:
        raise PydanticCustomError(OWN_ERROR, "{text}", {"text": str(error)}) from None


def _types(text: str) -> Types:
    if text in RELAYED:
        return Types(RELAYED[text], RELAYED[text])
    if text == GAME:
        return Types(GAME_TYPE_FIRST, GAME_TYPE_LAST)
    if (match := _RANGE.fullmatch(text)) is None:
        own = next((one.name for one in messages.MESSAGES if one.name == text and one.kind == "OWN"), None)
        said = ", which the gateway itself answers" if own else ""
        raise ValueError(f"found {quoted(text)}{said}, allowed: {TYPES_IN_WORDS}")
    first, last = int(match[1]), int(match[2] or match[1])
    if not GAME_TYPE_FIRST <= first <= last <= GAME_TYPE_LAST:
        raise ValueError(
            f"found {quoted(text)}, allowed: numbers from {GAME_TYPE_FIRST} to {GAME_TYPE_LAST}, the first "
            "one not above the last"
        )
    return Types(first, last)

# SPDX-License-Identifier: BSD-3-Clause
"""The numbers of the configuration that reach the data plane: `settings.def`, installed beside this."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pyshim.definitions import STRINGS, definitions, joined

Number = int | float

# How many of the field's units are one of the key's; where that is written as a fraction, it is a float.
_FACTORS: dict[str, tuple[int, type[Number]]] = {
    "NUMBER": (1, int),
    "KIB": (1024, int),
    "MILLISECONDS": (1000, float),
    "SECONDS": (1_000_000_000, float),
    "SHARE": (1000, float),
    "METRES": (1_000_000, float),
}
_FIXED = ("PLAN", "PORT", "SOCKETS", "WORLD", "COMBAT")  # groups that no reload changes

_SETTING = re.compile(
    r"^(?P<group>[A-Z]+)\((?P<field>\w+), \"(?P<key>[\w.]+)\", (?P<kind>[A-Z]+),"
    rf" (?P<least>[\d.]+), (?P<most>[\d.]+), (?P<default>[\d.]+),\s+(?P<help>{STRINGS})\)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One key, and the field that it fills."""

    group: str
    field: str
    key: str  # with its section: `delivery.flush_ms`
    kind: str  # as in the file
    least: Number
    most: Number
    default: Number
    help: str

    @property
    def section(self) -> str:
        """Where the key is: `delivery`, or `listen.limits`."""
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The key in its section."""
        return self.key.rpartition(".")[2]

    @property
    def type(self) -> type[Number]:
        """How it is written."""
        return _FACTORS[self.kind][1]

    @property
    def live(self) -> bool:
        """Whether a reload changes it."""
        return self.group not in _FIXED

    def counted(self, value: Number) -> int:
        """What the field says when the key says `value`."""
        return round(value * _FACTORS[self.kind][0])


def parse(text: str) -> Iterator[Setting]:
    """The settings that a file lists, in its order."""
    for found in _SETTING.finditer(text):
        least, most, default = (_number(found[name]) for name in ("least", "most", "default"))
        group, field, key, kind = found["group"], found["field"], found["key"], found["kind"]
        default = _FACTORS[kind][1](default)
        yield Setting(group, field, key, kind, least, most, default, joined(found["help"]))


def _number(text: str) -> Number:
    return float(text) if "." in text else int(text)


SETTINGS: Final = tuple(parse(definitions("include/settings.def")))


@cache
def of(group: str) -> tuple[Setting, ...]:
    """Those of a group."""
    return tuple(setting for setting in SETTINGS if setting.group == group)


@cache
def in_section(section: str) -> tuple[Setting, ...]:
    """Those of a section of the configuration."""
    return tuple(setting for setting in SETTINGS if setting.section == section)


def defaults(group: str) -> dict[str, int]:
    """What the fields of a group say when nothing is written."""
    return {setting.field: setting.counted(setting.default) for setting in of(group)}


def numbers(group: str, config: object, at: str = "") -> dict[str, int]:
    """What a configuration says, by the fields of a group; `at`: the section that `config` is, if not all."""
    return {one.field: one.counted(_said(config, one.key.removeprefix(f"{at}."))) for one in of(group)}


def _said(config: object, key: str) -> Number:
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    assert isinstance(value, Number)
    return value

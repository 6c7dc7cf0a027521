# SPDX-License-Identifier: BSD-3-Clause
"""The counters and gauges of the statistics page: `stats/counters.def`, installed beside this."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from pyshim.definitions import STRINGS, definitions, joined

_NUMBER = re.compile(
    r"^(?P<group>[A-Z_]+)\((?P<field>\w+), (?:\[(?P<length>\w+)\])?, (?P<values>\w+), (?P<kind>[A-Z_]+),"
    rf"\s+\"(?P<metric>\w*)\",\s+\"(?P<labels>[^\"]*)\",\s+\"(?P<unit>[^\"]*)\",\s+(?P<meaning>{STRINGS})\)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Counter:
    """One field of the statistics page; `metric` is empty of one that is no metric by itself."""

    group: str
    field: str
    length: str  # the name of an array's length, "" of a number
    values: str  # whose names the elements of an array have
    kind: str  # as in the file
    metric: str
    labels: tuple[tuple[str, str], ...]  # name and, where the field has one, value
    unit: str
    meaning: str


def parse(text: str) -> Iterator[Counter]:
    """The counters that a file lists, in its order."""
    for found in _NUMBER.finditer(text):
        labels = (label.partition("=") for label in found["labels"].split(", ") if label)
        yield Counter(
            found["group"],
            found["field"],
            found["length"] or "",
            found["values"],
            found["kind"],
            found["metric"],
            tuple((name, value) for name, _, value in labels),
            found["unit"],
            joined(found["meaning"]),
        )


# Groups by whose they are. All others are of what is named at run time and has no record in `pyshim.stats`.
PORTS: Final = ("PORT_COUNT", "DEVICE", "DEVICE_STATE")
WORKERS: Final = ("RECEIVE", "TRANSMIT", "SESSION", "MESSAGE", "TIME", "DISTRIBUTION")
POOLS: Final = ("POOL",)

COUNTERS: Final = tuple(parse(definitions("stats/counters.def")))

NAMED: Final = tuple(dict.fromkeys(one.group for one in COUNTERS if one.group not in PORTS + WORKERS + POOLS))


@cache
def of(*groups: str) -> tuple[Counter, ...]:
    """Those of some groups, in the order of the groups."""
    return tuple(counter for group in groups for counter in COUNTERS if counter.group == group)

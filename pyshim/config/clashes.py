# SPDX-License-Identifier: BSD-3-Clause
"""Values that must differ from each other, such as port names: where two are the same.

Works on unvalidated data and skips what it cannot read, so that clashes are reported beside all other errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from pyshim.config import values

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Clash:
    """The value at `path` is already taken by the one at `first`."""

    path: Path
    first: Path
    text: str  # what was found, what is wrong with it
    advice: str  # what to do


def find_clashes(config: object) -> list[Clash]:
    """All clashes in a configuration of plain dicts and lists (or whatever else the user wrote)."""
    ports = list(items(get(config, "ports"), ("ports",)))
    names = ((get(port, "name"), (*path, "name")) for port, path in ports)
    devices = ((get(port, "device"), (*path, "device")) for port, path in ports)
    addresses = (item for port, path in ports for item in items(get(port, "address"), (*path, "address")))
    listeners = (
        (get(listener, "port"), (*path, "port"))
        for listener, path in items(get(config, "listen"), ("listen",))
    )
    worlds = (
        (get(world, "name"), (*path, "name")) for world, path in items(get(config, "worlds"), ("worlds",))
    )
    servers = (
        (get(get(config, section), "listen"), (section, "listen")) for section in ("metrics", "control")
    )
    cpus = items(get(get(config, "workers"), "cpus"), ("workers", "cpus"))
    return [
        *_same(names, _text(values.parse_name), "name", "give each port its own"),
        *_same(devices, _text(_device_identity), "device", "a device can be only one port"),
        *_same(addresses, _text(_ip), "address", "an address belongs to one port, once"),
        *_same(listeners, _number, "UDP port", "one profile per UDP port"),
        *_same(worlds, _text(values.parse_name), "name", "give each world its own"),
        *_same(servers, _text(_server), "address", "metrics and the control API need an address each"),
        *_same(cpus, _number, "CPU", "name each CPU once"),
    ]


def _same(
    found: Iterator[tuple[object, Path]], identity: Callable[[object], str | None], what: str, advice: str
) -> Iterator[Clash]:
    seen: dict[str, Path] = {}
    for value, path in found:
        key = identity(value)
        if key is None:
            continue
        if key in seen:
            yield Clash(path, seen[key], f"{what} {key} is taken already", advice)
        else:
            seen[key] = path


def _text(parse: Callable[[str], str]) -> Callable[[object], str | None]:
    """Identity of a text value; None when it is not text or `parse` refuses it."""

    def identity(value: object) -> str | None:
        try:
            return parse(value) if isinstance(value, str) else None
        except ValueError:
            return None

    return identity


def _number(value: object) -> str | None:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _ip(text: str) -> str:
    return str(values.parse_address(text).ip)


def _server(text: str) -> str:
    endpoint = values.parse_endpoint(text)
    if endpoint.port == 0:
        raise ValueError("any free port: never the same twice")
    return str(endpoint)


def _device_identity(text: str) -> str:
    return values.parse_device(text).partition(",")[0]


def get(value: object, key: str) -> object:
    """What a mapping has under `key`; None when it has nothing there, or is no mapping."""
    return value.get(key) if isinstance(value, dict) else None


def items(value: object, path: Path) -> Iterator[tuple[object, Path]]:
    """The items of a list at `path`, each with its own path; none when it is no list."""
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield item, (*path, index)

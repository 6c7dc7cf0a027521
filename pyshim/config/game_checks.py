# SPDX-License-Identifier: BSD-3-Clause
"""Keys of `game` that contradict each other or the rest of a configuration.

Works on unvalidated data and skips what it cannot read, so that all errors are reported at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyshim.config import values
from pyshim.config.clashes import Path, get, items
from pyshim.config.engines import Incompatibility
from pyshim.config.game import PROCESSES_MAX, GameConfig
from pyshim.config.game_values import parse_process_name

_HEARD = ("session", "netcode")  # profiles whose players a game can hear
_NOBODY = f"no entry of listen has profile: {' or '.join(_HEARD)}"


def find_game_contradictions(config: object) -> Iterator[Incompatibility]:
    """All of them, in a configuration of plain dicts and lists, which has only the written keys."""
    game = get(config, "game")
    if get(game, "listen") is None:
        if isinstance(game, dict) and _asks_for_something(game):
            text = "missing; game processes attach to a socket: write unix:/path, or remove the section"
            yield Incompatibility(("game", "listen"), text, missing=True)
        return
    profiles = dict(_profiles(get(config, "listen")))
    if not set(_HEARD) & set(profiles.values()):
        text = f"{_NOBODY}, whose players a game can hear; remove it, or add one"
        yield Incompatibility(("game", "listen"), text)
    if get(get(config, "control"), "listen") == get(game, "listen"):
        text = "control.listen is the same; game processes need a socket of their own: write another path"
        yield Incompatibility(("game", "listen"), text)
    names: dict[str, Path] = {}
    for route, path in items(get(game, "routes"), ("game", "routes")):
        yield from _of_listeners(route, path, profiles)
        yield from _of_names(route, path, names)
    yield from _too_many(names, get(game, "processes"))


def _asks_for_something(game: dict[str, object]) -> bool:
    unwritten = GameConfig().model_dump(mode="json")
    return any(value != unwritten.get(key) for key, value in game.items())


def _profiles(listen: object) -> Iterator[tuple[int, str]]:
    """The profile of each UDP port."""
    for entry, _ in items(listen, ("listen",)):
        port, profile = get(entry, "port"), get(entry, "profile") or "plain"
        if isinstance(port, int) and isinstance(profile, str):
            yield port, profile


def _of_listeners(route: object, path: Path, profiles: dict[int, str]) -> Iterator[Incompatibility]:
    heard = [str(port) for port, profile in profiles.items() if profile in _HEARD]
    allowed = f"; of profile {' and '.join(_HEARD)}: {', '.join(heard) or 'none'}"
    for port, at in items(get(route, "listen"), (*path, "listen")):
        if not isinstance(port, int) or isinstance(port, bool):
            continue
        if port not in profiles:
            yield Incompatibility(at, f"found {port}, and no entry of listen has this port{allowed}")
        elif profiles[port] not in _HEARD:
            text = f"found {port}, which has profile {profiles[port]}, whose players no game hears{allowed}"
            yield Incompatibility(at, text)


def _of_names(route: object, path: Path, names: dict[str, Path]) -> Iterator[Incompatibility]:
    """Names that a route has twice; all go into `names`, with where each is first."""
    to, here = get(route, "to"), set()
    found = [(to, (*path, "to"))] if isinstance(to, str) else items(to, (*path, "to"))
    for name, at in found:
        if not isinstance(name, str):
            continue
        try:
            parse_process_name(name)
        except ValueError:
            continue
        if name in here:
            yield Incompatibility(at, f"found {values.quoted(name)} for the second time; name each once")
        here.add(name)
        names.setdefault(name, at)


def _too_many(names: dict[str, Path], processes: object) -> Iterator[Incompatibility]:
    most = processes if isinstance(processes, int) and 1 <= processes <= PROCESSES_MAX else PROCESSES_MAX
    if len(names) <= most:
        return
    name, at = list(names.items())[most]
    more = f", or write {len(names)} there" if len(names) <= PROCESSES_MAX else ""
    text = f"{values.quoted(name)} is one name more than game.processes: {most} allows; name fewer{more}"
    yield Incompatibility(at, text)

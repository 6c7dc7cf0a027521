# SPDX-License-Identifier: BSD-3-Clause
"""The game behind the gate: who may attach, the memory that it takes, which messages go where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pyshim.config.game_values import EVERY_TYPE, GAME_TYPE_FIRST, RELAYED
from pyshim.errors import ExitCode, Problem
from pyshim.host.cpu import format_cpu_list
from pyshim.plan import HUGE_PAGE_BYTES, GamePlan, GamePolicy, GameRoute, KeptPages, filled, may_take
from pyshim.settings import numbers

if TYPE_CHECKING:
    from pyshim.config.game import RouteConfig
    from pyshim.config.models import Config
    from pyshim.host import HostFacts
    from pyshim.planner.layout import Layout

_MIB = 1 << 20
_ROOT = 0
_EVERY_NUMBER = tuple(number for types in EVERY_TYPE for number in types.numbers())
_AS_WITHOUT = "it is handled as without a game, and types 64 to 199 reach nobody"


def check_game(config: Config, host: HostFacts, layout: Layout, problems: list[Problem]) -> None:
    """Check the accounts that `game` names and the memory of its rings; errors are appended to `problems`."""
    game = config.game
    if game.listen is None:
        return
    accounts = host.accounts
    for index, user in enumerate(game.users or ()):
        if user not in accounts.users:
            problems.append(_missing(f"game.users[{index}]", "user", user))
    if game.owner is not None and game.owner not in accounts.users:
        problems.append(_missing("game.owner", "user", game.owner))
    if game.group is not None and game.group not in accounts.groups:
        problems.append(_missing("game.group", "group", game.group))
    plan, workers = plan_game(config, host, layout), len(layout.workers)
    needed, available = plan.memory_bytes(workers), host.memory.available_bytes
    if needed > available and not _all_huge(plan, host, workers):
        text = (
            f"rings of {game.ring_kib} KiB, two for each of {game.processes} game processes and {workers} "
            f"worker{'s' if workers > 1 else ''}, take {-(-needed // _MIB)} MiB, {available // _MIB} MiB "
            "available; write less, or lower game.processes, or free memory"
        )
        problems.append(Problem("game.ring_kib", text, ExitCode.UNAVAILABLE))


def _all_huge(plan: GamePlan, host: HostFacts, workers: int) -> bool:
    """Whether all rings that there can be find huge pages now, and so take no others."""
    free = {one.node: one.free for one in host.memory.huge if one.page_bytes == HUGE_PAGE_BYTES}
    return plan.huge_pages and may_take(free, plan.kept, plan.memory_huge_pages(workers))


def _kept(layout: Layout) -> tuple[KeptPages, ...]:
    """Huge pages that are the worker process's: DPDK's memory, or a buffer of each worker of io_uring."""
    if layout.socket_pages != "ordinary":
        nodes = [cpu.node for cpu in layout.cpus.workers]
        return tuple(KeptPages(node, nodes.count(node)) for node in sorted(set(nodes)))
    if not layout.huge_pages:
        return ()
    shares = layout.eal_args[layout.eal_args.index("--socket-mem") + 1].split(",")
    return tuple(
        KeptPages(node, -(-int(mib) * _MIB // HUGE_PAGE_BYTES)) for node, mib in enumerate(shares) if int(mib)
    )


def _missing(key: str, kind: str, name: str) -> Problem:
    command = f"useradd --system --no-create-home {name}" if kind == "user" else f"groupadd --system {name}"
    return Problem(key, f"this host has no {kind} {name}; make one: {command}", ExitCode.UNAVAILABLE)


def game_notes(config: Config) -> Iterator[str]:
    """What players say that no route takes, where there is a game that could have it."""
    game = config.game
    ports = [entry.port for entry in config.listen if entry.profile == "session"]
    if game.listen is None:
        return
    if not game.routes:
        yield f"game.routes has no entry: no game process gets what players say; {_AS_WITHOUT}"
        return
    left: dict[str, list[str]] = {}
    for port in ports:
        routes = (route for route in game.routes if port in (route.listen or ports))
        taken = {number for route in routes for number in route.numbers}
        words = _in_words(number for number in _EVERY_NUMBER if number not in taken)
        left.setdefault(words, []).append(str(port))
    for words, at in left.items():
        if words:
            yield f"game.routes: at UDP port {', '.join(at)} no route takes {words}; {_AS_WITHOUT}"


def _in_words(numbers: Iterable[int]) -> str:
    """Types of message, by name or, those of the game's own, by number; "" for none."""
    left = frozenset(numbers)
    own = [number for number in left if number >= GAME_TYPE_FIRST]
    named = [name for name, number in RELAYED.items() if number in left]
    return ", ".join((*named, *([format_cpu_list(own)] if own else ())))


def plan_game(config: Config, host: HostFacts, layout: Layout) -> GamePlan:
    """Where game processes attach, and who may; accounts that there are not are left out."""
    game, accounts = config.game, host.accounts
    if game.listen is None:
        return GamePlan()
    users = {accounts.own, _ROOT}
    if game.users is not None:
        users = {accounts.users[name] for name in game.users if name in accounts.users}
    return GamePlan(
        path=game.listen.path,
        mode=int(game.permissions, 8),
        uid=-1 if game.owner is None else accounts.users.get(game.owner, -1),
        gid=-1 if game.group is None else accounts.groups.get(game.group, -1),
        users=tuple(sorted(users)),
        processes=game.processes,
        ring_bytes=game.ring_kib << 10,
        huge_pages=game.huge_pages == "auto",
        kept=_kept(layout),
    )


def game_policy(config: Config) -> GamePolicy:
    """Which messages go to which processes; their indexes are those of a gateway that has just started."""
    ports = {entry.port: index for index, entry in enumerate(config.listen)}
    return filled(
        GamePolicy,
        numbers("GAME", config),
        routes=tuple(_route(route, ports) for route in config.game.routes),
        indexes={name: index for index, name in enumerate(config.game.names)},
    )


def _route(route: RouteConfig, ports: dict[int, int]) -> GameRoute:
    listeners = tuple(sorted({ports[port] for port in route.listen or ()}))
    return GameRoute(route.names, route.numbers, listeners)

# SPDX-License-Identifier: BSD-3-Clause
"""Nothing calls back up: which room uses which, as the sources say and as `rooms.toml` allows.

`python tests/rooms.py [ROOT]` prints a sentence for each finding and exits with 1 if there is one.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

TABLE = "rooms.toml"
BESIDE = {"client": "client", "game": "game library"}  # folders beside dpdk_app/, and their rooms
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)
HEADERS = "include"  # of dpdk_app/: everybody's, and so they use nobody's
SUFFIXES = frozenset({".c", ".h", ".def"})
Rooms = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Use:
    """A line by which one room uses another."""

    where: str  # file:line, below the root
    room: str
    used: str


def c_room(path: str) -> str | None:
    """The room of a file below `dpdk_app/`; None for one that is in none."""
    parts = path.split("/")
    if len(parts) == 1:
        return None
    return "/".join(parts[:2]) if parts[0] == "engine" else parts[0]


def c_files(root: Path) -> Iterator[tuple[Path, str]]:
    """Each C source with its room, but for the tests, which may use what they test."""
    for file in sorted((root / "dpdk_app").rglob("*")):
        room = c_room(file.relative_to(root / "dpdk_app").as_posix())
        if file.suffix in SUFFIXES and room not in {None, "tests"}:
            yield file, str(room)
    for folder, room in BESIDE.items():
        for file in sorted((root / folder).glob("*.*")):
            if file.suffix in SUFFIXES:
                yield file, room


def c_uses(root: Path) -> Iterator[Use]:
    """What the sources in C include of other rooms, from wherever they say it."""
    for file, room in c_files(root):
        text = file.read_text()
        for found in INCLUDE.finditer(text):
            used = c_room(_below_data_plane(root, file, found[1]))
            if used not in {None, HEADERS, room}:
                line = text.count("\n", 0, found.start()) + 1
                yield Use(f"{file.relative_to(root)}:{line}", room, str(used))


def _below_data_plane(root: Path, file: Path, included: str) -> str:
    """The file that an include means, from `dpdk_app/` on; it may be said from its reader's place."""
    data_plane = (root / "dpdk_app").resolve()
    beside = (file.parent / included).resolve()
    is_beside = included.startswith(".") or (beside.is_file() and not (data_plane / included).is_file())
    if is_beside and beside.is_relative_to(data_plane):
        return beside.relative_to(data_plane).as_posix()
    return included


def python_room(module: str) -> str | None:
    """The room of a module of `pyshim`; None for `pyshim` itself and its entry."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] != "__main__" else None


def _imported(node: ast.AST, package: str, modules: frozenset[str]) -> list[str]:
    """The modules that a statement imports; `package`: that of the module it is in."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        start = package.split(".")[: 1 - node.level or None] if node.level else []
        base = ".".join([*start, *([node.module] if node.module else [])])
        names = [f"{base}.{alias.name}" for alias in node.names]
        return [name if name in modules else base for name in names]
    return []


def python_uses(root: Path) -> Iterator[Use]:
    """What the modules of `pyshim` import of other rooms, at the top or within a function."""
    modules = {}
    for file in sorted((root / "pyshim").rglob("*.py")):
        modules[".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")] = file
    names = frozenset(modules)
    for module, file in modules.items():
        room = python_room(module)
        package = module if file.name == "__init__.py" else module.rpartition(".")[0]
        for node in ast.walk(ast.parse(file.read_text())):
            for imported in _imported(node, package, names):
                used = python_room(imported) if imported.split(".")[0] == "pyshim" else None
                if room is not None and used is not None and used != room:
                    yield Use(f"{file.relative_to(root)}:{getattr(node, 'lineno', 1)}", room, used)


def circle(rooms: Rooms) -> list[str]:
    """Rooms that use each other in a circle; empty when there is none."""
    try:
        TopologicalSorter(rooms).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def findings(rooms: Rooms, uses: list[Use], there: frozenset[str]) -> Iterator[str]:
    """What the table forbids, what it allows in vain, rooms that are not `there`, and a circle in it."""
    for use in dict.fromkeys(uses):
        if use.room not in rooms:
            yield f"{use.where}: the room {use.room} is not in {TABLE}"
        elif use.used not in rooms[use.room]:
            yield f"{use.where}: {use.room} may not use {use.used}; {TABLE} says what it may"
    used = {(use.room, use.used) for use in uses}
    for room, others in rooms.items():
        for other in sorted(others):
            if (room, other) not in used:
                yield f"{TABLE}: {room} may use {other}, and does not; take it out"
    for room in rooms:
        if room not in there:
            yield f"{TABLE}: the room {room} is in it, and is not there; take it out"
    if found := circle(rooms):
        yield f"{TABLE}: a circle: {' -> '.join(found)}"


def check(root: Path) -> list[str]:
    """What is wrong below `root`, a sentence each."""
    table = tomllib.loads((root / TABLE).read_text())
    found = []
    in_c = frozenset(room for _, room in c_files(root))
    modules = (root / "pyshim").rglob("*.py")
    in_python = frozenset(file.relative_to(root / "pyshim").parts[0].removesuffix(".py") for file in modules)
    for part, uses, there in (("c", c_uses(root), in_c), ("python", python_uses(root), in_python)):
        rooms = {room: frozenset(others) for room, others in table[part].items()}
        found += findings(rooms, list(uses), there)
    return found


if __name__ == "__main__":
    found = check(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
    print("\n".join(found))
    sys.exit(1 if found else 0)

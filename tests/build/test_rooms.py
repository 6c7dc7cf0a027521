# SPDX-License-Identifier: BSD-3-Clause
"""The rule that nothing calls back up is held, and what breaks it is found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.rooms import BESIDE, TABLE, check

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Two rooms of each half, of which one uses the other."""
    (tmp_path / "dpdk_app/net").mkdir(parents=True)
    (tmp_path / "dpdk_app/engine/dpdk").mkdir(parents=True)
    (tmp_path / "pyshim/run").mkdir(parents=True)
    (tmp_path / "dpdk_app/net/parse.h").write_text('#include <stdint.h>\n#include "pollgate.h"\n')
    (tmp_path / "dpdk_app/engine/dpdk/loop.c").write_text('#include "net/parse.h"\n')
    (tmp_path / "pyshim/errors.py").write_text("import sys\n")
    (tmp_path / "pyshim/run/worker.py").write_text("from pyshim import errors\n")
    allow(tmp_path, c={"net": [], "engine/dpdk": ["net"]}, python={"errors": [], "run": ["errors"]})
    return tmp_path


def allow(root: Path, **parts: dict[str, list[str]]) -> None:
    lines = []
    for part, rooms in parts.items():
        lines.append(f"[{part}]")
        lines += [f'"{room}" = {others}' for room, others in rooms.items()]
    (root / TABLE).write_text("\n".join(lines))


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A copy of all that the rule reads here."""
    for part in ("dpdk_app", "pyshim", *BESIDE):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copy(ROOT / TABLE, tmp_path)
    return tmp_path


def test_this_checkout_keeps_its_table() -> None:
    assert check(ROOT) == []


def test_net_may_not_include_the_session(scratch: Path) -> None:
    (scratch / "dpdk_app/net/upward.c").write_text('#include "session/session.h"\n')
    assert check(scratch) == [f"dpdk_app/net/upward.c:1: net may not use session; {TABLE} says what it may"]


@pytest.mark.parametrize(("folder", "room"), BESIDE.items())
def test_no_library_may_include_the_session(scratch: Path, folder: str, room: str) -> None:
    (scratch / folder / "upward.c").write_text('#include "session/session.h"\n')
    assert check(scratch) == [f"{folder}/upward.c:1: {room} may not use session; {TABLE} says what it may"]


def test_the_planner_may_not_import_the_command_line(scratch: Path) -> None:
    (scratch / "pyshim/planner/upward.py").write_text("from pyshim.cli import main\n")
    told = f"pyshim/planner/upward.py:1: planner may not use cli; {TABLE} says what it may"
    assert check(scratch) == [told]


def test_rooms_that_keep_the_table_are_no_finding(checkout: Path) -> None:
    assert check(checkout) == []


def test_an_include_that_calls_back_up_is_named_with_its_line(checkout: Path) -> None:
    (checkout / "dpdk_app/net/parse.h").write_text('#include <stdint.h>\n#include "engine/dpdk/loop.h"\n')
    assert check(checkout) == [
        f"dpdk_app/net/parse.h:2: net may not use engine/dpdk; {TABLE} says what it may"
    ]


def test_an_import_within_a_function_counts_like_any_other(checkout: Path) -> None:
    (checkout / "pyshim/errors.py").write_text("def late():\n    from pyshim.run import worker\n")
    assert check(checkout) == [f"pyshim/errors.py:2: errors may not use run; {TABLE} says what it may"]


def test_a_room_that_nobody_entered_is_named(checkout: Path) -> None:
    (checkout / "dpdk_app/world").mkdir()
    (checkout / "dpdk_app/world/grid.c").write_text('#include "net/parse.h"\n')
    assert check(checkout) == [f"dpdk_app/world/grid.c:1: the room world is not in {TABLE}"]


def test_what_is_allowed_and_not_used_is_named(checkout: Path) -> None:
    (checkout / "dpdk_app/engine/dpdk/loop.c").write_text("")
    assert check(checkout) == [f"{TABLE}: engine/dpdk may use net, and does not; take it out"]


def test_a_circle_in_the_table_is_named(checkout: Path) -> None:
    (checkout / "dpdk_app/net/parse.h").write_text('#include "engine/dpdk/loop.h"\n')
    allow(
        checkout, c={"net": ["engine/dpdk"], "engine/dpdk": ["net"]}, python={"errors": [], "run": ["errors"]}
    )
    (found,) = check(checkout)
    assert found.startswith(f"{TABLE}: a circle: ")


@pytest.mark.parametrize("line", ['#  include "session/session.h"', '\t#include "../session/session.h"'])
def test_an_include_is_found_however_it_is_written(scratch: Path, line: str) -> None:
    (scratch / "dpdk_app/net/upward.c").write_text(f"{line}\n")
    assert check(scratch) == [f"dpdk_app/net/upward.c:1: net may not use session; {TABLE} says what it may"]


def test_a_list_that_includes_is_a_source_like_any_other(scratch: Path) -> None:
    (scratch / "dpdk_app/net/upward.def").write_text('#include "session/session.h"\n')
    assert check(scratch) == [f"dpdk_app/net/upward.def:1: net may not use session; {TABLE} says what it may"]


def test_headers_of_everybody_use_no_more_than_the_table_says(scratch: Path) -> None:
    with (scratch / "dpdk_app/include/pollgate.h").open("a") as header:
        header.write('#include "session/session.h"\n')
    (found,) = check(scratch)
    assert found.endswith(f"include may not use session; {TABLE} says what it may")


@pytest.mark.parametrize(
    "line", ["from .. import cli", "from ..cli import main", "from ..management import app"]
)
def test_a_relative_import_counts_like_any_other(scratch: Path, line: str) -> None:
    (scratch / "pyshim/planner/upward.py").write_text(f"{line}\n")
    used = "management" if "management" in line else "cli"
    told = f"pyshim/planner/upward.py:1: planner may not use {used}; {TABLE} says what it may"
    assert check(scratch) == [told]


def test_a_room_that_is_gone_is_named(checkout: Path) -> None:
    rooms: dict[str, list[str]] = {"net": [], "engine/dpdk": ["net"], "world": []}
    allow(checkout, c=rooms, python={"errors": [], "run": ["errors"], "letters": []})
    assert check(checkout) == [
        f"{TABLE}: the room world is in it, and is not there; take it out",
        f"{TABLE}: the room letters is in it, and is not there; take it out",
    ]

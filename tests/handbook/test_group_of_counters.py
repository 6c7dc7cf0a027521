# SPDX-License-Identifier: BSD-3-Clause
"""The handbook's recipe for a group of counters: what is named at run time has its metrics by that name."""

from __future__ import annotations

import json

import pytest

from tests.handbook.scratch import Recipe, Scratch, recipe
from tests.metrics.page_reader import directory, numbers, sets

NAME = "pollgate_arena_ticks_total"

# Two arenas begin, one after the other; two workers count ticks of the second.
COUNTS = """
import json
from pyshim.dataplane.library import ffi
from pyshim.dataplane.page import PageNames, RunState, StatsPage
from pyshim.metrics import values
from tests.metrics.page_reader import directory
def metric(page):
    return values(page.snapshot("dpdk", RunState()))["pollgate_arena_ticks_total"]
with StatsPage.create(2, PageNames("dpdk", ("game0",), ("node0",))) as page:
    found = [metric(page)]
    page.name("arena", 0, "town")
    found.append(metric(page))
    page.name("arena", 63, "forest")
    memory = ffi.buffer(page.native)
    (ticks,) = (one for one in directory(bytes(memory)) if one.metric == "arena_ticks")
    for worker in (0, 1):
        at = ticks.offset + worker * ticks.worker_stride + 63 * ticks.index_stride
        memory[at : at + 8] = (5 + worker).to_bytes(8, "little")
    found.append(metric(page))
    with open("page", "wb") as file:
        file.write(bytes(memory))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def group() -> Recipe:
    return recipe("group of counters")


@pytest.fixture(scope="module")
def scratch(group: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    copy = Scratch(tmp_path_factory.mktemp("group"))
    copy.follow(group)
    copy.build_core()
    return copy


@pytest.fixture(scope="module")
def found(scratch: Scratch) -> list[dict[str, int]]:
    said: list[dict[str, int]] = json.loads(scratch.python("-c", COUNTS))
    return said


def test_three_files_are_edited_by_hand(group: Recipe, scratch: Scratch) -> None:
    assert group.files == (
        "dpdk_app/stats/counters.def",
        "dpdk_app/include/pollgate_stats.h",
        "dpdk_app/stats/directory.c",
    )
    assert scratch.changed() == {*group.files, "pyshim/METRICS.md"}


def test_an_instance_has_its_metric_from_its_start_and_by_its_name(found: list[dict[str, int]]) -> None:
    assert found == [{}, {"town": 0}, {"town": 0, "forest": 11}]


def test_a_reader_that_knows_only_the_page_finds_them(scratch: Scratch, found: list[dict[str, int]]) -> None:
    page = (scratch.path / "page").read_bytes()
    (entry,) = (one for one in directory(page) if one.metric == "arena_ticks")
    named = sets(page)[entry.set - 1]
    assert named.label == "arena"
    summed = {
        name: sum(numbers(page, entry, worker, slot)[""] for worker in (0, 1))
        for slot, name in named.names.items()
    }
    assert summed == found[-1]


def test_it_has_its_row_in_the_document(scratch: Scratch) -> None:
    row = f"| `{NAME}` | counter | arena | ticks | Ticks of the handbook's example. |"
    assert row in (scratch.path / "pyshim" / "METRICS.md").read_text().splitlines()

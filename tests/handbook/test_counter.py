# SPDX-License-Identifier: BSD-3-Clause
"""The handbook's recipe for a counter: one file by hand, and the counter is wherever counters are."""

from __future__ import annotations

import json

import pytest

from pyshim.dataplane.library import ffi
from pyshim.dataplane.page import PageNames, StatsPage
from tests.handbook.scratch import Recipe, Scratch, recipe
from tests.metrics.page_reader import directory, numbers

NAME = "pollgate_transmit_scratched_packets_total"

# Of a page that a worker counted into: the page itself, the metrics as JSON and as Prometheus reads them.
COUNTS = """
import json, os
from prometheus_client import CollectorRegistry, generate_latest
from pyshim.dataplane.library import ffi
from pyshim.dataplane.page import PageNames, RunState, StatsPage
from pyshim.metrics import FAMILIES, values
from pyshim.metrics.family import exposition
NAMES = PageNames("dpdk", ("game0",), ("node0",))
with StatsPage.create(2, NAMES) as page:
    page.native.worker[1].tx_scratched += 7
    snapshot = page.snapshot("dpdk", RunState())
    with open("page", "wb") as file:
        file.write(bytes(ffi.buffer(page.native)))
class All:
    def collect(self):
        return [exposition(family, snapshot) for family in FAMILIES]
registry = CollectorRegistry()
registry.register(All())
print(json.dumps({"json": values(snapshot), "text": generate_latest(registry).decode()}))
"""
FITS = """
import os
from pyshim.dataplane.page import StatsPage
from pyshim.errors import InternalError
try:
    StatsPage.attach(os.open("other", os.O_RDWR))
except InternalError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def counter() -> Recipe:
    return recipe("counter")


@pytest.fixture(scope="module")
def scratch(counter: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    copy = Scratch(tmp_path_factory.mktemp("counter"))
    copy.follow(counter)
    copy.build_core()
    return copy


@pytest.fixture(scope="module")
def said(scratch: Scratch) -> dict[str, object]:
    found: dict[str, object] = json.loads(scratch.python("-c", COUNTS))
    return found


def test_one_file_is_edited_by_hand(counter: Recipe, scratch: Scratch) -> None:
    assert counter.files == ("dpdk_app/stats/counters.def",)
    assert scratch.changed() == {*counter.files, "pyshim/METRICS.md"}


def test_the_counter_is_in_the_exposition(said: dict[str, object]) -> None:
    text = str(said["text"])
    assert f'{NAME}{{worker="1"}} 7.0' in text.splitlines()
    assert f"# TYPE {NAME} counter" in text
    assert f"# HELP {NAME} Packets of the handbook's example." in text


def test_the_counter_is_in_the_json(said: dict[str, object]) -> None:
    metrics = said["json"]
    assert isinstance(metrics, dict)
    assert metrics[NAME] == {"0": 0, "1": 7}


def test_the_counter_has_its_row_in_the_document(scratch: Scratch) -> None:
    row = f"| `{NAME}` | counter | worker | packets | Packets of the handbook's example. |"
    assert row in (scratch.path / "pyshim" / "METRICS.md").read_text().splitlines()


def test_a_reader_that_knows_only_the_directory_finds_the_counter(
    scratch: Scratch, said: dict[str, object]
) -> None:
    page = (scratch.path / "page").read_bytes()
    (entry,) = (one for one in directory(page) if one.field == "tx_scratched")
    assert f"pollgate_{entry.metric}_total" in str(said["text"])
    assert numbers(page, entry, worker=1) == {"": 7}


def test_the_page_that_was_before_the_counter_is_another_builds(scratch: Scratch) -> None:
    with StatsPage.create(2, PageNames("dpdk", ("game0",), ("node0",))) as before:
        (scratch.path / "other").write_bytes(bytes(ffi.buffer(before.native)))
    assert "this build" in scratch.python("-c", FITS)

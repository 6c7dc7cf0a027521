# SPDX-License-Identifier: BSD-3-Clause
"""Each counter is one line of stats/counters.def: what is made from it, and what a page says of itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pyshim.counters import COUNTERS, Counter
from pyshim.dataplane.library import ffi
from pyshim.dataplane.page import PageNames, RunState, StatsPage
from pyshim.errors import InternalError
from pyshim.metrics import FAMILIES
from pyshim.stats import Histogram, count
from tests.metrics.page_reader import Entry, directory, numbers

ROOT = Path(__file__).resolve().parents[2]
DEF = ROOT / "dpdk_app" / "stats" / "counters.def"
KINDS = ("COUNTER", "COUNTER_IF_ANY", "GAUGE", "HISTOGRAM")
NAMES = PageNames("dpdk", ("game0", "game1"), ("node0",))


@pytest.fixture
def page() -> Iterator[StatsPage]:
    with StatsPage.create(2, 2, 1) as made:
        yield made


def raw(page: StatsPage) -> bytes:
    return bytes(ffi.buffer(page.native))


def entry_of(page: StatsPage, counter: Counter) -> Entry:
    (found,) = (
        entry
        for entry in directory(raw(page))
        if (entry.field, entry.metric) == (counter.field, counter.metric)
    )
    return found


def test_every_line_is_read_by_python(page: StatsPage) -> None:
    lines = [line for line in DEF.read_text().splitlines() if line[:1].isupper()]
    assert [line.partition(",")[0] for line in lines] == [f"{one.group}({one.field}" for one in COUNTERS]
    assert len(list(directory(raw(page)))) == len(COUNTERS)


@pytest.mark.parametrize("counter", COUNTERS, ids=lambda one: f"{one.group}-{one.field}")
def test_a_page_says_of_itself_what_the_line_says(page: StatsPage, counter: Counter) -> None:
    entry = entry_of(page, counter)
    labels = ", ".join(f"{name}={value}" if value else name for name, value in counter.labels)
    assert (entry.labels, entry.unit, entry.meaning) == (labels, counter.unit, counter.meaning)
    assert entry.kind == KINDS.index(counter.kind)
    assert (entry.count > 1) == bool(counter.length)


def test_no_two_fields_are_at_the_same_place(page: StatsPage) -> None:
    taken = sorted((entry.offset, entry.offset + entry.count * entry.width) for entry in directory(raw(page)))
    assert all(end <= start for (_, end), (start, _) in pairwise(taken))


def fill(page: StatsPage) -> None:
    """Give every element that has a name a number of its own."""
    number = 1
    memory: Any = ffi.buffer(page.native)
    for entry in directory(raw(page)):
        for worker in range(2 if entry.worker_stride else 1):
            for index in range(2 if entry.index_stride else 1):
                at = entry.offset + worker * entry.worker_stride + index * entry.index_stride
                for element in range(entry.count):
                    start = at + element * entry.width
                    memory[start : start + entry.width] = number.to_bytes(entry.width, "little")
                    number += 1


@pytest.mark.parametrize(
    "counter",
    [one for one in COUNTERS if one.group not in ("PORT_COUNT", "DEVICE", "DEVICE_STATE", "POOL")],
    ids=lambda one: f"{one.group}-{one.field}",
)
def test_a_reader_that_knows_only_the_directory_finds_what_a_snapshot_says(
    page: StatsPage, counter: Counter
) -> None:
    fill(page)
    worker = page.snapshot(NAMES, RunState()).workers[1]
    said = count(worker.messages if counter.group == "MESSAGE" else worker, counter.field)
    found = numbers(raw(page), entry_of(page, counter), worker=1)
    if isinstance(said, Histogram):
        assert tuple(found.values()) == said.counts
        assert [float(name) for name in found] == pytest.approx(said.bounds)
    else:
        assert found == ({"": said} if isinstance(said, int) else said)


def test_such_a_reader_finds_the_numbers_of_ports_and_pools(page: StatsPage) -> None:
    fill(page)
    snapshot = page.snapshot(NAMES, RunState())
    for one in (one for one in COUNTERS if one.group in ("DEVICE", "POOL")):
        index = 1 if one.group == "DEVICE" else 0
        record = snapshot.ports[1] if one.group == "DEVICE" else snapshot.pools[0]
        assert numbers(raw(page), entry_of(page, one), index=index) == {"": count(record, one.field)}
    for one in (one for one in COUNTERS if one.group == "PORT_COUNT"):
        parts = [numbers(raw(page), entry_of(page, one), worker, 1)[""] for worker in (0, 1)]
        assert count(snapshot.ports[1].counts, one.field) == sum(parts)


@pytest.mark.parametrize("said", ["tx_sent", "worker, state=busy", "TSC cycles", "truncated", "no_receiver"])
def test_a_page_whose_directory_says_something_else_is_refused(page: StatsPage, said: str) -> None:
    StatsPage.attach(os.dup(page.fd)).close()
    memory: Any = ffi.buffer(page.native)
    memory[raw(page).index(said.encode() + b"\0")] = b"~"
    with pytest.raises(InternalError, match="not of this build"):
        StatsPage.attach(os.dup(page.fd))


def test_a_page_whose_counters_are_elsewhere_is_refused(page: StatsPage) -> None:
    entry = entry_of(page, next(one for one in COUNTERS if one.field == "tx_sent"))
    memory: Any = ffi.buffer(page.native)
    at = raw(page).index(entry.offset.to_bytes(4, "little"), raw(page).index(b"tx_sent\0"))
    memory[at : at + 4] = (entry.offset + 8).to_bytes(4, "little")
    with pytest.raises(InternalError, match="not of this build"):
        StatsPage.attach(os.dup(page.fd))


OWNERS = {"PORT_COUNT": "port", "DEVICE": "port", "DEVICE_STATE": "port", "POOL": "pool"}


@pytest.mark.parametrize("counter", COUNTERS, ids=lambda one: f"{one.group}-{one.field}")
def test_labels_begin_with_whose_a_counter_is_but_of_sessions_which_are_summed(counter: Counter) -> None:
    if counter.metric and counter.metric != "sessions":
        assert counter.labels[0] == (OWNERS.get(counter.group, "worker"), "")
        assert [bool(value) for _, value in counter.labels[1:]].count(False) == bool(counter.length) * (
            counter.kind != "HISTOGRAM"
        )


def test_each_metric_of_a_counter_is_exported_once() -> None:
    counted = {one.metric for one in COUNTERS if one.metric}
    exported = [family.name.removeprefix("pollgate_").removesuffix("_total") for family in FAMILIES]
    assert [name for name in exported if name in counted] == sorted(counted, key=exported.index)
    assert counted <= set(exported)


# ------------------------------------------------------- the recipe of CONTRIBUTING.md, on a scratch copy

LINE = (
    'TRANSMIT(tx_scratched, , one, COUNTER, "transmit_scratched_packets", "worker", "packets",\n'
    '\t"A line of a recipe.")\n'
)
COUNTS = """
#include <stdio.h>
#include <string.h>
#include "pollgate.h"
static _Alignas(64) struct pg_stats_page page;
int main(int argc, char *argv[])
{
	if (argc > 1) { // does a page of another build fit?
		FILE *other = fopen(argv[1], "rb");
		return other == NULL || fread(&page, 1, sizeof(page), other) == 0 || pg_stats_page_fits(&page);
	}
	pg_stats_page_init(&page, 1, 0, 0);
	page.worker[0].tx_scratched += 7;
	return fwrite(&page, sizeof(page), 1, stdout) != 1;
}
"""
SAYS = """
import dataclasses
from pyshim._native.build import declarations
from pyshim.metrics import values
from tests.metrics.synthetic import snapshot, with_workers, worker
assert "uint64_t tx_scratched;" in declarations("stats")
some = dataclasses.replace(worker(0, 1), others={"tx_scratched": 7})
print(values(with_workers(snapshot(), some))["pollgate_transmit_scratched_packets_total"])
"""


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, with one more line in one file."""
    copy = tmp_path_factory.mktemp("scratch")
    for folder in ("dpdk_app", "pyshim"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("corpus", "__pycache__"))
    (copy / "tests" / "metrics").mkdir(parents=True)
    for file in ("tests/__init__.py", "tests/metrics/__init__.py", "tests/metrics/synthetic.py"):
        if (ROOT / file).exists():
            shutil.copy(ROOT / file, copy / file)
    shutil.copy(ROOT / "tests/metrics/document.py", copy / "tests/metrics/document.py")
    list_of_it = copy / "dpdk_app" / "stats" / "counters.def"
    before, last, after = list_of_it.read_text().partition("\n// Time, in TSC cycles")
    list_of_it.write_text(before + LINE + last + after)
    return copy


@pytest.fixture(scope="module")
def counter(scratch: Path) -> Path:
    """A program of the scratch copy that counts the new counter; with an argument, one that judges a page."""
    (scratch / "counts.c").write_text(COUNTS)
    program = scratch / "counts"
    sources = [f"dpdk_app/stats/{name}.c" for name in ("directory", "page", "names", "histogram")]
    flags = ["-std=c17", "-D_GNU_SOURCE", "-Idpdk_app", "-Idpdk_app/include", "-o", program]
    subprocess.run(["cc", *flags, "counts.c", *sources], cwd=scratch, check=True)
    return program


def python(scratch: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=scratch,
        env={**os.environ, "PYTHONPATH": str(scratch)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_line_makes_a_field_that_is_counted_and_found_in_the_page(counter: Path) -> None:
    made = subprocess.run([counter], capture_output=True, check=True).stdout
    (entry,) = (one for one in directory(made) if one.field == "tx_scratched")
    assert numbers(made, entry) == {"": 7}
    assert (entry.metric, entry.labels) == ("transmit_scratched_packets", "worker")


def test_a_line_makes_the_page_that_was_before_it_another_builds(
    counter: Path, page: StatsPage, tmp_path: Path
) -> None:
    old = tmp_path / "page"
    old.write_bytes(raw(page))
    assert subprocess.run([counter, old], check=False).returncode == 0


def test_a_line_makes_a_metric_and_its_declaration(scratch: Path) -> None:
    assert python(scratch, "-c", SAYS) == "{'0': 7}\n"


def test_a_line_makes_its_row_in_the_document(scratch: Path) -> None:
    python(scratch, "-m", "tests.metrics.document")
    row = "| `pollgate_transmit_scratched_packets_total` | counter | worker | packets | A line of a recipe. |"
    assert row in (scratch / "pyshim" / "METRICS.md").read_text().splitlines()

# SPDX-License-Identifier: BSD-3-Clause
"""Each counter is one line of stats/counters.def: what is made from it, and what a page says of itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pyshim._native.instances import instances
from pyshim.counters import COUNTERS, Counter
from pyshim.dataplane.library import ffi, lib
from pyshim.dataplane.page import PageNames, RunState, StatsPage
from pyshim.errors import InternalError
from pyshim.metrics import FAMILIES, values
from pyshim.stats import Histogram, count
from tests.metrics.page_reader import Entry, directory, numbers, sets

ROOT = Path(__file__).resolve().parents[2]
DEF = ROOT / "dpdk_app" / "stats" / "counters.def"
KINDS = ("COUNTER", "COUNTER_IF_ANY", "GAUGE", "HISTOGRAM")
OWNERS = {  # of the groups that are of something named at run time
    "PORT_COUNT": "port",
    "DEVICE": "port",
    "DEVICE_STATE": "port",
    "POOL": "pool",
    "LISTENER_COUNT": "listener",
    "PROCESS_COUNT": "process",
    "WORLD_COUNT": "world",
}
NAMES = PageNames("dpdk", ("game0", "game1"), ("node0",), ("8080", "9000"), ("meadow",))


@pytest.fixture
def page() -> Iterator[StatsPage]:
    with StatsPage.create(2, NAMES) as made:
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
    lines = [line for line in DEF.read_text().splitlines() if re.match(r"(?!NAMED)[A-Z]", line)]
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


def test_what_a_worker_scribbles_over_the_head_of_a_page_leads_its_maker_nowhere(page: StatsPage) -> None:
    native = page.native
    native.worker_count = native.port_count = native.pool_count = 0xFFFFFFFF
    memory: Any = ffi.buffer(native)
    for start, most, size in instances(native).names:
        memory[start : start + most * size] = b"\xff" * (most * size)
    snapshot = page.snapshot("dpdk", RunState())
    assert (len(snapshot.workers), len(snapshot.ports), len(snapshot.pools)) == (2, 2, 1)
    assert len(page.pulse().heartbeats) == 2
    assert len(page.pulse().ports) == 2


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
    [one for one in COUNTERS if one.group not in OWNERS],
    ids=lambda one: f"{one.group}-{one.field}",
)
def test_a_reader_that_knows_only_the_directory_finds_what_a_snapshot_says(
    page: StatsPage, counter: Counter
) -> None:
    fill(page)
    worker = page.snapshot(NAMES.engine, RunState()).workers[1]
    said = count(worker.messages if counter.group == "MESSAGE" else worker, counter.field)
    found = numbers(raw(page), entry_of(page, counter), worker=1)
    if isinstance(said, Histogram):
        assert tuple(found.values()) == said.counts
        assert [float(name) for name in found] == pytest.approx(said.bounds)
    else:
        assert found == ({"": said} if isinstance(said, int) else said)


def test_such_a_reader_finds_the_numbers_of_ports_and_pools(page: StatsPage) -> None:
    fill(page)
    snapshot = page.snapshot(NAMES.engine, RunState())
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


# ------------------------------------------------------- what is named at run time


def test_a_page_says_what_there_is_of_everything_that_is_named(page: StatsPage) -> None:
    assert {one.label: one.names for one in sets(raw(page))} == {
        "port": {0: "game0", 1: "game1"},
        "pool": {0: "node0"},
        "listener": {0: "8080", 1: "9000"},
        "process": {},
        "world": {0: "meadow"},
    }


@pytest.mark.parametrize("counter", COUNTERS, ids=lambda one: f"{one.group}-{one.field}")
def test_a_counter_says_by_whose_names_it_goes(page: StatsPage, counter: Counter) -> None:
    entry = entry_of(page, counter)
    label = sets(raw(page))[entry.set - 1].label if entry.set else None
    assert label == OWNERS.get(counter.group)
    assert bool(entry.set) == bool(entry.index_stride)


def test_every_listener_has_its_counters_from_the_start_by_name(page: StatsPage) -> None:
    found = values(page.snapshot(NAMES.engine, RunState()))["pollgate_listener_sessions_total"]
    assert found == {"8080": 0, "9000": 0}


def test_a_reader_that_knows_only_the_directory_finds_a_listeners_numbers_under_its_name(
    page: StatsPage,
) -> None:
    fill(page)
    (entry,) = (one for one in directory(raw(page)) if one.metric == "listener_sessions")
    names = sets(raw(page))[entry.set - 1].names
    summed = {
        name: sum(numbers(raw(page), entry, worker, slot)[""] for worker in (0, 1))
        for slot, name in names.items()
    }
    assert values(page.snapshot(NAMES.engine, RunState()))["pollgate_listener_sessions_total"] == summed
    assert len(set(summed.values())) == 2


def test_what_a_world_took_is_a_histogram_under_its_name_of_all_workers(page: StatsPage) -> None:
    fill(page)
    page.native.tsc_hz = 1_000_000_000
    entries = {one.field: one for one in directory(raw(page)) if one.field.startswith("tick_duration")}

    def summed(field: str) -> tuple[int, ...]:
        parts = [numbers(raw(page), entries[field], worker, 0).values() for worker in (0, 1)]
        return tuple(map(sum, zip(*parts, strict=True)))

    snapshot = page.snapshot(NAMES.engine, RunState())
    (meadow,) = snapshot.instances["WORLD_COUNT"]
    said = count(meadow, "tick_duration")
    assert isinstance(said, Histogram)
    assert said.counts == summed("tick_duration")
    assert said.bounds == pytest.approx([float(name) for name in entries["tick_duration"].names])
    assert (said.total,) == pytest.approx([cycles / 1e9 for cycles in summed("tick_duration_cycles")])
    (told,) = values(snapshot)["pollgate_world_tick_duration_seconds"].items()  # type: ignore[attr-defined]
    assert (told[0], told[1]["count"]) == ("meadow", sum(said.counts))


def test_every_histogram_of_what_is_named_has_its_sum() -> None:
    fields = {(one.group, one.field) for one in COUNTERS}
    for one in COUNTERS:
        if one.kind == "HISTOGRAM" and one.group in OWNERS:
            assert (one.unit, (one.group, f"{one.field}_cycles") in fields) == ("seconds", True)


@pytest.mark.parametrize(
    ("slot", "name"),
    [(lib.PG_LISTENERS_MAX, "late"), (0, "another"), (2, ""), (2, "n" * 32)],
    ids=["no such slot", "taken", "empty", "too long"],
)
def test_a_name_that_has_no_place_is_refused_in_a_sentence(page: StatsPage, slot: int, name: str) -> None:
    before = raw(page)
    with pytest.raises(InternalError, match=f"no place for listener '{name}' as number {slot}"):
        page.name("listener", slot, name)
    assert raw(page) == before


def test_what_begins_later_is_there_with_its_counters_from_then_on(page: StatsPage) -> None:
    page.name("listener", 5, "n" * 31)
    page.name("listener", 5, "n" * 31)  # a name that stands may be given again
    found = values(page.snapshot(NAMES.engine, RunState()))["pollgate_listener_sessions_total"]
    assert found == {"8080": 0, "9000": 0, "n" * 31: 0}

# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench bus`: rows have both sides' figures, who is missing is named, no message is lost."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyshim.bench.bus import OPPONENTS, PAIRINGS
from pyshim.bench.rig.bus_ways import compile_ways, iceoryx_daemon, run_iceoryx2, run_ways
from pyshim.bench.rig.placement import choose_placement
from pyshim.errors import UnavailableError
from tests.bench.commands import bench

pytestmark = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2 or shutil.which("cc") is None,
    reason="two processes that talk need a CPU each, and what they talk by is compiled here",
)

SLICE_S = 0.02
SIZES = (64, 1024)
TIMED = {f"{way}-{size}" for way in ("bus", "datagram") for size in SIZES}
STREAMS = {f"{name}-rate" for name in TIMED}


@pytest.fixture
def daemon_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A machine has one daemon of iceoryx at a time, and this test run has several processes."""
    with (tmp_path_factory.getbasetemp().parent / "iox-roudi.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.usefixtures("daemon_alone")
def test_every_row_has_a_figure_of_both_sides_and_who_is_missing_is_named(tmp_path: Path) -> None:
    ended = bench("bus", "--json", "--pairs", "2", "--seconds", "0.2", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert report["bench"] == "bus"
    assert report["complete"] is True
    absent = {
        each for each in OPPONENTS if any(note.startswith(f"Without {each}:") for note in report["notes"])
    }
    assert absent <= {"iceoryx", "iceoryx2"}
    assert {row["name"] for row in report["rows"]} == {
        pairing.name for pairing in PAIRINGS if pairing.theirs.split("-")[0] not in absent
    }
    for row in report["rows"]:
        assert len(row["samples"]) == len(row["against_samples"]) == row["pairs"] == 2
        assert min(*row["samples"], *row["against_samples"]) > 0
        assert 0 < row["ratio"]["min"] <= row["ratio"]["median"] <= row["ratio"]["max"]
        assert row["limited_by"] in ("gateway", "cpus")
        is_rate = "-rate" in row["name"]
        assert row["unit"] == ("messages/s" if is_rate else "ns")
        assert (row["messages"] > 0) == (row["against_messages"] > 0) == is_rate


@pytest.mark.parametrize("backwards", [False, True])
def test_each_message_of_a_stream_is_heard(tmp_path: Path, *, backwards: bool) -> None:
    program = compile_ways(tmp_path, with_iceoryx=False)
    found = run_ways(program, choose_placement(), SLICE_S, backwards=backwards)
    assert found.keys() == {"line", "bus-64-asleep"} | TIMED | STREAMS
    for name, heard in found.items():
        assert heard.value > 0
        assert heard.said == heard.heard
        assert (heard.said > 0) == (name in STREAMS)


@pytest.mark.usefixtures("daemon_alone")
def test_each_message_by_iceoryx_is_heard(tmp_path: Path) -> None:
    try:
        program = compile_ways(tmp_path, with_iceoryx=True)
        with iceoryx_daemon():
            found = run_ways(program, choose_placement(), SLICE_S, backwards=False)
    except UnavailableError as problem:
        pytest.skip(str(problem))
    for size in SIZES:
        assert found[f"iceoryx-{size}"].value > 0
        assert found[f"iceoryx-{size}-rate"].said == found[f"iceoryx-{size}-rate"].heard > 0


def test_each_message_by_iceoryx2_is_heard() -> None:
    pytest.importorskip("iceoryx2")
    found = run_iceoryx2(choose_placement(), SLICE_S)
    for size in SIZES:
        assert found[f"iceoryx2-{size}"].value > 0
        assert found[f"iceoryx2-{size}-rate"].said == found[f"iceoryx2-{size}-rate"].heard > 0


def test_without_a_compiler_it_says_what_to_install(tmp_path: Path) -> None:
    ended = bench("bus", cwd=tmp_path, env={"PATH": str(tmp_path)})
    assert ended.returncode != 0
    assert "apt-get install gcc" in " ".join(ended.stderr.split())

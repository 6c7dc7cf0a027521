# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench engines` works: its rows, what bounds them, its failures; no figure is asserted."""

from __future__ import annotations

import json
import math
import shutil
import signal
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pyshim.bench.engines import late, limit
from pyshim.bench.rig.contest import Sample
from pyshim.bench.rig.contestants import ENGINES
from pyshim.bench.rig.handling import quantile
from pyshim.bench.rig.placement import Placement
from tests.bench.commands import BRIEFLY, COMMAND, LIMIT_S, bench
from tests.bench.test_interrupt import as_a_shell_sees_it
from tests.network.namespace import why_not

NAMES = [engine.name for engine in ENGINES]
EVERYWHERE = {"traditional", "epoll", "af_packet", "dpdk-pcap", "dpdk-memif"}
APART, TOGETHER = Placement(1, 0), Placement(0, 0)
SAMPLE = Sample(packets_per_s=1e6, busy=1.0, busy_at_rate=0.1, p50_s=1e-6, p99_s=2e-6, ceiling_pps=3e6)


@pytest.fixture
def _namespaces() -> None:
    if reason := why_not():
        pytest.skip(reason)


@pytest.mark.usefixtures("_namespaces")
def test_engines_has_a_row_per_engine_and_a_note_for_each_that_is_left_out(tmp_path: Path) -> None:
    ended = bench("engines", "--json", *BRIEFLY, "--players", "64", "--rate", "2000", cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    rows = {row["name"]: row for row in report["rows"]}
    left_out = [name for name in NAMES if name not in rows]
    assert [*rows] == [name for name in NAMES if name in rows]
    assert rows.keys() >= EVERYWHERE
    for name in left_out:
        assert sum(note.startswith(f"{name} was left out: ") for note in report["notes"]) == 1
    assert sum("Memory bandwidth is an estimate" in note for note in report["notes"]) == 1
    for row in rows.values():
        is_a_whole_row(row)
    assert rows["traditional"]["ratio"] == {"median": 1.0, "min": 1.0, "max": 1.0}
    assert rows["dpdk-pcap"]["generator_ceiling_pps"] is rows["dpdk-pcap"]["window"] is None
    assert rows["dpdk-pcap"]["latency_of"] == "handling at full load"
    assert list(tmp_path.iterdir()) == []


def is_a_whole_row(row: dict[str, Any]) -> None:
    assert row["unit"] == "packets/s"
    assert row["against"] == "traditional"
    assert row["value"] == row["samples"][0] > 0
    assert len(row["samples"]) == len(row["against_samples"]) == row["pairs"] == 1
    assert row["limited_by"] in ("gateway", "generator", "device", "cpus")
    assert ("Limited by the generator" in row["note"]) == (row["limited_by"] == "generator")
    assert (row["frame_bytes"], row["players"], row["fixed_rate_pps"]) == (86, 64, 2000)
    assert 0 < row["cpu_share"] <= 1
    assert 0 <= row["cpu_share_at_rate"] <= 1
    assert row["cpu_s_per_packet"] == pytest.approx(row["cpu_share"] / row["value"])
    assert 0 < row["latency_p50_s"] <= row["latency_p99_s"]
    assert (
        sum(int(copy.split(": ")[1].split()[0]) for copy in row["copies"]) == row["copied_bytes_per_packet"]
    )
    assert row["memory_bandwidth_bytes_per_s"] == pytest.approx(
        2 * row["copied_bytes_per_packet"] * row["value"]
    )
    assert row["device"]
    assert row["window"] is None or row["window"] > 0


@pytest.mark.usefixtures("_namespaces")
def test_an_interrupt_prints_the_rounds_so_far_and_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    process = subprocess.Popen(
        [*COMMAND, "engines", "--json", "--pairs", "50", "--seconds", "0.2"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(LIMIT_S, process.kill)
    watchdog.start()
    try:
        assert process.stderr is not None
        assert any(line.startswith("round 1 of 50: epoll") for line in process.stderr)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=LIMIT_S)
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()

    assert as_a_shell_sees_it(process.returncode) == 130
    report = json.loads(out)
    assert report["complete"] is False
    assert [row["name"] for row in report["rows"]][:2] == ["traditional", "epoll"]
    assert {row["complete"] for row in report["rows"]} == {False}
    assert list(tmp_path.iterdir()) == []
    assert not [line for line in command_lines() if str(tmp_path) in line]


def command_lines() -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


@pytest.mark.usefixtures("_namespaces")
def test_a_missing_compiler_is_one_sentence(tmp_path: Path) -> None:
    for tool in ("ip", "unshare", "mount", "sh"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or "")

    ended = bench("engines", *BRIEFLY, cwd=tmp_path, env={"PATH": str(tmp_path)})

    assert ended.returncode == 69
    (said,) = ended.stderr.splitlines()
    assert said.startswith("no C++ compiler (c++, g++, clang++) for the traditional server; ")


def test_what_the_generator_bounded_more_often_than_not_is_marked() -> None:
    bounded = replace(SAMPLE, why_generator=("the server's core was 40% busy",))

    assert limit([SAMPLE, SAMPLE, bounded], APART) == ("gateway", "")
    assert limit([SAMPLE, bounded, bounded], APART) == (
        "generator",
        "Limited by the generator: the server's core was 40% busy.",
    )
    assert limit([SAMPLE], TOGETHER) == ("cpus", "")
    assert late([SAMPLE]) == ""
    assert "too late" in late([replace(SAMPLE, why_late=("too late",))])


def test_quantiles_of_a_histogram_are_of_what_came_between_two_scrapes() -> None:
    before = {1.0: 10.0, 2.0: 10.0, 4.0: 10.0, math.inf: 10.0}
    after = {1.0: 10.0, 2.0: 60.0, 4.0: 110.0, math.inf: 110.0}

    assert quantile(before, after, 0.5) == pytest.approx(2.0)
    assert quantile(before, after, 0.75) == pytest.approx(3.0)
    assert quantile(before, after, 0.25) == pytest.approx(1.5)
    assert quantile(before, before, 0.5) is None
    assert quantile({}, {1.0: 0.0, math.inf: 4.0}, 0.5) == 1.0

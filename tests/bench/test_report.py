# SPDX-License-Identifier: BSD-3-Clause
"""What a benchmark shows people: the table, and the page with plots."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from rich.console import Console

from pyshim.bench.pairs import Comparison
from pyshim.bench.reports.costs import costs
from pyshim.bench.reports.html import as_html
from pyshim.bench.reports.plots import plots
from pyshim.bench.reports.report import Report, Row, as_table
from pyshim.host.machine import host_facts
from tests.bench.commands import BRIEFLY, bench

ROWS = (
    Row.of(
        "sessions-1000",
        Comparison((2.0e7, 1.9e7, 2.1e7), (2.0e7, 2.0e7, 2.0e7)),
        "sessions-1000",
        details={"sessions": 1000, "cycles_per_packet": 120.0, "seconds": 1.0, "device": "net_pcap"},
    ),
    Row.of(
        "sessions-100000",
        Comparison((1.0e7, 1.1e7, 0.9e7), (1.5e7, 1.6e7, 1.4e7)),
        "sessions-1000",
        limited_by="generator",
        details={"sessions": 100_000},
        note="A <remark> & more.",
    ),
)


def report(*rows: Row, complete: bool = True, x_axis: str | None = "sessions") -> Report:
    return Report("sessions", "0.1.0", host_facts(), complete, rows, ("Something was left out.",), x_axis)


def shown(made: Report, width: int = 80) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as text:
        console.print(as_table(made))
    return text.get()


def test_the_table_fits_a_terminal_and_marks_what_is_not_the_gateways() -> None:
    text = shown(report(*ROWS))

    assert "sessions-100000" in text
    assert "generator," in text
    assert "not ours" in text
    assert "19.0 … 21.0 M" in text
    assert "Something was left out." in text
    assert "…\n" not in text, "nothing was cut off"


TIMED = Row.of(
    "epoll",
    Comparison((2.0e5,), (1.0e5,)),
    "traditional",
    details={
        "cpu_s_per_packet": 4.2e-6,
        "latency_p50_s": 28e-6,
        "latency_p99_s": None,
        "memory_bandwidth_bytes_per_s": 1.5e8,
    },
)


def test_costs_have_the_columns_that_any_row_has_a_figure_for() -> None:
    assert costs(ROWS) == []
    assert costs([*ROWS[:1], TIMED]) == [
        ["row", "CPU/packet", "p50", "copied"],
        ["sessions-1000", "–", "–", "–"],
        ["epoll", "4.20 µs", "28.0 µs", "0.15 GB/s"],
    ]


def test_costs_are_shown_in_the_terminal_and_on_the_page() -> None:
    made = report(TIMED)
    console = Console(width=80, force_terminal=False)
    with console.capture() as text:
        console.print(as_table(made, [costs(made.rows)]))
    assert "28.0 µs" in text.get()
    assert "28.0 µs" in as_html(made)


def test_an_incomplete_report_says_so_with_and_without_rows() -> None:
    assert "Incomplete" in shown(report(*ROWS, complete=False))
    nothing = shown(report(complete=False))
    assert "Incomplete" in nothing
    assert "Nothing was measured." in nothing


def test_plots_are_of_samples_ratios_and_the_natural_axis() -> None:
    titles = [title for title, _ in plots(report(*ROWS))]

    assert titles == ["Every sample, packets/s", "Ratio to what it was measured against", "By sessions"]
    assert [title for title, _ in plots(report(*ROWS, x_axis=None))] == titles[:2]
    assert [title for title, _ in plots(report(ROWS[0]))] == titles[:2], "one point is no line"
    assert plots(report()) == []


def test_plots_are_whole_and_share_no_id_on_a_page() -> None:
    seen: set[str] = set()
    for _, svg in plots(report(*ROWS)):
        ids = {element.get("id") for element in ET.fromstring(svg).iter() if element.get("id")}
        assert ids
        assert not ids & seen
        for reference in (
            element.get("{http://www.w3.org/1999/xlink}href") for element in ET.fromstring(svg).iter()
        ):
            assert reference is None or reference.removeprefix("#") in ids
        seen |= {identity for identity in ids if identity}


def test_the_page_needs_no_other_file_and_is_the_same_each_time() -> None:
    page = as_html(report(*ROWS))

    assert page == as_html(report(*ROWS))
    assert page.count("<svg") == 3
    assert "A &lt;remark&gt; &amp; more." in page
    assert "generator (not the gateway)" in page
    for outside in ("<script", "<link", "<img", "@import", 'src="'):
        assert outside not in page


def test_bench_writes_the_page_that_was_asked_for(tmp_path: Path) -> None:
    ended = bench("sessions", "--sessions", "1000", "--html", "page.html", *BRIEFLY, cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert "sessions-1000" in ended.stdout
    assert "<svg" in (tmp_path / "page.html").read_text()


def test_a_page_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    for wrong in ("missing/page.html", "."):
        ended = bench("sessions", "--html", wrong, cwd=tmp_path)

        assert ended.returncode == 69
        assert ended.stderr == (
            f"--html: {wrong} cannot be written; name a file in a directory that you may write\n"
        )


def test_commands_load_neither_matplotlib_nor_dpdk_before_they_need_them() -> None:
    loaded = subprocess.run(
        [sys.executable, "-P", "-c", "import sys, pyshim.bench; print(*sys.modules)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.split()

    assert "pyshim.bench.commands" in loaded
    assert not {"matplotlib", "pyshim.dataplane"} & set(loaded)


def test_missing_matplotlib_is_one_sentence_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What an installation without the extra sees: nothing of that name is found.
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, package=None: "
        "None if name == 'matplotlib' else find(name, package)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    ended = bench("sessions", "--html", "page.html", cwd=tmp_path)

    assert ended.returncode == 69
    assert ended.stderr == (
        "--html needs matplotlib, which is not installed; install it with: "
        f"{sys.executable} -m pip install matplotlib\n"
    )

# SPDX-License-Identifier: BSD-3-Clause
"""`pollgate bench forward` works: its object and its failures; its figures are nobody's to assert."""

from __future__ import annotations

from pathlib import Path

from yaml import safe_load as load_yaml

from pyshim.bench.forward import why_longer
from pyshim.bench.rig.replay import NEVER_REACHED
from pyshim.bench.rig.sealed import NEVER_REACHED as SEALED_LIMITS
from pyshim.protocol.session_wire import VERSION
from tests.bench.commands import bench, report_of


def test_forward_prints_a_row_for_each_thing_that_it_was_measured_against(tmp_path: Path) -> None:
    report = report_of("forward", cwd=tmp_path)

    assert [(row["name"], row["flows"], row["against"]) for row in report["rows"]] == [
        ("plain-512", 512, "testpmd-5tswap"),
        ("plain-10000", 10_000, "testpmd-5tswap"),
        ("plain-512-unlimited", 512, "testpmd-5tswap"),
        ("plain-10000-unlimited", 10_000, "testpmd-5tswap"),
        ("plain-512-rxonly", 512, "testpmd-rxonly"),
        ("session-10000", 10_000, "crypto-only"),
        ("session-10000-answers", 10_000, "crypto-answers"),
        ("session-10000-5tswap", 10_000, "testpmd-5tswap"),
        ("session-10000-unlimited", 10_000, "crypto-only"),
    ]
    assert [row["frame_bytes"] for row in report["rows"]] == [86] * 5 + [110] * 4
    assert [row["limits"] for row in report["rows"]] == [
        "unlimited" not in row["name"] for row in report["rows"]
    ]
    assert [row.get("protocol_version") for row in report["rows"]] == [None] * 5 + [VERSION] * 4
    answers = next(row["note"] for row in report["rows"] if row["name"] == "session-10000-answers")
    assert "40 bytes of 68" in answers
    assert {row["limited_by"] for row in report["rows"]} == {"gateway"}
    assert "upper bound" in report["rows"][4]["note"]


def test_rows_have_limits_that_every_datagram_is_charged_under() -> None:
    plain = load_yaml(NEVER_REACHED)
    sealed = load_yaml(SEALED_LIMITS.listener)
    delivery = load_yaml(SEALED_LIMITS.delivery)

    assert plain["source_pps"] > 0
    assert all(sealed[limit] > 0 for limit in ("source_pps", "connections_pps", "session_pps"))
    assert delivery["messages_pps"]["move"] > 0


def test_a_run_of_more_than_a_minute_says_why() -> None:
    assert why_longer(96.0, 24, 1.0) == (
        "It took 96 s: each of its 24 figures is of a process of its own, which takes 3.0 s to start, to "
        "warm up and to end beside the 1 s in which it is measured."
    )


def test_a_missing_testpmd_is_named_with_its_package(tmp_path: Path) -> None:
    ended = bench("forward", cwd=tmp_path, env={"PATH": str(tmp_path)})

    assert ended.returncode == 69
    assert ended.stderr.strip() == "dpdk-testpmd is not installed; on Debian: apt-get install dpdk-dev"
    assert ended.stdout == ""

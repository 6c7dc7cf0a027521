# SPDX-License-Identifier: BSD-3-Clause
"""The JSON object and the table of a load whose results are made up."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_interface

import jsonschema
import pytest
from rich.console import Console

from pyshim.load.report import as_json, schema
from pyshim.load.run import Load, Played, Round
from pyshim.load.scenario import Crowd, Device, Sockets, Step, Target, Trial
from pyshim.load.view import table
from tests.load.builders import result

STEP = Step(100, 10)
RAMP = Round(STEP.ramp(1.0), 10, ramp=True)
PACED = Round(STEP.trial(1.0), 10)
WINDOWED = Round(Trial(100, 1.0, window=8), None)
SOCKETS = Load("rate", Crowd(100), Target(ip_address("10.0.0.1"), 8080), Sockets(), (PACED,), 0.5)
DEVICE = Load(
    "window",
    Crowd(100),
    Target(ip_address("fd00::1"), 8080, "02:00:00:00:00:02"),
    Device("net_memif0,role=client", (ip_interface("fd00::2/64"),), cpu=1),
    (WINDOWED,),
    0.5,
)
PLAYED = [
    Played(RAMP, result(RAMP.trial, offered=500, sent=500, acknowledged=500)),
    Played(
        PACED,
        result(
            **{"late": 500, "worst_lag_s": 0.5, "busy_cycles": 600_000_000},
            **{"acknowledged": 990, "lost": 10, "duplicated": 3, "reordered": 4},
        ),
    ),
    Played(WINDOWED, result(WINDOWED.trial, cut_short=True, elapsed_s=0.25)),
]


def text_of(load: Load, played: list[Played], width: int = 80) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as text:
        console.print(table(load, played))
    return text.get()


@pytest.mark.parametrize("load", [SOCKETS, DEVICE], ids=["sockets", "device"])
def test_the_object_is_what_the_schema_says(load: Load) -> None:
    report = json.loads(as_json(load, PLAYED))
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(report, schema())
    assert [step["ramp"] for step in report["steps"]] == [True, False, False]
    assert [step["rate_pps"] for step in report["steps"]] == [10, 10, None]
    assert [step["limited_by"] for step in report["steps"]] == ["none", "generator", "target"]
    assert report["steps"][1]["by_type"]["move"] == {"sent": 1000, "acknowledged": 1000}
    assert report["steps"][2]["cut_short"] is True


def test_the_schema_allows_nothing_else() -> None:
    report = json.loads(as_json(SOCKETS, PLAYED))
    del report["steps"][0]["lost"]
    with pytest.raises(jsonschema.ValidationError, match="'lost' is a required property"):
        jsonschema.validate(report, schema())
    report = json.loads(as_json(SOCKETS, PLAYED)) | {"more": 1}
    with pytest.raises(jsonschema.ValidationError, match="'more' was unexpected"):
        jsonschema.validate(report, schema())


def test_a_load_that_was_ended_before_its_first_step_has_no_steps() -> None:
    assert json.loads(as_json(SOCKETS, []))["steps"] == []
    assert "10.0.0.1:8080" in text_of(SOCKETS, [])


def test_the_table_marks_what_is_the_generators_and_says_why() -> None:
    lines = text_of(SOCKETS, PLAYED, width=200).splitlines()
    rows = [line for line in lines if line.startswith((" ramp", " 100"))]
    assert rows[0].startswith(" ramp 100×10 ")
    assert rows[1].startswith(" 100×10 * ")
    assert any("* 100×10 is limited by the generator" in line and "500.0 ms" in line for line in lines)
    assert any("990 acknowledged + 10 lost, 3 duplicated, 4 reordered" in line for line in lines)
    assert any("100, window 8 was cut short after 0.2 of 1 s" in line for line in lines)


def test_an_idle_generators_waiting_is_told_without_a_mark() -> None:
    late = Played(PACED, result(late=500, worst_lag_s=0.5))
    lines = text_of(SOCKETS, [late], width=200).splitlines()
    assert any(line.startswith(" 100×10  ") for line in lines)
    assert not any("limited by the generator" in line for line in lines)
    assert any("100×10: 50.0% of the messages left more than 1 ms late" in line for line in lines)
    assert "wait for its CPU" in json.loads(as_json(SOCKETS, [late]))["steps"][0]["generator"]["delays"][0]


@pytest.mark.parametrize(
    ("changes", "led_to"),
    [
        ({"acknowledged": 999, "lost": 1}, "its pollgate_drops_total names: source_rate_limited, say"),
        ({"duplicated": 1}, "does another gateway have this address, too?"),
    ],
    ids=["lost", "duplicated"],
)
def test_whatever_goes_wrong_leads_to_its_cause(changes: dict[str, int], led_to: str) -> None:
    text = text_of(SOCKETS, [Played(PACED, result(**changes))], width=300)
    assert f"100×10: what {'the gateway refused' if 'lost' in changes else 'came twice'}" in text
    assert led_to in text
    assert led_to not in text_of(SOCKETS, [Played(PACED, result())], width=300)


def test_the_table_fits_80_columns() -> None:
    slow = result(PACED.trial, acknowledged=880, lost=120, elapsed_s=1.003, late=999)
    text = text_of(SOCKETS, [*PLAYED, Played(Round(PACED.trial, 60, ramp=True), slow)])
    assert max(map(len, text.splitlines())) <= 80
    header = next(line for line in text.splitlines() if "p99.9" in line)
    assert header.split() == ["step", "sent/s", "acked/s", "lost", "p50", "p95", "p99", "p99.9", "max"]
    assert "…" not in text

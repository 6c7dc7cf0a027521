# SPDX-License-Identifier: BSD-3-Clause
"""The list "The way of a movement" of the data plane's README is the way that the sources take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "dpdk_app"
TITLE = "### The way of a movement"
FILES_AT_MOST = 8
RETURNS_AT_MOST = 4

# What the functions on the way call in files on the way, and a movement does not need: it is another
# datagram's, another configuration's, or says only where in the frame something lies.
BESIDE = {
    "where a world listens": {
        "delivery_tell_listeners",
    },
    "another datagram's": {
        "answer_longer",
        "answer_lost_fast",
        "fast_admissible_otherwise",
        "owe_fast",
        "serve_sealed",
        "sort_others",
        "sort_sealed_frame",
        "take_opened",
    },
    "the host's": {
        "serve_host",
    },
    "where devices compute or verify checksums, or lose frames": {
        "complete_checksum",
        "conclude_all_fast_in_part",
        "hold",
        "keep_back",
        "pass_over",
        "refuse_chains",
        "request_checksums",
        "rx_verdict",
        "total_bytes",
        "transmit_prepared",
    },
    "where something lies, or how much": {
        "begin",
        "sealed_answer_sum",
        "sealed_frame_sum",
        "set_lengths",
        "fast_body",
        "fast_header",
        "fast_lines",
        "fast_payload",
        "fast_prefix",
    },
}

_STEP = re.compile(r"^\d+\. (?P<text>.+(?:\n   .+)*)", re.MULTILINE)
_QUOTED = re.compile(r"`([^`]+)`")
_BODY = re.compile(
    r"^[A-Za-z_][^\n;#]*?\b(?P<name>\w+)\([^;{}]*\)\n\{\n(?P<body>.*?)^\}", re.MULTILINE | re.DOTALL
)
_NOISE = re.compile(r"//[^\n]*|__attribute__\(\(\w+\)\) ")
_CALL = re.compile(r"\b([a-z_]\w*)\(")


@dataclass(frozen=True, slots=True)
class Step:
    """Functions that are entered one after the other in one file."""

    path: str
    functions: tuple[str, ...]


def steps() -> list[Step]:
    """The list, as it stands in the README."""
    text = (ROOT / "README.md").read_text().partition(TITLE)[2]
    found = []
    for step in _STEP.finditer(re.split(r"^#|^Every packet", text, maxsplit=1, flags=re.MULTILINE)[0]):
        path, *functions = _QUOTED.findall(step["text"])
        found.append(Step(path, tuple(functions)))
    return found


def bodies(path: str) -> dict[str, str]:
    """The functions that a file defines, without comments; of two variants, the first."""
    found: dict[str, str] = {}
    for match in _BODY.finditer(_NOISE.sub("", (ROOT / path).read_text())):
        found.setdefault(match["name"], match["body"])
    return found


def outside(path: str) -> str:
    """What a file says outside of functions: its tables."""
    return _BODY.sub("", _NOISE.sub("", (ROOT / path).read_text()))


@pytest.fixture(scope="module")
def way() -> list[Step]:
    found = steps()
    assert len(found) > 5
    return found


def test_each_function_on_the_way_stands_in_the_file_of_its_step(way: list[Step]) -> None:
    missing = [
        f"{step.path}: {name}" for step in way for name in step.functions if name not in bodies(step.path)
    ]
    assert not missing


def test_each_function_on_the_way_is_entered_from_one_before_it(way: list[Step]) -> None:
    entered = ""
    lost = []
    for step in way:
        known, tables = bodies(step.path), outside(step.path)
        for name in step.functions:
            called = re.search(rf"\b{name}\(", entered) or re.search(rf"\b{name}\b[^(]", tables)
            if entered and not called:
                lost.append(f"{step.path}: {name}")
            entered += known.get(name, "")
    assert not lost


def test_functions_are_listed_in_the_order_in_which_each_caller_calls_them(way: list[Step]) -> None:
    order = {name: at for at, name in enumerate(name for step in way for name in step.functions)}
    for step in way:
        for caller in step.functions:
            calls = [order[name] for name in _CALL.findall(bodies(step.path)[caller]) if name in order]
            onward = [at for at in dict.fromkeys(calls) if at > order[caller]]
            assert onward == sorted(onward), f"{step.path}: {caller}"


def test_whatever_is_called_on_the_way_is_on_it_or_known_to_lie_beside_it(way: list[Step]) -> None:
    listed = {name for step in way for name in step.functions}
    here = {name for path in {step.path for step in way} for name in bodies(path)}
    called = {
        name for step in way for caller in step.functions for name in _CALL.findall(bodies(step.path)[caller])
    } & here
    beside = {name for names in BESIDE.values() for name in names}
    assert called - listed == beside


def test_the_way_goes_through_few_files_and_hardly_ever_back(way: list[Step]) -> None:
    seen: list[str] = []
    returns = 0
    for step in way:
        returns += step.path in seen
        seen.append(step.path)
    assert len(set(seen)) <= FILES_AT_MOST
    assert returns <= RETURNS_AT_MOST

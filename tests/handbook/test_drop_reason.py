# SPDX-License-Identifier: BSD-3-Clause
"""The handbook's recipe for a drop reason: two files by hand, and packets are dropped and counted for it."""

from __future__ import annotations

import json

import pytest

from tests.handbook.scratch import Recipe, Scratch, recipe

# A chat message with a NUL in its text, and one without.
DROPS = """
import json, struct
from dataclasses import replace
from tests.core.test_datagrams import PEER, plan
from tests.native.core import Core
from tests.strategies import chat_body
core = Core(plan(8))
def chat(text):
    return replace(PEER, payload=struct.pack("<IIQ", 3, 28 + len(text), 7) + chat_body(1, 0, 0, text))
answers = core.datagrams([chat(b"a\\0b"), chat(b"ab")], 0)
print(json.dumps([[one.drop for one in answers], dict(core.stats().dropped)]))
"""


@pytest.fixture(scope="module")
def reason() -> Recipe:
    return recipe("drop reason")


@pytest.fixture(scope="module")
def scratch(reason: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    copy = Scratch(tmp_path_factory.mktemp("reason"))
    copy.follow(reason)
    return copy


def test_two_files_are_edited_by_hand(reason: Recipe, scratch: Scratch) -> None:
    assert reason.files == ("dpdk_app/stats/reasons.def", "dpdk_app/message/chat.h")
    assert scratch.changed() == {*reason.files, "dpdk_app/README.md"}


def test_a_packet_is_dropped_counted_and_named(scratch: Scratch) -> None:
    scratch.build_core()
    answers, counted = json.loads(scratch.python("-c", DROPS))
    assert answers == ["text_nul", None]
    assert counted["text_nul"] == 1
    assert sum(counted.values()) == 1


def test_the_reason_has_its_row_in_the_document(scratch: Scratch) -> None:
    row = "| `text_nul` | chat text has a NUL, which ends it for some games |"
    assert row in (scratch.path / "dpdk_app" / "README.md").read_text().splitlines()

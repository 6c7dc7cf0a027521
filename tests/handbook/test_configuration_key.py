# SPDX-License-Identifier: BSD-3-Clause
"""The handbook's recipe for a configuration key: few files by hand, and a worker does what is written."""

from __future__ import annotations

import json

import pytest

from tests.handbook.scratch import Recipe, Scratch, recipe

# What a file with the key makes of two echo requests, by the way that a plan takes to a worker process.
OBEYS = """
import json, sys
from dataclasses import replace
from pathlib import Path
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether
from pyshim.config import load_config, restart_needed
from tests.native.core import Core
from pyshim.plan import plan_from_json, plan_to_json
from pyshim.planner import policy_of
from tests.core.test_datagrams import plan
from tests.strategies import MAC, OWN4
def written(text):
    file = Path("gate.yaml")
    ports = "ports: [{name: game0, device: net_null0, address: [10.0.0.1/24]}]\\n"
    file.write_text(ports + text)
    return load_config(file)
def echo(size):
    to = Ether(dst=MAC, src="02:00:00:00:00:99") / IP(src="10.0.0.9", dst=str(OWN4[0])) / ICMP()
    return bytes(to / bytes(size - len(to)))
def drops(config):
    made = plan_from_json(plan_to_json(replace(plan(8), policy=policy_of(config))))
    core = Core(made)
    return [one.drop for one in core.burst([echo(100), echo(600)], 10**12)]
plain, short = written(""), written("host: {longest_bytes: 200}\\n")
example = load_config(Path("configs/bare-metal.yaml"))
print(json.dumps({
    "default": drops(plain),
    "short": drops(short),
    "restart": restart_needed(plain, short),
    "example": example.host.longest_bytes,
}))
"""
REFUSES = """
from pathlib import Path
from pyshim.config import load_config
from pyshim.errors import ConfigError
Path("gate.yaml").write_text(
    "ports: [{name: game0, device: net_null0, address: [10.0.0.1/24]}]\\nhost:\\n  longest_bytes: 59\\n"
)
try:
    load_config(Path("gate.yaml"))
except ConfigError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def key() -> Recipe:
    return recipe("configuration key")


@pytest.fixture(scope="module")
def scratch(key: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    copy = Scratch(tmp_path_factory.mktemp("key"))
    copy.follow(key)
    copy.build_core()
    return copy


def test_no_more_than_four_files_are_edited_by_hand(key: Recipe, scratch: Scratch) -> None:
    assert key.files == (
        "dpdk_app/include/settings.def",
        "dpdk_app/pipeline/burst.c",
        "configs/bare-metal.yaml",
    )
    assert scratch.changed() == {*key.files, "configs/pollgate.schema.json"}


def test_what_is_written_reaches_the_worker_and_is_obeyed(scratch: Scratch) -> None:
    found = json.loads(scratch.python("-c", OBEYS))
    assert found["default"] == [None, None]
    assert found["short"] == [None, "too_long"]
    assert found["restart"] == []
    assert found["example"] == 1522


def test_what_is_not_allowed_is_refused_with_file_and_line(scratch: Scratch) -> None:
    said = scratch.python("-c", REFUSES)
    sentence = "gate.yaml:3: host.longest_bytes: found 59, allowed: a whole number from 60 to 1522"
    assert sentence in said.splitlines()


def test_editors_know_it(scratch: Scratch) -> None:
    schema = json.loads((scratch.path / "configs" / "pollgate.schema.json").read_text())
    assert schema["$defs"]["HostConfig"]["properties"]["longest_bytes"] == {
        "default": 1522,
        "description": "Longest frame of ARP, ND or echo that is answered, in bytes.",
        "maximum": 1522,
        "minimum": 60,
        "type": "integer",
    }

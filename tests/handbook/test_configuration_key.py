# SPDX-License-Identifier: BSD-3-Clause
"""The handbook's recipe for a configuration key: few files by hand, and a worker does what is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.handbook.scratch import Edit, Recipe, Scratch, recipe

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
# Whether a listener of each profile may have a limit that is new.
LIMITS = """
import json, sys
from pathlib import Path
from pyshim.config import load_config
from pyshim.errors import ConfigError
text = (
    "ports: [{name: game0, device: net_null0, address: [10.0.0.1/24]}]\\n"
    "listen: [{port: 8080, profile: PROFILE, limits: {of_group: 7}}]\\n"
)
said = {}
for profile in ("plain", "session"):
    Path("gate.yaml").write_text(text.replace("PROFILE", profile).replace("of_group", sys.argv[1]))
    try:
        said[profile] = getattr(load_config(Path("gate.yaml")).listen[0].limits, sys.argv[1])
    except ConfigError as error:
        said[profile] = str(error)
print(json.dumps(said))
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


@pytest.mark.parametrize("group", ["LISTENER", "ISSUED"])
def test_a_limit_of_a_listener_is_of_every_profile_unless_its_group_says_otherwise(
    tmp_path: Path, group: str
) -> None:
    copy = Scratch(tmp_path)
    name = f"strange_{group.lower()}_pps"
    line = f'{group}({name}, "listen.limits.{name}", NUMBER, 0, 9, 0,\n\t"Of the test.")\n'
    copy.edit(
        Edit(
            "dpdk_app/include/settings.def",
            "above",
            f"{group}(session_pps" if group == "ISSUED" else f"{group}(source_pps",
            line,
        )
    )
    said = json.loads(copy.python("-c", LIMITS, name))
    assert said["session"] == 7
    if group == "LISTENER":
        assert said["plain"] == 7
    else:
        assert f"listen[0].limits.{name}: profile plain has no such limit" in said["plain"]

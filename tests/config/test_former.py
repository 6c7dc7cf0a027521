# SPDX-License-Identifier: BSD-3-Clause
"""A configuration that was written for an earlier version: it is read, and who has a key in vain is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyshim.config import Config, export_schema, load_config
from pyshim.errors import ConfigError
from pyshim.planner import plan
from pyshim.run.reloading import read_change
from tests.plan.builders import make_host

PORTS = "engine: epoll\nports: [{name: game0, address: [127.0.0.1/8]}]\n"
SESSION = PORTS + "listen: [{port: 8080, profile: session}]\n"
IN_VAIN = "delivery.resends: 3 does nothing any more"

# What the example of sessions said of delivery while messages were repeated a number of times.
FORMER_DELIVERY = """\
delivery:
  flush_ms: 5
  acknowledge_ms: 25
  resend_min_ms: 100
  resends: 3
  queue_kib: 256
  memory_mib: 64
  handshake_cpu: 0.2
  compression_level: 6
"""


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(text: str) -> Config:
    Path("gate.yaml").write_text(text)
    return load_config(Path("gate.yaml"))


def warnings(config: Config) -> list[str]:
    return [text for text in plan(config, make_host(config)).warnings if text.startswith("delivery.")]


def test_a_file_with_a_number_of_repetitions_is_read_and_its_operator_told() -> None:
    (told,) = warnings(load(SESSION + FORMER_DELIVERY))
    assert told.startswith(IN_VAIN)
    assert "sessions.idle_timeout_s" in told
    assert told.endswith("remove the key")


def test_without_the_key_nothing_is_told() -> None:
    assert warnings(load(SESSION + FORMER_DELIVERY.replace("  resends: 3\n", ""))) == []


def test_what_was_no_number_of_repetitions_is_none_today() -> None:
    with pytest.raises(ConfigError, match=r"delivery\.resends: found 8, allowed: a whole number from 1 to 7"):
        load(SESSION + "delivery: {resends: 8}\n")


def test_a_reload_takes_such_a_file() -> None:
    running = load(SESSION)
    load(SESSION + "delivery: {resends: 3}\n")
    change = read_change(Path("gate.yaml"), running, plan(running, make_host(running)))
    assert change.config.delivery.resends == 3


def test_a_least_time_of_ten_seconds_is_taken_as_before() -> None:
    config = load(SESSION + "delivery: {resend_min_ms: 10000}\n")
    assert plan(config, make_host(config)).policy.delivery.resend_min_us == 10_000_000


@pytest.mark.parametrize(
    "written",
    [
        "listen: [{port: 1, limits: {connections_burst: 100}}]\n",
        "delivery: {resend_min_ms: 100, resends: 3}\n",
    ],
)
def test_former_defaults_written_out_contradict_nothing(written: str) -> None:
    load(PORTS + written)


def test_an_editor_strikes_the_key_out() -> None:
    key = export_schema()["$defs"]["DeliveryConfig"]["properties"]["resends"]
    assert key["deprecated"] is True

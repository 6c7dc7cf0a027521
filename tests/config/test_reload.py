# SPDX-License-Identifier: BSD-3-Clause
"""What a reload may change, and what it must name as needing a restart."""

from __future__ import annotations

from typing import Any

import pytest

from pyshim.config import Config, restart_needed


def config(**sections: Any) -> Config:
    port = {"name": "game0", "device": "0000:03:00.0", "address": ["10.0.0.1/24"]}
    return Config.model_validate({"ports": [port], **sections})


@pytest.mark.parametrize(
    "change",
    [
        {"listen": [{"port": 8080, "limits": {"source_pps": 9, "source_burst": 9}}]},
        {"sessions": {"idle_timeout_s": 5}},
        {"host": {"reply_pps": 1, "reply_burst": 1}},
        {"log": {"level": "debug"}},
        {"metrics": {"listen": "[::1]:1"}},
        {"metrics": {"listen": None}},
        {},
    ],
)
def test_a_policy_change_needs_no_restart(change: dict[str, Any]) -> None:
    assert restart_needed(config(), config(**change)) == []


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        ({"eal": {"memory_mib": 1024, "huge_pages": "auto"}}, ["eal.huge_pages", "eal.memory_mib"]),
        ({"workers": {"cpus": [1]}}, ["workers.cpus"]),
        ({"listen": [{"port": 8081}]}, ["listen[0].port"]),
        ({"listen": [{"port": 8080}, {"port": 8081}]}, ["listen"]),
        ({"sessions": {"capacity": 1, "idle_timeout_s": 1}}, ["sessions.capacity"]),
    ],
)
def test_any_other_change_is_named(change: dict[str, Any], paths: list[str]) -> None:
    assert restart_needed(config(), config(**change)) == paths


def test_a_changed_port_is_named_by_index_and_key() -> None:
    port = {"name": "game0", "device": "0000:03:00.0", "address": ["10.0.0.2/24"], "queues": 2}
    assert restart_needed(config(), config(ports=[port])) == ["ports[0].address[0]", "ports[0].queues"]


def test_another_spelling_of_the_same_card_is_no_change() -> None:
    port = {"name": "game0", "device": "03:00.0", "address": ["10.0.0.1/24"]}
    assert restart_needed(config(), config(ports=[port])) == []

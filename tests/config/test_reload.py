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
        (
            {"listen": [{"port": 8080, "profile": "session"}], "sessions": {"gateway": {"id": 3, "bits": 4}}},
            ["listen[0].profile", "listen[0].admission", "sessions.gateway.id", "sessions.gateway.bits"],
        ),
    ],
)
def test_any_other_change_is_named(change: dict[str, Any], paths: list[str]) -> None:
    assert restart_needed(config(), config(**change)) == paths


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ({"engine": "epoll"}, {"engine": "io_uring"}, ["engine"]),
        (
            {"engine": "epoll"},
            {"engine": "epoll", "sockets": {"receive_buffer_kib": 64}},
            ["sockets.receive_buffer_kib"],
        ),
        (
            {"engine": "io_uring"},
            {"engine": "io_uring", "sockets": {"zero_copy_bytes": 900}},
            ["sockets.zero_copy_bytes"],
        ),
    ],
)
def test_another_engine_or_other_sockets_are_named(
    before: dict[str, Any], after: dict[str, Any], paths: list[str]
) -> None:
    ports = [{"name": "game0", "address": ["127.0.0.1/8"]}]
    old, new = (Config.model_validate({"ports": ports, **sections}) for sections in (before, after))
    assert restart_needed(old, new) == paths


def session(**sections: Any) -> Config:
    return config(listen=[{"port": 8080, "profile": "session"}], **sections)


@pytest.mark.parametrize(
    "change",
    [
        {"flush_ms": 1, "acknowledge_ms": 1, "resend_min_ms": 50},
        {"queue_kib": 64, "handshake_cpu": 0.5},
        {"resends": 3},
        {"compress": {"chat": "never"}, "messages_pps": {"move": 1}, "messages_burst": {"bulk": 1}},
    ],
)
def test_how_messages_travel_changes_without_a_restart(change: dict[str, Any]) -> None:
    assert restart_needed(session(), session(delivery=change)) == []


def test_memory_and_compressor_of_messages_need_a_restart() -> None:
    change = {"memory_mib": 1, "compression_level": 9, "flush_ms": 1}
    assert restart_needed(session(), session(delivery=change)) == [
        "delivery.memory_mib",
        "delivery.compression_level",
    ]


def test_another_profile_needs_a_restart_and_its_limits_are_not_named() -> None:
    assert restart_needed(config(), session()) == ["listen[0].profile", "listen[0].admission"]


def test_another_control_address_needs_a_restart() -> None:
    assert restart_needed(session(), session(control={"listen": "unix:/tmp/c"})) == ["control.listen"]


def test_a_device_given_up_for_sockets_is_named_with_the_engine() -> None:
    port = {"name": "game0", "address": ["10.0.0.1/24"]}
    sockets = Config.model_validate({"engine": "epoll", "ports": [port]})
    assert restart_needed(config(), sockets) == ["engine", "ports[0].device"]


def test_a_changed_port_is_named_by_index_and_key() -> None:
    port = {"name": "game0", "device": "0000:03:00.0", "address": ["10.0.0.2/24"], "queues": 2}
    assert restart_needed(config(), config(ports=[port])) == ["ports[0].address[0]", "ports[0].queues"]


def test_another_spelling_of_the_same_card_is_no_change() -> None:
    port = {"name": "game0", "device": "03:00.0", "address": ["10.0.0.1/24"]}
    assert restart_needed(config(), config(ports=[port])) == []

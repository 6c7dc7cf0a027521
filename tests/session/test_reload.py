# SPDX-License-Identifier: BSD-3-Clause
"""SIGHUP with profile session: limits and delivery change while players are connected, memory does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyshim.protocol.client import Client, Ticket
from tests.gate import Gate
from tests.issuing.gateway import Api, configuration

TIMEOUT_S = 90
SUCCESSFUL = "pollgate_config_last_reload_successful"


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    with Gate(configuration(tmp_path), tmp_path) as running:
        yield running


def changed(gate: Gate, **sections: Any) -> dict[str, Any]:
    """The running configuration with other sections."""
    written: dict[str, Any] = json.loads(gate.config_path.read_text())
    return written | sections


def reload(gate: Gate, config: dict[str, Any], line: str) -> str:
    gate.write_config(config)
    gate.reload()
    return gate.wait_for_line(line)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"delivery": {"messages_pps": {"move": 1}, "messages_burst": {"move": 1}}},
            "message_rate_limited",
        ),
        ({"listen": {"session_pps": 1, "session_burst": 1}}, "session_rate_limited"),
    ],
)
def test_new_limits_apply_to_a_player_who_is_connected(
    gate: Gate, change: dict[str, Any], reason: str
) -> None:
    ticket = Ticket.from_json(json.dumps(Api(gate).issue(7)))
    config = changed(gate)
    if "listen" in change:
        config["listen"][0]["limits"] = change["listen"]
    else:
        config |= change

    async def play() -> None:
        async with asyncio.timeout(TIMEOUT_S), Client(ticket) as game:
            await game.chat("before", to=7)
            assert gate.metrics().value("pollgate_drops_total", reason=reason) == 0
            await asyncio.to_thread(reload, gate, config, "configuration reloaded")
            while gate.metrics().value("pollgate_drops_total", reason=reason) == 0:
                game.move((1.0, 2.0, 3.0))
                await asyncio.sleep(0.01)

    asyncio.run(play())
    assert gate.metrics().value("pollgate_session_connections_total") == 1
    assert gate.metrics().value(SUCCESSFUL) == 1


def test_client_is_told_limits_that_changed_and_keeps_to_them(gate: Gate) -> None:
    ticket = Ticket.from_json(json.dumps(Api(gate).issue(7)))
    fewer = {"messages_pps": {"chat": 20}, "messages_burst": {"chat": 2}}

    async def play() -> None:
        async with asyncio.timeout(TIMEOUT_S), Client(ticket) as game:
            await game.chat("before", to=7)
            await asyncio.to_thread(reload, gate, changed(gate, delivery=fewer), "configuration reloaded")
            while (it := game.session._connection._open) is None or it.limits_version == 0:
                await asyncio.sleep(0.01)
            for said in [game.chat(f"{number}", to=7) for number in range(20)]:
                await said

    asyncio.run(play())
    assert gate.metrics().value("pollgate_session_messages_refused_total", reason="rate") == 0
    assert gate.metrics().value("pollgate_session_messages_received_total", type="chat") == 21


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"delivery": {"memory_mib": 32, "flush_ms": 1}}, "delivery.memory_mib"),
        ({"delivery": {"compression_level": 9}}, "delivery.compression_level"),
        ({"control": {"listen": "unix:/elsewhere"}}, "control.listen"),
    ],
)
def test_what_needs_a_restart_is_named_and_nothing_changes(
    gate: Gate, section: dict[str, Any], key: str
) -> None:
    assert f"{key} needs a restart" in reload(gate, changed(gate, **section), "reload refused")
    assert gate.metrics().value(SUCCESSFUL) == 0
    assert Api(gate).issue(7)["session"] > 0
